//! What opening makes of logs that were not closed: killed ones, and ones whose last writes only partly
//! reached the medium.

mod support;

use hypercore_log::{Access, Create, Durability, FileName, Log, LogError, OpenOptions};
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
use random_access_storage::RandomAccess as _;
use support::{Disk, assert_sound, block, blocks, create, reopen};

/// Overwrites a part of a file with zeros, as unwritten sectors read.
fn lose(disk: &Disk, name: FileName, range: std::ops::Range<u64>) {
    let len = usize::try_from(range.end - range.start).unwrap();
    disk.file(name).write_at(range.start, &vec![0; len]).unwrap();
}

fn many(from: u64, count: u64) -> Vec<Vec<u8>> {
    (from..from + count).map(|index| block(index, 30)).collect()
}

fn check_continues(disk: &Disk, wanted: &[Vec<u8>]) {
    let log = reopen(disk);
    let wanted: Vec<Option<Vec<u8>>> = wanted.iter().cloned().map(Some).collect();
    assert_eq!(blocks(&log), wanted);
    assert_sound(&log);
    log.append(&[b"one more"]).unwrap();
    drop(log);
    let log = reopen(disk);
    assert_eq!(log.length(), wanted.len() as u64 + 1);
    assert_eq!(log.get(wanted.len() as u64).unwrap().unwrap(), b"one more");
    assert_sound(&log);
}

#[test]
fn a_killed_log_has_everything() {
    let disk = Disk::new();
    let log = create(&disk);
    for piece in many(0, 40).chunks(3) {
        log.append(piece).unwrap();
    }
    drop(log);
    assert_eq!(reopen(&disk).recovery().entries_replayed, 14);
    check_continues(&disk, &many(0, 40));
}

#[test]
fn blocks_that_did_not_arrive_cut_the_log_before_them() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 5)).unwrap();
    log.append(&many(5, 5)).unwrap();
    log.append(&many(10, 5)).unwrap();
    drop(log);
    lose(&disk, FileName::Data, 200..210);
    let log = reopen(&disk);
    assert_eq!((log.length(), log.recovery().entries_cut), (5, 2));
    assert_eq!(log.recovery().blocks_cut, 10);
    drop(log);
    check_continues(&disk, &many(0, 5));
}

#[test]
fn a_cut_entry_does_not_come_back() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 1)).unwrap();
    log.append(&many(1, 1)).unwrap();
    log.append(&many(2, 1)).unwrap();
    drop(log);
    let intact = disk.bytes(FileName::Data);
    lose(&disk, FileName::Data, 30..60);
    drop(reopen(&disk));
    disk.file(FileName::Data).write_at(0, &intact).unwrap();
    let log = reopen(&disk);
    assert_eq!(log.length(), 1);
    assert_eq!(log.recovery().entries_replayed, 0, "the cut was checkpointed");
}

#[test]
fn parents_of_a_large_batch_are_rebuilt_from_its_leaves() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 3)).unwrap();
    log.append(&many(3, 1000)).unwrap();
    drop(log);
    // Node 511 lies alone among leaves' neighbours: a parent of 256 blocks.
    lose(&disk, FileName::Tree, 511 * 40..512 * 40);
    let log = reopen(&disk);
    assert_eq!(log.recovery().nodes_rebuilt, 1);
    drop(log);
    check_continues(&disk, &many(0, 1003));
}

#[test]
fn leaves_of_a_large_batch_that_did_not_arrive_cut_it() {
    for (file, range) in [
        (FileName::Tree, 200 * 40..201 * 40),
        (FileName::Tree, 1000 * 40..2005 * 40),
        (FileName::Data, 20_000..20_512),
    ] {
        let disk = Disk::new();
        let log = create(&disk);
        log.append(&many(0, 3)).unwrap();
        log.append(&many(3, 1000)).unwrap();
        drop(log);
        lose(&disk, file, range);
        let log = reopen(&disk);
        assert_eq!((log.length(), log.recovery().blocks_cut), (3, 1000), "{file}");
        drop(log);
        check_continues(&disk, &many(0, 3));
    }
}

