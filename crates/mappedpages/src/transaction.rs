//! Many changes, one commit.

use crate::any_engine::AnyEngine;
use crate::engine::{Content, Engine as _, Result};
use crate::error::MappedPageError;
use crate::map;
use crate::options::Durability;
use crate::page::{MappedPage, PageId};
use crate::pager::{Pager, page_ids, page_numbers, protected_ids, protected_numbers};
use crate::pages::Pages;
use crate::protected::ProtectedPageId;

/// Any number of changes of a [`Pager`] that are committed together: after a crash all of them are
/// there, or none.
///
/// Its calls see what it has changed so far; nobody else does before the commit. A call that fails has
/// changed nothing, and the transaction can go on. Dropping it, and a panic that unwinds through it,
/// takes everything back; one that is leaked is taken back by the next call that changes something.
///
/// Pages that it frees are not given out again by it.
///
/// ```
/// use mappedpages::Pager;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("pages");
/// let mut pager = Pager::<4096>::create(&path)?;
/// let from = pager.alloc_protected()?;
/// let to = pager.alloc_protected()?;
///
/// let mut transfer = pager.transaction()?;
/// transfer.protected_mut(from)?.as_bytes_mut()[0] = 99;
/// transfer.protected_mut(to)?.as_bytes_mut()[0] = 101;
/// let receipt = transfer.alloc()?;
/// transfer.page_mut(receipt)?.as_bytes_mut()[..2].copy_from_slice(b"ok");
/// transfer.commit()?;
/// assert_eq!(&receipt.get(&pager)?.as_bytes()[..2], b"ok");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a transaction that is dropped changes nothing"]
pub struct Transaction<'a, const PAGE_SIZE: usize> {
    pager: &'a mut Pager<PAGE_SIZE>,
}

impl<'a, const PAGE_SIZE: usize> Transaction<'a, PAGE_SIZE> {
    /// The pager is ready.
    pub(crate) const fn new(pager: &'a mut Pager<PAGE_SIZE>) -> Self {
        pager.staging = true;
        Self { pager }
    }

    /// Takes a page that holds zeros: see [`Pager::alloc`].
    ///
    /// # Errors
    /// `Full`. Pages that an earlier commit freed, and that is not durable yet, do not count, nor those that hold
    /// journals; a transaction that is begun after this one makes room of them first.
    pub fn alloc(&mut self) -> Result<PageId<PAGE_SIZE>> {
        self.stage(|engine, pages| engine.alloc(pages, Content::Zeroed)).map(PageId)
    }

    /// Takes a page that holds whatever it held before: see [`Pager::alloc_uninit`].
    ///
    /// # Errors
    /// Those of [`alloc`](Self::alloc).
    pub fn alloc_uninit(&mut self) -> Result<PageId<PAGE_SIZE>> {
        self.stage(|engine, pages| engine.alloc(pages, Content::Uninit)).map(PageId)
    }

    /// Takes `count` pages that hold zeros, or none.
    ///
    /// # Errors
    /// Those of [`alloc`](Self::alloc).
    pub fn alloc_bulk(&mut self, count: usize) -> Result<Vec<PageId<PAGE_SIZE>>> {
        let mut ids = Vec::new();
        self.stage(|engine, pages| engine.alloc_bulk(pages, count, Content::Zeroed, &mut ids))?;
        Ok(page_ids(ids))
    }

    /// Gives a page back.
    ///
    /// # Errors
    /// Those of [`Pager::free`].
    pub fn free(&mut self, id: PageId<PAGE_SIZE>) -> Result<()> {
        self.stage(|engine, pages| engine.free(pages, id.0))
    }

    /// Gives pages back, all or none.
    ///
    /// # Errors
    /// Those of [`Pager::free_bulk`].
    pub fn free_bulk(&mut self, ids: &[PageId<PAGE_SIZE>]) -> Result<()> {
        let ids = page_numbers(ids);
        self.stage(|engine, pages| engine.free_bulk(pages, &ids))
    }

    /// Takes a protected page that reads as zeros: see [`Pager::alloc_protected`].
    ///
    /// # Errors
    /// Those of [`Pager::alloc_protected`].
    pub fn alloc_protected(&mut self) -> Result<ProtectedPageId<PAGE_SIZE>> {
        self.stage(|engine, pages| engine.alloc_protected(pages)).map(ProtectedPageId)
    }

    /// Takes `count` protected pages, or none.
    ///
    /// # Errors
    /// Those of [`Pager::alloc_protected`].
    pub fn alloc_protected_bulk(
        &mut self,
        count: usize,
    ) -> Result<Vec<ProtectedPageId<PAGE_SIZE>>> {
        let mut ids = Vec::new();
        self.stage(|engine, pages| engine.alloc_protected_bulk(pages, count, &mut ids))?;
        Ok(protected_ids(ids))
    }

