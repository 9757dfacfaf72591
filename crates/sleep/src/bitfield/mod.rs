//! The file `bitfield`: which blocks and which nodes are stored.
//!
//! All of it is held in memory, but for pages without a set bit. What a page holds beside its bits
//! (the index) is not kept: it is made afresh when the page is written. Changes stay in memory until
//! [`Bitfield::write`]. This module must not know trees, hashes or signatures: a bit is a bit.
//!
//! # Source
//! "SLEEP storage", section 6.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "bits are below 2^33, page numbers at most PAGE_COUNT_MAX; `place` saturates what is not"
)]

mod bits;
mod index;
mod page;
mod stored;
#[cfg(test)]
mod tests;
mod torn;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use flat_tree::Index;

pub(crate) use self::page::NODES_PER_PAGE;
use self::page::{Array, BLOCKS_PER_PAGE, Page};
use crate::error::{Error, Result};
use crate::header::PageSize;
use crate::length::{FEED_LENGTH_MAX, length_of};

/// Most pages a bitfield has.
const PAGE_COUNT_MAX: usize = (FEED_LENGTH_MAX / BLOCKS_PER_PAGE) as usize;

/// Which blocks and nodes of a feed are stored.
///
/// Memory: 3 KiB for every 8192 blocks of which something is stored, and about 10 bytes where nothing
/// is or, once loaded, everything.
#[derive(Clone)]
pub struct Bitfield {
    page_size: PageSize,
    /// `None`: no bit is set.
    pages: Vec<Option<Arc<Page>>>,
    /// Pages with bits that changed since they were written.
    dirty: BTreeSet<usize>,
    /// What the last index position of each page holds, as stored.
    joints: Vec<u8>,
    /// The index from the tops of the pages upwards. Made for the first write.
    above: index::Above,
}

impl Bitfield {
    /// A bitfield without pages.
    #[must_use]
    pub fn new(page_size: PageSize) -> Self {
        Self {
            page_size,
            pages: Vec::new(),
            dirty: BTreeSet::new(),
            joints: Vec::new(),
            above: index::Above::default(),
        }
    }

    /// How long its pages are.
    #[must_use]
    pub const fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// Number of pages, those without a set bit too.
    #[must_use]
    pub const fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// The length of the feed, by which nodes are stored.
    ///
    /// # Source
    /// "SLEEP storage", section 6.4.
    #[must_use]
    pub fn length(&self) -> u64 {
        // Of the last node that has a bit only a longer feed would be the root.
        let node_count = self.end(Array::Tree).min(2 * FEED_LENGTH_MAX - 1);
        length_of(node_count, |node| self.has_node(node))
    }

    /// Whether the block is stored.
    #[must_use]
    pub fn has_block(&self, block: u64) -> bool {
        self.get(Array::Data, block)
    }

    /// Whether the node is stored.
    #[must_use]
    pub fn has_node(&self, node: Index) -> bool {
        self.get(Array::Tree, node.get())
    }

    /// Says that blocks are stored, or that they are not.
    ///
    /// # Errors
    /// [`Error::TooManyBlocks`] past [`FEED_LENGTH_MAX`]; then nothing has changed.
    pub fn set_blocks(&mut self, blocks: Range<u64>, is_stored: bool) -> Result<()> {
        self.fill(Array::Data, blocks, is_stored)
    }

    /// Says that a node is stored, or that it is not.
    ///
    /// # Errors
    /// As [`set_blocks`](Self::set_blocks).
    pub fn set_node(&mut self, node: Index, is_stored: bool) -> Result<()> {
        let end = node.get().checked_add(1).ok_or(Error::TooManyBlocks)?;
        self.fill(Array::Tree, node.get()..end, is_stored)
    }

    /// Says that a node is stored, and with it its parent when the sibling is, and so on upwards.
    ///
    /// # Errors
    /// As [`set_blocks`](Self::set_blocks).
    ///
    /// # Source
    /// "SLEEP storage", section 6.2.
    pub fn add_node(&mut self, node: Index) -> Result<()> {
        self.set_node(node, true)?;
        let mut node = node;
        while let (Some(sibling), Some(parent)) = (node.sibling(), node.parent()) {
            if !self.has_node(sibling) || self.has_node(parent) {
                break;
            }
            self.set_node(parent, true)?;
            node = parent;
        }
        Ok(())
    }

