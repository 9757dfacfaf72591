//! Which blocks a peer holds, as far as it has said.
//!
//! What is not known to be held counts as not held. Memory is bounded whatever the peer says: what does not fit is
//! forgotten, never made up, and [`Holdings::take_forgotten`] tells where, so that the peer can be asked again. It
//! knows nothing of the own log.

mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use hypercore_merkle::LENGTH_MAX;

use crate::message::{Bitfield, RangeMessage};
use page::{PAGE_BLOCKS, Page};

/// Pages of 512 bytes kept for one peer: as many as the answer about a large region has. Any peer can reach this with
/// bitfields; the page farthest from the newest is forgotten then.
pub(crate) const HOLDINGS_PAGES_MAX: usize = 512;

/// Runs of pages in which the peer holds every block. A run more is forgotten.
pub(crate) const HOLDINGS_RUNS_MAX: usize = 512;

/// Pages, and runs, that are kept while nothing is wished for.
const REST_MAX: usize = 16;

/// The blocks that one peer holds.
#[derive(Clone, Default)]
pub(crate) struct Holdings {
    /// Held from the first block on. Pages and runs say nothing about blocks below it.
    contiguous: u64,
    /// Pages held in full: from a page number to the one after the last. Neither touch nor overlap.
    runs: BTreeMap<u64, u64>,
    /// Pages held in part: neither empty nor full, and in no run.
    pages: BTreeMap<u64, Page>,
    forgotten: Option<Range<u64>>,
}

impl Holdings {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes in what the peer says it holds or has dropped.
    pub(crate) fn range(&mut self, message: &RangeMessage) {
        let end = message.start.saturating_add(message.length).min(LENGTH_MAX);
        let range = message.start..end;
        if message.drop {
            self.drop_range(range);
        } else {
            self.hold(range);
        }
    }

    /// Takes in the truth about a stretch. Ignored where it does not start at a multiple of 32, as in JavaScript.
    pub(crate) fn bitfield(&mut self, message: &Bitfield) {
        let words = message.words();
        let len = (words.len() as u64).saturating_mul(32);
        let start = message.start();
        let end = start.saturating_add(len);
        if !start.is_multiple_of(32) || end > LENGTH_MAX {
            return;
        }
        self.lower_contiguous(start, end);
        let mut words = words.peekable();
        let mut at = start;
        while words.peek().is_some() {
            let number = at / PAGE_BLOCKS;
            let first = at % PAGE_BLOCKS;
            self.update(number, |page| {
                for bit in (first..PAGE_BLOCKS).step_by(32) {
                    let Some(word) = words.next() else { break };
                    page.put(bit, word);
                }
            });
            at = number.saturating_add(1).saturating_mul(PAGE_BLOCKS);
        }
        self.raise_contiguous();
    }

    /// Whether it is known to hold a block.
    pub(crate) fn has(&self, index: u64) -> bool {
        if index < self.contiguous {
            return true;
        }
        let number = index / PAGE_BLOCKS;
        match self.pages.get(&number) {
            Some(page) => page.get(index % PAGE_BLOCKS),
            None => self.run_of(number).is_some(),
        }
    }

    /// Whether it is known to hold every block of a range.
    pub(crate) fn has_range(&self, mut range: Range<u64>) -> bool {
        while !range.is_empty() {
            match self.next_held(range.clone()) {
                Some(held) if held.start == range.start => range.start = held.end,
                _ => return false,
            }
        }
        true
    }

    /// Blocks it holds from the first one on.
    pub(crate) const fn contiguous_length(&self) -> u64 {
        self.contiguous
    }

    /// The first blocks of a range that it holds; more may follow them immediately.
    pub(crate) fn next_held(&self, range: Range<u64>) -> Option<Range<u64>> {
        let within = |start: u64, end: u64| {
            let cut = start.max(range.start)..end.min(range.end);
            (!cut.is_empty()).then_some(cut)
        };
        if range.start < self.contiguous {
            return within(0, self.contiguous);
        }
        let first = range.start / PAGE_BLOCKS;
        let run = self.run_of(first).or_else(|| self.run_from(first));
        let run = run.map(|run| first_block(run.start)..first_block(run.end));
        for (number, page) in self.pages.range(first..) {
            let base = first_block(*number);
            if base >= range.end || run.as_ref().is_some_and(|run| run.start < base) {
                break;
            }
            let Some(start) = page.find(true, range.start.saturating_sub(base)) else { continue };
            let end = page.find(false, start).unwrap_or(PAGE_BLOCKS);
            return within(base.saturating_add(start), base.saturating_add(end));
        }
        run.and_then(|run| within(run.start, run.end))
    }

    /// Where something was forgotten for lack of room since the last call: what the peer said about blocks in this
    /// range may be lost, and it can be asked again.
    pub(crate) const fn take_forgotten(&mut self) -> Option<Range<u64>> {
        self.forgotten.take()
    }

    /// Forgets all but a little, for a time in which nothing is to be asked for.
    pub(crate) fn rest(&mut self) {
        while self.pages.len() > REST_MAX
            && let Some((number, _)) = self.pages.pop_last()
        {
            self.forget(number..number.saturating_add(1));
        }
        while self.runs.len() > REST_MAX
            && let Some((start, end)) = self.runs.pop_last()
        {
            self.forget(start..end);
        }
    }

    fn hold(&mut self, range: Range<u64>) {
        if !range.is_empty() && range.start <= self.contiguous {
            self.contiguous = self.contiguous.max(range.end);
        } else {
            self.fill(range, true);
        }
        self.raise_contiguous();
    }

