//! Little-endian fields, read and written one after the other, and checksums.
//!
//! Reading past the end is `None`. Writing is into buffers of which the writer knows the length.

use super::layout::{SECTOR_CHECKED_LEN, SECTOR_LEN};

/// A sector of the file.
pub(crate) type Sector = [u8; SECTOR_LEN];

/// CRC-32 as in zip.
pub(crate) fn crc_of(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// The first sector of `bytes`, when its last four bytes are the checksum of the others.
pub(crate) fn whole_sector(bytes: &[u8]) -> Option<&[u8]> {
    let (checked, rest) = bytes.split_at_checked(SECTOR_CHECKED_LEN)?;
    (Reader::new(rest).u32()? == crc_of(checked)).then_some(checked)
}

/// A sector with what `write` puts in it, zeros behind, and its checksum.
pub(crate) fn sector(write: impl FnOnce(&mut Writer<'_>)) -> Sector {
    let mut sector = [0; SECTOR_LEN];
    let (checked, crc) = sector.split_at_mut(SECTOR_CHECKED_LEN);
    write(&mut Writer::new(checked));
    crc.copy_from_slice(&crc_of(checked).to_le_bytes());
    sector
}

/// Reads fields from the front.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Passes `N` bytes that must be `expected`.
    pub(crate) fn expect<const N: usize>(&mut self, expected: [u8; N]) -> Option<()> {
        (self.array()? == expected).then_some(())
    }
}

/// Writes fields to the front.
#[derive(Debug)]
pub(crate) struct Writer<'a>(&'a mut [u8]);

impl<'a> Writer<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let Some((into, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(bytes.len())
        else {
            unreachable!("a field past the end of its buffer");
        };
        into.copy_from_slice(bytes);
        self.0 = rest;
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn zeros(&mut self, count: usize) {
        let Some((into, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(count) else {
            unreachable!("a field past the end of its buffer");
        };
        into.fill(0);
        self.0 = rest;
    }
}
