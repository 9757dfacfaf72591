//! Values of a fixed size that are left as they are stored until they are asked for.
//!
//! A [`View`] is a slice of a file: bytes, and the type they are of. Nothing is copied where the
//! bytes are in memory, nothing is decoded but what is taken, and no bytes are reinterpreted: what
//! is stored is big endian and not aligned.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::{Decode, Input, ReadError};

/// Values of one size back to back.
pub struct View<'a, T> {
    bytes: Cow<'a, [u8]>,
    value: PhantomData<fn() -> T>,
}

impl<'a, T: Decode> View<'a, T> {
    /// The values stored in `bytes`.
    ///
    /// # Errors
    /// [`ReadError::Invalid`] for values that do not all take the same number of bytes, or take none,
    /// and when `bytes` ends in a part of one.
    pub fn new(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, ReadError> {
        let bytes = bytes.into();
        if (bytes.len() as u64).checked_rem(Self::element_size()?) != Some(0) {
            return Err(ReadError::Invalid { what: "a list that ends within an element" });
        }
        Ok(Self { bytes, value: PhantomData })
    }

    /// Bytes that every value takes.
    pub(crate) fn element_size() -> Result<u64, ReadError> {
        match T::FIXED_SIZE {
            Some(size) if size > 0 => Ok(size.into()),
            Some(_) => Err(ReadError::Invalid { what: "elements of no bytes in a view" }),
            None => Err(ReadError::Invalid { what: "elements of several sizes in a view" }),
        }
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(Self::SIZE).unwrap_or_default()
    }

    /// `true` when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Value `index`, or `None` when there are fewer.
    ///
    /// # Errors
    /// [`ReadError`] when the bytes are those of no value.
    #[inline]
    pub fn get(&self, index: usize) -> Result<Option<T>, ReadError> {
        let start = index.checked_mul(Self::SIZE);
        let bytes = start.and_then(|start| self.bytes.get(start..)?.get(..Self::SIZE));
        bytes.map(decode).transpose()
    }

    /// All values, from the first to the last or the other way round.
    #[must_use]
    pub fn iter(&self) -> ViewIter<'_, T> {
        ViewIter { chunks: self.bytes.chunks_exact(Self::SIZE.max(1)), value: PhantomData }
    }

    /// The bytes, as they are stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, lent where they were lent.
    #[must_use]
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        self.bytes
    }

    const SIZE: usize = match T::FIXED_SIZE {
        Some(size) => size as usize,
        None => 0,
    };
}

#[inline]
fn decode<T: Decode>(bytes: &[u8]) -> Result<T, ReadError> {
    T::decode(&mut Input::new(bytes), &mut ())
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), value: PhantomData }
    }
}

impl<T> fmt::Debug for View<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl<'v, T: Decode> IntoIterator for &'v View<'_, T> {
    type Item = Result<T, ReadError>;
    type IntoIter = ViewIter<'v, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The values of a [`View`].
pub struct ViewIter<'v, T> {
    chunks: std::slice::ChunksExact<'v, u8>,
    value: PhantomData<fn() -> T>,
}

impl<T: Decode> Iterator for ViewIter<'_, T> {
    type Item = Result<T, ReadError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.chunks.next().map(decode)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.chunks.size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.chunks.nth(n).map(decode)
    }
}

impl<T: Decode> DoubleEndedIterator for ViewIter<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.chunks.next_back().map(decode)
    }

    fn nth_back(&mut self, n: usize) -> Option<Self::Item> {
        self.chunks.nth_back(n).map(decode)
    }
}

impl<T: Decode> ExactSizeIterator for ViewIter<'_, T> {}

impl<T: Decode> std::iter::FusedIterator for ViewIter<'_, T> {}

impl<T> fmt::Debug for ViewIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewIter").field("left", &self.chunks.len()).finish_non_exhaustive()
    }
}
