//! A set of page numbers as bits, least significant first, as the bitmap of format 1 is stored.
//!
//! Invariants: bits at and after `len` are clear. Knows nothing of files.

/// A set of the numbers below a length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    len: u64,
}

impl Bits {
    /// The empty set of numbers below `len`.
    pub(super) fn new(len: u64) -> Self {
        let mut bits = Self::default();
        bits.grow(len);
        bits
    }

    /// The set that `bytes` holds, of numbers below `len`. Bytes that are missing are zeros.
    pub(super) fn from_bytes(bytes: &[u8], len: u64) -> Self {
        let mut bits = Self::new(len);
        for (to, from) in bits.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        let used = len % 8;
        if used != 0
            && let Some(last) = bits.bytes.last_mut()
        {
            *last &= (1_u8 << used).wrapping_sub(1);
        }
        bits
    }

    /// One bit a number, as stored.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Makes room for the numbers below `len`; never shrinks.
    pub(super) fn grow(&mut self, len: u64) {
        self.len = self.len.max(len);
        let bytes = usize::try_from(self.len.div_ceil(8)).unwrap_or(usize::MAX);
        self.bytes.resize(bytes, 0);
    }

    pub(super) fn get(&self, number: u64) -> bool {
        self.byte(number).is_some_and(|byte| byte & mask(number) != 0)
    }

    /// Sets or clears a bit; a number that is not below the length is ignored.
    pub(super) fn set(&mut self, number: u64, to: bool) {
        if number >= self.len {
            return;
        }
        let at = usize::try_from(number / 8).unwrap_or(usize::MAX);
        if let Some(byte) = self.bytes.get_mut(at) {
            if to {
                *byte |= mask(number);
            } else {
                *byte &= !mask(number);
            }
        }
    }

    /// How many numbers are in the set.
    pub(super) fn count(&self) -> u64 {
        self.bytes.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// The lowest number at or after `from` that is not in the set.
    pub(super) fn first_clear(&self, from: u64) -> Option<u64> {
        self.first(from, |byte| !byte)
    }

    /// The lowest number at or after `from` that is in this set and not in `other`.
    pub(super) fn first_beyond(&self, other: &Self, from: u64) -> Option<u64> {
        let mut from = from;
        loop {
            let found = self.first(from, |byte| byte)?;
            if !other.get(found) {
                return Some(found);
            }
            from = found.checked_add(1)?;
        }
    }

    fn first(&self, from: u64, wanted: impl Fn(u8) -> u8) -> Option<u64> {
        let start = usize::try_from(from / 8).ok()?;
        let mut keep = u8::MAX.checked_shl(u32::try_from(from % 8).ok()?)?;
        for (at, byte) in self.bytes.iter().enumerate().skip(start) {
            let found = wanted(*byte) & keep;
            keep = u8::MAX;
            if found != 0 {
                let number = u64::try_from(at).ok()?.checked_mul(8)?;
                let number = number.checked_add(u64::from(found.trailing_zeros()))?;
                return (number < self.len).then_some(number);
            }
        }
        None
    }

    fn byte(&self, number: u64) -> Option<u8> {
        self.bytes.get(usize::try_from(number / 8).ok()?).copied()
    }
}

const fn mask(number: u64) -> u8 {
    1 << (number % 8)
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn the_lowest_clear_bit_is_found_across_bytes_and_never_past_the_length() {
        let mut bits = Bits::new(19);
        for number in 0..19 {
            assert_eq!(bits.first_clear(0), Some(number));
            assert_eq!(bits.first_clear(number), Some(number));
            bits.set(number, true);
        }
        assert_eq!(bits.first_clear(0), None);
        assert_eq!(bits.as_bytes(), [0xff, 0xff, 0x07]);
        bits.set(19, true);
        assert_eq!(bits.count(), 19);
        bits.set(9, false);
        assert_eq!(bits.first_clear(0), Some(9));
        assert_eq!(bits.first_clear(10), None);
        bits.grow(40);
        assert_eq!(bits.first_clear(10), Some(19));
    }

    #[test]
    fn stored_bits_past_the_length_do_not_count() {
        let bits = Bits::from_bytes(&[0xff, 0xff], 11);
        assert_eq!(bits.count(), 11);
        assert!(!bits.get(11));
        let mut inner = Bits::new(11);
        inner.set(3, true);
        assert_eq!(bits.first_beyond(&inner, 3), Some(4));
        assert_eq!(bits.first_beyond(&bits, 0), None);
    }
}
