//! Replicators joined in memory, under virtual time: what one puts out the other takes in, as bytes.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use compact_encoding::{Encode, Encoder};
use hypercore_crypto::{CoreKey, KeyPair};
use hypercore_log::{Create, Log, LogError, OpenOptions, Stores};
use hypercore_replication::{
    CloseReason, Event, LogChange, Message, Options, Outcome, Output, PeerId, PeerOptions,
    Progress, Replicator, WishId,
};
use random_access_memory::RandomAccessMemory;

pub fn stores() -> Stores {
    let store = || Box::new(RandomAccessMemory::new());
    Stores { oplog: store(), header: store(), tree: store(), bitfield: store(), data: store() }
}

pub fn writer(seed: u8) -> Log {
    let key_pair = KeyPair::from_seed(&[seed; 32]);
    Log::open(stores(), OpenOptions::new().create(Create::New).key_pair(key_pair)).unwrap()
}

pub fn reader(key: CoreKey) -> Log {
    Log::open(stores(), OpenOptions::new().create(Create::New).key(key)).unwrap()
}

pub fn block(index: u64) -> Vec<u8> {
    let len = usize::try_from(index * 7 % 50).unwrap();
    let mut block = index.to_le_bytes().to_vec();
    block.resize(8 + len, index as u8);
    block
}

/// Appends blocks up to `length`.
pub fn fill(log: &Log, length: u64) {
    let blocks: Vec<Vec<u8>> = (log.length()..length).map(block).collect();
    log.append(&blocks).unwrap();
}

/// A log, its replicator, and what came out of it.
pub struct Node {
    pub log: Log,
    pub replicator: Replicator,
    pub events: Vec<Event>,
    pub closed: Vec<(PeerId, CloseReason)>,
    /// Everything it has sent.
    pub sent: Vec<(PeerId, Message)>,
    pub next_run: Progress,
}

impl Node {
    pub fn new(log: Log) -> Self {
        Self::with(log, Options::new())
    }

    pub fn with(log: Log, options: Options) -> Self {
        Self {
            log,
            replicator: Replicator::new(options),
            events: Vec::new(),
            closed: Vec::new(),
            sent: Vec::new(),
            next_run: Progress::More,
        }
    }

    pub fn run(&mut self, now: Duration) -> Vec<Output> {
        self.next_run = self.replicator.run(&self.log, now);
        let mut outputs = Vec::new();
        while let Some(output) = self.replicator.next_output() {
            match &output {
                Output::Send { peer, message } => {
                    if std::env::var_os("TRACE").is_some() {
                        eprintln!("{peer} <- {message:?}");
                    }
                    self.sent.push((*peer, message.clone()));
                }
                Output::Close { peer, reason } => self.closed.push((*peer, reason.clone())),
                _ => {}
            }
            outputs.push(output);
        }
        while let Some(event) = self.replicator.next_event() {
            self.events.push(event);
        }
        outputs
    }

    pub fn append(&mut self, length: u64) {
        fill(&self.log, length);
        self.replicator.log_changed(LogChange::Appended);
    }

    pub fn truncate(&mut self, length: u64) -> Result<(), LogError> {
        self.log.truncate(length, None)?;
        self.replicator.log_changed(LogChange::Truncated { length });
        Ok(())
    }

    pub fn outcome(&self, wanted: WishId) -> Option<Outcome> {
        self.events.iter().find_map(|event| match event {
            Event::WishDone { wish, outcome } if *wish == wanted => Some(*outcome),
            _ => None,
        })
    }

    pub fn requests(&self) -> Vec<hypercore_merkle::Request> {
        let request = |message: &Message| match message {
            Message::Request(request) => Some(*request),
            _ => None,
        };
        self.sent.iter().filter_map(|(_, message)| request(message)).collect()
    }
}

/// Through bytes and back.
pub fn over_the_wire(message: &Message) -> Message {
    let mut out = Encoder::new();
    message.encode(&mut out);
    assert_eq!(out.as_slice().len(), message.encoded_len());
    Message::decode(message.kind(), &Bytes::from(out.into_vec())).unwrap().unwrap()
}

/// Changes what is on its way; what it gives out arrives.
pub type Tamper = Box<dyn FnMut(Message) -> Vec<Message>>;

struct Link {
    /// What happens to messages of the first end.
    tamper: Option<Tamper>,
    /// Whether answers that go out together arrive the last first.
    is_reversed: bool,
    ends: [(usize, PeerId); 2],
    queues: [VecDeque<Message>; 2],
    is_open: bool,
    latency: Duration,
    ready_at: [Duration; 2],
}

#[derive(Default)]
pub struct Net {
    pub nodes: Vec<Node>,
    links: Vec<Link>,
    pub now: Duration,
}

impl Net {
    pub fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// A writer of `length` blocks, and an empty reader of it, connected.
    pub fn pair(length: u64) -> Self {
        let writer = writer(1);
        fill(&writer, length);
        let reader = reader(writer.key());
        let mut net = Self::default();
        net.add(Node::new(writer));
        net.add(Node::new(reader));
        net.connect(0, 1);
        net
    }

    pub fn connect(&mut self, one: usize, other: usize) -> usize {
        self.connect_with(one, PeerOptions::new(), other, PeerOptions::new())
    }

