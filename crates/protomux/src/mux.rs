//! One end of a stream: joins the tables, what comes in and what goes out.
//!
//! Invariant: the tables are changed by the item that is turned into an event, not before, so what
//! the owner knows from the events and what the mux knows is the same at any time.

use std::fmt;

use bytes::Bytes;
use compact_encoding::{Decoder, Encode, Encoder, buffer_len, uint_len};

use crate::channels::{Answer, Channels, Name, State};
use crate::error::{MuxError, OpenError, SendError};
use crate::event::{ChannelId, CloseReason, Event, ProtocolId};
use crate::incoming::{Incoming, Item};
use crate::offers::{Offer, Remote, Remotes};
use crate::options::{ANSWERS_WAITING_MAX, OFFER_LEN_MAX, Options};
use crate::outgoing::Outgoing;

/// The channel of the control messages.
const CONTROL: u64 = 0;
/// Control message: number, protocol, topic, handshake.
const OPEN: u64 = 1;
/// Control message: the number the receiver used in its open.
const REJECT: u64 = 2;
/// Control message: the number of the sender.
const CLOSE: u64 = 3;

/// One end of a stream of frames that carries many channels.
///
/// The owner's loop: give it a frame with [`receive`](Self::receive), take events with
/// [`next_event`](Self::next_event) until there is none, take frames with
/// [`next_frame`](Self::next_frame) and write them; when [`has_input`](Self::has_input) still
/// says true, take events again; then read the next frame, unless it
/// [`is_paused`](Self::is_paused).
///
/// # Source
/// wire.md section 3.
pub struct Mux {
    options: Options,
    /// The names of each protocol, the real one first.
    protocols: Vec<Vec<Box<str>>>,
    channels: Channels,
    remotes: Remotes,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Rejects and closes written by the mux itself since its frames were last taken.
    answers_waiting: usize,
    failed: Option<MuxError>,
}

impl Mux {
    /// A mux without channels.
    #[must_use]
    pub const fn new(options: Options) -> Self {
        Self {
            outgoing: Outgoing::new(&options),
            options,
            protocols: Vec::new(),
            channels: Channels::new(),
            remotes: Remotes::new(),
            incoming: Incoming::new(),
            answers_waiting: 0,
            failed: None,
        }
    }

    /// Makes a protocol known, under its name and aliases.
    ///
    /// The remote's opens under any of the names are offers of this protocol, or answers; opens
    /// under names that no protocol has are rejected without asking anybody. This side opens with
    /// the real name, or with the one that the offer had.
    pub fn add_protocol(&mut self, name: &str, aliases: &[&str]) -> ProtocolId {
        let names = std::iter::once(name).chain(aliases.iter().copied()).map(Box::from);
        self.protocols.push(names.collect());
        ProtocolId(self.protocols.len().saturating_sub(1))
    }

    /// Opens a channel, or takes the remote's offer of it. An empty topic is none.
    ///
    /// Messages may be sent at once; an [`Event::Opened`] follows when the remote has opened it
    /// too.
    ///
    /// # Errors
    /// [`OpenError`], which says what is in the way; nothing is written then.
    pub fn open(
        &mut self,
        protocol: ProtocolId,
        topic: &[u8],
        handshake: &[u8],
    ) -> Result<ChannelId, OpenError> {
        let names = self.protocols.get(protocol.0).ok_or(OpenError::UnknownProtocol)?;
        let name = Name { protocol, topic: Bytes::copy_from_slice(topic) };
        if self.channels.is_live(&name) {
            return Err(OpenError::AlreadyOpen);
        }
        if self.channels.count() >= self.options.channels_max {
            return Err(OpenError::TooManyChannels { max: self.options.channels_max });
        }
        let offered = self.channels.offer(&name);
        let alias = match offered.and_then(|number| self.remotes.get(number)) {
            Some(Remote::Offered(offer)) => offer.alias,
            _ => 0,
        };
        let number = self.channels.next_number();
        let protocol = names.get(alias).map_or("", |name| name);
        let open = Open { number, protocol, topic, handshake };
        self.outgoing.write(CONTROL, OPEN, &open).map_err(|_| OpenError::TooLarge)?;
        self.channels.take_offer(&name);
        let channel = self.channels.open(name, offered);
        if let Some(number) = offered
            && let Some(Remote::Offered(offer)) = self.remotes.remove(number)
        {
            self.remotes.accept(number, channel, offer);
        }
        Ok(channel)
    }

