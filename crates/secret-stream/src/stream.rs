//! The stream: handshake, headers, then messages, in frames.
//!
//! Bytes go in and out through buffers of the caller. What arrives is decrypted where it lies and
//! cut off; what is sent is encrypted where it stands. Memory follows what has arrived: nothing is
//! reserved because a frame says how long it is.

use std::fmt;
use std::ops::RangeInclusive;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use zeroize::Zeroizing;

use crate::frame::{self, BODY_LEN_MAX, LENGTH_LEN};
use crate::hash::keyed_hash;
use crate::message::{Cipher, HEADER_LEN, MAC_LEN, TAG_LEN, TAG_MESSAGE};
use crate::{Handshake, KeyPair, Noise, PublicKey, SendError, StreamError};

/// Bytes in front of a message in its frame: the length and the encrypted tag.
pub const HEAD_LEN: usize = LENGTH_LEN + TAG_LEN;

/// Bytes behind a message in its frame: the authenticator.
pub const TAIL_LEN: usize = MAC_LEN;

/// Bytes of the longest message; a longer one is refused with [`SendError::TooLong`].
///
/// # Source
/// wire.md section 2.4.
pub const MESSAGE_LEN_MAX: usize = BODY_LEN_MAX - TAG_LEN - MAC_LEN;

/// Bytes of a handshake message's frame that anyone may send before the handshake is done; more
/// is answered with [`StreamError::FrameTooLong`].
///
/// The handshake needs 96; the rest is room for a payload, which is ignored.
pub const HANDSHAKE_FRAME_LEN_MAX: usize = 1024;

/// Bytes of the header message's body.
const HEADER_BODY_LEN: usize = STREAM_ID_LEN + HEADER_LEN;
const STREAM_ID_LEN: usize = 32;

/// What names a stream that the initiator sends.
///
/// # Source
/// wire.md section 1 (constants).
const INITIATOR_NAMESPACE: [u8; 32] = [
    0xa9, 0x31, 0xa0, 0x15, 0x5b, 0x5c, 0x09, 0xe6, 0xd2, 0x86, 0x28, 0x23, 0x6a, 0xf8, 0x3c, 0x4b,
    0x8a, 0x6a, 0xf9, 0xaf, 0x60, 0x98, 0x6e, 0xde, 0xed, 0xe9, 0xdc, 0x5d, 0x63, 0x19, 0x2b, 0xf7,
];

/// What names a stream that the responder sends.
///
/// # Source
/// wire.md section 1 (constants).
const RESPONDER_NAMESPACE: [u8; 32] = [
    0x74, 0x2c, 0x9d, 0x83, 0x3d, 0x43, 0x0a, 0xf4, 0xc4, 0x8a, 0x87, 0x05, 0xe9, 0x16, 0x31, 0xee,
    0xcf, 0x29, 0x54, 0x42, 0xbb, 0xca, 0x18, 0x99, 0x6e, 0x59, 0x70, 0x97, 0x72, 0x3b, 0x10, 0x61,
];

/// The side of a stream: who speaks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Speaks first; usually the side that connected.
    Initiator,
    /// Answers; usually the side that was connected to.
    Responder,
}

impl Role {
    /// The role of the other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    /// What names the stream that this side sends, in the conversation of this hash.
    fn stream_id(self, hash: &[u8; 64]) -> [u8; STREAM_ID_LEN] {
        match self {
            Self::Initiator => keyed_hash(hash, &INITIATOR_NAMESPACE),
            Self::Responder => keyed_hash(hash, &RESPONDER_NAMESPACE),
        }
    }
}

/// The randomness of one stream: draw it for each, and use it for nothing else.
///
/// A stream whose randomness is known to someone, or was used before, hides nothing. Wiped when
/// dropped; `Debug` shows nothing.
pub struct Entropy {
    seed: Box<Zeroizing<[u8; 32]>>,
    header: [u8; HEADER_LEN],
}

impl Entropy {
    /// Random bytes that a stream needs.
    pub const LEN: usize = 32 + HEADER_LEN;

