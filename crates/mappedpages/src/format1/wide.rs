//! Commits when the index of the directory does not fit the first sector of page 0.
//!
//! No write of one sector can then choose copies of blocks and keep the checksum of the index right, so
//! the index stays as it is and a block changes by writing the copy that does not count, and after a
//! sync the one that does: a torn copy is told by its checksum, and the other one is whole. What makes
//! protected pages exist is the bitmap: an entry whose pages are both clear in it does not count. So
//! slots are taken in the directory before the metadata is flipped and freed in it afterwards, any
//! number in one commit; changed contents can count with one block only and with nothing else, and more
//! is refused while it is staged.
//!
//! Knows nothing of what the bytes of page 0 mean.

use std::collections::BTreeSet;

use super::bits::Bits;
use super::commit::{Phase, page_write};
use super::directory::{self, Entry, entries_of};
use super::page_zero::{self, BLOCKS_IN_SECTOR, store_superblock};
use super::staging::Step;
use super::{Block, FormatOne, Pending};
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::protected::parts_of;

const SPREAD: MappedPageError = MappedPageError::Unsupported {
    what: "commit that together with more than 28 blocks of protected pages, only before or after",
};

impl<const P: usize> FormatOne<P> {
    /// Whether the index, with so many more blocks, is longer than the first sector.
    pub(super) fn is_wide(&self, more_blocks: usize) -> bool {
        self.blocks.len().saturating_add(more_blocks) > BLOCKS_IN_SECTOR
    }

    /// Refuses to take or give back anything in one commit with changed contents, or to go on to a wide
    /// index with a slot that was freed and taken again.
    pub(super) fn refuse_mixing(&self, more_blocks: usize) -> Result<()> {
        if !self.is_wide(more_blocks) {
            return Ok(());
        }
        let mut changed = self.staged.keys().chain(self.accepted.keys());
        let retaken = |step: &Step| match step {
            Step::TookSlot(_, before) => before.pages != Entry::UNUSED.pages,
            _ => false,
        };
        let narrow = !self.is_wide(0);
        let taken_again = |slot: &u64| self.pending.slots_freed.contains(slot);
        if changed.any(|id| !self.is_new(*id))
            || narrow && self.steps.iter().any(retaken)
            || narrow && self.pending.slots_taken.iter().any(taken_again)
        {
            return Err(SPREAD);
        }
        Ok(())
    }

    /// Refuses to change a content in one commit with what it can not count with.
    pub(super) fn refuse_spreading(&self, id: u64) -> Result<()> {
        if !self.is_wide(0) || self.is_new(id) {
            return Ok(());
        }
        let block = Self::place_of(parts_of(id).0).map(|(block, _)| block);
        let mut changed = self.staged.keys().chain(self.accepted.keys());
        let elsewhere = |id: &u64| Self::place_of(parts_of(*id).0).map(|(block, _)| block) != block;
        let taking = self.pending.metadata || !self.pending.blocks.is_empty();
        if taking || !self.steps.is_empty() || changed.any(elsewhere) {
            return Err(SPREAD);
        }
        Ok(())
    }

    /// Whether the state that is on the medium may still need the entry of a slot that was freed.
    pub(super) fn slot_settles(&self, slot: u64) -> bool {
        self.is_wide(0)
            && (self.pending.slots_freed.contains(&slot)
                || self.steps.contains(&Step::ReleasedSlot(slot))
                || self.commit.as_ref().is_some_and(|commit| commit.slots_freed.contains(&slot)))
    }

    /// Whether the page was allocated since the last commit began.
    fn is_new(&self, id: u64) -> bool {
        let (slot, _) = parts_of(id);
        let took = |step: &Step| matches!(step, Step::TookSlot(taken, _) if *taken == slot);
        self.pending.slots_taken.contains(&slot) || self.steps.iter().any(took)
    }

