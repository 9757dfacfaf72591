//! Snapshots: what they show while the log goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hypercore::{Bytes, Cleared, GetOptions, Hypercore, MemoryStorage, Role, Storage};
use tokio::sync::Semaphore;

async fn in_memory() -> Hypercore {
    Hypercore::open(Storage::memory()).await.unwrap()
}

/// All blocks of a log, those that are not here left out.
async fn blocks(log: &Hypercore) -> Vec<Bytes> {
    let mut blocks = Vec::new();
    for index in 0..log.length() {
        blocks.extend(log.get_local(index).await.unwrap());
    }
    blocks
}

/// What a snapshot must show for ever.
#[derive(Debug, PartialEq)]
struct Shown {
    length: u64,
    byte_length: u64,
    fork: u64,
    blocks: Vec<Bytes>,
    tree_hashes: Vec<hypercore::Hash>,
    seeks: Vec<Option<(u64, u64)>>,
    info: (u64, u64, u64, hypercore::Hash),
}

async fn shown(log: &Hypercore) -> Shown {
    let (length, byte_length) = (log.length(), log.byte_length());
    let (mut tree_hashes, mut seeks) = (Vec::new(), Vec::new());
    for length in 0..=length {
        tree_hashes.push(log.tree_hash(length).await.unwrap());
    }
    for byte in 0..=byte_length + 1 {
        seeks.push(log.seek_local(byte).await.unwrap());
    }
    let info = log.info().await.unwrap();
    Shown {
        length,
        byte_length,
        fork: log.fork(),
        blocks: blocks(log).await,
        tree_hashes,
        seeks,
        info: (info.length, info.byte_length, info.contiguous_length, info.tree_hash),
    }
}

#[tokio::test]
async fn a_snapshot_of_three_keeps_three_old_blocks_while_the_log_is_truncated_to_two_and_rewritten()
 {
    let directory = tempfile::tempdir().unwrap();
    for storage in [Storage::memory(), Storage::directory(directory.path().join("log"))] {
        let log = Hypercore::open(storage).await.unwrap();
        log.append_batch(["zero", "one", "two"]).await.unwrap();
        let snapshot = log.snapshot().await.unwrap();
        let before = shown(&snapshot).await;
        assert_eq!(before.blocks, ["zero", "one", "two"]);

        log.truncate(2, None).await.unwrap();
        assert_eq!(shown(&snapshot).await, before);
        log.append_batch(["other", "three", "four"]).await.unwrap();
        assert_eq!(shown(&snapshot).await, before);
        assert_eq!(blocks(&log).await, ["zero", "one", "other", "three", "four"]);

        log.clear(0..5).await.unwrap();
        assert_eq!(shown(&snapshot).await, before);
        assert!(blocks(&log).await.is_empty());
        assert!(snapshot.has_range(0..3).await.unwrap());
        log.truncate(0, None).await.unwrap();
        assert_eq!(shown(&snapshot).await, before);
    }
    let mut left: Vec<_> = std::fs::read_dir(directory.path().join("log")).unwrap().collect();
    left.retain(|entry| entry.as_ref().unwrap().file_name().len() > "bitfield".len());
    assert!(left.is_empty());
}

#[tokio::test]
async fn the_snapshot_of_a_snapshot_shows_the_same() {
    let log = in_memory().await;
    log.append_batch(["a", "b"]).await.unwrap();
    let first = log.snapshot().await.unwrap();
    log.truncate(1, None).await.unwrap();
    log.append("other").await.unwrap();
    let second = first.snapshot().await.unwrap();
    assert_eq!(shown(&second).await, shown(&first).await);
    drop(first);
    log.truncate(0, None).await.unwrap();
    assert_eq!(blocks(&second).await, ["a", "b"]);
}

#[tokio::test]
async fn a_snapshot_is_not_written_to() {
    let log = in_memory().await;
    log.append("a").await.unwrap();
    let snapshot = log.snapshot().await.unwrap();
    assert!(!snapshot.writable());
    let willing = snapshot.session().writable(true).open().await.unwrap();
    for snapshot in [&snapshot, &willing] {
        assert!(snapshot.append("b").await.unwrap_err().is_not_writable());
        assert!(snapshot.append_batch(vec![vec![0; 100_000]]).await.unwrap_err().is_not_writable());
        assert!(snapshot.truncate(0, None).await.unwrap_err().is_not_writable());
        assert!(snapshot.clear(0..1).await.unwrap_err().is_not_writable());
    }
    assert_eq!(blocks(&log).await, ["a"]);
}

