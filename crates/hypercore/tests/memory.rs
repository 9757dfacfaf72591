//! What peers make a log hold: nearly nothing while they are idle, a bounded amount whatever they do.

mod common;
#[path = "common/counting.rs"]
mod counting;

use common::{connect_through, reader, writer};
use counting::{Counting, live, peak, start_peak};
use hypercore::{Hypercore, ProtocolStream, Role, Storage, StreamOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

/// One test at a time: they count the memory of the whole process.
static ALONE: Mutex<()> = Mutex::const_new(());

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Lets everything that can run run until memory does not change any more.
async fn settle() -> usize {
    let mut before = live();
    for _ in 0..50 {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        let now = live();
        if now == before {
            break;
        }
        before = now;
    }
    live()
}

/// Both ends of the connections are in this process, so each counts twice, with its pipe.
#[tokio::test]
async fn a_thousand_idle_peers() {
    const PEERS: usize = 1000;
    let _alone = ALONE.lock().await;
    let log = writer(1000).await;
    let copy = reader(&log).await;
    {
        let _first = connect_through(&copy, &log, 512);
        copy.get(0).await.unwrap();
    }
    let before = settle().await;
    let mut streams = Vec::new();
    for _ in 0..PEERS {
        streams.push(connect_through(&copy, &log, 512));
    }
    while log.peers().await.unwrap().len() < PEERS || copy.peers().await.unwrap().len() < PEERS {
        tokio::task::yield_now().await;
    }
    for index in 0..500 {
        copy.get(index).await.unwrap();
    }
    let held = settle().await - before;
    let each = held / (2 * PEERS);
    println!("{each} bytes for each side of an idle connection, {held} for all {PEERS} twice");
    assert!(each <= 64 * 1024, "{each} bytes a peer");
    assert!(held <= 2 * 64 * 1024 * 1024, "{held} bytes in all");
    drop(streams);
    while !log.peers().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let left = settle().await.saturating_sub(before);
    assert!(left < held / 10, "{left} bytes of {held} were not given back");
}

#[tokio::test]
async fn before_the_handshake_a_peer_costs_next_to_nothing() {
    const PEERS: usize = 100;
    let _alone = ALONE.lock().await;
    let log = writer(1).await;
    let mut pipes: Vec<_> = (0..PEERS).map(|_| tokio::io::duplex(64)).collect();
    let before = settle().await;
    let mut streams = Vec::new();
    let mut theirs = Vec::new();
    for (here, mut there) in pipes.drain(..) {
        let stream = ProtocolStream::new(here, Role::Responder, StreamOptions::new());
        stream.add(&log).unwrap();
        streams.push(stream);
        // The head of the longest frame, and a byte of it.
        there.write_all(&[0, 4, 0, 1]).await.unwrap();
        theirs.push(there);
    }
    let each = (settle().await - before) / PEERS;
    println!("{each} bytes for a peer before the handshake");
    assert!(each <= 8 * 1024, "{each} bytes a peer");
}

/// A peer that asks for everything and reads nothing of it, and one that is asked for everything.
#[tokio::test]
async fn a_busy_peer_is_bounded() {
    let _alone = ALONE.lock().await;
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    log.append_owned(vec![vec![7; 60_000].into(); 1000]).await.unwrap();
    let copy = reader(&log).await;
    {
        // What a log keeps for itself once it is used is not the peer's.
        let _first = connect_through(&copy, &log, 512);
        copy.get(0).await.unwrap();
        copy.get_local(0).await.unwrap();
    }
    let (here, near) = tokio::io::duplex(1024);
    let (there, far) = tokio::io::duplex(1024);
    let (mut near_reads, mut near_writes) = tokio::io::split(near);
    let (far_reads, mut far_writes) = tokio::io::split(far);
    let (go_on, may_go_on) = tokio::sync::oneshot::channel();
    drop(tokio::spawn(async move { tokio::io::copy(&mut near_reads, &mut far_writes).await }));
    drop(tokio::spawn(async move {
        let mut first = far_reads.take(200_000);
        let _ = tokio::io::copy(&mut first, &mut near_writes).await;
        let _ = may_go_on.await;
        let _ = tokio::io::copy(first.get_mut(), &mut near_writes).await;
    }));
    let before = settle().await;
    let _both = (copy.replicate(here, Role::Initiator), log.replicate(there, Role::Responder));
    copy.update().await.unwrap();
    let mut download = copy.download(..1000).unwrap();
    start_peak();
    let held = settle().await.saturating_sub(before);
    let most = peak().saturating_sub(before);
    println!("{held} bytes while the peer does not read, at most {most}");
    // Both sides are counted, each of which may hold 1 MiB and a frame, and what one has stored.
    let stored = usize::try_from(download.progress().unwrap().stored).unwrap() * 60_000;
    println!("{stored} of them are stored blocks");
    assert!(most - stored <= 2 * (1024 + 64) * 1024, "{most}");
    go_on.send(()).unwrap();
    start_peak();
    download.done().await.unwrap();
    // What is stored here counts as well: the memory of the copy.
    let most = peak().saturating_sub(before).saturating_sub(60_000 * 1000);
    println!("at most {most} bytes besides the blocks while all of them pass");
    assert!(most <= 4 * 1024 * 1024, "{most}");
}
