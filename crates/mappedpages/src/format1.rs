//! Format 1: the layout of mappedpages 0.1 and 0.2, read, written, and safe against torn writes.
//!
//! Two copies of the metadata (the bitmap of pages in use) and of each directory block (the entries of
//! protected pages), one page 0 that names those that count. A commit writes the copies that do not
//! count, syncs, and then changes bytes of the first 512 bytes of page 0 only: it counts wholly or not
//! at all, whatever it holds. With more blocks than that sector has room for see `wide`.
//!
//! Invariants: `taken` holds every page that the current, the committed or an unfinished state uses, and
//! only pages outside it are handed out or written over; `used` is what the next commit stores; what
//! the file said about pages was checked by `open`. Knows nothing of handles, locks and syncs.

mod bits;
mod check;
mod commit;
mod directory;
mod field;
mod metadata;
mod open;
mod page_zero;
mod staging;
mod view;
mod wide;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use check::check;

use crate::canary::{Bug, planted};
use crate::engine::{Barrier, Content, Engine, Kind, Progress, Result};
use crate::error::MappedPageError;
use crate::format2::take_over::GivenSlot;
use crate::pages::Pages;
use crate::protected::{id_of, parts_of};
use bits::Bits;
use commit::{Commit, Phase};
use directory::{Copy2, Entry, entries_of};
use metadata::RESERVED_PAGES;
use page_zero::{Reference, Superblock, TAG};
use staging::Step;

/// A file in format 1.
#[derive(Debug)]
pub(crate) struct FormatOne<const P: usize> {
    /// Page 0 as it is on the medium, or will be when the commit under way is through.
    page_zero: Vec<u8>,
    /// The copy of the metadata that counts, and its generation.
    active: Copy2,
    generation: u64,
    /// Pages in use, staged changes included.
    used: Bits,
    /// Those, and the ones that a state that may come back after a crash uses.
    taken: Bits,
    /// Reserved pages, directory pages and the copies of protected pages.
    internal: Bits,
    /// How many pages are not in `taken`, and below which there are none.
    available: u64,
    lowest_available: u64,
    /// Pages from here on are zeros on the medium.
    zeros_from: u64,
    blocks: Vec<Block>,
    /// Below it no slot of the directory is free.
    lowest_slot: u64,
    /// The checksum of a page of zeros.
    checksum_of_zeros: u32,
    /// What undoes the changes since the last `accept`, oldest first.
    steps: Vec<Step>,
    /// New contents of protected pages by id, since the last `accept` and since the last commit.
    staged: BTreeMap<u64, Box<[u8]>>,
    accepted: BTreeMap<u64, Box<[u8]>>,
    pending: Pending,
    /// What makes the file agree with what `open` took from it; the first phases of the next commit.
    heal: Vec<Phase>,
    commit: Option<Commit>,
}

/// A block of the directory.
#[derive(Debug)]
struct Block {
    reference: Reference,
    entries: Vec<Entry>,
    /// Whether the index in page 0 names it.
    indexed: bool,
}

/// What the next commit has to store.
#[derive(Debug, Default)]
struct Pending {
    /// The bitmap changed.
    metadata: bool,
    /// Blocks with changed entries.
    blocks: Vec<usize>,
    /// Slots that were taken and slots that were freed.
    slots_taken: Vec<u64>,
    slots_freed: Vec<u64>,
    /// Pages that were freed: still `taken`.
    pages_freed: Vec<u64>,
}

impl<const P: usize> FormatOne<P> {
    /// Whether a file that begins with these bytes is in this format, of whatever version.
    pub(crate) fn recognises(start: &[u8]) -> bool {
        start.starts_with(TAG)
    }

    /// Judges the first bytes of a file, also of one that holds no whole page of `P` bytes.
    ///
    /// # Errors
    /// `CorruptSuperblock`, `InvalidPageSize`.
    pub(crate) fn judge(start: &[u8]) -> Result<()> {
        Superblock::decode(start, P).map(|_| ())
    }

    /// Entries of a directory block.
    const ENTRIES: u64 = entries_of(P) as u64;

