//! Where batches are kept: across restarts, under their names, until they are deleted.

use hypercore::{
    Access, BATCH_NAME_LEN_MAX, CommitOptions, Create, Durability, ErrorKind, Hypercore,
    MemoryStorage, RandomAccess, Storage, Stores,
};
use random_access_memory::RandomAccessMemory;

use crate::common::{blocks, in_memory};

fn stores() -> Stores {
    let store = || -> Box<dyn RandomAccess> { Box::new(RandomAccessMemory::new()) };
    Stores { oplog: store(), header: store(), tree: store(), bitfield: store(), data: store() }
}

#[tokio::test]
async fn resume_after_restart() {
    let directory = tempfile::tempdir().unwrap();
    let memory = MemoryStorage::new();
    let storages: [&dyn Fn() -> Storage; 2] =
        [&|| Storage::directory(directory.path()), &|| memory.clone().into()];
    for storage in storages {
        for durability in [Durability::Immediate, Durability::Eventual] {
            let open = || Hypercore::builder(storage()).durability(durability).open();
            let log = open().await.unwrap();
            let length = log.append_batch(["a", "b"]).await.unwrap().length;
            let batch = log.batch("draft").create(Create::Overwrite).open().await.unwrap();
            batch.append_batch(["c", "d"]).await.unwrap();
            batch.truncate(length + 1, None).await.unwrap();
            batch.append("D").await.unwrap();
            let (hash, fork) = (batch.tree_hash(length + 2).await.unwrap(), batch.fork());
            drop(batch);
            drop(log);

            let log = open().await.unwrap();
            assert_eq!(log.batches().await.unwrap(), ["draft"]);
            let batch = log.batch("draft").create(Create::Never).open().await.unwrap();
            assert_eq!((batch.length(), batch.fork()), (length + 2, fork));
            assert_eq!(batch.tree_hash(length + 2).await.unwrap(), hash);
            assert_eq!(batch.get(length).await.unwrap(), "c");
            assert_eq!(batch.get(length + 1).await.unwrap(), "D");
            assert_eq!(batch.get(0).await.unwrap(), "a");
            batch.close().await.unwrap();
            log.close().await.unwrap();
            log.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn resume_after_a_kill() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let memory = MemoryStorage::new();
        let open = || Hypercore::builder(memory.clone()).durability(durability).open();
        let log = open().await.unwrap();
        log.append_batch(["a", "b"]).await.unwrap();
        let batch = log.batch("draft").open().await.unwrap();
        batch.append_batch(["c", "d", "e"]).await.unwrap();
        batch.commit_with(CommitOptions::new().length(3)).await.unwrap();
        batch.truncate(4, None).await.unwrap();
        batch.append("E").await.unwrap();
        // Nothing is closed or dropped: what was acknowledged is there all the same.
        Box::leak(Box::new((batch, log)));

        let log = open().await.unwrap();
        assert_eq!(blocks(&log).await, ["a", "b", "c"]);
        let batch = log.batch("draft").create(Create::Never).open().await.unwrap();
        assert_eq!(blocks(&batch).await, ["a", "b", "c", "d", "E"]);
        batch.commit().await.unwrap();
        assert_eq!(blocks(&log).await, ["a", "b", "c", "d", "E"]);
    }
}

/// What a batch had of the log is only there while the log has it, or while somebody was there to copy it.
#[tokio::test]
async fn a_batch_that_was_closed_while_its_log_was_rewritten_says_what_it_lacks() {
    let log = in_memory().await;
    log.append_batch(["a", "b", "c", "d", "e"]).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("f").await.unwrap();
    batch.close().await.unwrap();
    log.truncate(4, None).await.unwrap();
    log.append_batch(["other", "blocks"]).await.unwrap();

    let batch = log.batch("draft").open().await.unwrap();
    assert_eq!(batch.length(), 6);
    assert_eq!(batch.get(3).await.unwrap(), "d");
    assert!(batch.get(4).await.unwrap_err().is_rewritten());
    assert_eq!(batch.get(5).await.unwrap(), "f");
}

#[tokio::test]
async fn any_name_is_a_name() {
    let directory = tempfile::tempdir().unwrap();
    let log = Hypercore::open(directory.path().join("log")).await.unwrap();
    let long = "x".repeat(BATCH_NAME_LEN_MAX);
    let mut names = ["..", ".", "a/b", "/etc/passwd", "A", "a", "\0", "caf\u{e9}", "%2e", &long];
    for name in names {
        let batch = log.batch(name).create(Create::New).open().await.unwrap();
        batch.append(name).await.unwrap();
        batch.close().await.unwrap();
    }
    names.sort_unstable();
    assert_eq!(log.batches().await.unwrap(), names);
    for name in names {
        let batch = log.batch(name).create(Create::Never).open().await.unwrap();
        assert_eq!(blocks(&batch).await, [name]);
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(log.batch("").open().await.is_err());
    assert!(log.batch(&"x".repeat(BATCH_NAME_LEN_MAX + 1)).open().await.is_err());
}

#[tokio::test]
async fn a_batch_is_made_resumed_or_begun_anew() {
    let log = in_memory().await;
    log.append("a").await.unwrap();
    let missing = log.batch("draft").create(Create::Never).open().await.unwrap_err();
    assert!(missing.is_not_found() && missing.kind() == ErrorKind::Caller, "{missing}");
    assert!(log.batches().await.unwrap().is_empty());
    let batch = log.batch("draft").create(Create::New).open().await.unwrap();
    batch.append("b").await.unwrap();
    batch.close().await.unwrap();
    assert!(log.batch("draft").create(Create::New).open().await.unwrap_err().is_already_exists());
    let batch = log.batch("draft").create(Create::Overwrite).open().await.unwrap();
    assert_eq!(blocks(&batch).await, ["a"]);
}

#[tokio::test]
async fn a_batch_is_discarded_for_all_who_have_it_open() {
    let directory = tempfile::tempdir().unwrap();
    let log = Hypercore::open(directory.path()).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    let same = log.batch("draft").open().await.unwrap();
    batch.append("a").await.unwrap();
    assert!(log.delete_batch("draft").await.unwrap_err().is_locked());
    batch.discard().await.unwrap();
    assert!(same.append("b").await.is_err());
    assert!(same.get(0).await.is_err());
    assert_eq!(same.length(), 1);
    assert!(log.batches().await.unwrap().is_empty());
    let anew = log.batch("draft").create(Create::New).open().await.unwrap();
    assert!(anew.is_empty());
    anew.close().await.unwrap();
    log.delete_batch("draft").await.unwrap();
    log.delete_batch("draft").await.unwrap();
    assert!(!directory.path().join("batches").exists());
}

#[tokio::test]
async fn a_handle_for_reading_lists_batches_and_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let log = Hypercore::open(directory.path()).await.unwrap();
    log.batch("draft").open().await.unwrap().append("a").await.unwrap();
    log.close().await.unwrap();
    let before = std::fs::read_dir(directory.path()).unwrap().count();
    let log = Hypercore::builder(directory.path()).read_only().open().await.unwrap();
    assert_eq!(log.batches().await.unwrap(), ["draft"]);
    assert!(log.delete_batch("draft").await.unwrap_err().is_not_writable());
    let _snapshot = log.snapshot().await.unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), before);
}

