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
    start: u64,
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
        let window = match end {
            End::Front => &mut self.ahead,
            End::Back => &mut self.behind,
        };
        if window.get(&wanted).is_none() {
            let store = self.entries.store();
            let unit_len = store.unit_len();
            let len = WINDOW_LEN.max(unit_len).max(T::ENCODED_SIZE.into());
            let rest = self
                .entries
                .span(self.range.start.min(index), self.range.end.max(index.saturating_add(1)));
            // Cut where units end, so that no unit is read for two windows.
            let floor = |offset: u64| offset & !unit_len.wrapping_sub(1);
            let range = match end {
                End::Front => {
                    let end = floor(wanted.start.saturating_add(len)).max(wanted.end);
                    floor(wanted.start)..end.min(rest.end)
                }
                End::Back => {
                    let start = floor(wanted.end.saturating_sub(len).max(rest.start));
                    start.min(wanted.start)..wanted.end
                }
            };
            window.fill(store, range)?;
        }
        let bytes = window.get(&wanted).unwrap_or_default();
        self.entries.decode(bytes, self.context)
    }
}

impl Window {
    const EMPTY: Self = Self { start: 0, bytes: Vec::new() };

    fn get(&self, range: &Range<u64>) -> Option<&[u8]> {
        let start = usize::try_from(range.start.checked_sub(self.start)?).ok()?;
        let end = usize::try_from(range.end.checked_sub(self.start)?).ok()?;
        self.bytes.get(start..end)
    }

    /// Reads a range that has been found to lie in the file.
    fn fill<S: Source>(&mut self, store: &Store<S>, range: Range<u64>) -> Result<(), ReadError> {
        let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        self.start = range.start;
        self.bytes.resize(len, 0);
        let read = store.read(range.start, &mut self.bytes);
        if read.is_err() {
            self.bytes.clear();
        }
        read
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