    /// Takes random bytes: 32 become the passing key of the handshake, 24 the header.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut entropy = Self { seed: Box::new(Zeroizing::new([0; 32])), header: [0; HEADER_LEN] };
        for (to, byte) in entropy.seed.iter_mut().chain(&mut entropy.header).zip(bytes) {
            *to = *byte;
        }
        entropy
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entropy").finish_non_exhaustive()
    }
}

/// What one side allows the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the longest message that is taken; a longer one is answered with
    /// [`StreamError::FrameTooLong`] once its length has arrived. At most [`MESSAGE_LEN_MAX`],
    /// which is the default.
    pub message_len_max: usize,
}

impl Limits {
    /// Sets the longest message that is taken, in bytes.
    #[must_use]
    pub const fn message_len_max(mut self, len: usize) -> Self {
        self.message_len_max = len;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_len_max: MESSAGE_LEN_MAX }
    }
}

/// What came of bytes that were received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// The handshake is done: the other side has proven its key, and messages can be sent.
    ///
    /// Comes once, before any message; not at all from a stream that was made with
    /// [`SecretStream::from_handshake`].
    Opened,
    /// A message, never empty. It is a part of the buffer it arrived in, which stays in memory
    /// as long as the message does.
    Message(Bytes),
}

/// One side of an encrypted stream. See the crate's documentation for its use.
///
/// Secrets are wiped when it is dropped; `Debug` shows the role and the remote public key.
pub struct SecretStream {
    role: Role,
    limits: Limits,
    /// Set once the handshake is done.
    session: Option<Session>,
    receiving: Receiving,
}

/// What is known and can be done once the handshake is done.
struct Session {
    hash: Box<[u8; 64]>,
    remote_public_key: PublicKey,
    cipher: Cipher,
}

/// What is expected from the other side.
enum Receiving {
    Handshake(Box<Opening>),
    Header { key: Box<Zeroizing<[u8; 32]>> },
    Messages(Cipher),
    Failed(StreamError),
}

struct Opening {
    noise: Noise,
    header: [u8; HEADER_LEN],
}

impl SecretStream {
    /// Starts a stream with a handshake (Noise XX). An initiator appends its first message to
    /// `output`.
    #[must_use]
    pub fn new(
        role: Role,
        key_pair: &KeyPair,
        entropy: Entropy,
        limits: Limits,
        output: &mut BytesMut,
    ) -> Self {
        let noise = Noise::xx(role, key_pair, &entropy.seed, &[]);
        let mut opening = Opening { noise, header: entropy.header };
        let receiving = match opening.answer(output) {
            Ok(()) => Receiving::Handshake(Box::new(opening)),
            Err(error) => Receiving::Failed(error),
        };
        Self { role, limits, session: None, receiving }
    }

    /// Starts a stream whose handshake was made elsewhere, as HyperDHT does. Both sides append
    /// their header to `output` and may send messages at once.
    ///
    /// `header` must be random.
    ///
    /// # Source
    /// wire.md section 10.
    #[must_use]
    pub fn from_handshake(
        role: Role,
        handshake: &Handshake,
        header: [u8; 24],
        limits: Limits,
        output: &mut BytesMut,
    ) -> Self {
        let hash = Box::new(*handshake.hash());
        put_frame(output, &[&role.stream_id(&hash), &header]);
        let session = Session {
            hash,
            remote_public_key: handshake.remote_public_key(),
            cipher: Cipher::new(handshake.send_key(), &header),
        };
        let key = Box::new(Zeroizing::new(*handshake.receive_key()));
        Self { role, limits, session: Some(session), receiving: Receiving::Header { key } }
    }

    /// Takes what has arrived whole off the front of `input`, decrypting it where it lies, and
    /// appends to `output` what has to be sent in answer.
    ///
    /// Call it until it gives `None`, then send `output` and read more behind `input`. Keep-alives
    /// of the other side are swallowed.
    ///
    /// # Errors
    /// [`StreamError`]: end the connection. All later calls give the same error.
    pub fn receive(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
    ) -> Result<Option<Received>, StreamError> {
        if let Receiving::Failed(error) = self.receiving {
            return Err(error);
        }
        self.step(input, output).inspect_err(|error| self.receiving = Receiving::Failed(*error))
    }

