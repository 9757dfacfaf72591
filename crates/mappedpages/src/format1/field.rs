//! Little-endian numbers at given places, and the checksum that ends a page.

/// Bytes of the checksum at the end of a page.
pub(super) const CHECKSUM_LEN: usize = 4;

/// The number at `offset`; `None` past the end.
pub(super) fn read_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// The number at `offset`; `None` past the end.
pub(super) fn read_u64(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Puts `new` at `offset`. What would pass the end is left out.
pub(super) fn put(bytes: &mut [u8], offset: usize, new: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(offset).zip(new) {
        *to = *from;
    }
}

/// The bytes in front of the checksum, when it is right.
pub(super) fn checked(page: &[u8]) -> Option<&[u8]> {
    let (body, stored) = page.split_last_chunk::<CHECKSUM_LEN>()?;
    (crc32fast::hash(body) == u32::from_le_bytes(*stored)).then_some(body)
}

/// Fills a page up with zeros to `page_len`, the last four bytes being the checksum.
pub(super) fn seal(page: &mut Vec<u8>, page_len: usize) {
    page.resize(page_len.saturating_sub(CHECKSUM_LEN), 0);
    let checksum = crc32fast::hash(page);
    page.extend_from_slice(&checksum.to_le_bytes());
}
