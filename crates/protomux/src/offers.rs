//! What the remote calls its channels, and what is held for those it only offered.
//!
//! Invariant: `held_len` is the sum over all offers and over `ready`; what is held is counted
//! until it is handed out or dropped.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::channels::Name;
use crate::event::{ChannelId, Event};
use crate::options::HELD_MESSAGE_LEN;

/// A channel of the remote that this side has not opened.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) name: Name,
    /// Which of the names of the protocol the remote used.
    pub(crate) alias: usize,
    pub(crate) handshake: Bytes,
    pub(crate) held: Vec<Held>,
}

/// A message for a channel that is not open.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) kind: u64,
    pub(crate) payload: Bytes,
}

impl Held {
    /// What the message counts.
    pub(crate) const fn cost(&self) -> usize {
        HELD_MESSAGE_LEN.saturating_add(self.payload.len())
    }
}

#[derive(Debug)]
pub(crate) enum Remote {
    Offered(Offer),
    Paired(ChannelId),
}

#[derive(Debug)]
pub(crate) struct Remotes {
    channels: BTreeMap<u64, Remote>,
    /// The highest number the remote ever used.
    pub(crate) highest: u64,
    /// How many of the channels are offers.
    pub(crate) offers: usize,
    pub(crate) held_len: usize,
    /// What was held for channels that are open now, in order.
    ready: VecDeque<(ChannelId, Event, usize)>,
}

impl Remotes {
    pub(crate) const fn new() -> Self {
        Self {
            channels: BTreeMap::new(),
            highest: 0,
            offers: 0,
            held_len: 0,
            ready: VecDeque::new(),
        }
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Remote> {
        self.channels.get(&number)
    }

    pub(crate) fn insert(&mut self, number: u64, remote: Remote) {
        if matches!(remote, Remote::Offered(_)) {
            self.offers = self.offers.saturating_add(1);
        }
        self.channels.insert(number, remote);
    }

    /// Frees a number. What was held for it is dropped.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Remote> {
        let remote = self.channels.remove(&number)?;
        if let Remote::Offered(offer) = &remote {
            self.offers = self.offers.saturating_sub(1);
            self.uncount(offer.held.iter().map(Held::cost).sum());
        }
        Some(remote)
    }

    /// Keeps a message for the offer with this number. `frame_len` is what a slice would keep.
    pub(crate) fn hold(&mut self, number: u64, kind: u64, payload: &Bytes, frame_len: usize) {
        let Some(Remote::Offered(offer)) = self.channels.get_mut(&number) else { return };
        // A slice of a much larger frame would keep more memory than it is counted for.
        let is_most = payload.len() >= frame_len / 2;
        let payload = if is_most { payload.clone() } else { Bytes::copy_from_slice(payload) };
        let held = Held { kind, payload };
        self.held_len = self.held_len.saturating_add(held.cost());
        offer.held.push(held);
    }

    /// Makes an offer a channel and its held messages events.
    pub(crate) fn accept(&mut self, number: u64, channel: ChannelId, offer: Offer) {
        self.insert(number, Remote::Paired(channel));
        let opened = Event::Opened { channel, handshake: offer.handshake };
        self.ready.push_back((channel, opened, 0));
        for held in offer.held {
            let cost = held.cost();
            self.held_len = self.held_len.saturating_add(cost);
            let Held { kind, payload } = held;
            self.ready.push_back((channel, Event::Message { channel, kind, payload }, cost));
        }
    }

    /// The next event of a channel that was accepted.
    pub(crate) fn next_ready(&mut self) -> Option<Event> {
        let (_, event, cost) = self.ready.pop_front()?;
        self.uncount(cost);
        Some(event)
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Drops what waits to be handed out for a channel.
    pub(crate) fn forget(&mut self, channel: ChannelId) {
        let mut dropped: usize = 0;
        self.ready.retain(|(of, _, cost)| {
            let stays = *of != channel;
            if !stays {
                dropped = dropped.saturating_add(*cost);
            }
            stays
        });
        self.uncount(dropped);
    }

    const fn uncount(&mut self, len: usize) {
        self.held_len = self.held_len.saturating_sub(len);
    }
}
