//! A peer that sends any frames after an honest opening, to a writer and to readers: it is sent away or borne, takes no
//! more memory than a peer may, and what the log has in the end was signed.
#![no_main]

use bytes::Bytes;
use hypercore_crypto::Side;
use hypercore_fuzz::{Disk, Script, bounded, check, readers, sources};
use hypercore_log::{Access, Log};
use hypercore_replication::{
    Connection, ConnectionEvent, Options, Output, PeerOptions, RangeWish, Replicator,
};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

/// Bytes that a busy peer may take, besides what it sends.
const BUSY_LEN_MAX: usize = 1 << 20;

/// A frame: anything, or a message of the log's channel, or a batch of some.
fn frame(script: &mut Script<'_>) -> Bytes {
    let (shape, kind, len) = (script.byte() % 8, script.byte() % 11, script.byte());
    let payload = script.take(usize::from(len));
    match shape {
        0 => Bytes::copy_from_slice(payload),
        1 => [&[0, 0, 1][..], payload].concat().into(),
        _ => [&[1, kind][..], payload].concat().into(),
    }
}

fn talk(log: &Log, script: &mut Script<'_>) {
    let mut connection = Connection::new(Side::Responder, &[7; 64], protomux::Options::default());
    let mut other = Connection::new(Side::Initiator, &[7; 64], protomux::Options::default());
    let mut replicator = Replicator::new(Options::new());
    replicator.want_range(RangeWish::new(0..));
    let (mut channel, mut peer) = (connection.open(&log.key()).ok(), None);
    other.open(&log.key()).expect("nothing is open yet");
    connection.receive(other.next_frame().expect("it opened a channel").into());
    for turn in 0.. {
        while peer.is_none_or(|peer| replicator.wants_input(peer)) {
            match connection.next_event() {
                Err(_) => return,
                Ok(None) => break,
                Ok(Some(ConnectionEvent::Opened { .. })) => {
                    peer = Some(replicator.add_peer(PeerOptions::new()));
                }
                Ok(Some(ConnectionEvent::Message { message, .. })) => {
                    if peer.is_some_and(|peer| replicator.receive(peer, message).is_err()) {
                        return;
                    }
                }
                Ok(Some(ConnectionEvent::Closed { .. })) => return,
                Ok(Some(ConnectionEvent::Offered { discovery_key })) => {
                    connection.reject(&discovery_key);
                }
                Ok(Some(_)) => {}
            }
        }
        let _ = replicator.run(log, Duration::from_millis(100) * turn);
        while replicator.next_event().is_some() {}
        while let Some(output) = replicator.next_output() {
            match (output, channel) {
                (Output::Send { message, .. }, Some(channel)) => {
                    connection.send(channel, &message).expect("it is open");
                }
                (Output::Close { .. }, _) => channel = None,
                _ => {}
            }
        }
        while connection.next_frame().is_some() {}
        if script.is_empty() || channel.is_none() {
            return;
        }
        connection.receive(frame(script));
    }
}

fuzz_target!(|input: &[u8]| {
    let script = &mut Script::new(input);
    let kind = script.below(4);
    let disk = if kind == 0 { Disk::default() } else { Disk::with(&readers()[kind - 1]) };
    let log = if kind == 0 {
        disk.create()
    } else {
        disk.open(Access::ReadWrite).expect("it was written by a log")
    };
    if kind == 0 {
        log.append(&sources()[0].blocks).expect("memory holds thirteen blocks");
    }
    bounded(BUSY_LEN_MAX, input.len(), || talk(&log, script));
    check(&log);
});