    /// The phases of a commit that changes blocks.
    pub(super) fn plan_wide(&mut self, pending: &Pending, contents: Phase) -> Result<Vec<Phase>> {
        if !pending.metadata {
            // One block, as was seen to while it was staged.
            let mut phases = vec![contents];
            self.write_both_copies(&pending.blocks, &[], &mut phases);
            return Ok(phases);
        }
        // Blocks come first, empty: entries are judged by the bitmap only in a file that has so many.
        let mut phases = self.add_blocks()?;
        let mut first = contents;
        let (metadata, superblock) = self.write_metadata();
        first.push(metadata);
        phases.push(first);
        let taken = blocks_of::<P>(&pending.slots_taken);
        self.write_both_copies(&taken, &pending.slots_freed, &mut phases);
        let mut page_zero = self.page_zero.clone();
        store_superblock(&mut page_zero, superblock);
        phases.push(self.replace_page_zero(page_zero));
        let freed = blocks_of::<P>(&pending.slots_freed);
        if !freed.is_empty() {
            phases.push(Phase::new());
            self.write_both_copies(&freed, &[], &mut phases);
        }
        Ok(phases)
    }

    /// Writes the copies of blocks that do not count in the last of `phases`, the others in one more.
    /// The slots `still` are written as if they were in use.
    fn write_both_copies(&self, blocks: &[usize], still: &[u64], phases: &mut Vec<Phase>) {
        let mut first = phases.pop().unwrap_or_default();
        let mut second = Phase::new();
        for number in blocks {
            let Some(block) = self.blocks.get(*number) else { continue };
            let mut entries = block.entries.clone();
            for slot in still {
                if let Some((of, entry)) = Self::place_of(*slot)
                    && of == *number
                    && let Some(entry) = entries.get_mut(entry)
                {
                    entry.in_use = true;
                }
            }
            let image = directory::encode(&entries, P);
            let copies = block.reference;
            first.push(page_write::<P>(copies.active.other().of(copies.pages), image.clone()));
            second.push(page_write::<P>(copies.active.of(copies.pages), image));
        }
        phases.extend([first, second]);
    }

    /// Writes new blocks, without entries, and puts them behind those that the index has, one sector after
    /// another, so that an open that finds the checksum wrong can tell what is there too much.
    fn add_blocks(&mut self) -> Result<Vec<Phase>> {
        let indexed = self.blocks.iter().filter(|block| block.indexed).count();
        let empty = directory::encode(&vec![Entry::UNUSED; entries_of(P)], P);
        let mut images = Phase::new();
        let mut phases = Vec::new();
        for number in indexed..self.blocks.len() {
            let Some(block) = self.blocks.get_mut(number) else { continue };
            block.indexed = true;
            let reference = block.reference;
            images.extend(reference.pages.map(|page| page_write::<P>(page, empty.clone())));
            let steps = page_zero::steps_to_add(&self.page_zero, number, reference)
                .ok_or(MappedPageError::DirectoryFull)?;
            phases.extend(steps.map(|step| self.replace_page_zero(step)));
        }
        phases.insert(0, images);
        Ok(phases)
    }
}

/// Whether an open takes [`drop_unfinished`] out of a directory of so many blocks. Metadata that are older than
/// those that page 0 names say nothing of what is unfinished.
pub(super) const fn drops_unfinished(blocks: usize, fell_back: bool) -> bool {
    blocks > BLOCKS_IN_SECTOR && !fell_back
}

/// Takes out the entries that a commit which did not get as far as its metadata put into the directory, or
/// that one which got no further left there. Returns what does so on the medium.
pub(super) fn drop_unfinished<const P: usize>(blocks: &mut [Block], used: &Bits) -> Vec<Phase> {
    let (mut first, mut second) = (Phase::new(), Phase::new());
    for block in blocks {
        let mut dropped = false;
        for entry in &mut block.entries {
            if entry.in_use && !entry.pages.iter().any(|page| used.get(*page)) {
                entry.in_use = false;
                dropped = true;
            }
        }
        if dropped {
            let image = directory::encode(&block.entries, P);
            let copies = block.reference;
            first.push(page_write::<P>(copies.active.other().of(copies.pages), image.clone()));
            second.push(page_write::<P>(copies.active.of(copies.pages), image));
        }
    }
    vec![first, second]
}

fn blocks_of<const P: usize>(slots: &[u64]) -> Vec<usize> {
    let blocks = slots.iter().filter_map(|slot| FormatOne::<P>::place_of(*slot));
    blocks.map(|(block, _)| block).collect::<BTreeSet<_>>().into_iter().collect()
}