/// By a handle that does not write, and by a session that does not, beside one that does.
#[tokio::test]
async fn a_stored_batch_is_read_without_writing() {
    let directory = tempfile::tempdir().unwrap();
    let memory = MemoryStorage::new();
    let storages: [&dyn Fn() -> Storage; 2] =
        [&|| Storage::directory(directory.path()), &|| memory.clone().into()];
    for storage in storages {
        let log = Hypercore::open(storage()).await.unwrap();
        log.append("a").await.unwrap();
        log.batch("draft").open().await.unwrap().append_batch(["b", "c"]).await.unwrap();
        let reading = log.session().writable(false).open().await.unwrap();
        reads_only(&reading).await;
        let writing = log.batch("draft").open().await.unwrap();
        let beside = reading.batch("draft").open().await.unwrap();
        writing.append("d").await.unwrap();
        assert_eq!(blocks(&beside).await, ["a", "b", "c", "d"]);
        assert!(beside.append("e").await.unwrap_err().is_not_writable());
        writing.truncate(3, None).await.unwrap();
        drop((writing, beside, reading));
        log.close().await.unwrap();
        for access in [Access::ReadOnly, Access::Follow] {
            let open = || Hypercore::builder(storage()).access(access).open();
            let (one, other) = (open().await.unwrap(), open().await.unwrap());
            let batch = one.batch("draft").open().await.unwrap();
            reads_only(&other).await;
            assert_eq!(blocks(&batch).await, ["a", "b", "c"]);
        }
    }
}

/// What a reader may do with the batch of a, b and c.
async fn reads_only(reader: &Hypercore) {
    let batch = reader.batch("draft").open().await.unwrap();
    assert_eq!(blocks(&batch).await, ["a", "b", "c"]);
    assert!(!batch.writable());
    let mut stream = batch.snapshot().await.unwrap().read_stream(..);
    assert_eq!(stream.next().await.unwrap().unwrap(), "a");
    drop(stream);
    for error in [
        batch.append("d").await.unwrap_err(),
        batch.truncate(1, None).await.unwrap_err(),
        batch.clear(1..2).await.unwrap_err(),
        batch.commit().await.unwrap_err(),
        batch.set_user_data("key", "value").await.unwrap_err(),
        batch.clone().discard().await.unwrap_err(),
        reader.delete_batch("draft").await.unwrap_err(),
        reader.batch("draft").create(Create::Overwrite).open().await.unwrap_err(),
        reader.batch("other").create(Create::New).open().await.unwrap_err(),
    ] {
        assert!(error.is_not_writable(), "{error}");
    }
    batch.flush().await.unwrap();
    batch.close().await.unwrap();
    assert!(reader.batch("other").open().await.unwrap_err().is_not_found());
    let shorter = reader.batch("draft").checkout(2).open().await.unwrap_err();
    assert!(shorter.is_not_writable(), "{shorter}");
    let batch = reader.batch("draft").checkout(3).open().await.unwrap();
    assert_eq!(blocks(&batch).await, ["a", "b", "c"]);
    assert_eq!(reader.batches().await.unwrap(), ["draft"]);
}

