//! Binary search in sections that are sorted.
//!
//! A search waits for memory more than it computes. So where entries can be looked at in place, those
//! that the next steps may ask for are fetched while this step is still undecided; and near the end,
//! where all of them have come, steps are taken without a branch, since half of all guesses are wrong.

use std::cmp::Ordering;
use std::hint::{black_box, select_unpredictable};
use std::ops::{Bound, RangeBounds};

use crate::iterate::{Iter, no_context};
use crate::reader::Entries;
use crate::source::Source;
use crate::{DecodeFromHeap, EncodeSized, ReadError};

/// Entries among which one is fetched from a line or two of the processor's cache.
const NEAR: u32 = 64;

/// Searches `len` entries of which `order` tells how they stand to what is wanted. `fetch` is given those
/// that `order` may be asked of soon.
#[inline(always)]
fn find(
    len: u32,
    fetch: impl Fn(u32),
    mut order: impl FnMut(u32) -> Result<Ordering, ReadError>,
) -> Result<Result<u32, u32>, ReadError> {
    // What is wanted is one of `left` entries from `first` on, or before or after all entries.
    let (mut first, mut left) = (0_u32, len);
    while left > NEAR {
        let half = left / 2;
        // The middles of what is left in two steps.
        for part in 0..4_u32 {
            fetch(first.wrapping_add((left / 4).wrapping_mul(part)).wrapping_add(left / 8));
        }
        let middle = first.wrapping_add(half);
        if order(middle)? != Ordering::Greater {
            first = middle;
        }
        left = left.wrapping_sub(half);
    }
    while left > 1 {
        let half = left / 2;
        let middle = first.wrapping_add(half);
        first = select_unpredictable(order(middle)? == Ordering::Greater, first, middle);
        left = left.wrapping_sub(half);
    }
    if left == 0 {
        return Ok(Err(0));
    }
    Ok(match order(first)? {
        Ordering::Less => Err(first.wrapping_add(1)),
        Ordering::Equal => Ok(first),
        Ordering::Greater => Err(first),
    })
}

/// Has the processor fetch what `bytes` begin with, and does not wait for it.
#[inline(always)]
fn touch(bytes: Option<&[u8]>) {
    if let Some([byte, ..]) = bytes {
        black_box(*byte);
    }
}

/// For sections that are sorted by what is searched for. In one that is not, any entry may be found or
/// missed, as in a slice.
impl<'r, S: Source, T: EncodeSized> Entries<'r, S, T> {
    /// Finds an entry of which `compare` says `Equal`. `Ok` has the index of one; `Err` the index at
    /// which it would stand.
    ///
    /// # Errors
    /// As [`Self::get`], for each entry that is looked at: at most one for each time that the
    /// number of entries can be halved, and one more.
    pub fn binary_search_by(
        &self,
        mut compare: impl FnMut(&T) -> Ordering,
    ) -> Result<Result<u32, u32>, ReadError>
    where
        T: DecodeFromHeap,
    {
        self.binary_search_by_with(&mut (), |entry, ()| compare(entry))
    }

    /// As [`Self::binary_search_by`].
    ///
    /// # Errors
    /// As [`Self::binary_search_by`].
    pub fn binary_search_by_with<C>(
        &self,
        context: &mut C,
        mut compare: impl FnMut(&T, &mut C) -> Ordering,
    ) -> Result<Result<u32, u32>, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        let entries = self.settled();
        let order = |index| {
            let entry = entries.entry(index, context)?;
            Ok(compare(&entry, context))
        };
        let in_place = entries.in_place();
        let contiguous = in_place.contiguous();
        if contiguous.is_empty() {
            let fetch = |index| touch(in_place.entry(index, T::ENCODED_SIZE));
            return find(self.len(), fetch, order);
        }
        let size = T::ENCODED_SIZE as usize;
        let fetch = |index| touch(contiguous.get((index as usize).saturating_mul(size)..));
        find(self.len(), fetch, order)
    }

    /// Finds an entry of which `key` gives `wanted`. `Ok` has the index of one; `Err` the index at which it
    /// would stand.
    ///
    /// # Errors
    /// As [`Self::binary_search_by`].
    pub fn binary_search_by_key<K: Ord>(
        &self,
        wanted: &K,
        mut key: impl FnMut(&T) -> K,
    ) -> Result<Result<u32, u32>, ReadError>
    where
        T: DecodeFromHeap,
    {
        self.binary_search_by(|entry| key(entry).cmp(wanted))
    }

    /// As [`Self::binary_search_by_key`].
    ///
    /// # Errors
    /// As [`Self::binary_search_by`].
    pub fn binary_search_by_key_with<C, K: Ord>(
        &self,
        context: &mut C,
        wanted: &K,
        mut key: impl FnMut(&T, &mut C) -> K,
    ) -> Result<Result<u32, u32>, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        self.binary_search_by_with(context, |entry, context| key(entry, context).cmp(wanted))
    }

    /// The number of entries from the first on of which `is_before` is true.
    ///
    /// # Errors
    /// As [`Self::binary_search_by`].
    pub fn partition_point(&self, mut is_before: impl FnMut(&T) -> bool) -> Result<u32, ReadError>
    where
        T: DecodeFromHeap,
    {
        self.partition_point_with(&mut (), |entry, ()| is_before(entry))
    }

    /// As [`Self::partition_point`].
    ///
    /// # Errors
    /// As [`Self::binary_search_by`].
    pub fn partition_point_with<C>(
        &self,
        context: &mut C,
        mut is_before: impl FnMut(&T, &mut C) -> bool,
    ) -> Result<u32, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        let found = self.binary_search_by_with(context, |entry, context| {
            if is_before(entry, context) { Ordering::Less } else { Ordering::Greater }
        })?;
        Ok(found.unwrap_or_else(|index| index))
    }

    /// The entries whose keys lie in `keys`, in order.
    ///
    /// # Errors
    /// As [`Self::binary_search_by`].
    pub fn range<K: Ord>(
        &self,
        keys: impl RangeBounds<K>,
        mut key: impl FnMut(&T) -> K,
    ) -> Result<Iter<'r, 'static, S, T>, ReadError>
    where
        T: DecodeFromHeap,
    {
        self.range_with(keys, no_context(), |entry, ()| key(entry))
    }

    /// As [`Self::range`].
    ///
    /// # Errors
    /// As [`Self::binary_search_by`].
    pub fn range_with<'c, C, K: Ord>(
        &self,
        keys: impl RangeBounds<K>,
        context: &'c mut C,
        mut key: impl FnMut(&T, &mut C) -> K,
    ) -> Result<Iter<'r, 'c, S, T, C>, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        let start =
            self.partition_point_with(context, |entry, context| match keys.start_bound() {
                Bound::Included(start) => key(entry, context) < *start,
                Bound::Excluded(before) => key(entry, context) <= *before,
                Bound::Unbounded => false,
            })?;
        let end = self.partition_point_with(context, |entry, context| match keys.end_bound() {
            Bound::Included(last) => key(entry, context) <= *last,
            Bound::Excluded(end) => key(entry, context) < *end,
            Bound::Unbounded => true,
        })?;
        Ok(self.iter_range_with(start..end.max(start), context))
    }
}
