//! Requests that wait for their answer.
//!
//! Every request that goes in is answered once, unless it is taken back or replaced.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hypercore_merkle::Request;

use super::Outlet;
use crate::fault::PeerFault;
use crate::limits::REQUESTS_PER_PEER_MAX;
use crate::message::{Message, NoData, NoDataReason};

/// Requests that no tree can answer, from one peer, before its channel is closed.
///
/// # Source
/// wire.md section 7.6.
pub(super) const INVALID_REQUESTS_MAX: u32 = 64;

/// Requests that there is room for when none waits.
const KEPT: usize = 16;

/// The requests of one peer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// In order.
    ordinary: VecDeque<Request>,
    /// Those with a priority; the newest, which is last, goes first.
    urgent: Vec<Request>,
    /// Ids that are refused at some time, in the order of these times.
    refused: VecDeque<(Duration, u64)>,
    ids: Ids,
    invalid: u32,
}

impl Queue {
    /// Takes a request, in the place of the one with the same id if there is one.
    pub(super) fn push(&mut self, request: Request) -> Result<(), PeerFault> {
        self.remove(request.id);
        if self.len() >= REQUESTS_PER_PEER_MAX {
            return Err(PeerFault::TooManyRequests);
        }
        self.ids.insert(request.id);
        if request.priority > 0 {
            self.urgent.push(request);
        } else {
            self.ordinary.push_back(request);
        }
        Ok(())
    }

    /// Forgets a request.
    pub(super) fn remove(&mut self, id: u64) {
        if self.ids.remove(id) {
            self.ordinary.retain(|request| request.id != id);
            self.urgent.retain(|request| request.id != id);
            self.refused.retain(|(_, refused)| *refused != id);
        }
    }

    pub(super) fn len(&self) -> usize {
        let waiting = self.ordinary.len().saturating_add(self.urgent.len());
        waiting.saturating_add(self.refused.len())
    }

    /// Whether a request could be answered now.
    pub(super) fn is_waiting(&self) -> bool {
        !(self.ordinary.is_empty() && self.urgent.is_empty())
    }

    /// The requests to answer next.
    pub(super) fn next(&self) -> impl Iterator<Item = &Request> {
        self.urgent.iter().rev().chain(&self.ordinary)
    }

    /// Removes the first of [`next`](Self::next), which has been answered.
    pub(super) fn pop(&mut self) -> Option<Request> {
        let request = self.urgent.pop().or_else(|| self.ordinary.pop_front())?;
        self.ids.remove(request.id);
        Some(request)
    }

    /// Gives memory back that nothing waits in.
    pub(super) fn rest(&mut self) {
        if self.len() == 0 {
            self.ordinary.shrink_to(KEPT);
            self.urgent.shrink_to(KEPT);
            self.refused.shrink_to(KEPT);
        }
    }

    /// Counts a request, just popped, that no tree can answer, and refuses it later.
    pub(super) fn refuse(&mut self, id: u64, now: Duration) -> Result<(), PeerFault> {
        self.invalid = self.invalid.saturating_add(1);
        if self.invalid >= INVALID_REQUESTS_MAX {
            return Err(PeerFault::InvalidRequests);
        }
        self.ids.insert(id);
        self.refused.push_back((now.saturating_add(back_off(self.invalid)), id));
        Ok(())
    }

    /// When the next refusal goes out.
    pub(super) fn due(&self) -> Option<Duration> {
        self.refused.front().map(|(due, _)| *due)
    }

    /// Sends the refusals whose time has come.
    pub(super) fn refuse_due(&mut self, now: Duration, out: &mut Outlet<'_>) {
        while out.has_room()
            && let Some((due, request_id)) = self.refused.front().copied()
            && due <= now
        {
            self.refused.pop_front();
            self.ids.remove(request_id);
            let reason = Some(NoDataReason::Invalid);
            out.send(Message::NoData(NoData { request_id, reason }));
        }
    }
}

/// How long the n-th refusal waits.
///
/// # Source
/// wire.md section 7.6.
const fn back_off(invalid: u32) -> Duration {
    match invalid {
        0 | 1 => Duration::from_millis(200),
        2..5 => Duration::from_millis(500),
        5..40 => Duration::from_secs(1),
        _ => Duration::from_secs(5),
    }
}

/// A set of ids: those of an honest peer are small and cost nothing.
#[derive(Debug, Default)]
struct Ids {
    small: [u64; 16],
    large: BTreeSet<u64>,
}

impl Ids {
    fn small(&mut self, id: u64) -> Option<(&mut u64, u64)> {
        let word = self.small.get_mut(usize::try_from(id / 64).ok()?)?;
        Some((word, 1 << (id % 64)))
    }

    fn insert(&mut self, id: u64) {
        if let Some((word, bit)) = self.small(id) {
            *word |= bit;
        } else {
            self.large.insert(id);
        }
    }

    /// Whether it was there.
    fn remove(&mut self, id: u64) -> bool {
        let Some((word, bit)) = self.small(id) else { return self.large.remove(&id) };
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }
}
