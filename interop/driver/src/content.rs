//! Block content from a seed and a length, the same in both drivers.

/// `len` bytes of xorshift32 from `seed`.
pub(crate) fn block(seed: u32, len: usize) -> Vec<u8> {
    let mut x = if seed == 0 { 1 } else { seed };
    let mut block = Vec::with_capacity(len.next_multiple_of(4));
    while block.len() < len {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        block.extend_from_slice(&x.to_le_bytes());
    }
    block.truncate(len);
    block
}
