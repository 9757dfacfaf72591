//! One recorded party, played by this implementation: what the others wrote is fed in as it was recorded, and what the
//! party itself wrote tells what its application did.
//!
//! Requests of ours are answered with what was recorded, where the recording has the same request, or else from the
//! log of the party that was asked: ids and the order of blocks differ from run to run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use hypercore_crypto::{Side, discovery_key};
use hypercore_log::Log;
use hypercore_merkle::{Data, Request};
use hypercore_replication::{
    CloseReason, Connection, ConnectionError, ConnectionEvent, Event, LogChange, Message, NoData,
    NoDataReason, Options, Output, PeerId, PeerOptions, Progress, RangeMessage, Replicator, Sync,
    WishId,
};
use protomux::ChannelId;

use crate::recording::{Frame, Party, Said, Step, Transcript, other};
use crate::truth::Truth;

/// Longer than anybody waits before it answers, or says that it wants nothing any more.
const LONG: Duration = Duration::from_secs(60);

/// Ids from here on were put into requests by hand, which no reader would send.
const HAND_MADE: u64 = 101;

/// Runs of one replicator after something happened, before it counts as spinning.
const RUNS_MAX: usize = 1000;

pub(crate) struct Replay<'a> {
    transcript: &'a Transcript,
    party: Party,
    pub(crate) cores: Vec<Core>,
    links: BTreeMap<usize, Link>,
    now: Duration,
    /// What ended each connection that ended.
    pub(crate) errors: Vec<ConnectionError>,
    /// Requests that were answered with what was recorded, and others.
    pub(crate) answered: (usize, usize),
}

/// One core of the party.
pub(crate) struct Core {
    truth: Truth,
    pub(crate) log: Log,
    pub(crate) replicator: Replicator,
    pub(crate) events: Vec<Event>,
    pub(crate) closed: Vec<CloseReason>,
    /// Everything that was sent, with its connection.
    pub(crate) sent: Vec<(usize, Message)>,
    /// The last sync of the other side, by connection.
    heard: BTreeMap<usize, Sync>,
    /// The wish for each block that was requested under an id.
    wishes: BTreeMap<(usize, u64), WishId>,
    wished: BTreeSet<u64>,
    /// What the others have, by party.
    others: BTreeMap<Party, (Truth, Log)>,
}

/// Whether a message says that a block is held, or not.
fn told(message: &Message, index: u64) -> Option<bool> {
    match message {
        Message::Range(range) => {
            let blocks = range.start..range.start + range.length;
            blocks.contains(&index).then_some(!range.drop)
        }
        Message::Bitfield(bitfield) => {
            let bit = index.checked_sub(bitfield.start())?;
            let word = bitfield.words().nth(usize::try_from(bit / 32).ok()?)?;
            Some(word >> (bit % 32) & 1 == 1)
        }
        _ => None,
    }
}

/// One connection of the party.
struct Link {
    connection: Connection,
    side: Side,
    channels: BTreeMap<ChannelId, (usize, Option<PeerId>)>,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(transcript: &'a Transcript, party: Party, options: &Options) -> Self {
        let core = |core: usize| {
            let truth = Truth::new(transcript, core, party);
            let is_source = transcript.is_source(party);
            let log = if is_source { truth.source() } else { truth.empty() };
            let others = (0..transcript.parties()).filter(|other| *other != party).map(|other| {
                let truth = Truth::new(transcript, core, other);
                let log = truth.source();
                (other, (truth, log))
            });
            Core {
                others: others.collect(),
                truth,
                log,
                replicator: Replicator::new(options.clone()),
                events: Vec::new(),
                closed: Vec::new(),
                sent: Vec::new(),
                heard: BTreeMap::new(),
                wishes: BTreeMap::new(),
                wished: BTreeSet::new(),
            }
        };
        Self {
            transcript,
            party,
            cores: (0..transcript.cores.len()).map(core).collect(),
            links: BTreeMap::new(),
            now: Duration::ZERO,
            errors: Vec::new(),
            answered: (0, 0),
        }
    }

