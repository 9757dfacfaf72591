//! The bits of a few thousand blocks.

/// Blocks of a page: a small want region.
pub(super) const PAGE_BLOCKS: u64 = 4096;

const WORDS: usize = 64;

/// One bit for each of [`PAGE_BLOCKS`] blocks, least significant first.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Page(Box<[u64; WORDS]>);

impl Page {
    pub(super) fn empty() -> Self {
        Self(Box::new([0; WORDS]))
    }

    pub(super) fn full() -> Self {
        Self(Box::new([u64::MAX; WORDS]))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.iter().all(|word| *word == u64::MAX)
    }

    pub(super) fn get(&self, bit: u64) -> bool {
        let word = usize::try_from(bit / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    /// Gives the bits from `start` to before `end` one value.
    pub(super) fn fill(&mut self, start: u64, end: u64, held: bool) {
        for (first, word) in (0..).step_by(64).zip(self.0.iter_mut()) {
            let mask = below(end, first) & !below(start, first);
            if held {
                *word |= mask;
            } else {
                *word &= !mask;
            }
        }
    }

    /// Overwrites 32 bits from `bit`, a multiple of 32, on.
    pub(super) fn put(&mut self, bit: u64, value: u32) {
        let word = usize::try_from(bit / 64).ok().and_then(|word| self.0.get_mut(word));
        if let Some(word) = word {
            let shift = bit & 32;
            *word = *word & !(u64::from(u32::MAX) << shift) | u64::from(value) << shift;
        }
    }

    /// The first bit of that value from `start` on.
    pub(super) fn find(&self, held: bool, start: u64) -> Option<u64> {
        for (first, word) in (0_u64..).step_by(64).zip(self.0.iter()) {
            let word = if held { *word } else { !*word } & !below(start, first);
            if word != 0 {
                return first.checked_add(u64::from(word.trailing_zeros()));
            }
        }
        None
    }
}

/// The bits, of the word whose first is `first`, that stand for numbers below `end`.
const fn below(end: u64, first: u64) -> u64 {
    match end.saturating_sub(first) {
        count @ 0..64 => !(u64::MAX << count),
        _ => u64::MAX,
    }
}
