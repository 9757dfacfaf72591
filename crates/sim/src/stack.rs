//! What runs on one end of a connection: frames out of bytes, channels out of frames, messages of one core out of
//! its channel. Both ends open the core at once.

use bytes::{Bytes, BytesMut};
use hypercore_crypto::{CoreKey, Side, discovery_key};
use hypercore_replication::{Connection, ConnectionEvent, Message};
use protomux::{ChannelId, Options};
use secret_stream::{Entropy, KeyPair, Limits, Received, Role, SecretStream};

use crate::random::Random;

/// Bytes of the length in front of a bare frame.
const LENGTH_LEN: usize = 3;

/// What carries the frames.
#[derive(Debug)]
enum Carrier {
    /// A length in front of each, as a secret stream has it, and nothing else.
    Bare,
    /// Encrypted.
    Secret(Box<SecretStream>),
}

/// Something that came in.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// The other side has the core.
    Opened,
    /// It says something about it.
    Message(Message),
    /// It has closed the channel of the core.
    Closed,
}

/// One end.
#[derive(Debug)]
pub(crate) struct Stack {
    carrier: Carrier,
    side: Side,
    key: CoreKey,
    /// Once the handshake is done.
    connection: Option<Connection>,
    channel: Option<ChannelId>,
    /// Whether the core is opened without being told.
    opens: bool,
    input: BytesMut,
    output: BytesMut,
}

impl Stack {
    /// An end without encryption: both sides agreed on the hash of a handshake that never was.
    pub(crate) fn bare(side: Side, handshake_hash: &[u8; 64], key: CoreKey) -> Self {
        let mut stack = Self::new(Carrier::Bare, side, key, BytesMut::new());
        stack.start(handshake_hash);
        stack
    }

    /// An encrypted end.
    pub(crate) fn secret(side: Side, random: &mut Random, key: CoreKey) -> Self {
        let role = match side {
            Side::Initiator => Role::Initiator,
            Side::Responder => Role::Responder,
        };
        let mut bytes = [0; 32 + Entropy::LEN];
        bytes.fill_with(|| random.next() as u8);
        let (seed, entropy) = bytes.split_first_chunk::<32>().expect("longer than a seed");
        let entropy = Entropy::from_bytes(entropy.try_into().expect("the rest is that long"));
        let pair = KeyPair::from_seed(seed);
        let mut output = BytesMut::new();
        let stream = SecretStream::new(role, &pair, entropy, Limits::default(), &mut output);
        Self::new(Carrier::Secret(Box::new(stream)), side, key, output)
    }

    fn new(carrier: Carrier, side: Side, key: CoreKey, output: BytesMut) -> Self {
        let input = BytesMut::new();
        Self { carrier, side, key, connection: None, channel: None, opens: true, input, output }
    }

    fn start(&mut self, handshake_hash: &[u8; 64]) {
        let connection = Connection::new(self.side, handshake_hash, Options::default());
        self.connection = Some(connection);
        if self.opens {
            self.open();
        }
    }

    /// Opens the channel of the core, if it is not open.
    pub(crate) fn open(&mut self) {
        if let (Some(connection), None) = (&mut self.connection, self.channel) {
            self.channel = connection.open(&self.key).ok();
        }
    }

    /// Closes the channel of the core.
    pub(crate) fn close(&mut self) {
        if let (Some(connection), Some(channel)) = (&mut self.connection, self.channel.take()) {
            connection.close(channel);
        }
    }