    /// Refuses the remote's offer; says whether there was one.
    pub fn reject(&mut self, protocol: ProtocolId, topic: &[u8]) -> bool {
        let name = Name { protocol, topic: Bytes::copy_from_slice(topic) };
        let Some(number) = self.channels.take_offer(&name) else { return false };
        self.remotes.remove(number);
        self.write_control(REJECT, number);
        true
    }

    /// Closes a channel. There is no event for it, nor any other for this channel; closing what
    /// is closed does nothing.
    pub fn close(&mut self, channel: ChannelId) {
        let Some(state) = self.channels.state(channel) else { return };
        if let State::Paired(remote) = state {
            self.remotes.remove(remote);
            self.remotes.forget(channel);
        }
        self.channels.close(channel);
        self.write_control(CLOSE, channel.number());
    }

    /// Sends a message on a channel, also on one that the remote has not opened.
    ///
    /// It is encoded straight into the frame it travels in.
    ///
    /// # Errors
    /// [`SendError`]; nothing is written then.
    ///
    /// # Panics
    /// When `message` encodes to another length than its `encoded_len` said.
    pub fn send(
        &mut self,
        channel: ChannelId,
        kind: u64,
        message: &impl Encode,
    ) -> Result<(), SendError> {
        self.channels.state(channel).ok_or(SendError::Closed)?;
        self.outgoing.write(channel.number(), kind, message).map_err(|_| SendError::TooLarge)
    }

    /// Collects what is sent from now on in a batch, until as many [`uncork`](Self::uncork)s.
    ///
    /// A batch becomes a frame before it passes [`Options::batch_len_max`], corked or not.
    pub const fn cork(&mut self) {
        self.outgoing.cork();
    }

    /// Takes one cork away; with the last one, what was collected becomes a frame.
    pub fn uncork(&mut self) {
        self.outgoing.uncork();
    }

    /// Makes what was collected so far a frame, although corked.
    pub fn flush(&mut self) {
        self.outgoing.flush();
    }

    /// Takes a frame that arrived. Nothing is decoded before [`next_event`](Self::next_event).
    ///
    /// Frames given before the last one is read wait, without a limit: look at
    /// [`has_input`](Self::has_input).
    pub fn receive(&mut self, frame: Bytes) {
        if self.failed.is_none() {
            self.incoming.push(frame);
        }
    }

    /// Whether there are events, or bytes that may become some, as soon as the mux is not paused.
    #[must_use]
    pub fn has_input(&self) -> bool {
        self.remotes.has_ready() || !self.incoming.is_empty()
    }