#[tokio::test]
async fn stores_of_ones_own_need_a_place_for_batches() {
    let log = Hypercore::open(stores()).await.unwrap();
    assert!(log.batches().await.unwrap().is_empty());
    let error = log.batch("draft").open().await.unwrap_err();
    assert!(error.to_string().contains("side_stores"), "{error}");
    log.append("a").await.unwrap();
    let snapshot = log.snapshot().await.unwrap();
    log.truncate(0, None).await.unwrap();
    assert_eq!(blocks(&snapshot).await, ["a"]);

    let side = MemoryStorage::new();
    let storage = Storage::from(stores()).side_stores(side.clone());
    let log = Hypercore::open(storage).await.unwrap();
    log.batch("draft").open().await.unwrap().append("a").await.unwrap();
    assert_eq!(log.batches().await.unwrap(), ["draft"]);
}

#[tokio::test]
async fn the_batch_of_another_log_is_refused() {
    let side = MemoryStorage::new();
    let open = || Hypercore::open(Storage::from(stores()).side_stores(side.clone()));
    let log = open().await.unwrap();
    log.batch("draft").open().await.unwrap().append("a").await.unwrap();
    log.close().await.unwrap();
    let other = open().await.unwrap();
    assert!(other.batch("draft").open().await.is_err());
    assert_eq!(other.batches().await.unwrap(), ["draft"]);
}

#[tokio::test]
async fn purge_deletes_batches() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = Hypercore::open(&path).await.unwrap();
    log.append("a").await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("b").await.unwrap();
    log.batch("other").open().await.unwrap().append("c").await.unwrap();
    log.purge().await.unwrap();
    assert!(batch.append("d").await.is_err());
    assert!(!path.join("batches").exists());
}

#[tokio::test]
async fn a_batch_keeps_the_log_open_and_closes_with_its_last_handle() {
    let directory = tempfile::tempdir().unwrap();
    let log = Hypercore::open(directory.path()).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    drop(log);
    batch.append("a").await.unwrap();
    let same = batch.clone();
    drop(batch);
    same.append("b").await.unwrap();
    assert!(Hypercore::open(directory.path()).await.unwrap_err().is_locked());
    same.close().await.unwrap();
    // Though a handle is still there.
    let log = Hypercore::open(directory.path()).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    assert_eq!(blocks(&batch).await, ["a", "b"]);
    assert_eq!(same.length(), 2);
    log.close().await.unwrap();
    batch.append("c").await.unwrap();
}

/// What closes a batch may wait for the very thread on which somebody waits for it to be closed.
#[test]
fn a_batch_that_closes_is_opened_again_where_there_is_one_thread_for_long_calls() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let log = in_memory().await;
        for _ in 0..1000 {
            let batch = log.batch("draft").open().await.unwrap();
            let opening = tokio::spawn({
                let log = log.clone();
                async move { log.batch("draft").open().await.map(drop) }
            });
            tokio::spawn(async move { drop(batch) }).await.unwrap();
            opening.await.unwrap().unwrap();
        }
    });
}

#[tokio::test]
async fn a_batch_that_can_not_begin_where_it_should_is_not_overwritten() {
    let log = in_memory().await;
    log.append("a").await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("b").await.unwrap();
    batch.close().await.unwrap();
    let anew = log.batch("draft").create(Create::Overwrite).checkout(9).open().await;
    assert!(anew.unwrap_err().to_string().contains('9'));
    assert_eq!(blocks(&log.batch("draft").open().await.unwrap()).await, ["a", "b"]);
}

/// Whoever opens a batch that is being discarded waits until it is, and begins a new one.
#[tokio::test]
async fn a_batch_is_not_opened_while_it_is_discarded() {
    let directory = tempfile::tempdir().unwrap();
    let log = Hypercore::open(directory.path()).await.unwrap();
    log.append("a").await.unwrap();
    for _ in 0..10 {
        let batch = log.batch("draft").open().await.unwrap();
        let other = log.batch("draft").open().await.unwrap();
        batch.append("b").await.unwrap();
        let discarding = tokio::spawn(batch.discard());
        tokio::task::yield_now().await;
        let anew = log.batch("draft").open().await.unwrap();
        anew.append("B").await.unwrap();
        discarding.await.unwrap().unwrap();
        assert_eq!(blocks(&anew).await, ["a", "B"]);
        assert!(other.is_closed() || other.append("no").await.is_err());
        anew.discard().await.unwrap();
    }
}
