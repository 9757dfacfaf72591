//! Which blocks are stored: a sparse set of block indexes in pages of 32768 bits.
//!
//! Memory follows from what was said, not from the numbers in it: a page without a bit set is absent, pages
//! with all bits set are a span of page numbers, one with few runs of set bits is those runs. Everything works on
//! runs, words or whole pages: no loop runs per bit, and clearing never visits a page that is absent. Pages
//! changed since the last [`clear_dirty`](Bitfield::clear_dirty) are remembered; the engine writes them at a
//! checkpoint.
//!
//! This module does not know the length of the tree: bits at or above it may be set (formats.md 8.3).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use random_access_storage::RandomAccess;

use crate::error::StorageError;
use crate::stores::FileName;

mod page;
mod runs;
mod spans;
#[cfg(test)]
mod tests;

use page::Page;
use spans::Spans;

/// Bytes of a page in the file.
pub(crate) const PAGE_LEN: usize = 4096;

/// Bits of a page.
pub(crate) const PAGE_BITS: u64 = 32768;

/// One past the largest block index there can be: indexes stay below 2^53 - 1, as in JavaScript.
pub(crate) const INDEX_END: u64 = (1 << 53) - 1;

/// Pages one [`Bitfield::set_range`] may add: 2^31 blocks.
///
/// A damaged or hostile oplog entry can name any range; no batch that ever fitted into memory comes
/// near this. Beyond it the call is refused with [`BitfieldError::TooManyPages`].
pub(crate) const PAGES_PER_SET_MAX: u64 = 1 << 16;

/// Pages a bitfield may hold: 2^37 blocks, 17 GB of file.
///
/// A hostile bitfield file or oplog can reach it; loading or setting is then refused with
/// [`BitfieldError::TooManyPages`].
pub(crate) const PAGES_MAX: u64 = 1 << 22;

/// Pages read from the file at a time while loading.
const LOAD_PAGES: u64 = 16;

/// Why bits were not set or loaded. The bitfield is unchanged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BitfieldError {
    /// More than [`PAGES_PER_SET_MAX`] new pages at once, or more than [`PAGES_MAX`] in all.
    #[error("the bitfield would grow by too many pages")]
    TooManyPages,
    /// The range ends above [`INDEX_END`].
    #[error("the range reaches past the largest block index")]
    IndexTooLarge,
    /// The bitfield store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A sparse set of block indexes.
///
/// Indexes at or above [`INDEX_END`] are never set. Ranges that start above their end are empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bitfield {
    /// Pages with some bits set and some not.
    pages: BTreeMap<u64, Page>,
    /// Numbers of the pages with all bits set. None of them is in `pages`.
    full: Spans,
    /// Numbers of the pages that differ from the file.
    dirty: Spans,
}

/// The part of a range that lies in one page.
struct Slice {
    number: u64,
    start: u32,
    end: u32,
}

/// The numbers of the pages that `range` touches; `None` when it is empty.
fn pages_of(range: &Range<u64>) -> Option<Range<u64>> {
    (!range.is_empty()).then(|| range.start / PAGE_BITS..range.end.div_ceil(PAGE_BITS))
}

/// The numbers of the pages that lie in `range` as a whole.
fn whole_pages(range: &Range<u64>) -> Range<u64> {
    let (start, end) = (range.start.div_ceil(PAGE_BITS), range.end / PAGE_BITS);
    start..end.max(start)
}

/// The parts of the pages that only partly lie in `range`: at most two.
fn edges(range: &Range<u64>) -> impl Iterator<Item = Slice> + use<> {
    let whole = whole_pages(range);
    let numbers = pages_of(range).unwrap_or(whole.clone());
    let (first, last) = (numbers.start, numbers.end.saturating_sub(1));
    let range = range.clone();
    [Some(first), Some(last).filter(|last| *last > first)]
        .into_iter()
        .flatten()
        .filter(move |number| numbers.contains(number) && !whole.contains(number))
        .map(move |number| slice(&range, number))
}

/// The part of `range` in page `number`, which must be one of [`pages_of`] it.
fn slice(range: &Range<u64>, number: u64) -> Slice {
    let base = number.saturating_mul(PAGE_BITS);
    let inside =
        |index: u64| u32::try_from(index.saturating_sub(base).min(PAGE_BITS)).unwrap_or(page::BITS);
    Slice { number, start: inside(range.start), end: inside(range.end) }
}

