//! Commits: what is accepted becomes the durable state.
//!
//! ```text
//! contents, journal, nodes -> map, record -> sync -> seal -> journal to its places -> freed pages are free
//! ordered: ...             -> map -> sync -> record -> sync -> ...
//! ```
//!
//! Invariants: up to the sync only pages are written that the durable state does not use, and the record
//! of the commit before the durable one; the record comes last. Nothing here takes space.

use super::FormatTwo;
use super::contents::Content;
use super::entry::Entry;
use super::fields::{Sector, crc_of};
use super::journal;
use super::kinds::StoredKind;
use super::layout::{SEAL_OFFSET, SECTOR_LEN, record_page};
use super::record::Record;
use super::reference::JournalReference;
use super::seal::Seal;
use crate::canary::{Bug, planted};
use crate::engine::{Barrier, Engine as _, Progress, Result};
use crate::error::MappedPageError;
use crate::pages::Pages;

/// A commit that was written and is not known to be durable.
#[derive(Debug)]
pub(crate) struct InFlight {
    generation: u64,
    /// The record, when it waits for a sync.
    record: Option<Sector>,
    /// What is to be brought from the journal to its place, by page.
    contents: Vec<(u64, Content)>,
    journal_pages: Vec<u64>,
    /// Pages that the commit freed.
    freed: Vec<u64>,
}

impl InFlight {
    /// The content of a page that is not in its place yet.
    pub(crate) fn content(&self, page: u64) -> Option<&[u8]> {
        let at = self.contents.binary_search_by_key(&page, |&(target, _)| target).ok()?;
        self.contents.get(at).map(|(_, content)| &**content)
    }
}

impl<const P: usize> FormatTwo<P> {
    /// Writes what is accepted. False: there is nothing.
    pub(super) fn write_next(&mut self, pages: &mut Pages<P>, barrier: Barrier) -> Result<bool> {
        assert!(self.in_flight.is_none(), "a commit before the last one is durable");
        if !self.is_changed {
            return Ok(false);
        }
        // No writer gets there: a file of the last generation was made up.
        let generation = self.generation.checked_add(1).ok_or(MappedPageError::CorruptMetadata)?;
        if self.seal.is_clean {
            self.store_seal(pages, Seal { is_clean: false, ..self.seal })?;
        }
        let is_ordered = barrier == Barrier::TwoBarriers || self.must_order;
        self.write_protected(pages, generation)?;
        let contents = self.take_regular_contents(pages)?;
        let mut journal_pages = self.state.take_withheld();
        let surplus = journal_pages.split_off(journal::page_count(contents.len(), P));
        self.state.hand_back(pages, &surplus)?;
        let journal = journal::write(pages, generation, &contents, &journal_pages)?;

        let mut page = vec![0; P];
        let (sector, map) = page.split_at_mut(SECTOR_LEN);
        let (allocation, directory) = self.state.write(pages, generation, map)?;
        let record = Record {
            generation,
            page_count: self.state.page_count(),
            is_ordered,
            map_crc: crc_of(map),
            allocation,
            directory,
            journal,
            journal_before: self.journal,
        }
        .encode();
        // Last, so that who finds the record finds all that it names, or a newer record. Not so the map, which
        // is written along with it: who finds that it is not the record's takes the commit before.
        if is_ordered {
            pages.write_bytes(offset_of::<P>(generation, SECTOR_LEN), map)?;
        } else {
            sector.copy_from_slice(&record);
            pages.write_bytes(offset_of::<P>(generation, 0), &page)?;
        }

        self.generation = generation;
        self.journal = journal;
        self.is_changed = false;
        self.must_order = false;
        let mut freed = self.state.take_freed();
        if planted(Bug::SealBeforeFlush) {
            self.store_seal(pages, Seal { generation, ..self.seal })?;
        }
        if planted(Bug::FreedPageTooEarly) {
            self.state.hand_back(pages, &std::mem::take(&mut freed))?;
        }
        if planted(Bug::JournalAppliedTooEarly) {
            pages.write_all(&contents)?;
        }
        self.in_flight = Some(InFlight {
            generation,
            record: is_ordered.then_some(record),
            contents,
            journal_pages,
            freed,
        });
        Ok(true)
    }

