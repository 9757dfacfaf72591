//! The requests in flight, and their numbers.
//!
//! Numbers are shared by all peers, small, and used again last in first out; that of a request that was taken back
//! rests until the peer has answered one that was made after that, so that a late answer is never taken for another's.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use hypercore_merkle::Request;

use crate::limits::SWAPS_MAX;
use crate::options::{PeerId, WishId};

/// Counts the requests ever made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Serial(u64);

/// A request in flight, named so that a number that was used again is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) id: u64,
    pub(crate) serial: Serial,
}

impl Name {
    /// Of what came without a request.
    pub(crate) const fn none() -> Self {
        Self { id: 0, serial: Serial(0) }
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Whatever the request says.
    Data,
    /// A seek for this wish.
    Seek(WishId),
    /// A hash for this wish.
    Hash(WishId),
    /// A step of a reorganisation.
    Reorganisation,
}

/// A request that was sent and not answered.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) peer: PeerId,
    pub(crate) serial: Serial,
    pub(crate) request: Request,
    pub(crate) purpose: Purpose,
    pub(crate) sent_at: Duration,
    /// The request whose answer brings the node that this one ends at.
    pub(crate) leans_on: Option<Name>,
    /// Requests that lean on this one.
    pub(crate) leaned_on: u32,
    /// Whether an answer has come, which is not looked at yet.
    pub(crate) has_arrived: bool,
    /// Whether its answer is there and about to be applied.
    pub(crate) is_answered: bool,
    /// Whether the request it leans on came to nothing: when its answer does not hold, nobody is to blame.
    pub(crate) is_orphan: bool,
}

impl Flight {
    pub(crate) const fn name(&self) -> Name {
        Name { id: self.request.id, serial: self.serial }
    }

    /// Whether it asks for the log from nothing and for a block at once.
    pub(crate) fn is_first_with_block(&self) -> bool {
        let upgrade = self.request.upgrade;
        upgrade.is_some_and(|upgrade| upgrade.start == 0) && self.request.block.is_some()
    }
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are flying, and there are few")]
enum Slot {
    Free,
    /// Taken back, and not known to be forgotten by the peer.
    Resting,
    Flying(Flight),
}

/// Peers that are asked for one block at the same time.
const ASKED_MAX: usize = SWAPS_MAX as usize + 1;

/// Who was asked for a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    /// The requests; 0 for none.
    ids: [u64; ASKED_MAX],
    /// How many others were asked after the first.
    swaps: u8,
}

impl Asked {
    /// The numbers of the requests.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> + use<> {
        self.ids.into_iter().filter(|id| *id != 0)
    }

    fn replace(&mut self, id: u64, by: u64) {
        if let Some(place) = self.ids.iter_mut().find(|asked| **asked == id) {
            *place = by;
        }
    }
}

/// All requests in flight.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// The request with number `n` is in slot `n - 1`.
    slots: Vec<Slot>,
    free: Vec<u64>,
    resting: BTreeMap<PeerId, Vec<Name>>,
    blocks: BTreeMap<u64, Asked>,
    made: u64,
    flying: usize,
}