/// The index of bit `at` of page `number`.
fn index_in(number: u64, at: u32) -> u64 {
    number.saturating_mul(PAGE_BITS).saturating_add(u64::from(at))
}

/// The page alone, as a span.
fn only(number: u64) -> Range<u64> {
    number..number.saturating_add(1)
}

impl Bitfield {
    /// An empty bitfield.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Reads the bitfield file; a missing or empty one gives an empty bitfield.
    ///
    /// Holes are skipped, at most 64 KiB are read at a time, and only pages with a bit set are kept. Bits
    /// at or above 2^53 name no block and are not read.
    ///
    /// # Errors
    /// [`BitfieldError::Storage`] when the store failed, [`BitfieldError::TooManyPages`] above
    /// [`PAGES_MAX`] pages with a bit set.
    ///
    /// # Source
    /// formats.md section 8.3: `size - size % 4` bytes count; the size need not be a multiple of a page.
    pub(crate) fn load(store: &dyn RandomAccess) -> Result<Self, BitfieldError> {
        const PAGE: u64 = PAGE_LEN as u64;
        let storage = StorageError::in_file(FileName::Bitfield);
        let len = store.len().map_err(&storage)?;
        let size = (len & !3).min(INDEX_END.div_ceil(PAGE_BITS).saturating_mul(PAGE));
        let mut bitfield = Self::new();
        let mut buffer = vec![0; PAGE_LEN.saturating_mul(usize::try_from(LOAD_PAGES).unwrap_or(1))];
        let mut position = 0;
        while position < size {
            let Some(stored) = store.next_stored(position).map_err(&storage)? else { break };
            // A store may answer with ranges that do not match pages, or that lie behind.
            let start = stored.start.max(position);
            let end = stored.end.min(size);
            let mut number = start / PAGE;
            while let Some(from) = number.checked_mul(PAGE).filter(|from| *from < end) {
                let want = size.saturating_sub(from).min(LOAD_PAGES.saturating_mul(PAGE));
                // Never past the page that holds the last stored byte.
                let want = want.min(end.saturating_sub(from).div_ceil(PAGE).saturating_mul(PAGE));
                let want = usize::try_from(want).unwrap_or(PAGE_LEN).min(buffer.len());
                let piece = buffer.get_mut(..want).unwrap_or_default();
                store.read_at(from, piece).map_err(&storage)?;
                for bytes in piece.chunks(PAGE_LEN) {
                    bitfield.keep(number, Page::from_bytes(bytes));
                    number = number.saturating_add(1);
                }
                if bitfield.page_count() > PAGES_MAX {
                    return Err(BitfieldError::TooManyPages);
                }
            }
            position = number.saturating_mul(PAGE).max(position.saturating_add(PAGE));
        }
        // The last page may reach past the largest index.
        bitfield.clear(INDEX_END..u64::MAX);
        bitfield.clear_dirty();
        if len % 4 > 0 && size == len & !3 {
            // Bytes that do not count now would, once the file grows behind them.
            bitfield.dirty.insert(only(size / PAGE));
        }
        Ok(bitfield)
    }

    /// Puts a page that is not there yet where it belongs.
    fn keep(&mut self, number: u64, page: Page) {
        if page.is_full() {
            self.full.insert(only(number));
        } else if !page.is_empty() {
            self.pages.insert(number, page);
        }
    }

    /// Whether `index` is set.
    pub(crate) fn get(&self, index: u64) -> bool {
        let number = index / PAGE_BITS;
        match self.pages.get(&number) {
            Some(page) => page.get(u32::try_from(index % PAGE_BITS).unwrap_or_default()),
            None => self.full.contains(number),
        }
    }

    /// Sets or clears `range` and says whether that changed a bit.
    ///
    /// # Errors
    /// Only for `value == true`: [`BitfieldError::IndexTooLarge`] past [`INDEX_END`],
    /// [`BitfieldError::TooManyPages`] when it would add more pages than [`PAGES_PER_SET_MAX`], or make
    /// them more than [`PAGES_MAX`]. Nothing is changed then. Callers bound the range by the length of
    /// the tree first; this is the last guard.
    pub(crate) fn set_range(
        &mut self,
        range: Range<u64>,
        value: bool,
    ) -> Result<bool, BitfieldError> {
        if value { self.set(range) } else { Ok(self.clear(range)) }
    }

