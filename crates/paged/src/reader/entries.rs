//! One section with its heap, ready to be read by index.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, Range, RangeBounds};

use crate::iterate::{Iter, no_context};
use crate::reader::in_place::InPlace;
use crate::reader::places::Places;
use crate::reader::{HeapReader, Pages, Store};
use crate::source::Source;
use crate::{DecodeFromHeap, EncodeSized, Input, ReadError, Section, SectionLayout};

/// The entries of a section. Cheap to copy.
///
/// All of them lie in the file: that was found out when this was made. Getting one decodes one: from
/// where it is when the source is in memory, else from a copy of its bytes.
pub struct Entries<'r, S, T> {
    store: &'r Store<S>,
    heap: HeapReader<'r, S>,
    layout: SectionLayout,
    places: Places,
    /// The section's first byte, from the first page of the file.
    start: u64,
    in_place: InPlace<'r>,
    entry: PhantomData<fn() -> T>,
}

impl<'r, S: Source, T: EncodeSized> Entries<'r, S, T> {
    const SIZE: usize = T::ENCODED_SIZE as usize;

    pub(crate) fn new(
        store: &'r Store<S>,
        section: Section<T>,
        heap: HeapReader<'r, S>,
    ) -> Result<Self, ReadError> {
        let layout = section.layout(store.layout())?;
        let page_len = u64::from(store.layout().page_len());
        let start = u64::from(section.page_offset()).wrapping_mul(page_len);
        let places = Places::new(layout);
        let size = T::ENCODED_SIZE;
        let len = section
            .entry_count()
            .checked_sub(1)
            .map_or(0, |last| places.offset(last, size).saturating_add(size.into()));
        if len > 0 {
            store.require(start, len)?;
        }
        let in_place = InPlace::new(store, places, start, len);
        Ok(Self { store, heap, layout, places, start, in_place, entry: PhantomData })
    }

    /// Number of entries.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.layout.entry_count()
    }

    /// `true` when there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the entries lie.
    #[must_use]
    pub const fn layout(&self) -> SectionLayout {
        self.layout
    }

    /// The heap that the entries refer to; empty when there is none.
    #[must_use]
    pub const fn heap(&self) -> HeapReader<'r, S> {
        self.heap
    }

    /// Page by page, in either direction: for those who decode entries themselves, or not at all.
    #[must_use]
    pub const fn pages(&self) -> Pages<'r, S, T> {
        Pages::new(*self)
    }

    pub(crate) const fn store(&self) -> &'r Store<S> {
        self.store
    }

    pub(crate) const fn is_in_memory(&self) -> bool {
        self.in_place.is_in_memory()
    }

    /// The bytes of the file, from its first page on, in which entries `from` to `to` lie.
    pub(crate) fn span(&self, from: u32, to: u32) -> Range<u64> {
        let end = to
            .checked_sub(1)
            .map_or(0, |last| self.offset(last).saturating_add(T::ENCODED_SIZE.into()));
        let from = self.start.saturating_add(self.offset(from));
        from..self.start.saturating_add(end).max(from)
    }

    /// Decodes the entry that `bytes` are.
    #[inline]
    pub(crate) fn decode<C>(&self, bytes: &[u8], context: &mut C) -> Result<T, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        T::decode_from_heap(&mut Input::new(bytes), context, &self.heap)
    }

    /// Decodes entry `index`, which is known to be there.
    // Where this is a call its result passes through memory, at twice the cost of all the rest.
    #[inline(always)]
    pub(crate) fn entry<C>(&self, index: u32, context: &mut C) -> Result<T, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        match self.in_place.entry(index, T::ENCODED_SIZE) {
            Some(bytes) => self.decode(bytes, context),
            None => self.copied_entry(self.start.wrapping_add(self.offset(index)), context),
        }
    }

    /// The same, with all entries in place if they have come to be so.
    pub(crate) fn settled(self) -> Self {
        Self { in_place: self.in_place.settled(), ..self }
    }

    pub(crate) const fn in_place(&self) -> InPlace<'r> {
        self.in_place
    }

    /// The first byte of an entry, from the first of the section on.
    #[inline]
    const fn offset(&self, index: u32) -> u64 {
        self.places.offset(index, T::ENCODED_SIZE)
    }

    /// Decodes an entry from a copy of its bytes.
    #[inline(never)]
    fn copied_entry<C>(&self, offset: u64, context: &mut C) -> Result<T, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        match Self::SIZE {
            ..=16 => self.copied::<16, C>(offset, context),
            17..=64 => self.copied::<64, C>(offset, context),
            65..=1024 => self.copied::<1024, C>(offset, context),
            size => {
                let mut bytes = vec![0; size];
                self.store.read(offset, &mut bytes)?;
                self.decode(&bytes, context)
            }
        }
    }

    /// Decodes an entry from a copy of its bytes, at most `N`.
    #[inline]
    fn copied<const N: usize, C>(&self, offset: u64, context: &mut C) -> Result<T, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        let mut bytes = [0; N];
        let bytes = bytes.get_mut(..Self::SIZE).unwrap_or_default();
        if !self.store.read_cached(offset, bytes) {
            self.store.read(offset, bytes)?;
        }
        self.decode(bytes, context)
    }
}

