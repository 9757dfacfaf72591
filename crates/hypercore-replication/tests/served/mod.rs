//! A log that is served to peers which say what the test has them say.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use std::ops::Range;
use std::time::Duration;

use hypercore_crypto::{CoreKey, KeyPair, Manifest};
use hypercore_log::{Access, Create, Durability, Log, OpenOptions, Stores};
use hypercore_merkle::{BlockRequest, Data, HashRequest, Request, SeekRequest, UpgradeRequest};
use hypercore_replication::{
    CloseReason, Event, LogChange, Message, NoData, NoDataReason, Options, Output, PeerFault,
    PeerId, PeerOptions, Progress, RangeMessage, Replicator, Sync, Want,
};
use random_access_memory::RandomAccessMemory;

/// Stores in memory that a log was never opened in.
pub fn stores() -> Stores {
    Stores {
        oplog: Box::new(RandomAccessMemory::new()),
        header: Box::new(RandomAccessMemory::new()),
        tree: Box::new(RandomAccessMemory::new()),
        bitfield: Box::new(RandomAccessMemory::new()),
        data: Box::new(RandomAccessMemory::new()),
    }
}

pub fn key_pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

pub fn block(index: u64) -> Vec<u8> {
    format!("block {index}").into_bytes()
}

pub fn blocks(range: Range<u64>) -> Vec<Vec<u8>> {
    range.map(block).collect()
}

/// An empty log that can be written.
pub fn writer() -> Log {
    let options = OpenOptions::new().create(Create::IfMissing).key_pair(key_pair());
    Log::open(stores(), options).unwrap()
}

/// A log that can be written, with `length` blocks.
pub fn written(length: u64) -> Log {
    let log = writer();
    if length > 0 {
        log.append(&blocks(0..length)).unwrap();
    }
    log
}

/// An empty log of somebody else's core.
pub fn reader(key: CoreKey) -> Log {
    let options = OpenOptions::new().create(Create::IfMissing).key(key);
    Log::open(stores(), options).unwrap()
}

/// A log of a core whose key is a bare public key.
pub fn compat_writer() -> Log {
    let options = OpenOptions::new().create(Create::IfMissing).key_pair(key_pair()).compat(true);
    Log::open(stores(), options).unwrap()
}

pub fn eventual_writer() -> Log {
    let options = OpenOptions::new()
        .create(Create::IfMissing)
        .key_pair(key_pair())
        .durability(Durability::Eventual)
        .access(Access::ReadWrite);
    Log::open(stores(), options).unwrap()
}

pub fn manifest() -> Manifest {
    Manifest::single(key_pair().public())
}

/// A reader of `length` blocks with these stored.
pub fn sparse(from: &Log, held: &[Range<u64>]) -> Log {
    let log = reader(from.key());
    let upgrade = Some(UpgradeRequest { start: 0, length: from.length() });
    let request = Request { fork: from.fork(), upgrade, manifest: true, ..Request::default() };
    log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
    for index in held.iter().cloned().flatten() {
        fetch(from, &log, index);
    }
    log
}

/// Moves one block to a reader.
pub fn fetch(from: &Log, to: &Log, index: u64) {
    let nodes = to.missing_nodes(index).unwrap();
    let block = Some(BlockRequest { index, nodes });
    let request = Request { fork: from.fork(), block, ..Request::default() };
    to.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
}

/// A log, its replicator, and one peer.
pub struct Served {
    pub log: Log,
    pub replicator: Replicator,
    pub peer: PeerId,
    pub now: Duration,
    pub closed: Vec<(PeerId, CloseReason)>,
    pub events: Vec<Event>,
}

impl Served {
    pub fn new(log: Log) -> Self {
        Self::with(log, PeerOptions::new())
    }

    pub fn with(log: Log, options: PeerOptions) -> Self {
        let mut replicator = Replicator::new(Options::new().follow(false));
        let peer = replicator.add_peer(options);
        Self { log, replicator, peer, now: Duration::ZERO, closed: vec![], events: vec![] }
    }

    /// Says hello to a peer that has an empty log.
    pub fn greeted(log: Log) -> Self {
        let mut served = Self::new(log);
        let fork = served.log.fork();
        served.tell(hello(fork, 0));
        served.run();
        served
    }

    pub fn hear(&mut self, message: Message) -> Result<(), PeerFault> {
        self.replicator.receive(self.peer, message)
    }

    pub fn tell(&mut self, message: Message) {
        self.hear(message).unwrap();
    }