    fn set(&mut self, range: Range<u64>) -> Result<bool, BitfieldError> {
        let Some(numbers) = pages_of(&range) else { return Ok(false) };
        if range.end > INDEX_END {
            return Err(BitfieldError::IndexTooLarge);
        }
        self.guard_growth(numbers)?;
        let mut any = false;
        for edge in edges(&range) {
            any |= self.set_edge(&edge);
        }
        let whole = whole_pages(&range);
        if whole.is_empty() {
            return Ok(any);
        }
        for gap in self.full.gaps(whole.clone()) {
            self.dirty.insert(gap);
            any = true;
        }
        self.pages.extract_if(whole.clone(), |_, _| true).for_each(drop);
        self.full.insert(whole);
        Ok(any)
    }

    fn set_edge(&mut self, edge: &Slice) -> bool {
        let number = edge.number;
        let page = match self.pages.entry(number) {
            Entry::Occupied(page) => page.into_mut(),
            Entry::Vacant(_) if self.full.contains(number) => return false,
            Entry::Vacant(place) => place.insert(Page::empty()),
        };
        if page.set_range(edge.start, edge.end, true) == 0 {
            return false;
        }
        if page.is_full() {
            self.pages.remove(&number);
            self.full.insert(only(number));
        }
        self.dirty.insert(only(number));
        true
    }

    /// Refuses to add more pages than the limits allow. Costs nothing for ordinary ranges.
    fn guard_growth(&self, numbers: Range<u64>) -> Result<(), BitfieldError> {
        let touched = numbers.end.saturating_sub(numbers.start);
        let fits = |added: u64| {
            added <= PAGES_PER_SET_MAX && self.page_count().saturating_add(added) <= PAGES_MAX
        };
        if fits(touched) {
            return Ok(());
        }
        let partial = self.pages.range(numbers.clone()).count() as u64;
        let missing: u64 =
            self.full.gaps(numbers).map(|gap| gap.end.saturating_sub(gap.start)).sum();
        if fits(missing.saturating_sub(partial)) {
            Ok(())
        } else {
            Err(BitfieldError::TooManyPages)
        }
    }

    /// Clears `range` and says whether that changed a bit. Visits present pages only.
    pub(crate) fn clear(&mut self, range: Range<u64>) -> bool {
        let mut any = false;
        for edge in edges(&range) {
            any |= self.clear_edge(&edge);
        }
        let whole = whole_pages(&range);
        let partial =
            self.pages.extract_if(whole.clone(), |_, _| true).map(|(number, _)| only(number));
        for gone in partial.chain(self.full.within(whole.clone())) {
            self.dirty.insert(gone);
            any = true;
        }
        self.full.remove(whole);
        any
    }

    fn clear_edge(&mut self, edge: &Slice) -> bool {
        let number = edge.number;
        if self.full.contains(number) {
            self.full.remove(only(number));
            self.pages.insert(number, Page::full());
        }
        let Some(page) = self.pages.get_mut(&number) else { return false };
        if page.set_range(edge.start, edge.end, false) == 0 {
            return false;
        }
        if page.is_empty() {
            self.pages.remove(&number);
        }
        self.dirty.insert(only(number));
        true
    }

    /// Clears every bit at or above `length` and says whether one was set.
    pub(crate) fn truncate(&mut self, length: u64) -> bool {
        self.clear(length..u64::MAX)
    }

    /// The first index of `range` whose bit equals `value`.
    pub(crate) fn find_first(&self, value: bool, range: Range<u64>) -> Option<u64> {
        if value { self.first_set(&range) } else { self.first_unset(&range) }
    }

    fn first_set(&self, range: &Range<u64>) -> Option<u64> {
        let numbers = pages_of(range)?;
        // Present pages have a bit set: only the first may have none inside the range, and be followed by another.
        let partial = self.pages.range(numbers.clone()).find_map(|(number, page)| {
            let slice = slice(range, *number);
            page.first(true, slice.start, slice.end).map(|at| index_in(*number, at))
        });
        let full = self.full.within(numbers).next();
        let full = full.map(|span| index_in(span.start, 0).max(range.start));
        partial.into_iter().chain(full).min()
    }

