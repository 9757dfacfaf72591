//! What is known about asking one peer.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::cursor::Cursor;
use super::nodes::Expected;
use super::requests::{Flight, Name};
use super::wants::Wants;
use super::wishes::Turn;
use crate::limits::{REFUSAL_DELAY, REFUSALS_MAX};
use crate::options::WishId;
use crate::statistics::PeerStatistics;

/// One peer, as it is asked for things.
#[derive(Debug, Default)]
pub(crate) struct PeerDownload {
    pub(crate) in_flight: usize,
    /// Requests in flight whose answers are here, and not looked at.
    pub(crate) arrived: usize,
    pub(crate) expected: Expected,
    pub(crate) cursors: BTreeMap<WishId, Cursor>,
    pub(crate) wants: Wants,
    /// Bytes of its answers that are held back.
    pub(crate) held_len: usize,
    /// What it got since it was planned for, to be looked through again.
    gained: Option<Range<u64>>,
    /// How far the queue of single blocks was looked through, when so many had ever been queued.
    pub(crate) looked: Option<(u64, Turn)>,
    /// Blocks that it does not have, and when it may be asked for them again.
    pub(super) refusals: Refusals,
    /// Whether some of these wait for another tree, and not for a time.
    has_unprovable: bool,
    /// Refusals since it last delivered.
    refused_in_a_row: u32,
    refused: u64,
    /// It is not asked for anything before.
    pub(crate) rests_until: Option<Duration>,
    /// Whether it was asked to show its history, because a proof of it did not hold. It is asked nothing else then.
    pub(crate) probed_at: Option<Duration>,
    /// Whether an upgrade came in on this connection.
    pub(crate) has_upgraded: bool,
    pub(crate) invalid_proofs: u32,
    pub(crate) unsolicited: u32,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) response_time: Option<Duration>,
}

/// Blocks, and until when a peer is not asked for them.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<u64, Duration>);

/// When a refusal ends that only another tree ends.
const NEVER: Duration = Duration::MAX;

impl Refusals {
    /// Whether the peer is not to be asked for the block now.
    pub(super) fn cover(&self, block: u64, now: Duration) -> bool {
        self.0.get(&block).is_some_and(|until| *until > now)
    }

    /// Keeps one, if there are not too many.
    fn add(&mut self, block: u64, until: Duration) -> bool {
        let has_room = self.0.len() < REFUSALS_MAX;
        if has_room {
            self.0.insert(block, until);
        }
        has_room
    }

    /// Forgets those that are over, and whether there were any.
    fn expire(&mut self, now: Duration) -> bool {
        let before = self.0.len();
        self.0.retain(|_, until| *until > now);
        self.0.len() < before
    }

    /// Has those end that wait for another tree.
    fn end_at(&mut self, at: Duration) {
        self.0.values_mut().filter(|until| **until == NEVER).for_each(|until| *until = at);
    }

    fn forget(&mut self, blocks: &Range<u64>) {
        self.0.extract_if(blocks.start..blocks.end.max(blocks.start), |_, _| true).for_each(drop);
    }

    fn first_end(&self, now: Duration) -> Option<Duration> {
        self.0.values().copied().filter(|until| now < *until && *until < NEVER).min()
    }
}

impl PeerDownload {
    /// What of it its owner may see.
    pub(crate) fn statistics(&self) -> PeerStatistics {
        PeerStatistics {
            in_flight: self.in_flight,
            blocks_downloaded: self.blocks,
            bytes_downloaded: self.bytes,
            refused: self.refused,
            invalid_proofs: self.invalid_proofs,
            unsolicited: self.unsolicited,
            response_time: self.response_time,
            ..PeerStatistics::default()
        }
    }

    /// Those with more are asked later.
    pub(crate) fn penalty(&self) -> u32 {
        self.invalid_proofs.saturating_mul(64).saturating_add(self.refused_in_a_row)
    }

