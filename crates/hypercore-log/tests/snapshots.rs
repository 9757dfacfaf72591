//! Snapshots: what they show stays, whatever the log does.

mod support;

use hypercore_log::{
    Branch, BranchOptions, Create, FileName, Log, LogError, OpenOptions, Overlay, Snapshot,
};
use hypercore_merkle::{BlockRequest, Request, Seek, UpgradeRequest};
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess as _;
use random_access_storage::testing::{Fault, Faults, FaultyDisk};
use support::{Disk, block, create};

fn overlay() -> Overlay {
    Overlay { tree: Box::new(RandomAccessMemory::new()), data: Box::new(RandomAccessMemory::new()) }
}

fn blocks(log: &Log, snapshot: &Snapshot) -> Vec<Option<Vec<u8>>> {
    (0..snapshot.length()).map(|index| snapshot.get(log, index).unwrap()).collect()
}

#[test]
fn a_snapshot_of_3_keeps_three_old_blocks_while_the_log_is_truncated_to_2_and_rewritten() {
    let log = create(&Disk::new());
    log.append(&["a", "bb", "ccc"]).unwrap();
    let head = log.head();
    let snapshot = log.snapshot(overlay());
    log.truncate(2, None).unwrap();
    log.append(&["other", "and more"]).unwrap();
    let old = [b"a".to_vec(), b"bb".to_vec(), b"ccc".to_vec()].map(Some);
    assert_eq!(blocks(&log, &snapshot), old);
    assert_eq!(snapshot.head(), head);
    assert_eq!(snapshot.shared_length(&log), 2);
    assert_eq!(snapshot.seek(&log, 3, 0).unwrap(), Some((2, 0)));
    assert_eq!(snapshot.tree_hash_at(&log, 3).unwrap(), head.tree_hash);
    assert_eq!(snapshot.block_range(&log, 2).unwrap(), 3..6);
    assert_eq!(log.get(2).unwrap().unwrap(), b"other");
}

#[test]
fn what_is_cleared_stays_in_a_snapshot() {
    let log = create(&Disk::new());
    let all: Vec<Vec<u8>> = (0..20).map(|index| block(index, 30)).collect();
    log.append(&all).unwrap();
    let snapshot = log.snapshot(overlay());
    log.clear(3..17).unwrap();
    assert_eq!(log.get(5).unwrap(), None);
    assert!(snapshot.has_range(&log, 0..20));
    assert_eq!(snapshot.contiguous_length(&log), 20);
    log.truncate(0, None).unwrap();
    log.append(&["x"; 30]).unwrap();
    assert_eq!(blocks(&log, &snapshot), all.into_iter().map(Some).collect::<Vec<_>>());
}

#[test]
fn a_copy_that_fails_costs_the_snapshot_and_not_the_writer() {
    let log = create(&Disk::new());
    log.append(&["a", "b", "c", "d"]).unwrap();
    let full = FaultyDisk::new(&Faults::fail_from(1, Fault::StorageFull));
    let snapshot =
        log.snapshot(Overlay { tree: Box::new(RandomAccessMemory::new()), data: Box::new(full) });
    log.truncate(1, None).unwrap();
    log.append(&["x", "y", "z"]).unwrap();
    assert_eq!(snapshot.get(&log, 0).unwrap().unwrap(), b"a");
    for index in 1..4 {
        let error = snapshot.get(&log, index).unwrap_err();
        assert!(matches!(error, LogError::BaseRewritten { shared: 1 }), "{error}");
        assert!(!snapshot.has(&log, index));
    }
    assert_eq!(snapshot.contiguous_length(&log), 1);
}

#[test]
fn another_log_is_refused() {
    let (log, other) = (create(&Disk::new()), create(&Disk::new()));
    log.append(&["a"]).unwrap();
    other.append(&["b"]).unwrap();
    let snapshot = log.snapshot(overlay());
    assert!(matches!(snapshot.get(&other, 0), Err(LogError::OtherLog)));
    assert!(!snapshot.has(&other, 0));
}

#[test]
fn a_block_that_arrives_later_is_seen_as_long_as_the_log_shares_it() {
    let writer = create(&Disk::new());
    writer.append(&["a", "b", "c", "d"]).unwrap();
    let options = OpenOptions::new().create(Create::New).key(writer.key());
    let log = Log::open(Disk::new().stores(), options).unwrap();
    let upgrade = Some(UpgradeRequest { start: 0, length: 4 });
    let head = Request { upgrade, manifest: true, ..Request::default() };
    log.apply_proof(&writer.create_proof(&head).unwrap().unwrap()).unwrap();
    let snapshot = log.snapshot(overlay());
    let options = BranchOptions::new().create(Create::New);
    let branch = Branch::open(&log, Disk::new().stores(), overlay(), options).unwrap();
    assert_eq!(snapshot.get(&log, 1).unwrap(), None);
    assert!(matches!(snapshot.seek_within(&log, 2, 0), Ok(Seek::Narrowed { .. })));

    let block = Some(BlockRequest { index: 1, nodes: log.missing_nodes(1).unwrap() });
    let proof = writer.create_proof(&Request { block, ..Request::default() }).unwrap().unwrap();
    log.apply_proof(&proof).unwrap();
    assert_eq!(snapshot.get(&log, 1).unwrap().unwrap(), b"b");
    assert_eq!(branch.get(&log, 1).unwrap().unwrap(), b"b");
    assert!(snapshot.has_range(&log, 1..2) && !snapshot.has(&log, 2));
    assert_eq!((snapshot.length(), branch.length(), branch.get(&log, 2).unwrap()), (4, 4, None));
}

#[test]
fn a_copy_stays_when_the_block_is_fetched_again_and_rots() {
    let (writer, disk) = (create(&Disk::new()), Disk::new());
    let log = create(&disk);
    let all: Vec<Vec<u8>> = (0..9).map(|index| block(index, 50)).collect();
    for log in [&writer, &log] {
        log.append(&all).unwrap();
    }
    let snapshot = log.snapshot(overlay());
    log.clear(3..4).unwrap();
    let block = Some(BlockRequest { index: 3, nodes: log.missing_nodes(3).unwrap() });
    let proof = writer.create_proof(&Request { block, ..Request::default() }).unwrap().unwrap();
    log.apply_proof(&proof).unwrap();
    disk.file(FileName::Data).write_at(3 * 50, &[0xee; 50]).unwrap();
    log.clear(0..6).unwrap();
    log.truncate(1, None).unwrap();
    for (index, block) in (0..).zip(&all) {
        assert_eq!(snapshot.get(&log, index).unwrap().as_ref(), Some(block), "{index}");
    }
}
