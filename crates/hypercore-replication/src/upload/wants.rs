//! What a peer wants to know about, and the answers to that.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use hypercore_log::Log;

use super::{Outlet, UploadContext};
use crate::message::{Bitfield, Message, RangeMessage, Want};

/// Stretches one peer may want to know about. With more it is told everything.
///
/// # Source
/// wire.md section 7.4.
pub(super) const WANTS_PER_PEER_MAX: usize = 512;

/// Different lengths of these stretches.
const WANT_LENGTHS_MAX: usize = 4;

/// Stretches of which a peer may want to know one block.
const ANY_WANTS_MAX: usize = 16;

/// A longer want is not answered.
const WANT_BLOCKS_MAX: u64 = 1 << 21;
const WANT_BLOCKS_MIN: u64 = 32;

/// Wants that may wait for their answer. What a peer wants beyond that, before it reads any answer, is not answered.
pub(super) const WANTS_WAITING_MAX: usize = WANTS_PER_PEER_MAX + ANY_WANTS_MAX;

/// Wants that there is room for when none waits.
const WAITING_KEPT: usize = 4;

/// Blocks that one bitfield speaks about at most.
pub(super) const BITFIELD_BLOCKS_MAX: u64 = 1 << 15;

/// Looks into the own log for the wants of one peer in one run: those for one large region. A want is a few bytes, and
/// other peers wait meanwhile.
const LOOKS_MAX: u64 = WANT_BLOCKS_MAX / BITFIELD_BLOCKS_MAX;

/// The wants of one peer.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// Everything is announced.
    all: bool,
    /// Aligned stretches: length and start.
    regions: BTreeSet<(u64, u64)>,
    lengths: Vec<u64>,
    any: Vec<Range<u64>>,
    waiting: VecDeque<Waiting>,
}

/// A want without its whole answer.
#[derive(Debug)]
struct Waiting {
    range: Range<u64>,
    any: bool,
    /// Whether a part of the answer was given.
    begun: bool,
}

impl Wants {
    pub(super) fn add(&mut self, want: &Want) {
        let range = want.start..want.start.saturating_add(want.length);
        if want.any {
            if self.any.len() < ANY_WANTS_MAX {
                self.any.push(range.clone());
            } else {
                self.all = true;
            }
        } else if want.length > WANT_BLOCKS_MAX {
            return;
        } else if is_region(want) {
            self.add_region(want);
        } else {
            self.all = true;
        }
        let is_known = |waiting: &Waiting| waiting.range == range && waiting.any == want.any;
        if self.waiting.len() < WANTS_WAITING_MAX && !self.waiting.iter().any(is_known) {
            self.waiting.push_back(Waiting { range, any: want.any, begun: false });
        }
    }

    fn add_region(&mut self, want: &Want) {
        if !self.lengths.contains(&want.length) {
            if self.lengths.len() >= WANT_LENGTHS_MAX {
                self.all = true;
                return;
            }
            self.lengths.push(want.length);
        }
        let region = (want.length, want.start);
        if self.regions.len() < WANTS_PER_PEER_MAX || self.regions.contains(&region) {
            self.regions.insert(region);
        } else {
            self.all = true;
        }
    }

    pub(super) fn remove(&mut self, want: &Want) {
        let range = want.start..want.start.saturating_add(want.length);
        if want.any {
            if let Some(place) = self.any.iter().position(|other| *other == range) {
                self.any.swap_remove(place);
            }
        } else if self.regions.remove(&(want.length, want.start))
            && self.regions.range((want.length, 0)..=(want.length, u64::MAX)).next().is_none()
        {
            self.lengths.retain(|length| *length != want.length);
        }
        self.waiting.retain(|waiting| waiting.range != range || waiting.any != want.any);
    }

