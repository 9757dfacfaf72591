//! The seal behind the content of a header slot: what this engine adds where JavaScript looks at nothing.
//!
//! The checksum of a frame tells that its bytes are one header. It does not tell that it stands in its own slot, that
//! the header file still is what the slot was written for, or that the bitfield is; the seal does. Slots of other
//! programs have none, and are taken as they are.

/// Bytes of a seal.
pub(crate) const SEAL_LEN: usize = 25;

/// What a seal begins with.
const MAGIC: &[u8; 4] = b"SEAL";

/// What a header counts on to be in other stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Blocks below the length that are stored.
    pub(crate) stored: u64,
    /// Bytes of the tree store.
    pub(crate) tree_len: u64,
}

/// What a header slot says beside its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// The slot it was written for, 0 or 1.
    pub(crate) slot: u8,
    pub(crate) counts: Counts,
    /// CRC-32 of the header, in its slot or in the header file.
    pub(crate) crc: u32,
}

impl Seal {
    /// Seals `header` for a slot.
    pub(crate) fn new(slot: usize, counts: Counts, header: &[u8]) -> Self {
        Self { slot: u8::from(slot != 0), counts, crc: crc32fast::hash(header) }
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
        let (magic, rest) = bytes.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let (slot, rest) = rest.split_first().unwrap_or((&0, &[]));
        let (stored, rest) = rest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let (tree_len, rest) = rest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let crc = rest.first_chunk::<4>().unwrap_or(&[0; 4]);
        if magic != MAGIC || *slot > 1 {
            return (content, None);
        }
        let counts =
            Counts { stored: u64::from_le_bytes(*stored), tree_len: u64::from_le_bytes(*tree_len) };
        (header, Some(Self { slot: *slot, counts, crc: u32::from_le_bytes(*crc) }))
    }

    /// The bytes behind the content.
    pub(crate) fn to_bytes(self) -> [u8; SEAL_LEN] {
        let mut out = [0; SEAL_LEN];
        let Counts { stored, tree_len } = self.counts;
        let bytes = MAGIC
            .iter()
            .copied()
            .chain([self.slot])
            .chain(stored.to_le_bytes())
            .chain(tree_len.to_le_bytes())
            .chain(self.crc.to_le_bytes());
        for (to, byte) in out.iter_mut().zip(bytes) {
            *to = byte;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_split_again() {
        let counts = Counts { stored: 0x1_2345_6789, tree_len: 0x6_789a_bcde };
        let seal = Seal::new(1, counts, b"header");
        let content = [&b"header"[..], &seal.to_bytes()].concat();
        assert_eq!(Seal::split(&content), (&b"header"[..], Some(seal)));
        assert!(seal.fits(b"header") && !seal.fits(b"heade_"));
    }

    #[test]
    fn other_bytes_are_no_seal() {
        let bytes = Seal::new(0, Counts::default(), b"").to_bytes();
        for at in 0..5 {
            let mut other = bytes;
            other[at] ^= 0x40;
            assert_eq!(Seal::split(&other), (&other[..], None));
        }
        assert_eq!(Seal::split(&bytes[1..]), (&bytes[1..], None));
    }
}
