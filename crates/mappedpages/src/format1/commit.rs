//! What a commit writes, in phases with a sync after each.
//!
//! Everything is decided and its bytes are fixed when the commit begins; what is staged later belongs to
//! the next one. No phase writes to what the state before the commit needs, except the one that makes
//! the commit count.

use std::collections::VecDeque;

use super::directory::{self, Copy2};
use super::metadata::{Metadata, checksum_of};
use super::page_zero::{Reference, SECTOR_LEN, Superblock, stamp, store_index, store_superblock};
use super::{FormatOne, Pending};
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::pages::Pages;
use crate::protected::parts_of;

/// Bytes, and where in the file they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    offset: u64,
    bytes: Vec<u8>,
}

/// Writes that may arrive in any order, and do not have to all arrive.
pub(super) type Phase = Vec<Write>;

/// A commit under way.
#[derive(Debug)]
pub(super) struct Commit {
    phases: VecDeque<Phase>,
    /// Pages that nobody has once it is durable.
    pub(super) pages_freed: Vec<u64>,
    /// Slots that it frees.
    pub(super) slots_freed: Vec<u64>,
}

impl Commit {
    /// Writes the next phase; false when there is none left.
    pub(super) fn write_phase<const P: usize>(&mut self, pages: &mut Pages<P>) -> Result<bool> {
        let Some(phase) = self.phases.pop_front() else { return Ok(false) };
        for write in phase {
            pages.write_bytes(write.offset, &write.bytes)?;
        }
        Ok(true)
    }
}

/// A write of a whole page.
pub(super) fn page_write<const P: usize>(page: u64, bytes: Vec<u8>) -> Write {
    Write { offset: page.saturating_mul(P as u64), bytes }
}

/// The writes that make `old`, the start of the file, into `new`: one for each sector that differs.
pub(super) fn difference(old: &[u8], new: &[u8]) -> Phase {
    let mut writes = Phase::new();
    let sectors = old.chunks(SECTOR_LEN).zip(new.chunks(SECTOR_LEN));
    for (sector, (old, new)) in sectors.enumerate() {
        let differs = |(old, new): (&u8, &u8)| old != new;
        let Some(first) = old.iter().zip(new).position(differs) else { continue };
        let last = old.iter().zip(new).rposition(differs).unwrap_or(first);
        let offset = sector.saturating_mul(SECTOR_LEN).saturating_add(first) as u64;
        let bytes = new.get(first..=last).unwrap_or_default().to_vec();
        writes.push(Write { offset, bytes });
    }
    writes
}

/// The page that holds a copy of the metadata.
pub(super) fn metadata_page(copy: Copy2) -> u64 {
    copy.of([1, 2])
}

impl<const P: usize> FormatOne<P> {
    /// Fixes what a commit of all that was accepted writes. `None` when that is nothing.
    pub(super) fn plan(&mut self) -> Result<Option<Commit>> {
        let mut pending = std::mem::take(&mut self.pending);
        let mut contents = self.place_contents(&mut pending);
        if !pending.metadata && pending.blocks.is_empty() {
            return Ok(None);
        }
        pending.blocks.sort_unstable();
        pending.blocks.dedup();

        let mut phases = VecDeque::from(std::mem::take(&mut self.heal));
        if self.is_wide(0) && !pending.blocks.is_empty() {
            phases.extend(self.plan_wide(&pending, contents)?);
        } else {
            for block in &pending.blocks {
                contents.append(&mut self.write_block(*block));
            }
            let mut page_zero = self.page_zero.clone();
            if pending.metadata {
                let (metadata, superblock) = self.write_metadata();
                contents.push(metadata);
                store_superblock(&mut page_zero, superblock);
            }
            if !pending.blocks.is_empty() {
                store_index(&mut page_zero, &self.references())
                    .ok_or(MappedPageError::DirectoryFull)?;
            }
            // The flip waits for a sync, whatever the caller chose: a copy that did not arrive at all is an
            // older one whose checksums are right.
            let flip = self.replace_page_zero(page_zero);
            phases.extend([contents, flip]);
        }
        phases.retain(|phase| !phase.is_empty());
        let Pending { pages_freed, slots_freed, .. } = pending;
        Ok(Some(Commit { phases, pages_freed, slots_freed }))
    }

    /// Brings the accepted contents of protected pages to the copies that do not count.
    fn place_contents(&mut self, pending: &mut Pending) -> Phase {
        let mut writes = Phase::new();
        for (id, content) in std::mem::take(&mut self.accepted) {
            // Freed since.
            if self.live_entry(id, MappedPageError::Stale).is_err() {
                continue;
            }
            let (slot, _) = parts_of(id);
            let Some(entry) = self.entry_mut(slot) else { continue };
            *entry = entry.written(crc32fast::hash(&content));
            writes.push(page_write::<P>(entry.page(), content.into_vec()));
            pending.blocks.extend(Self::place_of(slot).map(|(block, _)| block));
        }
        writes
    }

    /// Writes a block to the copy that does not count, which then does.
    fn write_block(&mut self, block: usize) -> Phase {
        let Some(block) = self.blocks.get_mut(block) else { return Phase::new() };
        let image = directory::encode(&block.entries, P);
        let [a, b] = block.reference.pages;
        if block.indexed {
            block.reference.active = block.reference.active.other();
            return vec![page_write::<P>(block.reference.active.of([a, b]), image)];
        }
        block.indexed = true;
        vec![page_write::<P>(a, image.clone()), page_write::<P>(b, image)]
    }

    /// Writes the metadata to the copy that does not count, which the superblock then names.
    pub(super) fn write_metadata(&mut self) -> (Write, Superblock) {
        self.generation = self.generation.wrapping_add(1);
        self.active = self.active.other();
        let metadata = Metadata { generation: self.generation, used: self.used.clone() };
        let image = metadata.encode(P);
        let superblock = Superblock { active: self.active, checksum: checksum_of(&image) };
        (page_write::<P>(metadata_page(self.active), image), superblock)
    }

    /// Makes `page_zero` the page 0 that is on the medium after the phase that is returned.
    pub(super) fn replace_page_zero(&mut self, mut page_zero: Vec<u8>) -> Phase {
        stamp(&mut page_zero);
        let writes = difference(&self.page_zero, &page_zero);
        self.page_zero = page_zero;
        writes
    }

    fn references(&self) -> Vec<Reference> {
        self.blocks.iter().map(|block| block.reference).collect()
    }
}
