//! Format 2: the layout of this crate, as `docs/format/mappedpages.md` describes it.
//!
//! [`FormatTwo`] is the [`Engine`]: staging here, commits in `commit`, opening in `recover`. Below it,
//! `state` keeps what is in use, in two trees of pairs (`tree`), and the remaining modules are the stored
//! forms, which readers and checks use, too.
//!
//! Invariants: nothing that the durable state uses is written to, but for direct stores to regular pages;
//! a page that it uses is given out only once a commit that frees it is durable.

mod commit;
mod compact;
mod contents;
pub(crate) mod entry;
pub(crate) mod fields;
mod figures;
pub(crate) mod journal;
pub(crate) mod kinds;
pub(crate) mod layout;
pub(crate) mod list;
pub(crate) mod map_leaf;
pub(crate) mod node;
pub(crate) mod record;
pub(crate) mod recover;
pub(crate) mod reference;
pub(crate) mod seal;
mod slot_leaf;
mod state;
pub(crate) mod superblock;
pub(crate) mod take_over;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::HashSet;

use crate::engine::{Barrier, Content, Engine, Kind, Progress, Result};
use crate::error::MappedPageError;
use crate::pages::Pages;
use crate::protected::{id_of, parts_of};

use commit::InFlight;
use contents::Contents;
use entry::Entry;
use fields::crc_of;
use kinds::StoredKind;
use reference::JournalReference;
use seal::Seal;
use state::{Run, State};

/// The bookkeeping of a file in format 2.
#[derive(Debug)]
pub(crate) struct FormatTwo<const P: usize> {
    state: State<P>,
    /// The last commit that was written, durable or not.
    generation: u64,
    /// As it was stored last.
    seal: Seal,
    /// Something is accepted that no commit holds yet.
    is_changed: bool,
    /// What is accepted counts on direct stores that a later open could not tell from a lost write.
    must_order: bool,
    /// New contents of protected pages, by id.
    protected: Contents,
    /// New contents of regular pages, by page.
    regular: Contents,
    in_flight: Option<InFlight>,
    /// The journal that the last record names as its own.
    journal: JournalReference,
    /// Pages of the journals of the last commit and of the one before.
    journal_pages: [Vec<u64>; 2],
    /// Pages whose content of the last durable commit is durable in its journal only.
    unsettled: HashSet<u64>,
}

/// What an id of a protected page leads to.
enum Found {
    Entry(u64, Entry),
    /// It was given out, and freed.
    Gone,
}

impl<const P: usize> FormatTwo<P> {
    /// Whether a file that starts so is one of format 2, damaged or not.
    pub(crate) fn recognises(start: &[u8]) -> bool {
        superblock::recognises(start)
    }

    /// Checks the superblock at the start of a file.
    ///
    /// # Errors
    /// `CorruptSuperblock`, `InvalidPageSize`.
    pub(crate) fn judge(start: &[u8]) -> Result<()> {
        superblock::check(start, P)
    }

    fn find(&self, pages: &Pages<P>, id: u64) -> Result<Found> {
        let (slot, reuse) = parts_of(id);
        let entry = self.state.entry(pages, slot)?;
        if entry.is_in_use() && entry.reuse == reuse {
            for page in [entry.first, entry.first.saturating_add(1)] {
                if self.state.kind(pages, page)? != StoredKind::Held {
                    return Err(MappedPageError::CorruptProtectedDirectory);
                }
            }
            Ok(Found::Entry(slot, entry))
        } else if reuse < entry.reuse {
            Ok(Found::Gone)
        } else {
            Err(MappedPageError::OutOfBounds)
        }
    }

    fn found(&self, pages: &Pages<P>, id: u64) -> Result<(u64, Entry)> {
        match self.find(pages, id)? {
            Found::Entry(slot, entry) => Ok((slot, entry)),
            Found::Gone => Err(MappedPageError::Stale),
        }
    }

    /// The regular page `page`: `free` says what it is an error of when it is free.
    #[inline]
    fn regular_kind(
        &self,
        pages: &Pages<P>,
        page: u64,
        free: MappedPageError,
    ) -> Result<StoredKind> {
        match self.state.kind(pages, page)? {
            kind @ (StoredKind::Regular | StoredKind::Blank) => Ok(kind),
            StoredKind::Free => Err(free),
            StoredKind::Held => Err(MappedPageError::ReservedPage),
        }
    }

