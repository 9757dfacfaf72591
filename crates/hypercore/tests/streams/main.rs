//! A log as streams of blocks and of bytes, and as a sink.

#[path = "../common/mod.rs"]
mod common;

mod batches;
mod bytes;
mod live;
mod peers;
mod read;
mod write;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hypercore::{ByteStream, Hypercore, ReadStream, Result};

/// All blocks that are left.
pub(crate) async fn rest(stream: &mut ReadStream) -> Result<Vec<String>> {
    let mut blocks = Vec::new();
    while let Some(block) = stream.next().await {
        blocks.push(String::from_utf8(block?.to_vec()).unwrap());
    }
    Ok(blocks)
}

/// All bytes that are left.
pub(crate) async fn rest_of_bytes(stream: &mut ByteStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        assert!(!piece.is_empty());
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Lets everything happen that can.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A block that waits: it is polled, and is not there.
pub(crate) async fn assert_waits(stream: &mut ReadStream) {
    tokio::select! {
        biased;
        block = stream.next() => panic!("it did not wait: {block:?}"),
        () = settle() => {}
    }
}

/// What is left of requests and wishes at a peer, once all is settled.
pub(crate) async fn in_flight(log: &Hypercore) -> u64 {
    let peers = log.peers().await.unwrap();
    peers.iter().map(|peer| u64::try_from(peer.info().in_flight).unwrap()).sum()
}

/// Polls a future so many times, letting others run in between, then drops it. What it gave, if it was done.
pub(crate) async fn poll_and_drop<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(done);
        }
        tokio::task::yield_now().await;
    }
    None
}
