//! Bytes of the fuzzer as a series of decisions. At their end every decision is the first one.

/// What is left of the input.
#[derive(Clone, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// Decisions out of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether there is nothing left to decide.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number below `end`, from two bytes; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let bytes = [self.byte(), self.byte()];
        usize::from(u16::from_le_bytes(bytes)).checked_rem(end).unwrap_or(0)
    }

    /// Any number, the small ones in one byte.
    pub fn number(&mut self) -> u64 {
        let len = match self.byte() {
            small @ 0..=199 => return small.into(),
            power @ 200..=239 => return (1 << (power - 186)) - 1 + u64::from(power % 2),
            240..=246 => 2,
            247..=251 => 4,
            _ => 8,
        };
        let mut bytes = [0; 8];
        let taken = self.take(len);
        bytes[..taken.len()].copy_from_slice(taken);
        u64::from_le_bytes(bytes)
    }

    /// The next `len` bytes, or what there is of them.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