    fn step(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
    ) -> Result<Option<Received>, StreamError> {
        loop {
            let Some(mut frame) = frame::take(input, &self.allowed())? else { return Ok(None) };
            match &mut self.receiving {
                Receiving::Failed(error) => return Err(*error),
                Receiving::Handshake(opening) => {
                    frame.advance(LENGTH_LEN);
                    opening.noise.read_message(&frame)?;
                    opening.answer(output)?;
                    if self.finish_handshake(output) {
                        return Ok(Some(Received::Opened));
                    }
                }
                Receiving::Header { key } => {
                    frame.advance(LENGTH_LEN);
                    let cipher = open_header(self.role, self.session.as_ref(), key, &frame)?;
                    self.receiving = Receiving::Messages(cipher);
                }
                Receiving::Messages(cipher) => {
                    let message = open_message(cipher, frame)?;
                    if !message.is_empty() {
                        return Ok(Some(Received::Message(message)));
                    }
                }
            }
        }
    }

    /// Bytes that the next frame's body may have.
    fn allowed(&self) -> RangeInclusive<usize> {
        match self.receiving {
            Receiving::Handshake(_) | Receiving::Failed(_) => 0..=HANDSHAKE_FRAME_LEN_MAX,
            Receiving::Header { .. } => HEADER_BODY_LEN..=HEADER_BODY_LEN,
            Receiving::Messages(_) => {
                let around = TAG_LEN + MAC_LEN;
                around..=self.limits.message_len_max.min(MESSAGE_LEN_MAX).saturating_add(around)
            }
        }
    }

    /// Goes on to headers and messages if the handshake is done.
    fn finish_handshake(&mut self, output: &mut BytesMut) -> bool {
        let Receiving::Handshake(opening) = &self.receiving else { return false };
        let Some(handshake) = opening.noise.handshake() else { return false };
        let header = opening.header;
        *self = Self::from_handshake(self.role, &handshake, header, self.limits, output);
        true
    }

    /// Appends a frame with `message` to `output`. An empty message is a keep-alive.
    ///
    /// # Errors
    /// [`SendError`]; nothing was changed.
    pub fn send(&mut self, message: &[u8], output: &mut BytesMut) -> Result<(), SendError> {
        check_len(message.len())?;
        self.sender()?;
        let start = output.len();
        output.reserve(message.len().saturating_add(HEAD_LEN + TAIL_LEN));
        output.put_bytes(0, HEAD_LEN);
        output.put_slice(message);
        output.put_bytes(0, TAIL_LEN);
        self.seal(output.get_mut(start..).unwrap_or_default())
    }

    /// Makes a frame of a message where it stands: [`HEAD_LEN`] bytes of any value, the message,
    /// [`TAIL_LEN`] bytes of any value.
    ///
    /// # Errors
    /// [`SendError`]; nothing was changed.
    pub fn seal(&mut self, frame: &mut [u8]) -> Result<(), SendError> {
        let (head, rest) = frame.split_first_chunk_mut().ok_or(SendError::NoRoom)?;
        let (message, tail) = rest.split_last_chunk_mut().ok_or(SendError::NoRoom)?;
        check_len(message.len())?;
        let (tag, mac) = self.sender()?.seal(TAG_MESSAGE, message);
        let [a, b, c] = frame::length(message.len().saturating_add(TAG_LEN + MAC_LEN));
        *head = [a, b, c, tag];
        *tail = mac;
        Ok(())
    }

    /// Appends an empty message to `output`: it says that this side lives, and nothing more.
    ///
    /// Other programs send one after 5 s in which they sent nothing else, and may end a stream on
    /// which nothing arrives. It is never answered.
    ///
    /// # Errors
    /// [`SendError`]; nothing was changed.
    ///
    /// # Source
    /// wire.md section 2.5.
    pub fn send_keep_alive(&mut self, output: &mut BytesMut) -> Result<(), SendError> {
        self.send(&[], output)
    }

