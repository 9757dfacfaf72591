//! What the peer is to be told about the own blocks without having asked.

use std::ops::Range;

use super::ranges::Ranges;
use super::wants::{BITFIELD_BLOCKS_MAX, Wants, bitfield, held};
use super::{Outlet, UploadContext};
use crate::message::{Message, RangeMessage};
use crate::view::View;

/// Blocks at the end of the log whose arrival everybody is told of.
///
/// # Source
/// wire.md section 7.4.
const LAST_BLOCKS: u64 = 256;

/// Runs that are named one by one; what has more is described by a bitfield.
const RUNS_MAX: usize = 8;

/// News for one peer.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Whether the peer was told what is held when it came, or when it began to be served.
    begun: bool,
    /// Blocks that came.
    held: Ranges,
    /// Blocks that the peer was told of once, and has to be told of again because of a drop before them.
    again: Ranges,
    dropped: Ranges,
    /// What the peer takes our contiguous length for.
    contiguous: u64,
    /// The fork and length of which the peer was told that everything is held.
    complete: Option<(u64, u64)>,
}

impl News {
    pub(super) fn held(&mut self, range: Range<u64>) {
        self.held.add(range);
    }

    pub(super) fn dropped(&mut self, range: Range<u64>) {
        if let Some(more) = self.dropped.add(range) {
            // It covers blocks that were not dropped.
            self.again.add(more);
        }
    }

    /// Whether there is something that can be said now: what is not durable yet is said when it is.
    pub(super) fn is_waiting(&self, view: &View) -> bool {
        let is_shown = |range: Range<u64>| range.start < view.length;
        !self.dropped.is_empty()
            || self.held.first().is_some_and(is_shown)
            || self.again.first().is_some_and(is_shown)
    }

    /// Forgets what there was to say: the peer is not served. When it is again, it is told from the beginning.
    pub(super) fn stop(&mut self) {
        self.begun = false;
        self.held.clear();
        self.again.clear();
    }

    /// Says what is no longer held, whether the peer is served or not: it may have been told that it is.
    pub(super) fn announce_drops(&mut self, context: &UploadContext<'_>, out: &mut Outlet<'_>) {
        while out.has_room()
            && let Some(range) = self.dropped.first()
        {
            self.dropped.remove_before(range.end);
            let length = range.end.saturating_sub(range.start);
            out.send(Message::Range(RangeMessage { drop: true, start: range.start, length }));
            if range.start < self.contiguous {
                self.again.add(range.end..self.contiguous.min(context.view.length));
                self.contiguous = range.start;
            }
            self.complete = None;
        }
    }

    /// Says what is held.
    ///
    /// # Source
    /// wire.md section 7.4.
    pub(super) fn announce(
        &mut self,
        context: &UploadContext<'_>,
        wants: &Wants,
        out: &mut Outlet<'_>,
    ) {
        let view = &context.view;
        let all = (view.fork, view.length);
        if view.contiguous == view.length {
            if view.length > 0 && self.complete != Some(all) && out.has_room() {
                self.complete = Some(all);
                self.say_contiguous(view.contiguous, out);
            }
            self.forget(view.length);
            self.begun = true;
            return;
        }
        if !self.begun && out.has_room() {
            self.begun = true;
            if view.contiguous > 0 {
                self.say_contiguous(view.contiguous, out);
            }
        }
        while out.has_room()
            && let Some(range) = self.again.first().filter(|range| range.start < view.length)
        {
            let said = self.say(context, range, out);
            self.again.remove_before(said);
        }
        while out.has_room()
            && let Some(range) = self.held.first().filter(|range| range.start < view.length)
        {
            let is_news = range.end.saturating_add(LAST_BLOCKS) > view.length || wants.has(&range);
            let said =
                if is_news { self.say(context, range, out) } else { range.end.min(view.length) };
            self.held.remove_before(said);
        }
    }

    fn forget(&mut self, before: u64) {
        self.held.remove_before(before);
        self.again.remove_before(before);
    }

    fn say_contiguous(&mut self, length: u64, out: &mut Outlet<'_>) {
        out.send(held(0..length));
        self.contiguous = self.contiguous.max(length);
    }

    /// Says what is stored of a range, but for what the peer has itself, and up to where it did.
    fn say(&mut self, context: &UploadContext<'_>, range: Range<u64>, out: &mut Outlet<'_>) -> u64 {
        let range = range.start.max(self.contiguous)..range.end.min(context.view.length);
        let runs = context.log.stored_ranges(range.clone(), RUNS_MAX.saturating_add(1));
        if runs.len() > RUNS_MAX {
            let start = range.start.saturating_sub(range.start % 32);
            let end = range.end.min(start.saturating_add(BITFIELD_BLOCKS_MAX));
            if let Some(bits) = bitfield(context.log, start..end) {
                self.contiguous = self.contiguous.min(bits.start());
                out.send(Message::Bitfield(bits));
            }
            return end;
        }
        for run in runs {
            // What it has of another fork are other blocks.
            let is_same_fork = context.remote.fork() == context.view.fork;
            if is_same_fork && context.holdings.has_range(run.clone()) {
                continue;
            }
            if run.start <= self.contiguous {
                self.say_contiguous(run.end, out);
            } else {
                out.send(held(run));
            }
        }
        range.end
    }
}
