//! A replicator and peers that say what the fuzzer decides: anything at all, or honest answers, whole or spoiled.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compact_encoding::Encode;
use hypercore_log::Log;
use hypercore_merkle::{Data, Request};
use hypercore_replication::{
    Bitfield, Cancel, Extension, LogChange, Message, NoData, Options, Output, PeerId, PeerOptions,
    Progress, REQUESTS_PER_PEER_MAX, RangeMessage, RangeWish, Replicator, Sync, Want,
};

use crate::script::Script;
use crate::source::{request, sources, spoil};

/// Runs that may follow each other before something else must happen.
const RUNS_MAX: usize = 1000;

/// One log, its replicator, and peers.
#[derive(Debug)]
pub struct Conversation<'a> {
    log: &'a Log,
    replicator: Replicator,
    peers: Vec<PeerId>,
    /// Requests that were made, and to whom.
    asked: VecDeque<(PeerId, Request)>,
    now: Duration,
}

impl<'a> Conversation<'a> {
    /// Peers of `log` that have not said anything.
    #[must_use]
    pub fn new(log: &'a Log, script: &mut Script<'_>) -> Self {
        let options = Options::new().allow_push(script.byte() % 2 == 1);
        let mut replicator = Replicator::new(options);
        let peers = (0..3).map(|_| replicator.add_peer(PeerOptions::new())).collect();
        Self { log, replicator, peers, asked: VecDeque::new(), now: Duration::ZERO }
    }

    /// Everything that the input has to say.
    pub fn go_on(&mut self, script: &mut Script<'_>) {
        while !script.is_empty() {
            let peer = self.peers[usize::from(script.byte()) % self.peers.len()];
            match script.byte() % 16 {
                0 => self.replicator.set_room(peer, script.below(4096)),
                1 => self.now += Duration::from_millis(script.number() % 10_000),
                2 => self.change(script),
                3 => self.wish(script),
                4..=6 => self.run(),
                _ => {
                    let Some(message) = self.message(peer, script) else { continue };
                    reads_back(&message);
                    if self.replicator.wants_input(peer)
                        && self.replicator.receive(peer, message).is_err()
                    {
                        self.replicator.remove_peer(peer);
                        self.come_again(peer);
                    }
                }
            }
            let mut queued = self.replicator.peers().map(|(_, peer)| peer.queued);
            assert!(queued.all(|queued| queued <= REQUESTS_PER_PEER_MAX));
        }
        self.run();
    }

    /// Whether two signed histories were found.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        self.replicator.conflict().is_some()
    }

    /// Lets the replicator work until it has nothing more to do.
    fn run(&mut self) {
        for _ in 0..RUNS_MAX {
            let progress = self.replicator.run(self.log, self.now);
            while let Some(output) = self.replicator.next_output() {
                match output {
                    Output::Send { peer, message } => {
                        reads_back(&message);
                        if let Message::Request(request) = message {
                            self.asked.push_back((peer, request));
                        }
                    }
                    Output::Close { peer, .. } => self.come_again(peer),
                    other => panic!("{other:?}"),
                }
            }
            while self.replicator.next_event().is_some() {}
            match progress {
                Progress::More => {}
                Progress::Until(time) => return assert!(time > self.now, "it is {:?}", self.now),
                Progress::Idle => return,
            }
        }
        panic!("it never ends");
    }

    fn come_again(&mut self, peer: PeerId) {
        for other in &mut self.peers {
            if *other == peer {
                *other = self.replicator.add_peer(PeerOptions::new());
            }
        }
        self.asked.retain(|(to, _)| *to != peer);
    }

    /// What the owner of the log may do, where it may.
    fn change(&mut self, script: &mut Script<'_>) {
        let length = self.log.length();
        let change = match script.byte() % 4 {
            0 | 1 => self.log.append(&[script.take(3)]).map(|_| LogChange::Appended).ok(),
            2 => {
                let length = script.number() % (length + 1);
                self.log.truncate(length, None).map(|_| LogChange::Truncated { length }).ok()
            }
            _ => {
                let start = script.number() % (length + 1);
                let blocks = start..length.min(start + script.number() % 8);
                self.log.clear(blocks.clone()).map(|_| LogChange::Cleared(blocks)).ok()
            }
        };
        if let Some(change) = change {
            self.replicator.log_changed(change);
        }
    }

    fn wish(&mut self, script: &mut Script<'_>) {
        let number = script.number();
        match script.byte() % 4 {
            0 => self.replicator.want_block(number % 32, script.byte().into()),
            1 => self.replicator.want_range(RangeWish::new(0..number)),
            2 => self.replicator.want_seek(number % 500, 0),
            _ => self.replicator.want_hash((number % 64).into()),
        };
    }

    /// Any message; `None` when bytes were to be one and are none.
    fn message(&mut self, peer: PeerId, script: &mut Script<'_>) -> Option<Message> {
        let (start, length, flags) = (script.number(), script.number(), script.byte());
        Some(match script.byte() % 16 {
            0 => {
                let payload = Bytes::copy_from_slice(script.take(flags.into()));
                Message::decode(start % 11, &payload).ok()??
            }
            1 | 2 => Message::Sync(Sync {
                can_upgrade: flags & 1 != 0,
                uploading: flags & 2 == 0,
                downloading: flags & 4 == 0,
                has_manifest: flags & 8 == 0,
                allow_push: flags & 16 != 0,
                fork: u64::from(flags >> 6),
                length,
                remote_length: start,
            }),
            3..=5 => {
                let priority = u64::from(flags & 1);
                Message::Request(Request { id: start, priority, ..request(script, length) })
            }
            6 => Message::Cancel(Cancel { request_id: start }),
            7 => Message::NoData(NoData { request_id: start, reason: None }),
            8 => Message::Want(Want { start, length, any: flags & 1 != 0 }),
            9 => Message::Unwant(Want { start, length, any: flags & 1 != 0 }),
            10 => {
                let words = [u32::from(flags), u32::MAX, 0];
                let words = words.iter().cycle().take(script.byte().into());
                Message::Bitfield(Bitfield::new(start, &words.copied().collect::<Vec<_>>()))
            }
            11 => Message::Range(RangeMessage { drop: flags & 1 != 0, start, length }),
            12 => Message::Extension(Extension {
                name: Arc::from("chat"),
                payload: Bytes::copy_from_slice(script.take(3)),
            }),
            _ => self.answer(peer, script)?,
        })
    }

    /// What one of the sources answers to something that was asked, or to something that was not.
    fn answer(&mut self, peer: PeerId, script: &mut Script<'_>) -> Option<Message> {
        let source = &sources()[usize::from(script.byte()) % sources().len()];
        let (is_asked, spoiled) = (script.byte() % 8 > 0, script.byte() % 4);
        let asked = if is_asked {
            let place = self.asked.iter().position(|(to, _)| *to == peer)?;
            self.asked.remove(place)?.1
        } else {
            request(script, 0)
        };
        let mut proof = source.answer(&asked)?;
        for _ in 0..spoiled {
            let other = source.answer(&request(script, 0)).unwrap_or_default();
            spoil(&mut proof, &other, &source.nodes, script);
        }
        Some(Message::Data(Box::new(Data { request_id: asked.id, proof })))
    }
}

/// Whatever is said is written, read and written as the same bytes, unless it has numbers that nobody may send.
fn reads_back(message: &Message) {
    let payload = Bytes::from(message.to_vec());
    assert_eq!(payload.len(), message.encoded_len());
    if let Ok(read) = Message::decode(message.kind(), &payload) {
        assert_eq!(read.map(|read| read.to_vec()), Some(payload.to_vec()));
    }
}
