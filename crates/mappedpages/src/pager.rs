//! The pager: one page file, open for writing.
//!
//! Every public call here is a check, one call of the engine and, where it changes something, a commit.
//! It must not know how a format keeps its books, nor how the bytes are reached.

use std::fmt;
use std::path::Path;

use crate::any_engine::AnyEngine;
use crate::builder::Builder;
use crate::commit::InFlight;
use crate::engine::{Content, Engine as _, Result};
use crate::error::MappedPageError;
use crate::iterate::{AllocatedPageIter, AllocatedProtectedPageIter};
use crate::map;
use crate::options::{Durability, Format};
use crate::page::{MappedPage, PageId};
use crate::pages::Pages;
use crate::protected::{ProtectedPageId, ProtectedPageWriter};
use crate::recovery::Recovery;
use crate::statistics::Activity;
use crate::transaction::Transaction;

/// A file of pages of `PAGE_SIZE` bytes, open for writing by this pager alone.
///
/// `PAGE_SIZE` is a power of two and at least 1024; anything else does not compile. Each call that
/// changes which pages are in use is a commit of its own with the pager's [`Durability`]; a
/// [`Transaction`] makes one commit of many.
///
/// References to pages borrow the pager, so that no call that could move them compiles while one is
/// alive.
///
/// Dropping a pager commits what is not yet durable, and cannot report when that fails;
/// [`close`](Self::close) can.
pub struct Pager<const PAGE_SIZE: usize> {
    pub(crate) pages: Pages<PAGE_SIZE>,
    pub(crate) engine: AnyEngine<PAGE_SIZE>,
    pub(crate) durability: Durability,
    pub(crate) recovery: Recovery,
    pub(crate) flight: Option<InFlight>,
    /// Set for good when a commit failed or the pager was closed; set for the time of each change.
    pub(crate) failed: bool,
    /// A transaction is open, or one was leaked.
    pub(crate) staging: bool,
    /// A transaction was told that there is no room, which a commit before the next one may make.
    pub(crate) lacks_room: bool,
    pub(crate) activity: Activity,
}

impl<const PAGE_SIZE: usize> Pager<PAGE_SIZE> {
    pub(crate) const fn new(
        pages: Pages<PAGE_SIZE>,
        engine: AnyEngine<PAGE_SIZE>,
        durability: Durability,
        recovery: Recovery,
    ) -> Self {
        Self {
            pages,
            engine,
            durability,
            recovery,
            flight: None,
            failed: false,
            staging: false,
            lacks_room: false,
            activity: Activity::NONE,
        }
    }

    /// Choices other than those of [`create`](Self::create) and [`open`](Self::open).
    pub fn builder() -> Builder<PAGE_SIZE> {
        Builder::new()
    }

