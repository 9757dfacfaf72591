//! The kinds of the pages of one region, and which of them can be given out now.
//!
//! Invariants: a page that is not free is busy; a free one is busy while it is withheld, which is not
//! stored. Searches cost a word per 64 pages, and a region in which nothing was found is not searched
//! again before something changes.

use std::num::NonZeroU64;

use super::kinds::{StoredKind, kind_at, shift_of};
use super::layout::{
    ALLOCATION_MAGIC, NODE_HEADER_LEN, SECTOR_LEN, at_least_one, inline_units, map_leaf_units,
};
use super::reference::Reference;
use super::tree::Leaf;
use crate::error::MappedPageError;

/// Pages whose busy bits are in one word.
const WORD_UNITS: u64 = 64;
/// The low bit of each pair of bits in a word of kinds.
const LOW_BITS: u64 = 0x5555_5555_5555_5555;

/// The map of one region.
#[derive(Debug)]
pub(crate) struct MapLeaf {
    kinds: Box<[u8]>,
    busy_bits: Box<[u64]>,
    used: u64,
    busy: u64,
    /// Every word before this one is full.
    first_open_word: usize,
    /// No two adjacent units of which the first is below this one can be given out.
    pairless: u64,
}

impl MapLeaf {
    fn new(len: usize) -> Self {
        let words = len.saturating_mul(4).div_ceil(64);
        Self {
            kinds: vec![0; len].into_boxed_slice(),
            busy_bits: vec![0; words].into_boxed_slice(),
            used: 0,
            busy: 0,
            first_open_word: 0,
            pairless: 0,
        }
    }

    /// Reads a map of which `limit` units exist. `None`: a unit past them is in use.
    pub(crate) fn parse(map: &[u8], limit: u64) -> Option<Self> {
        let mut leaf = Self::new(map.len());
        leaf.kinds.copy_from_slice(map);
        leaf.age();
        for (word, bits) in leaf.busy_bits.iter_mut().enumerate() {
            for half in 0..2_usize {
                let kinds = word_at(&leaf.kinds, word.saturating_mul(2).saturating_add(half));
                let used = (kinds | kinds >> 1) & LOW_BITS;
                *bits |= squeezed(used) << half.saturating_mul(32);
            }
            leaf.used = leaf.used.saturating_add(bits.count_ones().into());
        }
        leaf.busy = leaf.used;
        let is_inside = leaf.busy_bits.iter().enumerate().all(|(word, &bits)| {
            let end = units_before(word)
                .saturating_add(WORD_UNITS.saturating_sub(bits.leading_zeros().into()));
            bits == 0 || end <= limit
        });
        is_inside.then_some(leaf)
    }

    /// The map of the first pages of a file.
    pub(crate) fn parse_inline(map: &[u8], page_count: u64) -> Option<Self> {
        let leaf = Self::parse(map, page_count)?;
        (0..3).all(|index| leaf.kind(index) == StoredKind::Held).then_some(leaf)
    }

