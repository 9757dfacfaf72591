//! The bits of a page as a few runs, in order and never touching.
//!
//! Four bytes a run in the place of 4 KiB: what a page costs follows from what was said about it, so
//! that bits scattered by a hostile oplog cost little more than the bytes that name them.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs start below their ends, which are at most BITS; places come from the list itself"
)]

use super::page::BITS;

/// Set bits `start..end`, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: u16,
    end: u16,
}

impl Run {
    fn new(start: u32, end: u32) -> Self {
        Self { start: position(start), end: position(end) }
    }

    fn start(self) -> u32 {
        self.start.into()
    }

    fn end(self) -> u32 {
        self.end.into()
    }

    /// How many bits of `start..end` it has.
    fn count(self, start: u32, end: u32) -> u32 {
        self.end().min(end).saturating_sub(self.start().max(start))
    }
}

/// A position inside a page, or its end: both fit.
fn position(at: u32) -> u16 {
    const { assert!(BITS <= u16::MAX as u32) };
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// The set bits of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(Vec<Run>);

impl Runs {
    /// How many runs there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The runs in order, as start and end.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().map(|run| (run.start(), run.end()))
    }

    pub(super) fn get(&self, at: u32) -> bool {
        self.ending_after(at).is_some_and(|run| run.start() <= at)
    }

    /// Sets `start..end` and returns how many bits that changed.
    pub(super) fn set(&mut self, start: u32, end: u32) -> u32 {
        if start >= end {
            return 0;
        }
        let first = self.0.partition_point(|run| run.end() < start);
        let last = self.0.partition_point(|run| run.start() <= end);
        // Those in between touch the new run or lie in it.
        let (mut from, mut to, mut held) = (start, end, 0);
        for run in &self.0[first..last] {
            from = from.min(run.start());
            to = to.max(run.end());
            held += run.end() - run.start();
        }
        self.0.splice(first..last, [Run::new(from, to)]);
        to - from - held
    }

    /// Clears `start..end` and returns how many bits that changed.
    pub(super) fn clear(&mut self, start: u32, end: u32) -> u32 {
        let first = self.0.partition_point(|run| run.end() <= start);
        let last = self.0.partition_point(|run| run.start() < end);
        if first >= last {
            return 0;
        }
        let inside = &self.0[first..last];
        let changed = inside.iter().map(|run| run.count(start, end)).sum();
        let (from, to) = (inside[0].start(), inside[inside.len() - 1].end());
        let left = (from < start).then(|| Run::new(from, start));
        let right = (end < to).then(|| Run::new(end, to));
        self.0.splice(first..last, left.into_iter().chain(right));
        changed
    }

    /// The first bit of `start..end` that equals `value`.
    pub(super) fn first(&self, value: bool, start: u32, end: u32) -> Option<u32> {
        let run = self.ending_after(start);
        let at = if value {
            run?.start().max(start)
        } else {
            run.filter(|run| run.start() <= start).map_or(start, |run| run.end())
        };
        (at < end).then_some(at)
    }

    /// The last set bit of `0..end`.
    pub(super) fn last_set(&self, end: u32) -> Option<u32> {
        let after = self.0.partition_point(|run| run.start() < end);
        let run = self.0[..after].last()?;
        Some(run.end().min(end) - 1)
    }

    /// How many bits of `start..end` are set.
    pub(super) fn count(&self, start: u32, end: u32) -> u32 {
        self.0.iter().map(|run| run.count(start, end)).sum()
    }

    /// The run that holds `at`, or the next one.
    fn ending_after(&self, at: u32) -> Option<Run> {
        self.0.get(self.0.partition_point(|run| run.end() <= at)).copied()
    }
}
