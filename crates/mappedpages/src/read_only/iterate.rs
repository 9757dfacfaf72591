//! Walks of a reader over what is in use.

use std::iter::FusedIterator;

use super::ReadOnlyPager;
use super::view::Result;
use crate::page::PageId;
use crate::protected::{ProtectedPageId, parts_of};

/// The regular pages of a [`ReadOnlyPager`] that are in use, in ascending order.
///
/// It ends with the first error; `Stale` says that the writer has moved on, so that the rest of this
/// state cannot be told any more.
#[derive(Debug)]
#[must_use]
pub struct ReadOnlyPageIter<'a, const PAGE_SIZE: usize> {
    reader: &'a ReadOnlyPager<PAGE_SIZE>,
    /// What comes next is here or later; `None` once it is over.
    from: Option<u64>,
}

/// The protected pages of a [`ReadOnlyPager`] that are in use, in the order of their slots.
///
/// It ends with the first error; `Stale` says that the writer has moved on, so that the rest of this
/// state cannot be told any more.
#[derive(Debug)]
#[must_use]
pub struct ReadOnlyProtectedPageIter<'a, const PAGE_SIZE: usize> {
    reader: &'a ReadOnlyPager<PAGE_SIZE>,
    from: Option<u64>,
}

impl<'a, const PAGE_SIZE: usize> ReadOnlyPageIter<'a, PAGE_SIZE> {
    pub(super) const fn new(reader: &'a ReadOnlyPager<PAGE_SIZE>) -> Self {
        Self { reader, from: Some(0) }
    }
}

impl<'a, const PAGE_SIZE: usize> ReadOnlyProtectedPageIter<'a, PAGE_SIZE> {
    pub(super) const fn new(reader: &'a ReadOnlyPager<PAGE_SIZE>) -> Self {
        Self { reader, from: Some(0) }
    }
}

impl<const PAGE_SIZE: usize> Iterator for ReadOnlyPageIter<'_, PAGE_SIZE> {
    type Item = Result<PageId<PAGE_SIZE>>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.reader.next_regular(self.from.take()?).transpose()?;
        self.from = found.as_ref().ok().and_then(|page| page.checked_add(1));
        Some(found.map(PageId))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pages = self.reader.page_count().saturating_sub(self.from.unwrap_or(u64::MAX));
        (0, usize::try_from(pages).ok())
    }
}

impl<const PAGE_SIZE: usize> Iterator for ReadOnlyProtectedPageIter<'_, PAGE_SIZE> {
    type Item = Result<ProtectedPageId<PAGE_SIZE>>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.reader.next_protected(self.from.take()?).transpose()?;
        self.from = found.as_ref().ok().and_then(|id| parts_of(*id).0.checked_add(1));
        Some(found.map(ProtectedPageId))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Each protected page has two pages of the file.
        let at_most = if self.from.is_some() { self.reader.page_count() / 2 } else { 0 };
        (0, usize::try_from(at_most).ok())
    }
}

impl<const PAGE_SIZE: usize> FusedIterator for ReadOnlyPageIter<'_, PAGE_SIZE> {}
impl<const PAGE_SIZE: usize> FusedIterator for ReadOnlyProtectedPageIter<'_, PAGE_SIZE> {}
