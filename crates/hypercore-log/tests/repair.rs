//! What a repair brings back, what it leaves, and that it takes nothing away.

mod support;

use hypercore_log::{Create, FileName, Log, LogError, OpenOptions};
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
use random_access_storage::RandomAccess as _;
use support::fixture::Fixture;
use support::{Disk, FILES, assert_sound, block, create, reopen};

fn blocks(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| match index {
            2 => Vec::new(),
            4 => vec![0; 6],
            _ => block(index, 5 + (index as usize * 7) % 11),
        })
        .collect()
}

fn closed(count: u64) -> Disk {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&blocks(count)).unwrap();
    log.close().unwrap();
    disk
}

fn repairing(disk: &Disk) -> Log {
    Log::open(disk.stores(), OpenOptions::new().rebuild_roots()).unwrap()
}

fn assert_whole(disk: &Disk, count: u64) {
    let log = reopen(disk);
    assert!(!log.recovery().lost_something(), "{:?}", log.recovery());
    assert_sound(&log);
    let wanted: Vec<_> = blocks(count).into_iter().map(Some).collect();
    assert_eq!(support::blocks(&log), wanted);
    assert_eq!(log.contiguous_length(), count);
}

#[test]
fn every_node_is_made_again() {
    let whole = closed(12);
    let tree = whole.bytes(FileName::Tree);
    for node in 0..23_u64 {
        for damage in [vec![0; 40], vec![0x55; 40], tree[..40].to_vec()] {
            let at = node * 40;
            if tree[at as usize..][..40] == damage || node == 15 {
                // Node 15 is above the end of the log, and nothing.
                continue;
            }
            let disk = whole.snapshot();
            disk.file(FileName::Tree).write_at(at, &damage).unwrap();
            let log = repairing(&disk);
            let report = log.repair(&mut |_| {}).unwrap();
            assert!(report.is_complete(), "node {node}: {report:?}");
            log.close().unwrap();
            assert!(disk.bytes(FileName::Tree) == tree, "node {node}");
            assert_whole(&disk, 12);
        }
    }
}

#[test]
fn a_lost_bitfield_is_made_again() {
    for damage in [&[][..], &[0; 4096], &[0xff, 0x05]] {
        let disk = closed(12);
        disk.file(FileName::Bitfield).truncate(0).unwrap();
        disk.file(FileName::Bitfield).write_at(0, damage).unwrap();
        assert!(reopen(&disk).recovery().bitfield_damaged);
        // A writer that goes on does not hide it.
        let log = reopen(&disk);
        log.set_user_data("key", Some(b"value")).unwrap();
        log.close().unwrap();
        let log = reopen(&disk);
        assert!(log.recovery().bitfield_damaged);
        let report = log.repair(&mut |_| {}).unwrap();
        assert!(report.is_complete() && report.blocks_listed > 0, "{report:?}");
        drop(log);
        assert_whole(&disk, 12);
    }
}

#[test]
fn what_was_cleared_stays_cleared() {
    let disk = closed(12);
    let log = reopen(&disk);
    log.clear(1..6).unwrap();
    let report = log.repair(&mut |_| {}).unwrap();
    assert_eq!((report.blocks_listed, report.nodes_rebuilt), (0, 0));
    assert_eq!(log.stored_ranges(0..12, 9), [0..1, 6..12]);
    assert_sound(&log);
}

#[test]
fn a_bitfield_of_javascript_is_made_again() {
    let disk = Disk::with_files(&Fixture::load("small").files);
    let whole = support::blocks(&reopen(&disk));
    let disk = Disk::with_files(&Fixture::load("small").files);
    disk.file(FileName::Bitfield).truncate(0).unwrap();
    let log = reopen(&disk);
    assert!(log.audit(&mut |_| {}).unwrap().blocks_unlisted > 0);
    log.repair(&mut |_| {}).unwrap();
    assert_eq!(support::blocks(&log), whole);
    assert_eq!(log.audit(&mut |_| {}).unwrap().blocks_unlisted, 0);
}

#[test]
fn a_damaged_block_of_the_writer_stays_and_fails_loudly() {
    let disk = closed(12);
    disk.file(FileName::Data).write_at(0, b"x").unwrap();
    let before = FILES.map(|name| disk.bytes(name));
    let log = repairing(&disk);
    let report = log.repair(&mut |_| {}).unwrap();
    assert_eq!((report.blocks_unrepaired, report.is_complete()), (1, false));
    assert!(matches!(log.get(0), Err(LogError::CorruptBlock { .. })));
    drop(log);
    for (name, before) in FILES.into_iter().zip(before) {
        assert!(name == FileName::Oplog || disk.bytes(name) == before, "{name}");
    }
}

#[test]
fn a_damaged_block_of_a_copy_can_be_fetched_again() {
    let from = create(&Disk::new());
    from.append(&blocks(12)).unwrap();
    let disk = Disk::new();
    let options = OpenOptions::new().create(Create::New).key(from.key());
    let log = Log::open(disk.stores(), options).unwrap();
    let upgrade = Some(UpgradeRequest { start: 0, length: 12 });
    let request = Request { upgrade, manifest: true, ..Request::default() };
    log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
    let fetch = |log: &Log, index| {
        let block = Some(BlockRequest { index, nodes: log.missing_nodes(index).unwrap() });
        let request = Request { block, ..Request::default() };
        log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
    };
    (5..9).for_each(|index| fetch(&log, index));
    log.close().unwrap();

    let log = reopen(&disk);
    let start = log.block_range(6).unwrap().start;
    disk.file(FileName::Data).write_at(start, b"damaged").unwrap();
    let data = disk.bytes(FileName::Data);
    let report = log.repair(&mut |_| {}).unwrap();
    assert_eq!((report.blocks_unlisted, report.is_complete()), (1, true));
    assert!(!log.has(6) && log.has(5) && log.has(7));
    assert!(disk.bytes(FileName::Data) == data, "its bytes are kept");
    fetch(&log, 6);
    assert_eq!(log.get(6).unwrap(), from.get(6).unwrap());
    log.close().unwrap();
    assert!(reopen(&disk).audit(&mut |_| {}).unwrap().is_ok());
}

#[test]
fn what_can_not_be_made_again_is_told() {
    // Two leaves side by side: their sizes are gone.
    let disk = closed(12);
    for node in [8, 10] {
        disk.file(FileName::Tree).write_at(node * 40, &[0; 40]).unwrap();
    }
    let before = disk.bytes(FileName::Data);
    let log = repairing(&disk);
    let report = log.repair(&mut |_| {}).unwrap();
    assert!(report.nodes_unrepaired > 0 && !report.is_complete(), "{report:?}");
    assert_eq!(log.get(6).unwrap().as_ref(), Some(&blocks(12)[6]));
    assert!(log.get(4).is_err() && disk.bytes(FileName::Data) == before);
}

/// The head is the user's to decide on.
#[test]
fn a_lost_header_is_not_repaired() {
    let disk = closed(12);
    disk.file(FileName::Oplog).write_at(4096, b"rot").unwrap();
    let log = repairing(&disk);
    assert!(matches!(log.repair(&mut |_| {}), Err(LogError::HeaderLost)));
}
