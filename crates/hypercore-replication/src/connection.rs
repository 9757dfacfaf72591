//! One connection and the cores that are replicated over it.
//!
//! It owns the [`Mux`], proves to the other side that it knows the key of each core it opens, and wants the same proof
//! back before anything else passes. It knows nothing of trees, logs and replicators: what the messages mean is theirs.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Decoder, Encode};
use hypercore_crypto::{CoreKey, DiscoveryKey, Hash, Side, capability, discovery_key};
use protomux::{ChannelId, CloseReason, Event, Mux, MuxError, OpenError, ProtocolId, SendError};

use crate::message::{Extension, Handshake, Message};

/// The protocol of a core's channel.
///
/// # Source
/// wire.md section 4.
const PROTOCOL: &str = "hypercore/alpha";
const PROTOCOL_ALIASES: [&str; 1] = ["hypercore"];

/// Bytes of frames that blocks and bitfields may keep alive, besides the frame that is being read. Any peer can reach
/// it by sending frames with little of use in them; what comes then is copied out of its frame.
pub const KEPT_FRAMES_LEN_MAX: usize = 1 << 20;

/// Bytes that the name of an extension may have. A message with a longer one is dropped.
pub const EXTENSION_NAME_LEN_MAX: usize = 1024;

/// One connection: many cores over one stream of frames.
///
/// Frames that arrived, decrypted, go in with [`receive`](Self::receive) and come out of
/// [`next_event`](Self::next_event); what is opened and sent comes out of [`next_frame`](Self::next_frame).
pub struct Connection {
    mux: Mux,
    protocol: ProtocolId,
    side: Side,
    handshake_hash: [u8; 64],
    channels: BTreeMap<ChannelId, Channel>,
    frames: Frames,
    failed: Option<ConnectionError>,
}

/// What the other side did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// It opened a core that this side has not opened: [`Connection::open`] takes it, [`Connection::reject`] does not.
    /// What it sends about the core is held until then, within limits.
    Offered {
        /// The core, as it is known to those who may not know its key.
        discovery_key: DiscoveryKey,
    },
    /// It took back what it offered, before this side decided.
    Withdrawn {
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// Both sides have opened the core, and the other side has shown that it knows its key.
    Opened {
        /// The channel that [`Connection::open`] returned.
        channel: ChannelId,
        /// The core.
        discovery_key: DiscoveryKey,
        /// Whether the other side answers requests with a seek.
        seeks: bool,
    },
    /// A message about a core that is open.
    Message {
        /// The channel of the core.
        channel: ChannelId,
        /// The message.
        message: Message,
    },
    /// The other side ended a channel; its id is not valid any more.
    Closed {
        /// The channel.
        channel: ChannelId,
        /// How: a channel that was not open yet was rejected.
        reason: CloseReason,
    },
}