    fn sender(&mut self) -> Result<&mut Cipher, SendError> {
        if let Receiving::Failed(error) = self.receiving {
            return Err(SendError::Failed(error));
        }
        let session = self.session.as_mut().ok_or(SendError::NotOpen)?;
        Ok(&mut session.cipher)
    }

    /// Whether messages can be sent: the handshake is done and nothing has failed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.session.is_some() && !matches!(self.receiving, Receiving::Failed(_))
    }

    /// The role of this side.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The 64 bytes that name this conversation, once the handshake is done; both sides have the
    /// same.
    #[must_use]
    pub fn handshake_hash(&self) -> Option<&[u8; 64]> {
        self.session.as_ref().map(|session| &*session.hash)
    }

    /// The key that the other side has proven to hold, once the handshake is done.
    ///
    /// Any key is taken: whether it is a welcome one is for the caller to judge.
    #[must_use]
    pub fn remote_public_key(&self) -> Option<PublicKey> {
        self.session.as_ref().map(|session| session.remote_public_key)
    }
}

impl fmt::Debug for SecretStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expects = match &self.receiving {
            Receiving::Handshake(_) => "handshake",
            Receiving::Header { .. } => "header",
            Receiving::Messages(_) => "messages",
            Receiving::Failed(_) => "nothing",
        };
        f.debug_struct("SecretStream")
            .field("role", &self.role)
            .field("remote_public_key", &self.remote_public_key())
            .field("expects", &expects)
            .finish_non_exhaustive()
    }
}

impl Opening {
    /// Appends the next message of the handshake, if it is this side's turn.
    fn answer(&mut self, output: &mut BytesMut) -> Result<(), StreamError> {
        if self.noise.is_writer() {
            let mut message = BytesMut::new();
            self.noise.write_message(&[], &mut message)?;
            put_frame(output, &[&message]);
        }
        Ok(())
    }
}

/// Appends a frame whose body is `parts`, one behind the other.
fn put_frame(output: &mut BytesMut, parts: &[&[u8]]) {
    let len = parts.iter().map(|part| part.len()).sum();
    output.put_slice(&frame::length(len));
    for part in parts {
        output.put_slice(part);
    }
}

fn check_len(len: usize) -> Result<(), SendError> {
    if len > MESSAGE_LEN_MAX { Err(SendError::TooLong { len }) } else { Ok(()) }
}

/// Judges the header of the other side.
///
/// # Source
/// wire.md section 2.3.
fn open_header(
    role: Role,
    session: Option<&Session>,
    key: &[u8; 32],
    body: &[u8],
) -> Result<Cipher, StreamError> {
    let id = session.map(|session| role.other().stream_id(&session.hash));
    let (claimed, header) =
        body.split_first_chunk::<STREAM_ID_LEN>().ok_or(StreamError::WrongStream)?;
    let header = header.try_into().map_err(|_| StreamError::WrongStream)?;
    if id.as_ref() != Some(claimed) {
        return Err(StreamError::WrongStream);
    }
    Ok(Cipher::new(key, header))
}

/// Decrypts the message in `frame` and cuts away what is around it.
fn open_message(cipher: &mut Cipher, mut frame: BytesMut) -> Result<Bytes, StreamError> {
    let (head, body) = frame.split_at_mut_checked(HEAD_LEN).ok_or(StreamError::Forged)?;
    let (message, mac) = body.split_last_chunk_mut().ok_or(StreamError::Forged)?;
    let tag = head.last().copied().unwrap_or_default();
    // All tags are taken alike: the cipher has done what they ask for.
    cipher.open(tag, message, mac).ok_or(StreamError::Forged)?;
    let len = message.len();
    frame.advance(HEAD_LEN);
    frame.truncate(len);
    Ok(frame.freeze())
}
