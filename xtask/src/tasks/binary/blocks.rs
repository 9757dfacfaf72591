//! Blocks to store, made up from a number.

use crate::rng::Rng;

/// The seed of the key pair: the same log in every run.
pub(super) const SEED_HEX: &str =
    "0101010101010101010101010101010101010101010101010101010101010101";

/// `count` blocks of up to `len_max` bytes, without newlines.
pub(super) fn blocks(seed: u64, count: usize, len_max: usize) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(seed);
    (0..count)
        .map(|_| {
            let len = rng.below(len_max as u64 + 1) as usize;
            // Eight letters for each number drawn.
            let mut block = Vec::with_capacity(len + 8);
            while block.len() < len {
                block.extend(rng.next().to_le_bytes().map(|byte| b'0' + byte % 75));
            }
            block.truncate(len);
            block
        })
        .collect()
}

/// The blocks as a text, each on a line.
pub(super) fn lines(blocks: &[Vec<u8>]) -> Vec<u8> {
    blocks.iter().flat_map(|block| block.iter().copied().chain([b'\n'])).collect()
}
