//! Regular pages: the id, and the view of the bytes.

use crate::engine::Result;
use crate::pager::Pager;

/// Names a regular page of a file whose pages are `PAGE_SIZE` bytes long: its physical number.
///
/// Pages 0 to 2 are the pager's own and never given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId<const PAGE_SIZE: usize>(pub u64);

impl<const PAGE_SIZE: usize> PageId<PAGE_SIZE> {
    /// The bytes of the page.
    ///
    /// # Errors
    /// `Stale` when it is free, `ReservedPage` when it is the pager's own, `OutOfBounds`.
    #[inline]
    pub fn get<'a>(&self, pager: &'a Pager<PAGE_SIZE>) -> Result<&'a MappedPage> {
        pager.page(*self)
    }

    /// The bytes of the page, to be changed in place, beside any commit.
    ///
    /// # Durability
    /// What is stored is durable with the next durable commit or [`flush`](Pager::flush); before that any
    /// part of it may be, in any order. For all or nothing use a
    /// [`Transaction`](crate::Transaction) or a protected page.
    ///
    /// # Errors
    /// Those of [`get`](Self::get); `Io` when a commit of this page had to be brought to its end first.
    #[inline]
    pub fn get_mut<'a>(&self, pager: &'a mut Pager<PAGE_SIZE>) -> Result<&'a mut MappedPage> {
        pager.page_mut(*self)
    }
}

/// The bytes of one page, or of one sub-page: an unsized view, held behind a reference like `str`.
///
/// References to it borrow the pager, so nothing that could move the pages can be called while one
/// is alive.
#[repr(transparent)]
#[derive(Debug)]
pub struct MappedPage([u8]);

impl MappedPage {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be changed.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// How many bytes there are: the page size, or the size of a sub-page.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Always false: no page is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
