//! One error: kinds, places, sources, and nothing secret in what is printed.

use std::error::Error as _;

use hypercore::{Access, ErrorKind, FileName, Hypercore, KeyPair, Storage};

#[tokio::test]
async fn damage_has_a_file_and_an_offset() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    log.append_batch(["hello", "world"]).await.unwrap();
    log.close().await.unwrap();
    let data = scratch.path().join("data");
    std::fs::write(&data, b"helloWorld").unwrap();
    for access in [Access::ReadWrite, Access::ReadOnly, Access::Follow] {
        let log = Hypercore::builder(scratch.path()).access(access).open().await.unwrap();
        assert_eq!(log.get_local(0).await.unwrap().unwrap(), "hello");
        let error = log.get_local(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let found = error.corruption().unwrap();
        assert_eq!((found.file, found.offset), (FileName::Data, 5));
        assert_eq!(error.file(), Some("data"));
        let report = log.verify().await.unwrap();
        assert_eq!((report.is_ok(), report.findings.len()), (false, 1));
    }
    // Only on demand are wrong bytes handed out.
    let log = Hypercore::builder(scratch.path()).verify_reads(false).open().await.unwrap();
    assert_eq!(log.get_local(1).await.unwrap().unwrap(), "World");
    log.close().await.unwrap();

    std::fs::write(scratch.path().join("oplog"), vec![1; 8192]).unwrap();
    for access in [Access::ReadWrite, Access::ReadOnly, Access::Follow] {
        let error = Hypercore::builder(scratch.path()).access(access).open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.corruption().unwrap().file, FileName::Oplog);
    }
    assert_eq!(std::fs::read(scratch.path().join("oplog")).unwrap(), vec![1; 8192]);
}

#[tokio::test]
async fn a_path_that_is_no_directory() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Hypercore::open(&file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.source().is_some());
    assert_eq!(std::fs::read(&file).unwrap(), b"x");
}

#[tokio::test]
async fn verifying_tells_its_progress() {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    log.append_batch(["a", "b"]).await.unwrap();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(0));
    let told = std::sync::Arc::clone(&seen);
    let report =
        log.verify_with(move |progress| *told.lock().unwrap() = progress.blocks_checked).await;
    assert_eq!(report.unwrap().blocks_checked, 2);
    assert_eq!(*seen.lock().unwrap(), 2);
}

#[tokio::test]
async fn secrets_are_not_printed() {
    let key_pair = KeyPair::from_seed(&[0x5a; 32]);
    let builder =
        Hypercore::builder(Storage::memory()).key_pair(key_pair).encryption_key([0xa5; 32]);
    let mut printed = format!("{builder:?}");
    let log = builder.open().await.unwrap();
    log.append("x").await.unwrap();
    printed.push_str(&format!("{log:?}"));
    for secret in ["5a5a5a5a", "a5a5a5a5", "90, 90, 90, 90", "165, 165, 165, 165"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
