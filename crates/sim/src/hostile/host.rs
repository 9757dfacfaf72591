//! An honest program: one log, its replicator, and sessions with peers, driven as the facade drives them.

use std::time::Duration;

use bytes::BytesMut;
use hypercore_crypto::{CoreKey, Side};
use hypercore_log::{Create, Log, OpenOptions};
use hypercore_replication::{
    CloseReason, Event, Output, PeerOptions, Progress, RangeWish, Replicator,
};
use hypercore_replication::{Options, PeerId};

use crate::disk::Disk;
use crate::log::script::{OWNER, key, key_pair};
use crate::log::stores_on;
use crate::random::Random;
use crate::stack::{Incoming, Stack};

/// Bytes that are read at once before the handshake is done: no honest peer sends more.
const EARLY_READ_LEN_MAX: usize = 512;

/// Bytes that are read at once later.
const READ_LEN_MAX: usize = 16 * 1024;

/// Bytes that may wait to be sent to one peer.
const ROOM: usize = 64 * 1024;

/// Turns of the replicator in one tick.
const TURNS_MAX: usize = 64;

/// One connection of a host.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) stack: Stack,
    pub(super) peer: Option<PeerId>,
    /// Bytes of the other side: they wait in the network, not here.
    pub(super) incoming: Vec<u8>,
    /// How many of them were read.
    pub(super) read_len: usize,
    /// Why it is over.
    pub(super) ended: Option<String>,
}

impl Session {
    fn new(stack: Stack) -> Self {
        Self { stack, peer: None, incoming: Vec::new(), read_len: 0, ended: None }
    }

    /// Bytes from the other side.
    pub(super) fn arrive(&mut self, bytes: &[u8]) {
        if self.read_len > self.incoming.len() / 2 {
            self.incoming.drain(..self.read_len);
            self.read_len = 0;
        }
        self.incoming.extend_from_slice(bytes);
    }

    /// Bytes to send, at most `len`.
    pub(super) fn take(&mut self, len: usize) -> BytesMut {
        self.stack.take(len)
    }
}

/// One log and its peers.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) log: Log,
    pub(super) replicator: Replicator,
    pub(super) sessions: Vec<Session>,
    /// What its log failed with.
    pub(super) failure: Option<String>,
    /// Whether it was told that two histories were signed.
    pub(super) has_conflict: bool,
    /// The most requests that waited for one peer.
    pub(super) queued_max: usize,
}

impl Host {
    /// The log's writer, with these blocks.
    pub(super) fn writer(blocks: &[Vec<u8>]) -> Self {
        let options = OpenOptions::new().create(Create::New).key_pair(key_pair(OWNER));
        let log = Log::open(stores_on(&Disk::new()), options).expect("a new log");
        log.append(blocks).expect("a disk that works");
        Self::of(log)
    }

    /// A reader that wants everything.
    pub(super) fn reader() -> Self {
        let options = OpenOptions::new().create(Create::New).key(core_key());
        let mut host = Self::of(Log::open(stores_on(&Disk::new()), options).expect("a new log"));
        host.replicator.want_range(RangeWish::new(0..));
        host
    }

    fn of(log: Log) -> Self {
        let replicator = Replicator::new(Options::new().seed(1));
        Self {
            log,
            replicator,
            sessions: Vec::new(),
            failure: None,
            has_conflict: false,
            queued_max: 0,
        }
    }

    /// Begins a session; its number.
    pub(super) fn connect(&mut self, side: Side, random: &mut Random) -> usize {
        self.sessions.push(Session::new(Stack::secret(side, random, core_key())));
        self.sessions.len() - 1
    }

    /// Reads what there is, as long as it is wanted, and works on it.
    pub(super) fn work(&mut self, now: Duration) {
        for at in 0..self.sessions.len() {
            self.read(at);
        }
        for _ in 0..TURNS_MAX {
            for session in &self.sessions {
                if let Some(peer) = session.peer {
                    let room = ROOM.saturating_sub(session.stack.backlog());
                    self.replicator.set_room(peer, room);
                }
            }
            let progress = self.replicator.run(&self.log, now);
            while let Some(event) = self.replicator.next_event() {
                match event {
                    Event::StorageFailed { error } => self.failure = Some(error.to_string()),
                    Event::Conflict { .. } => self.has_conflict = true,
                    _ => {}
                }
            }
            self.put_out();
            if progress != Progress::More {
                break;
            }
        }
    }

    fn read(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        let mut left = if session.stack.is_open() { READ_LEN_MAX } else { EARLY_READ_LEN_MAX };
        while session.ended.is_none() {
            if session.peer.is_some_and(|peer| !self.replicator.wants_input(peer)) {
                return;
            }
            match session.stack.next() {
                Err(error) => return self.end(at, error),
                Ok(Some(Incoming::Opened)) => {
                    session.peer = Some(self.replicator.add_peer(PeerOptions::new()));
                }
                Ok(Some(Incoming::Closed)) => {
                    if let Some(peer) = session.peer.take() {
                        self.replicator.remove_peer(peer);
                    }
                }
                Ok(Some(Incoming::Message(message))) => {
                    let Some(peer) = session.peer else { continue };
                    if let Err(fault) = self.replicator.receive(peer, message) {
                        return self.end(at, format!("{fault:?}"));
                    }
                    if let Some(statistics) = self.replicator.peer(peer) {
                        self.queued_max = self.queued_max.max(statistics.queued);
                    }
                }
                Ok(None) if session.stack.is_paused() => return,
                Ok(None) => {
                    let unread = &session.incoming[session.read_len..];
                    let len = left.min(unread.len());
                    if len == 0 {
                        return;
                    }
                    left -= len;
                    session.stack.feed(&unread[..len]);
                    session.read_len += len;
                }
            }
        }
    }

    fn put_out(&mut self) {
        while let Some(output) = self.replicator.next_output() {
            let place =
                |host: &Self, peer| host.sessions.iter().position(|of| of.peer == Some(peer));
            match output {
                Output::Send { peer, message } => {
                    if let Some(at) = place(self, peer) {
                        self.sessions[at].stack.send(&message).expect("the channel is open");
                    }
                }
                Output::Close { peer, reason } => {
                    let Some(at) = place(self, peer) else { continue };
                    self.sessions[at].peer = None;
                    self.sessions[at].stack.close();
                    match reason {
                        CloseReason::Idle => {}
                        CloseReason::Fault(fault) => self.end(at, format!("{fault:?}")),
                        reason => self.end(at, format!("{reason:?}")),
                    }
                }
                _ => {}
            }
        }
    }

    /// Ends a session: everything that it held is dropped.
    fn end(&mut self, at: usize, why: String) {
        let session = &mut self.sessions[at];
        if let Some(peer) = session.peer.take() {
            self.replicator.remove_peer(peer);
        }
        session.ended = Some(why);
    }
}

/// The key of the log.
pub(super) fn core_key() -> CoreKey {
    key(OWNER)
}
