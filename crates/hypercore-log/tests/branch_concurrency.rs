//! Snapshots, branches and commits beside a log that is written: nothing waits for ever, nothing shows two histories.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hypercore_crypto::Hash;
use hypercore_log::{
    Branch, BranchOptions, CommitOptions, Create, Durability, FileName, Log, LogError, OpenOptions,
    Overlay, Stores,
};
use hypercore_merkle::{Leaf, Tree};
use random_access_memory::RandomAccessMemory;
use random_access_storage::{RandomAccess, Result, SyncScope};
use support::{Disk, assert_sound, block, create, key_pair};

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

/// A store that does something in the middle of its next sync.
struct Meanwhile {
    store: RandomAccessMemory,
    act: Arc<Mutex<Option<Act>>>,
}

type Act = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.store.fmt(f)
    }
}

impl RandomAccess for Meanwhile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.store.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.store.write_at(offset, data)
    }
    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.store.discard(offset, len)
    }
    fn truncate(&self, len: u64) -> Result<()> {
        self.store.truncate(len)
    }
    fn len(&self) -> Result<u64> {
        self.store.len()
    }
    fn sync(&self, scope: SyncScope) -> Result<()> {
        self.store.sync(scope)?;
        let act = self.act.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        Ok(())
    }
}

#[test]
fn a_branch_gives_up_nothing_that_its_log_took_during_the_sync() {
    let (disk, act) = (Disk::new(), Arc::new(Mutex::new(None)));
    let store = disk.file(FileName::Oplog).clone();
    let oplog = Box::new(Meanwhile { store, act: Arc::clone(&act) });
    let stores = Stores { oplog, ..disk.stores() };
    let options = OpenOptions::new()
        .create(Create::New)
        .key_pair(key_pair())
        .durability(Durability::Eventual);
    let log = Arc::new(Log::open(stores, options).unwrap());
    let options = BranchOptions::new().create(Create::New);
    let branch = Branch::open(&log, Disk::new().stores(), overlay(), options).unwrap();
    let branch = Arc::new(branch);
    branch.append(&["mine"]).unwrap();
    log.set_user_data("to be", Some(b"synced")).unwrap();
    let (base, source) = (Arc::clone(&log), Arc::clone(&branch));
    *act.lock().unwrap() = Some(Box::new(move || {
        base.append(&["mine"]).unwrap();
        assert_eq!(source.ancestors(), 0);
    }));
    // It comes before or after.
    let rebased = branch.rebase(&log, 1);
    let is_given_up = branch.ancestors() == 1;
    assert_eq!(rebased.is_ok(), is_given_up);
    assert!(!is_given_up || log.durable_length() == 1, "the power could take it from both");
    log.flush().unwrap();
    branch.rebase(&log, 1).unwrap();
    assert_eq!((branch.ancestors(), log.durable_length()), (1, 1));
}