    /// A request to it was answered or taken back.
    pub(crate) fn finished(&mut self, name: Name, flight: &Flight) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.arrived = self.arrived.saturating_sub(usize::from(flight.has_arrived));
        if let Some(block) = flight.request.block {
            self.expected.remove(block.index, block.nodes, name);
        }
    }

    /// It answered what it was asked for at `sent_at`.
    ///
    /// # Source
    /// The smoothing is that of TCP: RFC 6298, alpha 1/8.
    pub(crate) fn answered(&mut self, sent_at: Duration, now: Duration) {
        let took = now.saturating_sub(sent_at);
        let before = self.response_time.unwrap_or(took);
        let smoothed = before.saturating_mul(7).saturating_add(took);
        self.response_time = Some(smoothed.checked_div(8).unwrap_or_default());
    }

    /// It delivered a block, or a fork: who only grows may have nothing to show for it.
    pub(crate) fn delivered(&mut self) {
        self.refused_in_a_row = 0;
        self.rests_until = None;
    }

    /// It has no answer to a request, for a block if it was one.
    pub(crate) fn refuse(&mut self, block: Option<u64>, now: Duration) {
        self.refused = self.refused.saturating_add(1);
        self.refused_in_a_row = self.refused_in_a_row.saturating_add(1);
        let factor = 1 << self.refused_in_a_row.min(6);
        let until = now.saturating_add(REFUSAL_DELAY.saturating_mul(factor));
        let is_kept = block.is_some_and(|block| self.refusals.add(block, until));
        if !is_kept || self.refused_in_a_row.is_multiple_of(REFUSED_REST) {
            self.rests_until = Some(until);
        }
    }

    /// Its proof of a block does not fit the own tree.
    pub(crate) fn cannot_prove(&mut self, block: u64, now: Duration) {
        self.refuse_until(block, now.saturating_add(REFUSAL_DELAY), now);
    }

    /// Its tree is too short to prove the block, although it holds it: only another tree, its or the own, changes that.
    pub(crate) fn is_too_short_for(&mut self, block: u64, now: Duration) {
        self.has_unprovable = true;
        self.refuse_until(block, NEVER, now);
    }

    fn refuse_until(&mut self, block: u64, until: Duration, now: Duration) {
        if !self.refusals.add(block, until) {
            self.rests_until = Some(now.saturating_add(REFUSAL_DELAY));
        }
    }

    /// Its tree, or the own, is another one: what it could not prove is looked at again at this time.
    pub(crate) fn tree_changed(&mut self, at: Duration) {
        if std::mem::take(&mut self.has_unprovable) {
            self.refusals.end_at(at);
        }
    }

    /// Whether it said lately that it does not have the block.
    pub(crate) fn has_refused(&self, block: u64, now: Duration) -> bool {
        self.refusals.cover(block, now)
    }

    /// When its rest is over, or else the first refusal.
    pub(crate) fn next_refusal_end(&self, now: Duration) -> Option<Duration> {
        // Of one that rests, refusals that are over stay here: they must not hide when it may be asked.
        let rest = self.rests_until.filter(|until| *until > now);
        rest.or_else(|| self.refusals.first_end(now))
    }

    /// It has more blocks than was known.
    pub(crate) fn gained(&mut self, blocks: Range<u64>) {
        // What it says now counts more than what it refused.
        self.refusals.forget(&blocks);
        self.looked = None;
        self.gained = Some(match self.gained.take() {
            Some(before) => before.start.min(blocks.start)..before.end.max(blocks.end),
            None => blocks,
        });
    }

    /// Has the cursors look through what the peer gained, and forgets what it refused long ago.
    pub(crate) fn look_again(&mut self, now: Duration) {
        if self.refusals.expire(now) {
            self.looked = None;
        }
        self.forget_runs();
        if let Some(gained) = self.gained.take() {
            for cursor in self.cursors.values_mut() {
                cursor.again(gained.clone());
            }
        }
    }

    /// What the cursors found out about the log or the peer may no longer be so.
    pub(crate) fn forget_runs(&mut self) {
        self.cursors.values_mut().for_each(Cursor::forget_run);
    }
}

/// So many refusals in a row let a peer rest.
const REFUSED_REST: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_rest_is_waited_for_although_refusals_ended_before() {
        let mut peer = PeerDownload::default();
        for block in 0..u64::from(REFUSED_REST) {
            peer.refuse(Some(block), Duration::ZERO);
        }
        let first = peer.refusals.first_end(Duration::ZERO).unwrap();
        assert!(peer.rests_until > Some(first));
        assert_eq!(peer.next_refusal_end(first), peer.rests_until);
    }
}