    /// Plays all of it.
    pub(crate) fn run(&mut self) {
        let transcript = self.transcript;
        for step in &transcript.steps {
            match step {
                Step::Note(note) => self.note(note),
                Step::Frame(frame) => {
                    let side = frame.from;
                    if transcript.party(frame.connection, side) == self.party {
                        self.pump();
                        self.link(frame.connection, side);
                        frame.said.iter().for_each(|said| self.own(frame.connection, said));
                        self.pump();
                    } else if transcript.party(frame.connection, other(side)) == self.party {
                        self.link(frame.connection, other(side));
                        self.hear(frame);
                    }
                }
            }
        }
        self.pump();
    }

    fn note(&mut self, note: &str) {
        self.pump();
        if note.starts_with("second connection") {
            // The first one has ended by then.
            self.links.clear();
            for core in &mut self.cores {
                let peers: Vec<PeerId> = core.replicator.peers().map(|(peer, _)| peer).collect();
                peers.into_iter().for_each(|peer| core.replicator.remove_peer(peer));
            }
        }
        if note.contains("a block that was dropped") && self.transcript.is_source(self.party) {
            self.cores[0].log.clear(3..4).unwrap();
            self.cores[0].replicator.log_changed(LogChange::Cleared(3..4));
        }
    }

    /// The connection with this number, which begins now if it is not there.
    fn link(&mut self, number: usize, side: Side) {
        if self.links.contains_key(&number) {
            return;
        }
        let hash = self.transcript.handshake_hash(number);
        let connection = Connection::new(side, &hash, protomux::Options::default());
        self.links.insert(number, Link { connection, side, channels: BTreeMap::new() });
        let mut frames = self.transcript.frames().filter(|frame| frame.connection == number);
        if frames.any(|frame| matches!(frame.said[..], [Said::Open(_), ..])) {
            return;
        }
        // The recording begins later: both have opened the core, and the others have said what they have.
        self.open(number, 0);
        let mut far = Connection::new(other(side), &hash, protomux::Options::default());
        let channel = far.open(&self.transcript.cores[0]).unwrap();
        if self.transcript.name.starts_with("gossip") {
            let (fork, length) = (0, 600);
            let core = &self.cores[0];
            let writer = core.others.get(&2).map_or((&core.truth, &core.log), |(t, l)| (t, l));
            writer.0.advance(writer.1, fork, length);
            let sync = Sync { uploading: true, downloading: true, fork, length, ..Sync::default() };
            let sync = Sync { has_manifest: true, remote_length: length, ..sync };
            far.send(channel, &Message::Sync(sync)).unwrap();
            let range = RangeMessage { drop: false, start: 0, length };
            far.send(channel, &Message::Range(range)).unwrap();
        }
        while let Some(frame) = far.next_frame() {
            self.receive(number, Bytes::from(frame));
        }
        self.pump();
    }

    fn open(&mut self, number: usize, core: usize) {
        let link = self.links.get_mut(&number).unwrap();
        let mut stale = link.channels.iter().filter(|(_, (of, _))| *of == core);
        if let Some((channel, peer)) = stale.next().map(|(channel, (_, peer))| (*channel, *peer)) {
            link.connection.close(channel);
            link.channels.remove(&channel);
            peer.iter().for_each(|peer| self.cores[core].replicator.remove_peer(*peer));
        }
        let channel = link.connection.open(&self.transcript.cores[core]).unwrap();
        link.channels.insert(channel, (core, None));
        // What the other side has said before is told now.
        self.look(number);
    }

    /// What the party did, by what it said.
    fn own(&mut self, number: usize, said: &Said) {
        match said {
            Said::Open(core) => {
                self.cores[*core].replicator.set_active(true);
                self.open(number, *core);
            }
            Said::Reject(core) => {
                // A core that the recording has no key of has no discovery key that is known here.
                let key = self.transcript.cores.get(*core).map(discovery_key);
                let link = self.links.get_mut(&number).unwrap();
                key.iter().for_each(|key| assert!(link.connection.reject(key)));
            }
            // The channel of an idle core is closed after a while, by whoever notices first.
            Said::Close => {
                self.now += LONG;
                self.pump();
            }
            Said::Message(core, message) => self.own_message(number, *core, message),
        }
    }

