//! The bytes of a page that a reader owns.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::map::{view, view_mut};
use crate::page::MappedPage;

/// The bytes of one page, copied out of the file: what a writer does later leaves them as they are.
#[derive(Clone, PartialEq, Eq)]
pub struct PageBuffer<const PAGE_SIZE: usize>(Box<[u8]>);

impl<const PAGE_SIZE: usize> PageBuffer<PAGE_SIZE> {
    /// A page of zeros, to read into.
    #[must_use]
    pub fn new() -> Self {
        Self(vec![0; PAGE_SIZE].into())
    }
}

impl<const PAGE_SIZE: usize> Default for PageBuffer<PAGE_SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PAGE_SIZE: usize> Deref for PageBuffer<PAGE_SIZE> {
    type Target = MappedPage;

    fn deref(&self) -> &MappedPage {
        view(&self.0)
    }
}

impl<const PAGE_SIZE: usize> DerefMut for PageBuffer<PAGE_SIZE> {
    fn deref_mut(&mut self) -> &mut MappedPage {
        view_mut(&mut self.0)
    }
}

impl<const PAGE_SIZE: usize> fmt::Debug for PageBuffer<PAGE_SIZE> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PageBuffer").field("len", &self.0.len()).finish_non_exhaustive()
    }
}
