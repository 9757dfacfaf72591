//! One page of the bitfield: 32768 bits, at least one of them set.
//!
//! Positions are bits inside the page, `0..PAGE_BITS`; ends may be `PAGE_BITS`.
//! A page whose bits are all set holds no memory of its own.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "positions are at most PAGE_BITS and word numbers below PAGE_WORDS, asserted on entry"
)]

use super::{PAGE_BITS, PAGE_LEN};

/// Words of 64 bits in a page.
pub(super) const PAGE_WORDS: usize = PAGE_LEN / 8;

/// `PAGE_BITS` as the type of positions inside a page.
pub(super) const BITS: u32 = 32768;
const _: () = assert!(BITS as u64 == PAGE_BITS && PAGE_WORDS * 64 == BITS as usize);

/// A page that is present.
#[derive(Clone, Debug)]
pub(super) enum Page {
    /// Every bit is set.
    Full,
    /// Some bits are set.
    Words(Box<Words>),
}

/// The bits of a page as little-endian words, and how many are set.
#[derive(Clone)]
pub(super) struct Words {
    words: [u64; PAGE_WORDS],
    count: u32,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words").field("count", &self.count).finish_non_exhaustive()
    }
}

/// The words that `start..end` touches, each with the mask of its bits inside.
fn masks(start: u32, end: u32) -> impl DoubleEndedIterator<Item = (usize, u64)> {
    assert!(start <= end && end <= BITS, "positions lie inside the page");
    let first = start / 64;
    let last = end.div_ceil(64);
    (first..last).map(move |word| {
        let low = if word == first { u64::MAX << (start % 64) } else { u64::MAX };
        let cut = (word + 1) * 64;
        let high = if cut > end { u64::MAX >> (cut - end) } else { u64::MAX };
        (word as usize, low & high)
    })
}

impl Page {
    /// A page without a bit set: only while one is being set.
    pub(super) fn zeroed() -> Self {
        Self::Words(Box::new(Words { words: [0; PAGE_WORDS], count: 0 }))
    }

    /// Reads a page from its bytes, the missing ones zero; `None` when no bit is set.
    ///
    /// Bytes past the page and a last partial word of fewer than four bytes are not looked at.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = &bytes[..bytes.len().min(PAGE_LEN)];
        let bytes = &bytes[..bytes.len() - bytes.len() % 4];
        if bytes.iter().all(|byte| *byte == 0) {
            return None;
        }
        let mut words = [0; PAGE_WORDS];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut raw = [0; 8];
            raw[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(raw);
        }
        let count = words.iter().map(|word| word.count_ones()).sum();
        let mut page = Self::Words(Box::new(Words { words, count }));
        page.settle();
        Some(page)
    }

    /// The page as it stands in the file.
    pub(super) fn to_bytes(&self) -> [u8; PAGE_LEN] {
        match self {
            Self::Full => [0xff; PAGE_LEN],
            Self::Words(page) => {
                let mut bytes = [0; PAGE_LEN];
                for (raw, word) in bytes.chunks_exact_mut(8).zip(&page.words) {
                    raw.copy_from_slice(&word.to_le_bytes());
                }
                bytes
            }
        }
    }

    /// Whether no bit is set, so that the page should be dropped.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Words(page) if page.count == 0)
    }

    pub(super) fn get(&self, at: u32) -> bool {
        match self {
            Self::Full => true,
            Self::Words(page) => page.words[at as usize / 64] >> (at % 64) & 1 == 1,
        }
    }

    /// Sets `start..end` to `value` and returns how many bits that changed.
    pub(super) fn set_range(&mut self, start: u32, end: u32, value: bool) -> u32 {
        if let Self::Full = self {
            if value || start == end {
                return 0;
            }
            *self = Self::Words(Box::new(Words { words: [u64::MAX; PAGE_WORDS], count: BITS }));
        }
        let Self::Words(page) = self else { return 0 };
        let mut changed = 0;
        for (word, mask) in masks(start, end) {
            let old = page.words[word];
            let new = if value { old | mask } else { old & !mask };
            changed += (old ^ new).count_ones();
            page.words[word] = new;
        }
        page.count = if value { page.count + changed } else { page.count - changed };
        self.settle();
        changed
    }

    /// The first bit of `start..end` that equals `value`.
    pub(super) fn first(&self, value: bool, start: u32, end: u32) -> Option<u32> {
        match self {
            Self::Full => (value && start < end).then_some(start),
            Self::Words(page) => masks(start, end).find_map(|(word, mask)| {
                let bits = if value { page.words[word] } else { !page.words[word] } & mask;
                (bits != 0).then(|| position(word, bits.trailing_zeros()))
            }),
        }
    }

    /// The last set bit of `0..end`.
    pub(super) fn last_set(&self, end: u32) -> Option<u32> {
        match self {
            Self::Full => end.checked_sub(1),
            Self::Words(page) => masks(0, end).rev().find_map(|(word, mask)| {
                let bits = page.words[word] & mask;
                (bits != 0).then(|| position(word, 63 - bits.leading_zeros()))
            }),
        }
    }

    /// How many bits of `start..end` are set.
    pub(super) fn count(&self, start: u32, end: u32) -> u32 {
        match self {
            Self::Full => end - start,
            Self::Words(page) if end - start == BITS => page.count,
            Self::Words(page) => {
                masks(start, end).map(|(word, mask)| (page.words[word] & mask).count_ones()).sum()
            }
        }
    }

    /// Gives the memory back once every bit is set.
    fn settle(&mut self) {
        if matches!(self, Self::Words(page) if page.count == BITS) {
            *self = Self::Full;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a word number is below PAGE_WORDS")]
fn position(word: usize, bit: u32) -> u32 {
    word as u32 * 64 + bit
}