    /// Makes a file at `path`, in [`Format::Two`], with one free page.
    ///
    /// # Durability
    /// The file and its name survive a power cut on return; interrupted, nothing has the name.
    ///
    /// # Errors
    /// `Io` of kind `AlreadyExists` when something has the name, `Full`, else `Io`.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Builder::new().create(path)
    }

    /// Opens the file at `path`, in whichever format it is, and brings it back to its last commit;
    /// [`recovery`](Self::recovery) says what that took.
    ///
    /// # Errors
    /// `Locked` when another pager has it open; `InvalidPageSize`; `CorruptSuperblock` when it is no page
    /// file; `CorruptMetadata`, `CorruptDirectoryIndex`, `CorruptProtectedDirectory`, `CorruptPage`,
    /// `CutShort` when it is damaged; else `Io`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Builder::new().open(path)
    }

    /// Takes the lowest free page, growing the file when there is none. It holds zeros.
    ///
    /// # Durability
    /// As the pager's [`Durability`] says. The content of the page is durable with the next durable commit
    /// or [`flush`](Self::flush) after it was stored.
    ///
    /// # Errors
    /// `Full`, which changes nothing; `Io`, after which the pager may be `Unavailable`.
    pub fn alloc(&mut self) -> Result<PageId<PAGE_SIZE>> {
        self.operate(self.durability, |engine, pages| engine.alloc(pages, Content::Zeroed))
            .map(PageId)
    }

    /// As [`alloc`](Self::alloc), but the page holds whatever it held before: cheaper for who writes all
    /// of it.
    ///
    /// # Errors
    /// Those of [`alloc`](Self::alloc).
    pub fn alloc_uninit(&mut self) -> Result<PageId<PAGE_SIZE>> {
        self.operate(self.durability, |engine, pages| engine.alloc(pages, Content::Uninit))
            .map(PageId)
    }

    /// Gives a page back. Its content is gone with the commit.
    ///
    /// # Errors
    /// `DoubleFree`, `ReservedPage`, `OutOfBounds`, which change nothing; `Io`.
    pub fn free(&mut self, id: PageId<PAGE_SIZE>) -> Result<()> {
        self.operate(self.durability, |engine, pages| engine.free(pages, id.0))
    }

    /// Takes `count` pages in one commit, in ascending order. They hold zeros.
    ///
    /// # Errors
    /// Those of [`alloc`](Self::alloc); no page is taken then.
    pub fn alloc_bulk(&mut self, count: usize) -> Result<Vec<PageId<PAGE_SIZE>>> {
        self.operate(self.durability, |engine, pages| {
            let mut ids = Vec::new();
            engine.alloc_bulk(pages, count, Content::Zeroed, &mut ids)?;
            Ok(ids)
        })
        .map(page_ids)
    }

    /// As [`alloc_bulk`](Self::alloc_bulk), but the pages hold whatever they held before.
    ///
    /// # Errors
    /// Those of [`alloc`](Self::alloc); no page is taken then.
    pub fn alloc_bulk_uninit(&mut self, count: usize) -> Result<Vec<PageId<PAGE_SIZE>>> {
        self.operate(self.durability, |engine, pages| {
            let mut ids = Vec::new();
            engine.alloc_bulk(pages, count, Content::Uninit, &mut ids)?;
            Ok(ids)
        })
        .map(page_ids)
    }

    /// Gives pages back in one commit.
    ///
    /// # Errors
    /// Those of [`free`](Self::free), for any of them, and `DoubleFree` when one comes twice; no page
    /// is freed then.
    pub fn free_bulk(&mut self, ids: Vec<PageId<PAGE_SIZE>>) -> Result<()> {
        let ids = page_numbers(&ids);
        self.operate(self.durability, |engine, pages| engine.free_bulk(pages, &ids))
    }

    /// Takes a protected page, which is written as a whole or not at all. It reads as zeros.
    ///
    /// # Errors
    /// Those of [`alloc`](Self::alloc); in format 1 also `DirectoryFull`.
    pub fn alloc_protected(&mut self) -> Result<ProtectedPageId<PAGE_SIZE>> {
        self.operate(self.durability, |engine, pages| engine.alloc_protected(pages))
            .map(ProtectedPageId)
    }

    /// Gives a protected page back.
    ///
    /// # Errors
    /// `DoubleFree`, also for an id whose page was freed and taken again; `OutOfBounds`; `Io`.
    pub fn free_protected(&mut self, id: ProtectedPageId<PAGE_SIZE>) -> Result<()> {
        self.operate(self.durability, |engine, pages| engine.free_protected(pages, id.0))
    }

    /// Takes `count` protected pages in one commit.
    ///
    /// # Errors
    /// Those of [`alloc_protected`](Self::alloc_protected); no page is taken then.
    pub fn alloc_protected_bulk(
        &mut self,
        count: usize,
    ) -> Result<Vec<ProtectedPageId<PAGE_SIZE>>> {
        self.operate(self.durability, |engine, pages| {
            let mut ids = Vec::new();
            engine.alloc_protected_bulk(pages, count, &mut ids)?;
            Ok(ids)
        })
        .map(protected_ids)
    }

    /// Gives protected pages back in one commit.
    ///
    /// # Errors
    /// Those of [`free_protected`](Self::free_protected), for any of them, and `DoubleFree` when one
    /// comes twice; no page is freed then.
    pub fn free_protected_bulk(&mut self, ids: Vec<ProtectedPageId<PAGE_SIZE>>) -> Result<()> {
        let ids = protected_numbers(&ids);
        self.operate(self.durability, |engine, pages| engine.free_protected_bulk(pages, &ids))
    }

    /// Begins a transaction: any number of changes in one commit. Dropping it changes nothing.
    ///
    /// After one that was refused with `Full`, what may make room is committed first.
    ///
    /// # Errors
    /// `Unavailable`; `Io` when something had to be committed first.
    pub fn transaction(&mut self) -> Result<Transaction<'_, PAGE_SIZE>> {
        self.ready()?;
        if self.lacks_room {
            self.land()?;
            while self.begin_for_room()? {
                self.land()?;
            }
            self.lacks_room = false;
        }
        if self.format() == Format::One {
            // It commits only so much at once: the transaction gets all of it.
            self.settle()?;
        }
        Ok(Transaction::new(self))
    }

    /// Makes everything durable: what was stored to regular pages, and every commit that was not yet.
    ///
    /// # Errors
    /// `Io`, after which the pager is `Unavailable`.
    pub fn flush(&mut self) -> Result<()> {
        self.ready()?;
        self.land()?;
        self.begin_flush()?;
        self.land()
    }

    /// Makes everything durable and ends the pager.
    ///
    /// # Errors
    /// `Io`; `Unavailable` when the pager had failed before.
    pub fn close(mut self) -> Result<()> {
        self.end()
    }

    /// What `close` and a drop do; afterwards the pager is `Unavailable`.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.flush()?;
        self.end_flushed()
    }

    /// The rest of it, when everything is durable.
    pub(crate) fn end_flushed(&mut self) -> Result<()> {
        self.write(|engine, pages| engine.close(pages))?;
        self.fail();
        Ok(())
    }

    /// The length of a page in bytes: `PAGE_SIZE`.
    #[must_use]
    pub const fn page_size(&self) -> usize {
        PAGE_SIZE
    }

    /// Pages of the file, with the reserved ones 0 to 2 and those that the pager keeps for itself.
    #[must_use]
    pub fn page_count(&self) -> u64 {
        self.engine.page_count()
    }

    /// Pages that nobody has. Those that a commit freed can be taken once it is durable.
    #[must_use]
    pub fn free_page_count(&self) -> u64 {
        self.engine.free_page_count()
    }

    /// Counts the commits since the file was made, up to the last one that was written. In format 1 only
    /// those count that changed which pages are in use.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.engine.generation()
    }

    /// The format of the file.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.engine.format()
    }

    /// The durability of calls that are not told another.
    #[must_use]
    pub const fn durability(&self) -> Durability {
        self.durability
    }

    /// Sets the durability of calls that are not told another.
    pub const fn set_durability(&mut self, durability: Durability) {
        self.durability = durability;
    }

    /// What opening the file found and did.
    #[must_use]
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Walks the regular pages that are in use, in ascending order.
    pub const fn iter_allocated_pages(&self) -> AllocatedPageIter<'_, PAGE_SIZE> {
        AllocatedPageIter::new(self)
    }

    /// Walks the protected pages that are in use, in the order of their slots.
    pub const fn iter_allocated_protected_pages(
        &self,
    ) -> AllocatedProtectedPageIter<'_, PAGE_SIZE> {
        AllocatedProtectedPageIter::new(self)
    }

    #[inline]
    pub(crate) fn page(&self, id: PageId<PAGE_SIZE>) -> Result<&MappedPage> {
        // A pager that failed has no plain page, so there is nothing more to ask.
        match self.engine.plain_page(&self.pages, id.0) {
            Some(content) => Ok(map::view(content)),
            None => self.page_anew(id),
        }
    }

    /// The same, not looking at what the engine has answered before.
    #[cold]
    #[inline(never)]
    fn page_anew(&self, id: PageId<PAGE_SIZE>) -> Result<&MappedPage> {
        if self.failed {
            return Err(MappedPageError::Unavailable);
        }
        self.engine.page(&self.pages, id.0).map(map::view)
    }

    #[inline]
    pub(crate) fn page_mut(&mut self, id: PageId<PAGE_SIZE>) -> Result<&mut MappedPage> {
        self.ready()?;
        self.land()?;
        self.write(|engine, pages| engine.settle(pages, id.0))?;
        self.engine.page_mut(&mut self.pages, id.0).map(map::view_mut)
    }

    #[inline]
    pub(crate) fn protected(&self, id: ProtectedPageId<PAGE_SIZE>) -> Result<&MappedPage> {
        if self.failed {
            return Err(MappedPageError::Unavailable);
        }
        self.engine.protected(&self.pages, id.0).map(map::view)
    }

    pub(crate) fn protected_mut(
        &mut self,
        id: ProtectedPageId<PAGE_SIZE>,
    ) -> Result<ProtectedPageWriter<'_, PAGE_SIZE>> {
        self.ready()?;
        let content = self.engine.protected(&self.pages, id.0)?.into();
        Ok(ProtectedPageWriter::new(self, id, content))
    }
}