    fn first_unset(&self, range: &Range<u64>) -> Option<u64> {
        let numbers = pages_of(range)?;
        let mut number = numbers.start;
        while number < numbers.end {
            if let Some(page) = self.pages.get(&number) {
                let slice = slice(range, number);
                if let Some(at) = page.first(false, slice.start, slice.end) {
                    return Some(index_in(number, at));
                }
                number = number.saturating_add(1);
            } else if let Some(span) = self.full.span_of(number) {
                number = span.end;
            } else {
                return Some(index_in(number, 0).max(range.start));
            }
        }
        None
    }

    /// The last set index below `before`.
    pub(crate) fn find_last_set(&self, before: u64) -> Option<u64> {
        let range = 0..before;
        let numbers = pages_of(&range)?;
        let full = self.full.last_below(numbers.end);
        let full = full.and_then(|number| index_in(number, page::BITS).min(before).checked_sub(1));
        let partial = self.pages.range(numbers).rev().find_map(|(number, page)| {
            let at = page.last_set(slice(&range, *number).end)?;
            Some(index_in(*number, at))
        });
        partial.max(full)
    }

    /// How many indexes of `range` are set.
    pub(crate) fn count_set(&self, range: Range<u64>) -> u64 {
        let Some(numbers) = pages_of(&range) else { return 0 };
        let partial = self.pages.range(numbers.clone()).map(|(number, page)| {
            let slice = slice(&range, *number);
            u64::from(page.count(slice.start, slice.end))
        });
        let full = self.full.within(numbers).map(|span| {
            let (start, end) = (index_in(span.start, 0), index_in(span.end, 0));
            end.min(range.end).saturating_sub(start.max(range.start))
        });
        partial.chain(full).fold(0, u64::saturating_add)
    }

    /// Whether every index of `range` is set; true for an empty range.
    pub(crate) fn has_range(&self, range: Range<u64>) -> bool {
        self.find_first(false, range).is_none()
    }

    /// The first index at or after `start` that is not set.
    pub(crate) fn contiguous_from(&self, start: u64) -> u64 {
        self.find_first(false, start..u64::MAX).unwrap_or(start)
    }

    /// The runs of set indexes in `range`, cut to it, in order.
    pub(crate) fn set_ranges(&self, range: Range<u64>) -> SetRanges<'_> {
        SetRanges { bitfield: self, rest: range }
    }

    /// Pages with a bit set.
    pub(crate) fn page_count(&self) -> u64 {
        self.full.count().saturating_add(self.pages.len() as u64)
    }

    /// Whether a page differs from the file.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The pages that differ from the file, in order: byte offset in the file and content. Made one at a
    /// time: all together may be far larger than what is kept of them.
    pub(crate) fn dirty_pages(&self) -> impl Iterator<Item = (u64, [u8; PAGE_LEN])> + '_ {
        self.dirty.within(0..u64::MAX).flatten().map(|number| {
            let bytes = match self.pages.get(&number) {
                Some(page) => page.to_bytes(),
                None if self.full.contains(number) => [0xff; PAGE_LEN],
                None => [0; PAGE_LEN],
            };
            (number.saturating_mul(PAGE_LEN as u64), bytes)
        })
    }

    /// Where the last page ends in the file that differs from it; 0 without one.
    pub(crate) fn dirty_end(&self) -> u64 {
        let last = self.dirty.last_below(u64::MAX);
        last.map_or(0, |last| last.saturating_add(1).saturating_mul(PAGE_LEN as u64))
    }

    /// Counts page `number` among those that differ from the file, whether it does or not.
    pub(crate) fn mark_page(&mut self, number: u64) {
        self.dirty.insert(only(number));
    }

    /// Forgets which pages differ from the file: the caller has written them.
    pub(crate) fn clear_dirty(&mut self) {
        self.dirty.clear();
    }
}

/// The runs of set indexes in a range: see [`Bitfield::set_ranges`].
#[derive(Clone, Debug)]
pub(crate) struct SetRanges<'a> {
    bitfield: &'a Bitfield,
    rest: Range<u64>,
}

impl Iterator for SetRanges<'_> {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let Some(start) = self.bitfield.find_first(true, self.rest.clone()) else {
            self.rest.start = self.rest.end;
            return None;
        };
        let end = self.bitfield.find_first(false, start..self.rest.end).unwrap_or(self.rest.end);
        self.rest.start = end;
        Some(start..end)
    }
}