#[test]
fn blocks_cleared_later_in_the_tail_are_not_missed() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 8)).unwrap();
    log.clear(2..5).unwrap();
    log.append(&many(8, 2)).unwrap();
    drop(log);
    let log = reopen(&disk);
    assert_eq!((log.length(), log.recovery().entries_cut), (10, 0));
    assert_eq!(log.stored_ranges(0..10, 9), [0..2, 5..10]);
    assert_sound(&log);
}

#[test]
fn reading_only_recovers_in_memory_and_writes_nothing() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 5)).unwrap();
    log.append(&many(5, 700)).unwrap();
    drop(log);
    lose(&disk, FileName::Data, 5000..5100);
    let before = support::FILES.map(|name| disk.bytes(name));
    let log = Log::open(disk.stores(), OpenOptions::new().access(Access::ReadOnly)).unwrap();
    assert_eq!(log.length(), 5);
    assert_sound(&log);
    assert!(log.append(&[b"no"]).is_err());
    drop(log);
    assert!(before == support::FILES.map(|name| disk.bytes(name)));
}

#[test]
fn a_closed_log_has_nothing_to_replay() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 50)).unwrap();
    log.close().unwrap();
    let log = reopen(&disk);
    assert_eq!(log.recovery().entries_replayed, 0);
    assert_sound(&log);
    assert_eq!(disk.file(FileName::Oplog).len().unwrap(), 8192);
}

#[test]
fn only_what_is_durable_may_be_announced() {
    let disk = Disk::new();
    drop(create(&disk));
    let options = OpenOptions::new().durability(Durability::Eventual);
    let log = Log::open(disk.stores(), options).unwrap();
    log.append(&many(0, 5)).unwrap();
    assert_eq!((log.length(), log.durable_length()), (5, 0));
    log.flush().unwrap();
    log.append(&many(5, 1)).unwrap();
    assert_eq!((log.length(), log.durable_length()), (6, 5));
    log.truncate(2, None).unwrap();
    assert_eq!((log.length(), log.durable_length()), (2, 2));
}

#[test]
fn a_missing_oplog_beside_other_files_is_not_overwritten() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 5)).unwrap();
    log.close().unwrap();
    disk.file(FileName::Oplog).truncate(0).unwrap();
    let before = disk.bytes(FileName::Data);
    let options = OpenOptions::new().create(Create::IfMissing);
    let error = Log::open(disk.stores(), options.key_pair(support::key_pair())).unwrap_err();
    assert!(error.to_string().starts_with("oplog is damaged"), "{error}");
    assert_eq!(disk.bytes(FileName::Data), before);
}

/// A log whose newest header is lost steps back to the one before. It must not sign other blocks in the place
/// of those that others may have seen.
#[test]
fn a_log_that_lost_its_newest_header_is_not_written_before_a_new_fork() {
    let lose_slot =
        |disk: &Disk, slot: u64| lose(disk, FileName::Oplog, slot * 4096..slot * 4096 + 90);
    let cut_oplog = |disk: &Disk, _| disk.file(FileName::Oplog).truncate(4096).unwrap();
    for damage in [&lose_slot as &dyn Fn(&Disk, u64), &cut_oplog] {
        let disk = Disk::new();
        let log = create(&disk);
        log.append(&many(0, 7)).unwrap();
        // The second header, in slot 1; the first one knows of no block.
        log.close().unwrap();
        damage(&disk, 1);
        if disk.file(FileName::Oplog).len().unwrap() > 8000 {
            disk.file(FileName::Oplog).write_at(4100, b"rot").unwrap();
        }
        let tree = disk.bytes(FileName::Tree);

        let log = reopen(&disk);
        assert_eq!(log.length(), 0);
        assert!(log.recovery().newer_header_lost && log.recovery().lost_something());
        assert!(matches!(log.append(&[b"other"]), Err(LogError::HeaderLost)));
        assert!(matches!(log.set_user_data("a", Some(b"b")), Err(LogError::HeaderLost)));
        log.close().unwrap();
        assert_eq!(disk.bytes(FileName::Tree), tree, "the lost blocks' nodes are left alone");

        let log = reopen(&disk);
        log.truncate(0, Some(5)).unwrap();
        log.append(&[b"other"]).unwrap();
        drop(log);
        let log = reopen(&disk);
        assert_eq!((log.fork(), log.length()), (5, 1));
        assert!(!log.recovery().lost_something());
        assert_sound(&log);
    }
}