    /// The slots that hold a protected page or did once, in ascending order.
    pub(crate) fn slots(&self) -> Vec<GivenSlot> {
        let entries = self.blocks.iter().flat_map(|block| &block.entries);
        (0_u64..)
            .zip(entries)
            .filter(|(_, entry)| entry.pages != Entry::UNUSED.pages)
            .map(|(slot, entry)| GivenSlot { slot, reuse: entry.reuse(), is_in_use: entry.in_use })
            .collect()
    }

    fn entry(&self, slot: u64) -> Option<&Entry> {
        let (block, entry) = Self::place_of(slot)?;
        self.blocks.get(block)?.entries.get(entry)
    }

    fn entry_mut(&mut self, slot: u64) -> Option<&mut Entry> {
        let (block, entry) = Self::place_of(slot)?;
        self.blocks.get_mut(block)?.entries.get_mut(entry)
    }

    /// The block of a slot, and the entry in it.
    fn place_of(slot: u64) -> Option<(usize, usize)> {
        let block = usize::try_from(slot.checked_div(Self::ENTRIES)?).ok()?;
        Some((block, usize::try_from(slot.checked_rem(Self::ENTRIES)?).ok()?))
    }

    /// The entry that a protected page of that id has now; `gone` when there is none any more.
    fn live_entry(&self, id: u64, gone: MappedPageError) -> Result<&Entry> {
        let (slot, reuse) = parts_of(id);
        let entry = self.entry(slot).ok_or(MappedPageError::OutOfBounds)?;
        if entry.in_use && entry.reuse() == reuse { Ok(entry) } else { Err(gone) }
    }

    /// Refuses all but regular pages that are in use.
    #[inline]
    fn check_regular(&self, page: u64, gone: MappedPageError) -> Result<()> {
        if page >= self.used.len() {
            Err(MappedPageError::OutOfBounds)
        } else if self.internal.get(page) {
            Err(MappedPageError::ReservedPage)
        } else if self.used.get(page) {
            Ok(())
        } else {
            Err(gone)
        }
    }

    /// The committed content of a protected page.
    fn stored<'a>(&self, pages: &'a Pages<P>, entry: &Entry) -> Result<&'a [u8]> {
        let page = entry.page();
        let content = pages.page(page)?;
        if crc32fast::hash(content) == entry.checksum {
            Ok(content)
        } else {
            Err(MappedPageError::CorruptPage { page })
        }
    }
}

impl<const P: usize> Engine<P> for FormatOne<P> {
    fn page_count(&self) -> u64 {
        self.used.len()
    }

    fn free_page_count(&self) -> u64 {
        self.used.len().saturating_sub(self.used.count())
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    #[inline]
    fn kind(&self, _pages: &Pages<P>, page: u64) -> Result<Kind> {
        match self.check_regular(page, MappedPageError::Stale) {
            Ok(()) => Ok(Kind::Regular),
            Err(MappedPageError::ReservedPage) => Ok(Kind::Internal),
            Err(MappedPageError::Stale) => Ok(Kind::Free),
            Err(other) => Err(other),
        }
    }

    fn next_regular(&self, _pages: &Pages<P>, from: u64) -> Result<Option<u64>> {
        Ok(self.used.first_beyond(&self.internal, from.max(RESERVED_PAGES)))
    }

    fn next_protected(&self, _pages: &Pages<P>, from_slot: u64) -> Result<Option<u64>> {
        let slots = (self.blocks.len() as u64).saturating_mul(Self::ENTRIES);
        let mut slots = from_slot..slots;
        Ok(slots.find_map(|slot| {
            let entry = self.entry(slot).filter(|entry| entry.in_use)?;
            Some(id_of(slot, entry.reuse()))
        }))
    }

    #[inline]
    fn page<'a>(&'a self, pages: &'a Pages<P>, page: u64) -> Result<&'a [u8]> {
        self.check_regular(page, MappedPageError::Stale)?;
        pages.page(page)
    }

    fn page_mut<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]> {
        self.check_regular(page, MappedPageError::Stale)?;
        self.zeros_from = self.zeros_from.max(page.saturating_add(1));
        pages.page_mut(page)
    }

    fn protected<'a>(&'a self, pages: &'a Pages<P>, id: u64) -> Result<&'a [u8]> {
        let entry = self.live_entry(id, MappedPageError::Stale)?;
        if let Some(content) = self.staged.get(&id).or_else(|| self.accepted.get(&id)) {
            return Ok(content);
        }
        self.stored(pages, entry)
    }

