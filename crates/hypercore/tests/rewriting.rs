//! Truncating and clearing: what is left, what it hashes to, and that reopening finds the same.

use hypercore::{Create, ErrorKind, Hash, Hypercore, MemoryStorage, Storage};

async fn reopened(memory: &MemoryStorage) -> Hypercore {
    Hypercore::builder(memory.clone()).create(Create::Never).open().await.unwrap()
}

/// The hash of a log of these blocks alone.
async fn hash_of(blocks: &[String]) -> Hash {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    log.append_batch(blocks).await.unwrap();
    log.info().await.unwrap().tree_hash
}

#[tokio::test]
async fn tree_hash_at_every_earlier_length() {
    let blocks: Vec<String> = (0..67).map(|index| format!("block {index}")).collect();
    let memory = MemoryStorage::new();
    let log = Hypercore::open(memory.clone()).await.unwrap();
    let mut hashes = vec![log.tree_hash(0).await.unwrap()];
    for block in &blocks {
        log.append(block).await.unwrap();
        hashes.push(log.info().await.unwrap().tree_hash);
    }
    log.close().await.unwrap();
    let log = reopened(&memory).await;
    for (length, hash) in hashes.iter().enumerate() {
        assert_eq!(log.tree_hash(length as u64).await.unwrap(), *hash, "at {length}");
        assert_eq!(log.tree_hash_local(length as u64).await.unwrap(), *hash, "at {length}");
        assert_eq!(hash_of(&blocks[..length]).await, *hash, "at {length}");
    }
    assert!(log.tree_hash_local(68).await.unwrap_err().kind() == ErrorKind::Caller);
}

#[tokio::test]
async fn truncate_chain_to_fork_7_persisted() {
    let memory = MemoryStorage::new();
    let log = Hypercore::open(memory.clone()).await.unwrap();
    let blocks: Vec<String> = (0..10).map(|index| format!("block {index}")).collect();
    log.append_batch(&blocks).await.unwrap();
    for (length, fork, expected) in [(8, None, 1), (6, Some(5), 5), (4, None, 6), (4, Some(7), 7)] {
        log.truncate(length, fork).await.unwrap();
        assert_eq!((log.length(), log.fork()), (length, expected));
    }
    // It has to rise.
    for fork in [0, 6, 7] {
        assert_eq!(log.truncate(2, Some(fork)).await.unwrap_err().kind(), ErrorKind::Caller);
    }
    assert_eq!(log.truncate(5, None).await.unwrap_err().kind(), ErrorKind::Caller);
    assert_eq!((log.length(), log.fork()), (4, 7));
    let hash = hash_of(&blocks[..4]).await;
    drop(log);
    for _ in 0..2 {
        let log = reopened(&memory).await;
        assert_eq!((log.length(), log.fork(), log.contiguous_length()), (4, 7, 4));
        let info = log.info().await.unwrap();
        assert_eq!((info.fork, info.tree_hash), (7, hash));
        assert_eq!(log.get(3).await.unwrap(), "block 3");
        assert!(log.get_local(4).await.unwrap_err().is_out_of_bounds());
        assert!(log.verify().await.unwrap().is_ok());
        log.close().await.unwrap();
    }
    let log = reopened(&memory).await;
    log.append("anew").await.unwrap();
    assert_eq!((log.length(), log.fork()), (5, 7));
}

