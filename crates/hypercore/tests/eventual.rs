//! `Durability::Eventual`: nobody waits for a sync, and one follows within a bounded time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hypercore::{
    AppendOptions, Durability, EVENTUAL_FLUSH_AFTER, ErrorKind, Hypercore, KeyPair, Manifest,
    RandomAccess, Stores,
};
use random_access_memory::RandomAccessMemory;
use random_access_storage::{Error, Operation, SyncScope};

/// Memory that counts its syncs, and fails them when told.
#[derive(Clone, Debug, Default)]
struct Counting {
    memory: RandomAccessMemory,
    syncs: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
    /// Held, it keeps syncs waiting.
    gate: Arc<Mutex<()>>,
}

impl RandomAccess for Counting {
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
        drop(self.gate.lock().unwrap());
        if self.fails.load(Ordering::SeqCst) {
            let broken = std::io::Error::from_raw_os_error(5);
            return Err(Error::io(Operation::Sync, 0, 0, broken));
        }
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Counting {
    fn stores(&self) -> Stores {
        let same =
            |memory: &RandomAccessMemory| Box::new(Self { memory: memory.clone(), ..self.clone() });
        Stores {
            oplog: Box::new(self.clone()),
            header: same(&RandomAccessMemory::new()),
            tree: same(&RandomAccessMemory::new()),
            bitfield: same(&RandomAccessMemory::new()),
            data: same(&RandomAccessMemory::new()),
        }
    }

    fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }

    async fn open(&self) -> Hypercore {
        let builder = Hypercore::builder(self.stores()).durability(Durability::Eventual);
        builder.open().await.unwrap()
    }

    async fn synced_after(&self, before: u64, limit: Duration) -> Duration {
        let begun = Instant::now();
        while self.syncs() == before {
            assert!(begun.elapsed() < limit, "no flush came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        begun.elapsed()
    }
}

#[tokio::test]
async fn a_flush_follows_the_first_write_and_only_a_write() {
    let counting = Counting::default();
    let log = counting.open().await;
    for _ in 0..2 {
        let before = counting.syncs();
        for _ in 0..100 {
            log.append("x").await.unwrap();
        }
        assert_eq!(counting.syncs(), before, "an append synced");
        let waited = counting.synced_after(before, EVENTUAL_FLUSH_AFTER * 5).await;
        assert!(waited >= EVENTUAL_FLUSH_AFTER / 2, "{waited:?}");
        // One flush is enough until something is written again.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let settled = counting.syncs();
        tokio::time::sleep(EVENTUAL_FLUSH_AFTER * 2).await;
        assert_eq!(counting.syncs(), settled);
    }
}

/// Also in a log without a key of its own, where a ready signature, or another key pair, comes with the blocks.
#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "it is what this thread must not wait for")]
async fn who_waits_for_a_block_does_not_wait_for_its_sync() {
    for is_own in [true, false] {
        let counting = Counting::default();
        let pair = KeyPair::from_seed(&[7; 32]);
        let builder = Hypercore::builder(counting.stores()).durability(Durability::Eventual);
        let builder = match is_own {
            true => builder.key_pair(pair.clone()),
            false => builder.manifest(Manifest::single(pair.public())),
        };
        let log = builder.open().await.unwrap();
        assert_eq!(log.writable(), is_own);
        let append = async |block| {
            let options = AppendOptions::new().key_pair(pair.clone());
            log.append_with([block], options).await.unwrap();
        };
        append("a").await;
        log.flush().await.unwrap();
        let held = counting.gate.lock().unwrap();
        let before = counting.syncs();
        let getting = log.get(2);
        let appending = async {
            for block in ["b", "c"] {
                tokio::task::yield_now().await;
                append(block).await;
            }
        };
        let both = async { tokio::join!(getting, appending).0 };
        let got = tokio::time::timeout(Duration::from_secs(60), both).await;
        assert_eq!(got.expect("it waits for the sync").unwrap(), "c", "{is_own}");
        assert_eq!(counting.syncs(), before);
        drop(held);
    }
}

/// Long before the engine has to checkpoint in the middle of a call, the background does it.
#[tokio::test]
async fn no_inline_append_syncs_however_many_there_are() {
    use std::thread::{ThreadId, current};
    #[derive(Clone, Debug)]
    struct NotHere(Counting, ThreadId);
    impl RandomAccess for NotHere {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
            self.0.read_at(offset, buffer)
        }
        fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
            self.0.write_at(offset, data)
        }
        fn discard(&self, offset: u64, len: u64) -> Result<(), Error> {
            self.0.discard(offset, len)
        }
        fn truncate(&self, len: u64) -> Result<(), Error> {
            self.0.truncate(len)
        }
        fn len(&self) -> Result<u64, Error> {
            self.0.len()
        }
        fn sync(&self, scope: SyncScope) -> Result<(), Error> {
            assert_ne!(current().id(), self.1, "a sync on the executor's thread");
            self.0.sync(scope)
        }
    }
    let counting = Counting::default();
    let here = current().id();
    let store = || {
        let own = Counting { memory: RandomAccessMemory::new(), ..counting.clone() };
        Box::new(NotHere(own, here))
    };
    let stores =
        Stores { oplog: store(), header: store(), tree: store(), bitfield: store(), data: store() };
    let builder = Hypercore::builder(stores).durability(Durability::Eventual);
    let log = builder.open().await.unwrap();
    let before = counting.syncs();
    for index in 0..20_000_u64 {
        assert_eq!(log.append("x").await.unwrap().first, index);
    }
    assert!(counting.syncs() > before, "no checkpoint came");
    log.close().await.unwrap();
}