    fn drop_range(&mut self, range: Range<u64>) {
        self.lower_contiguous(range.start, range.end);
        self.fill(range, false);
    }

    /// Makes pages and runs speak of the blocks from `start` on, before what they say up to `end` is changed.
    fn lower_contiguous(&mut self, start: u64, end: u64) {
        let contiguous = self.contiguous;
        if start < contiguous.min(end) {
            self.contiguous = start;
            if end < contiguous {
                self.fill(end..contiguous, true);
            }
        }
    }

    /// Takes what follows the contiguous blocks into them.
    fn raise_contiguous(&mut self) {
        while let Some(held) = self.next_held(self.contiguous..u64::MAX)
            && held.start == self.contiguous
        {
            self.contiguous = held.end;
        }
        let below = self.contiguous / PAGE_BLOCKS;
        while let Some(number) = self.pages.keys().next().copied()
            && number < below
        {
            self.pages.remove(&number);
        }
        self.remove_runs(0..below);
    }

    /// Gives the blocks of a range one value.
    fn fill(&mut self, range: Range<u64>, held: bool) {
        if range.is_empty() {
            return;
        }
        let (first, last) = (range.start / PAGE_BLOCKS, range.end / PAGE_BLOCKS);
        let (from, to) = (range.start % PAGE_BLOCKS, range.end % PAGE_BLOCKS);
        if first == last {
            self.update(first, |page| page.fill(from, to, held));
            return;
        }
        let mut whole = first..last;
        if from > 0 {
            self.update(first, |page| page.fill(from, PAGE_BLOCKS, held));
            whole.start = whole.start.saturating_add(1);
        }
        self.remove_pages(whole.clone());
        if held {
            self.add_run(whole);
        } else {
            self.remove_runs(whole);
        }
        if to > 0 {
            self.update(last, |page| page.fill(0, to, held));
        }
    }

    /// Changes one page, whatever it is kept as.
    fn update(&mut self, number: u64, change: impl FnOnce(&mut Page)) {
        let this = number..number.saturating_add(1);
        let mut page = match self.pages.remove(&number) {
            Some(page) => page,
            None if self.run_of(number).is_some() => Page::full(),
            None => Page::empty(),
        };
        change(&mut page);
        if page.is_full() {
            self.add_run(this);
            return;
        }
        self.remove_runs(this);
        if !page.is_empty() {
            self.pages.insert(number, page);
            self.forget_pages(number);
        }
    }

    /// Makes room after a page was added.
    fn forget_pages(&mut self, newest: u64) {
        while self.pages.len() > HOLDINGS_PAGES_MAX {
            let (Some(first), Some(last)) =
                (self.pages.keys().next(), self.pages.keys().next_back())
            else {
                return;
            };
            let far = if newest.abs_diff(*first) > newest.abs_diff(*last) { *first } else { *last };
            self.pages.remove(&far);
            self.forget(far..far.saturating_add(1));
        }
    }

    fn remove_pages(&mut self, numbers: Range<u64>) {
        while let Some(number) = self.pages.range(numbers.clone()).next().map(|page| *page.0) {
            self.pages.remove(&number);
        }
    }

    /// The run that a page is in.
    fn run_of(&self, number: u64) -> Option<Range<u64>> {
        let (start, end) = self.runs.range(..=number).next_back()?;
        (number < *end).then_some(*start..*end)
    }

    /// The first run from a page on.
    fn run_from(&self, number: u64) -> Option<Range<u64>> {
        self.runs.range(number..).next().map(|(start, end)| *start..*end)
    }

    fn add_run(&mut self, mut numbers: Range<u64>) {
        if numbers.is_empty() {
            return;
        }
        let left = numbers.start.checked_sub(1).and_then(|before| self.run_of(before));
        if let Some(left) = left {
            numbers = left.start..left.end.max(numbers.end);
        }
        while let Some(next) = self.run_from(numbers.start).filter(|run| run.start <= numbers.end) {
            self.runs.remove(&next.start);
            numbers.end = next.end.max(numbers.end);
        }
        self.insert_run(numbers);
    }

    fn remove_runs(&mut self, numbers: Range<u64>) {
        let across = self.run_of(numbers.start).or_else(|| self.run_from(numbers.start));
        let mut next = across;
        while let Some(run) = next.filter(|run| run.start < numbers.end) {
            self.runs.remove(&run.start);
            if run.start < numbers.start {
                self.insert_run(run.start..numbers.start);
            }
            if numbers.end < run.end {
                self.insert_run(numbers.end..run.end);
            }
            next = self.run_from(numbers.end.min(run.end));
        }
    }

    fn insert_run(&mut self, numbers: Range<u64>) {
        if self.runs.len() < HOLDINGS_RUNS_MAX || self.runs.contains_key(&numbers.start) {
            self.runs.insert(numbers.start, numbers.end);
        } else {
            self.forget(numbers);
        }
    }

    fn forget(&mut self, numbers: Range<u64>) {
        let blocks = first_block(numbers.start)..first_block(numbers.end);
        self.forgotten = Some(match self.forgotten.take() {
            Some(before) => before.start.min(blocks.start)..before.end.max(blocks.end),
            None => blocks,
        });
    }
}

/// Without the bits, which may be many.
impl std::fmt::Debug for Holdings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holdings")
            .field("contiguous", &self.contiguous)
            .field("runs", &self.runs.len())
            .field("pages", &self.pages.len())
            .finish_non_exhaustive()
    }
}

const fn first_block(number: u64) -> u64 {
    number.saturating_mul(PAGE_BLOCKS)
}
