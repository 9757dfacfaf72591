//! One writer or many readers; a follower is in nobody's way.

use hypercore::{Access, Create, ErrorKind, Hypercore};

#[tokio::test]
async fn a_second_writer_is_told_and_harms_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    log.append("mine").await.unwrap();
    for create in [Create::IfMissing, Create::Never, Create::New, Create::Overwrite] {
        let error = Hypercore::builder(scratch.path()).create(create).open().await.unwrap_err();
        assert!(error.is_locked(), "{create:?}: {error}");
        assert_eq!(error.kind(), ErrorKind::Caller);
    }
    let reader = Hypercore::builder(scratch.path()).read_only().open().await.unwrap_err();
    assert!(reader.is_locked());
    log.append("too").await.unwrap();
    log.close().await.unwrap();
    let reader = Hypercore::builder(scratch.path()).read_only().open().await.unwrap();
    assert_eq!(reader.length(), 2);
}

#[tokio::test]
async fn readers_share_and_keep_a_writer_out() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    log.append("x").await.unwrap();
    log.close().await.unwrap();
    let one = Hypercore::builder(scratch.path()).read_only().open().await.unwrap();
    let two = Hypercore::builder(scratch.path()).read_only().open().await.unwrap();
    assert_eq!(one.get_local(0).await.unwrap(), two.get_local(0).await.unwrap());
    assert!(!one.writable());
    assert!(one.info().await.unwrap().signer.is_some());
    for error in [
        one.append("y").await.unwrap_err(),
        one.truncate(0, None).await.unwrap_err(),
        one.clear(0..1).await.unwrap_err(),
    ] {
        assert!(error.is_not_writable(), "{error}");
    }
    assert!(Hypercore::open(scratch.path()).await.unwrap_err().is_locked());
    drop(one);
    two.close().await.unwrap();
    Hypercore::open(scratch.path()).await.unwrap();
}

#[tokio::test]
async fn a_follower_reads_beside_the_writer() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    for index in 0..50_u64 {
        log.append(format!("block {index}")).await.unwrap();
        let follower =
            Hypercore::builder(scratch.path()).access(Access::Follow).open().await.unwrap();
        assert_eq!(follower.length(), index + 1);
        let last = follower.get_local(index).await.unwrap().unwrap();
        assert_eq!(last, format!("block {index}"));
        assert!(!follower.writable());
    }
}
