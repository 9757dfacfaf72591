//! Which block a peer is asked for next: single ones first, then those that were asked for in vain, then ranges.

use super::cursor::Cursor;
use super::{Download, PeerDownload, Run};
use crate::limits::PLAN_STEPS_MAX;
use crate::peer::Peer;
use crate::wish::Blocks;

/// A block to ask a peer for.
pub(super) struct Pick {
    pub(super) block: u64,
    pub(super) priority: u64,
}

/// How far one plan for one peer has looked.
pub(super) struct Look {
    /// How many blocks, or runs of blocks, may still be passed over.
    steps: u32,
    /// Blocks below it that were asked for in vain are nothing for this peer.
    retry_from: u64,
}

impl Look {
    pub(super) const fn new() -> Self {
        Self { steps: PLAN_STEPS_MAX, retry_from: 0 }
    }

    /// Whether it was broken off. What was passed over is remembered, so the next one gets further.
    pub(super) const fn is_cut_short(&self) -> bool {
        self.steps == 0
    }
}

impl Download {
    /// A block of a range among those to come.
    pub(super) fn pick_new(&mut self, peer: &Peer, start: u64, to: u64) -> Option<Pick> {
        for many in &self.wishes.many {
            let block = match &many.blocks {
                Blocks::List(list) => {
                    list.iter().copied().find(|block| (start..to).contains(block))
                }
                Blocks::From(from) if !many.linear && *from < to => to.checked_sub(1),
                Blocks::From(from) => Some((*from).max(start)),
                Blocks::Span(range) => {
                    let first = range.start.max(start);
                    let count = range.end.min(to).saturating_sub(first);
                    let offset = if many.linear { 0 } else { self.random.below(count) };
                    (count > 0).then(|| first.saturating_add(offset))
                }
            };
            if let Some(block) = block
                && block < to
                && peer.holdings.has(block)
                && self.requests.asked(block).is_none()
            {
                return Some(Pick { block, priority: 0 });
            }
        }
        None
    }

    /// The next block to ask the peer for.
    pub(super) fn pick(&mut self, peer: &mut Peer, run: &Run<'_>, look: &mut Look) -> Option<Pick> {
        self.pick_single(peer, run, run.view.length, look)
            .or_else(|| self.pick_retry(peer, run, look))
            .or_else(|| self.pick_of_range(peer, run, look))
    }

    /// A single block below `end`.
    pub(super) fn pick_single(
        &mut self,
        peer: &mut Peer,
        run: &Run<'_>,
        end: u64,
        look: &mut Look,
    ) -> Option<Pick> {
        if self.wishes.queue_len() == 0 {
            return None;
        }
        loop {
            look.steps = look.steps.checked_sub(1)?;
            let looked =
                peer.download.looked.filter(|(wishes, _)| *wishes == self.wishes.queued_ever());
            let (turn, block) = self.wishes.queued(looked.map(|(_, turn)| turn)).next()?;
            if self.requests.asked(block).is_some() {
                self.wishes.asked(block);
                continue;
            }
            let may_ask = block < end
                && peer.holdings.has(block)
                && !peer.download.has_refused(block, run.now);
            if may_ask {
                let priority = self.wishes.asked(block);
                return Some(Pick { block, priority });
            }
            peer.download.looked = Some((self.wishes.queued_ever(), turn));
        }
    }

    fn pick_retry(&mut self, peer: &Peer, run: &Run<'_>, look: &mut Look) -> Option<Pick> {
        while let Some(block) = self.retry.range(look.retry_from..).next().copied() {
            look.retry_from = block.saturating_add(1);
            if !self.wishes.is_in_range(block)
                || self.requests.asked(block).is_some()
                || run.log.has(block)
            {
                self.retry.remove(&block);
                continue;
            }
            let may_ask = block < run.view.length
                && peer.holdings.has(block)
                && !peer.download.has_refused(block, run.now);
            if may_ask {
                self.retry.remove(&block);
                return Some(Pick { block, priority: 0 });
            }
        }
        None
    }

    fn pick_of_range(&mut self, peer: &mut Peer, run: &Run<'_>, look: &mut Look) -> Option<Pick> {
        let steps = &mut look.steps;
        for many in &self.wishes.many {
            let span = many.span(run.view.length);
            let random = &mut self.random;
            let PeerDownload { cursors, refusals, .. } = &mut peer.download;
            let cursor = cursors.entry(many.wish).or_insert_with(|| {
                let count = span.end.saturating_sub(span.start);
                match &many.blocks {
                    Blocks::List(_) => Cursor::list(count),
                    _ if many.linear => Cursor::new(span.clone(), span.start),
                    _ => Cursor::new(span.clone(), span.start.saturating_add(random.below(count))),
                }
            });
            cursor.grow(span.end, run.view.length);
            loop {
                let block = match &many.blocks {
                    Blocks::List(list) => cursor.next_of(list, run.log, &peer.holdings, steps),
                    _ => cursor.next(run.log, &peer.holdings, steps),
                };
                let Some(block) = block else { break };
                if block >= run.view.length || self.requests.asked(block).is_some() {
                    continue;
                }
                // Neither is the cursor's to remember.
                if refusals.cover(block, run.now) {
                    self.retry.insert(block);
                }
                if self.retry.contains(&block) {
                    continue;
                }
                return Some(Pick { block, priority: 0 });
            }
        }
        None
    }
}
