//! Where one peer is in one range: what it still has to be looked through for.
//!
//! A range stays a range, however long: nothing is kept per block. A cursor only goes forward. What is stored is passed
//! over by asking the log, what the peer lacks by asking what is known of it; when the peer gets more, that part is
//! looked through again. A block that was asked for in vain is not the cursor's to remember.

use std::collections::VecDeque;
use std::ops::Range;

use hypercore_log::Log;

use crate::remote::Holdings;

/// Parts that a cursor keeps apart; more become one.
const PARTS_MAX: usize = 8;

/// What is still to be looked through, in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    parts: VecDeque<Range<u64>>,
    /// What the parts are parts of.
    start: u64,
    end: u64,
    /// Blocks at the front of the first part that are missing here and held there.
    run: Range<u64>,
    /// Whether these are places in a list, and not blocks.
    is_list: bool,
    /// Blocks of the log when a list was begun: those past it were passed over.
    log_length: u64,
}

impl Cursor {
    /// All of `range`, beginning at `from` and coming round.
    pub(crate) fn new(range: Range<u64>, from: u64) -> Self {
        let from = from.clamp(range.start, range.end.max(range.start));
        let mut cursor = Self { start: range.start, end: range.end, ..Self::default() };
        cursor.push(from..range.end);
        cursor.push(range.start..from);
        cursor
    }

    /// All places of a list.
    pub(crate) fn list(len: u64) -> Self {
        Self { is_list: true, ..Self::new(0..len, 0) }
    }

    /// The range now ends at `end`, in a log of `log_length` blocks.
    pub(crate) fn grow(&mut self, end: u64, log_length: u64) {
        if self.is_list && log_length > self.log_length {
            self.log_length = log_length;
            self.push(self.start..self.end);
        }
        if end > self.end {
            self.push(self.end..end);
            self.end = end;
        }
    }

    /// The range now ends at `end`, which may be less.
    pub(crate) fn cut(&mut self, end: u64) {
        if self.is_list {
            return self.push(0..self.end);
        }
        self.end = self.end.min(end);
        for part in &mut self.parts {
            part.end = part.end.min(end);
        }
        self.forget_run();
    }

    /// Looks through `part` again.
    pub(crate) fn again(&mut self, part: Range<u64>) {
        let all = self.start..self.end;
        self.push(if self.is_list {
            all
        } else {
            part.start.max(all.start)..part.end.min(all.end)
        });
    }

    /// What was found out about the log or the peer may no longer be so.
    pub(crate) fn forget_run(&mut self) {
        self.run = 0..0;
    }

    fn push(&mut self, part: Range<u64>) {
        if part.is_empty() {
            return;
        }
        let within = |other: &Range<u64>| other.start <= part.start && part.end <= other.end;
        if self.parts.iter().any(within) {
            return;
        }
        match self.parts.back_mut() {
            Some(last) if last.start <= part.start && part.start <= last.end => {
                last.end = last.end.max(part.end);
            }
            _ => self.parts.push_back(part),
        }
        if self.parts.len() > PARTS_MAX {
            let start = self.parts.iter().map(|part| part.start).min().unwrap_or_default();
            let end = self.parts.iter().map(|part| part.end).max().unwrap_or_default();
            self.parts.clear();
            self.parts.push_back(start..end);
            self.forget_run();
        }
    }

    /// The next block of a list that is missing in `log` and held by the peer, and steps over it.
    pub(crate) fn next_of(
        &mut self,
        list: &[u64],
        log: &Log,
        holdings: &Holdings,
        steps: &mut u32,
    ) -> Option<u64> {
        loop {
            let part = self.parts.front_mut()?;
            if part.is_empty() {
                self.parts.pop_front();
                continue;
            }
            *steps = steps.checked_sub(1)?;
            let block = usize::try_from(part.start).ok().and_then(|place| list.get(place));
            part.start = part.start.saturating_add(1);
            if let Some(block) = block.filter(|block| holdings.has(**block) && !log.has(**block)) {
                return Some(*block);
            }
        }
    }

    /// The next block that is missing in `log` and held by the peer, and steps over it. Each block, and each run that
    /// is passed over, takes one of `steps`; without any left there is none.
    pub(crate) fn next(&mut self, log: &Log, holdings: &Holdings, steps: &mut u32) -> Option<u64> {
        loop {
            let part = self.parts.front_mut()?;
            if part.is_empty() {
                self.parts.pop_front();
                self.forget_run();
                continue;
            }
            *steps = steps.checked_sub(1)?;
            if self.run.contains(&part.start) {
                let block = part.start;
                part.start = part.start.saturating_add(1);
                return Some(block);
            }
            let missing = match log.stored_ranges(part.clone(), 1).first() {
                Some(stored) if stored.start <= part.start => {
                    part.start = stored.end;
                    continue;
                }
                Some(stored) => part.start..stored.start,
                None => part.clone(),
            };
            match holdings.next_held(missing.clone()) {
                Some(run) => {
                    part.start = run.start;
                    self.run = run;
                }
                None => part.start = missing.end,
            }
        }
    }
}
