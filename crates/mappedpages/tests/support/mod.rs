//! What the tests of this crate share: files in every format and backing, and a medium that fails.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test file uses what it needs")]

pub(crate) mod medium;

use std::collections::BTreeMap;
use std::path::PathBuf;

use mappedpages::{Backing, Builder, Durability, Format, MappedPageError, Pager};
use tempfile::TempDir;

pub(crate) const P: usize = 1024;

/// One of the ways to keep pages, and a folder for its file.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) format: Format,
    pub(crate) backing: Backing,
    folder: TempDir,
}

impl Case {
    pub(crate) fn new(format: Format, backing: Backing) -> Self {
        Self { format, backing, folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("pages")
    }

    pub(crate) fn builder(&self) -> Builder<P> {
        Pager::builder().format(self.format).backing(self.backing)
    }

    pub(crate) fn create(&self) -> Pager<P> {
        self.builder().create(self.path()).unwrap()
    }

    pub(crate) fn create_with(&self, durability: Durability) -> Pager<P> {
        self.builder().durability(durability).create(self.path()).unwrap()
    }

    pub(crate) fn open(&self) -> Pager<P> {
        self.builder().open(self.path()).unwrap()
    }

    pub(crate) fn reopen(&self, pager: Pager<P>) -> Pager<P> {
        pager.close().unwrap();
        self.open()
    }
}

/// Runs `test` in both formats and over both backings.
pub(crate) fn in_all_cases(test: impl Fn(&Case)) {
    for format in [Format::One, Format::Two] {
        for backing in [Backing::Mapped, Backing::Positioned] {
            let case = Case::new(format, backing);
            // Shown only when the test fails.
            println!("{format:?}, {backing:?}");
            test(&case);
        }
    }
}

/// Asserts which error came, with no equality between errors.
macro_rules! assert_fails {
    ($result:expr, $pattern:pat) => {
        match $result {
            Err($pattern) => {}
            Err(error) => panic!("wrong error: {error:?}"),
            Ok(_) => panic!("no error"),
        }
    };
}
pub(crate) use assert_fails;

/// Whether the disk refused.
pub(crate) fn is_io(error: &MappedPageError) -> bool {
    matches!(error, MappedPageError::Io(_))
}

/// Forgets a guard without running its end, as safe code may.
pub(crate) fn leak<T>(guard: T) {
    let _ = std::mem::ManuallyDrop::new(guard);
}

/// The ids of both iterators.
pub(crate) fn listed<const N: usize>(pager: &Pager<N>) -> (Vec<u64>, Vec<u64>) {
    let regular = pager.iter_allocated_pages().map(|id| id.0).collect();
    let protected = pager.iter_allocated_protected_pages().map(|id| id.0).collect();
    (regular, protected)
}

/// Bytes of pages by their ids.
pub(crate) type Contents = BTreeMap<u64, Vec<u8>>;

/// Regular and protected pages with their contents.
pub(crate) fn contents<const N: usize>(
    pager: &Pager<N>,
) -> Result<(Contents, Contents), MappedPageError> {
    let mut regular = Contents::new();
    for id in pager.iter_allocated_pages() {
        regular.insert(id.0, id.get(pager)?.as_bytes().to_vec());
    }
    let mut protected = Contents::new();
    for id in pager.iter_allocated_protected_pages() {
        protected.insert(id.0, id.get(pager)?.as_bytes().to_vec());
    }
    Ok((regular, protected))
}
