//! How the types of the standard library are stored.
//!
//! Numbers are big endian. What has a fixed size stands in the entry; texts, lists and maps stand
//! on the heap and the entry says where. Every length that was stored is compared with the bytes
//! that are there before anything is allocated by it.

mod array;
mod fixed;
mod inline;
mod list;
mod map;
mod nesting;
mod option;
mod pointer;
pub(crate) mod text;
mod tuple;
mod wide;

pub use inline::Inline;
pub use wide::Wide;

use std::io;

use crate::{Decode, Encode, Input, ReadError, WriteError};

/// A type whose values need no heap: in a section they are stored as on a heap.
macro_rules! needs_no_heap {
    ([$($generics:tt)*] $type:ty) => {
        impl<Context, $($generics)*> $crate::EncodeOnHeap<Context> for $type {
            #[inline]
            fn encode_on_heap(
                &self,
                context: &Context,
                _heap: &mut $crate::Heap,
                output: &mut impl ::std::io::Write,
            ) -> ::std::io::Result<u32> {
                $crate::Encode::encode(self, context, output)
            }

            #[inline]
            fn encode_all_on_heap(
                values: &[Self],
                context: &Context,
                _heap: &mut $crate::Heap,
                output: &mut impl ::std::io::Write,
            ) -> ::std::io::Result<u32> {
                $crate::Encode::encode_all(values, context, output)
            }
        }

        impl<Context, $($generics)*> $crate::DecodeFromHeap<Context> for $type {
            #[inline]
            fn decode_from_heap<Bytes: $crate::HeapBytes + ?Sized>(
                input: &mut $crate::Input<'_>,
                context: &mut Context,
                _heap: &Bytes,
            ) -> Result<Self, $crate::ReadError> {
                $crate::Decode::decode(input, context)
            }

            #[inline]
            fn decode_array_from_heap<const LEN: usize, Bytes: $crate::HeapBytes + ?Sized>(
                input: &mut $crate::Input<'_>,
                context: &mut Context,
                _heap: &Bytes,
            ) -> Result<[Self; LEN], $crate::ReadError> {
                $crate::Decode::decode_array(input, context)
            }
        }
    };
}
pub(crate) use needs_no_heap;

/// Writes `len` zeros.
#[doc(hidden)]
#[inline]
pub fn pad(output: &mut impl io::Write, len: u32) -> io::Result<u32> {
    const ZEROS: [u8; 64] = [0; 64];
    let mut left = len as usize;
    while left > 0 {
        let part = ZEROS.get(..left).unwrap_or(&ZEROS);
        output.write_all(part)?;
        left = left.saturating_sub(part.len());
    }
    Ok(len)
}

/// Writes the elements of a list and returns their bytes.
///
/// An element that takes no bytes would let a damaged count pass for a list of any length, so
/// there is none.
fn encode_elements<C, T: Encode<C>>(
    values: &[T],
    context: &C,
    output: &mut impl io::Write,
) -> io::Result<u32> {
    let len = T::encode_all(values, context, output)?;
    if (len as usize) < values.len() {
        return Err(WriteError::EmptyElement.into());
    }
    Ok(len)
}

/// A length that a field of 32 bits can hold.
fn len_u32(len: usize) -> io::Result<u32> {
    u32::try_from(len).map_err(|_| WriteError::TooLong { len: len as u64 }.into())
}

/// A length that memory can hold.
fn len_usize(len: u64) -> Result<usize, ReadError> {
    usize::try_from(len).map_err(|_| TOO_LONG)
}

/// What a length says that no allocation can have here.
pub(crate) const TOO_LONG: ReadError =
    ReadError::Invalid { what: "a value longer than this machine can address" };

/// What a list says that would be as long as its count likes.
const EMPTY_ELEMENT: ReadError =
    ReadError::Invalid { what: "an element of a list that takes no bytes" };

/// Elements for which room is made before any was decoded, when their sizes differ.
const CAPACITY_MAX: usize = 64;

/// Decodes `count` values of any size, growing the list as they come.
pub(crate) fn decode_one_by_one<C, T: Decode<C>>(
    input: &mut Input<'_>,
    count: usize,
    context: &mut C,
) -> Result<Vec<T>, ReadError> {
    // What takes at least one byte each cannot be more than there are bytes.
    let needed = u64::from(T::FIXED_SIZE.unwrap_or(1)).saturating_mul(count as u64);
    let available = input.remaining();
    if needed > available {
        return Err(ReadError::PastEnd { needed, available });
    }
    let capacity = if T::FIXED_SIZE.is_some() { count } else { count.min(CAPACITY_MAX) };
    if count > 0 && T::FIXED_SIZE == Some(0) {
        return Err(EMPTY_ELEMENT);
    }
    let mut values = Vec::with_capacity(capacity);
    for _ in 0..count {
        let before = input.remaining();
        values.push(T::decode(input, context)?);
        if T::FIXED_SIZE.is_none() && input.remaining() == before {
            return Err(EMPTY_ELEMENT);
        }
    }
    Ok(values)
}

/// An array of what `next` returns, or its first error.
#[inline]
pub(crate) fn array_of<T, const N: usize>(
    mut next: impl FnMut() -> Result<T, ReadError>,
) -> Result<[T; N], ReadError> {
    let mut failed = None;
    let values = std::array::from_fn(|_| {
        if failed.is_some() {
            return None;
        }
        next().map_err(|error| failed = Some(error)).ok()
    });
    match failed {
        Some(error) => Err(error),
        #[expect(clippy::expect_used, reason = "without an error each has a value")]
        None => Ok(values.map(|value: Option<T>| value.expect("`next` has returned a value"))),
    }
}

/// The size of values that stand one after the other. Computed while compiling, where a sum that
/// does not fit a `u32` is an error.
#[doc(hidden)]
#[must_use]
pub const fn sum(sizes: &[u32]) -> u32 {
    let mut sum = 0_u32;
    let mut rest = sizes;
    while let Some((size, others)) = rest.split_first() {
        sum = match sum.checked_add(*size) {
            Some(sum) => sum,
            None => panic!("an entry takes less than 4 GiB"),
        };
        rest = others;
    }
    sum
}
