//! Two ends joined by pipes in order, driven at random, against the dullest model there is: what
//! is sent on a channel that both sides opened arrives once, in order, until one side closes it.
//!
//! Each channel has a ticket of its own in its handshake, and each message says the ticket of its
//! sender's channel and how many came before it.

mod common;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use common::{frames, written};
use proptest::collection::vec;
use proptest::prelude::*;
use protomux::{ChannelId, CloseReason, Event, Mux, OpenError, Options, ProtocolId, Raw};

/// Topics that the two sides fight over.
const TOPICS: u8 = 3;

/// The first ticket of each side: no channel of one has the ticket of one of the other.
const FIRST_TICKETS: [u32; 2] = [0, 1 << 31];

/// What one side does.
#[derive(Debug, Clone, Copy)]
enum Action {
    Open(u8),
    Close(u8),
    Reject(u8),
    Send(u8, u8),
    Cork,
    Uncork,
    Flush,
    /// Takes the frames that wait and puts them on the wire.
    Write,
    /// Takes some frames off the wire.
    Read(u8),
}

fn action() -> impl Strategy<Value = (bool, Action)> {
    let action = prop_oneof![
        3 => (0..TOPICS).prop_map(Action::Open),
        2 => (0..TOPICS).prop_map(Action::Close),
        1 => (0..TOPICS).prop_map(Action::Reject),
        6 => (0..TOPICS, any::<u8>()).prop_map(|(topic, len)| Action::Send(topic, len)),
        1 => Just(Action::Cork),
        2 => Just(Action::Uncork),
        1 => Just(Action::Flush),
        4 => Just(Action::Write),
        6 => any::<u8>().prop_map(Action::Read),
    ];
    (any::<bool>(), action)
}

/// What a side knows of one of its channels.
#[derive(Debug)]
struct Channel {
    topic: u8,
    ticket: u32,
    sent: u32,
    received: u32,
    /// The ticket of the other side's channel, once that is open.
    peer: Option<u32>,
}

struct Side {
    mux: Mux,
    protocol: ProtocolId,
    channels: BTreeMap<ChannelId, Channel>,
    offers: Vec<u8>,
    wire: VecDeque<Vec<u8>>,
    corks: u32,
    next_ticket: u32,
    /// How many messages each ticket of this side sent before its channel ended here.
    ended: BTreeMap<u32, u32>,
}

impl Side {
    fn new(first_ticket: u32, batch_len_max: usize) -> Self {
        let mut options = Options::default();
        options.batch_len_max = batch_len_max;
        // As large as all that may be held, so that a pause needs no decision to end.
        options.held_len_max = usize::MAX;
        let mut mux = Mux::new(options);
        let protocol = mux.add_protocol("model", &[]);
        Self {
            mux,
            protocol,
            channels: BTreeMap::new(),
            offers: Vec::new(),
            wire: VecDeque::new(),
            corks: 0,
            next_ticket: first_ticket,
            ended: BTreeMap::new(),
        }
    }

