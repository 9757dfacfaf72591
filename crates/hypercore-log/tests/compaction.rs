//! Compaction: what it gives back, and that nothing else changes.

mod support;

use hypercore_log::{Create, FileName, Log, OpenOptions, Stores};
use proptest::prelude::*;
use random_access_disk::RandomAccessDisk;
use random_access_storage::RandomAccess as _;
use support::{Disk, assert_sound, block, blocks, create, key_pair, reopen};

/// Bytes of a file that are not zero, outside of what blocks of the log take up.
fn bytes_of_no_block(log: &Log, disk: &Disk) -> usize {
    let mut data = disk.bytes(FileName::Data);
    for index in (0..log.length()).filter(|index| log.has(*index)) {
        let range = log.block_range(index).unwrap();
        data[range.start as usize..range.end as usize].fill(0);
    }
    data.iter().filter(|byte| **byte != 0).count()
}

proptest! {
    #[test]
    fn only_what_is_stored_is_left(
        lens in proptest::collection::vec(0_usize..200, 1..60),
        clears in proptest::collection::vec((0_u64..60, 1_u64..9), 0..8),
        cut in proptest::option::of(0_u64..60),
    ) {
        let disk = Disk::new();
        let log = create(&disk);
        let all: Vec<Vec<u8>> = lens.iter().zip(1..).map(|(len, index)| block(index, *len)).collect();
        log.append(&all).unwrap();
        for (start, len) in clears {
            log.clear(start..start + len).unwrap();
        }
        // What another program leaves where nothing is stored: all it clears, and something behind the end.
        let stale: Vec<u8> = vec![0xee; disk.bytes(FileName::Data).len() + 100];
        let data = disk.file(FileName::Data);
        let stored: Vec<_> = (0..log.length()).filter(|index| log.has(*index)).collect();
        let stored: Vec<_> =
            stored.iter().map(|index| (log.block_range(*index).unwrap(), log.get(*index).unwrap())).collect();
        data.write_at(0, &stale).unwrap();
        for (range, bytes) in stored {
            data.write_at(range.start, &bytes.unwrap()).unwrap();
        }
        disk.file(FileName::Tree).write_at(40 * 1000, &[0xee; 40]).unwrap();
        disk.file(FileName::Bitfield).truncate(1 << 20).unwrap();
        if let Some(cut) = cut {
            log.truncate(cut.min(log.length()), None).unwrap();
        }
        let before = (log.head(), blocks(&log));
        log.compact().unwrap();
        prop_assert_eq!((log.head(), blocks(&log)), before.clone());
        prop_assert_eq!(bytes_of_no_block(&log, &disk), 0);
        let nodes = (2 * log.length()).saturating_sub(1);
        prop_assert!(disk.bytes(FileName::Tree).len() as u64 <= 40 * nodes);
        prop_assert!(disk.bytes(FileName::Bitfield).len() <= 4096);
        let again = log.compact().unwrap();
        prop_assert_eq!(again.bytes_freed, 0);
        log.append(&["after"]).unwrap();
        drop(log);
        let log = reopen(&disk);
        prop_assert!(!log.recovery().lost_something(), "{:?}", log.recovery());
        assert_sound(&log);
        prop_assert_eq!(&blocks(&log)[..before.1.len()], &before.1[..]);
    }
}

#[test]
fn a_header_that_was_large_once_leaves_its_file() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&["one"]).unwrap();
    log.set_user_data("large", Some(&vec![1; 100_000])).unwrap();
    log.checkpoint().unwrap();
    log.set_user_data("small", Some(b"value")).unwrap();
    log.compact().unwrap();
    assert!(disk.bytes(FileName::Header).len() > 100_000);
    log.set_user_data("large", None).unwrap();
    let before = log.storage_info().unwrap().oplog;
    let freed = log.compact().unwrap().bytes_freed;
    let after = log.storage_info().unwrap().oplog;
    assert!(disk.bytes(FileName::Header).is_empty());
    assert!(freed >= 100_000 && before - after >= 100_000, "{freed} {before} {after}");
    // Neither slot speaks of the file any more.
    let now = reopen(&disk.snapshot());
    assert_eq!((now.recovery().damaged_slot, now.head()), (None, log.head()));
    for _ in 0..3 {
        log.append(&["more"]).unwrap();
        log.checkpoint().unwrap();
        assert!(disk.bytes(FileName::Header).is_empty());
    }
    drop(log);
    let log = reopen(&disk);
    assert_eq!(log.user_data("small").unwrap(), b"value");
    assert!(!log.recovery().lost_something() && log.recovery().damaged_slot.is_none());
    assert_sound(&log);
}