    /// Bytes from the other side.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next thing that came in, as far as there are bytes for it.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, String> {
        loop {
            if let Some(connection) = &mut self.connection {
                match connection.next_event().map_err(|error| format!("{error:?}"))? {
                    Some(ConnectionEvent::Opened { .. }) => return Ok(Some(Incoming::Opened)),
                    Some(ConnectionEvent::Message { message, .. }) => {
                        return Ok(Some(Incoming::Message(message)));
                    }
                    Some(ConnectionEvent::Closed { .. }) => {
                        self.channel = None;
                        return Ok(Some(Incoming::Closed));
                    }
                    Some(ConnectionEvent::Offered { .. }) if !self.opens => continue,
                    Some(ConnectionEvent::Offered { discovery_key: offered }) => {
                        if offered == discovery_key(&self.key) {
                            self.open();
                        } else {
                            connection.reject(&offered);
                        }
                        continue;
                    }
                    Some(_) => continue,
                    None if connection.is_paused() => return Ok(None),
                    None => {}
                }
            }
            let Some(frame) = self.next_frame()? else { return Ok(None) };
            if let Some(connection) = &mut self.connection {
                connection.receive(frame);
            }
        }
    }

    fn next_frame(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            let received = match &mut self.carrier {
                Carrier::Bare => return Ok(bare_frame(&mut self.input)),
                Carrier::Secret(stream) => stream.receive(&mut self.input, &mut self.output),
            };
            match received.map_err(|error| format!("{error:?}"))? {
                Some(Received::Opened) => {
                    let Carrier::Secret(stream) = &self.carrier else { continue };
                    let hash = *stream.handshake_hash().expect("the handshake is done");
                    self.start(&hash);
                }
                Some(Received::Message(frame)) => return Ok(Some(frame)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Says something about the core.
    pub(crate) fn send(&mut self, message: &Message) -> Result<(), String> {
        match (&mut self.connection, self.channel) {
            (Some(connection), Some(channel)) => {
                connection.send(channel, message).map_err(|error| format!("{error:?}"))
            }
            _ => Err("a message for a channel that is not open".to_owned()),
        }
    }

    /// Whether the handshake is done.
    pub(crate) const fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Does not open the core, neither by itself nor when the other side does.
    pub(crate) const fn stay_closed(&mut self) {
        self.opens = false;
    }

    /// The hash of the handshake, once it is done.
    pub(crate) fn handshake_hash(&self) -> Option<[u8; 64]> {
        match &self.carrier {
            Carrier::Bare => None,
            Carrier::Secret(stream) => stream.handshake_hash().copied(),
        }
    }

    /// Whether nothing more is to be read for now.
    pub(crate) fn is_paused(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_paused)
    }

    /// Sends a frame as it is, behind what was said before: what only a hostile peer does.
    pub(crate) fn send_frame(&mut self, frame: &[u8]) {
        self.collect();
        self.carry(frame);
    }

    /// Sends bytes as they are, behind what was said before, likewise.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.collect();
        self.output.extend_from_slice(bytes);
    }

    /// Bytes that wait to go out.
    pub(crate) fn backlog(&self) -> usize {
        self.output.len() + self.connection.as_ref().map_or(0, Connection::queued_len)
    }

    /// At most `len` bytes to send.
    pub(crate) fn take(&mut self, len: usize) -> BytesMut {
        self.collect();
        self.output.split_to(len.min(self.output.len()))
    }

    /// Makes bytes of the frames that were written.
    fn collect(&mut self) {
        while let Some(frame) = self.connection.as_mut().and_then(Connection::next_frame) {
            self.carry(&frame);
        }
    }

    fn carry(&mut self, frame: &[u8]) {
        match &mut self.carrier {
            Carrier::Bare => {
                let length = (frame.len() as u32).to_le_bytes();
                self.output.extend_from_slice(&length[..LENGTH_LEN]);
                self.output.extend_from_slice(frame);
            }
            Carrier::Secret(stream) => {
                // A stream that has failed sends nothing more.
                let _ = stream.send(frame, &mut self.output);
            }
        }
    }
}

/// The first whole frame in `input`.
fn bare_frame(input: &mut BytesMut) -> Option<Bytes> {
    let [first, second, third] = *input.first_chunk::<LENGTH_LEN>()?;
    let len = u32::from_le_bytes([first, second, third, 0]) as usize;
    if input.len() < LENGTH_LEN + len {
        return None;
    }
    let mut frame = input.split_to(LENGTH_LEN + len);
    Some(frame.split_off(LENGTH_LEN).freeze())
}
