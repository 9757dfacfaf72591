//! Files that are not what was written: errors, never other content, never a panic.

use super::disk::{Disk, Random};
use super::session::{Holdings, Session};
use crate::engine::{Barrier, Engine as _};
use crate::error::MappedPageError;
use crate::format2::entry::Entry;
use crate::format2::fields::crc_of;
use crate::format2::layout::{ENTRY_LEN, NODE_HEADER_LEN, SECTOR_CHECKED_LEN, SECTOR_LEN};
use crate::format2::record::Record;
use crate::medium::Medium as _;

type Small = Session<1024>;

/// A file with something of everything, and what it holds.
fn specimen(is_closed: bool) -> (Small, Holdings) {
    let mut session = Small::create();
    session.alloc_bulk(12);
    let ids: Vec<u64> = (0..4).map(|_| session.alloc_protected()).collect();
    session.fill_protected(ids[1], 1);
    session.commit();
    session.fill_protected(ids[1], 2);
    session.fill_protected(ids[2], 3);
    session.fill_page(5, 4);
    session.commit();
    session.engine.free_protected(&mut session.pages, ids[3]).unwrap();
    session.free(7);
    session.commit();
    if is_closed {
        session.close();
    }
    session.sync();
    let holdings = session.holdings().unwrap();
    (session, holdings)
}

fn is_of_the_file(error: &MappedPageError) -> bool {
    matches!(
        error,
        MappedPageError::CorruptSuperblock
            | MappedPageError::CorruptMetadata
            | MappedPageError::CorruptProtectedDirectory
            | MappedPageError::CorruptPage { .. }
    )
}

#[test]
fn no_flipped_bit_shows_other_content() {
    for is_closed in [true, false] {
        let (session, expected) = specimen(is_closed);
        let mut random = Random(3);
        let (mut errors, mut harmless) = (0, 0);
        for offset in 0..session.disk.len().unwrap() {
            let disk = session.disk.kill();
            let bit = random.below(8);
            disk.damage(offset, |byte| *byte ^= 1 << bit);
            let found = Small::open(disk).and_then(|session| session.holdings());
            match found {
                Ok(mut found) => {
                    // Regular pages carry no checksum.
                    let page = offset / 1024;
                    if expected.regular.contains_key(&page) {
                        found.regular.insert(page, expected.regular[&page].clone());
                    }
                    assert!(found == expected, "bit {bit} of byte {offset}");
                    harmless += 1;
                }
                Err(error) => {
                    assert!(is_of_the_file(&error), "bit {bit} of byte {offset}: {error}");
                    errors += 1;
                }
            }
        }
        assert!(errors > 3000 && harmless > 10_000, "{errors} errors, {harmless} harmless");
    }
}

#[test]
fn random_bytes_over_a_page_do_no_more() {
    let (session, expected) = specimen(true);
    let mut random = Random(9);
    for _ in 0..3000 {
        let disk = session.disk.kill();
        let page = random.below(disk.len().unwrap() / 512);
        let junk: Vec<u8> = (0..512).map(|_| random.next() as u8).collect();
        disk.write_at(page * 512, &junk).unwrap();
        match Small::open(disk).and_then(|session| session.holdings()) {
            Ok(found) => assert_eq!(found.protected, expected.protected, "sector {page}"),
            Err(error) => assert!(is_of_the_file(&error), "sector {page}: {error}"),
        }
    }
}

/// Changes the newest record of a file, and makes its checksum right.
fn craft_record(disk: &Disk, change: impl FnOnce(&mut Vec<u8>)) {
    let records: Vec<(u64, Option<Record>)> = [1024, 2048]
        .map(|offset| (offset, Record::decode(&disk.bytes(offset, SECTOR_LEN), 1024)))
        .to_vec();
    let newest = records.iter().max_by_key(|(_, record)| record.map(|record| record.generation));
    let offset = newest.unwrap().0;
    let mut sector = disk.bytes(offset, SECTOR_CHECKED_LEN);
    change(&mut sector);
    sector.extend(crc_of(&sector).to_le_bytes());
    disk.write_at(offset, &sector).unwrap();
}

