//! The ten messages of a core's channel, and what its opening carries.
//!
//! Decoding is as tolerant as JavaScript is: bytes after a message and unknown flags are ignored, fields that older
//! releases leave out have their defaults, numbers may be longer than needed. Everything else is an error, which ends
//! the connection. A decoded message is well formed and nothing more; it takes no memory beyond its own bytes.

use std::sync::Arc;

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Decoder, Encode, Encoder, buffer_len, uint_len};
use hypercore_crypto::Hash;
use hypercore_merkle::{Data, Request};

/// A message of a core's channel.
///
/// # Source
/// wire.md section 5.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The tree of the sender, and what it is up to.
    Sync(Sync),
    /// Asks for a proof.
    Request(Request),
    /// Takes a request back.
    Cancel(Cancel),
    /// The answer to a request, or what was not asked for.
    Data(Box<Data>),
    /// A request that stays without an answer.
    NoData(NoData),
    /// Asks which blocks of a stretch are held.
    Want(Want),
    /// Takes a [`Want`](Self::Want) back.
    Unwant(Want),
    /// Which blocks of a stretch are held, and which are not.
    Bitfield(Bitfield),
    /// Blocks that are held, or are no longer.
    Range(RangeMessage),
    /// A message of the application.
    Extension(Extension),
}

/// The sender's tree and its interests.
///
/// # Source
/// wire.md section 5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sync {
    /// Whether the sender can prove its tree to a reader of [`remote_length`](Self::remote_length) blocks.
    pub can_upgrade: bool,
    /// Whether the sender answers requests.
    pub uploading: bool,
    /// Whether the sender is interested in data.
    pub downloading: bool,
    /// Whether the sender has a manifest that must be known to verify its signatures.
    pub has_manifest: bool,
    /// Whether the sender takes data that it has not asked for.
    pub allow_push: bool,
    /// The fork of the sender's tree.
    pub fork: u64,
    /// Blocks of the sender's tree.
    pub length: u64,
    /// Blocks of the receiver's tree as the sender knows it, 0 when that has another fork.
    pub remote_length: u64,
}

/// Takes a request back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancel {
    /// The [`id`](Request::id) of the request.
    pub request_id: u64,
}

/// Says that a request stays without an answer.
///
/// # Source
/// wire.md section 5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoData {
    /// The [`id`](Request::id) of the request.
    pub request_id: u64,
    /// Why; version 10 of JavaScript does not say.
    pub reason: Option<NoDataReason>,
}

/// Why a request stays without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoDataReason {
    /// The block is not held, or the fork is another.
    NotAvailable,
    /// The request can not be answered by anybody.
    Invalid,
    /// Something that this version does not know.
    Other(u64),
}

/// A stretch of blocks that the sender wants to know about.
///
/// # Source
/// wire.md sections 5.5 and 7.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// The first block.
    pub start: u64,
    /// The number of blocks.
    pub length: u64,
    /// Whether one held block of the stretch is enough to know.
    pub any: bool,
}

/// The truth about a stretch of blocks: which are held and which are not.
///
/// # Source
/// wire.md section 5.6.
#[derive(Clone, PartialEq, Eq)]
pub struct Bitfield {
    start: u64,
    /// Words of four bytes, little endian.
    words: Bytes,
}

/// Blocks that are held, or with `drop` no longer are.
///
/// # Source
/// wire.md section 5.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeMessage {
    /// Whether the blocks are no longer held.
    pub drop: bool,
    /// The first block.
    pub start: u64,
    /// The number of blocks. 0 occurs, as the answer of an empty core.
    pub length: u64,
}

/// A message of the application.
///
/// # Source
/// wire.md section 5.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Who is meant. On the wire an empty name repeats the one before; a [`Connection`](crate::Connection) fills it in.
    pub name: Arc<str>,
    /// What the application says.
    pub payload: Bytes,
}

/// What the opening of a channel carries.
///
/// # Source
/// wire.md section 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Whether the sender answers requests with a seek.
    pub seeks: bool,
    /// The proof that the sender knows the core's key.
    pub capability: Hash,
}

const CAN_UPGRADE: u64 = 1;
const UPLOADING: u64 = 2;
const DOWNLOADING: u64 = 4;
const HAS_MANIFEST: u64 = 8;
const ALLOW_PUSH: u64 = 16;

const HAS_REASON: u64 = 1;
const REASON_NOT_AVAILABLE: u64 = 1;
const REASON_INVALID: u64 = 2;

const ANY: u64 = 1;

const DROP: u64 = 1;
const LENGTH_IS_ONE: u64 = 2;

const SEEKS: u64 = 1;

