//! Pages of a section, one at a time.

use std::borrow::Cow;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::Range;

use crate::reader::Entries;
use crate::source::Source;
use crate::view::View;
use crate::{Decode, DecodeFromHeap, EncodeSized, ReadError};

/// The entries of one page, as they are stored.
pub struct Page<'r, S, T> {
    entries: Entries<'r, S, T>,
    first: u32,
    count: u32,
    bytes: Cow<'r, [u8]>,
}

impl<'r, S: Source, T: EncodeSized> Page<'r, S, T> {
    /// Index in the section of the first entry.
    #[must_use]
    pub const fn first_index(&self) -> u32 {
        self.first
    }

    /// Number of entries.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// `true` when there are none, which no page of a section says.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes of all entries, without the padding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of all entries, lent where the source is in memory.
    #[must_use]
    pub fn into_bytes(self) -> Cow<'r, [u8]> {
        self.bytes
    }

    /// The entry at place `place` of the page, or `None` when there are fewer.
    ///
    /// # Errors
    /// As [`Entries::get`].
    pub fn get(&self, place: u32) -> Result<Option<T>, ReadError>
    where
        T: DecodeFromHeap,
    {
        self.get_with(place, &mut ())
    }

    /// As [`Self::get`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_with<C>(&self, place: u32, context: &mut C) -> Result<Option<T>, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        let size = T::ENCODED_SIZE as usize;
        let start = (place as usize).checked_mul(size);
        let bytes = start.and_then(|start| self.bytes.get(start..)?.get(..size));
        bytes.map(|bytes| self.entries.decode(bytes, context)).transpose()
    }

    /// The entries of a type that needs no heap, as a slice would hold them.
    ///
    /// # Errors
    /// [`ReadError::Invalid`] for a type whose values on a heap take another number of bytes than in
    /// a section.
    pub fn view(&self) -> Result<View<'_, T>, ReadError>
    where
        T: Decode,
    {
        if T::FIXED_SIZE != Some(T::ENCODED_SIZE) {
            return Err(ReadError::Invalid { what: "a view of entries whose size varies" });
        }
        View::new(self.as_bytes())
    }
}

impl<S, T> fmt::Debug for Page<'_, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("first_index", &self.first)
            .field("len", &self.count)
            .finish_non_exhaustive()
    }
}

/// The pages of a section.
pub struct Pages<'r, S, T> {
    entries: Entries<'r, S, T>,
    range: Range<u32>,
}

impl<'r, S: Source, T: EncodeSized> Pages<'r, S, T> {
    pub(crate) const fn new(entries: Entries<'r, S, T>) -> Self {
        let range = 0..entries.layout().page_count();
        Self { entries, range }
    }

    fn page(&self, page: u32) -> Result<Page<'r, S, T>, ReadError> {
        let entries = self.entries;
        let count = entries.layout().entries_on_page(page);
        let first = page.saturating_mul(entries.layout().entries_per_page());
        let span = entries.span(first, first.saturating_add(count));
        let len = span.end.saturating_sub(span.start);
        let bytes = match entries.store().slice(span.start, len)? {
            Some(bytes) => Cow::Borrowed(bytes),
            None => {
                // Not longer than the file, in which the entries have been found to lie.
                let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
                entries.store().read(span.start, &mut bytes)?;
                Cow::Owned(bytes)
            }
        };
        Ok(Page { entries, first, count, bytes })
    }
}

impl<'r, S: Source, T: EncodeSized> Iterator for Pages<'r, S, T> {
    type Item = Result<Page<'r, S, T>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.range.next().map(|page| self.page(page))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.range.nth(n).map(|page| self.page(page))
    }
}

impl<S: Source, T: EncodeSized> DoubleEndedIterator for Pages<'_, S, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.range.next_back().map(|page| self.page(page))
    }

    fn nth_back(&mut self, n: usize) -> Option<Self::Item> {
        self.range.nth_back(n).map(|page| self.page(page))
    }
}

impl<S: Source, T: EncodeSized> ExactSizeIterator for Pages<'_, S, T> {}

impl<S: Source, T: EncodeSized> FusedIterator for Pages<'_, S, T> {}

impl<S, T> fmt::Debug for Pages<'_, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("range", &self.range).finish_non_exhaustive()
    }
}