#[tokio::test]
async fn a_get_past_the_end_of_a_snapshot_does_not_wait_for_the_log() {
    let log = in_memory().await;
    log.append("a").await.unwrap();
    let snapshot = log.snapshot().await.unwrap();
    log.append("b").await.unwrap();
    assert!(snapshot.get(1).await.unwrap_err().is_out_of_bounds());
    assert_eq!(snapshot.seek_local(2).await.unwrap(), None);
    assert!(!snapshot.has(1).await.unwrap());
}

/// A log that was filled by a peer, as far as `blocks` say, and the peer.
async fn sparse(blocks: &[u64]) -> (Hypercore, Hypercore) {
    let writer = in_memory().await;
    writer.append_batch(["a", "b", "c", "d", "e"]).await.unwrap();
    let reader = Hypercore::builder(Storage::memory()).key(writer.key()).open().await.unwrap();
    connect(&writer, &reader).detach();
    reader.wait_for_length(5).await.unwrap();
    for block in blocks {
        reader.get(*block).await.unwrap();
    }
    (writer, reader)
}

fn connect(one: &Hypercore, other: &Hypercore) -> hypercore::Replication {
    let (here, there) = tokio::io::duplex(64 * 1024);
    one.replicate(here, Role::Responder).detach();
    other.replicate(there, Role::Initiator)
}

#[tokio::test]
async fn a_block_that_is_not_here_yet_comes_to_a_snapshot_as_long_as_the_log_shares_it() {
    let (_writer, reader) = sparse(&[1]).await;
    let snapshot = reader.snapshot().await.unwrap();
    assert_eq!(snapshot.get_local(3).await.unwrap(), None);
    assert_eq!(snapshot.get(3).await.unwrap(), "d");
    assert_eq!(snapshot.get_local(3).await.unwrap().unwrap(), "d");
}

#[tokio::test]
async fn a_pending_read_of_a_snapshot_ends_when_its_block_can_not_come_any_more() {
    let writer = in_memory().await;
    writer.append_batch(["a", "b", "c", "d"]).await.unwrap();
    writer.clear(2..4).await.unwrap();
    let snapshot = writer.snapshot().await.unwrap();
    let waits = Arc::new(Semaphore::new(0));
    let waiting = |index| {
        let (snapshot, waits) = (snapshot.clone(), Arc::clone(&waits));
        let options = GetOptions::new().on_wait(move |_| waits.add_permits(1));
        tokio::spawn(async move { snapshot.get_with(index, options).await })
    };
    let (low, high) = (waiting(2), waiting(3));
    waits.acquire_many(2).await.unwrap().forget();
    writer.truncate(3, None).await.unwrap();
    assert!(high.await.unwrap().unwrap_err().is_rewritten());
    assert!(!low.is_finished());
    // It never shows what stands there now.
    writer.append("other").await.unwrap();
    assert!(snapshot.get(3).await.unwrap_err().is_rewritten());
    assert_eq!(snapshot.get_local(3).await.unwrap(), None);
    snapshot.close().await.unwrap();
    assert!(low.await.unwrap().is_err());
}