    /// Whether the peer wants to know about a block of this range.
    pub(super) fn has(&self, range: &Range<u64>) -> bool {
        let overlaps = |other: &Range<u64>| other.start < range.end && range.start < other.end;
        self.all
            || self.any.iter().any(overlaps)
            || self.lengths.iter().any(|length| {
                // Lengths are powers of two.
                let first = range.start & length.wrapping_neg();
                self.regions.range((*length, first)..(*length, range.end)).next().is_some()
            })
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Leaves what waits without an answer: the peer is not served.
    pub(super) fn stop(&mut self) {
        self.waiting.clear();
    }

    /// Answers what waits, as much as there is room for.
    ///
    /// # Source
    /// wire.md section 7.4.
    pub(super) fn answer(&mut self, context: &UploadContext<'_>, out: &mut Outlet<'_>) {
        let (length, contiguous) = (context.view.length, context.view.contiguous);
        let mut said_contiguous = false;
        let mut looks = LOOKS_MAX;
        while out.has_room()
            && looks > 0
            && let Some(want) = self.waiting.front_mut()
        {
            let range = want.range.start..want.range.end.min(length);
            let is_contiguous = contiguous == length
                || want.range.end < contiguous
                || (want.any && range.start < contiguous);
            if is_contiguous || range.is_empty() {
                // An empty core says so with a length of 0.
                if !said_contiguous && !want.begun {
                    said_contiguous = true;
                    out.send(held(0..contiguous));
                }
                self.waiting.pop_front();
                continue;
            }
            looks = looks.saturating_sub(1);
            if want.any {
                if let Some(first) = context.log.stored_ranges(range, 1).first() {
                    out.send(held(first.clone()));
                }
                self.waiting.pop_front();
            } else {
                let start = range.start.saturating_sub(range.start % 32);
                let end = range.end.min(start.saturating_add(BITFIELD_BLOCKS_MAX));
                let rest = range.end > end;
                let bits = bitfield(context.log, start..end);
                if bits.is_some() || !(want.begun || rest) {
                    // Whoever asked waits for an answer, also when it is no.
                    out.send(Message::Bitfield(bits.unwrap_or_else(|| Bitfield::new(start, &[0]))));
                    want.begun = true;
                }
                want.range.start = end;
                if !rest {
                    self.waiting.pop_front();
                }
            }
        }
        if self.waiting.is_empty() {
            self.waiting.shrink_to(WAITING_KEPT);
        }
    }
}

pub(super) const fn held(range: Range<u64>) -> Message {
    let length = range.end.saturating_sub(range.start);
    Message::Range(RangeMessage { drop: false, start: range.start, length })
}

/// What is stored of a range that starts at a multiple of 32 and has [`BITFIELD_BLOCKS_MAX`] blocks or fewer, without
/// the empty words at both ends; `None` when nothing is.
pub(super) fn bitfield(log: &Log, range: Range<u64>) -> Option<Bitfield> {
    let count = range.end.saturating_sub(range.start).div_ceil(32);
    let mut words = vec![0_u32; usize::try_from(count).ok()?];
    for stored in log.stored_ranges(range.clone(), usize::MAX) {
        let start = stored.start.saturating_sub(range.start);
        let end = stored.end.saturating_sub(range.start);
        let from = usize::try_from(start / 32).ok()?;
        let touched = words.iter_mut().enumerate().skip(from);
        for (place, word) in touched.take_while(|(place, _)| (*place as u64) < end.div_ceil(32)) {
            let first = (place as u64).saturating_mul(32);
            *word |= below(end, first) & !below(start, first);
        }
    }
    let first = words.iter().position(|word| *word != 0)?;
    let last = words.iter().rposition(|word| *word != 0)?;
    let start = range.start.saturating_add((first as u64).saturating_mul(32));
    Some(Bitfield::new(start, words.get(first..=last)?))
}

/// The bits, of the word whose first is `first`, that stand for numbers below `end`.
const fn below(end: u64, first: u64) -> u32 {
    match end.saturating_sub(first) {
        count @ 0..32 => !(u32::MAX << count),
        _ => u32::MAX,
    }
}

const fn is_region(want: &Want) -> bool {
    want.length >= WANT_BLOCKS_MIN
        && want.length.is_power_of_two()
        && want.start.is_multiple_of(want.length)
}
