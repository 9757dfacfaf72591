//! Problems of files of format 1.

use super::{P, checked, damaged, names, sample, seal_page};
use crate::Format;
use crate::check::{Part, Problem};

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