/// What the other side did that ends the connection with all its channels. It is always to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// It broke the rules of the multiplexer.
    #[error(transparent)]
    Mux(#[from] MuxError),
    /// It opened a channel with something that is not a handshake.
    #[error("remote opened core {discovery_key} with a handshake that can not be decoded")]
    Handshake {
        /// The core.
        discovery_key: DiscoveryKey,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// It does not know the key of the core that it opened, or replays what another connection carried.
    #[error("remote did not prove that it knows the key of core {discovery_key}")]
    Capability {
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// A message is not what its kind says.
    #[error("remote sent a message of kind {kind} that can not be decoded")]
    Message {
        /// The number of the kind.
        kind: u64,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
}

/// A core that is open, or waits for the other side to open it.
struct Channel {
    key: CoreKey,
    discovery_key: DiscoveryKey,
    /// The extension named last, in each direction.
    sent: Option<Arc<str>>,
    received: Previous,
}

/// The extension that the other side named last.
enum Previous {
    Name(Arc<str>),
    /// Its name was too long to be remembered.
    TooLong,
}

impl Connection {
    /// A connection on which nothing is open.
    ///
    /// `side` is this side's. `handshake_hash` is the hash of the finished Noise handshake: what binds the proofs of
    /// knowledge to this one connection.
    #[must_use]
    pub fn new(side: Side, handshake_hash: &[u8; 64], options: protomux::Options) -> Self {
        let mut mux = Mux::new(options);
        let protocol = mux.add_protocol(PROTOCOL, &PROTOCOL_ALIASES);
        Self {
            mux,
            protocol,
            side,
            handshake_hash: *handshake_hash,
            channels: BTreeMap::new(),
            frames: Frames::default(),
            failed: None,
        }
    }

    /// Opens a core, which takes the offer of the other side if there is one.
    ///
    /// # Errors
    /// [`OpenError`]: the core is open already, or there are too many.
    pub fn open(&mut self, key: &CoreKey) -> Result<ChannelId, OpenError> {
        let discovery_key = discovery_key(key);
        let capability = capability(self.side, key, &self.handshake_hash);
        let handshake = Handshake { seeks: true, capability }.to_vec();
        let channel = self.mux.open(self.protocol, discovery_key.as_bytes(), &handshake)?;
        let received = Previous::Name(Arc::from(""));
        let core = Channel { key: *key, discovery_key, sent: None, received };
        self.channels.insert(channel, core);
        Ok(channel)
    }

    /// Answers an offer with no. `false` when there is none.
    pub fn reject(&mut self, discovery_key: &DiscoveryKey) -> bool {
        self.mux.reject(self.protocol, discovery_key.as_bytes())
    }

    /// Ends a channel. There is no event for it; the connection stays.
    pub fn close(&mut self, channel: ChannelId) {
        self.channels.remove(&channel);
        self.mux.close(channel);
    }

    /// Takes one decrypted frame. Nothing is decoded before [`next_event`](Self::next_event), which should be called
    /// until it has no more before the next frame is read.
    pub fn receive(&mut self, frame: Bytes) {
        self.mux.receive(self.frames.keep(frame));
    }

    /// What the other side did next. `None` when the frames are used up, or when the connection
    /// [is paused](Self::is_paused).
    ///
    /// One message is decoded at a time, so that the caller can stop in the middle of a frame.
    ///
    /// # Errors
    /// [`ConnectionError`], and the same again whenever it is called: the connection is over.
    pub fn next_event(&mut self) -> Result<Option<ConnectionEvent>, ConnectionError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let event = self.look();
        self.failed = event.as_ref().err().copied();
        event
    }

    /// Sends a message on an open channel. Before the other side has opened the core as well it has not proven that it
    /// knows the key, and should be told nothing.
    ///
    /// # Errors
    /// [`SendError`]: the channel is closed, or the message does not fit into a frame.
    pub fn send(&mut self, channel: ChannelId, message: &Message) -> Result<(), SendError> {
        let Message::Extension(extension) = message else {
            return self.mux.send(channel, message.kind(), message);
        };
        let core = self.channels.get_mut(&channel).ok_or(SendError::Closed)?;
        if core.sent.as_ref() == Some(&extension.name) {
            let shorter = Extension { name: Arc::from(""), payload: extension.payload.clone() };
            return self.mux.send(channel, message.kind(), &shorter);
        }
        self.mux.send(channel, message.kind(), message)?;
        core.sent = Some(extension.name.clone());
        Ok(())
    }

    /// Collects what is sent from now on into batches, until as many [`uncork`](Self::uncork)s have followed.
    pub fn cork(&mut self) {
        self.mux.cork();
    }

    /// Ends what [`cork`](Self::cork) began.
    pub fn uncork(&mut self) {
        self.mux.uncork();
    }

    /// Makes a frame of what was collected, and goes on collecting.
    pub fn flush(&mut self) {
        self.mux.flush();
    }

    /// The next frame to encrypt and send, with the room around it that the options ask for.
    #[must_use]
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        self.mux.next_frame()
    }

    /// Bytes that wait to be taken with [`next_frame`](Self::next_frame).
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.mux.queued_len()
    }

    /// Whether too much is held for cores that were offered and not decided on: no frame should be read until they
    /// are.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.mux.is_paused()
    }

    /// Whether frames that were given are not used up. The next one should not be given before they are: nothing limits
    /// how many wait.
    #[must_use]
    pub fn has_input(&self) -> bool {
        self.mux.has_input()
    }

    /// The core of a channel.
    #[must_use]
    pub fn discovery_key(&self, channel: ChannelId) -> Option<DiscoveryKey> {
        self.channels.get(&channel).map(|core| core.discovery_key)
    }

    fn look(&mut self) -> Result<Option<ConnectionEvent>, ConnectionError> {
        while let Some(event) = self.mux.next_event()? {
            let seen = match event {
                Event::Offered { topic, .. } => self.offered(&topic),
                Event::Withdrawn { topic, .. } => DiscoveryKey::try_from(&topic[..])
                    .ok()
                    .map(|discovery_key| ConnectionEvent::Withdrawn { discovery_key }),
                Event::Opened { channel, handshake } => self.opened(channel, &handshake)?,
                Event::Message { channel, kind, payload } => {
                    self.message(channel, kind, payload)?
                }
                Event::Closed { channel, reason } => {
                    self.channels.remove(&channel);
                    Some(ConnectionEvent::Closed { channel, reason })
                }
                _ => None,
            };
            if seen.is_some() {
                return Ok(seen);
            }
        }
        Ok(None)
    }

    /// Nobody has a core under a topic that is no discovery key.
    fn offered(&mut self, topic: &[u8]) -> Option<ConnectionEvent> {
        let Ok(discovery_key) = DiscoveryKey::try_from(topic) else {
            self.mux.reject(self.protocol, topic);
            return None;
        };
        Some(ConnectionEvent::Offered { discovery_key })
    }

    fn opened(
        &mut self,
        channel: ChannelId,
        handshake: &[u8],
    ) -> Result<Option<ConnectionEvent>, ConnectionError> {
        let Some(core) = self.channels.get(&channel) else { return Ok(None) };
        let discovery_key = core.discovery_key;
        let handshake = Handshake::decode(&mut Decoder::new(handshake))
            .map_err(|source| ConnectionError::Handshake { discovery_key, source })?;
        let remote = match self.side {
            Side::Initiator => Side::Responder,
            Side::Responder => Side::Initiator,
        };
        let expected = capability(remote, &core.key, &self.handshake_hash);
        if !is_same(&handshake.capability, &expected) {
            return Err(ConnectionError::Capability { discovery_key });
        }
        Ok(Some(ConnectionEvent::Opened { channel, discovery_key, seeks: handshake.seeks }))
    }

    fn message(
        &mut self,
        channel: ChannelId,
        kind: u64,
        mut payload: Bytes,
    ) -> Result<Option<ConnectionEvent>, ConnectionError> {
        if self.frames.is_full() {
            payload = Bytes::copy_from_slice(&payload);
        }
        let message = Message::decode(kind, &payload)
            .map_err(|source| ConnectionError::Message { kind, source })?;
        let message = match message {
            Some(Message::Extension(extension)) => self.named(channel, extension),
            message => message,
        };
        Ok(message.map(|message| ConnectionEvent::Message { channel, message }))
    }

    /// Fills in the name that an extension message left out.
    fn named(&mut self, channel: ChannelId, mut extension: Extension) -> Option<Message> {
        let core = self.channels.get_mut(&channel)?;
        if extension.name.len() > EXTENSION_NAME_LEN_MAX {
            core.received = Previous::TooLong;
        } else if !extension.name.is_empty() {
            core.received = Previous::Name(extension.name.clone());
        }
        match &core.received {
            Previous::Name(name) => extension.name = name.clone(),
            Previous::TooLong => return None,
        }
        Some(Message::Extension(extension))
    }
}

