//! Taking and giving back pages and slots in memory, and undoing it.

use super::directory::{Copy2, Entry, entries_of};
use super::metadata::pages_max;
use super::page_zero::{Reference, blocks_max};
use super::{Block, FormatOne};
use crate::engine::{Content, Result};
use crate::error::MappedPageError;
use crate::pages::Pages;
use crate::protected::id_of;

/// A change in memory that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A page was handed out.
    Took(u64),
    /// A page was given back.
    Released(u64),
    /// A page became the engine's own.
    MadeInternal(u64),
    /// A page is the engine's own no more.
    MadeRegular(u64),
    /// A slot was taken, whose entry was this.
    TookSlot(u64, Entry),
    /// A slot was freed.
    ReleasedSlot(u64),
    /// A block was put behind the others.
    AddedBlock,
}

impl<const P: usize> FormatOne<P> {
    /// Runs `change`, and undoes what it did when it fails.
    pub(super) fn all_or_nothing<T>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let mark = self.steps.len();
        let done = change(self);
        if done.is_err() {
            self.undo_to(mark);
        }
        done
    }

    /// Sees to it that `count` pages can be handed out, by doubling the file as often as it takes.
    pub(super) fn reserve(&mut self, pages: &mut Pages<P>, count: u64) -> Result<()> {
        let missing = count.saturating_sub(self.available);
        if missing == 0 {
            return Ok(());
        }
        let before = self.used.len();
        let mut total = before;
        while total.saturating_sub(before) < missing {
            total = total.checked_mul(2).ok_or(MappedPageError::Full)?;
            if total > pages_max(P) {
                return Err(MappedPageError::Full);
            }
        }
        pages.grow(total)?;
        self.used.grow(total);
        self.taken.grow(total);
        self.internal.grow(total);
        self.available = self.available.saturating_add(total.saturating_sub(before));
        Ok(())
    }

    /// Hands out the lowest page that nobody has.
    pub(super) fn take(&mut self, pages: &mut Pages<P>, content: Content) -> Result<u64> {
        let page = self.taken.first_clear(self.lowest_available).ok_or(MappedPageError::Full)?;
        if content == Content::Zeroed && page < self.zeros_from {
            pages.zero(page, 1)?;
        }
        self.zeros_from = self.zeros_from.max(page.saturating_add(1));
        self.set_taken(page, true);
        self.lowest_available = page.saturating_add(1);
        self.used.set(page, true);
        self.steps.push(Step::Took(page));
        Ok(page)
    }

    /// Gives back a regular page, which stays out of use until the commit is durable.
    pub(super) fn release(&mut self, page: u64) {
        self.used.set(page, false);
        self.steps.push(Step::Released(page));
    }

    /// Takes the lowest free slot, with two pages, the first of them zeros.
    pub(super) fn take_slot(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        let free = self.free_slot();
        let new_block = usize::from(free.is_none());
        if new_block == 1 && self.blocks.len() >= blocks_max(P) {
            return Err(MappedPageError::DirectoryFull);
        }
        self.refuse_mixing(new_block)?;
        self.reserve(pages, if new_block == 1 { 4 } else { 2 })?;
        let slot = match free {
            Some(slot) => slot,
            None => self.add_block(pages)?,
        };
        let first = self.take_internal(pages, Content::Zeroed)?;
        let second = self.take_internal(pages, Content::Uninit)?;
        let checksum = self.checksum_of_zeros;
        let entry = self.entry_mut(slot).ok_or(MappedPageError::DirectoryFull)?;
        let before = *entry;
        let reuse = before.next_reuse().ok_or(MappedPageError::DirectoryFull)?;
        *entry = Entry::taken([first, second], reuse, checksum);
        self.steps.push(Step::TookSlot(slot, before));
        self.lowest_slot = slot.saturating_add(1);
        Ok(id_of(slot, reuse))
    }

    /// Frees the slot of a protected page, and its pages.
    pub(super) fn release_slot(&mut self, id: u64) -> Result<()> {
        self.refuse_mixing(0)?;
        let pages = self.live_entry(id, MappedPageError::DoubleFree)?.pages;
        let (slot, _) = crate::protected::parts_of(id);
        if let Some(entry) = self.entry_mut(slot) {
            entry.in_use = false;
        }
        self.lowest_slot = self.lowest_slot.min(slot);
        self.steps.push(Step::ReleasedSlot(slot));
        for page in pages {
            self.internal.set(page, false);
            self.steps.push(Step::MadeRegular(page));
            self.release(page);
        }
        Ok(())
    }

    /// Undoes the steps after the first `mark`, latest first.
    pub(super) fn undo_to(&mut self, mark: usize) {
        while self.steps.len() > mark {
            let Some(step) = self.steps.pop() else { return };
            match step {
                Step::Took(page) => {
                    self.used.set(page, false);
                    self.set_taken(page, false);
                }
                Step::Released(page) => self.used.set(page, true),
                Step::MadeInternal(page) => self.internal.set(page, false),
                Step::MadeRegular(page) => self.internal.set(page, true),
                Step::TookSlot(slot, before) => {
                    self.lowest_slot = self.lowest_slot.min(slot);
                    if let Some(entry) = self.entry_mut(slot) {
                        *entry = before;
                    }
                }
                Step::ReleasedSlot(slot) => {
                    if let Some(entry) = self.entry_mut(slot) {
                        entry.in_use = true;
                    }
                }
                Step::AddedBlock => {
                    self.blocks.pop();
                }
            }
        }
    }

    /// Makes the steps part of the next commit.
    pub(super) fn accept_steps(&mut self) {
        for step in std::mem::take(&mut self.steps) {
            let slot = match step {
                Step::Took(_) => {
                    self.pending.metadata = true;
                    continue;
                }
                Step::Released(page) => {
                    self.pending.metadata = true;
                    self.pending.pages_freed.push(page);
                    continue;
                }
                Step::MadeInternal(_) | Step::MadeRegular(_) | Step::AddedBlock => continue,
                Step::TookSlot(slot, _) => {
                    self.pending.slots_taken.push(slot);
                    slot
                }
                Step::ReleasedSlot(slot) => {
                    self.pending.slots_freed.push(slot);
                    slot
                }
            };
            self.pending.blocks.extend(Self::place_of(slot).map(|(block, _)| block));
        }
        self.accepted.append(&mut self.staged);
    }

    /// Lets pages be handed out again that a durable commit freed.
    pub(super) fn give_back(&mut self, pages: Vec<u64>) {
        for page in pages {
            self.set_taken(page, false);
        }
    }

    fn set_taken(&mut self, page: u64, taken: bool) {
        self.taken.set(page, taken);
        self.available = if taken {
            self.available.saturating_sub(1)
        } else {
            self.lowest_available = self.lowest_available.min(page);
            self.available.saturating_add(1)
        };
    }

    fn take_internal(&mut self, pages: &mut Pages<P>, content: Content) -> Result<u64> {
        let page = self.take(pages, content)?;
        self.internal.set(page, true);
        self.steps.push(Step::MadeInternal(page));
        Ok(page)
    }

    /// The lowest slot that can be taken.
    fn free_slot(&self) -> Option<u64> {
        let slots = (self.blocks.len() as u64).saturating_mul(Self::ENTRIES);
        (self.lowest_slot..slots).find(|slot| {
            let free = |entry: &Entry| !entry.in_use && entry.next_reuse().is_some();
            self.entry(*slot).is_some_and(free) && !self.slot_settles(*slot)
        })
    }

    /// Puts an empty block behind the others; returns its first slot.
    fn add_block(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        let first = self.take_internal(pages, Content::Uninit)?;
        let second = self.take_internal(pages, Content::Uninit)?;
        let slot = (self.blocks.len() as u64).saturating_mul(Self::ENTRIES);
        self.blocks.push(Block {
            reference: Reference { pages: [first, second], active: Copy2::A },
            entries: vec![Entry::UNUSED; entries_of(P)],
            indexed: false,
        });
        self.steps.push(Step::AddedBlock);
        Ok(slot)
    }
}
