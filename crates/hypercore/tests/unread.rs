//! Peers that send faster than they are read, or never read: what waits for them stays bounded, in frames that come
//! in as well as in answers that go out.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use common::pipe::{HASH, Stranger, pipe};
use common::writer;
use hypercore::{ProtocolStream, Role, StreamOptions};
use hypercore_replication::{Cancel, Message};
use protomux::{Mux, Options};

/// A frame that counts itself while it is kept.
struct Kept {
    frame: Bytes,
    alive: Arc<AtomicUsize>,
}

impl Kept {
    fn wrap(frame: Bytes, alive: &Arc<AtomicUsize>) -> Bytes {
        alive.fetch_add(1, Ordering::Relaxed);
        Bytes::from_owner(Self { frame, alive: Arc::clone(alive) })
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn no_frame_is_read_before_the_last_one_is_used_up() {
    let log = writer(3).await;
    let (near, far) = pipe(usize::MAX);
    let stream =
        ProtocolStream::from_messages(near, Role::Responder, HASH, None, StreamOptions::new());
    stream.add(&log).unwrap();
    let mut stranger = Stranger::open(&log.key(), far).await;
    assert!(stranger.greet(0).await);

    // Small messages, which take much more than their bytes once they are decoded: a frame is read in many steps.
    let frame = stranger.frame((0..20_000).map(|id| Message::Cancel(Cancel { request_id: id })));
    let alive = Arc::new(AtomicUsize::new(0));
    let mut most = 0;
    for _ in 0..20 {
        // Two wait in the queue of the pipe, or to be put there.
        stranger.far.to.send(Kept::wrap(frame.clone(), &alive)).await.unwrap();
        most = most.max(alive.load(Ordering::Relaxed));
    }
    assert!(most <= 3, "{most} frames were kept");
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_reads_end_the_reading() {
    let (near, mut far) = pipe(1);
    let options = StreamOptions::new();
    let _stream = ProtocolStream::from_messages(near, Role::Responder, HASH, None, options);

    for _ in 0..1000 {
        // What is rejected has its number back, so the same frame may come for ever.
        let mut mux = Mux::new(Options::default());
        let unknown = mux.add_protocol("unknown", &[]);
        mux.cork();
        for number in 0..200_u64 {
            mux.open(unknown, &number.to_le_bytes(), b"").unwrap();
        }
        mux.uncork();
        let frame = Bytes::from(mux.next_frame().unwrap());
        if tokio::time::timeout(Duration::from_secs(1), far.to.send(frame)).await.is_err() {
            break;
        }
    }
    let mut len = 0;
    while let Ok(frame) = far.from.try_recv() {
        len += frame.len();
    }
    assert!(len <= 16 * 1024, "{len} bytes of answers wait");
}
