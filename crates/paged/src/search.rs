//! Binary search in sections that are sorted.
//!
//! Over indices, with a branch at each step. What looks better is slower in memory: the first entries
//! of pages share few places of the processor's caches, since whole pages lie between them; and steps
//! without a branch wait for each entry, where a branch has the next one fetched on a guess.

use std::cmp::Ordering;
use std::ops::{Bound, RangeBounds};

use crate::iterate::{Iter, no_context};
use crate::reader::Entries;
use crate::source::Source;
use crate::{DecodeFromHeap, EncodeSized, ReadError};

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
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.entry(middle, context)?;
            match compare(&entry, context) {
                Ordering::Less => low = middle.saturating_add(1),
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(Ok(middle)),
            }
        }
        Ok(Err(low))
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
