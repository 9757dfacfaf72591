//! How a type is stored: the five traits, without any implementation.
//!
//! A type that stands in a section has a size ([`EncodeSized`]) and may keep what varies on a heap
//! ([`EncodeOnHeap`], [`DecodeFromHeap`]); one that stands on a heap has neither ([`Encode`],
//! [`Decode`]). `C` is a context of the caller's, passed through to every value: a table of
//! interned names, for example. Fixed-size types implement all five.

use std::io;

use crate::{Heap, HeapBytes, Input, ReadError, WriteError, values};

/// Bytes without a heap.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored without a heap, or needs another context than `{C}`",
    note = "a type with fields that keep something on a heap, as `String` and `Vec` do, is marked `#[paged(heap)]`",
    note = "on a heap, `paged::Inline` holds a text or list with its length"
)]
pub trait Encode<C = ()> {
    /// Writes the value and returns the number of bytes written.
    ///
    /// # Errors
    /// What the output meets, and [`WriteError`] as the source of an [`io::Error`] for values that
    /// cannot be stored.
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32>;

    /// Writes values back to back and returns the number of bytes written. Types whose bytes in
    /// memory are those in the file do it at once.
    ///
    /// # Errors
    /// As [`Self::encode`]; [`WriteError::TooLong`] for 4 GiB or more.
    #[inline]
    fn encode_all(values: &[Self], context: &C, output: &mut impl io::Write) -> io::Result<u32>
    where
        Self: Sized,
    {
        let mut len = 0;
        for value in values {
            len = add(len, value.encode(context, output)?)?;
        }
        Ok(len)
    }
}

/// The sum of two lengths, which is an error from 4 GiB on.
#[inline]
pub(crate) fn add(len: u32, more: u32) -> io::Result<u32> {
    len.checked_add(more).ok_or_else(|| {
        WriteError::TooLong { len: u64::from(len).saturating_add(u64::from(more)) }.into()
    })
}

/// The same number of bytes for every value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in a section: its values have no fixed size there",
    note = "types of one's own are stored with `#[derive(Paged)]`",
    note = "`usize` and `isize` differ between machines: store a `u32` or `u64`"
)]
pub trait EncodeSized {
    /// Bytes that a value takes in a section.
    const ENCODED_SIZE: u32;
}

/// Bytes in a section, of which what varies may be on a heap.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in a section, or needs another context than `{C}`",
    note = "types of one's own are stored with `#[derive(Paged)]`",
    note = "`usize` and `isize` differ between machines: store a `u32` or `u64`"
)]
pub trait EncodeOnHeap<C = ()>: EncodeSized {
    /// Writes `ENCODED_SIZE` bytes to `output`, and what varies to `heap`. Returns the number of
    /// bytes written to `output`.
    ///
    /// # Errors
    /// What the output or the heap meets, and [`WriteError`] as the source of an [`io::Error`] for
    /// values that cannot be stored.
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32>;

    /// Writes values back to back, as [`Encode::encode_all`] does.
    ///
    /// # Errors
    /// As [`Self::encode_on_heap`].
    #[inline]
    fn encode_all_on_heap(
        values: &[Self],
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32>
    where
        Self: Sized,
    {
        let mut len = 0;
        for value in values {
            len = add(len, value.encode_on_heap(context, heap, output)?)?;
        }
        Ok(len)
    }
}

/// The inverse of [`Encode`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read without a heap, or needs another context than `{C}`",
    note = "a type with fields that keep something on a heap, as `String` and `Vec` do, is marked `#[paged(heap)]`",
    note = "on a heap, `paged::Inline` holds a text or list with its length"
)]
pub trait Decode<C = ()>: Sized {
    /// Bytes that every value takes, or `None` when values differ in that. A list of values that
    /// all take the same is fetched at once.
    const FIXED_SIZE: Option<u32> = None;

    /// Reads a value from the front of `input`.
    ///
    /// # Errors
    /// [`ReadError`] when the bytes are not those of a value. Bytes come from outside: an
    /// implementation checks a length against [`Input::remaining`] before it allocates by it.
    fn decode(input: &mut Input<'_>, context: &mut C) -> Result<Self, ReadError>;

    /// Reads `count` values that stand back to back.
    ///
    /// # Errors
    /// As [`Self::decode`]; [`ReadError::Invalid`] when a value takes no bytes, for then a damaged
    /// count could not be told.
    fn decode_all(
        input: &mut Input<'_>,
        count: usize,
        context: &mut C,
    ) -> Result<Vec<Self>, ReadError> {
        values::decode_one_by_one(input, count, context)
    }

    /// Reads `N` values that stand back to back.
    ///
    /// # Errors
    /// As [`Self::decode`].
    #[inline]
    fn decode_array<const N: usize>(
        input: &mut Input<'_>,
        context: &mut C,
    ) -> Result<[Self; N], ReadError> {
        values::array_of(|| Self::decode(input, context))
    }
}

/// The inverse of [`EncodeOnHeap`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a section, or needs another context than `{C}`",
    note = "types of one's own are stored with `#[derive(Paged)]`",
    note = "a type that borrows is written only: `#[paged(encode_only)]`"
)]
pub trait DecodeFromHeap<C = ()>: Sized {
    /// Reads a value from the front of `input`, and what varies from `heap`.
    ///
    /// # Errors
    /// As [`Decode::decode`].
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError>;
    /// Reads `N` values that stand back to back.
    ///
    /// # Errors
    /// As [`Self::decode_from_heap`].
    #[inline]
    fn decode_array_from_heap<const N: usize, H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<[Self; N], ReadError> {
        values::array_of(|| Self::decode_from_heap(input, context, heap))
    }
}
