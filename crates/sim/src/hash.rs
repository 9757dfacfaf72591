//! 128-bit hashes that tell images and states apart. Fast, and no defence against anybody.

const PRIMES: [u64; 4] =
    [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];

/// A hash of words and bytes.
#[derive(Clone, Debug)]
pub(crate) struct Hasher128([u64; 2]);

impl Default for Hasher128 {
    fn default() -> Self {
        Self([PRIMES[2], PRIMES[3]])
    }
}

impl Hasher128 {
    pub(crate) const fn write_u64(&mut self, word: u64) {
        self.write_pair(word, PRIMES[3]);
    }

    pub(crate) fn write_u128(&mut self, word: u128) {
        self.write_pair(word as u64, (word >> 64) as u64);
    }

    /// Bytes, and how many they are.
    pub(crate) fn write_sized(&mut self, bytes: &[u8]) {
        self.write_u64(bytes.len() as u64);
        self.write(bytes);
    }

    /// Bytes whose number the caller tells apart.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let (pairs, rest) = bytes.as_chunks::<16>();
        for pair in pairs {
            self.write_u128(u128::from_le_bytes(*pair));
        }
        if !rest.is_empty() {
            let mut last = [0; 16];
            last[..rest.len()].copy_from_slice(rest);
            self.write_u128(u128::from_le_bytes(last));
        }
    }

    const fn write_pair(&mut self, low: u64, high: u64) {
        let [first, second] = self.0;
        self.0 = [
            fold(first ^ low ^ PRIMES[0], high ^ second.rotate_left(23) ^ PRIMES[1]),
            fold(second ^ high ^ PRIMES[2], low ^ first.rotate_left(41) ^ PRIMES[3]),
        ];
    }

    pub(crate) const fn finish(&self) -> u128 {
        let [first, second] = self.0;
        let low = fold(first ^ PRIMES[1], second ^ PRIMES[2]);
        let high = fold(second ^ PRIMES[0], first ^ PRIMES[3]);
        (low as u128) | ((high as u128) << 64)
    }
}

/// Both halves of the product, mixed.
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}