    /// Writes the accepted contents of protected pages to the copies that are not current.
    fn write_protected(&mut self, pages: &mut Pages<P>, generation: u64) -> Result<()> {
        let contents = self.protected.take_accepted();
        let mut written = Vec::with_capacity(contents.len());
        for (id, content) in &contents {
            // It may have been freed since.
            let Ok((slot, entry)) = self.found(pages, *id) else { continue };
            let (crc, copy) = (crc_of(content), entry.next_copy());
            let entry = Entry { generation, crc, copy, is_blank: false, ..entry };
            self.state.set_written(pages, slot, entry)?;
            written.push((entry.page(), content));
        }
        written.sort_unstable_by_key(|&(page, _)| page);
        pages.write_all(&written)?;
        self.protected.keep_buffers(contents);
        Ok(())
    }

    /// The accepted contents of regular pages that were not freed since.
    fn take_regular_contents(&mut self, pages: &Pages<P>) -> Result<Vec<(u64, Content)>> {
        let mut contents = self.regular.take_accepted();
        let mut result = Ok(());
        contents.retain(|&(page, _)| match self.state.kind(pages, page) {
            Ok(kind) => matches!(kind, StoredKind::Regular | StoredKind::Blank),
            Err(error) => {
                result = Err(error);
                false
            }
        });
        result.map(|()| contents)
    }

    /// Goes on with the commit in flight once a sync has covered what was written.
    pub(super) fn go_on_after_sync(&mut self, pages: &mut Pages<P>) -> Result<Progress> {
        let Some(mut commit) = self.in_flight.take() else { return Ok(Progress::Durable) };
        let generation = commit.generation;
        if let Some(record) = commit.record.take() {
            pages.write_bytes(offset_of::<P>(generation, 0), &record)?;
            self.in_flight = Some(commit);
            return Ok(Progress::SyncAgain);
        }
        // The journal of the commit before was in its places when this one was written.
        let applied = generation.saturating_sub(u64::from(!commit.contents.is_empty()));
        self.store_seal(pages, Seal { generation, applied, is_clean: false })?;
        pages.write_all(&commit.contents)?;
        self.unsettled = commit.contents.iter().map(|&(page, _)| page).collect();
        self.regular.keep_buffers(commit.contents);
        assert!(self.seal.generation == generation, "pages are handed out before they are free");
        self.state.hand_back(pages, &commit.freed)?;
        let [mut last, mut before_last] = std::mem::take(&mut self.journal_pages);
        if planted(Bug::JournalFreedTooEarly) {
            before_last.append(&mut last);
        }
        self.journal_pages = [commit.journal_pages, last];
        self.state.hand_back(pages, &before_last)?;
        Ok(Progress::Durable)
    }

    /// Makes sure that neither a commit nor a replay puts anything over what will be stored directly to
    /// `page`.
    pub(super) fn settle_page(&mut self, pages: &mut Pages<P>, page: u64) -> Result<()> {
        assert!(self.in_flight.is_none(), "direct stores while a commit is in flight");
        if self.regular.get(page).is_some() {
            self.commit_now(pages)?;
        }
        if self.unsettled.contains(&page) {
            sync(pages)?;
            self.store_seal(pages, Seal { applied: self.seal.generation, ..self.seal })?;
            self.unsettled.clear();
        }
        Ok(())
    }

    /// Commits what is accepted, with all syncs.
    fn commit_now(&mut self, pages: &mut Pages<P>) -> Result<()> {
        if self.write_commit(pages, Barrier::OneFlush)? {
            sync(pages)?;
            while self.after_sync(pages)? == Progress::SyncAgain {
                sync(pages)?;
            }
        }
        Ok(())
    }

    /// Stores that the file was closed in order, unless something is pending.
    pub(super) fn store_clean(&mut self, pages: &mut Pages<P>) -> Result<()> {
        if self.is_changed || self.in_flight.is_some() || self.seal.is_clean {
            return Ok(());
        }
        self.store_seal(pages, Seal { is_clean: true, ..self.seal })
    }

    pub(super) fn store_seal(&mut self, pages: &mut Pages<P>, seal: Seal) -> Result<()> {
        pages.write_bytes(SEAL_OFFSET, &seal.encode())?;
        self.seal = seal;
        Ok(())
    }

    /// The journals that the next record may have to name, and their pages.
    pub(super) fn set_journals(&mut self, journal: JournalReference, pages: [Vec<u64>; 2]) {
        self.journal = journal;
        self.journal_pages = pages;
    }
}

/// Makes everything written durable.
pub(super) fn sync<const P: usize>(pages: &mut Pages<P>) -> Result<()> {
    pages.flush_dirty()?;
    Ok(pages.sync_handle().sync()?)
}

/// Where a byte of the page of a record lies.
pub(super) fn offset_of<const P: usize>(generation: u64, offset: usize) -> u64 {
    record_page(generation).saturating_mul(P as u64).saturating_add(offset as u64)
}