#[tokio::test]
async fn a_seek_and_a_tree_hash_of_a_snapshot_wait_for_what_can_come_and_for_nothing_else() {
    let (writer, reader) = sparse(&[4]).await;
    let snapshot = reader.snapshot().await.unwrap();
    assert!(snapshot.seek_local(1).await.is_err());
    assert_eq!(snapshot.seek(1).await.unwrap(), (1, 0));
    assert_eq!(snapshot.tree_hash(3).await.unwrap(), writer.tree_hash(3).await.unwrap());
    assert!(snapshot.seek(6).await.unwrap_err().is_out_of_bounds());

    // Nobody is there who could tell, and then nobody can.
    let (writer, _) = sparse(&[]).await;
    let alone = Hypercore::builder(Storage::memory()).key(writer.key()).open().await.unwrap();
    let connection = connect(&writer, &alone);
    alone.wait_for_length(5).await.unwrap();
    drop(connection);
    let snapshot = alone.snapshot().await.unwrap();
    let seeking = tokio::spawn({
        let snapshot = snapshot.clone();
        async move { snapshot.seek(1).await }
    });
    let hashing = tokio::spawn({
        let snapshot = snapshot.clone();
        async move { snapshot.tree_hash(3).await }
    });
    tokio::task::yield_now().await;
    writer.truncate(1, None).await.unwrap();
    writer.append_batch(["B"; 7]).await.unwrap();
    let _connection = connect(&writer, &alone);
    assert!(seeking.await.unwrap().unwrap_err().is_rewritten());
    assert!(hashing.await.unwrap().unwrap_err().is_rewritten());
    assert_eq!(snapshot.length(), 5);
    assert_eq!(alone.get(6).await.unwrap(), "B");
}

#[tokio::test]
async fn closing_a_snapshot_leaves_the_log_open() {
    let log = in_memory().await;
    log.append("a").await.unwrap();
    let snapshot = log.snapshot().await.unwrap();
    assert_eq!(log.active_sessions(), 2);
    snapshot.close().await.unwrap();
    assert!(snapshot.get(0).await.is_err());
    assert_eq!(snapshot.length(), 1);
    assert_eq!(log.active_sessions(), 1);
    log.append("b").await.unwrap();
}

#[tokio::test]
async fn a_snapshot_keeps_the_log_open() {
    let memory = MemoryStorage::new();
    let log = Hypercore::open(memory.clone()).await.unwrap();
    log.append("a").await.unwrap();
    let snapshot = log.snapshot().await.unwrap();
    drop(log);
    assert_eq!(snapshot.get(0).await.unwrap(), "a");
}

#[tokio::test]
async fn a_snapshot_of_an_encrypted_log_shows_content() {
    let log = Hypercore::builder(Storage::memory()).encryption_key([3; 32]).open().await.unwrap();
    log.append_batch(["hello", "world", "!"]).await.unwrap();
    let snapshot = log.snapshot().await.unwrap();
    let before = shown(&snapshot).await;
    log.truncate(1, None).await.unwrap();
    log.append_batch(["there", "?"]).await.unwrap();
    assert_eq!(shown(&snapshot).await, before);
    assert_eq!(before.byte_length, 11);
    assert_eq!(before.seeks[6], Some((1, 1)));
}

/// Readers of a snapshot beside a writer that destroys what they read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_snapshot_is_read_while_the_log_is_rewritten() {
    let log = in_memory().await;
    let content = |index: u64| vec![index as u8; 100 + index as usize];
    log.append_batch((0..64).map(content)).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for _ in 0..3 {
        let (snapshot, done) = (log.snapshot().await.unwrap(), Arc::clone(&done));
        readers.push(tokio::spawn(async move {
            let mut rounds = 0;
            while !done.load(Ordering::Acquire) || rounds == 0 {
                for index in 0..64 {
                    assert_eq!(snapshot.get(index).await.unwrap(), content(index));
                }
                rounds += 1;
            }
        }));
    }
    for length in (0..64).rev() {
        log.truncate(length, None).await.unwrap();
        log.append_batch(["instead", "of it"]).await.unwrap();
        let _: Cleared = log.clear(0..length / 2).await.unwrap();
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_is_not_waited_for_to_grow() {
    let log = in_memory().await;
    log.append_batch(["a", "b", "c"]).await.unwrap();
    let snapshot = log.snapshot().await.unwrap();
    log.append("d").await.unwrap();
    snapshot.wait_for_length(3).await.unwrap();
    assert!(snapshot.wait_for_length(4).await.unwrap_err().is_out_of_bounds());
    assert_eq!(snapshot.length(), 3);
}

/// It does not grow by what peers have, so nobody has to be asked, or found, to read it to its end.
#[tokio::test]
async fn a_stream_of_a_snapshot_waits_for_no_peers() {
    let log = in_memory().await;
    let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await.unwrap();
    let snapshot = copy.snapshot().await.unwrap();
    let _finding = copy.finding_peers();
    assert!(!snapshot.update().await.unwrap());
    assert!(snapshot.read_stream(..).next().await.is_none());
}