    /// All that is said, as far as there is room.
    pub fn run(&mut self) -> Vec<Message> {
        let peer = self.peer;
        let said = self.run_all().into_iter();
        said.filter(|(to, _)| *to == peer).map(|(_, message)| message).collect()
    }

    pub fn run_all(&mut self) -> Vec<(PeerId, Message)> {
        let mut said = Vec::new();
        for _ in 0..10_000 {
            let progress = self.replicator.run(&self.log, self.now);
            while let Some(output) = self.replicator.next_output() {
                match output {
                    Output::Send { peer, message } => said.push((peer, message)),
                    Output::Close { peer, reason } => self.closed.push((peer, reason)),
                    other => panic!("{other:?}"),
                }
            }
            self.events.extend(std::iter::from_fn(|| self.replicator.next_event()));
            if progress != Progress::More {
                return said;
            }
        }
        panic!("it never ends");
    }

    /// What is said to a message.
    pub fn ask(&mut self, message: Message) -> Vec<Message> {
        self.tell(message);
        self.run()
    }

    /// Lets time pass, until all that waits for it has happened.
    pub fn wait(&mut self, time: Duration) -> Vec<Message> {
        self.now += time;
        self.run()
    }

    pub fn append(&mut self, count: u64) -> Vec<Message> {
        let length = self.log.length();
        self.log.append(&blocks(length..length + count)).unwrap();
        self.replicator.log_changed(LogChange::Appended);
        self.run()
    }

    pub fn truncate(&mut self, length: u64) {
        self.log.truncate(length, None).unwrap();
        self.replicator.log_changed(LogChange::Truncated { length });
    }

    pub fn clear(&mut self, range: Range<u64>) {
        self.log.clear(range.clone()).unwrap();
        self.replicator.log_changed(LogChange::Cleared(range));
    }
}

/// The sync of a peer that wants data.
pub fn hello(fork: u64, length: u64) -> Message {
    Message::Sync(sync(fork, length))
}

pub fn sync(fork: u64, length: u64) -> Sync {
    Sync { can_upgrade: true, uploading: true, downloading: true, fork, length, ..Sync::default() }
}

pub fn held(range: Range<u64>) -> Message {
    range_message(false, range)
}

pub fn dropped(range: Range<u64>) -> Message {
    range_message(true, range)
}

fn range_message(drop: bool, range: Range<u64>) -> Message {
    Message::Range(RangeMessage { drop, start: range.start, length: range.end - range.start })
}

pub fn want(start: u64, length: u64) -> Message {
    Message::Want(Want { start, length, any: false })
}

pub fn want_any(start: u64, length: u64) -> Message {
    Message::Want(Want { start, length, any: true })
}

pub fn block_request(id: u64, index: u64) -> Request {
    Request { id, block: Some(BlockRequest { index, nodes: 0 }), ..Request::default() }
}

pub fn hash_request(id: u64, index: u64, nodes: u64) -> Request {
    let index = flat_tree::Index::new(index);
    Request { id, hash: Some(HashRequest { index, nodes }), ..Request::default() }
}

pub fn upgrade_request(id: u64, start: u64, length: u64) -> Request {
    Request { id, upgrade: Some(UpgradeRequest { start, length }), ..Request::default() }
}

pub fn seek_request(id: u64, bytes: u64) -> Request {
    Request { id, seek: Some(SeekRequest { bytes, padding: 0 }), ..Request::default() }
}

pub fn unavailable(request_id: u64) -> Message {
    Message::NoData(NoData { request_id, reason: Some(NoDataReason::NotAvailable) })
}

pub fn invalid(request_id: u64) -> Message {
    Message::NoData(NoData { request_id, reason: Some(NoDataReason::Invalid) })
}

/// The only thing said.
pub fn one(said: Vec<Message>) -> Message {
    let [message] = <[Message; 1]>::try_from(said).unwrap_or_else(|said| panic!("{said:?}"));
    message
}

/// The only thing said, which is an answer.
pub fn data(said: Vec<Message>) -> Data {
    match one(said) {
        Message::Data(data) => *data,
        other => panic!("{other:?}"),
    }
}

pub fn syncs(said: &[Message]) -> Vec<Sync> {
    let sync = |message: &Message| match message {
        Message::Sync(sync) => Some(*sync),
        _ => None,
    };
    said.iter().filter_map(sync).collect()
}

/// The ids of all answers, in order.
pub fn answered(said: &[Message]) -> Vec<u64> {
    let id = |message: &Message| match message {
        Message::Data(data) => Some(data.request_id),
        Message::NoData(no_data) => Some(no_data.request_id),
        _ => None,
    };
    said.iter().filter_map(id).collect()
}
