//! Sixteen tasks append a thousand blocks each on clones of one handle: what was acknowledged is
//! there once, at the index that was acknowledged, after dropping the handles and opening again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hypercore::{Durability, Hypercore, MemoryStorage, RandomAccess, Storage, Stores};
use random_access_memory::RandomAccessMemory;
use random_access_storage::{Error, SyncScope};

const TASKS: usize = 16;
const APPENDS: usize = 1000;

fn block(task: usize, number: usize) -> String {
    format!("task {task} block {number}")
}

/// Appends from all tasks at once; gives each task's indexes in the order they were acknowledged.
async fn append_all(log: &Hypercore) -> Vec<Vec<u64>> {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut indexes = Vec::with_capacity(APPENDS);
                for number in 0..APPENDS {
                    let appended = log.append(block(task, number)).await.unwrap();
                    assert_eq!(appended.length, appended.first + 1);
                    assert!(log.length() >= appended.length);
                    indexes.push(appended.first);
                }
                indexes
            })
        })
        .collect();
    let mut indexes = Vec::new();
    for task in tasks {
        indexes.push(task.await.unwrap());
    }
    indexes
}

async fn check(storage: impl Into<Storage>, acknowledged: &[Vec<u64>]) {
    let log = Hypercore::open(storage).await.unwrap();
    assert_eq!(log.length(), (TASKS * APPENDS) as u64);
    let mut seen = vec![false; TASKS * APPENDS];
    for (task, indexes) in acknowledged.iter().enumerate() {
        assert!(indexes.is_sorted_by(|one, next| one < next), "task {task}: {indexes:?}");
        for (number, index) in indexes.iter().enumerate() {
            let there = log.get_local(*index).await.unwrap().unwrap();
            assert_eq!(there, block(task, number), "block {index}");
            assert!(!std::mem::replace(&mut seen[*index as usize], true));
        }
    }
    let report = log.verify().await.unwrap();
    assert!(report.is_ok(), "{report:?}");
    log.close().await.unwrap();
}

async fn on_disk(durability: Durability) {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::builder(scratch.path()).durability(durability).open().await.unwrap();
    let acknowledged = append_all(&log).await;
    drop(log);
    check(scratch.path(), &acknowledged).await;
}

async fn in_memory(durability: Durability) {
    let memory = MemoryStorage::new();
    let log = Hypercore::builder(memory.clone()).durability(durability).open().await.unwrap();
    let acknowledged = append_all(&log).await;
    drop(log);
    check(memory, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_disk_immediate() {
    on_disk(Durability::Immediate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_disk_eventual() {
    on_disk(Durability::Eventual).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_memory_immediate() {
    in_memory(Durability::Immediate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_memory_eventual() {
    in_memory(Durability::Eventual).await;
}

/// Memory that counts its syncs, and lets none pass while the gate is locked.
#[derive(Clone, Debug, Default)]
struct Gated {
    memory: RandomAccessMemory,
    syncs: Arc<AtomicU64>,
    gate: Arc<Mutex<()>>,
}

impl RandomAccess for Gated {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        self.memory.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.memory.write_at(offset, data)
    }
    fn discard(&self, offset: u64, len: u64) -> Result<(), Error> {
        self.memory.discard(offset, len)
    }
    fn truncate(&self, len: u64) -> Result<(), Error> {
        self.memory.truncate(len)
    }
    fn len(&self) -> Result<u64, Error> {
        self.memory.len()
    }
    fn sync(&self, _: SyncScope) -> Result<(), Error> {
        drop(self.gate.lock());
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Appends that are asked for while one is being written share one round of syncs, and keep the order
/// in which they were asked for.
#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the gate is for the blocking thread")]
async fn appends_that_wait_together_are_synced_together() {
    let gated = Gated::default();
    let store = || Box::new(Gated { memory: RandomAccessMemory::new(), ..gated.clone() });
    let stores =
        Stores { oplog: store(), header: store(), tree: store(), bitfield: store(), data: store() };
    let log = Hypercore::open(stores).await.unwrap();
    let before = gated.syncs.load(Ordering::SeqCst);
    let gate = gated.gate.lock().unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let appends: Vec<_> = (0..64_u64)
        .map(|number| {
            let (log, asked) = (log.clone(), Arc::clone(&asked));
            tokio::spawn(async move {
                asked.fetch_add(1, Ordering::SeqCst);
                (number, log.append(number.to_string()).await.unwrap())
            })
        })
        .collect();
    // On this one thread, a task that has begun has asked before another runs.
    while asked.load(Ordering::SeqCst) < 64 {
        tokio::task::yield_now().await;
    }
    drop(gate);
    let mut bytes = 0;
    for append in appends {
        let (number, appended) = append.await.unwrap();
        bytes += number.to_string().len() as u64;
        assert_eq!((appended.first, appended.length), (number, number + 1));
        assert_eq!(appended.byte_length, bytes);
    }
    // Two files a round; in the first, those that were taken before the others asked.
    let syncs = gated.syncs.load(Ordering::SeqCst) - before;
    assert!(syncs <= 2 * 2, "{syncs} syncs for 64 appends");
}
