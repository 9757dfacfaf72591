//! Purging: nothing is left, everyone hears of it, and nobody's log is taken away.

mod common;

use common::{block, connect, reader, writer};
use hypercore::{
    Access, Create, Durability, EndReason, ErrorKind, Hypercore, MemoryStorage, RandomAccess,
    Storage, Stores,
};
use random_access_memory::RandomAccessMemory;

#[tokio::test]
async fn purge_leaves_nothing_in_a_directory_but_what_others_put_there() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("log");
    for durability in [Durability::Immediate, Durability::Eventual] {
        let log = Hypercore::builder(&directory).durability(durability).open().await.unwrap();
        std::fs::write(directory.join("notes"), "mine").unwrap();
        log.append_batch(vec![[7; 1000]; 500]).await.unwrap();
        log.truncate(400, None).await.unwrap();
        log.clear(3..200).await.unwrap();
        log.flush().await.unwrap();
        let taken = log.info().await.unwrap().storage.total();
        let purged = log.purge().await.unwrap();
        assert!(purged.bytes_freed >= taken && taken > 200_000, "{purged:?} of {taken}");

        let left: Vec<_> = std::fs::read_dir(&directory).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(std::fs::read(directory.join("notes")).unwrap(), b"mine");
        assert!(log.is_closed());
        assert_eq!((log.length(), log.fork()), (400, 1));
        let never = Hypercore::builder(&directory).create(Create::Never).open().await.unwrap_err();
        assert!(never.is_not_found());
        // The handle of the purged log does nothing to a new one.
        let new = Hypercore::open(&directory).await.unwrap();
        assert_ne!(new.key(), log.key());
        new.append("new").await.unwrap();
        log.close().await.unwrap();
        drop(log);
        assert_eq!(new.get(0).await.unwrap(), "new");
        new.purge().await.unwrap();
    }
}

#[tokio::test]
async fn purge_empties_memory_and_stores_of_ones_own() {
    let memory = MemoryStorage::new();
    let log = Hypercore::open(memory.clone()).await.unwrap();
    log.append_batch(vec![[7; 1000]; 500]).await.unwrap();
    assert!(log.purge().await.unwrap().bytes_freed >= 500_000);
    let never = Hypercore::builder(memory.clone()).create(Create::Never).open().await.unwrap_err();
    assert!(never.is_not_found());
    assert!(Hypercore::open(memory).await.unwrap().is_empty());

    let files: [RandomAccessMemory; 5] = Default::default();
    let store = |number: usize| Box::new(files[number].clone());
    let stores = Stores {
        oplog: store(0),
        header: store(1),
        tree: store(2),
        bitfield: store(3),
        data: store(4),
    };
    let log = Hypercore::open(Storage::from(stores)).await.unwrap();
    log.append("x").await.unwrap();
    log.purge().await.unwrap();
    assert_eq!(files.map(|file| file.len().unwrap()), [0; 5]);
}