/// Compares without telling by the time it takes where the first difference is.
fn is_same(one: &Hash, other: &Hash) -> bool {
    let pairs = one.as_bytes().iter().zip(other.as_bytes());
    black_box(pairs.fold(0, |difference, (one, other)| difference | (one ^ other))) == 0
}

/// Without the keys, and without the hash that capabilities are made with.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("side", &self.side)
            .field("channels", &self.channels.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Counts the frames that slices of them keep alive.
#[derive(Debug, Default)]
struct Frames {
    /// Bytes of all that are alive.
    kept: Arc<AtomicUsize>,
    /// Bytes of the one that came last.
    last: usize,
}

impl Frames {
    fn keep(&mut self, frame: Bytes) -> Bytes {
        self.last = frame.len();
        self.kept.fetch_add(self.last, Ordering::Relaxed);
        Bytes::from_owner(KeptFrame { frame, kept: Arc::clone(&self.kept) })
    }

    /// Whether slices of the present frame would keep too much alive.
    fn is_full(&self) -> bool {
        self.kept.load(Ordering::Relaxed).saturating_sub(self.last) > KEPT_FRAMES_LEN_MAX
    }
}

struct KeptFrame {
    frame: Bytes,
    kept: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for KeptFrame {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Drop for KeptFrame {
    fn drop(&mut self) {
        self.kept.fetch_sub(self.frame.len(), Ordering::Relaxed);
    }
}