    fn own_message(&mut self, number: usize, core: usize, message: &Message) {
        let is_source = self.transcript.is_source(self.party);
        let is_cut = self.transcript.name.starts_with("fork");
        let core = &mut self.cores[core];
        match message {
            Message::Sync(sync) => {
                core.replicator.set_active(sync.downloading);
                if !sync.downloading {
                    self.now += LONG;
                }
                let (fork, length) = (core.log.fork(), core.log.length());
                if is_source && (sync.fork, sync.length) != (fork, length) {
                    let is_known = core.truth.advance(&core.log, sync.fork, sync.length);
                    assert!(is_known || self.transcript.name.starts_with("push"));
                    let truncated = LogChange::Truncated { length: length.min(sync.length) };
                    let is_new = sync.fork != fork;
                    core.replicator.log_changed(if is_new {
                        truncated
                    } else {
                        LogChange::Appended
                    });
                }
            }
            Message::Range(RangeMessage { drop: true, start, length }) if is_source && !is_cut => {
                let blocks = *start..start + length;
                core.log.clear(blocks.clone()).unwrap();
                core.replicator.log_changed(LogChange::Cleared(blocks));
            }
            Message::Request(request) => {
                if let Some(block) = request.block
                    && core.wished.insert(block.index)
                {
                    let wish = core.replicator.want_block(block.index, request.priority);
                    core.wishes.insert((number, request.id), wish);
                }
                if let Some(seek) = request.seek {
                    core.replicator.want_seek(seek.bytes, seek.padding);
                }
            }
            Message::Cancel(cancel) => {
                let wish = core.wishes[&(number, cancel.request_id)];
                core.replicator.cancel(wish);
            }
            Message::Extension(extension) => {
                let link = &self.links[&number];
                let peer = link.channels.values().find_map(|(_, peer)| *peer).unwrap();
                let (name, payload) = (extension.name.clone(), extension.payload.clone());
                assert!(core.replicator.send_extension(peer, name, payload));
            }
            _ => {}
        }
    }

    /// What another party wrote.
    fn hear(&mut self, frame: &Frame) {
        let speaker = self.transcript.party(frame.connection, frame.from);
        for said in &frame.said {
            match said {
                Said::Message(core, Message::Sync(sync)) => {
                    let core = &mut self.cores[*core];
                    core.heard.insert(frame.connection, *sync);
                    if self.transcript.is_source(speaker) {
                        let (truth, log) = &core.others[&speaker];
                        truth.advance(log, sync.fork, sync.length);
                    }
                }
                Said::Message(core, Message::Request(request)) => {
                    let is_forced = request.id == 0 || request.id >= HAND_MADE;
                    let only = |name| self.transcript.name.starts_with(name);
                    // A reader that takes pushes asks as it likes; a writer of which little is known has little.
                    let is_special = only("push") || only("gossip") && self.party == 2;
                    if !is_forced && !is_special {
                        self.would_ask(*core, frame.connection, request);
                    }
                }
                _ => {}
            }
        }
        self.receive(frame.connection, frame.bytes.clone());
    }

    /// A JavaScript reader, to which we have said what we said, would ask for this.
    ///
    /// # Source
    /// wire.md sections 7.2, 7.4 and 8.4.
    fn would_ask(&self, core: usize, number: usize, request: &Request) {
        let at = format!("{}, {request:?}", self.transcript.name);
        let core = &self.cores[core];
        let said = core.sent.iter().filter(|(connection, _)| *connection == number);
        let said: Vec<&Message> = said.map(|(_, message)| message).collect();
        let sync = said.iter().rev().find_map(|message| match message {
            Message::Sync(sync) => Some(*sync),
            _ => None,
        });
        let sync = sync.expect("a side that says nothing is asked nothing");
        assert!(sync.uploading, "{at}");
        assert!(sync.has_manifest || !request.manifest, "{at}");
        if let Some(upgrade) = request.upgrade {
            let own = core.heard.get(&number).copied().unwrap_or_default();
            assert_eq!(sync.fork, request.fork, "{at}");
            assert!(sync.length >= upgrade.start + upgrade.length, "{at}");
            if request.fork == own.fork {
                assert!(sync.can_upgrade, "{at}: {sync:?}");
                assert_eq!(sync.remote_length, upgrade.start, "{at}");
            }
        }
        if let Some(block) = request.block {
            let holds = said.iter().rev().find_map(|message| told(message, block.index));
            assert_eq!(holds, Some(true), "{at}");
        }
    }

    fn receive(&mut self, number: usize, frame: Bytes) {
        self.links.get_mut(&number).unwrap().connection.receive(frame);
        self.look(number);
    }

