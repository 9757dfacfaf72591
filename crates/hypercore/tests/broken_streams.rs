//! Carriers that break, stall, fall silent or carry nonsense: typed reasons, nothing lost, others
//! undisturbed.

mod common;

use std::time::Duration;

use common::{connect, reader, writer};
use hypercore::{
    EndReason, ErrorKind, HANDSHAKE_MAX, Hypercore, ProtocolStream, Role, SILENCE_MAX, STALL_MAX,
    StreamOptions,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// Two ends of a pipe that breaks, both ways, after `len` bytes have passed from the second to the
/// first.
fn breaking(len: u64) -> (DuplexStream, DuplexStream) {
    let (one, near) = tokio::io::duplex(4096);
    let (other, far) = tokio::io::duplex(4096);
    let (mut near_reads, mut near_writes) = tokio::io::split(near);
    let (far_reads, mut far_writes) = tokio::io::split(far);
    drop(tokio::spawn(async move {
        let mut limited = far_reads.take(len);
        tokio::select! {
            _ = tokio::io::copy(&mut near_reads, &mut far_writes) => {}
            _ = tokio::io::copy(&mut limited, &mut near_writes) => {}
        }
    }));
    (one, other)
}

fn is_broken(end: &EndReason) -> bool {
    matches!(end, EndReason::Cut(_) | EndReason::Ended)
}

/// The stream breaks in every byte of the handshake and of the first messages, and here and there
/// later. Each time a new one takes over, until all is there.
#[tokio::test]
async fn what_was_cut_off_is_resumed() {
    let log = writer(400).await;
    let lens = (0..600).chain((600..30_000).step_by(701));
    let mut copy = reader(&log).await;
    for len in lens {
        let (here, there) = breaking(len);
        let reading = copy.replicate(here, Role::Initiator);
        let serving = log.replicate(there, Role::Responder);
        let downloaded = tokio::select! {
            done = async { copy.download(..400)?.done().await } => { done.unwrap(); true }
            end = reading => { assert!(is_broken(&end), "after {len} bytes: {end:?}"); false }
        };
        if downloaded {
            assert!(copy.verify().await.unwrap().is_ok());
            copy = reader(&log).await;
        }
        drop(serving);
    }
    let _both = connect(&copy, &log);
    copy.download(..400).unwrap().done().await.unwrap();
    assert!(copy.verify().await.unwrap().is_ok());
    assert!(log.peers().await.unwrap().len() <= 2);
}

async fn end_of(log: &Hypercore, role: Role, bytes: &[u8]) -> EndReason {
    let (here, mut there) = tokio::io::duplex(64 * 1024);
    let replication = log.replicate(here, role);
    there.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let (end, _) = tokio::join!(replication, async {
        let _ = there.read_to_end(&mut answer).await;
    });
    end
}

#[tokio::test]
async fn nonsense_is_the_peers_fault() {
    let log = writer(1).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    let cases: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\n\r\n and so on and so on",
        &[0; 64],
        &[0xff; 64],
        &[
            32, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6,
            7, 8, 9, 0, 1, 2,
        ],
        &[255, 255, 255],
        &[1, 4, 0],
        &[0, 0, 0],
    ];
    for bytes in cases {
        let end = end_of(&log, Role::Responder, bytes).await;
        let EndReason::Fault(error) = &end else { panic!("{bytes:?}: {end:?}") };
        assert_eq!(error.kind(), ErrorKind::Peer, "{error}");
    }
    assert_eq!(copy.get(0).await.unwrap(), "block 0", "others are not disturbed");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_takes_so_long_and_no_longer() {
    let log = writer(1).await;
    let (here, mut there) = tokio::io::duplex(64);
    let began = tokio::time::Instant::now();
    let replication = log.replicate(here, Role::Responder);
    // One byte a second keeps nobody waiting.
    let dripping = tokio::spawn(async move {
        while there.write_all(&[32]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let end = replication.await;
    assert!(matches!(end, EndReason::HandshakeLate | EndReason::Fault(_)), "{end:?}");
    assert!(began.elapsed() <= HANDSHAKE_MAX + Duration::from_secs(1));
    dripping.await.unwrap();
}

/// A peer that says nothing any more, not even that it lives.
#[tokio::test(start_paused = true)]
async fn silence_has_an_end() {
    let log = writer(1).await;
    let copy = reader(&log).await;
    let (here, there) = tokio::io::duplex(64 * 1024);
    let began = tokio::time::Instant::now();
    let quiet = StreamOptions::new().keep_alive(None).silence_limit(None);
    let silent = copy.replicate_with(here, Role::Initiator, quiet);
    let end = log.replicate(there, Role::Responder).await;
    assert!(matches!(end, EndReason::Silent), "{end:?}");
    let took = began.elapsed();
    assert!(took >= SILENCE_MAX && took < SILENCE_MAX * 2, "{took:?}");
    silent.await;
}

/// Two peers that have nothing to say to each other stay connected.
#[tokio::test(start_paused = true)]
async fn keep_alives_keep_a_stream_alive() {
    let log = writer(1).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    copy.get(0).await.unwrap();
    tokio::time::sleep(SILENCE_MAX * 20).await;
    assert_eq!(log.peers().await.unwrap().len(), 1);
    log.append("still there").await.unwrap();
    assert_eq!(copy.get(1).await.unwrap(), "still there");
}

/// A peer that asks and never reads the answers.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_let_go() {
    let log = Hypercore::open(hypercore::Storage::memory()).await.unwrap();
    log.append_owned(vec![vec![7; 50_000].into(); 200]).await.unwrap();
    let (copy, other) = (reader(&log).await, reader(&log).await);
    let (here, near) = tokio::io::duplex(4096);
    let (there, far) = tokio::io::duplex(4096);
    let patient = StreamOptions::new().silence_limit(None);
    let reading = copy.replicate_with(here, Role::Initiator, patient);
    let serving = log.replicate(there, Role::Responder);
    // All that the reader says passes, and after a while nothing of what it is told.
    let (mut near_reads, mut near_writes) = tokio::io::split(near);
    let (far_reads, mut far_writes) = tokio::io::split(far);
    let relay = tokio::spawn(async move {
        let mut limited = far_reads.take(100_000);
        let stop = async {
            let _ = tokio::io::copy(&mut limited, &mut near_writes).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = tokio::io::copy(&mut near_reads, &mut far_writes) => {}
            () = stop => {}
        }
    });
    let began = tokio::time::Instant::now();
    let download = copy.download(..200).unwrap();
    let _both = connect(&other, &log);
    other.download(..200).unwrap().done().await.unwrap();
    let end = serving.await;
    assert!(matches!(end, EndReason::Stalled), "{end:?}");
    assert!(began.elapsed() >= STALL_MAX && began.elapsed() < STALL_MAX * 2);
    drop((download, reading));
    relay.await.unwrap();
    assert_eq!(log.peers().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stream_that_ends_before_the_handshake_says_so() {
    let (here, there) = tokio::io::duplex(64);
    let stream = ProtocolStream::new(here, Role::Responder, StreamOptions::new());
    drop(there);
    let end = stream.await;
    assert!(is_broken(&end), "{end:?}");
}
