//! Fetching: what is wished for, who is asked, what the answers bring.
//!
//! One [`Download`] serves all peers of a log, and each peer has its [`PeerDownload`]. Nothing here is told who the
//! peers are or how messages travel; it is told the time.

mod answers;
mod ask;
mod conflict;
mod cursor;
mod nodes;
mod peer;
mod pick;
mod plan;
mod random;
mod reorganise;
mod requests;
mod wants;
mod wishes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::time::Duration;

use hypercore_log::Log;
use hypercore_merkle::Data;

use crate::event::{Event, Evidence};
use crate::message::{Cancel, Message};
use crate::options::{Options, PeerId};
use crate::peer::Peer;
use crate::view::View;

use answers::Answer;
use random::Random;
use reorganise::Reorganising;
use requests::{Flight, Name, Requests, Serial};
use wishes::Wishes;

pub(crate) use answers::proof_len;
pub(crate) use peer::PeerDownload;

/// All peers of a log.
pub(crate) type Peers = BTreeMap<PeerId, Peer>;

/// What one run works with.
pub(crate) struct Run<'a> {
    pub(crate) log: &'a Log,
    pub(crate) view: View,
    pub(crate) now: Duration,
    pub(crate) events: &'a mut VecDeque<Event>,
    /// Peers that did something no honest peer does.
    pub(crate) faults: Vec<(PeerId, crate::fault::PeerFault)>,
}

/// What fetching changed in the log.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Blocks that are stored now, in the order they came, neighbours joined.
    pub(crate) stored: Vec<Range<u64>>,
    /// Whether the log grew.
    pub(crate) grew: bool,
    /// The length that was left when the log moved to another fork.
    pub(crate) cut: Option<u64>,
}

/// What is fetched for a log.
#[derive(Debug)]
pub(crate) struct Download {
    options: Options,
    pub(crate) requests: Requests,
    pub(crate) wishes: Wishes,
    random: Random,
    /// Blocks of ranges that were asked for in vain.
    retry: BTreeSet<u64>,
    /// Answers that were not looked at.
    inbox: VecDeque<(PeerId, Data)>,
    /// Whether the peers were asked for more since there are answers to look at.
    has_planned_ahead: bool,
    /// Answers that wait for the one that they lean on.
    held: BTreeMap<Serial, Vec<Answer>>,
    /// Blocks whose answers could not wait. They are asked for with all their nodes: a peer that answers the newest
    /// request first would bring them too early again.
    alone: BTreeSet<u64>,
    /// The request for a longer log that is in flight.
    upgrade: Option<Name>,
    /// Whether a first request for log and block together came to nothing: a prologue can be the reason, so the next
    /// one asks for the log alone.
    asks_log_alone: bool,
    reorganising: Option<Reorganising>,
    /// Whether the own stores failed. Nothing is fetched any more.
    pub(crate) has_failed: bool,
    pub(crate) conflict: Option<Evidence>,
}