/// What a named batch has kept is the log's: no other log in the same place may find it.
#[tokio::test]
async fn batches_go_with_their_log() {
    let scratch = tempfile::tempdir().unwrap();
    let memory = MemoryStorage::new();
    for on_disk in [true, false] {
        let place = || match on_disk {
            true => Storage::directory(scratch.path()),
            false => Storage::from(memory.clone()),
        };
        let left = |log: &Hypercore| {
            let log = log.clone();
            async move { log.batches().await.unwrap() }
        };
        for overwrites in [true, false] {
            let log = Hypercore::open(place()).await.unwrap();
            log.append("x").await.unwrap();
            let draft = log.batch("draft").open().await.unwrap();
            draft.append(vec![7; 100_000]).await.unwrap();
            assert_eq!(left(&log).await, ["draft"]);
            let log = if overwrites {
                draft.close().await.unwrap();
                log.close().await.unwrap();
                Hypercore::builder(place()).create(Create::Overwrite).open().await.unwrap()
            } else {
                // Also one that is open.
                assert!(log.purge().await.unwrap().bytes_freed > 100_000);
                assert!(draft.is_closed());
                assert_eq!(draft.get_local(1).await.unwrap_err().kind(), ErrorKind::Closed);
                Hypercore::open(place()).await.unwrap()
            };
            assert!(left(&log).await.is_empty());
            assert!(!scratch.path().join("batches/draft").exists());
            log.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn all_sessions_hear_of_a_purge() {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    log.append("x").await.unwrap();
    let session = log.session().open().await.unwrap();
    let weak = log.session().weak(true).open().await.unwrap();
    let mut download = weak.download(5..9).unwrap();
    let (pending, sought, downloaded, purged) =
        tokio::join!(session.get(7), weak.seek(99), download.done(), async {
            tokio::task::yield_now().await;
            log.purge().await
        });
    purged.unwrap();
    for error in [pending.unwrap_err(), sought.unwrap_err(), downloaded.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
    for handle in [&log, &session, &weak] {
        assert!(handle.is_closed());
        assert_eq!(handle.get_local(0).await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(handle.purge().await.unwrap_err().kind(), ErrorKind::Closed);
        handle.close().await.unwrap();
    }
}

#[tokio::test]
async fn connections_end_with_a_purge_and_copies_stay() {
    let log = writer(3).await;
    let copy = reader(&log).await;
    let (reading, serving) = connect(&copy, &log);
    assert_eq!(copy.get(1).await.unwrap(), block(1));
    log.purge().await.unwrap();
    assert!(matches!(serving.await, EndReason::LogClosed));
    reading.await;
    assert_eq!((copy.length(), copy.get_local(1).await.unwrap().unwrap()), (3, block(1).into()));
}

#[tokio::test]
async fn who_may_not_write_purges_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    log.append("x").await.unwrap();
    let session = log.session().writable(false).open().await.unwrap();
    assert!(session.purge().await.unwrap_err().is_not_writable());
    assert!(log.snapshot().await.unwrap().purge().await.unwrap_err().is_not_writable());
    let batch = log.batch("draft").open().await.unwrap();
    let refused = batch.purge().await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Caller && !refused.is_not_writable(), "{refused}");
    drop(batch);
    // Nobody gets so far while another handle, in whatever process, has the log.
    assert!(Hypercore::open(scratch.path()).await.unwrap_err().is_locked());
    drop(session);
    log.close().await.unwrap();
    for access in [Access::ReadOnly, Access::Follow] {
        let reader = Hypercore::builder(scratch.path()).access(access).open().await.unwrap();
        assert!(reader.purge().await.unwrap_err().is_not_writable());
        assert_eq!(reader.get(0).await.unwrap(), "x");
    }
    // A copy of somebody else's log is one's own to delete.
    let copy = scratch.path().join("copy");
    let copied = Hypercore::builder(&copy).key(log.key()).open().await.unwrap();
    assert!(!copied.writable());
    copied.purge().await.unwrap();
    assert_eq!(std::fs::read_dir(&copy).unwrap().count(), 0);
}

#[tokio::test]
async fn a_dropped_purge_purges_all_the_same() {
    use std::task::{Context, Waker};
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    log.append("x").await.unwrap();
    {
        let mut purge = Box::pin(log.purge());
        let _ = purge.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    log.close().await.unwrap();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

/// Openers come while a log is purged again and again: each gets a whole log, or hears that there is none or that
/// it is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_opens_while_a_log_is_purged_gets_a_whole_one() {
    let scratch = tempfile::tempdir().unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let path = scratch.path().to_path_buf();
            tokio::spawn(async move {
                let mut opened = 0;
                while opened < 25 {
                    match Hypercore::open(&path).await {
                        Ok(log) => {
                            opened += 1;
                            assert_eq!(log.length(), 0);
                            log.append("x").await.unwrap();
                            assert_eq!(log.get_local(0).await.unwrap().unwrap(), "x");
                            log.purge().await.unwrap();
                        }
                        Err(error) => assert!(error.is_locked() || error.is_not_found(), "{error}"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
