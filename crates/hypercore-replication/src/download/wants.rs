//! Which stretches a peer was asked about: what it holds there, and to be told of what it gets.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use crate::limits::{WANTS_MAX, WANTS_UNANSWERED_MAX};
use crate::message::{Message, Want};
use crate::options::{WantRegion, WishId};

/// The stretches that one peer was asked about: all of one size, aligned.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    /// By their first block; whether the peer has answered.
    regions: BTreeMap<u64, bool>,
    /// The first blocks in the order they were asked about.
    order: VecDeque<u64>,
    unanswered: usize,
    /// How far each range was looked through for stretches to ask about.
    pub(crate) looked: BTreeMap<WishId, u64>,
}

impl Wants {
    /// Whether an answer of the peer is still to come.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.unanswered > 0
    }

    /// Whether the peer may be asked about another stretch.
    pub(crate) const fn has_room(&self) -> bool {
        self.unanswered < WANTS_UNANSWERED_MAX
    }

    /// Whether the peer was asked about the stretch that begins there.
    pub(crate) fn contains(&self, start: u64) -> bool {
        self.regions.contains_key(&start)
    }

    /// Asks about the stretch with this block in it; the oldest makes room.
    ///
    /// # Source
    /// wire.md section 7.4.
    pub(crate) fn ask_about(
        &mut self,
        block: u64,
        region: WantRegion,
        output: &mut VecDeque<Message>,
    ) {
        let (start, length) = (region.start_of(block), region.blocks());
        if self.contains(start) {
            return;
        }
        if self.order.len() >= WANTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            if self.regions.remove(&oldest) == Some(false) {
                self.unanswered = self.unanswered.saturating_sub(1);
            }
            output.push_back(Message::Unwant(Want { start: oldest, length, any: false }));
        }
        self.regions.insert(start, false);
        self.order.push_back(start);
        self.unanswered = self.unanswered.saturating_add(1);
        output.push_back(Message::Want(Want { start, length, any: false }));
    }

    /// What the peer said of these blocks counts no longer, or was too much to keep: it may be asked again.
    pub(crate) fn forget(&mut self, blocks: &Range<u64>, length: u64) {
        let first = blocks.start.saturating_sub(length.saturating_sub(1));
        let forgotten: Vec<u64> =
            self.regions.range(first..blocks.end.max(first)).map(|(start, _)| *start).collect();
        for start in forgotten {
            if self.regions.remove(&start) == Some(false) {
                self.unanswered = self.unanswered.saturating_sub(1);
            }
            self.order.retain(|other| *other != start);
            for looked in self.looked.values_mut() {
                *looked = (*looked).min(start);
            }
        }
    }

    /// The peer has said what it holds of these blocks.
    pub(crate) fn answered(&mut self, blocks: Range<u64>, length: u64) {
        let first = blocks.start.saturating_sub(length.saturating_sub(1));
        let end = blocks.end.max(blocks.start.saturating_add(1));
        for (start, is_answered) in self.regions.range_mut(first..end) {
            let touches = blocks.start < start.saturating_add(length);
            if touches && !*is_answered {
                *is_answered = true;
                self.unanswered = self.unanswered.saturating_sub(1);
            }
        }
    }
}
