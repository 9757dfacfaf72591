//! Snapshots, branches and commits beside a log that is written: nothing waits for ever, nothing shows two histories.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};

use hypercore_crypto::Hash;
use hypercore_log::{Branch, BranchOptions, CommitOptions, Create, Log, LogError, Overlay};
use hypercore_merkle::{Leaf, Tree};
use random_access_memory::RandomAccessMemory;
use support::{Disk, assert_sound, block, create};

const ROUNDS: u64 = 60;

fn overlay() -> Overlay {
    Overlay { tree: Box::new(RandomAccessMemory::new()), data: Box::new(RandomAccessMemory::new()) }
}

fn hash_of(blocks: &[Vec<u8>]) -> Hash {
    let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
    let mut tree = Tree::empty(0);
    tree.append(&Leaf::hash_all(&blocks)).unwrap();
    tree.hash()
}

fn write(log: &Log) {
    for round in 0..ROUNDS * 3 {
        let length = log.length();
        match round % 4 {
            // A commit can come in between.
            0 => drop(log.truncate(length.saturating_sub(3), None)),
            1 => _ = log.clear(length / 3..length / 2).unwrap(),
            _ => _ = log.append(&[block(round, 700), block(round + 7, 0)]).unwrap(),
        }
    }
}

fn take_snapshots(log: &Log, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let snapshot = log.snapshot(overlay());
        let read = || -> Vec<Option<Vec<u8>>> {
            (0..snapshot.length()).map(|index| snapshot.get(log, index).unwrap()).collect()
        };
        let (first, again) = (read(), read());
        assert_eq!(first, again);
        let all: Option<Vec<Vec<u8>>> = again.into_iter().collect();
        if let Some(all) = all {
            assert_eq!(hash_of(&all), snapshot.head().tree_hash);
        }
    }
}

fn take_branches(log: &Log, seed: u64) {
    let conflict = |error: &LogError| matches!(error, LogError::BranchConflict { .. });
    for round in 0..ROUNDS {
        let options = BranchOptions::new().create(Create::New);
        let branch = Branch::open(log, Disk::new().stores(), overlay(), options).unwrap();
        let begun = branch.length();
        branch.append(&[block(seed + round, 50), block(round, 60)]).unwrap();
        let read = |index| branch.get(log, index).unwrap();
        let all: Option<Vec<Vec<u8>>> = (0..branch.length()).map(read).collect();
        if let Some(all) = all {
            assert_eq!(hash_of(&all), branch.head().tree_hash);
        }
        branch.truncate(log, begun + 1).unwrap();
        let length = branch.length();
        match log.commit(&branch, &CommitOptions::new()) {
            Ok(_) => match branch.rebase(log, length) {
                Ok(_) => assert_eq!(branch.ancestors(), length),
                // It was truncated already.
                Err(error) => assert!(conflict(&error), "{error}"),
            },
            Err(error) => assert!(conflict(&error), "{error}"),
        }
        assert_eq!(branch.get(log, begun).unwrap(), Some(block(seed + round, 50)));
    }
}

#[test]
fn all_go_on_beside_each_other() {
    let log = create(&Disk::new());
    log.append(&[b"first"; 200]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let snapshots = scope.spawn(|| take_snapshots(&log, &done));
        let mut busy = vec![scope.spawn(|| write(&log))];
        let log = &log;
        busy.extend([1000, 2000].map(|seed| scope.spawn(move || take_branches(log, seed))));
        let results: Vec<_> = busy.into_iter().map(|thread| thread.join()).collect();
        done.store(true, Ordering::Relaxed);
        snapshots.join().unwrap();
        results.into_iter().for_each(|result| result.unwrap());
    });
    assert_sound(&log);
}
