//! Problems of files of format 2.

use std::sync::Arc;

use super::{Image, P, checked, damaged, names};
use crate::check::{Part, Problem};
use crate::format2::fields::crc_of;
use crate::format2::kinds::StoredKind;
use crate::format2::layout::{ENTRY_LEN, NODE_HEADER_LEN, SEAL_OFFSET, SECTOR_LEN};
use crate::format2::seal::Seal;
use crate::{Medium, MemoryMedium, Pager};

#[test]
fn format_2_wrong_maps_are_named() {
    let mut image = Image::new();
    image.set_kind(5, StoredKind::Held);
    names(&image.0, &Problem::Leaked { page: 5 });

    let mut image = Image::new();
    let first = image.entry(2).first;
    image.set_kind(first, StoredKind::Free);
    names(&image.0, &Problem::NotInMap { page: first });

    let mut image = Image::new();
    image.set_kind(first + 1, StoredKind::Regular);
    names(&image.0, &Problem::NotInMap { page: first + 1 });

    let mut image = Image::new();
    let (page, target) = (image.record_page(), image.record().page_count + 1);
    image.set_kind(target, StoredKind::Regular);
    names(&image.0, &Problem::OutOfRange { page, part: Part::Map, target });

    let mut image = Image::new();
    image.set_kind(1, StoredKind::Free);
    names(&image.0, &Problem::Malformed { page, part: Part::Map });

    let mut image = Image::new();
    image.page(page)[SECTOR_LEN + 9] ^= 1;
    names(&image.0, &damaged(page, Part::Map));
}

#[test]
fn format_2_a_wrong_directory_is_named() {
    let part = Part::Directory;
    let mut image = Image::new();
    let first = image.entry(1).first;
    image.change_entry(2, |entry| entry.first = first);
    names(&image.0, &Problem::TwoOwners { page: first });
    names(&image.0, &Problem::TwoOwners { page: first + 1 });

    let mut image = Image::new();
    let (page, own) = (image.leaf(), image.record().directory.reference.first);
    image.change_entry(0, |entry| entry.first = own);
    names(&image.0, &Problem::TwoOwners { page: own });

    let mut image = Image::new();
    let count = image.record().page_count;
    for target in [count - 1, count, count << 40] {
        image.change_entry(3, |entry| entry.first = target);
        names(&image.0, &Problem::OutOfRange { page, part, target });
    }

    let mut image = Image::new();
    image.change_leaf(|body| body[ENTRY_LEN + 23] |= 0x80);
    names(&image.0, &Problem::Malformed { page, part });

    let mut image = Image::new();
    image.change_entry(1, |entry| entry.generation += 1000);
    names(&image.0, &Problem::FromTheFuture { page, part });

    let mut image = Image::new();
    image.change_record(|record| record.directory.reference.used += 1);
    names(&image.0, &Problem::WrongCount { page, part, stored: 5, found: 4 });

    let mut image = Image::new();
    image.page(page)[NODE_HEADER_LEN + 3] ^= 4;
    names(&image.0, &damaged(page, part));

    let mut image = Image::new();
    let content = image.entry(3).page();
    image.page(content)[1023] ^= 0x80;
    names(&image.0, &damaged(content, Part::ProtectedPage));
}

#[test]
fn format_2_wrong_heads_are_named() {
    let mut image = Image::new();
    image.page(0)[3] ^= 1;
    names(&image.0, &damaged(0, Part::Superblock));

    let mut image = Image::new();
    image.page(0)[SEAL_OFFSET as usize + 20] ^= 1;
    names(&image.0, &damaged(0, Part::Seal));

    let mut image = Image::new();
    let other = 3 - image.record_page();
    image.page(other)[100] ^= 1;
    names(&image.0, &damaged(other, Part::Record));

    let mut image = Image::new();
    let page = image.record_page();
    image.page(page)[100] ^= 1;
    names(&image.0, &damaged(page, Part::Record));
    names(&image.0, &Problem::NoState);

    let mut image = Image::new();
    let (expected, len) = (image.0.len() as u64, (image.0.len() - P) as u64);
    image.0.truncate(len as usize);
    names(&image.0, &Problem::CutShort { expected, len });
    image.0.truncate(2 * P);
    names(&image.0, &Problem::CutShort { expected: 3 * P as u64, len: 2 * P as u64 });
}