/// A page of the bitfield has 32,768 blocks.
#[tokio::test]
async fn clear_across_bitfield_pages() {
    const BLOCKS: u64 = 300_000;
    let memory = MemoryStorage::new();
    let log = Hypercore::open(memory.clone()).await.unwrap();
    log.append_batch((0..BLOCKS).map(u64::to_le_bytes)).await.unwrap();
    let hash = log.info().await.unwrap().tree_hash;
    let cleared = log.clear(10..BLOCKS - 10).await.unwrap();
    assert_eq!(cleared.blocks, BLOCKS - 20);
    assert!(cleared.bytes_freed > 2_000_000, "{cleared:?}");
    // What is not there is cleared once.
    assert_eq!(log.clear(10..BLOCKS - 10).await.unwrap().blocks, 0);
    assert_eq!(log.clear(BLOCKS..BLOCKS + 9).await.unwrap().blocks, 0);
    log.close().await.unwrap();

    let log = reopened(&memory).await;
    assert_eq!((log.length(), log.contiguous_length()), (BLOCKS, 10));
    assert_eq!(log.info().await.unwrap().tree_hash, hash);
    let ranges = log.stored_ranges(0..BLOCKS, 9).await.unwrap();
    assert_eq!(ranges, [0..10, BLOCKS - 10..BLOCKS]);
    for (index, stored) in [(9, true), (10, false), (32_768, false), (BLOCKS - 11, false)] {
        assert_eq!(log.has(index).await.unwrap(), stored, "{index}");
    }
    assert!(
        log.has_range(0..10).await.unwrap() && log.has_range(BLOCKS - 10..BLOCKS).await.unwrap()
    );
    assert!(!log.has_range(0..11).await.unwrap() && !log.has_range(9..BLOCKS).await.unwrap());
    assert!(!log.has_range(BLOCKS - 10..BLOCKS + 1).await.unwrap());
    assert!(log.has_range(50..50).await.unwrap());
    for index in [0, 9, BLOCKS - 10, BLOCKS - 1] {
        assert_eq!(log.get(index).await.unwrap(), index.to_le_bytes()[..]);
    }
    assert_eq!(log.get_local(150_000).await.unwrap(), None);
    assert!(log.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn contiguous_length_after_append_clear_and_reopen() {
    let memory = MemoryStorage::new();
    let mut log = Hypercore::open(memory.clone()).await.unwrap();
    assert_eq!(log.contiguous_length(), 0);
    for round in 0..2 {
        let length = log.append_batch(vec!["x"; 10]).await.unwrap().length;
        assert_eq!(log.contiguous_length(), if round == 0 { length } else { 4 });
        log.clear(7..8).await.unwrap();
        assert_eq!(log.contiguous_length(), if round == 0 { 7 } else { 4 });
        log.clear(4..6).await.unwrap();
        assert_eq!(log.contiguous_length(), 4);
        log.close().await.unwrap();
        log = reopened(&memory).await;
        assert_eq!((log.length(), log.contiguous_length()), (length, 4));
        assert_eq!(log.info().await.unwrap().contiguous_length, 4);
    }
    log.clear(0..1).await.unwrap();
    assert_eq!(log.contiguous_length(), 0);
    log.truncate(0, None).await.unwrap();
    log.append("x").await.unwrap();
    assert_eq!(log.contiguous_length(), 1);
    drop(log);
    assert_eq!(reopened(&memory).await.contiguous_length(), 1);
}

#[tokio::test]
async fn compact_gives_back_what_nobody_needs() {
    use std::io::Write as _;
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    log.append_batch(vec![[7; 1000]; 100]).await.unwrap();
    log.close().await.unwrap();
    // Something that a crash, or another program, left behind the last block.
    let mut data =
        std::fs::OpenOptions::new().append(true).open(scratch.path().join("data")).unwrap();
    data.write_all(&vec![9; 1 << 20]).unwrap();
    drop(data);

    let log = Hypercore::open(scratch.path()).await.unwrap();
    let before = log.info().await.unwrap().storage.total();
    let reads = log.session().writable(false).open().await.unwrap();
    assert!(reads.compact().await.unwrap_err().is_not_writable());
    drop(reads);
    let compacted = log.compact().await.unwrap();
    assert!(compacted.bytes_freed >= 1 << 20, "{compacted:?}");
    let after = log.info().await.unwrap().storage.total();
    assert_eq!(before - after, compacted.bytes_freed);
    assert_eq!(log.get(99).await.unwrap(), [7; 1000][..]);
    log.append("more").await.unwrap();
    log.close().await.unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    assert!(log.verify().await.unwrap().is_ok());
    assert_eq!(log.get(100).await.unwrap(), "more");
}

/// What a log says about itself, as one value.
#[tokio::test]
async fn info_tells_everything() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::builder(scratch.path())
        .durability(hypercore::Durability::Eventual)
        .encryption_key([7; 32])
        .open()
        .await
        .unwrap();
    log.append_batch(["hello", "world", "!"]).await.unwrap();
    log.truncate(2, None).await.unwrap();
    log.append("?").await.unwrap();
    log.clear(1..2).await.unwrap();
    let session = log.session().weak(true).writable(false).open().await.unwrap();
    for (handle, writable) in [(&log, true), (&session, false)] {
        let info = handle.info().await.unwrap();
        assert_eq!((info.key, info.discovery_key), (log.key(), log.discovery_key()));
        assert_eq!((info.length, info.byte_length, info.fork), (3, 11, 1));
        assert_eq!((info.contiguous_length, info.encrypted, info.padding), (1, true, 8));
        assert_eq!((info.writable, info.compat), (writable, false));
        assert_eq!(info.tree_hash, log.tree_hash(3).await.unwrap());
        assert_eq!(info.manifest.unwrap().key(), log.key());
        assert!(info.signer.is_some() && !info.needs_confirmation);
        assert_eq!(info.active_sessions, 1);
        assert!(info.storage.oplog > 0 && info.storage.data > 0);
    }
    log.append("later").await.unwrap();
    log.flush().await.unwrap();
    assert_eq!(log.info().await.unwrap().durable_length, 4);
}
