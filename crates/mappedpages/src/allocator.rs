//! Traits for code that works with any kind of page.

use crate::error::MappedPageError;
use crate::page::{MappedPage, PageId};
use crate::pager::Pager;
use crate::protected::{ProtectedPageId, ProtectedPageWriter};

/// An id that leads to the bytes of a page through the allocator `A` that gave it out.
pub trait PageHandle<A: ?Sized> {
    /// Why the bytes cannot be had.
    type Error;

    /// What gives write access: the page itself, or a writer that must be committed.
    type Mut<'a>: 'a
    where
        A: 'a,
        Self: 'a;

    /// The bytes of the page.
    ///
    /// # Errors
    /// Those of the allocator.
    fn get<'a>(&self, allocator: &'a A) -> Result<&'a MappedPage, Self::Error>;

    /// Write access to the page.
    ///
    /// # Errors
    /// Those of the allocator.
    fn get_mut<'a>(&self, allocator: &'a mut A) -> Result<Self::Mut<'a>, Self::Error>;
}

/// Gives out and takes back pages that are named by `AllocatedType`.
pub trait PageAllocator<AllocatedType: PageHandle<Self>>: Sized {
    /// Why a page cannot be given out or taken back.
    type Error;

    /// Gives out a page.
    ///
    /// # Errors
    /// Those of the allocator; nothing is changed then.
    fn alloc(&mut self) -> Result<AllocatedType, Self::Error>;

    /// Takes a page back.
    ///
    /// # Errors
    /// Those of the allocator; nothing is changed then.
    fn free(&mut self, id: AllocatedType) -> Result<(), Self::Error>;
}

/// A [`PageAllocator`] that gives out and takes back many pages at once, all or none.
pub trait BulkPageAllocator<AllocatedType: PageHandle<Self>>: PageAllocator<AllocatedType> {
    /// Gives out `count` pages.
    ///
    /// # Errors
    /// Those of the allocator; no page is given out then.
    fn alloc_bulk(&mut self, count: usize) -> Result<Vec<AllocatedType>, Self::Error>;

    /// Takes pages back, after it has looked at all of them.
    ///
    /// # Errors
    /// Those of the allocator, also when a page comes twice; none is taken back then.
    fn free_bulk(&mut self, ids: Vec<AllocatedType>) -> Result<(), Self::Error>;
}

impl<const PAGE_SIZE: usize> PageHandle<Pager<PAGE_SIZE>> for PageId<PAGE_SIZE> {
    type Error = MappedPageError;
    type Mut<'a> = &'a mut MappedPage;

    fn get<'a>(&self, pager: &'a Pager<PAGE_SIZE>) -> Result<&'a MappedPage, MappedPageError> {
        pager.page(*self)
    }

    fn get_mut<'a>(
        &self,
        pager: &'a mut Pager<PAGE_SIZE>,
    ) -> Result<&'a mut MappedPage, MappedPageError> {
        pager.page_mut(*self)
    }
}

impl<const PAGE_SIZE: usize> PageAllocator<PageId<PAGE_SIZE>> for Pager<PAGE_SIZE> {
    type Error = MappedPageError;

    fn alloc(&mut self) -> Result<PageId<PAGE_SIZE>, MappedPageError> {
        Self::alloc(self)
    }

    fn free(&mut self, id: PageId<PAGE_SIZE>) -> Result<(), MappedPageError> {
        Self::free(self, id)
    }
}

impl<const PAGE_SIZE: usize> BulkPageAllocator<PageId<PAGE_SIZE>> for Pager<PAGE_SIZE> {
    fn alloc_bulk(&mut self, count: usize) -> Result<Vec<PageId<PAGE_SIZE>>, MappedPageError> {
        Self::alloc_bulk(self, count)
    }

    fn free_bulk(&mut self, ids: Vec<PageId<PAGE_SIZE>>) -> Result<(), MappedPageError> {
        Self::free_bulk(self, ids)
    }
}

impl<const PAGE_SIZE: usize> PageHandle<Pager<PAGE_SIZE>> for ProtectedPageId<PAGE_SIZE> {
    type Error = MappedPageError;
    type Mut<'a> = ProtectedPageWriter<'a, PAGE_SIZE>;

    fn get<'a>(&self, pager: &'a Pager<PAGE_SIZE>) -> Result<&'a MappedPage, MappedPageError> {
        pager.protected(*self)
    }

    fn get_mut<'a>(
        &self,
        pager: &'a mut Pager<PAGE_SIZE>,
    ) -> Result<ProtectedPageWriter<'a, PAGE_SIZE>, MappedPageError> {
        pager.protected_mut(*self)
    }
}

impl<const PAGE_SIZE: usize> PageAllocator<ProtectedPageId<PAGE_SIZE>> for Pager<PAGE_SIZE> {
    type Error = MappedPageError;

    fn alloc(&mut self) -> Result<ProtectedPageId<PAGE_SIZE>, MappedPageError> {
        self.alloc_protected()
    }

    fn free(&mut self, id: ProtectedPageId<PAGE_SIZE>) -> Result<(), MappedPageError> {
        self.free_protected(id)
    }
}

impl<const PAGE_SIZE: usize> BulkPageAllocator<ProtectedPageId<PAGE_SIZE>> for Pager<PAGE_SIZE> {
    fn alloc_bulk(
        &mut self,
        count: usize,
    ) -> Result<Vec<ProtectedPageId<PAGE_SIZE>>, MappedPageError> {
        self.alloc_protected_bulk(count)
    }

    fn free_bulk(&mut self, ids: Vec<ProtectedPageId<PAGE_SIZE>>) -> Result<(), MappedPageError> {
        self.free_protected_bulk(ids)
    }
}
