//! The entries of one part of the directory.

use std::num::NonZeroU64;

use super::entry::Entry;
use super::fields::{Reader, Writer};
use super::layout::{
    DIRECTORY_MAGIC, ENTRY_LEN, NODE_HEADER_LEN, at_least_one, directory_leaf_units,
};
use super::reference::Reference;
use super::tree::Leaf;
use crate::error::MappedPageError;
use crate::protected::SLOT_BITS;

/// Entries of adjacent slots. Used, as the tree counts, are slots in use and slots used up.
#[derive(Debug)]
pub(crate) struct SlotLeaf {
    entries: Box<[Entry]>,
    used: u64,
}

impl SlotLeaf {
    pub(crate) fn entry(&self, index: usize) -> Entry {
        self.entries.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn set(&mut self, index: usize, entry: Entry) {
        let Some(place) = self.entries.get_mut(index) else { return };
        match (place.is_free(), entry.is_free()) {
            (true, false) => self.used = self.used.saturating_add(1),
            (false, true) => self.used = self.used.saturating_sub(1),
            _ => {}
        }
        *place = entry;
    }

    /// The lowest slot at or after `from` for whose entry `is_wanted` holds.
    pub(crate) fn next(&self, from: usize, is_wanted: impl Fn(&Entry) -> bool) -> Option<u64> {
        let entries = self.entries.iter().enumerate().skip(from);
        entries
            .map(|(index, entry)| (index as u64, entry))
            .find(|(_, entry)| is_wanted(entry))
            .map(|(index, _)| index)
    }
}

impl<const P: usize> Leaf<P> for SlotLeaf {
    const MAGIC: [u8; 4] = DIRECTORY_MAGIC;
    const UNITS: NonZeroU64 = at_least_one(directory_leaf_units(P));

    fn limit(_page_count: u64) -> u64 {
        1 << SLOT_BITS
    }

    fn damaged() -> MappedPageError {
        MappedPageError::CorruptProtectedDirectory
    }

    fn empty() -> Self {
        let count = P.saturating_sub(NODE_HEADER_LEN) / ENTRY_LEN;
        Self { entries: vec![Entry::default(); count].into_boxed_slice(), used: 0 }
    }

    fn decode(body: &[u8], node: &Reference, limit: u64, page_count: u64) -> Option<Self> {
        let mut used = 0_u64;
        let mut entries = Vec::with_capacity(body.len() / ENTRY_LEN);
        for (index, bytes) in (0_u64..).zip(body.chunks_exact(ENTRY_LEN)) {
            let entry = Entry::decode(&mut Reader::new(bytes), node.generation, page_count)?;
            if !entry.is_free() {
                (index < limit).then_some(())?;
                used = used.saturating_add(1);
            }
            entries.push(entry);
        }
        Some(Self { entries: entries.into_boxed_slice(), used })
    }

    fn encode(&mut self, body: &mut [u8]) {
        let mut writer = Writer::new(body);
        self.entries.iter().for_each(|entry| entry.encode(&mut writer));
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn busy(&self) -> u64 {
        self.used
    }
}