#[test]
fn a_node_that_can_not_be_is_damage_and_says_where() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 4)).unwrap();
    log.close().unwrap();
    // The size of the leaf of block 1, its two highest bytes.
    disk.file(FileName::Tree).write_at(2 * 40 + 6, &[0xff; 2]).unwrap();
    let error = reopen(&disk).get(1).unwrap_err();
    assert!(matches!(error, LogError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().starts_with("tree is damaged at byte 80"), "{error}");
}

#[test]
fn a_truncation_gives_the_space_back() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 40)).unwrap();
    log.clear(3..10).unwrap();
    log.truncate(8, None).unwrap();
    assert_eq!(disk.file(FileName::Data).len().unwrap(), 90, "blocks 0 to 2 are left");
    assert!(matches!(log.truncate(8, Some(1 << 53)), Err(LogError::ForkTooHigh { .. })));
    drop(log);
    assert_sound(&reopen(&disk));
}

#[test]
fn an_entry_lost_between_others_is_reported() {
    let disk = Disk::new();
    let log = create(&disk);
    (0..3).for_each(|index| _ = log.append(&many(index, 1)).unwrap());
    drop(log);
    let oplog = disk.bytes(FileName::Oplog);
    let entry_len = (oplog.len() - 8192) / 3;
    let middle = (8192 + entry_len + entry_len / 2) as u64;
    disk.file(FileName::Oplog).write_at(middle, &[!oplog[middle as usize]]).unwrap();
    let options = OpenOptions::new().access(Access::ReadOnly);
    let log = Log::open(disk.stores(), options.clone()).unwrap();
    assert_eq!(log.length(), 1);
    assert!(log.recovery().entry_damaged && log.recovery().lost_something());
    // The same damage to the last entry is what a kill in the middle of a write leaves.
    disk.file(FileName::Oplog).write_at(0, &oplog).unwrap();
    disk.file(FileName::Oplog).write_at(oplog.len() as u64 - 3, b"torn").unwrap();
    assert!(!Log::open(disk.stores(), options).unwrap().recovery().lost_something());
}

/// Of a batch whose nodes were written straight to the tree store nothing may be left when its entry is lost.
#[test]
fn a_lost_batch_leaves_no_nodes() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&many(0, 5)).unwrap();
    let oplog = disk.bytes(FileName::Oplog);
    log.append(&many(5, 300)).unwrap();
    drop(log);
    disk.file(FileName::Oplog).truncate(0).unwrap();
    disk.file(FileName::Oplog).write_at(0, &oplog).unwrap();

    // Another copy went on where this one lost its batch.
    let from = create(&Disk::new());
    from.append(&many(0, 5)).unwrap();
    from.append(&many(1000, 300)).unwrap();
    let proof = |request: &Request| from.create_proof(request).unwrap().unwrap();
    let log = reopen(&disk);
    let upgrade = Some(UpgradeRequest { start: 5, length: 300 });
    log.apply_proof(&proof(&Request { upgrade, ..Request::default() })).unwrap();
    log.checkpoint().unwrap();
    let report = log.audit(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{:?}", report.findings);
    let block = BlockRequest { index: 200, nodes: log.missing_nodes(200).unwrap() };
    log.apply_proof(&proof(&Request { block: Some(block), ..Request::default() })).unwrap();
    assert_eq!(log.get(200).unwrap(), from.get(200).unwrap());
}

#[test]
fn an_overwrite_that_is_refused_costs_nothing() {
    let disk = Disk::new();
    create(&disk).append(&["block"]).unwrap();
    let without_key = OpenOptions::new().create(Create::Overwrite);
    Log::open(disk.stores(), without_key).unwrap_err();
    assert_eq!(reopen(&disk).length(), 1);
}