    fn alloc(&mut self, pages: &mut Pages<P>, content: Content) -> Result<u64> {
        self.refuse_mixing(0)?;
        self.reserve(pages, 1)?;
        self.take(pages, content)
    }

    fn alloc_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        content: Content,
        out: &mut Vec<u64>,
    ) -> Result<()> {
        self.refuse_mixing(0)?;
        self.reserve(pages, count as u64)?;
        self.all_or_nothing(|engine| {
            let mut taken = Vec::with_capacity(count);
            for _ in 0..count {
                taken.push(engine.take(pages, content)?);
            }
            out.append(&mut taken);
            Ok(())
        })
    }

    fn free(&mut self, _pages: &mut Pages<P>, page: u64) -> Result<()> {
        self.refuse_mixing(0)?;
        self.check_regular(page, MappedPageError::DoubleFree)?;
        self.release(page);
        Ok(())
    }

    fn free_bulk(&mut self, _pages: &mut Pages<P>, ids: &[u64]) -> Result<()> {
        self.refuse_mixing(0)?;
        self.all_or_nothing(|engine| {
            for page in ids {
                engine.check_regular(*page, MappedPageError::DoubleFree)?;
                engine.release(*page);
            }
            Ok(())
        })
    }

    fn alloc_protected(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        self.all_or_nothing(|engine| engine.take_slot(pages))
    }

    fn alloc_protected_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        out: &mut Vec<u64>,
    ) -> Result<()> {
        self.all_or_nothing(|engine| {
            let mut taken = Vec::new();
            for _ in 0..count {
                taken.push(engine.take_slot(pages)?);
            }
            out.append(&mut taken);
            Ok(())
        })
    }

    fn free_protected(&mut self, _pages: &mut Pages<P>, id: u64) -> Result<()> {
        self.release_slot(id)
    }

    fn free_protected_bulk(&mut self, _pages: &mut Pages<P>, ids: &[u64]) -> Result<()> {
        self.all_or_nothing(|engine| ids.iter().try_for_each(|id| engine.release_slot(*id)))
    }

    fn stage_protected<'a>(&'a mut self, pages: &'a mut Pages<P>, id: u64) -> Result<&'a mut [u8]> {
        self.live_entry(id, MappedPageError::Stale)?;
        self.refuse_spreading(id)?;
        if !self.staged.contains_key(&id) {
            let content = Box::from(self.protected(pages, id)?);
            self.staged.insert(id, content);
        }
        self.staged.get_mut(&id).map(AsMut::as_mut).ok_or(MappedPageError::Stale)
    }

    /// Only a page that the same transaction allocated: there is no journal for others.
    fn stage_page<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]> {
        self.check_regular(page, MappedPageError::Stale)?;
        if !self.steps.contains(&Step::Took(page)) {
            let what = "change an existing regular page in a transaction";
            return Err(MappedPageError::Unsupported { what });
        }
        pages.page_mut(page)
    }

    fn rollback(&mut self, _pages: &mut Pages<P>) {
        self.undo_to(0);
        self.staged.clear();
    }

    fn accept(&mut self) {
        self.accept_steps();
    }

    fn write_commit(&mut self, pages: &mut Pages<P>, _barrier: Barrier) -> Result<bool> {
        debug_assert!(self.commit.is_none() && self.steps.is_empty(), "one commit after another");
        let Some(mut commit) = self.plan()? else { return Ok(false) };
        commit.write_phase(pages)?;
        while planted(Bug::FlipBeforeFlush) && commit.write_phase(pages)? {}
        self.commit = Some(commit);
        Ok(true)
    }

    fn after_sync(&mut self, pages: &mut Pages<P>) -> Result<Progress> {
        let Some(commit) = self.commit.as_mut() else { return Ok(Progress::Durable) };
        if commit.write_phase(pages)? {
            return Ok(Progress::SyncAgain);
        }
        if let Some(done) = self.commit.take() {
            self.give_back(done.pages_freed);
        }
        Ok(Progress::Durable)
    }

    fn close(&mut self, _pages: &mut Pages<P>) -> Result<()> {
        // The format has no place to say so, and the published crate leaves no trace of it either.
        Ok(())
    }
}
