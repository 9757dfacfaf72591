//! The channels of this side, and who waits for whom.
//!
//! Invariants: every open, of either side, is answered by one open or one reject, so a number whose
//! open is unanswered stays taken, also when its channel is closed meanwhile. Answers come in the
//! order of the opens for the same name. A name with an offer has no unanswered opens: the first
//! of them would have taken it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::event::{ChannelId, ProtocolId};

/// What identifies a channel for both sides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) protocol: ProtocolId,
    pub(crate) topic: Bytes,
}

/// How far a channel of this side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Opened here, not answered.
    Waiting,
    /// Opened and closed here, not answered.
    Abandoned,
    /// Open on both sides; the remote calls it by this number.
    Paired(u64),
}

#[derive(Debug)]
struct Local {
    serial: u64,
    name: Name,
    state: State,
}

/// What goes on under one name.
#[derive(Debug, Default)]
struct Topic {
    /// The channel that is open or wants to be.
    live: Option<usize>,
    /// Places whose opens are unanswered, the oldest first; the last of them may be `live`.
    unanswered: VecDeque<usize>,
    /// The remote's number of an offer.
    offer: Option<u64>,
}

/// What became of an open or a reject of the remote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It belongs to this channel.
    Live(ChannelId),
    /// It belongs to a channel that was closed meanwhile; its place is free now.
    Abandoned(ChannelId),
}

#[derive(Debug)]
pub(crate) struct Channels {
    places: Vec<Option<Local>>,
    /// Free places, the one to be used next last.
    free: Vec<usize>,
    topics: BTreeMap<Name, Topic>,
    next_serial: u64,
}

impl Channels {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new(), topics: BTreeMap::new(), next_serial: 0 }
    }

    /// The number that the next open will have.
    pub(crate) fn next_number(&self) -> u64 {
        let place = self.free.last().copied().unwrap_or(self.places.len());
        (place as u64).saturating_add(1)
    }

    /// Places that are taken.
    pub(crate) const fn count(&self) -> usize {
        self.places.len().saturating_sub(self.free.len())
    }

    /// The state of a channel, unless it is closed.
    pub(crate) fn state(&self, channel: ChannelId) -> Option<State> {
        let local = self.places.get(channel.place)?.as_ref()?;
        (local.serial == channel.serial && local.state != State::Abandoned).then_some(local.state)
    }

    /// Channels that are open or want to be, in the order of their numbers.
    pub(crate) fn live(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.places.iter().enumerate().filter_map(|(place, local)| {
            let local = local.as_ref().filter(|local| local.state != State::Abandoned)?;
            Some(ChannelId { place, serial: local.serial })
        })
    }

    pub(crate) fn is_live(&self, name: &Name) -> bool {
        self.topics.get(name).is_some_and(|topic| topic.live.is_some())
    }

    pub(crate) fn offer(&self, name: &Name) -> Option<u64> {
        self.topics.get(name)?.offer
    }

    pub(crate) fn set_offer(&mut self, name: Name, number: u64) {
        self.topics.entry(name).or_default().offer = Some(number);
    }

    pub(crate) fn take_offer(&mut self, name: &Name) -> Option<u64> {
        let number = self.topics.get_mut(name)?.offer.take();
        self.tidy(name);
        number
    }

    /// Takes a place for a name that is not live; `remote` is the offer that it answers.
    pub(crate) fn open(&mut self, name: Name, remote: Option<u64>) -> ChannelId {
        let place = self.free.pop().unwrap_or(self.places.len());
        let serial = self.next_serial;
        self.next_serial = self.next_serial.saturating_add(1);
        let topic = self.topics.entry(name.clone()).or_default();
        topic.live = Some(place);
        let state = match remote {
            Some(number) => State::Paired(number),
            None => {
                topic.unanswered.push_back(place);
                State::Waiting
            }
        };
        let local = Local { serial, name, state };
        match self.places.get_mut(place) {
            Some(slot) => *slot = Some(local),
            None => self.places.push(Some(local)),
        }
        ChannelId { place, serial }
    }

    /// Closes a live channel, by either side. The place of an unanswered one stays taken.
    pub(crate) fn close(&mut self, channel: ChannelId) {
        let Some(Some(local)) = self.places.get_mut(channel.place) else { return };
        let name = local.name.clone();
        if local.state == State::Waiting {
            local.state = State::Abandoned;
        } else {
            self.vacate(channel.place);
        }
        if let Some(topic) = self.topics.get_mut(&name) {
            topic.live = None;
        }
        self.tidy(&name);
    }

    /// An open of the remote: gives it to the oldest open that waits for it.
    pub(crate) fn pair(&mut self, name: &Name, number: u64) -> Option<Answer> {
        let place = self.topics.get_mut(name)?.unanswered.pop_front()?;
        let answer = match self.places.get_mut(place) {
            Some(Some(local)) if local.state == State::Waiting => {
                local.state = State::Paired(number);
                Answer::Live(ChannelId { place, serial: local.serial })
            }
            _ => self.vacate(place),
        };
        self.tidy(name);
        Some(answer)
    }

    /// A reject of the remote, for the channel in this place; `None` when it waits for no answer.
    pub(crate) fn refuse(&mut self, place: usize) -> Option<Answer> {
        let local = self.places.get(place)?.as_ref()?;
        let (name, state) = (local.name.clone(), local.state);
        if matches!(state, State::Paired(_)) {
            return None;
        }
        let topic = self.topics.get_mut(&name)?;
        topic.unanswered.retain(|waiting| *waiting != place);
        if state == State::Waiting {
            topic.live = None;
        }
        self.tidy(&name);
        match (self.vacate(place), state) {
            (Answer::Abandoned(channel), State::Waiting) => Some(Answer::Live(channel)),
            (answer, _) => Some(answer),
        }
    }

    fn vacate(&mut self, place: usize) -> Answer {
        let local = self.places.get_mut(place).and_then(Option::take);
        self.free.push(place);
        Answer::Abandoned(ChannelId { place, serial: local.map_or(0, |local| local.serial) })
    }

    /// Forgets a name under which nothing goes on.
    fn tidy(&mut self, name: &Name) {
        let is_idle = |topic: &Topic| {
            topic.live.is_none() && topic.unanswered.is_empty() && topic.offer.is_none()
        };
        if self.topics.get(name).is_some_and(is_idle) {
            self.topics.remove(name);
        }
    }
}
