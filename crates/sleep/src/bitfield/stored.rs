//! A bitfield to and from its store.
//!
//! A load takes what is there in large reads, skips holes, and allocates no more than the store holds.
//! A write replaces whole pages, neighbours together, as the JavaScript packages do.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "page numbers are at most PAGE_COUNT_MAX, and a page takes 3584 bytes"
)]

use std::collections::BTreeSet;

use random_access_storage::RandomAccess;

use super::page::{Array, DATA_LEN, INDEX_AT, Page};
use super::{Bitfield, PAGE_COUNT_MAX, index};
use crate::error::{Error, Result};
use crate::files::FileName;
use crate::header::{HEADER_LEN, PageSize};

/// Pages that are read or written in one call: what of them is looked at again is in the cache then.
const PAGES_PER_CALL: usize = 16;

/// Most positions of the index that a page has.
const POSITIONS_MAX: usize = 512;

impl Bitfield {
    /// Loads the pages behind the header. A last page that is cut counts as filled up with zeros.
    ///
    /// # Errors
    /// [`Error::TooLong`] when there are more pages than a feed can have, [`Error::Storage`].
    pub fn load(store: &dyn RandomAccess, page_size: PageSize) -> Result<Self> {
        let failed = Error::in_file(FileName::Bitfield);
        let mut bitfield = Self::new(page_size);
        let len = store.len().map_err(&failed)?;
        let page_len = page_size.bytes();
        let page_count = usize::try_from(len.saturating_sub(HEADER_LEN as u64))
            .map(|len| len.div_ceil(page_len))
            .ok()
            .filter(|count| *count <= PAGE_COUNT_MAX)
            .ok_or(Error::TooLong { file: FileName::Bitfield, len })?;
        bitfield.pages.resize(page_count, None);
        bitfield.joints.resize(page_count, 0);

        let mut number = 0;
        let mut buffer = Vec::new();
        while number < page_count {
            let stored = store.next_stored(offset(page_size, number)).map_err(&failed)?;
            let Some(stored) = stored else { break };
            number = number.max(page_of(page_size, stored.start));
            // Up to the page in which the stored range ends.
            let end = page_of(page_size, stored.end.saturating_sub(1)).max(number) + 1;
            let end = end.min(number + PAGES_PER_CALL).min(page_count);
            let bytes = offset(page_size, end).min(len).saturating_sub(offset(page_size, number));
            buffer.resize(usize::try_from(bytes).unwrap_or(0), 0);
            store.read_at(offset(page_size, number), &mut buffer).map_err(&failed)?;
            for page in buffer.chunks(page_len) {
                bitfield.take_page(number, page);
                number += 1;
            }
        }
        Ok(bitfield)
    }

    fn take_page(&mut self, number: usize, stored: &[u8]) {
        let joint_at = self.page_size.bytes() - 1;
        if let (Some(page), Some(joint)) = (self.pages.get_mut(number), self.joints.get_mut(number))
        {
            *page = Page::decode(stored);
            *joint = stored.get(joint_at).copied().unwrap_or(0);
        }
    }

    /// Whether anything changed since the last [`write`](Self::write) or load.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.joints.len() < self.pages.len()
    }

    /// Writes the pages that changed, or whose index did, whole. The header is the caller's concern.
    ///
    /// New pages without a set bit are written only where a later one is not: the store is as long
    /// as there are pages, and holes read as zeros.
    ///
    /// # Durability
    /// None until the store is synced. After a power cut each page holds any mix of the old and the
    /// new bytes.
    ///
    /// # Errors
    /// [`Error::Storage`]; what was not written is then still to be written.
    pub fn write(&mut self, store: &dyn RandomAccess) -> Result<()> {
        let numbers: Vec<usize> = self.refresh_index().into_iter().collect();
        let runs = numbers.chunk_by(|one, next| one + 1 == *next);
        for run in runs.flat_map(|run| run.chunks(PAGES_PER_CALL)) {
            let pages: Vec<Vec<u8>> = run.iter().map(|number| self.encode(*number)).collect();
            let start = offset(self.page_size, run.first().copied().unwrap_or(0));
            store.write_at(start, &pages.concat()).map_err(Error::in_file(FileName::Bitfield))?;
        }
        self.joints.resize(self.pages.len(), 0);
        for number in numbers {
            if let Some(joint) = self.joints.get_mut(number) {
                *joint = self.above.joint(number);
            }
        }
        self.dirty.clear();
        Ok(())
    }

    /// A page as it is to be stored, once the index above the pages is right.
    fn encode(&self, number: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.page_size.bytes()];
        let (bits, positions) = bytes.split_at_mut(INDEX_AT);
        if let Some(page) = self.page(number) {
            let (data, tree) = bits.split_at_mut(DATA_LEN);
            data.copy_from_slice(page.bits(Array::Data));
            tree.copy_from_slice(page.bits(Array::Tree));
        }
        if let Some(data) = self.indexed_data(number) {
            index::fill(positions, data);
        }
        if let Some(joint) = positions.last_mut() {
            *joint = self.above.joint(number);
        }
        bytes
    }

    /// Makes the index above the pages right, and says which pages have to be written, for their bits
    /// or for their index.
    fn refresh_index(&mut self) -> BTreeSet<usize> {
        let count = self.pages.len();
        let is_first = self.above.page_count() == 0;
        self.above.grow(count);
        if is_first {
            for number in 0..count {
                self.refresh(number);
            }
        }
        let mut writes = self.dirty.clone();
        // With the old pages, index and blocks run out of step: the index of the blocks of page 1 is
        // in pages 2 and 3.
        let pages = DATA_LEN / self.indexed_len();
        let indexed = self.dirty.iter().flat_map(|page| page * pages..(page + 1) * pages);
        let indexed: Vec<usize> = indexed.filter(|number| *number < count).collect();
        writes.extend(&indexed);
        let new = self.joints.len()..count;
        writes.extend(new.clone().next_back());
        writes.extend(new.clone().filter(|number| self.indexed_data(*number).is_some()));
        for number in new.chain(indexed) {
            for page in self.refresh(number) {
                if self.joints.get(page).copied().unwrap_or(0) != self.above.joint(page) {
                    writes.insert(page);
                }
            }
        }
        writes
    }

    /// Computes the top of a page and the joints above it, and returns whose they are.
    fn refresh(&mut self, number: usize) -> Vec<usize> {
        let mut positions = [0; POSITIONS_MAX];
        let len = self.indexed_len() / 2;
        let top = match (self.indexed_data(number), positions.get_mut(..len)) {
            (Some(data), Some(positions)) => index::fill(positions, data),
            _ => 0,
        };
        self.above.set_top(number, top)
    }

    /// Data bytes that the index of one page describes.
    const fn indexed_len(&self) -> usize {
        2 * (self.page_size.bytes() - INDEX_AT)
    }

    /// The data bits that the index of a page describes; `None` when the page they are in is empty.
    fn indexed_data(&self, number: usize) -> Option<&[u8]> {
        let len = self.indexed_len();
        let first = number * len;
        let data = self.page(first / DATA_LEN)?.bits(Array::Data);
        data.get(first % DATA_LEN..)?.get(..len)
    }
}

/// Where a page is stored.
const fn offset(page_size: PageSize, number: usize) -> u64 {
    HEADER_LEN as u64 + number as u64 * page_size.bytes() as u64
}

/// The page with that byte; the first one for a byte of the header.
fn page_of(page_size: PageSize, byte: u64) -> usize {
    let page = byte.saturating_sub(HEADER_LEN as u64) / page_size.bytes() as u64;
    usize::try_from(page).unwrap_or(usize::MAX - 1)
}
