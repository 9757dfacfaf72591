//! Peers that know the key and say more than anybody wants to hear: memory stays bounded, the peer is
//! read no further, and others get their blocks.

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::time::Duration;

use common::pipe::{HASH, Stranger, pipe};
use common::{block, connect, reader, writer};
use compact_encoding::Encode;
use counting::{Counting, live, peak, start_peak};
use hypercore::{Hypercore, ProtocolStream, Role, StreamOptions};
use hypercore_merkle::{BlockRequest, Request};
use hypercore_replication::{Bitfield, Cancel, Extension, Message, RangeMessage, Sync, Want};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a peer may make this side hold: 1 MiB and a frame. The rest is what the test itself holds, which
/// is the other end of the pipe.
const HELD_MAX: usize = 2 * 1024 * 1024;

/// What a peer says in all: many times what may be held.
const FLOOD_LEN: usize = 4 * 1024 * 1024;

/// Lets a peer say the same thing over and over to a log of `blocks` blocks, without ever reading.
async fn flood(log: &Hypercore, mut messages: impl FnMut(u64) -> Vec<Message>) {
    let (near, far) = pipe(2);
    let stream =
        ProtocolStream::from_messages(near, Role::Responder, HASH, None, StreamOptions::new());
    stream.add(log).unwrap();
    let mut stranger = Stranger::open(&log.key(), far).await;
    assert!(stranger.greet(0).await);
    let before = live();
    start_peak();
    let (mut sent, mut len) = (0, 0);
    while len < FLOOD_LEN {
        let flood = messages(sent);
        len += flood.iter().map(Encode::encoded_len).sum::<usize>();
        let said = stranger.say(flood);
        match tokio::time::timeout(Duration::from_millis(300), said).await {
            Ok(true) => sent += 1,
            // The stream has ended, or is not read any more.
            Ok(false) | Err(_) => break,
        }
    }
    let held = peak().saturating_sub(before);
    println!("{len} bytes in {sent} frames were said, {held} held");
    assert!(held <= HELD_MAX, "{held} bytes after {sent} frames");

    // Others do not notice.
    let copy = reader(log).await;
    let _both = connect(&copy, log);
    assert_eq!(copy.get(0).await.unwrap(), block(0));
}

#[tokio::test(start_paused = true)]
async fn floods_are_bounded() {
    let log = writer(100).await;
    // What a log keeps for itself once it is used is not the peer's.
    for index in 0..100 {
        log.get_local(index).await.unwrap();
    }
    let many = |message: fn(u64) -> Message| {
        move |round: u64| (0..1000).map(|number| message(round * 1000 + number)).collect()
    };
    flood(&log, many(request)).await;
    flood(&log, many(|id| Message::Cancel(Cancel { request_id: id }))).await;
    flood(&log, many(|at| Message::Want(Want { start: at << 21, length: 1 << 21, any: false })))
        .await;
    flood(
        &log,
        many(|at| {
            Message::Range(RangeMessage { drop: false, start: u64::MAX - at, length: u64::MAX })
        }),
    )
    .await;
    flood(
        &log,
        many(|fork| Message::Sync(Sync { fork, length: u64::MAX >> 12, ..Sync::default() })),
    )
    .await;
    flood(&log, many(|at| Message::Bitfield(Bitfield::new(at << 15, &[at as u32 | 1; 64])))).await;
    flood(&log, |at| vec![Message::Bitfield(Bitfield::new(at << 24, &[7; 65536]))]).await;
    // Nobody takes them, though somebody could.
    let _events = log.events();
    flood(&log, |_| {
        vec![Message::Extension(Extension { name: "x".into(), payload: vec![0; 60_000].into() })]
    })
    .await;
}

fn request(id: u64) -> Message {
    let block = BlockRequest { index: id % 100, nodes: 0 };
    Message::Request(Request { id: id + 1, block: Some(block), ..Request::default() })
}
