//! How the types of the standard library are stored.
//!
//! Numbers are big endian. What has a fixed size stands in the entry; texts, lists and maps stand
//! on the heap and the entry says where. Every length that was stored is compared with the bytes
//! that are there before anything is allocated by it.

mod fixed;
mod tuple;

use crate::{Decode, Input, ReadError};

/// Elements for which room is made before any was decoded, when their sizes differ.
const CAPACITY_MAX: usize = 1024;

/// Decodes `count` values of any size, growing the list as they come.
pub(crate) fn decode_one_by_one<C, T: Decode<C>>(
    input: &mut Input<'_>,
    count: usize,
    context: &mut C,
) -> Result<Vec<T>, ReadError> {
    let capacity = match T::FIXED_SIZE {
        Some(size) => {
            let needed = u64::from(size).saturating_mul(count as u64);
            let available = input.remaining();
            if needed > available {
                return Err(ReadError::PastEnd { needed, available });
            }
            count
        }
        None => count.min(CAPACITY_MAX),
    };
    if count > 0 && T::FIXED_SIZE == Some(0) {
        return Err(EMPTY_ELEMENT);
    }
    let mut values = Vec::with_capacity(capacity);
    for _ in 0..count {
        let before = input.remaining();
        values.push(T::decode(input, context)?);
        if input.remaining() == before {
            return Err(EMPTY_ELEMENT);
        }
    }
    Ok(values)
}

/// What a list says that would be as long as its count likes.
const EMPTY_ELEMENT: ReadError =
    ReadError::Invalid { what: "an element of a list that takes no bytes" };

/// The size of values that stand one after the other.
///
/// # Panics
/// When the sum does not fit a `u32`: it is computed while compiling, so this is a compile error.
#[must_use]
pub(crate) const fn sum(sizes: &[u32]) -> u32 {
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