    /// Gives a protected page back.
    ///
    /// # Errors
    /// Those of [`Pager::free_protected`].
    pub fn free_protected(&mut self, id: ProtectedPageId<PAGE_SIZE>) -> Result<()> {
        self.stage(|engine, pages| engine.free_protected(pages, id.0))
    }

    /// Gives protected pages back, all or none.
    ///
    /// # Errors
    /// Those of [`Pager::free_protected_bulk`].
    pub fn free_protected_bulk(&mut self, ids: &[ProtectedPageId<PAGE_SIZE>]) -> Result<()> {
        let ids = protected_numbers(ids);
        self.stage(|engine, pages| engine.free_protected_bulk(pages, &ids))
    }

    /// The content of a regular page, with what this transaction has changed.
    ///
    /// # Errors
    /// `Stale` when it is free, `ReservedPage`, `OutOfBounds`.
    pub fn page(&self, id: PageId<PAGE_SIZE>) -> Result<&MappedPage> {
        self.pager.page(id)
    }

    /// A regular page, to be changed with the commit, as a whole or not at all.
    ///
    /// # Errors
    /// Those of [`page`](Self::page); `Full`; in format 1 `Unsupported` for a page that this
    /// transaction did not take.
    pub fn page_mut(&mut self, id: PageId<PAGE_SIZE>) -> Result<&mut MappedPage> {
        if self.pager.failed {
            return Err(MappedPageError::Unavailable);
        }
        let Pager { engine, pages, lacks_room, .. } = &mut *self.pager;
        let staged = engine.stage_page(pages, id.0);
        *lacks_room |= matches!(staged, Err(MappedPageError::Full));
        staged.map(map::view_mut)
    }

    /// The content of a protected page, with what this transaction has changed.
    ///
    /// # Errors
    /// `Stale`, `OutOfBounds`, `CorruptPage`.
    pub fn protected(&self, id: ProtectedPageId<PAGE_SIZE>) -> Result<&MappedPage> {
        self.pager.protected(id)
    }

    /// A protected page, to be changed with the commit. It begins as its current content.
    ///
    /// # Errors
    /// Those of [`protected`](Self::protected).
    pub fn protected_mut(&mut self, id: ProtectedPageId<PAGE_SIZE>) -> Result<&mut MappedPage> {
        let (engine, pages) = self.parts()?;
        engine.stage_protected(pages, id.0).map(map::view_mut)
    }

    /// Commits all changes with the durability of the pager.
    ///
    /// # Durability
    /// As [`Durability`] says.
    ///
    /// # Errors
    /// `Io`, after which the pager is `Unavailable` and the changes are all there or all not when the
    /// file is opened again.
    pub fn commit(self) -> Result<()> {
        let durability = self.pager.durability;
        self.commit_with(durability)
    }

    /// Commits all changes with a durability of their own.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit).
    pub fn commit_with(mut self, durability: Durability) -> Result<()> {
        self.pager.land()?;
        self.accept()?;
        if let Some(barrier) = durability.barrier() {
            self.pager.begin(barrier)?;
            self.pager.land()?;
        }
        Ok(())
    }

    /// Takes everything back: the same as dropping it.
    pub fn rollback(self) {}

    /// Commits in memory.
    pub(crate) fn accept(&mut self) -> Result<()> {
        let (engine, _) = self.parts()?;
        engine.accept();
        self.pager.staging = false;
        Ok(())
    }

    #[cfg(feature = "async")]
    pub(crate) const fn pager(&mut self) -> &mut Pager<PAGE_SIZE> {
        self.pager
    }

    fn parts(&mut self) -> Result<(&mut AnyEngine<PAGE_SIZE>, &mut Pages<PAGE_SIZE>)> {
        if self.pager.failed {
            return Err(MappedPageError::Unavailable);
        }
        Ok((&mut self.pager.engine, &mut self.pager.pages))
    }

    fn stage<T>(
        &mut self,
        change: impl FnOnce(&mut AnyEngine<PAGE_SIZE>, &mut Pages<PAGE_SIZE>) -> Result<T>,
    ) -> Result<T> {
        if self.pager.failed {
            return Err(MappedPageError::Unavailable);
        }
        let staged = self.pager.stage(change);
        self.pager.lacks_room |= matches!(staged, Err(MappedPageError::Full));
        staged
    }
}

impl<const PAGE_SIZE: usize> Drop for Transaction<'_, PAGE_SIZE> {
    fn drop(&mut self) {
        if self.pager.staging && !self.pager.failed {
            self.pager.rollback();
        }
    }
}