impl<const PAGE_SIZE: usize> Drop for Pager<PAGE_SIZE> {
    fn drop(&mut self) {
        if !self.failed {
            // Nobody can be told; `close` is for who wants to know.
            let _ = self.end();
        }
    }
}

impl<const PAGE_SIZE: usize> fmt::Debug for Pager<PAGE_SIZE> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pager")
            .field("page_size", &PAGE_SIZE)
            .field("format", &self.format())
            .field("page_count", &self.page_count())
            .field("free_page_count", &self.free_page_count())
            .field("generation", &self.generation())
            .field("durability", &self.durability)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

pub(crate) fn page_ids<const P: usize>(numbers: Vec<u64>) -> Vec<PageId<P>> {
    numbers.into_iter().map(PageId).collect()
}

pub(crate) fn page_numbers<const P: usize>(ids: &[PageId<P>]) -> Vec<u64> {
    ids.iter().map(|id| id.0).collect()
}

pub(crate) fn protected_ids<const P: usize>(numbers: Vec<u64>) -> Vec<ProtectedPageId<P>> {
    numbers.into_iter().map(ProtectedPageId).collect()
}

pub(crate) fn protected_numbers<const P: usize>(ids: &[ProtectedPageId<P>]) -> Vec<u64> {
    ids.iter().map(|id| id.0).collect()
}