#[tokio::test]
async fn flush_and_close_sync_at_once() {
    let counting = Counting::default();
    let log = counting.open().await;
    log.append("x").await.unwrap();
    let before = counting.syncs();
    log.flush().await.unwrap();
    let flushed = counting.syncs();
    assert!(flushed > before);
    log.append("y").await.unwrap();
    assert_eq!(counting.syncs(), flushed);
    log.close().await.unwrap();
    assert!(counting.syncs() > flushed);
}

#[tokio::test]
async fn dropping_the_last_handle_flushes() {
    let counting = Counting::default();
    let log = counting.open().await;
    log.append("x").await.unwrap();
    let before = counting.syncs();
    drop(log.clone());
    assert_eq!(counting.syncs(), before);
    drop(log);
    counting.synced_after(before, EVENTUAL_FLUSH_AFTER).await;
}

#[tokio::test]
async fn a_failed_flush_in_the_background_is_told_to_the_next_writer() {
    let counting = Counting::default();
    let log = counting.open().await;
    log.append("x").await.unwrap();
    counting.fails.store(true, Ordering::SeqCst);
    tokio::time::sleep(EVENTUAL_FLUSH_AFTER + Duration::from_millis(500)).await;
    counting.fails.store(false, Ordering::SeqCst);
    let error = log.append("y").await.unwrap_err();
    assert!(error.is_poisoned(), "{error}");
    assert_eq!(error.kind(), ErrorKind::Io);
    // Reading goes on.
    assert_eq!(log.get_local(0).await.unwrap().unwrap(), "x");
    assert!(log.close().await.is_err());
    assert!(log.close().await.is_err(), "every closer hears of the failure");
}

#[tokio::test]
async fn a_failed_sync_fails_an_immediate_append() {
    let counting = Counting::default();
    let log = Hypercore::open(counting.stores()).await.unwrap();
    log.append("x").await.unwrap();
    counting.fails.store(true, Ordering::SeqCst);
    let error = log.append("y").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(!error.is_storage_full());
    assert!(error.store_error().is_some());
    counting.fails.store(false, Ordering::SeqCst);
    assert!(log.append("z").await.unwrap_err().is_poisoned());
}

/// Neither the timer of the runtime nor the runtime itself is needed for the flush.
#[test]
fn a_runtime_without_a_timer_will_do() {
    let counting = Counting::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let log = runtime.block_on(counting.open());
    let before = counting.syncs();
    runtime.block_on(log.append("x")).unwrap();
    let synced = |before| {
        for _ in 0..5 * EVENTUAL_FLUSH_AFTER.as_millis() {
            if counting.syncs() > before {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("no flush came");
    };
    synced(before);

    // A write on another runtime, when that of the log is gone.
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let before = counting.syncs();
    other.block_on(log.append("y")).unwrap();
    synced(before);
}

/// A program may end right after its last append: its runtime goes, and the log with it.
#[test]
fn a_log_that_goes_with_its_runtime_is_flushed() {
    for round in 0..50 {
        let counting = Counting::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let before = runtime.block_on(async {
            let log = counting.open().await;
            let before = counting.syncs();
            log.append("x").await.unwrap();
            before
        });
        drop(runtime);
        assert!(counting.syncs() > before, "round {round}: dropped inside");

        let counting = Counting::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let log = runtime.block_on(counting.open());
        runtime.block_on(log.append("x")).unwrap();
        drop(runtime);
        let before = counting.syncs();
        drop(log);
        assert!(counting.syncs() > before, "round {round}: dropped after");
    }
}

/// The caller is told that it was not flushed; dropping the log does it all the same.
#[test]
fn a_flush_that_its_runtime_refused_leaves_the_log_to_be_flushed() {
    let counting = Counting::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let log = runtime.block_on(counting.open());
    runtime.block_on(log.append("x")).unwrap();
    drop(runtime);
    let before = counting.syncs();
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    other.block_on(log.flush()).unwrap_err();
    drop(log);
    assert!(counting.syncs() > before);
}