    /// The next thing that the remote did, in its order.
    ///
    /// `None` when all frames are read, or when it [is paused](Self::is_paused). While a batch of
    /// more than one item is read the mux is corked, so what is sent between two calls goes out
    /// as one batch.
    ///
    /// # Errors
    /// [`MuxError`]: the remote broke the protocol. From then on every call returns it.
    pub fn next_event(&mut self) -> Result<Option<Event>, MuxError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.step().inspect_err(|error| {
            self.failed = Some(*error);
            self.incoming.clear();
        })
    }

    fn step(&mut self) -> Result<Option<Event>, MuxError> {
        loop {
            if let Some(event) = self.remotes.next_ready() {
                return Ok(Some(event));
            }
            let item = if self.is_paused() { None } else { self.incoming.next()? };
            let Some(item) = item else {
                self.outgoing.set_answering(false);
                return Ok(None);
            };
            if item.is_first {
                self.outgoing.set_answering(false);
            }
            if item.is_followed {
                self.outgoing.set_answering(true);
            }
            let event = match (item.channel, item.kind) {
                (CONTROL, OPEN) => self.on_open(&item.payload)?,
                (CONTROL, REJECT) => self.on_reject(&item.payload)?,
                (CONTROL, CLOSE) => self.on_close(&item.payload)?,
                (CONTROL, _) => None,
                _ => self.on_message(item),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Whether nothing more is decoded for now, and nothing more should be read from the stream:
    /// too much is held for offers, too many offers wait for a decision, or too many answers of
    /// the mux wait for somebody to take them.
    ///
    /// Ends when offers are opened or rejected and their messages handed out, and when the frames
    /// are taken.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.remotes.held_len > self.options.held_len_max
            || self.remotes.offers >= self.options.offers_max
            || self.answers_waiting >= ANSWERS_WAITING_MAX
    }

    /// The next frame to be written: [`Options::head_len`] zero bytes, then its bytes.
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        let frame = self.outgoing.next_frame();
        if self.outgoing.queued_len() == 0 {
            self.answers_waiting = 0;
        }
        frame
    }

    /// Bytes that wait to be taken, in frames and in the batch.
    #[must_use]
    pub const fn queued_len(&self) -> usize {
        self.outgoing.queued_len()
    }

    /// What is counted for messages that are held for offers.
    #[must_use]
    pub const fn held_len(&self) -> usize {
        self.remotes.held_len
    }

    /// The channels that are open, or opened by this side only, in the order of their numbers.
    pub fn channels(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.channels.live()
    }

    /// Whether the remote has opened this channel too, and neither side closed it.
    #[must_use]
    pub fn is_open(&self, channel: ChannelId) -> bool {
        matches!(self.channels.state(channel), Some(State::Paired(_)))
    }

    fn on_open(&mut self, payload: &Bytes) -> Result<Option<Event>, MuxError> {
        let mut input = Decoder::new(payload);
        let number = input.uint()?;
        let protocol = self.find_protocol(input.buffer()?);
        let topic = payload.slice_ref(input.optional_buffer()?.unwrap_or_default());
        let handshake = payload.slice(input.position()..);
        if number == CONTROL {
            return Err(MuxError::ReservedNumber);
        }
        let highest = self.remotes.highest;
        if number > highest.saturating_add(1) {
            return Err(MuxError::NumberSkipped { number, highest });
        }
        if self.remotes.get(number).is_some() {
            return Err(MuxError::NumberInUse { number });
        }
        self.remotes.highest = highest.max(number);
        let Some((protocol, alias)) = protocol else {
            self.answer(REJECT, number);
            return Ok(None);
        };
        let name = Name { protocol, topic };
        match self.channels.pair(&name, number) {
            Some(Answer::Live(channel)) => {
                self.remotes.insert(number, Remote::Paired(channel));
                return Ok(Some(Event::Opened { channel, handshake }));
            }
            Some(Answer::Abandoned(channel)) => {
                // JavaScript forgets a close that reaches it before it has opened, and would take
                // the next open with this number for a breach.
                self.answer(CLOSE, channel.number());
                return Ok(None);
            }
            None => {}
        }
        if self.channels.is_live(&name) || self.channels.offer(&name).is_some() {
            self.answer(REJECT, number);
            return Ok(None);
        }
        let len = name.topic.len().saturating_add(handshake.len());
        if len > OFFER_LEN_MAX {
            return Err(MuxError::OfferTooLarge { len });
        }
        let max = self.options.channels_max;
        if self.channels.count().saturating_add(self.remotes.offers) >= max {
            return Err(MuxError::TooManyChannels { max });
        }
        // What is kept must not keep the frame.
        let topic = Bytes::copy_from_slice(&name.topic);
        let handshake = Bytes::copy_from_slice(&handshake);
        let name = Name { protocol, topic: topic.clone() };
        self.channels.set_offer(name.clone(), number);
        let offer = Offer { name, alias, handshake, held: Vec::new() };
        self.remotes.insert(number, Remote::Offered(offer));
        Ok(Some(Event::Offered { protocol, topic }))
    }

    fn on_reject(&mut self, payload: &[u8]) -> Result<Option<Event>, MuxError> {
        let number = Decoder::new(payload).uint()?;
        let place = number.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.channels.refuse(place)) {
            Some(Answer::Live(channel)) => {
                Ok(Some(Event::Closed { channel, reason: CloseReason::Rejected }))
            }
            Some(Answer::Abandoned(_)) => Ok(None),
            None => Err(MuxError::UnexpectedReject { number }),
        }
    }

    fn on_close(&mut self, payload: &[u8]) -> Result<Option<Event>, MuxError> {
        let number = Decoder::new(payload).uint()?;
        match self.remotes.remove(number) {
            // Closed by this side as well, at the same time.
            None => Ok(None),
            Some(Remote::Paired(channel)) => {
                self.channels.close(channel);
                Ok(Some(Event::Closed { channel, reason: CloseReason::Closed }))
            }
            Some(Remote::Offered(offer)) => {
                // Its open still wants an answer: the number stays taken over there until then.
                self.channels.take_offer(&offer.name);
                self.answer(REJECT, number);
                let Name { protocol, topic } = offer.name;
                Ok(Some(Event::Withdrawn { protocol, topic }))
            }
        }
    }

    fn on_message(&mut self, item: Item) -> Option<Event> {
        match self.remotes.get(item.channel)? {
            Remote::Paired(channel) => {
                let Item { kind, payload, .. } = item;
                Some(Event::Message { channel: *channel, kind, payload })
            }
            Remote::Offered(_) => {
                let frame_len = self.incoming.frame_len();
                self.remotes.hold(item.channel, item.kind, &item.payload, frame_len);
                None
            }
        }
    }

    /// The protocol with this name, and which of its names it is.
    fn find_protocol(&self, wanted: &[u8]) -> Option<(ProtocolId, usize)> {
        self.protocols.iter().enumerate().find_map(|(number, names)| {
            let alias = names.iter().position(|name| name.as_bytes() == wanted)?;
            Some((ProtocolId(number), alias))
        })
    }

    /// Writes a control message that the remote provoked.
    fn answer(&mut self, kind: u64, number: u64) {
        self.answers_waiting = self.answers_waiting.saturating_add(1);
        self.write_control(kind, number);
    }

    fn write_control(&mut self, kind: u64, number: u64) {
        // A number always fits into a frame.
        let _ = self.outgoing.write(CONTROL, kind, &Number(number));
    }
}

impl fmt::Debug for Mux {
    /// Shows counts only: handshakes and messages may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mux")
            .field("channels", &self.channels.count())
            .field("offers", &self.remotes.offers)
            .field("held_len", &self.remotes.held_len)
            .field("queued_len", &self.queued_len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// What a reject and a close say.
struct Number(u64);

impl Encode for Number {
    fn encoded_len(&self) -> usize {
        uint_len(self.0)
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.0);
    }
}

/// What an open says.
struct Open<'a> {
    number: u64,
    protocol: &'a str,
    topic: &'a [u8],
    handshake: &'a [u8],
}

impl Encode for Open<'_> {
    fn encoded_len(&self) -> usize {
        [
            uint_len(self.number),
            buffer_len(self.protocol.len()),
            buffer_len(self.topic.len()),
            self.handshake.len(),
        ]
        .iter()
        .fold(0, |sum, len| sum.saturating_add(*len))
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.number);
        out.string(self.protocol);
        out.optional_buffer(Some(self.topic));
        out.raw(self.handshake);
    }
}