impl Download {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            random: Random::new(options.seed),
            options,
            requests: Requests::default(),
            wishes: Wishes::default(),
            retry: BTreeSet::new(),
            inbox: VecDeque::new(),
            has_planned_ahead: false,
            held: BTreeMap::new(),
            alone: BTreeSet::new(),
            upgrade: None,
            asks_log_alone: false,
            reorganising: None,
            has_failed: false,
            conflict: None,
        }
    }

    /// Keeps an answer until the next run.
    pub(crate) fn receive(&mut self, id: PeerId, peer: &mut Peer, data: Data) {
        if let Some(flight) = self.requests.get_mut(data.request_id)
            && flight.peer == id
            && !flight.has_arrived
        {
            flight.has_arrived = true;
            peer.download.arrived = peer.download.arrived.saturating_add(1);
        }
        self.inbox.push_back((id, data));
    }

    /// Whether an answer waits to be looked at.
    pub(crate) fn has_input(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// A peer said what it holds of these blocks.
    pub(crate) fn peer_told(&self, peer: &mut Peer, blocks: Range<u64>) {
        let region = self.options.want_region.blocks();
        peer.download.wants.answered(blocks.clone(), region);
        peer.download.gained(blocks);
        self.ask_again_for_forgotten(peer);
    }

    /// Nothing is wished for: what a peer holds is kept only as far as that takes little room.
    pub(crate) fn rest(&self, peer: &mut Peer) {
        peer.holdings.rest();
        self.ask_again_for_forgotten(peer);
    }

    fn ask_again_for_forgotten(&self, peer: &mut Peer) {
        if let Some(forgotten) = peer.holdings.take_forgotten() {
            peer.download.wants.forget(&forgotten, self.options.want_region.blocks());
        }
    }

    /// A peer holds less than before, and what it holds from there on may not be known any more.
    pub(crate) fn peer_dropped(&self, peer: &mut Peer, start: u64) {
        peer.download.wants.forget(&(start..u64::MAX), self.options.want_region.blocks());
        peer.download.forget_runs();
    }

    /// A peer is gone, with everything it was asked for.
    pub(crate) fn remove_peer(&mut self, peer: PeerId) {
        // Evidence counts although its bearer has left, as who found a conflict does.
        self.inbox.retain(|(from, data)| *from != peer || conflict::may_be_evidence(data));
        for answers in self.held.values_mut() {
            answers.retain(|answer| answer.peer != peer);
        }
        for flight in self.requests.remove_peer(peer) {
            self.asks_log_alone |= flight.is_first_with_block();
            self.held.remove(&flight.serial);
            self.ask_again(&flight);
        }
        if self.reorganising.as_ref().is_some_and(|reorganising| reorganising.peer == peer) {
            self.reorganising = None;
        }
    }

    /// A request came to nothing: whatever it was for is to be asked for again.
    fn ask_again(&mut self, flight: &Flight) {
        if self.upgrade.is_some_and(|name| name.serial == flight.serial) {
            self.upgrade = None;
        }
        self.wishes.not_asked(flight.serial);
        if let Some(block) = flight.request.block
            && self.requests.asked(block.index).is_none()
            && !self.wishes.ask_again(block.index)
            && self.wishes.is_in_range(block.index)
        {
            self.retry.insert(block.index);
        }
    }

    /// Takes a request back. It may have served more than what it is taken back for: whoever still wishes for any of it
    /// may ask again.
    fn take_back(&mut self, peers: &mut Peers, id: u64) {
        let Some(flight) = self.requests.cancel(id) else { return };
        let name = Name { id, serial: flight.serial };
        if let Some(peer) = peers.get_mut(&flight.peer) {
            peer.download.finished(name, &flight);
            peer.output.push_back(Message::Cancel(Cancel { request_id: id }));
        }
        self.release(name, peers);
        self.ask_again(&flight);
    }

    /// A wish is taken back, and with it the requests that served nothing else.
    pub(crate) fn cancel(&mut self, peers: &mut Peers, wish: crate::options::WishId) {
        let (block, asked) = self.wishes.cancel(wish);
        if let Some(block) = block
            && !self.wishes.is_in_range(block)
        {
            let ids: Vec<u64> =
                self.requests.asked(block).map(|asked| asked.ids().collect()).unwrap_or_default();
            for id in ids {
                // An upgrade, or what others lean on, is worth waiting for.
                let is_needed = self.requests.get(id).is_none_or(|flight| {
                    flight.leaned_on > 0 || flight.is_answered || flight.request.upgrade.is_some()
                });
                if !is_needed {
                    self.take_back(peers, id);
                }
            }
        }
        if let Some(name) = asked
            && self.requests.is_awaited(name)
        {
            self.take_back(peers, name.id);
        }
        for peer in peers.values_mut() {
            peer.download.cursors.remove(&wish);
        }
    }

    /// The log moved to another fork, or lost its end: what is in flight is void, and what was fetched past `length` is
    /// to be fetched again.
    pub(crate) fn log_was_cut(&mut self, peers: &mut Peers, length: u64) {
        let ids: Vec<u64> = self.requests.all().map(|(id, _)| id).collect();
        for id in ids {
            self.take_back(peers, id);
        }
        self.held.clear();
        self.alone.clear();
        self.upgrade = None;
        self.reorganising = None;
        self.retry.retain(|index| *index < length);
        self.wishes.is_stale = true;
        for peer in peers.values_mut() {
            peer.download.expected.clear();
            peer.download.tree_changed(Duration::ZERO);
            // A peer that takes us for a holder of what was cut says nothing of it unless it is asked again.
            peer.download.wants.forget(&(length..u64::MAX), self.options.want_region.blocks());
            peer.download.held_len = 0;
            for cursor in peer.download.cursors.values_mut() {
                cursor.cut(length);
            }
        }
    }
}