    /// Takes what a connection has to tell.
    fn look(&mut self, number: usize) {
        loop {
            let link = self.links.get_mut(&number).unwrap();
            match link.connection.next_event() {
                Ok(None) => return,
                Ok(Some(event)) => self.happened(number, event),
                Err(error) => {
                    self.errors.push(error);
                    return;
                }
            }
        }
    }

    fn happened(&mut self, number: usize, event: ConnectionEvent) {
        let link = self.links.get_mut(&number).unwrap();
        match event {
            ConnectionEvent::Opened { channel, seeks, .. } => {
                assert!(seeks);
                let (core, peer) = link.channels.get_mut(&channel).unwrap();
                *peer = Some(self.cores[*core].replicator.add_peer(PeerOptions::new()));
            }
            ConnectionEvent::Closed { channel, .. } => {
                let (core, peer) = link.channels.remove(&channel).unwrap();
                peer.iter().for_each(|peer| self.cores[core].replicator.remove_peer(*peer));
            }
            ConnectionEvent::Message { channel, message } => {
                let (core, peer) = link.channels[&channel];
                // Answers to the recorded requests, which are not ours.
                let is_answer = match &message {
                    Message::Data(data) => data.request_id != 0,
                    Message::NoData(_) => true,
                    _ => false,
                };
                if !is_answer {
                    self.cores[core].replicator.receive(peer.unwrap(), message).unwrap();
                }
            }
            ConnectionEvent::Offered { .. } => {}
            other => panic!("{}: {other:?}", self.transcript.name),
        }
    }

    /// Lets everything happen that is due, and answers what is asked.
    fn pump(&mut self) {
        for number in 0..self.cores.len() {
            for round in 0.. {
                assert!(round < RUNS_MAX, "{}: it never comes to rest", self.transcript.name);
                let core = &mut self.cores[number];
                let progress = core.replicator.run(&core.log, self.now);
                let mut is_quiet = progress != Progress::More;
                while let Some(output) = self.cores[number].replicator.next_output() {
                    is_quiet = false;
                    self.put_out(number, output);
                }
                let core = &mut self.cores[number];
                while let Some(event) = core.replicator.next_event() {
                    core.events.push(event);
                }
                if is_quiet {
                    break;
                }
            }
        }
    }

    fn put_out(&mut self, core: usize, output: Output) {
        let peer_of = match &output {
            Output::Send { peer, .. } | Output::Close { peer, .. } => *peer,
            other => panic!("{other:?}"),
        };
        let place = self.links.iter().find_map(|(number, link)| {
            let mut channels = link.channels.iter();
            let of_peer = channels.find(|(_, to)| **to == (core, Some(peer_of)));
            of_peer.map(|(channel, _)| (*number, *channel))
        });
        let Some((number, channel)) = place else { return };
        let link = self.links.get_mut(&number).unwrap();
        match output {
            Output::Send { peer, message } => {
                link.connection.send(channel, &message).unwrap();
                while link.connection.next_frame().is_some() {}
                let side = link.side;
                if let Message::Request(request) = &message {
                    let answer = self.answer(core, number, side, request);
                    self.cores[core].replicator.receive(peer, answer).unwrap();
                }
                self.cores[core].sent.push((number, message));
            }
            Output::Close { reason, .. } => {
                link.connection.close(channel);
                link.channels.remove(&channel);
                self.cores[core].closed.push(reason);
            }
            _ => {}
        }
    }

    /// What the party at the other end would answer.
    fn answer(&mut self, core: usize, number: usize, side: Side, request: &Request) -> Message {
        if let Some(data) = self.transcript.answer(core, number, side, request) {
            self.answered.0 += 1;
            return Message::Data(Box::new(data));
        }
        self.answered.1 += 1;
        let asked = self.transcript.party(number, other(side));
        let (_, log) = &self.cores[core].others[&asked];
        let refused =
            |reason| Message::NoData(NoData { request_id: request.id, reason: Some(reason) });
        match log.create_proof(request) {
            Ok(Some(proof)) => Message::Data(Box::new(Data { request_id: request.id, proof })),
            Ok(None) => refused(NoDataReason::NotAvailable),
            Err(_) => refused(NoDataReason::Invalid),
        }
    }

    /// Waits until everything is said that this side takes its time for.
    pub(crate) fn wait(&mut self) {
        for _ in 0..20 {
            self.now += LONG;
            self.pump();
        }
    }
}
