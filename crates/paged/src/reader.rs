//! Reading a file of pages.
//!
//! A [`Reader`] knows where the pages of a file are, and nothing of what is in them: that is in
//! handles, which the caller brings along or has read from other entries. It is shared between
//! threads by reference; reading takes no lock.

pub(crate) mod checks;
mod entries;
mod heap;
mod in_place;
mod page;
mod places;
mod store;

use std::path::Path;

pub use entries::Entries;
pub use heap::HeapReader;
pub use page::{Page, Pages};
pub(crate) use store::Store;

use crate::{EncodeSized, FileSource, HeapSection, Layout, ReadError, Section, Source};

/// Bytes that a reader keeps in memory when nothing else was said.
pub const CACHE_LIMIT_DEFAULT: u64 = 8 << 20;

/// How to read.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReadOptions {
    cache_limit: u64,
}

impl ReadOptions {
    /// What is best for most.
    #[must_use]
    pub const fn new() -> Self {
        Self { cache_limit: CACHE_LIMIT_DEFAULT }
    }

    /// Bytes of pages that are kept in memory at most, [`CACHE_LIMIT_DEFAULT`] unless set. A limit that
    /// takes in all pages makes reading fastest: once an eighth of them was asked for, all are read in
    /// one piece, and later reads are as those of a map. With 0 nothing is kept. Sources in memory need
    /// no cache and have none.
    #[must_use]
    pub const fn cache_limit(mut self, bytes: u64) -> Self {
        self.cache_limit = bytes;
        self
    }

    pub(crate) const fn limit(self) -> u64 {
        self.cache_limit
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads sections and heaps of one file.
#[derive(Debug)]
pub struct Reader<S> {
    store: Store<S>,
}

impl Reader<FileSource> {
    /// Reads the plain file at `path` by positioned reads; see [`Self::new`].
    ///
    /// # Errors
    /// As [`Self::new`], and what opening meets.
    pub fn open(
        path: impl AsRef<Path>,
        page_len: u32,
        first_page_offset: u64,
    ) -> Result<Self, ReadError> {
        Self::new(FileSource::open(path)?, page_len, first_page_offset)
    }
}

impl<S: Source> Reader<S> {
    /// Reads a plain file, whose pages have `page_len` bytes and start at byte `first_page_offset`. A
    /// plain file does not say either.
    ///
    /// # Errors
    /// [`ReadError::Layout`] for a page length of 0 or an offset near 2^64; [`ReadError::Io`] when the
    /// source does not tell its length.
    pub fn new(source: S, page_len: u32, first_page_offset: u64) -> Result<Self, ReadError> {
        Self::with_options(source, page_len, first_page_offset, ReadOptions::new())
    }

    /// As [`Self::new`], with options.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_options(
        source: S,
        page_len: u32,
        first_page_offset: u64,
        options: ReadOptions,
    ) -> Result<Self, ReadError> {
        let layout = Layout::new(page_len, first_page_offset)?;
        let store = Store::new(source, layout, None, options.limit())?;
        Ok(Self { store })
    }

    /// Reads what lies within checksums.
    pub(crate) const fn within(store: Store<S>) -> Self {
        Self { store }
    }

    /// The entries of `section`, whose values of varying size are on `heap`.
    ///
    /// # Errors
    /// [`ReadError::Layout`] when entries of this type do not fit the pages, and
    /// [`ReadError::OutsideFile`] when section or heap do not lie in the file: in both cases the handle
    /// or the page length is not this file's, or the file was cut short.
    pub fn entries<T: EncodeSized>(
        &self,
        section: Section<T>,
        heap: Option<HeapSection>,
    ) -> Result<Entries<'_, S, T>, ReadError> {
        let heap = heap.map_or(Ok(HeapReader::new(&self.store, 0, 0)), |heap| self.heap(heap))?;
        Entries::new(&self.store, section, heap)
    }

    /// The bytes of a heap.
    ///
    /// # Errors
    /// [`ReadError::OutsideFile`] when it does not lie in the file; only the last page of the file may
    /// be cut short.
    pub fn heap(&self, heap: HeapSection) -> Result<HeapReader<'_, S>, ReadError> {
        let page_len = u64::from(self.layout().page_len());
        let start = u64::from(heap.page_offset).saturating_mul(page_len);
        let Some(whole) = heap.page_count.checked_sub(1) else {
            return Ok(HeapReader::new(&self.store, 0, 0));
        };
        // The last page holds at least one byte.
        self.store.require(start, u64::from(whole).saturating_mul(page_len).saturating_add(1))?;
        let len = u64::from(heap.page_count).saturating_mul(page_len);
        let there = self.store.len().saturating_sub(start);
        Ok(HeapReader::new(&self.store, start, len.min(there)))
    }

    /// Fills `into` with what is stored from byte `offset` of the first page on, whatever it is.
    ///
    /// # Errors
    /// [`ReadError::OutsideFile`] when there is less; [`ReadError::Io`] and [`ReadError::Checksum`].
    pub fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.store.read(offset, into)
    }

    /// Where pages lie.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.store.layout()
    }

    /// What is read from.
    #[must_use]
    pub const fn source(&self) -> &S {
        self.store.source()
    }

    /// Bytes of pages that are kept in memory, at most what [`ReadOptions::cache_limit`] says.
    #[must_use]
    pub fn cached(&self) -> u64 {
        self.store.cache().allocated()
    }

    pub(crate) const fn store(&self) -> &Store<S> {
        &self.store
    }
}
