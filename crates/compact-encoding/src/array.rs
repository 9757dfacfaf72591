//! Arrays of bits and of 32-bit numbers, read in place.
//!
//! Both borrow the bytes they were decoded from; neither copies or allocates.

use core::iter::FusedIterator;

/// Bits as a `bitarray` holds them, least significant first.
///
/// Compares the bits, not the unused rest of the last byte.
#[derive(Debug, Clone, Copy)]
pub struct BitArray<'a> {
    bytes: &'a [u8],
    len: u64,
}

impl<'a> BitArray<'a> {
    /// `bytes` holds `len` bits and no byte more.
    pub(crate) const fn new(bytes: &'a [u8], len: u64) -> Self {
        Self { bytes, len }
    }

    /// The number of bits.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bit `index`; `None` from [`len`](Self::len) on.
    #[must_use]
    pub fn get(&self, index: u64) -> Option<bool> {
        if index >= self.len {
            return None;
        }
        let byte = self.bytes.get(usize::try_from(index >> 3).ok()?)?;
        Some((byte >> (index & 7)) & 1 == 1)
    }

    /// The bits in order.
    pub const fn iter(&self) -> Bits<'a> {
        Bits { array: *self, next: 0 }
    }

    /// The bytes that hold the bits; unused bits of the last one may have any value.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl PartialEq for BitArray<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for BitArray<'_> {}

impl<'a> IntoIterator for BitArray<'a> {
    type Item = bool;
    type IntoIter = Bits<'a>;

    fn into_iter(self) -> Bits<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &BitArray<'a> {
    type Item = bool;
    type IntoIter = Bits<'a>;

    fn into_iter(self) -> Bits<'a> {
        self.iter()
    }
}

/// The iterator over a [`BitArray`].
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Bits<'a> {
    array: BitArray<'a>,
    next: u64,
}

impl Iterator for Bits<'_> {
    type Item = bool;

    fn next(&mut self) -> Option<bool> {
        let bit = self.array.get(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(bit)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match usize::try_from(self.array.len.saturating_sub(self.next)) {
            Ok(left) => (left, Some(left)),
            Err(_) => (usize::MAX, None),
        }
    }
}

impl FusedIterator for Bits<'_> {}

/// Numbers as a `uint32array` holds them, little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uint32Array<'a> {
    words: &'a [[u8; 4]],
}

impl<'a> Uint32Array<'a> {
    pub(crate) const fn new(words: &'a [[u8; 4]]) -> Self {
        Self { words }
    }

    /// The number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are no elements.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Element `index`; `None` from [`len`](Self::len) on.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<u32> {
        self.words.get(index).map(|word| u32::from_le_bytes(*word))
    }

    /// The elements in order.
    pub fn iter(&self) -> Uint32s<'a> {
        Uint32s { words: self.words.iter() }
    }
}

impl<'a> IntoIterator for Uint32Array<'a> {
    type Item = u32;
    type IntoIter = Uint32s<'a>;

    fn into_iter(self) -> Uint32s<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Uint32Array<'a> {
    type Item = u32;
    type IntoIter = Uint32s<'a>;

    fn into_iter(self) -> Uint32s<'a> {
        self.iter()
    }
}

/// The iterator over a [`Uint32Array`].
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Uint32s<'a> {
    words: core::slice::Iter<'a, [u8; 4]>,
}

impl Iterator for Uint32s<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.words.next().map(|word| u32::from_le_bytes(*word))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.words.size_hint()
    }
}

impl ExactSizeIterator for Uint32s<'_> {}
impl FusedIterator for Uint32s<'_> {}