#[test]
fn format_2_a_wrong_journal_is_named() {
    let mut image = Image::new();
    let list = image.open_journal();
    let report = checked(image.0.clone());
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.figures.journal_entries, 3);
    let first = image.record().journal.first;

    let pages = [first, list.entries[1].journal];
    for page in pages {
        let mut image = Image::new();
        image.open_journal();
        image.set_kind(page, StoredKind::Regular);
        names(&image.0, &Problem::JournalInUse { page });
    }

    let mut image = Image::new();
    image.open_journal();
    image.page(first)[70] ^= 1;
    names(&image.0, &damaged(first, Part::JournalList));

    // Also where the contents are known to be in their places: an open keeps others from the pages of a journal.
    let mut image = Image::new();
    let seal = image.seal();
    image.set_seal(Seal { applied: seal.generation, ..seal });
    assert!(checked(image.0.clone()).is_clean());
    image.page(first)[70] ^= 1;
    names(&image.0, &damaged(first, Part::JournalList));

    // A damaged page of a journal does no harm while its content is in its place.
    let mut image = Image::new();
    let entry = image.open_journal().entries[2];
    image.page(entry.journal)[0] ^= 1;
    assert!(checked(image.0.clone()).is_clean());
    image.page(entry.target)[0] ^= 2;
    names(&image.0, &damaged(entry.journal, Part::JournalPage));

    let mut image = Image::new();
    image.open_journal();
    image.change_record(|record| record.journal.entries = 4);
    let page = image.record_page();
    let part = Part::Record;
    names(&image.0, &Problem::WrongCount { page, part, stored: 4, found: 3 });

    // A list that comes back to itself has to have its own checksum in it.
    let mut image = Image::new();
    let mut list = image.open_journal();
    (list.next, list.next_crc) = (first, 0x1234_5678);
    let page = image.page(first);
    page.fill(0);
    list.encode(page);
    steer(page, 0x1234_5678);
    image.change_record(|record| record.journal.crc = 0x1234_5678);
    names(&image.0, &Problem::Cycle { page: first, part: Part::JournalList });
}

/// Chooses the last four bytes so that the checksum of all is `wanted`. What each bit of them does to
/// the checksum is independent of the others.
fn steer(bytes: &mut [u8], wanted: u32) {
    let at = bytes.len() - 4;
    bytes[at..].fill(0);
    let base = crc_of(bytes);
    let mut basis: Vec<(u32, u32)> = Vec::new();
    for bit in 0..32 {
        bytes[at..].copy_from_slice(&(1_u32 << bit).to_le_bytes());
        let (mut effect, mut bits) = (crc_of(bytes) ^ base, 1_u32 << bit);
        for &(other, other_bits) in &basis {
            if effect ^ other < effect {
                (effect, bits) = (effect ^ other, bits ^ other_bits);
            }
        }
        basis.push((effect, bits));
        basis.sort_unstable_by(|a, b| b.cmp(a));
    }
    let (mut left, mut chosen) = (base ^ wanted, 0);
    for (effect, bits) in basis {
        if left ^ effect < left {
            (left, chosen) = (left ^ effect, chosen ^ bits);
        }
    }
    bytes[at..].copy_from_slice(&chosen.to_le_bytes());
    assert_eq!(crc_of(bytes), wanted);
}

#[test]
fn format_2_wrong_nodes_of_maps_are_named() {
    let medium = Arc::new(MemoryMedium::new());
    let shared = Arc::clone(&medium) as Arc<dyn Medium>;
    let mut pager = Pager::<P>::builder().create_on(shared).unwrap();
    pager.alloc_bulk(7000).unwrap();
    pager.close().unwrap();
    let sound = medium.to_vec();
    let report = checked(sound.clone());
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.figures.nodes, 3);

    let mut image = Image(sound.clone());
    let root = image.record().allocation;
    assert_eq!(root.level, 1);
    let root = root.reference;
    image.page(root.page())[NODE_HEADER_LEN] ^= 1;
    names(&image.0, &damaged(root.page(), Part::MapNode));

    let mut image = Image(sound.clone());
    let leaf = u64::from_le_bytes(image.page(root.page())[32..40].try_into().unwrap());
    let copy = u64::from(image.page(root.page())[32 + 28]);
    image.page(leaf + copy)[200] ^= 1;
    let report = checked(image.0.clone());
    assert_eq!(report.problems, [damaged(leaf + copy, Part::Map)]);

    let mut image = Image(sound);
    let part = Part::MapNode;
    for (offset, value) in [(0, u64::MAX), (8, u64::MAX), (16, 1)] {
        let mut image = Image(image.0.clone());
        let page = root.page();
        image.page(page)[32 + offset..][..8].copy_from_slice(&value.to_le_bytes());
        let crc = crc_of(image.page(page));
        image.change_record(|record| record.allocation.reference.crc = crc);
        let report = checked(image.0.clone());
        let is_named = report.problems.iter().any(|problem| match (offset, problem) {
            (0, Problem::OutOfRange { target, .. }) => *target == u64::MAX,
            (8, Problem::FromTheFuture { page: named, .. }) => *named == page,
            (16, Problem::WrongCount { page: named, .. }) => *named == page,
            _ => false,
        });
        assert!(is_named, "{report}");
    }
    image.change_record(|record| record.allocation.reference.used += 1);
    let report = checked(image.0);
    let is_named = |problem: &Problem| matches!(problem, Problem::WrongCount { part: named, .. } if *named == part);
    assert!(report.problems.iter().any(is_named), "{report}");
}

#[test]
fn a_commit_that_did_not_arrive_is_no_problem() {
    let mut image = Image::new();
    let seal = image.seal();
    let page = image.record_page();
    image.set_seal(Seal { generation: seal.generation - 1, applied: 0, is_clean: false });
    assert!(checked(image.0.clone()).is_clean());
    image.page(page)[SECTOR_LEN + 9] ^= 1;
    let report = checked(image.0);
    assert!(report.is_clean(), "{report}");
    assert!(report.needs_recovery);
    assert_eq!(report.figures.generation, seal.generation - 1);
}