    /// Says that all nodes are stored that a feed of `lengths.end` blocks has and one of
    /// `lengths.start` blocks has not: what an append adds.
    ///
    /// # Errors
    /// As [`set_blocks`](Self::set_blocks).
    pub fn add_nodes_of(&mut self, lengths: Range<u64>) -> Result<()> {
        if lengths.end > FEED_LENGTH_MAX {
            return Err(Error::TooManyBlocks);
        }
        if lengths.is_empty() {
            return Ok(());
        }
        // Parents that lie left of the first new leaf, and are complete now.
        let completed = straddling(lengths.start).filter(|node| node.end_block() <= lengths.end);
        for node in completed {
            self.set_node(node, true)?;
        }
        // All from the first new leaf to the last, but for parents of what is still to come.
        let mut start = lengths.start * 2;
        let mut open: Vec<Index> = straddling(lengths.end).collect();
        open.sort_unstable();
        for node in open.into_iter().filter(|node| node.get() >= lengths.start * 2) {
            self.fill(Array::Tree, start..node.get(), true)?;
            start = node.get() + 1;
        }
        self.fill(Array::Tree, start..lengths.end * 2 - 1, true)
    }

    /// Forgets blocks from `length` on and nodes that are not inside a feed of `length` blocks: bits
    /// that a truncation or another program left behind. Returns how many were set.
    pub fn truncate(&mut self, length: u64) -> u64 {
        let length = length.min(FEED_LENGTH_MAX);
        let set_before =
            self.count_blocks(length..u64::MAX).saturating_add(self.count_nodes_past(length));
        let (blocks, nodes) = (self.end(Array::Data), self.end(Array::Tree));
        self.fill_existing(Array::Data, length..blocks, false);
        self.fill_existing(Array::Tree, length.saturating_mul(2)..nodes, false);
        for node in straddling(length) {
            self.fill_existing(Array::Tree, node.get()..node.get().saturating_add(1), false);
        }
        set_before
    }

    /// Number of stored blocks in a range.
    #[must_use]
    pub fn count_blocks(&self, blocks: Range<u64>) -> u64 {
        self.count(Array::Data, blocks)
    }

    /// Number of nodes that are set and not inside a feed of `length` blocks.
    #[must_use]
    pub fn count_nodes_past(&self, length: u64) -> u64 {
        let straddling = straddling(length).filter(|node| self.has_node(*node)).count() as u64;
        self.count(Array::Tree, length.saturating_mul(2)..u64::MAX).saturating_add(straddling)
    }

