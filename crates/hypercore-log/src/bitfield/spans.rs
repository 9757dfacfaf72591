//! A set of page numbers as spans that never touch.
//!
//! A billion pages in a row cost as much as one. Numbers are those of pages, far below 2^64.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of page numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    /// Where each span ends, by where it starts.
    ends: BTreeMap<u64, u64>,
    /// Numbers in all spans together.
    count: u64,
}

impl Spans {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many numbers there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.span_of(number).is_some()
    }

    /// The span that holds `number`.
    pub(super) fn span_of(&self, number: u64) -> Option<Range<u64>> {
        let (start, end) = self.ends.range(..=number).next_back()?;
        (number < *end).then_some(*start..*end)
    }

    /// The parts of spans in `range`, in order.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let first = self.span_of(range.start).map_or(range.start, |span| span.start);
        // An empty range must not ask the map for one that is turned around.
        let last = range.end.max(first);
        let spans = self.ends.range(first..last).map(|(start, end)| *start..*end);
        spans.filter_map(move |span| {
            let part = span.start.max(range.start)..span.end.min(range.end);
            (!part.is_empty()).then_some(part)
        })
    }

    /// The parts of `range` that no span holds, in order.
    pub(super) fn gaps(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let mut next = range.start;
        let end = range.end;
        let behind_all = std::iter::once(end..end);
        self.within(range).chain(behind_all).filter_map(move |span| {
            let gap = next..span.start;
            next = span.end;
            (!gap.is_empty()).then_some(gap)
        })
    }

    /// The last number below `before`.
    pub(super) fn last_below(&self, before: u64) -> Option<u64> {
        let (_, end) = self.ends.range(..before).next_back()?;
        (*end).min(before).checked_sub(1)
    }

    pub(super) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() || self.span_of(range.start).is_some_and(|span| range.end <= span.end) {
            return;
        }
        let mut span = range;
        while let Some((&start, &end)) = self.ends.range(..=span.end).next_back() {
            if end < span.start {
                break;
            }
            self.take(start, end);
            span = span.start.min(start)..span.end.max(end);
        }
        self.put(span);
    }

    pub(super) fn remove(&mut self, range: Range<u64>) {
        while let Some((&start, &end)) = self.ends.range(..range.end).next_back() {
            if end <= range.start || range.is_empty() {
                return;
            }
            self.take(start, end);
            self.put(start..range.start);
            self.put(range.end..end);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, start: u64, end: u64) {
        self.ends.remove(&start);
        self.count = self.count.saturating_sub(end.saturating_sub(start));
    }

    /// Adds a span that touches no other.
    fn put(&mut self, span: Range<u64>) {
        if !span.is_empty() {
            self.count = self.count.saturating_add(span.end.saturating_sub(span.start));
            self.ends.insert(span.start, span.end);
        }
    }
}
