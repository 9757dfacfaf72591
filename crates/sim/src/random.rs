//! Seeded numbers: the same on every machine, good enough to choose sizes and subsets, and no good
//! for anything secret.

/// A generator of seeded numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Starts at what `seed` and the words of `path` make: independent numbers for each path.
    #[must_use]
    pub fn along(seed: u64, path: &[u64]) -> Self {
        path.iter().fold(Self(seed), |mut random, word| Self(random.next() ^ *word))
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A place in something of `len` items, which is not 0.
    pub const fn place(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Whether to do it.
    pub const fn toss(&mut self) -> bool {
        self.next() & 1 == 1
    }

    /// That many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}
