//! The seal behind the content of a header slot: what this engine adds where JavaScript looks at nothing.
//!
//! The checksum of a frame tells that its bytes are one header. It does not tell that it stands in its own slot, that
//! the header file still is what the slot was written for, or that the bitfield is; the seal does. Slots of other
//! programs have none, and are taken as they are.

/// Bytes of a seal.
pub(crate) const SEAL_LEN: usize = 17;

/// What a seal begins with.
const MAGIC: &[u8; 4] = b"SEAL";

/// What a header slot says beside its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// The slot it was written for, 0 or 1.
    pub(crate) slot: u8,
    /// Blocks below the length that are stored.
    pub(crate) stored: u64,
    /// CRC-32 of the header, in its slot or in the header file.
    pub(crate) crc: u32,
}

impl Seal {
    /// Seals `header` for a slot.
    pub(crate) fn new(slot: usize, stored: u64, header: &[u8]) -> Self {
        Self { slot: u8::from(slot != 0), stored, crc: crc32fast::hash(header) }
    }

    /// Whether it is that of `header`.
    pub(crate) fn fits(&self, header: &[u8]) -> bool {
        self.crc == crc32fast::hash(header)
    }

    /// Takes what may be a seal off the content of a slot.
    pub(crate) fn split(content: &[u8]) -> (&[u8], Option<Self>) {
        let Some((header, bytes)) = content.split_last_chunk::<SEAL_LEN>() else {
            return (content, None);
        };
        let [m, n, o, p, slot, stored @ .., a, b, c, d] = *bytes;
        if [m, n, o, p] != *MAGIC || slot > 1 {
            return (content, None);
        }
        let (stored, crc) = (u64::from_le_bytes(stored), u32::from_le_bytes([a, b, c, d]));
        (header, Some(Self { slot, stored, crc }))
    }

    /// The bytes behind the content.
    pub(crate) fn to_bytes(self) -> [u8; SEAL_LEN] {
        let [m, n, o, p] = *MAGIC;
        let [s, t, u, v, w, x, y, z] = self.stored.to_le_bytes();
        let [a, b, c, d] = self.crc.to_le_bytes();
        [m, n, o, p, self.slot, s, t, u, v, w, x, y, z, a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_split_again() {
        let seal = Seal::new(1, 0x1_2345_6789, b"header");
        let content = [&b"header"[..], &seal.to_bytes()].concat();
        assert_eq!(Seal::split(&content), (&b"header"[..], Some(seal)));
        assert!(seal.fits(b"header") && !seal.fits(b"heade_"));
    }

    #[test]
    fn other_bytes_are_no_seal() {
        let bytes = Seal::new(0, 7, b"").to_bytes();
        for at in 0..5 {
            let mut other = bytes;
            other[at] ^= 0x40;
            assert_eq!(Seal::split(&other), (&other[..], None));
        }
        assert_eq!(Seal::split(&bytes[1..]), (&bytes[1..], None));
    }
}
