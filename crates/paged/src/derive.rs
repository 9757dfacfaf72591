//! What the code of `#[derive(Paged)]` calls. Not for anybody else.

use std::io;

pub use crate::values::{pad, sum};

/// The sum of two lengths, which is an error from 4 GiB on.
///
/// # Errors
/// [`WriteError::TooLong`](crate::WriteError::TooLong).
#[inline]
pub fn add(len: u32, more: u32) -> io::Result<u32> {
    crate::traits::add(len, more)
}

/// The sum of sizes if all are known and it fits a `u32`.
#[must_use]
pub const fn fixed_sum(sizes: &[Option<u32>]) -> Option<u32> {
    let mut sum = 0_u32;
    let mut rest = sizes;
    while let Some((size, others)) = rest.split_first() {
        let Some(size) = *size else { return None };
        let Some(next) = sum.checked_add(size) else { return None };
        sum = next;
        rest = others;
    }
    Some(sum)
}

/// The largest of sizes.
#[must_use]
pub const fn max(sizes: &[u32]) -> u32 {
    let mut max = 0;
    let mut rest = sizes;
    while let Some((size, others)) = rest.split_first() {
        if *size > max {
            max = *size;
        }
        rest = others;
    }
    max
}
