//! Blocks: sizes, presence, clearing, truncation, and the errors of asking for what is not.

use hypercore::{BLOCK_LEN_MAX, Bytes, Durability, ErrorKind, Hypercore, Storage};

async fn memory(durability: Durability) -> Hypercore {
    Hypercore::builder(Storage::memory()).durability(durability).open().await.unwrap()
}

#[tokio::test]
async fn every_size_comes_back() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let log = memory(durability).await;
        for len in [0, 1, 16 * 1024, 16 * 1024 + 1, 64 * 1024 + 1, 2 * 1024 * 1024 + 1] {
            let block: Vec<u8> = (0..len).map(|byte: usize| (byte % 251) as u8).collect();
            let appended = log.append(&block).await.unwrap();
            assert_eq!(log.get_local(appended.first).await.unwrap().unwrap(), block);
        }
        let blocks = vec![Bytes::from_static(b"moved"), Bytes::new()];
        let appended = log.append_owned(blocks).await.unwrap();
        assert_eq!(log.get_local(appended.first).await.unwrap().unwrap(), "moved");
        assert_eq!(appended.length, appended.first + 2);
    }
}

#[tokio::test]
async fn a_block_beyond_the_limit_is_refused() {
    let log = memory(Durability::Immediate).await;
    log.append("x").await.unwrap();
    let large = vec![0; BLOCK_LEN_MAX + 1];
    for error in [
        log.append(&large).await.unwrap_err(),
        log.append_batch([&b"ok"[..], &large]).await.unwrap_err(),
    ] {
        assert!(error.is_block_too_large());
        assert_eq!(error.kind(), ErrorKind::Caller);
    }
    assert_eq!(log.length(), 1);
    log.append(&large[1..]).await.unwrap();
}

#[tokio::test]
async fn appending_nothing_changes_nothing() {
    let log = memory(Durability::Immediate).await;
    log.append("x").await.unwrap();
    let appended = log.append_batch(Vec::<Vec<u8>>::new()).await.unwrap();
    assert_eq!((appended.first, appended.length), (1, 1));
}

#[tokio::test]
async fn a_large_batch() {
    let log = memory(Durability::Eventual).await;
    let blocks: Vec<String> = (0..20_000).map(|index| format!("block {index}")).collect();
    log.append_batch(&blocks).await.unwrap();
    assert_eq!(log.length(), 20_000);
    for index in [0, 1, 9_999, 19_999] {
        assert_eq!(log.get_local(index).await.unwrap().unwrap(), format!("block {index}"));
    }
}

#[tokio::test]
async fn presence_and_clearing() {
    let log = memory(Durability::Immediate).await;
    log.append_batch(["a", "b", "c", "d"]).await.unwrap();
    let hash = log.tree_hash_local(4).await.unwrap();
    assert_eq!(log.clear(1..3).await.unwrap().blocks, 2);
    assert_eq!(log.get_local(1).await.unwrap(), None);
    assert_eq!(log.get_local(3).await.unwrap().unwrap(), "d");
    assert!(log.has(0).await.unwrap() && !log.has(1).await.unwrap());
    assert!(!log.has(4).await.unwrap());
    assert!(log.has_range(3..4).await.unwrap() && !log.has_range(0..4).await.unwrap());
    assert_eq!(log.stored_ranges(0..4, 10).await.unwrap(), [0..1, 3..4]);
    assert_eq!(log.contiguous_length(), 1);
    assert_eq!((log.length(), log.tree_hash_local(4).await.unwrap()), (4, hash));
    assert_eq!(log.clear(1..5).await.unwrap().blocks, 1);
    assert!(log.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn truncation_raises_the_fork() {
    let log = memory(Durability::Immediate).await;
    log.append_batch(["a", "b", "c"]).await.unwrap();
    let two = log.tree_hash_local(2).await.unwrap();
    log.truncate(2, None).await.unwrap();
    assert_eq!((log.length(), log.fork(), log.byte_length()), (2, 1, 2));
    assert_eq!(log.tree_hash_local(2).await.unwrap(), two);
    log.truncate(1, Some(7)).await.unwrap();
    assert_eq!(log.fork(), 7);
    assert_eq!(log.truncate(0, Some(7)).await.unwrap_err().kind(), ErrorKind::Caller);
    assert!(log.truncate(2, None).await.unwrap_err().is_out_of_bounds());
    log.append("new").await.unwrap();
    assert_eq!(log.get_local(1).await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn asking_past_the_end() {
    let log = memory(Durability::Immediate).await;
    log.append("ab").await.unwrap();
    for index in [1, 2, u64::MAX] {
        assert!(log.get_local(index).await.unwrap_err().is_out_of_bounds());
        assert!(!log.has(index).await.unwrap());
    }
    assert_eq!(log.seek_local(1).await.unwrap(), Some((0, 1)));
    assert_eq!(log.seek_local(2).await.unwrap(), Some((1, 0)));
    assert_eq!(log.seek_local(3).await.unwrap(), None);
    assert!(log.tree_hash_local(2).await.unwrap_err().is_out_of_bounds());
    assert!(log.tree_hash_local(u64::MAX).await.is_err());
    assert_eq!(log.clear(1..u64::MAX).await.unwrap().blocks, 0);
}

#[tokio::test]
async fn a_tree_hash_for_every_earlier_length() {
    let log = memory(Durability::Immediate).await;
    let mut hashes = vec![log.tree_hash_local(0).await.unwrap()];
    for index in 0..40 {
        log.append(format!("{index}")).await.unwrap();
        hashes.push(log.info().await.unwrap().tree_hash);
    }
    for (length, hash) in (0..).zip(hashes) {
        assert_eq!(log.tree_hash_local(length).await.unwrap(), hash);
    }
}