    /// The content of a regular page that is not in its place yet.
    fn regular_content(&self, page: u64) -> Option<&[u8]> {
        let pending = self.regular.get(page);
        pending.or_else(|| self.in_flight.as_ref().and_then(|commit| commit.content(page)))
    }

    /// Takes up to `count` adjacent pages.
    fn take_regular(
        state: &mut State<P>,
        pages: &mut Pages<P>,
        content: Content,
        count: u64,
    ) -> Result<Run> {
        match content {
            Content::Uninit => state.take_lowest(pages, StoredKind::Regular, count),
            Content::Zeroed => {
                let run = state.take_lowest(pages, StoredKind::Blank, count)?;
                pages.zero(run.first, run.touched())?;
                Ok(run)
            }
        }
    }

    fn take_protected(state: &mut State<P>, pages: &mut Pages<P>) -> Result<u64> {
        let slot = state.free_slot(pages)?.ok_or(MappedPageError::Full)?;
        let first = state.take_pair(pages)?;
        let old = state.entry(pages, slot)?;
        let entry = Entry { first, is_blank: true, reuse: old.reuse, ..Entry::default() };
        state.set_entry(pages, slot, entry)?;
        Ok(id_of(slot, entry.reuse))
    }

    fn release_regular(&mut self, pages: &mut Pages<P>, page: u64) -> Result<()> {
        self.regular_kind(pages, page, MappedPageError::DoubleFree)?;
        self.state.release(pages, page)
    }

    fn release_protected(&mut self, pages: &mut Pages<P>, id: u64) -> Result<()> {
        let (slot, entry) = self.found(pages, id).map_err(|error| match error {
            MappedPageError::Stale => MappedPageError::DoubleFree,
            error => error,
        })?;
        self.state.or_undo(pages, |state, pages| {
            state.release(pages, entry.first)?;
            state.release(pages, entry.first.saturating_add(1))?;
            state.set_entry(pages, slot, entry.freed())
        })
    }

