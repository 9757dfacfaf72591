//! The programs with which ours shows that what was written for `mappedpages` 0.2.0 compiles against it: that
//! they are such programs. They compile against that crate here, and do the same.
#![allow(unexpected_cfgs, reason = "the programs have a feature of ours")]

extern crate published_mappedpages as mappedpages;

#[path = "../../crates/mappedpages/tests/published_examples.rs"]
mod published_examples;

/// Shows that it is that crate: ours has more errors, and a rest.
#[test]
fn these_are_all_errors() {
    use mappedpages::MappedPageError::{
        CorruptDirectoryIndex, CorruptMetadata, CorruptProtectedDirectory, CorruptSuperblock,
        DirectoryFull, DoubleFree, InvalidPageSize, Io, OutOfBounds, ReservedPage, Unavailable,
    };
    match mappedpages::Pager::<4096>::open("no such file").map(drop) {
        Err(Io(_)) => {}
        Ok(())
        | Err(
            InvalidPageSize
            | CorruptSuperblock
            | CorruptMetadata
            | OutOfBounds
            | ReservedPage
            | DoubleFree
            | Unavailable
            | CorruptProtectedDirectory
            | CorruptDirectoryIndex
            | DirectoryFull,
        ) => panic!("a file that is not there was opened"),
    }
}