/// `bit` if `set`.
const fn flag(set: bool, bit: u64) -> u64 {
    if set { bit } else { 0 }
}

fn sum<const N: usize>(lens: [usize; N]) -> usize {
    lens.into_iter().fold(0, usize::saturating_add)
}

impl Message {
    /// The number that stands for this kind of message.
    #[must_use]
    pub const fn kind(&self) -> u64 {
        match self {
            Self::Sync(_) => 0,
            Self::Request(_) => 1,
            Self::Cancel(_) => 2,
            Self::Data(_) => 3,
            Self::NoData(_) => 4,
            Self::Want(_) => 5,
            Self::Unwant(_) => 6,
            Self::Bitfield(_) => 7,
            Self::Range(_) => 8,
            Self::Extension(_) => 9,
        }
    }

    /// Decodes the payload of a message of that kind; `None` for a kind that does not exist, which is no error.
    ///
    /// Blocks, bitfields and what applications say are slices of `payload` and keep it alive.
    ///
    /// # Errors
    /// [`DecodeError`]: the other side is to blame, and the connection is over.
    pub fn decode(kind: u64, payload: &Bytes) -> Result<Option<Self>, DecodeError> {
        let input = &mut Decoder::new(payload);
        Ok(Some(match kind {
            0 => Self::Sync(Sync::decode(input)?),
            1 => Self::Request(Request::decode(input)?),
            2 => Self::Cancel(Cancel::decode(input)?),
            3 => Self::Data(Box::new(Data::decode_frame(payload)?)),
            4 => Self::NoData(NoData::decode(input)?),
            5 => Self::Want(Want::decode(input)?),
            6 => Self::Unwant(Want::decode(input)?),
            7 => Self::Bitfield(Bitfield::decode_frame(payload)?),
            8 => Self::Range(RangeMessage::decode(input)?),
            9 => Self::Extension(Extension::decode_frame(payload)?),
            _ => return Ok(None),
        }))
    }

    fn content(&self) -> &dyn Encode {
        match self {
            Self::Sync(content) => content,
            Self::Request(content) => content,
            Self::Cancel(content) => content,
            Self::Data(content) => &**content,
            Self::NoData(content) => content,
            Self::Want(content) | Self::Unwant(content) => content,
            Self::Bitfield(content) => content,
            Self::Range(content) => content,
            Self::Extension(content) => content,
        }
    }
}

/// The payload, without the number of the kind.
impl Encode for Message {
    fn encoded_len(&self) -> usize {
        self.content().encoded_len()
    }

    fn encode(&self, out: &mut Encoder) {
        self.content().encode(out);
    }
}

impl Sync {
    fn flags(&self) -> u64 {
        flag(self.can_upgrade, CAN_UPGRADE)
            | flag(self.uploading, UPLOADING)
            | flag(self.downloading, DOWNLOADING)
            | flag(self.has_manifest, HAS_MANIFEST)
            | flag(self.allow_push, ALLOW_PUSH)
    }
}

impl Encode for Sync {
    fn encoded_len(&self) -> usize {
        sum([self.flags(), self.fork, self.length, self.remote_length].map(uint_len))
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.flags());
        out.uint(self.fork);
        out.uint(self.length);
        out.uint(self.remote_length);
    }
}

impl Decode<'_> for Sync {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let flags = input.uint()?;
        Ok(Self {
            can_upgrade: flags & CAN_UPGRADE != 0,
            uploading: flags & UPLOADING != 0,
            downloading: flags & DOWNLOADING != 0,
            has_manifest: flags & HAS_MANIFEST != 0,
            allow_push: flags & ALLOW_PUSH != 0,
            fork: input.uint()?,
            length: input.uint()?,
            remote_length: input.uint()?,
        })
    }
}

impl Encode for Cancel {
    fn encoded_len(&self) -> usize {
        uint_len(self.request_id)
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.request_id);
    }
}

impl Decode<'_> for Cancel {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self { request_id: input.uint()? })
    }
}

impl NoDataReason {
    const fn number(self) -> u64 {
        match self {
            Self::NotAvailable => REASON_NOT_AVAILABLE,
            Self::Invalid => REASON_INVALID,
            Self::Other(number) => number,
        }
    }
}

/// With the flags, as version 11 of JavaScript writes it; version 10 does not read on after the id.
impl Encode for NoData {
    fn encoded_len(&self) -> usize {
        let reason = self.reason.map_or(0, |reason| uint_len(reason.number()));
        sum([uint_len(self.request_id), uint_len(HAS_REASON), reason])
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.request_id);
        out.uint(flag(self.reason.is_some(), HAS_REASON));
        if let Some(reason) = self.reason {
            out.uint(reason.number());
        }
    }
}

