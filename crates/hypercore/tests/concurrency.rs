//! Any number of tasks on clones of one handle: every acknowledged append is present, in order,
//! after reopening.

use std::collections::BTreeMap;
use std::sync::Arc;

use hypercore::{Durability, Hypercore, Storage};

async fn many_writers(durability: Durability) {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::builder(scratch.path()).durability(durability).open().await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|writer| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                for number in 0..20 {
                    // Small ones and large ones, so that inline and blocking paths mix.
                    let len = if number % 7 == 0 { 40_000 } else { 10 };
                    let block = format!("{writer}/{number}/{}", "x".repeat(len));
                    let first = if number % 3 == 0 {
                        log.append_batch([&block, "and"]).await.unwrap().first
                    } else {
                        log.append(&block).await.unwrap().first
                    };
                    assert_eq!(log.get_local(first).await.unwrap().unwrap(), block);
                    mine.push((first, block));
                }
                assert!(mine.is_sorted_by_key(|(index, _)| *index));
                mine
            })
        })
        .collect();
    let mut acknowledged = BTreeMap::new();
    for task in tasks {
        for (index, block) in task.await.unwrap() {
            assert!(acknowledged.insert(index, block).is_none());
        }
    }
    log.close().await.unwrap();

    let log = Hypercore::builder(scratch.path()).read_only().open().await.unwrap();
    assert_eq!(log.length(), 16 * (20 + 7));
    for (index, block) in acknowledged {
        assert_eq!(log.get_local(index).await.unwrap().unwrap(), block);
    }
    let report = log.verify().await.unwrap();
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_immediate_writers() {
    many_writers(Durability::Immediate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_eventual_writers() {
    many_writers(Durability::Eventual).await;
}

/// The future of every call can move between threads.
#[test]
fn handles_and_futures_are_send() {
    fn send<T: Send>(_: T) {}
    fn check(log: &Hypercore) {
        send(log.append("x"));
        send(log.append_batch(vec!["x"]));
        send(log.append_owned(Vec::new()));
        send(log.get_local(0));
        send(log.clear(0..1));
        send(log.truncate(0, None));
        send(log.verify());
        send(log.close());
        send(Hypercore::open("x"));
    }
    fn both<T: Send + Sync + Clone + 'static>() {}
    both::<Hypercore>();
    both::<hypercore::Error>();
    let _ = check;
}

/// An append whose future is dropped either happened whole or not at all, and the next one works.
#[tokio::test]
async fn a_dropped_append_leaves_the_log_whole() {
    use std::future::Future as _;
    use std::task::{Context, Waker};
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    for _ in 0..20 {
        let mut append = Box::pin(log.append_batch(["a", "b"]));
        let _ = append.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    let last = log.append_batch(["c"]).await.unwrap();
    log.close().await.unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    assert!(log.length() >= last.length);
    assert_eq!(log.length() % 2, 1);
    assert!(log.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn calls_that_never_wait_leave_room_for_other_tasks() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let log = Hypercore::builder(Storage::memory())
        .durability(Durability::Eventual)
        .open()
        .await
        .unwrap();
    log.append("x").await.unwrap();
    let turns = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    macro_rules! busy {
        ($call:expr) => {
            let before = turns.load(Ordering::Relaxed);
            for _ in 0..1000 {
                $call.await.unwrap();
            }
            assert!(turns.load(Ordering::Relaxed) >= before + 5, stringify!($call));
        };
    }
    busy!(log.append("y"));
    busy!(log.get_local(0));
    busy!(log.has(0));
    busy!(log.seek_local(1));
    busy!(log.tree_hash_local(1));
    busy!(log.info());
    other.abort();
}