/// Reading entries. Each call has a twin for types with a context.
impl<'r, S: Source, T: EncodeSized> Entries<'r, S, T> {
    /// Entry `index`, or `None` when there are fewer.
    ///
    /// # Errors
    /// [`ReadError::Io`] and [`ReadError::Checksum`] when its bytes, or those on the heap, cannot be
    /// read; any other when they are those of no value.
    #[inline]
    pub fn get(&self, index: u32) -> Result<Option<T>, ReadError>
    where
        T: DecodeFromHeap,
    {
        self.get_with(index, &mut ())
    }

    /// As [`Self::get`].
    ///
    /// # Errors
    /// As [`Self::get`].
    #[inline]
    pub fn get_with<C>(&self, index: u32, context: &mut C) -> Result<Option<T>, ReadError>
    where
        T: DecodeFromHeap<C>,
    {
        if index >= self.len() {
            return Ok(None);
        }
        self.entry(index, context).map(Some)
    }

    /// All entries, from the first to the last or the other way round. One that cannot be read is an
    /// error in its place; those after it follow.
    #[must_use]
    pub fn iter(&self) -> Iter<'r, 'static, S, T>
    where
        T: DecodeFromHeap,
    {
        self.iter_with(no_context())
    }

    /// As [`Self::iter`].
    #[must_use]
    pub const fn iter_with<'c, C>(&self, context: &'c mut C) -> Iter<'r, 'c, S, T, C>
    where
        T: DecodeFromHeap<C>,
    {
        Iter::new(*self, 0..self.len(), context)
    }

    /// The entries of a range of indices, as far as there are such.
    pub fn iter_range(&self, range: impl RangeBounds<u32>) -> Iter<'r, 'static, S, T>
    where
        T: DecodeFromHeap,
    {
        self.iter_range_with(range, no_context())
    }

    /// As [`Self::iter_range`].
    pub fn iter_range_with<'c, C>(
        &self,
        range: impl RangeBounds<u32>,
        context: &'c mut C,
    ) -> Iter<'r, 'c, S, T, C>
    where
        T: DecodeFromHeap<C>,
    {
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => self.len(),
        };
        let end = end.min(self.len());
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        Iter::new(*self, start.min(end)..end, context)
    }
}

impl<'r, S: Source, T: EncodeSized + DecodeFromHeap> IntoIterator for Entries<'r, S, T> {
    type Item = Result<T, ReadError>;
    type IntoIter = Iter<'r, 'static, S, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'r, S: Source, T: EncodeSized + DecodeFromHeap> IntoIterator for &Entries<'r, S, T> {
    type Item = Result<T, ReadError>;
    type IntoIter = Iter<'r, 'static, S, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<S, T> Clone for Entries<'_, S, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, T> Copy for Entries<'_, S, T> {}

impl<S, T> fmt::Debug for Entries<'_, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries")
            .field("start", &self.start)
            .field("len", &self.layout.entry_count())
            .finish_non_exhaustive()
    }
}