    fn live(&self, topic: u8) -> Option<ChannelId> {
        self.channels.iter().find(|(_, channel)| channel.topic == topic).map(|(id, _)| *id)
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Open(topic) => {
                let ticket = self.next_ticket;
                let opened = self.mux.open(self.protocol, &[topic], &ticket.to_le_bytes());
                if self.live(topic).is_some() {
                    assert_eq!(opened, Err(OpenError::AlreadyOpen));
                    return;
                }
                self.next_ticket += 1;
                self.offers.retain(|offer| *offer != topic);
                let channel = Channel { topic, ticket, sent: 0, received: 0, peer: None };
                self.channels.insert(opened.unwrap(), channel);
            }
            Action::Close(topic) => {
                let Some(id) = self.live(topic) else { return };
                self.mux.close(id);
                let channel = self.channels.remove(&id).unwrap();
                self.ended.insert(channel.ticket, channel.sent);
            }
            Action::Reject(topic) => {
                let was_offered = self.offers.contains(&topic);
                self.offers.retain(|offer| *offer != topic);
                assert_eq!(self.mux.reject(self.protocol, &[topic]), was_offered);
            }
            Action::Send(topic, len) => {
                let Some(id) = self.live(topic) else { return };
                let channel = self.channels.get_mut(&id).unwrap();
                let mut message = channel.ticket.to_le_bytes().to_vec();
                message.extend(channel.sent.to_le_bytes());
                message.resize(8 + usize::from(len) * usize::from(len) / 8, len);
                self.mux.send(id, len.into(), &Raw(message)).unwrap();
                channel.sent += 1;
            }
            Action::Cork => {
                self.mux.cork();
                self.corks += 1;
            }
            Action::Uncork => {
                self.mux.uncork();
                self.corks = self.corks.saturating_sub(1);
            }
            Action::Flush => self.mux.flush(),
            Action::Write => self.wire.extend(frames(&mut self.mux)),
            Action::Read(_) => unreachable!("the wire belongs to the other side"),
        }
    }

    /// What the other side wrote; `other` is asked what it has sent.
    fn read(&mut self, frame: Vec<u8>, other: &Self) {
        self.mux.receive(Bytes::from(frame));
        self.events(other);
    }

    fn events(&mut self, other: &Self) {
        while let Some(event) = self.mux.next_event().unwrap() {
            match event {
                Event::Offered { topic, .. } => self.offers.push(topic[0]),
                Event::Withdrawn { topic, .. } => {
                    assert!(self.offers.contains(&topic[0]));
                    self.offers.retain(|offer| *offer != topic[0]);
                }
                Event::Opened { channel, handshake } => {
                    let channel = self.channels.get_mut(&channel).expect("an open channel");
                    assert_eq!(channel.peer, None, "opened once");
                    channel.peer = Some(number(&handshake));
                }
                Event::Message { channel, kind, payload } => {
                    let channel = self.channels.get_mut(&channel).expect("an open channel");
                    assert_eq!(channel.peer, Some(number(&payload)), "from its own pair");
                    assert_eq!(channel.received, number(&payload[4..]), "once, in order");
                    assert!(payload[8..].iter().all(|byte| u64::from(*byte) == kind));
                    channel.received += 1;
                }
                Event::Closed { channel, reason } => {
                    let channel = self.channels.remove(&channel).expect("an open channel");
                    match (reason, channel.peer) {
                        (CloseReason::Rejected, None) => {}
                        (CloseReason::Closed, Some(peer)) => {
                            assert_eq!(channel.received, other.ended[&peer], "all before the end");
                        }
                        wrong => panic!("{wrong:?}"),
                    }
                    self.ended.insert(channel.ticket, channel.sent);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().unwrap())
}

/// Delivers all that is under way, in both directions, until there is nothing.
fn settle(sides: &mut [Side; 2]) {
    loop {
        let mut moved = false;
        for from in 0..2 {
            let [left, right] = &mut *sides;
            let (from, to) = if from == 0 { (left, right) } else { (right, left) };
            to.events(from);
            from.act(Action::Write);
            while let Some(frame) = from.wire.pop_front() {
                to.read(frame, from);
                moved = true;
            }
        }
        if !moved {
            return;
        }
    }
}

fn check(batch_len_max: usize, actions: &[(bool, Action)]) {
    let mut sides = FIRST_TICKETS.map(|ticket| Side::new(ticket, batch_len_max));
    for (is_left, action) in actions {
        let [left, right] = &mut sides;
        let (side, other) = if *is_left { (left, right) } else { (right, left) };
        match action {
            Action::Read(count) => {
                for _ in 0..=count % 8 {
                    let Some(frame) = other.wire.pop_front() else { break };
                    side.read(frame, other);
                }
            }
            action => side.act(*action),
        }
        side.events(other);
    }

    // Everything arrives, and every offer is decided on.
    for side in &mut sides {
        (0..side.corks).for_each(|_| side.mux.uncork());
        side.corks = 0;
    }
    loop {
        settle(&mut sides);
        let offers: Vec<Vec<u8>> = sides.iter().map(|side| side.offers.clone()).collect();
        for (side, topics) in sides.iter_mut().zip(&offers) {
            topics.iter().for_each(|topic| side.act(Action::Reject(*topic)));
        }
        if offers.concat().is_empty() {
            break;
        }
    }
    // Whatever is still open is open on both sides, and nothing was lost on it.
    for (side, other) in [(&sides[0], &sides[1]), (&sides[1], &sides[0])] {
        assert_eq!(side.mux.channels().count(), side.channels.len());
        for (id, channel) in &side.channels {
            assert!(side.mux.is_open(*id));
            let (_, peer) = other
                .channels
                .iter()
                .find(|(_, peer)| Some(peer.ticket) == channel.peer)
                .expect("the pair is open too");
            assert_eq!((peer.peer, peer.topic), (Some(channel.ticket), channel.topic));
            assert_eq!(channel.received, peer.sent);
        }
    }
    // After the last close nothing is left, and every number is free.
    for side in &mut sides {
        (0..TOPICS).for_each(|topic| side.act(Action::Close(topic)));
    }
    settle(&mut sides);
    for (side, first_ticket) in sides.iter_mut().zip(FIRST_TICKETS) {
        assert!(format!("{:?}", side.mux).contains("channels: 0, offers: 0, held_len: 0"));
        // A number is free once the other side has answered, so many may have been taken at once, but never one that
        // no channel had.
        let opened = side.next_ticket - first_ticket;
        side.act(Action::Open(0));
        let frame = written(&mut side.mux).remove(0);
        let number = u32::from_str_radix(&frame[4..6], 16).unwrap();
        assert!(number <= opened.max(1), "a number that no channel had before: {frame}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_message_arrives_once_and_in_order(
        batch_len_max in prop_oneof![Just(0_usize), Just(300), Just(64 * 1024)],
        actions in vec(action(), 1..120),
    ) {
        check(batch_len_max, &actions);
    }
}