#[test]
fn blocks_that_a_damaged_bitfield_does_not_list_stay_for_a_repair() {
    let (disk, target) = (Disk::new(), Disk::new());
    let log = create(&disk);
    log.append(&(0..100).map(|index| block(index, 50)).collect::<Vec<_>>()).unwrap();
    log.checkpoint().unwrap();
    let all = blocks(&log);
    drop(log);
    disk.file(FileName::Bitfield).write_at(2, &[0; 4]).unwrap();
    let log = reopen(&disk);
    assert!(log.recovery().bitfield_damaged && !log.has(20));
    assert_eq!(log.backup(target.stores()).unwrap().blocks_damaged, 32);
    log.compact().unwrap();
    log.repair(&mut |_| {}).unwrap();
    assert_eq!(blocks(&log), all);
    assert_sound(&log);
}

#[test]
fn what_was_freed_is_what_the_files_have_less() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: FileName| {
        Box::new(RandomAccessDisk::open(folder.path().join(name.as_str())).unwrap())
    };
    let stores = Stores {
        oplog: open(FileName::Oplog),
        header: open(FileName::Header),
        tree: open(FileName::Tree),
        bitfield: open(FileName::Bitfield),
        data: open(FileName::Data),
    };
    let log =
        Log::open(stores, OpenOptions::new().create(Create::New).key_pair(key_pair())).unwrap();
    log.append(&vec![vec![7; 4096]; 300]).unwrap();
    log.checkpoint().unwrap();
    let on_disk = || -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512).sum()
    };
    let info = log.storage_info().unwrap();
    assert_eq!(info.total(), on_disk());
    // Left behind by another program.
    RandomAccessDisk::open(folder.path().join("data"))
        .unwrap()
        .write_at(300 * 4096, &[1; 40_960])
        .unwrap();
    let before = on_disk();
    let freed = log.compact().unwrap().bytes_freed;
    assert_eq!(freed, before - on_disk());
    assert!(freed >= 40_960, "{freed}");
    assert_eq!(log.storage_info().unwrap().total(), on_disk());
}

#[test]
fn a_log_of_which_nothing_is_stored_keeps_its_tree() {
    let (disk, source) = (Disk::new(), Disk::new());
    let source = create(&source);
    source.append(&["one", "two", "three"]).unwrap();
    let options = OpenOptions::new().create(Create::New).key(source.key());
    let log = Log::open(disk.stores(), options).unwrap();
    let upgrade = Some(hypercore_merkle::UpgradeRequest { start: 0, length: 3 });
    let request = hypercore_merkle::Request { upgrade, manifest: true, ..Default::default() };
    log.apply_proof(&source.create_proof(&request).unwrap().unwrap()).unwrap();
    log.compact().unwrap();
    drop(log);
    assert_eq!(reopen(&disk).head(), source.head());
}

#[test]
fn a_hole_in_front_of_an_empty_last_block_is_given_back_at_once() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&[vec![1; 9000], vec![2; 9000], Vec::new()]).unwrap();
    log.clear(1..2).unwrap();
    disk.file(FileName::Data).write_at(9000, &[0xee; 9100]).unwrap();
    assert!(log.compact().unwrap().bytes_freed > 0);
    assert_eq!(bytes_of_no_block(&log, &disk), 0);
    assert_eq!(log.compact().unwrap().bytes_freed, 0);
}
