//! One page of the bitfield: 32768 bits, at least one of them set and one not.
//!
//! Positions are bits inside the page, `0..PAGE_BITS`; ends may be `PAGE_BITS`. A page with few runs of set bits
//! is kept as those, one with more as words. It becomes runs again only by being emptied, so that a page at the
//! border does not change its form with every bit.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "positions are at most PAGE_BITS and word numbers below PAGE_WORDS, asserted on entry"
)]

use super::runs::Runs;
use super::{PAGE_BITS, PAGE_LEN};

/// Words of 64 bits in a page.
pub(super) const PAGE_WORDS: usize = PAGE_LEN / 8;

/// `PAGE_BITS` as the type of positions inside a page.
pub(super) const BITS: u32 = 32768;
const _: () = assert!(BITS as u64 == PAGE_BITS && PAGE_WORDS * 64 == BITS as usize);

/// Runs of set bits that are kept as such: 256 bytes of them. Each takes an entry of the oplog of its own, of
/// 11 bytes at least, so that no page of words costs more than six times what made it.
const RUNS_MAX: usize = 64;

/// A page that is present.
#[derive(Clone, Debug)]
pub(super) enum Page {
    /// At most [`RUNS_MAX`] runs.
    Runs(Runs),
    /// Any bits.
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
    pub(super) fn empty() -> Self {
        Self::Runs(Runs::default())
    }

    /// A page with all bits set: only while one is being cleared.
    pub(super) fn full() -> Self {
        let mut page = Self::empty();
        page.set_range(0, BITS, true);
        page
    }

    /// Reads a page from its bytes, the missing ones zero.
    ///
    /// Bytes past the page and a last partial word of fewer than four bytes are not looked at.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(PAGE_LEN)];
        let bytes = &bytes[..bytes.len() - bytes.len() % 4];
        if bytes.iter().all(|byte| *byte == 0) {
            return Self::empty();
        }
        let mut words = Words { words: [0; PAGE_WORDS], count: 0 };
        for (word, chunk) in words.words.iter_mut().zip(bytes.chunks(8)) {
            let mut raw = [0; 8];
            raw[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(raw);
        }
        words.count = words.words.iter().map(|word| word.count_ones()).sum();
        match words.to_runs() {
            Some(runs) => Self::Runs(runs),
            None => Self::Words(Box::new(words)),
        }
    }

    /// The page as it stands in the file.
    pub(super) fn to_bytes(&self) -> [u8; PAGE_LEN] {
        match self {
            Self::Runs(runs) => Words::of_runs(runs).to_bytes(),
            Self::Words(words) => words.to_bytes(),
        }
    }

    /// Whether no bit is set, so that the page should be dropped.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Runs(runs) => runs.len() == 0,
            Self::Words(words) => words.count == 0,
        }
    }

    /// Whether every bit is set, so that the page should be dropped.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Runs(runs) => runs.iter().next() == Some((0, BITS)),
            Self::Words(words) => words.count == BITS,
        }
    }

    pub(super) fn get(&self, at: u32) -> bool {
        match self {
            Self::Runs(runs) => runs.get(at),
            Self::Words(words) => words.words[at as usize / 64] >> (at % 64) & 1 == 1,
        }
    }

    /// Sets `start..end` to `value` and returns how many bits that changed.
    pub(super) fn set_range(&mut self, start: u32, end: u32, value: bool) -> u32 {
        match self {
            Self::Runs(runs) => {
                let changed = if value { runs.set(start, end) } else { runs.clear(start, end) };
                if runs.len() > RUNS_MAX {
                    *self = Self::Words(Box::new(Words::of_runs(runs)));
                }
                changed
            }
            Self::Words(words) => words.set_range(start, end, value),
        }
    }

    /// The first bit of `start..end` that equals `value`.
    pub(super) fn first(&self, value: bool, start: u32, end: u32) -> Option<u32> {
        match self {
            Self::Runs(runs) => runs.first(value, start, end),
            Self::Words(words) => words.first(value, start, end),
        }
    }

    /// The last set bit of `0..end`.
    pub(super) fn last_set(&self, end: u32) -> Option<u32> {
        match self {
            Self::Runs(runs) => runs.last_set(end),
            Self::Words(words) => masks(0, end).rev().find_map(|(word, mask)| {
                let bits = words.words[word] & mask;
                (bits != 0).then(|| position(word, 63 - bits.leading_zeros()))
            }),
        }
    }

    /// How many bits of `start..end` are set.
    pub(super) fn count(&self, start: u32, end: u32) -> u32 {
        match self {
            Self::Runs(runs) => runs.count(start, end),
            Self::Words(words) if end - start == BITS => words.count,
            Self::Words(words) => {
                masks(start, end).map(|(word, mask)| (words.words[word] & mask).count_ones()).sum()
            }
        }
    }
}

impl Words {
    fn of_runs(runs: &Runs) -> Self {
        let mut words = Self { words: [0; PAGE_WORDS], count: 0 };
        for (start, end) in runs.iter() {
            words.set_range(start, end, true);
        }
        words
    }

    /// The runs of set bits, unless they are more than [`RUNS_MAX`].
    fn to_runs(&self) -> Option<Runs> {
        let mut runs = Runs::default();
        let mut end = 0;
        while let Some(start) = self.first(true, end, BITS) {
            if runs.len() == RUNS_MAX {
                return None;
            }
            end = self.first(false, start, BITS).unwrap_or(BITS);
            runs.set(start, end);
        }
        Some(runs)
    }

    fn to_bytes(&self) -> [u8; PAGE_LEN] {
        let mut bytes = [0; PAGE_LEN];
        for (raw, word) in bytes.chunks_exact_mut(8).zip(&self.words) {
            raw.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn set_range(&mut self, start: u32, end: u32, value: bool) -> u32 {
        let mut changed = 0;
        for (word, mask) in masks(start, end) {
            let old = self.words[word];
            let new = if value { old | mask } else { old & !mask };
            changed += (old ^ new).count_ones();
            self.words[word] = new;
        }
        self.count = if value { self.count + changed } else { self.count - changed };
        changed
    }

    fn first(&self, value: bool, start: u32, end: u32) -> Option<u32> {
        masks(start, end).find_map(|(word, mask)| {
            let bits = if value { self.words[word] } else { !self.words[word] } & mask;
            (bits != 0).then(|| position(word, bits.trailing_zeros()))
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a word number is below PAGE_WORDS")]
fn position(word: usize, bit: u32) -> u32 {
    word as u32 * 64 + bit
}
