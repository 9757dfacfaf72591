//! Problems of files of format 1.

use std::sync::Arc;

use super::{P, checked, damaged, names, sample, seal_page};
use crate::check::{Part, Problem};
use crate::{Format, MappedPageError, MemoryMedium, Pager, ProtectedPageId};

/// A file of format 1: its bytes, the page of its metadata, and that of its directory.
fn sample_one() -> (Vec<u8>, usize, usize) {
    let bytes = sample(Format::One);
    let metadata = 1 + usize::from(bytes[12]);
    let reference = &bytes[24..41];
    let copy = usize::from(reference[16]) * 8;
    let directory = u64::from_le_bytes(reference[copy..copy + 8].try_into().unwrap());
    (bytes, metadata, directory as usize)
}

#[test]
fn format_1_every_problem_is_named() {
    let (sound, metadata, directory) = sample_one();
    let entry = |slot: usize| directory * P + 8 + 30 * slot;
    let number =
        |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let changed = |page: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound.clone();
        change(&mut bytes);
        seal_page(&mut bytes[page * P..][..P]);
        bytes
    };
    let first = number(&sound, entry(0) + 1);
    let (by, part) = (directory as u64, Part::Directory);

    let bytes = changed(directory, &|bytes| {
        bytes[entry(1) + 1..][..8].copy_from_slice(&first.to_le_bytes())
    });
    names(&bytes, &Problem::TwoOwners { page: first });
    for target in [0, 2, sound.len() as u64 / P as u64, u64::MAX] {
        let bytes = changed(directory, &|bytes| {
            bytes[entry(1) + 9..][..8].copy_from_slice(&target.to_le_bytes());
        });
        names(&bytes, &Problem::OutOfRange { page: by, part, target });
    }
    let bytes = changed(metadata, &|bytes| {
        bytes[metadata * P + 24 + first as usize / 8] &= !(1 << (first % 8));
    });
    names(&bytes, &Problem::NotInMap { page: first });
    let free = number(&sound, metadata * P + 16);
    let bytes = changed(metadata, &|bytes| bytes[metadata * P + 16] ^= 1);
    let page = metadata as u64;
    names(&bytes, &Problem::WrongCount { page, part: Part::Map, stored: free ^ 1, found: free });

    let flipped = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        bytes
    };
    names(&flipped(0), &damaged(0, Part::Superblock));
    names(&flipped(P - 2), &damaged(0, Part::DirectoryIndex));
    let content = number(&sound, entry(2) + 1 + 8 * usize::from(sound[entry(2) + 17]));
    names(&flipped(content as usize * P + 5), &damaged(content, Part::ProtectedPage));
    let report = checked(flipped(metadata * P + 9));
    assert!(report.needs_recovery, "{report}");

    let mut bytes = sound.clone();
    for page in 1..3 {
        bytes[page * P + 50] ^= 1;
    }
    names(&bytes, &damaged(1, Part::Map));
    names(&bytes, &damaged(2, Part::Map));
    let pages = [number(&sound, 24), number(&sound, 32)];
    let mut bytes = sound.clone();
    for page in pages {
        bytes[page as usize * P + 50] ^= 1;
    }
    names(&bytes, &damaged(by, part));
    let (expected, len) = (sound.len() as u64, (sound.len() - P) as u64);
    names(&sound[..len as usize], &Problem::CutShort { expected, len });
}

/// A copy of the directory that is older than the map, as where the newer one is damaged, may name pages that the map
/// says are free. An open shows what it names.
#[test]
fn format_1_protected_pages_that_the_map_does_not_know_are_looked_at_as_a_reader_would() {
    let (sound, metadata, directory) = sample_one();
    let number =
        |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let entry = directory * P + 8 + 30 * 2;
    let content = number(&sound, entry + 1 + 8 * usize::from(sound[entry + 17]));
    let of_entry = [number(&sound, entry + 1), number(&sound, entry + 9)];
    let of_block = [number(&sound, 24), number(&sound, 32)];
    for unknown in [of_entry, of_block] {
        let mut bytes = sound.clone();
        for page in unknown {
            bytes[metadata * P + 24 + page as usize / 8] &= !(1 << (page % 8));
        }
        let free = number(&sound, metadata * P + 16) + 2;
        bytes[metadata * P + 16..][..8].copy_from_slice(&free.to_le_bytes());
        seal_page(&mut bytes[metadata * P..][..P]);
        let report = checked(bytes.clone());
        assert!(report.is_clean() && report.needs_recovery, "{report}");
        let figures = report.figures;
        assert_eq!(figures.pages_free + 2, free, "what is in use is not free");

        bytes[content as usize * P + 5] ^= 1;
        names(&bytes, &damaged(content, Part::ProtectedPage));
        let medium = Arc::new(MemoryMedium::from(bytes));
        let mut pager = Pager::<P>::builder().open_on(medium).unwrap();
        assert_eq!(pager.free_page_count(), figures.pages_free);
        let read = ProtectedPageId(2).get(&pager).map(|_| ());
        assert!(matches!(read, Err(MappedPageError::CorruptPage { page }) if page == content));
        let report = pager.check().unwrap();
        assert_eq!(report.problems, [damaged(content, Part::ProtectedPage)]);
    }
}
