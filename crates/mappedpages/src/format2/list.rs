//! A page of the list of a journal: which pages a commit gives new content, and where that lies.

use super::fields::{Reader, Writer};
use super::layout::{LIST_MAGIC, RESERVED_PAGES};

/// One page that got new content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListEntry {
    /// The regular page.
    pub(crate) target: u64,
    /// Where its content lies until it is in its place.
    pub(crate) journal: u64,
    /// Checksum of the content.
    pub(crate) crc: u32,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListPage {
    /// The commit that the list belongs to.
    pub(crate) generation: u64,
    /// The next page of the list; 0 at its end.
    pub(crate) next: u64,
    /// Checksum of the next page.
    pub(crate) next_crc: u32,
    pub(crate) entries: Vec<ListEntry>,
}

impl ListPage {
    /// Reads a page whose checksum is right. `None`: no writer stores that.
    pub(crate) fn decode(page: &[u8], capacity: usize, page_count: u64) -> Option<Self> {
        let mut reader = Reader::new(page);
        reader.expect(LIST_MAGIC)?;
        let count = usize::try_from(reader.u32()?).ok()?;
        let (generation, next, next_crc) = (reader.u64()?, reader.u64()?, reader.u32()?);
        reader.expect([0; 4])?;
        let is_page = |page| (RESERVED_PAGES..page_count).contains(&page);
        let is_sound = (1..=capacity).contains(&count) && (next == 0 || is_page(next));
        is_sound.then_some(())?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let (target, journal, crc) = (reader.u64()?, reader.u64()?, reader.u32()?);
            reader.expect([0; 4])?;
            let is_sound = is_page(target) && is_page(journal);
            is_sound.then_some(())?;
            entries.push(ListEntry { target, journal, crc });
        }
        Some(Self { generation, next, next_crc, entries })
    }

    /// Writes a page that is zeros.
    pub(crate) fn encode(&self, page: &mut [u8]) {
        let mut writer = Writer::new(page);
        writer.bytes(&LIST_MAGIC);
        // At most `list_entries`, which is less than the bytes of a page.
        writer.u32(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        writer.u64(self.generation);
        writer.u64(self.next);
        writer.u32(self.next_crc);
        writer.zeros(4);
        for entry in &self.entries {
            writer.u64(entry.target);
            writer.u64(entry.journal);
            writer.u32(entry.crc);
            writer.zeros(4);
        }
    }
}