    /// The ranges of stored blocks, cut to `within`.
    #[must_use]
    pub fn blocks(&self, within: Range<u64>) -> Ranges<'_> {
        Ranges { bitfield: self, array: Array::Data, within }
    }

    /// The ranges of stored nodes, by index, cut to `within`.
    #[must_use]
    pub fn nodes(&self, within: Range<u64>) -> Ranges<'_> {
        Ranges { bitfield: self, array: Array::Tree, within }
    }

    /// The first block in a range that is not stored.
    #[must_use]
    pub fn first_missing(&self, blocks: Range<u64>) -> Option<u64> {
        let found = self.find(Array::Data, blocks.start, false).unwrap_or(self.end(Array::Data));
        Some(found.max(blocks.start)).filter(|block| *block < blocks.end)
    }

    /// Makes the pages that a feed of `length` blocks has, so that the next write stores them, zero
    /// as they are.
    ///
    /// # Errors
    /// As [`set_blocks`](Self::set_blocks).
    pub fn reserve(&mut self, length: u64) -> Result<()> {
        if length > FEED_LENGTH_MAX {
            return Err(Error::TooManyBlocks);
        }
        let (count, _) = place(Array::Data, length.next_multiple_of(BLOCKS_PER_PAGE));
        if count > self.pages.len() {
            self.pages.resize(count, None);
        }
        Ok(())
    }

    /// Bits of an array that have pages.
    const fn end(&self, array: Array) -> u64 {
        (self.pages.len() as u64).saturating_mul(array.bits_per_page())
    }

    fn page(&self, page: usize) -> Option<&Page> {
        self.pages.get(page)?.as_deref()
    }

    fn get(&self, array: Array, bit: u64) -> bool {
        let (page, bit) = place(array, bit);
        self.page(page).is_some_and(|page| bits::get(page.bits(array), bit))
    }

    /// Sets or clears bits, and makes the pages that this needs.
    fn fill(&mut self, array: Array, range: Range<u64>, value: bool) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        if range.end > array.bits_per_page().saturating_mul(PAGE_COUNT_MAX as u64) {
            return Err(Error::TooManyBlocks);
        }
        let (last_page, _) = place(array, range.end - 1);
        if value && last_page >= self.pages.len() {
            self.pages.resize(last_page + 1, None);
        }
        self.fill_existing(array, range, value);
        Ok(())
    }

    /// Sets or clears bits as far as there are pages.
    fn fill_existing(&mut self, array: Array, range: Range<u64>, value: bool) {
        let end = range.end.min(self.end(array));
        for (number, bits) in parts(array, range.start..end) {
            let Some(slot) = self.pages.get_mut(number) else { break };
            if value && slot.is_none() {
                *slot = Some(Arc::new(Page::EMPTY));
            }
            let Some(page) = slot else { continue };
            if bits::fill(Arc::make_mut(page).bits_mut(array), bits, value) {
                self.dirty.insert(number);
            }
        }
    }

    /// The first bit at or after `from` that is `value`, as far as there are pages.
    fn find(&self, array: Array, from: u64, value: bool) -> Option<u64> {
        let (mut number, mut first) = place(array, from);
        while number < self.pages.len() {
            let found = match self.page(number) {
                Some(page) => bits::find(page.bits(array), first, value),
                None => (!value).then_some(first),
            };
            if let Some(bit) = found {
                return Some(number as u64 * array.bits_per_page() + bit as u64);
            }
            (number, first) = (number + 1, 0);
        }
        None
    }

    fn count(&self, array: Array, range: Range<u64>) -> u64 {
        let end = range.end.min(self.end(array));
        parts(array, range.start..end)
            .filter_map(|(number, bits)| Some(bits::count(self.page(number)?.bits(array), bits)))
            .sum::<usize>() as u64
    }
}

impl fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bitfield")
            .field("page_size", &self.page_size)
            .field("blocks", &self.blocks(0..u64::MAX).collect::<Vec<_>>())
            .field("nodes", &self.nodes(0..u64::MAX).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Page of a bit, and its place in there. A bit past all pages that can be gets a page past them.
fn place(array: Array, bit: u64) -> (usize, usize) {
    let page = usize::try_from(bit / array.bits_per_page()).unwrap_or(usize::MAX);
    (page, usize::try_from(bit % array.bits_per_page()).unwrap_or(usize::MAX))
}

/// A range of bits, page by page.
fn parts(array: Array, bits: Range<u64>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let Range { mut start, end } = bits;
    std::iter::from_fn(move || {
        let left = end.checked_sub(start).filter(|left| *left > 0)?;
        let (page, first) = place(array, start);
        let len = left.min(array.bits_per_page() - first as u64);
        start += len;
        Some((page, first..first + usize::try_from(len).unwrap_or(0)))
    })
}

/// The nodes that begin before block `length` and end after it, and lie left of its leaf: all of
/// them parents of that leaf.
fn straddling(length: u64) -> impl Iterator<Item = Index> {
    let leaf = Index::leaf(length.min(FEED_LENGTH_MAX));
    std::iter::successors(leaf, |node| node.parent().filter(|_| node.depth().get() < 34))
        .filter(move |node| node.get() < length.saturating_mul(2))
}

/// Ranges of set bits, from left to right.
#[derive(Clone, Debug)]
pub struct Ranges<'a> {
    bitfield: &'a Bitfield,
    array: Array,
    within: Range<u64>,
}

impl Iterator for Ranges<'_> {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let Range { start, end } = self.within;
        let first = self.bitfield.find(self.array, start, true).filter(|first| *first < end)?;
        let last = self.bitfield.find(self.array, first, false);
        let last = last.unwrap_or(self.bitfield.end(self.array)).min(end);
        self.within.start = last;
        Some(first..last)
    }
}
