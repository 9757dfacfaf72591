//! A bitfield to and from its store.
//!
//! A load takes what is there in large reads, skips holes, and allocates no more than the store holds.
//! A write replaces whole pages, neighbours together, as the JavaScript packages do.

use std::collections::BTreeSet;

use flat_tree::Index;
use random_access_storage::RandomAccess;

use super::page::{Array, DATA_LEN, INDEX_AT, Page};
use super::{Bitfield, PAGE_COUNT_MAX, index};
use crate::error::{Error, Result};
use crate::files::FileName;
use crate::header::{HEADER_LEN, PageSize};

/// Pages that are read or written in one call.
const PAGES_PER_CALL: usize = 64;

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
            let end = page_of(page_size, stored.end.saturating_sub(1)) + 1;
            let end = end.min(number + PAGES_PER_CALL).min(page_count);
            let start = offset(page_size, number);
            buffer.resize((offset(page_size, end).min(len) - start) as usize, 0);
            store.read_at(start, &mut buffer).map_err(&failed)?;
            for bytes in buffer.chunks(page_len) {
                bitfield.take_page(number, bytes);
                number += 1;
            }
        }
        Ok(bitfield)
    }

    fn take_page(&mut self, number: usize, bytes: &[u8]) {
        if let (Some(page), Some(joint)) = (self.pages.get_mut(number), self.joints.get_mut(number))
        {
            *page = Page::decode(bytes);
            *joint = bytes.get(self.page_size.bytes() - 1).copied().unwrap_or(0);
        }
    }

    /// Whether anything changed since the last [`write`](Self::write) or load.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.joints.len() < self.pages.len()
    }

    /// Writes the pages that changed, or whose index did, whole. The header is the caller's concern.
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
            let bytes: Vec<u8> = run.iter().flat_map(|number| self.encode(*number)).collect();
            let start = offset(self.page_size, run.first().copied().unwrap_or(0));
            store.write_at(start, &bytes).map_err(Error::in_file(FileName::Bitfield))?;
        }
        for number in numbers {
            if let (Some(joint), Some(fresh)) =
                (self.joints.get_mut(number), self.upper.get(2 * number + 1))
            {
                *joint = *fresh;
            }
        }
        self.dirty.clear();
        Ok(())
    }

    /// A page as it is to be stored, when the index above the pages is fresh.
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
        if let (Some(place), Some(joint)) = (positions.last_mut(), self.upper.get(2 * number + 1)) {
            *place = *joint;
        }
        bytes
    }

    /// Makes the index above the pages right, and says which pages must be written for it and for the
    /// bits that changed.
    fn refresh_index(&mut self) -> BTreeSet<usize> {
        let count = self.pages.len();
        let known = self.upper.len() / 2;
        self.upper.resize(2 * count, 0);
        if known == 0 {
            // The first time: all of it, though pages that did not change are not to be written.
            for number in 0..count {
                self.refresh_path(number, &mut BTreeSet::new());
            }
        }
        let mut writes = self.dirty.clone();
        // Where index and blocks run out of step, other pages hold the index of the changed blocks.
        let per_page = DATA_LEN / self.indexed_len();
        let indexed = self.dirty.iter().flat_map(|page| page * per_page..(page + 1) * per_page);
        // Pages that are new join what is left of them, also when nothing in them is set.
        let mut changed: BTreeSet<usize> = indexed.filter(|page| *page < count).collect();
        changed.extend(self.joints.len()..count);
        self.joints.resize(count, 0);
        for number in changed {
            if per_page > 1 || self.indexed_data(number).is_some() {
                writes.insert(number);
            }
            self.refresh_path(number, &mut writes);
        }
        // Whole pages up to the last one, which says how many there are.
        writes
    }

    /// Computes the top of a page and all positions above it, and adds the pages whose stored joint is
    /// not what it should be.
    fn refresh_path(&mut self, number: usize, writes: &mut BTreeSet<usize>) {
        let mut positions = [0; 512];
        let len = self.page_size.bytes() - INDEX_AT;
        let top = match (self.indexed_data(number), positions.get_mut(..len)) {
            (Some(data), Some(positions)) => index::fill(positions, data),
            _ => 0,
        };
        let at = |upper: &[u8], index: Option<Index>| {
            let place = index.and_then(|index| usize::try_from(index.get()).ok());
            place.and_then(|place| upper.get(place).copied()).unwrap_or(0)
        };
        if let Some(place) = self.upper.get_mut(2 * number) {
            *place = top;
        }
        let mut position = Index::new(2 * number as u64).parent();
        while let Some(parent) = position {
            let fresh = index::joined(
                at(&self.upper, parent.left_child()),
                at(&self.upper, parent.right_child()),
            );
            let Some(place) = self.upper.get_mut(parent.get() as usize) else { break };
            *place = fresh;
            let page = parent.get() as usize / 2;
            if self.joints.get(page).is_none_or(|stored| *stored != fresh) {
                writes.insert(page);
            }
            position = parent.parent();
        }
    }

    /// Data bytes that the index of one page describes.
    const fn indexed_len(&self) -> usize {
        2 * (self.page_size.bytes() - INDEX_AT)
    }

    /// The data bits that the index of a page describes; `None` when none of them is set.
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
const fn page_of(page_size: PageSize, byte: u64) -> usize {
    (byte.saturating_sub(HEADER_LEN as u64) / page_size.bytes() as u64) as usize
}
