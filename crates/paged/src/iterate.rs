//! All entries of a section, or a range of them, in order.
//!
//! Where the source is not in memory an iterator reads ahead into windows of its own, one for each
//! end, and leaves the cache to those who look things up.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::Range;

use crate::reader::{Entries, Store};
use crate::source::Source;
use crate::{DecodeFromHeap, EncodeSized, ReadError};

/// Bytes that are read at once, unless an entry is longer.
const WINDOW_LEN: u64 = 64 << 10;

/// The context of types that have none.
pub(crate) fn no_context() -> &'static mut () {
    // A box of nothing takes no memory, so none is lost.
    Box::leak(Box::new(()))
}

/// Entries of a section, in order.
pub struct Iter<'r, 'c, S, T, C = ()> {
    entries: Entries<'r, S, T>,
    range: Range<u32>,
    context: &'c mut C,
    ahead: Window,
    behind: Window,
}

/// Bytes that were read and lie next to those that are wanted next.
struct Window {
    range: Range<u64>,
    /// None when they could not be read.
    bytes: Vec<u8>,
}

/// From which side entries are taken.
#[derive(Clone, Copy)]
enum End {
    Front,
    Back,
}

impl<'r, 'c, S, T, C> Iter<'r, 'c, S, T, C> {
    pub(crate) const fn new(
        entries: Entries<'r, S, T>,
        range: Range<u32>,
        context: &'c mut C,
    ) -> Self {
        Self { entries, range, context, ahead: Window::EMPTY, behind: Window::EMPTY }
    }
}

impl<S: Source, T: EncodeSized + DecodeFromHeap<C>, C> Iter<'_, '_, S, T, C> {
    /// Decodes entry `index`, which was just taken off the range at `end`.
    #[inline]
    fn take(&mut self, index: u32, end: End) -> Result<T, ReadError> {
        if self.entries.is_in_memory() {
            return self.entries.entry(index, self.context);
        }
        let wanted = self.entries.span(index, index.saturating_add(1));
        let (entries, store) = (self.entries, self.entries.store());
        let left = self.range.start.min(index)..self.range.end.max(index.saturating_add(1));
        let limits = || entries.span(left.start, left.end);
        let bytes = match end {
            End::Front => self.ahead.get(store, &wanted, |len| {
                floor(wanted.start, store.unit_len())
                    ..floor(wanted.start.saturating_add(len), store.unit_len())
                        .max(wanted.end)
                        .min(limits().end)
            }),
            End::Back => self.behind.get(store, &wanted, |len| {
                let start = wanted.end.saturating_sub(len).max(limits().start);
                floor(start, store.unit_len()).min(wanted.start)..wanted.end
            }),
        };
        match bytes {
            Some(bytes) => self.entries.decode(bytes, self.context),
            None => self.entries.entry(index, self.context),
        }
    }
}

/// The start of the unit of a byte: windows end where units do, so that none is read for two.
const fn floor(offset: u64, unit_len: u64) -> u64 {
    offset & !unit_len.wrapping_sub(1)
}

impl Window {
    const EMPTY: Self = Self { range: 0..0, bytes: Vec::new() };

    /// The bytes of a range that lies in the file; first those that `around` says, given how many are good
    /// to read at once. `None` when not all of them can be read: then those that can are read one by one.
    #[inline]
    fn get<S: Source>(
        &mut self,
        store: &Store<S>,
        wanted: &Range<u64>,
        around: impl FnOnce(u64) -> Range<u64>,
    ) -> Option<&[u8]> {
        if wanted.start < self.range.start || wanted.end > self.range.end {
            let wanted_len = wanted.end.saturating_sub(wanted.start);
            self.fill(store, around(WINDOW_LEN.max(store.unit_len()).max(wanted_len)));
        }
        let start = usize::try_from(wanted.start.checked_sub(self.range.start)?).ok()?;
        let end = usize::try_from(wanted.end.checked_sub(self.range.start)?).ok()?;
        self.bytes.get(start..end)
    }

    #[cold]
    fn fill<S: Source>(&mut self, store: &Store<S>, range: Range<u64>) {
        let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        self.bytes.resize(len, 0);
        if store.read(range.start, &mut self.bytes).is_err() {
            self.bytes.clear();
        }
        self.range = range;
    }
}

impl<S: Source, T: EncodeSized + DecodeFromHeap<C>, C> Iterator for Iter<'_, '_, S, T, C> {
    type Item = Result<T, ReadError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.range.next().map(|index| self.take(index, End::Front))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.range.nth(n).map(|index| self.take(index, End::Front))
    }
}

impl<S: Source, T: EncodeSized + DecodeFromHeap<C>, C> DoubleEndedIterator
    for Iter<'_, '_, S, T, C>
{
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.range.next_back().map(|index| self.take(index, End::Back))
    }

    fn nth_back(&mut self, n: usize) -> Option<Self::Item> {
        self.range.nth_back(n).map(|index| self.take(index, End::Back))
    }
}

impl<S: Source, T: EncodeSized + DecodeFromHeap<C>, C> ExactSizeIterator for Iter<'_, '_, S, T, C> {}

impl<S: Source, T: EncodeSized + DecodeFromHeap<C>, C> FusedIterator for Iter<'_, '_, S, T, C> {}

impl<S, T, C> fmt::Debug for Iter<'_, '_, S, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("range", &self.range).finish_non_exhaustive()
    }
}
