//! Streams that carry many logs: offers, hooks, who is let in, and how each end is told.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{block, connect, reader, writer};
use hypercore::{
    EndReason, ErrorKind, Hypercore, KeyPair, PeerOptions, ProtocolStream, Role, StreamOptions,
};

fn pair(one: StreamOptions, other: StreamOptions) -> (ProtocolStream, ProtocolStream) {
    let (here, there) = tokio::io::duplex(16 * 1024);
    let initiator = ProtocolStream::new(here, Role::Initiator, one);
    (initiator, ProtocolStream::new(there, Role::Responder, other))
}

#[tokio::test]
async fn many_logs_share_one_stream() {
    let (left, right) = pair(StreamOptions::new(), StreamOptions::new());
    let mut copies = Vec::new();
    for blocks in 1..=40 {
        let log = writer(blocks).await;
        let copy = reader(&log).await;
        // Either side may be first, and serve or fetch.
        if blocks % 2 == 0 {
            left.add(&log).unwrap();
            right.add(&copy).unwrap();
        } else {
            left.add(&copy).unwrap();
            right.add(&log).unwrap();
        }
        copies.push((blocks, copy));
    }
    for (blocks, copy) in &copies {
        assert_eq!(copy.get(*blocks as u64 - 1).await.unwrap(), block(blocks - 1));
    }
    left.close();
    assert!(matches!(left.await, EndReason::Closed));
    assert!(matches!(right.await, EndReason::Ended));
}

/// Lets everything happen that can.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_comes_for_one_log_finds_it_whenever_the_stream_runs() {
    let (log, other) = (writer(3).await, writer(1).await);
    let (copy, other_copy) = (reader(&log).await, reader(&other).await);
    for (copy, log) in [(&copy, &log), (&other_copy, &other)] {
        let (here, there) = tokio::io::duplex(16 * 1024);
        let options = StreamOptions::new().log(&other).log_with(log, PeerOptions::new());
        let stream = ProtocolStream::new(here, Role::Responder, options);
        let replication = copy.replicate(there, Role::Initiator);
        settle().await;
        assert_eq!(copy.get(0).await.unwrap(), block(0));
        drop(stream);
        assert!(matches!(replication.await, EndReason::Ended));
    }
}

/// A refusal is not for good, whoever it was that came too early.
#[tokio::test]
async fn a_log_that_was_refused_is_replicated_once_it_is_added() {
    for reader_is_first in [true, false] {
        let (left, right) = pair(StreamOptions::new(), StreamOptions::new());
        let log = writer(3).await;
        let copy = reader(&log).await;
        let (first, second) = if reader_is_first { (&copy, &log) } else { (&log, &copy) };
        left.add(first).unwrap();
        settle().await;
        if reader_is_first {
            assert!(!copy.update().await.unwrap(), "it was refused: there is nothing to wait for");
        }
        right.add(second).unwrap();
        assert_eq!(copy.get(2).await.unwrap(), block(2));
    }
}

#[tokio::test]
async fn a_replication_ends_with_its_own_log_only() {
    let (log, other, stranger) = (writer(3).await, writer(1).await, writer(1).await);
    let (copy, other_copy, lost) =
        (reader(&log).await, reader(&other).await, reader(&stranger).await);
    let (there, here) = connect(&copy, &log);
    // One that the other side refuses, and one that it closes.
    there.stream().add(&lost).unwrap();
    here.stream().add(&other).unwrap();
    there.stream().add(&other_copy).unwrap();
    assert_eq!(other_copy.get(0).await.unwrap(), block(0));
    assert!(!lost.update().await.unwrap());
    other.close().await.unwrap();
    settle().await;
    assert_eq!(copy.get(2).await.unwrap(), block(2));
    log.close().await.unwrap();
    let end = there.await;
    assert!(matches!(end, EndReason::ChannelClosed | EndReason::Ended), "{end:?}");
    assert!(matches!(here.await, EndReason::LogClosed));
}

