//! Walks over what is in use.

use std::iter::FusedIterator;

use crate::engine::{Engine as _, Result};
use crate::error::MappedPageError;
use crate::page::PageId;
use crate::pager::Pager;
use crate::protected::{ProtectedPageId, parts_of};

/// The regular pages of a [`Pager`] that are in use, in ascending order.
///
/// It ends early where the file's books are damaged, and when the pager is `Unavailable`; [`error`](Self::error)
/// tells that from the end.
#[derive(Debug)]
#[must_use]
pub struct AllocatedPageIter<'a, const PAGE_SIZE: usize> {
    pager: &'a Pager<PAGE_SIZE>,
    walk: Walk,
}

/// The protected pages of a [`Pager`] that are in use, in the order of their slots.
///
/// It ends early where the file's books are damaged, and when the pager is `Unavailable`; [`error`](Self::error)
/// tells that from the end.
#[derive(Debug)]
#[must_use]
pub struct AllocatedProtectedPageIter<'a, const PAGE_SIZE: usize> {
    pager: &'a Pager<PAGE_SIZE>,
    walk: Walk,
}

/// Where a walk is.
#[derive(Debug)]
enum Walk {
    /// What comes next is here or later.
    At(u64),
    Over,
    Failed(MappedPageError),
}

impl Walk {
    /// Where to go on; `None`: nowhere.
    fn from<const P: usize>(&mut self, pager: &Pager<P>) -> Option<u64> {
        let Self::At(from) = *self else { return None };
        if pager.failed {
            *self = Self::Failed(MappedPageError::Unavailable);
            return None;
        }
        Some(from)
    }

    /// Goes on with what was found; `place` is where in the walk that is.
    fn step(&mut self, found: Result<Option<u64>>, place: impl Fn(u64) -> u64) -> Option<u64> {
        match found {
            Ok(Some(number)) => {
                *self = place(number).checked_add(1).map_or(Self::Over, Self::At);
                Some(number)
            }
            Ok(None) => {
                *self = Self::Over;
                None
            }
            Err(error) => {
                *self = Self::Failed(error);
                None
            }
        }
    }

    const fn error(&self) -> Option<&MappedPageError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::At(_) | Self::Over => None,
        }
    }
}

impl<'a, const PAGE_SIZE: usize> AllocatedPageIter<'a, PAGE_SIZE> {
    pub(crate) const fn new(pager: &'a Pager<PAGE_SIZE>) -> Self {
        Self { pager, walk: Walk::At(0) }
    }

    /// What ended the walk early.
    #[must_use]
    pub const fn error(&self) -> Option<&MappedPageError> {
        self.walk.error()
    }
}

impl<'a, const PAGE_SIZE: usize> AllocatedProtectedPageIter<'a, PAGE_SIZE> {
    pub(crate) const fn new(pager: &'a Pager<PAGE_SIZE>) -> Self {
        Self { pager, walk: Walk::At(0) }
    }

    /// What ended the walk early.
    #[must_use]
    pub const fn error(&self) -> Option<&MappedPageError> {
        self.walk.error()
    }
}

impl<const PAGE_SIZE: usize> Iterator for AllocatedPageIter<'_, PAGE_SIZE> {
    type Item = PageId<PAGE_SIZE>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.walk.from(self.pager)?;
        let found = self.pager.engine.next_regular(&self.pager.pages, from);
        self.walk.step(found, |page| page).map(PageId)
    }
}

impl<const PAGE_SIZE: usize> Iterator for AllocatedProtectedPageIter<'_, PAGE_SIZE> {
    type Item = ProtectedPageId<PAGE_SIZE>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.walk.from(self.pager)?;
        let found = self.pager.engine.next_protected(&self.pager.pages, from);
        self.walk.step(found, |id| parts_of(id).0).map(ProtectedPageId)
    }
}

impl<const PAGE_SIZE: usize> FusedIterator for AllocatedPageIter<'_, PAGE_SIZE> {}
impl<const PAGE_SIZE: usize> FusedIterator for AllocatedProtectedPageIter<'_, PAGE_SIZE> {}