impl Requests {
    /// Numbers a request and keeps it.
    pub(crate) fn add(
        &mut self,
        peer: PeerId,
        mut request: Request,
        purpose: Purpose,
        leans_on: Option<Name>,
        now: Duration,
    ) -> (Name, Request) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::Free);
            self.slots.len() as u64
        });
        self.made = self.made.saturating_add(1);
        self.flying = self.flying.saturating_add(1);
        let name = Name { id, serial: Serial(self.made) };
        request.id = id;
        if let Some(block) = request.block {
            let asked = self.blocks.entry(block.index).or_default();
            if asked.ids().next().is_some() {
                asked.swaps = asked.swaps.saturating_add(1);
            }
            asked.replace(0, id);
        }
        if let Some(below) = leans_on.and_then(|name| self.get_mut(name.id)) {
            below.leaned_on = below.leaned_on.saturating_add(1);
        }
        let flight = Flight {
            peer,
            serial: name.serial,
            request,
            purpose,
            sent_at: now,
            leans_on,
            leaned_on: 0,
            has_arrived: false,
            is_answered: false,
            is_orphan: false,
        };
        if let Some(slot) = self.slot_mut(id) {
            *slot = Slot::Flying(flight);
        }
        (name, request)
    }

    fn slot_mut(&mut self, id: u64) -> Option<&mut Slot> {
        let place = usize::try_from(id.checked_sub(1)?).ok()?;
        self.slots.get_mut(place)
    }

    /// The request with this number.
    pub(crate) fn get(&self, id: u64) -> Option<&Flight> {
        let place = usize::try_from(id.checked_sub(1)?).ok()?;
        match self.slots.get(place) {
            Some(Slot::Flying(flight)) => Some(flight),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Flight> {
        match self.slot_mut(id) {
            Some(Slot::Flying(flight)) => Some(flight),
            _ => None,
        }
    }

    /// Whether this request is still in flight.
    fn is_flying(&self, name: Name) -> bool {
        self.get(name.id).is_some_and(|flight| flight.serial == name.serial)
    }

    /// Whether the answer to this request is still to come.
    pub(crate) fn is_awaited(&self, name: Name) -> bool {
        let flight = self.get(name.id);
        flight.is_some_and(|flight| flight.serial == name.serial && !flight.is_answered)
    }

    /// Takes out a request that was answered, whose number is free again.
    pub(crate) fn finish(&mut self, id: u64) -> Option<Flight> {
        let flight = self.take(id, Slot::Free)?;
        self.free.push(id);
        if let Some(resting) = self.resting.get_mut(&flight.peer) {
            let rested = resting.extract_if(.., |name| name.serial < flight.serial);
            let ids: Vec<u64> = rested.map(|name| name.id).collect();
            if resting.is_empty() {
                self.resting.remove(&flight.peer);
            }
            for id in ids {
                self.release(id);
            }
        }
        Some(flight)
    }

    /// Takes out a request that is taken back; its number rests.
    pub(crate) fn cancel(&mut self, id: u64) -> Option<Flight> {
        let flight = self.take(id, Slot::Resting)?;
        // Only what is asked for from now on is read behind the cancel.
        let name = Name { id, serial: Serial(self.made) };
        self.resting.entry(flight.peer).or_default().push(name);
        Some(flight)
    }

    /// Takes out all requests to a peer that is gone, whose numbers are free at once.
    pub(crate) fn remove_peer(&mut self, peer: PeerId) -> Vec<Flight> {
        for name in self.resting.remove(&peer).unwrap_or_default() {
            self.release(name.id);
        }
        let flights = self.of_peer(peer).into_iter().filter_map(|id| {
            let flight = self.take(id, Slot::Free)?;
            self.free.push(id);
            Some(flight)
        });
        flights.collect()
    }

    /// The numbers of the requests to a peer.
    pub(crate) fn of_peer(&self, peer: PeerId) -> Vec<u64> {
        self.all().filter(|(_, flight)| flight.peer == peer).map(|(id, _)| id).collect()
    }

    /// All requests with their numbers.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &Flight)> {
        self.slots.iter().zip(1..).filter_map(|(slot, id)| match slot {
            Slot::Flying(flight) => Some((id, flight)),
            _ => None,
        })
    }

    /// Whether a request with this number was taken back from this peer, which may not know yet.
    pub(crate) fn is_resting(&self, id: u64, peer: PeerId) -> bool {
        self.resting.get(&peer).is_some_and(|names| names.iter().any(|name| name.id == id))
    }

    /// The request came to nothing: those that lean on it may fail without anybody's fault. Gives them.
    pub(crate) fn orphan(&mut self, serial: Serial) -> impl Iterator<Item = &Flight> {
        self.slots.iter_mut().filter_map(move |slot| match slot {
            Slot::Flying(flight) if flight.leans_on.is_some_and(|it| it.serial == serial) => {
                flight.is_orphan = true;
                Some(&*flight)
            }
            _ => None,
        })
    }

    /// How many of a peer's requests were taken back and may still be answered.
    pub(crate) fn resting(&self, peer: PeerId) -> usize {
        self.resting.get(&peer).map_or(0, Vec::len)
    }

    /// Requests in flight.
    pub(crate) const fn count(&self) -> usize {
        self.flying
    }

    /// Requests ever made.
    pub(crate) const fn made(&self) -> u64 {
        self.made
    }

    /// Who was asked for a block.
    pub(crate) fn asked(&self, block: u64) -> Option<&Asked> {
        self.blocks.get(&block)
    }

    /// Whether one more peer may be asked for a block that is in flight.
    pub(crate) fn may_swap(&self, block: u64, peer: PeerId) -> bool {
        self.blocks.get(&block).is_some_and(|asked| {
            let is_another = |id| self.get(id).is_some_and(|flight| flight.peer != peer);
            asked.swaps < SWAPS_MAX && asked.ids().all(is_another)
        })
    }

    /// The blocks in flight.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (u64, &Asked)> {
        self.blocks.iter().map(|(block, asked)| (*block, asked))
    }

    fn take(&mut self, id: u64, leave: Slot) -> Option<Flight> {
        let slot = self.slot_mut(id)?;
        let flight = match mem::replace(slot, leave) {
            Slot::Flying(flight) => flight,
            other => {
                *slot = other;
                return None;
            }
        };
        self.flying = self.flying.saturating_sub(1);
        if let Some(block) = flight.request.block
            && let Some(asked) = self.blocks.get_mut(&block.index)
        {
            asked.replace(id, 0);
            if asked.ids().next().is_none() {
                self.blocks.remove(&block.index);
            }
        }
        if let Some(below) = flight.leans_on
            && self.is_flying(below)
            && let Some(below) = self.get_mut(below.id)
        {
            below.leaned_on = below.leaned_on.saturating_sub(1);
        }
        Some(flight)
    }

    fn release(&mut self, id: u64) {
        if let Some(slot) = self.slot_mut(id) {
            *slot = Slot::Free;
            self.free.push(id);
        }
    }
}