impl Decode<'_> for NoData {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let request_id = input.uint()?;
        let flags = if input.is_empty() { 0 } else { input.uint()? };
        let reason = if flags & HAS_REASON == 0 { 0 } else { input.uint()? };
        let reason = match reason {
            0 => None,
            REASON_NOT_AVAILABLE => Some(NoDataReason::NotAvailable),
            REASON_INVALID => Some(NoDataReason::Invalid),
            other => Some(NoDataReason::Other(other)),
        };
        Ok(Self { request_id, reason })
    }
}

impl Encode for Want {
    fn encoded_len(&self) -> usize {
        sum([uint_len(self.start), uint_len(self.length), usize::from(self.any)])
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.start);
        out.uint(self.length);
        if self.any {
            out.uint(ANY);
        }
    }
}

impl Decode<'_> for Want {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (start, length) = (input.uint()?, input.uint()?);
        let flags = if input.is_empty() { 0 } else { input.uint()? };
        Ok(Self { start, length, any: flags & ANY != 0 })
    }
}

impl Bitfield {
    /// The truth about the blocks from `start`, a multiple of 32, on: bit `b`, least significant first, of word `w`
    /// says whether block `start + 32 w + b` is held.
    #[must_use]
    pub fn new(start: u64, words: &[u32]) -> Self {
        let words = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Self { start, words }
    }

    /// The first block it is about.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The bits, 32 blocks to a word.
    pub fn words(&self) -> impl ExactSizeIterator<Item = u32> {
        self.words.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word))
    }

    fn decode_frame(frame: &Bytes) -> Result<Self, DecodeError> {
        let input = &mut Decoder::new(frame);
        let start = input.uint()?;
        let at = input.position();
        let too_many = DecodeError::new(at, compact_encoding::DecodeErrorKind::UnexpectedEnd);
        let len = usize::try_from(input.uint()?).ok().and_then(|count| count.checked_mul(4));
        Ok(Self { start, words: frame.slice_ref(input.bytes(len.ok_or(too_many)?)?) })
    }

    const fn word_count(&self) -> u64 {
        // A length in memory fits in 64 bits.
        (self.words.len() / 4) as u64
    }
}

/// The place, not the bits, which may be many.
impl std::fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = self.word_count();
        f.debug_struct("Bitfield").field("start", &self.start).field("words", &words).finish()
    }
}

impl Encode for Bitfield {
    fn encoded_len(&self) -> usize {
        sum([uint_len(self.start), uint_len(self.word_count()), self.words.len()])
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.start);
        out.uint(self.word_count());
        out.raw(&self.words);
    }
}

impl RangeMessage {
    const fn flags(&self) -> u64 {
        flag(self.drop, DROP) | flag(self.length == 1, LENGTH_IS_ONE)
    }
}

impl Encode for RangeMessage {
    fn encoded_len(&self) -> usize {
        let length = if self.length == 1 { 0 } else { uint_len(self.length) };
        sum([uint_len(self.flags()), uint_len(self.start), length])
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.flags());
        out.uint(self.start);
        if self.length != 1 {
            out.uint(self.length);
        }
    }
}

impl Decode<'_> for RangeMessage {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let flags = input.uint()?;
        Ok(Self {
            drop: flags & DROP != 0,
            start: input.uint()?,
            length: if flags & LENGTH_IS_ONE == 0 { input.uint()? } else { 1 },
        })
    }
}

impl Extension {
    /// A name that is not UTF-8 is read as JavaScript reads it, with replacement characters.
    fn decode_frame(frame: &Bytes) -> Result<Self, DecodeError> {
        let input = &mut Decoder::new(frame);
        let name = String::from_utf8_lossy(input.buffer()?).into();
        Ok(Self { name, payload: frame.slice_ref(input.rest()) })
    }
}

impl Encode for Extension {
    fn encoded_len(&self) -> usize {
        sum([buffer_len(self.name.len()), self.payload.len()])
    }

    fn encode(&self, out: &mut Encoder) {
        out.string(&self.name);
        out.raw(&self.payload);
    }
}

impl Encode for Handshake {
    fn encoded_len(&self) -> usize {
        sum([uint_len(flag(self.seeks, SEEKS)), self.capability.encoded_len()])
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(flag(self.seeks, SEEKS));
        self.capability.encode(out);
    }
}

impl Decode<'_> for Handshake {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let flags = input.uint()?;
        Ok(Self { seeks: flags & SEEKS != 0, capability: Hash::decode(input)? })
    }
}
