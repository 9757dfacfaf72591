//! A few ranges of blocks.

use std::ops::Range;

/// Ranges that are kept apart. One more joins the two that are closest to each other.
pub(super) const RANGES_MAX: usize = 64;

/// Ranges that neither touch nor overlap, in order.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Adds a range. When there are too many, two are joined, and the result covers blocks between them that were
    /// never added: it is returned.
    pub(super) fn add(&mut self, range: Range<u64>) -> Option<Range<u64>> {
        if range.is_empty() {
            return None;
        }
        let first = self.0.partition_point(|other| other.end < range.start);
        let after = self.0.partition_point(|other| other.start <= range.end);
        let mut joined = range;
        for other in self.0.drain(first..after.max(first)) {
            joined = joined.start.min(other.start)..joined.end.max(other.end);
        }
        self.0.insert(first, joined);
        if self.0.len() > RANGES_MAX { self.join_closest() } else { None }
    }

    /// The first range.
    pub(super) fn first(&self) -> Option<Range<u64>> {
        self.0.first().cloned()
    }

    /// Removes all blocks before `end`.
    pub(super) fn remove_before(&mut self, end: u64) {
        self.0.retain_mut(|range| {
            range.start = range.start.max(end);
            !range.is_empty()
        });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn join_closest(&mut self) -> Option<Range<u64>> {
        let gaps = self.0.windows(2).enumerate().filter_map(|(place, pair)| match pair {
            [left, right] => Some((right.start.saturating_sub(left.end), place)),
            _ => None,
        });
        let (_, place) = gaps.min()?;
        let right = self.0.remove(place.saturating_add(1));
        let left = self.0.get_mut(place)?;
        left.end = right.end;
        Some(left.clone())
    }
}