    /// The inline map of a new file.
    pub(crate) fn first(page_len: usize) -> Self {
        let mut leaf = Self::new(page_len.saturating_sub(SECTOR_LEN));
        for index in 0..3 {
            leaf.take(index, StoredKind::Held);
        }
        leaf
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    pub(crate) fn busy(&self) -> u64 {
        self.busy
    }

    #[inline]
    pub(crate) fn kind(&self, index: usize) -> StoredKind {
        kind_at(&self.kinds, index)
    }

    pub(crate) fn is_busy(&self, index: usize) -> bool {
        self.busy_bits.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Gives a page that can be given out a kind.
    pub(crate) fn take(&mut self, index: usize, kind: StoredKind) {
        assert!(
            self.kind(index) == StoredKind::Free && !self.is_busy(index),
            "a page is given out that is in use or withheld"
        );
        self.set_kind(index, kind);
        self.set_busy(index, true);
    }

    /// Does so from `first` on, until there are `count` or one that can not be given out; tells how many.
    pub(crate) fn take_run(&mut self, first: usize, kind: StoredKind, count: u64) -> u64 {
        let mut taken = 0;
        for index in first..self.kinds.len().saturating_mul(4) {
            if taken == count || self.is_busy(index) {
                break;
            }
            self.take(index, kind);
            taken = taken.saturating_add(1);
        }
        taken
    }

    /// Frees a page in use; it stays busy.
    pub(crate) fn release(&mut self, index: usize) {
        self.set_kind(index, StoredKind::Free);
    }

    /// Gives a page another kind.
    pub(crate) fn set_kind(&mut self, index: usize, kind: StoredKind) {
        let was_used = self.kind(index) != StoredKind::Free;
        let shift = shift_of(index);
        if let Some(byte) = self.kinds.get_mut(index / 4) {
            *byte = *byte & !(3 << shift) | kind.bits() << shift;
        }
        match (was_used, kind != StoredKind::Free) {
            (false, true) => self.used = self.used.saturating_add(1),
            (true, false) => self.used = self.used.saturating_sub(1),
            _ => {}
        }
    }

    /// Makes a free page one that can be given out, or not.
    pub(crate) fn set_busy(&mut self, index: usize, is_busy: bool) {
        if self.is_busy(index) == is_busy {
            return;
        }
        if let Some(word) = self.busy_bits.get_mut(index / 64) {
            *word ^= 1 << (index % 64);
        }
        if is_busy {
            self.busy = self.busy.saturating_add(1);
            while self.busy_bits.get(self.first_open_word) == Some(&u64::MAX) {
                self.first_open_word = self.first_open_word.saturating_add(1);
            }
        } else {
            self.busy = self.busy.saturating_sub(1);
            self.first_open_word = self.first_open_word.min(index / 64);
            self.pairless = self.pairless.min(index.saturating_sub(1) as u64);
        }
    }

    /// The lowest of the first `span` units that can be given out.
    pub(crate) fn lowest(&self, span: u64) -> Option<u64> {
        let mut words = self.busy_bits.iter().enumerate().skip(self.first_open_word);
        let (word, bits) = words.find(|&(_, &bits)| bits != u64::MAX)?;
        let index = units_before(word).saturating_add(bits.trailing_ones().into());
        (index < span).then_some(index)
    }

    /// Whether it is known that no two adjacent units of the first `span` can be given out.
    pub(crate) fn is_pairless(&self, span: u64) -> bool {
        self.pairless.saturating_add(1) >= span
    }

    /// Notes that no two adjacent units of the first `span` can be given out.
    pub(crate) fn set_pairless(&mut self, span: u64) {
        self.pairless = self.pairless.max(span.saturating_sub(1));
    }

    /// The lowest two adjacent units of the first `span` that can be given out.
    pub(crate) fn lowest_pair(&self, span: u64) -> Option<u64> {
        let start = usize::try_from(self.pairless / WORD_UNITS).unwrap_or(usize::MAX);
        for (word, &bits) in self.busy_bits.iter().enumerate().skip(start) {
            let next = self.busy_bits.get(word.saturating_add(1)).copied().unwrap_or(u64::MAX);
            let pairs = !bits & !(bits >> 1 | next << 63);
            if pairs != 0 {
                let index = units_before(word).saturating_add(pairs.trailing_zeros().into());
                return (index.saturating_add(1) < span).then_some(index);
            }
        }
        None
    }

    /// The first regular page at or after `from`.
    pub(crate) fn next_regular(&self, from: usize) -> Option<u64> {
        let first = from / 32;
        for word in first..self.kinds.len().div_ceil(8) {
            let kinds = word_at(&self.kinds, word);
            // Regular or blank: exactly one of the two bits.
            let mut regular = (kinds ^ kinds >> 1) & LOW_BITS;
            if word == first {
                regular &= u64::MAX << (from % 32).saturating_mul(2);
            }
            if regular != 0 {
                let index = u64::from(regular.trailing_zeros() / 2);
                return Some((word as u64).saturating_mul(32).saturating_add(index));
            }
        }
        None
    }

    /// Writes the map as of this commit; from then on it is that of an older one.
    pub(crate) fn write(&mut self, map: &mut [u8]) {
        map.copy_from_slice(&self.kinds);
        self.age();
    }

    /// What an older commit gave out as zeros is a regular page like others.
    fn age(&mut self) {
        for byte in &mut self.kinds {
            let blank = *byte >> 1 & !*byte & 0x55;
            *byte = *byte & !(blank << 1) | blank;
        }
    }
}

/// The units of a map as stored that are blank.
pub(crate) fn blank_units(map: &[u8]) -> impl Iterator<Item = u64> {
    (0_u64..).zip(map).flat_map(|(at, &byte)| {
        (0..4_u64)
            .filter(move |index| {
                StoredKind::from_bits(byte >> index.saturating_mul(2)) == StoredKind::Blank
            })
            .map(move |index| at.saturating_mul(4).saturating_add(index))
    })
}

/// The kinds of 32 units.
fn word_at(kinds: &[u8], word: usize) -> u64 {
    let start = word.saturating_mul(8);
    let bytes = kinds.get(start..).unwrap_or_default();
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Moves every second bit to the lower half.
fn squeezed(mut bits: u64) -> u64 {
    bits &= LOW_BITS;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) & 0xffff_ffff
}

fn units_before(word: usize) -> u64 {
    (word as u64).saturating_mul(WORD_UNITS)
}

impl<const P: usize> Leaf<P> for MapLeaf {
    const MAGIC: [u8; 4] = ALLOCATION_MAGIC;
    const UNITS: NonZeroU64 = at_least_one(map_leaf_units(P));

    fn limit(page_count: u64) -> u64 {
        page_count.saturating_sub(inline_units(P))
    }

    fn damaged() -> MappedPageError {
        MappedPageError::CorruptMetadata
    }

    fn empty() -> Self {
        Self::new(P.saturating_sub(NODE_HEADER_LEN))
    }

    fn decode(body: &[u8], _node: &Reference, limit: u64, _page_count: u64) -> Option<Self> {
        Self::parse(body, limit)
    }

    fn encode(&mut self, body: &mut [u8]) {
        self.write(body);
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn busy(&self) -> u64 {
        self.busy
    }
}
