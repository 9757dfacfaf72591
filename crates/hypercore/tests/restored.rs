//! Backups that were restored: what they refuse, and how they get to write again without forking the log.

mod common;

use std::time::Duration;

use common::{block, connect, reader, writer};
use hypercore::{Hypercore, PeerOptions, ProtocolStream, Role, StreamOptions};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

/// A backup of `log`, opened. The directory lives as long as the first value.
async fn restored(log: &Hypercore) -> (TempDir, Hypercore) {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("backup");
    log.backup(&directory).await.unwrap();
    (scratch, Hypercore::open(directory).await.unwrap())
}

/// Connects two logs until one has what the other has.
async fn follow(copy: &Hypercore, log: &Hypercore) {
    let (there, here) = connect(copy, log);
    copy.download(0..log.length()).unwrap().done().await.unwrap();
    assert_eq!((copy.fork(), copy.length()), (log.fork(), log.length()));
    drop((there, here));
}

async fn head(log: &Hypercore) -> (u64, u64, hypercore::Hash) {
    let info = log.info().await.unwrap();
    (info.fork, info.length, info.tree_hash)
}

/// What it is all about: the writer is lost, and with it the blocks after the backup, but for those that a peer has.
#[tokio::test]
async fn a_writer_restored_from_a_backup_goes_on_where_its_peers_are() {
    let original = writer(10).await;
    let peer = reader(&original).await;
    let (_scratch, restored) = restored(&original).await;
    original.append_batch((10..15).map(block)).await.unwrap();
    follow(&peer, &original).await;
    original.close().await.unwrap();

    assert_eq!(restored.length(), 10);
    let _both = connect(&restored, &peer);
    let survey = restored.confirm_with_peers(DEADLINE).await.unwrap();
    assert_eq!(survey.answered[0].length, 15);
    assert!(!restored.needs_confirmation().unwrap());
    assert_eq!(head(&restored).await, head(&peer).await);
    restored.append("after the loss").await.unwrap();

    // No fork: whoever had the old blocks takes the new one.
    assert_eq!(peer.get(15).await.unwrap(), "after the loss");
    assert_eq!(head(&restored).await, head(&peer).await);
    assert!(peer.conflict().unwrap().is_none() && restored.conflict().unwrap().is_none());
    assert_eq!(restored.get(12).await.unwrap(), block(12));
    assert!(restored.verify().await.unwrap().is_ok() && peer.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_restored_writer_refuses_to_sign_until_it_is_confirmed() {
    let original = writer(10).await;
    let (scratch, log) = restored(&original).await;
    for error in [
        log.append("no").await.unwrap_err(),
        log.append_batch(["no"; 100]).await.unwrap_err(),
        log.truncate(5, None).await.unwrap_err(),
    ] {
        assert!(error.is_unconfirmed_backup() && !error.is_not_writable(), "{error}");
    }
    assert_eq!(log.get(3).await.unwrap(), block(3));
    assert!(!log.update().await.unwrap());

    // The mark outlives the handle.
    log.close().await.unwrap();
    let directory = scratch.path().join("backup");
    let log = Hypercore::open(&directory).await.unwrap();
    assert!(log.append("no").await.unwrap_err().is_unconfirmed_backup());
    log.confirm_newest().await.unwrap();
    assert!(!log.info().await.unwrap().needs_confirmation);
    log.append("yes").await.unwrap();
    log.close().await.unwrap();
    let log = Hypercore::open(&directory).await.unwrap();
    assert!(!log.needs_confirmation().unwrap());
    log.truncate(5, None).await.unwrap();
    assert_eq!(log.length(), 5);
}

#[tokio::test]
async fn a_batch_of_a_restored_log_is_committed_once_that_is_confirmed() {
    let (_scratch, log) = restored(&writer(3).await).await;
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("four").await.unwrap();
    assert!(batch.commit().await.unwrap_err().is_unconfirmed_backup());
    assert_eq!((log.length(), batch.length()), (3, 4));
    log.confirm_newest().await.unwrap();
    assert_eq!(batch.commit().await.unwrap().length, 4);
    assert_eq!(log.get(3).await.unwrap(), "four");
}

#[tokio::test]
async fn a_truncation_since_the_backup_is_taken_over() {
    let original = writer(10).await;
    let peer = reader(&original).await;
    let (_scratch, restored) = restored(&original).await;
    original.truncate(4, Some(3)).await.unwrap();
    original.append_batch(["another", "history"]).await.unwrap();
    follow(&peer, &original).await;
    original.close().await.unwrap();

    let _both = connect(&restored, &peer);
    restored.confirm_with_peers(DEADLINE).await.unwrap();
    assert_eq!((restored.fork(), restored.length()), (3, 6));
    assert_eq!(head(&restored).await, head(&peer).await);
    restored.append("goes on").await.unwrap();
    assert_eq!(peer.get(6).await.unwrap(), "goes on");
    assert_eq!(restored.get(4).await.unwrap(), "another");
    assert!(peer.conflict().unwrap().is_none());
}

#[tokio::test]
async fn the_newest_of_several_peers_counts() {
    let original = writer(10).await;
    let (old, new) = (reader(&original).await, reader(&original).await);
    follow(&old, &original).await;
    let (_scratch, restored) = restored(&original).await;
    original.append_batch((10..15).map(block)).await.unwrap();
    follow(&new, &original).await;
    original.close().await.unwrap();
    let _peers = [connect(&restored, &old), connect(&restored, &new)];
    while restored.peers().await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    let survey = restored.confirm_with_peers(DEADLINE).await.unwrap();
    assert_eq!(survey.answered.len(), 2);
    assert_eq!(restored.length(), 15);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_nothing_is_confirmed() {
    let (_scratch, log) = restored(&writer(10).await).await;
    let error = log.confirm_with_peers(DEADLINE).await.unwrap_err();
    assert!(error.is_unconfirmed_backup(), "{error}");
    assert!(log.needs_confirmation().unwrap());

    // One that is connected and says nothing may have more.
    let (end, _other_end) = tokio::io::duplex(1024);
    let _silent = log.replicate(end, Role::Initiator);
    let error = log.confirm_with_peers(DEADLINE).await.unwrap_err();
    assert!(error.is_unconfirmed_backup(), "{error}");
    assert!(log.append("no").await.unwrap_err().is_unconfirmed_backup());
}

#[tokio::test]
async fn a_peer_that_comes_in_time_is_waited_for() {
    let original = writer(10).await;
    let peer = reader(&original).await;
    follow(&peer, &original).await;
    let (_scratch, restored) = restored(&original).await;
    let confirming = tokio::spawn({
        let restored = restored.clone();
        async move { restored.confirm_with_peers(DEADLINE).await }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!confirming.is_finished());
    let _both = connect(&restored, &peer);
    confirming.await.unwrap().unwrap();
    restored.append("goes on").await.unwrap();
}

/// It never saw what came after the backup, so it says nothing about that, also when it has caught up with the backup itself.
#[tokio::test]
async fn a_peer_that_had_less_does_not_vouch() {
    let original = writer(4).await;
    let (old, new) = (reader(&original).await, reader(&original).await);
    follow(&old, &original).await;
    original.append_batch((4..10).map(block)).await.unwrap();
    let (_scratch, restored) = restored(&original).await;
    for peer in [old, new] {
        let both = connect(&restored, &peer);
        for _ in 0..2 {
            let error = restored.confirm_with_peers(DEADLINE).await.unwrap_err();
            assert!(error.is_unconfirmed_backup(), "{error}");
            peer.download(0..10).unwrap().done().await.unwrap();
        }
        drop(both);
    }
    assert!(restored.needs_confirmation().unwrap());
}

#[tokio::test]
async fn a_log_that_needs_no_confirmation_asks_all_the_same() {
    let log = writer(3).await;
    let peer = reader(&log).await;
    let _both = connect(&log, &peer);
    peer.update().await.unwrap();
    let survey = log.confirm_with_peers(DEADLINE).await.unwrap();
    assert_eq!(survey.answered.len(), 1);
    log.append("still").await.unwrap();
}

/// A peer that is gone has not taken back what it told.
#[tokio::test]
async fn a_peer_that_had_more_and_left_is_not_forgotten() {
    let original = writer(10).await;
    let equal = reader(&original).await;
    follow(&equal, &original).await;
    let (_scratch, restored) = restored(&original).await;
    original.append("the eleventh").await.unwrap();

    // It tells that it has more, and gives nothing.
    let (one, other) = tokio::io::duplex(64 * 1024);
    let there = restored.replicate(one, Role::Initiator);
    let here = ProtocolStream::new(other, Role::Responder, StreamOptions::new());
    here.add_with(&original, PeerOptions::new().upload(false)).unwrap();
    while restored.peers().await.unwrap().iter().all(|peer| peer.info().remote_length < 11) {
        tokio::task::yield_now().await;
    }
    drop((there, here));
    while !restored.peers().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }

    let _both = connect(&restored, &equal);
    let error = restored.confirm_with_peers(DEADLINE).await.unwrap_err();
    assert!(error.is_unconfirmed_backup() && error.to_string().contains("11"), "{error}");
    let _both = connect(&restored, &original);
    restored.confirm_with_peers(DEADLINE).await.unwrap();
    assert_eq!(restored.length(), 11);
}
