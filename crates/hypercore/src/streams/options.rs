//! What is read, and how far ahead.

use std::ops::{
    Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive,
};

/// How many bytes ahead of a stream peers are asked for, unless its options say otherwise.
pub const PREFETCH_LEN: u64 = 1024 * 1024;

/// Which blocks a [`ReadStream`](super::ReadStream) gives. A range of block numbers converts (`3..7`, `3..=6`, `5..`).
///
/// - Without an end it ends where the log ends when it is first polled, after peers were asked
///   ([`update`](crate::Hypercore::update)).
/// - With an end past that it waits for the blocks that are still to come.
/// - [Live](Self::live) it never ends.
#[derive(Clone, Debug)]
#[must_use]
pub struct ReadStreamOptions {
    pub(super) start: u64,
    pub(super) end: Option<u64>,
    pub(super) live: bool,
    pub(super) snapshot: bool,
    pub(super) prefetch: u64,
}

impl Default for ReadStreamOptions {
    fn default() -> Self {
        Self { start: 0, end: None, live: false, snapshot: true, prefetch: PREFETCH_LEN }
    }
}

impl ReadStreamOptions {
    /// All blocks.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first block.
    pub fn start(mut self, start: u64) -> Self {
        self.start = start;
        self
    }

    /// The block before which it ends.
    pub fn end(mut self, end: u64) -> Self {
        self.end = Some(end);
        self
    }

    /// Whether to go on with what is appended later: to the log, or, in the stream of a [named
    /// batch](crate::NamedBatch), to the batch. Such a stream ends at [`end`](Self::end), if that is given.
    pub fn live(mut self, live: bool) -> Self {
        self.live = live;
        self
    }

    /// Whether to read the log as it is when the stream is first polled, whatever becomes of it meanwhile. On by default,
    /// where all blocks are there by then; turned off, a stream without an end goes on until it has caught up. A commit of
    /// a [named batch](crate::NamedBatch) gives up nothing that the batch keeps while such a stream reads it.
    ///
    /// A stream that reads the log as it changes never mixes two histories: once the log is truncated below what it has
    /// given, it fails ([`Error::is_rewritten`](crate::Error::is_rewritten)).
    pub fn snapshot(mut self, snapshot: bool) -> Self {
        self.snapshot = snapshot;
        self
    }

    /// About how many bytes of blocks ahead peers are asked for, where they are not stored here; [`PREFETCH_LEN`] by
    /// default. Nothing is fetched ahead with 0.
    pub fn prefetch(mut self, len: u64) -> Self {
        self.prefetch = len;
        self
    }
}

/// Which bytes of the content a [`ByteStream`](super::ByteStream) gives. A range of byte offsets converts, also one that names its last byte, as
/// HTTP does (`0..=499`).
///
/// Without a length it ends where the log ends when it is first polled, after peers were asked
/// ([`update`](crate::Hypercore::update)); with one that reaches past that it waits for what is still to come;
/// [live](Self::live) it never ends.
#[derive(Clone, Debug)]
#[must_use]
pub struct ByteStreamOptions {
    pub(super) offset: u64,
    pub(super) length: Option<u64>,
    pub(super) live: bool,
    pub(super) snapshot: bool,
    pub(super) prefetch: u64,
}

impl Default for ByteStreamOptions {
    fn default() -> Self {
        Self { offset: 0, length: None, live: false, snapshot: true, prefetch: PREFETCH_LEN }
    }
}

impl ByteStreamOptions {
    /// All bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first byte: where the stream's own position is 0.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// How many bytes.
    pub fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Whether to go on with what is appended later, up to [`length`](Self::length), if that is given.
    pub fn live(mut self, live: bool) -> Self {
        self.live = live;
        self
    }

    /// As for [blocks](ReadStreamOptions::snapshot).
    pub fn snapshot(mut self, snapshot: bool) -> Self {
        self.snapshot = snapshot;
        self
    }

    /// As for [blocks](ReadStreamOptions::prefetch).
    pub fn prefetch(mut self, len: u64) -> Self {
        self.prefetch = len;
        self
    }
}

/// Where a range begins, and before what it ends, if it does.
fn limits(range: &impl RangeBounds<u64>) -> (u64, Option<u64>) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => Some(last.saturating_add(1)),
        Bound::Excluded(end) => Some(*end),
        Bound::Unbounded => None,
    };
    (start, end)
}

macro_rules! from_ranges {
    ($($range:ty),*) => {$(
        impl From<$range> for ReadStreamOptions {
            fn from(blocks: $range) -> Self {
                let (start, end) = limits(&blocks);
                Self { start, end, ..Self::new() }
            }
        }

        impl From<$range> for ByteStreamOptions {
            fn from(bytes: $range) -> Self {
                let (offset, end) = limits(&bytes);
                let length = end.map(|end| end.saturating_sub(offset));
                Self { offset, length, ..Self::new() }
            }
        }
    )*};
}

from_ranges!(
    Range<u64>,
    RangeInclusive<u64>,
    RangeTo<u64>,
    RangeToInclusive<u64>,
    RangeFrom<u64>,
    RangeFull
);

/// How a [`WriteSink`](super::WriteSink) puts blocks together.
#[derive(Clone, Debug)]
#[must_use]
pub struct WriteSinkOptions {
    pub(super) batch_len: usize,
}

impl Default for WriteSinkOptions {
    fn default() -> Self {
        Self { batch_len: super::BATCH_LEN }
    }
}

impl WriteSinkOptions {
    /// Batches of [`BATCH_LEN`](super::BATCH_LEN).
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes of blocks are put together to one append, where they are not flushed before. The sink holds up to
    /// twice as many: those being written, and those that gather meanwhile.
    pub fn batch_len(mut self, len: usize) -> Self {
        self.batch_len = len;
        self
    }
}
