//! The metadata page: how many pages there are and which are in use.
//!
//! Stored twice, in pages 1 and 2; page 0 names the copy that counts. Knows nothing of page 0.

use super::bits::Bits;
use super::field::{self, read_u64};

/// Where the number of free pages is.
pub(super) const FREE_COUNT_OFFSET: usize = 16;
/// Bytes in front of the bitmap: total pages, generation, free count.
const BITMAP_OFFSET: usize = 24;
/// Pages 0 to 2: page 0 and the two copies of this page.
pub(super) const RESERVED_PAGES: u64 = 3;
/// Pages of a new file, one of them free; no file has fewer.
pub(super) const FIRST_PAGES: u64 = 4;

/// What a metadata page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Goes up by one with each commit of this page.
    pub(super) generation: u64,
    /// One bit for each page of the file, set when it is in use.
    pub(super) used: Bits,
}

impl Metadata {
    /// The state of a new file.
    pub(super) fn new() -> Self {
        let mut used = Bits::new(FIRST_PAGES);
        for page in 0..RESERVED_PAGES {
            used.set(page, true);
        }
        Self { generation: 0, used }
    }

    /// Reads a copy. `None` when its checksum is wrong or its numbers cannot be.
    ///
    /// The stored free count is not looked at: it is what the bitmap says.
    pub(super) fn decode(page: &[u8]) -> Option<Self> {
        field::checked(page)?;
        let total_pages = read_u64(page, 0)?;
        if total_pages < FIRST_PAGES || total_pages > pages_max(page.len()) {
            return None;
        }
        let used = Bits::from_bytes(page.get(BITMAP_OFFSET..)?, total_pages);
        let reserved = (0..RESERVED_PAGES).all(|reserved| used.get(reserved));
        reserved.then_some(Self { generation: read_u64(page, 8)?, used })
    }

    /// Pages that are not in use.
    pub(super) fn free_count(&self) -> u64 {
        self.used.len().saturating_sub(self.used.count())
    }

    /// The page as stored, `page_len` bytes.
    pub(super) fn encode(&self, page_len: usize) -> Vec<u8> {
        let mut page = Vec::with_capacity(page_len);
        page.extend_from_slice(&self.used.len().to_le_bytes());
        page.extend_from_slice(&self.generation.to_le_bytes());
        page.extend_from_slice(&self.free_count().to_le_bytes());
        page.extend_from_slice(self.used.as_bytes());
        field::seal(&mut page, page_len);
        page
    }
}

/// How many pages the bitmap of one page can describe.
pub(super) fn pages_max(page_len: usize) -> u64 {
    let bytes = page_len.saturating_sub(BITMAP_OFFSET + field::CHECKSUM_LEN);
    (bytes as u64).saturating_mul(8)
}

/// The checksum of a whole metadata page, its own checksum included, as page 0 stores it.
///
/// It is the same for every page whose own checksum is right: what follows from appending a CRC to
/// what it covers.
pub(super) fn checksum_of(page: &[u8]) -> u32 {
    crc32fast::hash(page)
}
