//! What is stored in place of a heap and of the values on it.

use std::io;

use crate::values::needs_no_heap;
use crate::{Decode, Encode, EncodeSized, Input, ReadError};

/// Where a value starts: bytes from the start of its heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(u32);

impl Offset {
    /// Byte `offset` of a heap.
    #[must_use]
    pub const fn new(offset: u32) -> Self {
        Self(offset)
    }

    /// The number of the byte.
    #[must_use]
    pub const fn unwrap(self) -> u32 {
        self.0
    }

    /// The entry of a list of `len` elements, or of a text of `len` bytes, that starts here.
    #[must_use]
    pub const fn sized(self, len: u32) -> Entry {
        Entry { offset: self, len }
    }
}

/// A list or text on a heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Where it starts.
    pub offset: Offset,
    /// Elements of a list, bytes of a text.
    pub len: u32,
}

/// A list or text on a heap of any size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WideEntry {
    /// Where it starts: bytes from the start of its heap.
    pub offset: u64,
    /// Elements of a list, bytes of a text.
    pub len: u64,
}

impl From<Entry> for WideEntry {
    fn from(entry: Entry) -> Self {
        Self { offset: entry.offset.0.into(), len: entry.len.into() }
    }
}

/// A heap in a file: its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeapSection {
    /// Its first page, counted from the first page of the file.
    pub page_offset: u32,
    /// Its pages, 0 when it is empty.
    pub page_count: u32,
}

/// Stores a handle as the numbers in it, one after the other.
macro_rules! stored_as {
    ($type:ty, $size:literal, $numbers:ty, $to:expr, $from:expr) => {
        impl EncodeSized for $type {
            const ENCODED_SIZE: u32 = $size;
        }

        impl<C> Encode<C> for $type {
            fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
                let to: fn(&Self) -> $numbers = $to;
                to(self).encode(context, output)
            }
        }

        impl<C> Decode<C> for $type {
            const FIXED_SIZE: Option<u32> = Some($size);

            fn decode(input: &mut Input<'_>, context: &mut C) -> Result<Self, ReadError> {
                let from: fn($numbers) -> Self = $from;
                <$numbers>::decode(input, context).map(from)
            }
        }

        needs_no_heap!([] $type);
    };
}

stored_as!(Offset, 4, u32, |offset| offset.0, Self);
stored_as!(Entry, 8, (Offset, u32), |entry| (entry.offset, entry.len), |(offset, len)| Self {
    offset,
    len
});
stored_as!(WideEntry, 16, (u64, u64), |entry| (entry.offset, entry.len), |(offset, len)| Self {
    offset,
    len
});
stored_as!(HeapSection, 8, (u32, u32), |heap| (heap.page_offset, heap.page_count), |(
    page_offset,
    page_count,
)| Self {
    page_offset,
    page_count
});