/// Changes the root of the directory of a file, a leaf, and makes every checksum right.
fn craft_directory(disk: &Disk, change: impl FnOnce(&mut Vec<u8>)) {
    craft_record(disk, |sector| {
        let reference = &sector[64..96];
        let first = u64::from_le_bytes(reference[..8].try_into().unwrap());
        let offset = (first + u64::from(reference[28])) * 1024;
        let mut page = disk.bytes(offset, 1024);
        change(&mut page);
        disk.write_at(offset, &page).unwrap();
        sector[64 + 24..64 + 28].copy_from_slice(&crc_of(&page).to_le_bytes());
    });
}

#[test]
fn crafted_references_are_refused() {
    let cases: [(&str, usize, u64); 8] = [
        ("root of the directory in the superblock", 64, 0),
        ("in a record", 64, 1),
        ("at the last page", 64, 31),
        ("past the end", 64, 1 << 40),
        ("past everything", 64, u64::MAX),
        ("more slots in use than there are", 80, u64::MAX),
        ("a node of the future", 72, u64::MAX),
        ("the root of the allocation tree in a regular page", 32, 4),
    ];
    for (what, offset, value) in cases {
        let (session, _) = specimen(true);
        let disk = session.disk.kill();
        craft_record(&disk, |sector| {
            sector[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        });
        let found = Small::open(disk).and_then(|mut session| {
            session.engine.alloc_protected(&mut session.pages)?;
            // Past what the inline map describes.
            let mut out = Vec::new();
            session.engine.alloc_bulk(
                &mut session.pages,
                5000,
                crate::engine::Content::Zeroed,
                &mut out,
            )?;
            session.holdings()
        });
        assert!(found.as_ref().is_err_and(is_of_the_file), "{what}: {found:?}");
    }
}

#[test]
fn crafted_counts_are_refused() {
    for (what, offset, bytes) in [
        ("no pages", 16, &0_u64.to_le_bytes()[..]),
        ("more pages than 2^63 bytes hold", 16, &(u64::MAX >> 9).to_le_bytes()[..]),
        ("an unknown flag", 24, &[2]),
        ("a level that cannot be", 96, &[13]),
        ("a level that is not", 97, &[1]),
        ("a journal without entries", 104, &9_u64.to_le_bytes()[..]),
    ] {
        let (session, _) = specimen(true);
        let disk = session.disk.kill();
        craft_record(&disk, |sector| sector[offset..offset + bytes.len()].copy_from_slice(bytes));
        let found = Small::open(disk).and_then(|session| session.holdings());
        assert!(found.as_ref().is_err_and(is_of_the_file), "{what}: {found:?}");
    }
    let (session, _) = specimen(true);
    let disk = session.disk.kill();
    craft_record(&disk, |sector| sector[16..24].copy_from_slice(&10_000_u64.to_le_bytes()));
    let error = Small::open(disk).err().unwrap();
    assert!(matches!(error, MappedPageError::CutShort { expected: 10_240_000, .. }));
}

#[test]
fn crafted_entries_are_refused() {
    type Change = fn(&mut [u8]);
    let entry = |change: Change| {
        let (session, _) = specimen(true);
        let disk = session.disk.kill();
        craft_directory(&disk, |page| {
            change(&mut page[NODE_HEADER_LEN + ENTRY_LEN..NODE_HEADER_LEN + 2 * ENTRY_LEN]);
        });
        Small::open(disk)
    };
    let refused: [(&str, Change); 7] = [
        ("a reserved page", |entry| entry[0] = 1),
        ("past the end", |entry| entry[7] = 1),
        ("a regular page", |entry| entry[0] = 4),
        ("of the future", |entry| entry[15] = 1),
        ("an unknown bit", |entry| entry[23] |= 0x80),
        ("blank with content", |entry| entry[23] |= 4),
        ("another checksum", |entry| entry[16] ^= 1),
    ];
    for (what, change) in refused {
        let found = entry(change).and_then(|session| session.holdings());
        assert!(found.as_ref().is_err_and(is_of_the_file), "{what}: {found:?}");
    }
    // Two that share their pages: whoever is written, the other one notices.
    let (session, _) = specimen(true);
    let disk = session.disk.kill();
    craft_directory(&disk, |page| {
        let start = NODE_HEADER_LEN + ENTRY_LEN;
        page.copy_within(start..start + ENTRY_LEN, start + ENTRY_LEN);
    });
    let mut session = Small::open(disk).unwrap();
    session.fill_protected(1, 9);
    session.commit();
    session.fill_protected(1, 8);
    session.commit();
    let error = session.engine.protected(&session.pages, 2).unwrap_err();
    assert!(matches!(error, MappedPageError::CorruptPage { .. }));
    session.engine.free_protected(&mut session.pages, 1).unwrap();
    let error = session.engine.free_protected(&mut session.pages, 2).unwrap_err();
    assert!(matches!(error, MappedPageError::CorruptProtectedDirectory));
}

#[test]
fn a_ring_of_lists_and_a_list_of_too_much_end() {
    let mut session = Small::create();
    let pages = session.alloc_bulk(60);
    for &page in &pages {
        session.fill_page(page, 1);
    }
    session.commit();
    session.sync();
    let list = Record::decode(
        &session.disk.bytes(
            crate::format2::layout::record_page(session.engine.generation()) * 1024,
            SECTOR_LEN,
        ),
        1024,
    )
    .unwrap()
    .journal;
    for (offset, value) in [(16, list.first), (4, 1000), (32, 1), (40, 1 << 50)] {
        let disk = session.disk.kill();
        let mut page = disk.bytes(list.first * 1024, 1024);
        page[offset..offset + 4].copy_from_slice(&(value as u32).to_le_bytes());
        if value > u64::from(u32::MAX) {
            page[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        }
        disk.write_at(list.first * 1024, &page).unwrap();
        craft_record(&disk, |sector| {
            sector[128..132].copy_from_slice(&crc_of(&page).to_le_bytes());
        });
        let error = Small::open(disk).err();
        assert!(error.as_ref().is_some_and(is_of_the_file), "{offset}: {error:?}");
    }
}

/// Given back by one commit and given out, a page would be given back once more by the next.
#[test]
fn a_page_of_two_journals_is_refused() {
    let mut session = Small::create();
    let pages = session.alloc_bulk(4);
    for page in [pages[0], pages[1]] {
        session.fill_page(page, 1);
        session.commit();
    }
    session.sync();
    let [own, before] = session.engine.journal_pages.clone();
    for twice in [before[1], own[0]] {
        let disk = session.disk.kill();
        let offset = own[0] * 1024;
        let mut list = disk.bytes(offset, 1024);
        list[40..48].copy_from_slice(&twice.to_le_bytes());
        disk.write_at(offset, &list).unwrap();
        craft_record(&disk, |sector| {
            sector[128..132].copy_from_slice(&crc_of(&list).to_le_bytes());
        });
        let found = Small::open(disk).map(|mut session| {
            for _ in 0..8 {
                session.alloc();
                session.commit();
            }
        });
        assert!(matches!(found, Err(MappedPageError::CorruptMetadata)), "{twice}: {found:?}");
    }
}

#[test]
fn there_is_no_commit_after_the_last_generation() {
    let mut session = Small::create();
    // As odd as that of the file, so that its record takes the other page.
    session.engine.generation = u64::MAX - 2;
    for _ in 0..2 {
        session.alloc();
        session.commit();
    }
    let expected = session.holdings().unwrap();
    let mut again = session.reopen().unwrap();
    assert_eq!(again.engine.generation(), u64::MAX);
    again.alloc();
    again.engine.accept();
    let error = again.engine.write_commit(&mut again.pages, Barrier::OneFlush).unwrap_err();
    assert!(matches!(error, MappedPageError::CorruptMetadata), "{error}");
    assert_eq!(again.reopen().unwrap().holdings().unwrap(), expected);
}

#[test]
fn a_commit_that_is_known_to_be_durable_is_never_given_up() {
    let mut session = Small::create();
    let page = session.alloc();
    session.commit();
    let id = session.alloc_protected();
    session.fill_protected(id, 1);
    session.commit();
    session.sync();
    let newest = crate::format2::layout::record_page(session.engine.generation()) * 1024;
    let older = 3 * 1024 - newest;
    // Its record, its map.
    for offset in [newest + 30, newest + 600] {
        let disk = session.disk.kill();
        disk.damage(offset, |byte| *byte ^= 1);
        assert!(matches!(Small::open(disk).err().unwrap(), MappedPageError::CorruptMetadata));
    }
    // Without the record it would be the state before.
    let disk = session.disk.kill();
    disk.write_at(newest, &[0; SECTOR_LEN]).unwrap();
    assert!(matches!(Small::open(disk).err().unwrap(), MappedPageError::CorruptMetadata));
    // The older record is needed only as long as the file may have been written after the seal.
    let disk = session.disk.kill();
    disk.damage(older + 30, |byte| *byte ^= 1);
    assert!(matches!(Small::open(disk).err().unwrap(), MappedPageError::CorruptMetadata));
    session.close();
    let disk = session.disk.kill();
    disk.damage(older + 30, |byte| *byte ^= 1);
    let mut again = Small::open(disk).unwrap();
    assert_eq!(again.engine.protected(&again.pages, id).unwrap(), [1; 1024]);
    again.free(page);
    again.commit();
    assert!(again.reopen().is_ok(), "the damaged record was overwritten");
}

#[test]
fn without_a_seal_the_newest_commit_must_be_whole() {
    let (session, expected) = specimen(true);
    let disk = session.disk.kill();
    disk.damage(SECTOR_LEN as u64 + 9, |byte| *byte ^= 1);
    let again = Small::open(disk).unwrap();
    assert_eq!(again.holdings().unwrap(), expected);
    let newest = crate::format2::layout::record_page(session.engine.generation()) * 1024;
    let disk = session.disk.kill();
    disk.damage(SECTOR_LEN as u64 + 9, |byte| *byte ^= 1);
    disk.damage(newest + 600, |byte| *byte ^= 1);
    assert!(matches!(Small::open(disk).err().unwrap(), MappedPageError::CorruptMetadata));
}

#[test]
fn a_commit_that_did_not_arrive_is_given_up_for_good() {
    let mut session = Small::create();
    let id = session.alloc_protected();
    session.fill_protected(id, 1);
    session.commit();
    session.fill_protected(id, 2);
    session.engine.accept();
    assert!(session.engine.write_commit(&mut session.pages, Barrier::OneFlush).unwrap());
    // All of it arrives, but for a sector of the new content.
    let entry = session.engine.state.entry(&session.pages, id).unwrap();
    let missing = entry.page() * 1024 + 512;
    let disk = session.disk.kill();
    let complete = disk.bytes(missing, 512);
    disk.write_at(missing, &[0; 512]).unwrap();
    let again = Small::open(disk).unwrap();
    assert_eq!(again.recovery.rolled_back, Some(session.engine.generation()));
    assert_eq!(again.engine.protected(&again.pages, id).unwrap(), [1; 1024]);
    // What was missing comes with something else, and the commit is not there nevertheless: that it was given
    // up is durable by now.
    for seed in 0..8 {
        let disk = again.disk.power_cut(&mut Random(seed));
        disk.write_at(missing, &complete).unwrap();
        let third = Small::open(disk).unwrap();
        assert_eq!(third.engine.protected(&third.pages, id).unwrap(), [1; 1024]);
        assert_eq!(third.recovery.rolled_back, None);
    }
}

#[test]
fn a_slot_that_was_freed_too_often_is_retired() {
    let mut session = Small::create();
    let id = session.alloc_protected();
    session.commit();
    let entry = session.engine.state.entry(&session.pages, id).unwrap();
    let last = Entry { reuse: crate::protected::REUSE_MAX - 1, ..entry };
    session.engine.state.set_entry(&mut session.pages, 0, last).unwrap();
    session.commit();
    let id = crate::protected::id_of(0, last.reuse);
    session.engine.free_protected(&mut session.pages, id).unwrap();
    assert_eq!(session.alloc_protected(), 1, "slot 0 is retired");
    session.commit();
    let mut again = session.reopen().unwrap();
    assert_eq!(again.alloc_protected(), 2);
    let error = again.engine.protected(&again.pages, id).unwrap_err();
    assert!(matches!(error, MappedPageError::Stale));
    again.check();
}