#[tokio::test]
async fn an_offer_is_decided_on_by_the_hook() {
    let (log, stranger) = (writer(3).await, writer(1).await);
    let asked = Arc::new(AtomicUsize::new(0));
    let served = log.clone();
    let counted = Arc::clone(&asked);
    let options = StreamOptions::new().on_offer(move |offer| {
        counted.fetch_add(1, Ordering::Relaxed);
        let found = (offer.discovery_key == served.discovery_key()).then(|| served.clone());
        assert!(offer.remote_public_key.is_some());
        async move {
            tokio::task::yield_now().await;
            found
        }
    });
    let (left, _right) = pair(StreamOptions::new(), options);
    let copy = reader(&log).await;
    let other = reader(&stranger).await;
    left.add(&other).unwrap();
    left.add(&copy).unwrap();
    assert_eq!(copy.get(2).await.unwrap(), block(2));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert!(other.peers().await.unwrap().is_empty());
    // Refused, so there is nothing to wait for.
    assert!(!other.update().await.unwrap());
}

#[tokio::test]
async fn who_is_not_allowed_is_told_nothing() {
    let log = writer(1).await;
    let known = KeyPair::from_seed(&[7; 32]);
    let public = known.public();
    let options = || StreamOptions::new().allow(move |key| async move { key == public });

    let (left, right) = pair(StreamOptions::new().key_pair(known), options());
    left.opened().await.unwrap();
    right.opened().await.unwrap();
    assert_eq!(right.remote_public_key(), Some(public));
    assert_eq!(left.handshake_hash(), right.handshake_hash());
    assert!(left.handshake_hash().is_some());

    let (left, right) = pair(StreamOptions::new(), options());
    right.add(&log).unwrap();
    assert!(matches!(right.opened().await, Err(EndReason::NotAllowed)));
    assert!(matches!(right.await, EndReason::NotAllowed));
    assert!(matches!(left.await, EndReason::Ended));
}

#[tokio::test]
async fn another_log_is_rejected() {
    let (log, other) = (writer(1).await, writer(1).await);
    let copy = reader(&other).await;
    let (there, here) = connect(&copy, &log);
    let ends = (there.await, here.await);
    assert!(matches!(ends, (EndReason::Rejected | EndReason::Ended, _)), "{ends:?}");
    assert!(matches!(ends, (_, EndReason::Rejected | EndReason::Ended)), "{ends:?}");
    assert_eq!((copy.length(), log.length()), (0, 1));
}

#[tokio::test]
async fn a_log_that_closes_ends_its_replication() {
    let log = writer(1).await;
    let copy = reader(&log).await;
    let (there, here) = connect(&copy, &log);
    copy.get(0).await.unwrap();
    let waiting = tokio::spawn({
        let copy = copy.clone();
        async move { copy.get(5).await }
    });
    tokio::task::yield_now().await;
    copy.close().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(matches!(there.await, EndReason::LogClosed));
    let end = here.await;
    assert!(matches!(end, EndReason::ChannelClosed | EndReason::Ended), "{end:?}");
    assert_eq!(log.get(0).await.unwrap(), block(0));
    assert!(log.peers().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_detached_replication_goes_on_and_keeps_its_log_open() {
    let memory = hypercore::MemoryStorage::new();
    let log = Hypercore::open(memory).await.unwrap();
    log.append("kept").await.unwrap();
    let copy = reader(&log).await;
    let (there, here) = connect(&copy, &log);
    here.detach();
    drop(log);
    assert_eq!(copy.get(0).await.unwrap(), "kept");
    drop(there);
}

#[tokio::test]
async fn a_peer_that_may_not_have_blocks_gets_none() {
    let log = writer(2).await;
    let copy = reader(&log).await;
    let (left, right) = pair(StreamOptions::new(), StreamOptions::new());
    left.add_with(&log, PeerOptions::new().upload(false)).unwrap();
    right.add(&copy).unwrap();
    let waiting = tokio::spawn({
        let copy = copy.clone();
        async move { copy.get(1).await }
    });
    while log.peers().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let peers = log.peers().await.unwrap();
    assert!(!peers[0].info().upload);
    assert!(!copy.has(1).await.unwrap());
    peers[0].set_upload(true);
    assert_eq!(waiting.await.unwrap().unwrap(), block(1));
    let peers = log.peers().await.unwrap();
    assert_eq!(peers[0].info().blocks_uploaded, 1);
}