    /// Frees all of `ids`, or, when one cannot be or comes twice, none.
    fn release_all(
        &mut self,
        pages: &mut Pages<P>,
        ids: &[u64],
        release: impl Fn(&mut Self, &mut Pages<P>, u64) -> Result<()>,
    ) -> Result<()> {
        // What comes twice is free the second time.
        let mark = self.state.mark();
        for &id in ids {
            if let Err(error) = release(self, pages, id) {
                self.state.undo_to(pages, mark);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Withholds pages for the journal of `count` contents.
    fn reserve_journal(&mut self, pages: &mut Pages<P>, count: usize) -> Result<()> {
        let wanted = journal::page_count(count, P);
        self.state.or_undo(pages, |state, pages| {
            while state.withheld_count() < wanted {
                state.withhold_lowest(pages)?;
            }
            Ok(())
        })
    }
}

impl<const P: usize> Engine<P> for FormatTwo<P> {
    fn page_count(&self) -> u64 {
        self.state.page_count()
    }

    fn free_page_count(&self) -> u64 {
        self.state.free_page_count()
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    #[inline]
    fn kind(&self, pages: &Pages<P>, page: u64) -> Result<Kind> {
        Ok(match self.state.kind(pages, page)? {
            StoredKind::Free => Kind::Free,
            StoredKind::Regular | StoredKind::Blank => Kind::Regular,
            StoredKind::Held => Kind::Internal,
        })
    }

    fn next_regular(&self, pages: &Pages<P>, from: u64) -> Result<Option<u64>> {
        self.state.next_regular(pages, from)
    }

    fn next_protected(&self, pages: &Pages<P>, from_slot: u64) -> Result<Option<u64>> {
        let found = self.state.next_slot(pages, from_slot)?;
        Ok(found.map(|(slot, entry)| id_of(slot, entry.reuse)))
    }

    #[inline]
    fn page<'a>(&'a self, pages: &'a Pages<P>, page: u64) -> Result<&'a [u8]> {
        self.regular_kind(pages, page, MappedPageError::Stale)?;
        if (!self.regular.is_empty() || self.in_flight.is_some())
            && let Some(content) = self.regular_content(page)
        {
            return Ok(content);
        }
        pages.page(page)
    }

    fn settle(&mut self, pages: &mut Pages<P>, page: u64) -> Result<()> {
        self.settle_page(pages, page)
    }

    fn page_mut<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]> {
        if self.regular_kind(pages, page, MappedPageError::Stale)? == StoredKind::Blank {
            // An open that finds the commit without a seal would make the page zeros again.
            self.state.set_regular(pages, page)?;
            self.must_order = true;
        }
        pages.page_mut(page)
    }

    fn protected<'a>(&'a self, pages: &'a Pages<P>, id: u64) -> Result<&'a [u8]> {
        let (_, entry) = self.found(pages, id)?;
        if let Some(content) = self.protected.get(id) {
            return Ok(content);
        }
        if entry.is_blank {
            return Ok(const { &[0_u8; P] });
        }
        let page = entry.page();
        let content = pages.page(page)?;
        if crc_of(content) != entry.crc {
            return Err(MappedPageError::CorruptPage { page });
        }
        Ok(content)
    }

    fn alloc(&mut self, pages: &mut Pages<P>, content: Content) -> Result<u64> {
        let run = |state: &mut _, pages: &mut _| Self::take_regular(state, pages, content, 1);
        Ok(self.state.or_undo(pages, run)?.first)
    }

    fn alloc_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        content: Content,
        out: &mut Vec<u64>,
    ) -> Result<()> {
        let len = out.len();
        let taken = self.state.or_undo(pages, |state, pages| {
            state.reserve(pages, count as u64)?;
            let mut missing = count as u64;
            while missing > 0 {
                let run = Self::take_regular(state, pages, content, missing)?;
                out.extend(run.first..run.end());
                missing = missing.saturating_sub(run.count);
            }
            Ok(())
        });
        if taken.is_err() {
            out.truncate(len);
        }
        taken
    }

    fn free(&mut self, pages: &mut Pages<P>, page: u64) -> Result<()> {
        self.release_regular(pages, page)
    }

    fn free_bulk(&mut self, pages: &mut Pages<P>, ids: &[u64]) -> Result<()> {
        self.release_all(pages, ids, Self::release_regular)
    }

    fn alloc_protected(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        self.state.or_undo(pages, Self::take_protected)
    }

    fn alloc_protected_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        out: &mut Vec<u64>,
    ) -> Result<()> {
        let len = out.len();
        let taken = self.state.or_undo(pages, |state, pages| {
            state.reserve(pages, (count as u64).saturating_mul(2))?;
            for _ in 0..count {
                out.push(Self::take_protected(state, pages)?);
            }
            Ok(())
        });
        if taken.is_err() {
            out.truncate(len);
        }
        taken
    }

    fn free_protected(&mut self, pages: &mut Pages<P>, id: u64) -> Result<()> {
        self.release_protected(pages, id)
    }

    fn free_protected_bulk(&mut self, pages: &mut Pages<P>, ids: &[u64]) -> Result<()> {
        self.release_all(pages, ids, Self::release_protected)
    }

    fn stage_protected<'a>(&'a mut self, pages: &'a mut Pages<P>, id: u64) -> Result<&'a mut [u8]> {
        let is_staged = self.protected.staged_mut(id).is_some();
        let mut buffer = if is_staged { Vec::new() } else { self.protected.buffer() };
        let content = self.protected(pages, id)?;
        if !is_staged {
            buffer.extend_from_slice(content);
            self.protected.stage(id, buffer.into());
        }
        self.protected.staged_mut(id).ok_or(MappedPageError::Stale)
    }

    fn stage_page<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]> {
        let is_staged = self.regular.staged_mut(page).is_some();
        let mut buffer = if is_staged { Vec::new() } else { self.regular.buffer() };
        let content = self.page(pages, page)?;
        if !is_staged {
            buffer.extend_from_slice(content);
            let is_new = self.regular.get(page).is_none();
            let count = self.regular.len().saturating_add(is_new.into());
            self.reserve_journal(pages, count)?;
            self.regular.stage(page, buffer.into());
        }
        self.regular.staged_mut(page).ok_or(MappedPageError::Stale)
    }

    fn rollback(&mut self, pages: &mut Pages<P>) {
        self.state.undo_to(pages, 0);
        self.protected.rollback();
        self.regular.rollback();
    }

    fn accept(&mut self) {
        self.is_changed |= self.state.accept();
        self.is_changed |= self.protected.accept();
        self.is_changed |= self.regular.accept();
    }

    fn write_commit(&mut self, pages: &mut Pages<P>, barrier: Barrier) -> Result<bool> {
        self.write_next(pages, barrier)
    }

    fn after_sync(&mut self, pages: &mut Pages<P>) -> Result<Progress> {
        self.go_on_after_sync(pages)
    }

    fn close(&mut self, pages: &mut Pages<P>) -> Result<()> {
        self.store_clean(pages)
    }
}