    pub fn connect_with(
        &mut self,
        one: usize,
        options: PeerOptions,
        other: usize,
        other_options: PeerOptions,
    ) -> usize {
        let ends = [
            (one, self.nodes[one].replicator.add_peer(options)),
            (other, self.nodes[other].replicator.add_peer(other_options)),
        ];
        let queues = [VecDeque::new(), VecDeque::new()];
        let (latency, ready_at) = (Duration::ZERO, [Duration::ZERO; 2]);
        self.links.push(Link {
            tamper: None,
            is_reversed: false,
            ends,
            queues,
            is_open: true,
            latency,
            ready_at,
        });
        self.links.len() - 1
    }

    pub fn set_latency(&mut self, link: usize, latency: Duration) {
        self.links[link].latency = latency;
    }

    /// Has what `from` sends on this link changed on its way.
    pub fn tamper(&mut self, link: usize, from: usize, tamper: Tamper) {
        assert_eq!(self.links[link].ends[0].0, from);
        self.links[link].tamper = Some(tamper);
    }

    /// Has answers that go out together arrive the last first, as JavaScript may send them.
    pub fn reverse(&mut self, link: usize) {
        self.links[link].is_reversed = true;
    }

    pub fn disconnect(&mut self, link: usize) {
        let link = &mut self.links[link];
        if std::mem::replace(&mut link.is_open, false) {
            for (node, peer) in link.ends {
                self.nodes[node].replicator.remove_peer(peer);
            }
        }
    }

    pub fn is_open(&self, link: usize) -> bool {
        self.links[link].is_open
    }

    pub fn peer(&self, link: usize, node: usize) -> PeerId {
        self.links[link].ends.iter().find(|(end, _)| *end == node).unwrap().1
    }

    /// Lets every node run once, and passes on what came out. Whether anything moved.
    pub fn step(&mut self) -> bool {
        let mut moved = false;
        for number in 0..self.nodes.len() {
            for output in self.nodes[number].run(self.now) {
                moved = true;
                match output {
                    Output::Send { peer, message } => {
                        let end = (number, peer);
                        let link = self.links.iter_mut().find(|link| link.ends.contains(&end));
                        let link = link.unwrap();
                        let side = usize::from(link.ends[1] == end);
                        if link.queues[side].is_empty() {
                            link.ready_at[side] = self.now + link.latency;
                        }
                        let message = over_the_wire(&message);
                        match &mut link.tamper {
                            Some(tamper) if side == 0 => link.queues[0].extend(tamper(message)),
                            _ => link.queues[side].push_back(message),
                        }
                    }
                    Output::Close { peer, .. } => {
                        let end = (number, peer);
                        let at = self.links.iter().position(|link| link.ends.contains(&end));
                        self.deliver(at.unwrap());
                        self.disconnect(at.unwrap());
                    }
                    _ => unreachable!(),
                }
            }
            moved |= self.nodes[number].next_run == Progress::More;
        }
        for link in 0..self.links.len() {
            moved |= self.deliver(link);
        }
        moved
    }

    fn deliver(&mut self, number: usize) -> bool {
        let mut moved = false;
        for side in 0..2 {
            let link = &mut self.links[number];
            if !link.is_open || link.ready_at[side] > self.now {
                continue;
            }
            if link.is_reversed {
                let is_answer =
                    |message: &Message| matches!(message, Message::Data(_) | Message::NoData(_));
                let all = std::mem::take(&mut link.queues[side]);
                let (answers, others): (VecDeque<_>, VecDeque<_>) =
                    all.into_iter().partition(is_answer);
                link.queues[side] = others;
                link.queues[side].extend(answers.into_iter().rev());
            }
            let (node, peer) = link.ends[1 - side];
            let replicator = &mut self.nodes[node].replicator;
            while replicator.wants_input(peer) {
                let Some(message) = link.queues[side].pop_front() else { break };
                moved = true;
                if let Err(fault) = replicator.receive(peer, message) {
                    self.nodes[node].closed.push((peer, fault.into()));
                    self.disconnect(number);
                    return true;
                }
            }
        }
        moved
    }

    /// Runs until nothing moves at this time.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.step() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// Runs for so long, going from one deadline to the next.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let deadlines = self.nodes.iter().filter_map(|node| match node.next_run {
                Progress::Until(time) => Some(time),
                _ => None,
            });
            let arrivals = self.links.iter().filter(|link| link.is_open).flat_map(|link| {
                let waits = |side: &usize| !link.queues[*side].is_empty();
                [0, 1].into_iter().filter(waits).map(|side| link.ready_at[side])
            });
            let next = deadlines.chain(arrivals).filter(|time| *time > self.now).min();
            match next.filter(|next| *next <= end) {
                Some(next) => self.now = next,
                None => {
                    self.now = end;
                    self.settle();
                    return;
                }
            }
        }
    }

    /// All of the log of `from` is in that of `to`, byte for byte.
    pub fn assert_same(&self, from: usize, to: usize) {
        let (from, to) = (&self.nodes[from].log, &self.nodes[to].log);
        assert_eq!(to.head(), from.head());
        for index in 0..from.length() {
            assert_eq!(to.get(index).unwrap(), from.get(index).unwrap(), "block {index}");
        }
    }
}
