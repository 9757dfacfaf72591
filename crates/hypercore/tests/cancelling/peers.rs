//! Calls that wait for peers, one after the other on one connection, and what is dropped with it.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hypercore::{ErrorKind, Hypercore, PeerInfo, Storage};

use crate::common::{block, connect, reader, writer};

/// Polls a future so many times, letting others run in between, then drops it.
async fn poll_and_drop(future: impl Future, polls: usize) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn only_peer(log: &Hypercore) -> PeerInfo {
    log.peers().await.unwrap()[0].info().clone()
}

#[tokio::test]
async fn whatever_is_dropped_the_next_call_works() {
    for polls in 0..12 {
        let log = writer(50).await;
        let copy = reader(&log).await;
        let both = connect(&copy, &log);
        poll_and_drop(copy.get(7), polls).await;
        poll_and_drop(copy.get(1_000_000), polls).await;
        poll_and_drop(copy.seek(11), polls).await;
        poll_and_drop(copy.seek(1_000_000), polls).await;
        poll_and_drop(copy.update(), polls).await;
        poll_and_drop(copy.wait_for_length(99), polls).await;
        poll_and_drop(copy.tree_hash(13), polls).await;
        poll_and_drop(copy.peers(), polls).await;
        poll_and_drop(copy.download(..).unwrap().done(), polls).await;
        poll_and_drop(log.get(77), polls).await;
        poll_and_drop(log.append("appended"), 0).await;
        assert_eq!(copy.get(49).await.unwrap(), block(49));
        drop(both);
    }
}

#[tokio::test]
async fn a_download_that_is_dropped_asks_for_nothing_more() {
    let log = writer(4000).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    copy.update().await.unwrap();
    let download = copy.download(..).unwrap();
    while download.progress().unwrap().stored == 0 {
        tokio::task::yield_now().await;
    }
    drop(download);
    // One more request and its answer: whatever was under way before has come by then.
    copy.get(3999).await.unwrap();
    while only_peer(&copy).await.in_flight > 0 {
        tokio::task::yield_now().await;
    }
    let stored = copy.info().await.unwrap().contiguous_length;
    assert!(stored < 4000 || only_peer(&copy).await.blocks_downloaded == 4000);
    copy.download(..4000).unwrap().done().await.unwrap();
    assert_eq!(copy.contiguous_length(), 4000);
}

#[tokio::test]
async fn a_handle_for_reading_does_not_wait_for_what_never_comes() {
    let memory = hypercore::MemoryStorage::new();
    Hypercore::open(memory.clone()).await.unwrap().append("x").await.unwrap();
    let log = Hypercore::builder(memory).read_only().open().await.unwrap();
    assert_eq!(log.get(0).await.unwrap(), "x");
    let error = log.get(1).await.unwrap_err();
    assert!(error.is_not_stored() && error.kind() == ErrorKind::Caller);
    assert!(log.download(..).unwrap_err().is_not_stored());
    assert!(log.wait_for_length(2).await.unwrap_err().is_not_stored());

    // It serves what it has all the same.
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    assert_eq!(copy.get(0).await.unwrap(), "x");
}

#[tokio::test]
async fn dropping_the_last_handle_frees_the_directory_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let log = Hypercore::open(scratch.path()).await.unwrap();
        log.append(block(round)).await.unwrap();
        let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await.unwrap();
        let (there, here) = connect(&copy, &log);
        assert_eq!(copy.get(round as u64).await.unwrap(), block(round));
        drop(there);
        here.await;
        drop(log);
    }
}

#[tokio::test]
async fn an_end_is_told_to_all_who_ask() {
    let log = writer(1).await;
    let copy = reader(&log).await;
    let (there, here) = connect(&copy, &log);
    copy.get(0).await.unwrap();
    there.close();
    assert!(there.ended().await.is_clean());
    assert!(there.ended().await.is_clean());
    assert!(here.await.is_clean());
    let error = there.stream().add(&log).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(Poll::Ready(there.await).is_ready());
}
