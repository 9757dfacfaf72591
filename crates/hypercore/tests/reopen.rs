//! Opening again finds what was there: content, key, writability; and creation is a choice.

use hypercore::{
    Access, Create, Durability, ErrorKind, Hypercore, KeyPair, Manifest, MemoryStorage, Storage,
};

#[tokio::test]
async fn reopening_keeps_content_key_and_writability() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("deep/log");
    let log = Hypercore::open(&dir).await.unwrap();
    let key = log.key();
    let appended = log.append_batch(["hello", "", "world"]).await.unwrap();
    assert_eq!((appended.first, appended.length, appended.byte_length), (0, 3, 10));
    let hash = log.tree_hash_local(3).await.unwrap();
    log.close().await.unwrap();

    let log = Hypercore::builder(&dir).create(Create::Never).key(key).open().await.unwrap();
    assert_eq!((log.key(), log.length(), log.byte_length()), (key, 3, 10));
    assert!(log.writable());
    assert_eq!(log.tree_hash_local(3).await.unwrap(), hash);
    assert_eq!(log.append("more").await.unwrap().first, 3);
    assert_eq!(log.get_local(0).await.unwrap().unwrap(), "hello");
    assert_eq!(log.get_local(1).await.unwrap().unwrap(), "");
    assert_eq!(log.get_local(3).await.unwrap().unwrap(), "more");
    assert_eq!(log.info().await.unwrap().tree_hash, log.tree_hash_local(4).await.unwrap());
}

#[tokio::test]
async fn dropping_all_handles_releases_the_lock_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    for durability in [Durability::Immediate, Durability::Eventual] {
        for round in 0..10 {
            let log = Hypercore::builder(scratch.path().join(format!("{durability:?}")))
                .durability(durability)
                .open()
                .await
                .unwrap();
            assert_eq!(log.length(), round);
            log.append("x").await.unwrap();
        }
    }
}

#[tokio::test]
async fn nothing_is_made_unless_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("log");
    let never = Hypercore::builder(&dir).create(Create::Never).open().await.unwrap_err();
    assert!(never.is_not_found());
    assert_eq!(never.kind(), ErrorKind::Caller);
    for access in [Access::ReadOnly, Access::Follow] {
        let error = Hypercore::builder(&dir).access(access).open().await.unwrap_err();
        assert!(error.is_not_found());
    }
    assert!(!dir.exists());
    // Options that contradict each other are told before anything is made.
    let other = KeyPair::from_seed(&[2; 32]);
    let manifest = Manifest::single(KeyPair::from_seed(&[1; 32]).public());
    let error =
        Hypercore::builder(&dir).manifest(manifest).key_pair(other).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Caller);
    assert!(!dir.exists());
}

#[tokio::test]
async fn new_refuses_a_log_and_overwrite_drops_it() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("log");
    let log = Hypercore::builder(&dir).create(Create::New).open().await.unwrap();
    log.append("old").await.unwrap();
    let key = log.key();
    log.close().await.unwrap();
    let error = Hypercore::builder(&dir).create(Create::New).open().await.unwrap_err();
    assert!(error.is_already_exists());
    // Options that can not make a log do not empty the one that is there.
    let manifest = Manifest::single(KeyPair::from_seed(&[1; 32]).public());
    let contradiction = Hypercore::builder(&dir)
        .create(Create::Overwrite)
        .manifest(manifest)
        .key_pair(KeyPair::from_seed(&[2; 32]));
    assert_eq!(contradiction.open().await.unwrap_err().kind(), ErrorKind::Caller);
    let log = Hypercore::open(&dir).await.unwrap();
    assert_eq!((log.key(), log.length()), (key, 1));
    log.close().await.unwrap();
    let log = Hypercore::builder(&dir).create(Create::Overwrite).open().await.unwrap();
    assert_ne!(log.key(), key);
    assert!(log.is_empty() && log.writable());
}

#[tokio::test]
async fn another_key_does_not_open() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    log.close().await.unwrap();
    let other = Hypercore::open(Storage::memory()).await.unwrap().key();
    let error = Hypercore::builder(scratch.path()).key(other).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Caller);
    assert!(error.to_string().contains("not"));
}

#[tokio::test]
async fn a_log_with_a_key_only_is_a_reader() {
    let writer = Hypercore::open(Storage::memory()).await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let reader = Hypercore::builder(scratch.path()).key(writer.key()).open().await.unwrap();
    assert!(!reader.writable());
    assert_eq!(reader.key(), writer.key());
    let error = reader.append("x").await.unwrap_err();
    assert!(error.is_not_writable());
    assert_eq!(error.kind(), ErrorKind::Caller);
    assert_eq!(reader.info().await.unwrap().manifest, None);
}

#[tokio::test]
async fn a_seed_makes_the_same_log() {
    let open = |compat| Hypercore::builder(Storage::memory()).seed(&[1; 32]).compat(compat).open();
    let (plain, again, compat) =
        (open(false).await.unwrap(), open(false).await.unwrap(), open(true).await.unwrap());
    assert_eq!(plain.key(), again.key());
    assert_ne!(plain.key(), compat.key());
    let info = compat.info().await.unwrap();
    assert!(info.compat);
    assert_eq!(compat.key().as_bytes(), KeyPair::from_seed(&[1; 32]).public().as_bytes());
}

#[tokio::test]
async fn a_directory_without_its_oplog_is_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    log.append("x").await.unwrap();
    log.close().await.unwrap();
    std::fs::remove_file(scratch.path().join("oplog")).unwrap();
    let error = Hypercore::open(scratch.path()).await.unwrap_err();
    assert!(error.is_not_found());
    assert!(!scratch.path().join("oplog").exists());
    assert_eq!(std::fs::read(scratch.path().join("data")).unwrap(), b"x");
}

#[cfg(unix)]
#[tokio::test]
async fn the_secret_key_is_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = tempfile::tempdir().unwrap();
    drop(Hypercore::open(scratch.path()).await.unwrap());
    let mode = std::fs::metadata(scratch.path().join("oplog")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Memory has no lock that would tell of the flush that follows the last handle.
#[tokio::test]
async fn memory_is_opened_again_at_once() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let memory = MemoryStorage::new();
        for round in 0..100_u64 {
            let log =
                Hypercore::builder(memory.clone()).durability(durability).open().await.unwrap();
            assert_eq!(log.length(), round * 200);
            log.append_batch((0..200).map(|number| number.to_string())).await.unwrap();
        }
        let log = Hypercore::open(memory).await.unwrap();
        assert!(log.verify().await.unwrap().is_ok());
    }
}
