//! The table of a container while it is being written.

use std::collections::BTreeSet;

use super::format::{FormatError, HeapItem, ITEM_COUNT_MAX, Item, ItemKind, NAME_LEN_MAX};
use crate::{HeapSection, WriteError};

/// A heap that was written, and its place in the table of its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeapId {
    place: u32,
    section: HeapSection,
}

impl HeapId {
    /// The handle, for entries that name a heap.
    #[must_use]
    pub const fn section(self) -> HeapSection {
        self.section
    }
}

/// Sections and heaps in the order in which they were named.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// A heap that is still being collected is nothing as yet.
    items: Vec<(String, Option<ItemKind>)>,
    names: BTreeSet<String>,
}

impl Table {
    /// Finds out whether one more item can have this name.
    pub(super) fn check_name(&self, name: &str) -> Result<(), WriteError> {
        if name.is_empty() || name.len() > NAME_LEN_MAX {
            return Err(FormatError::NameLen { len: name.len() }.into());
        }
        if self.items.len() >= ITEM_COUNT_MAX as usize {
            return Err(FormatError::TooManyItems.into());
        }
        if self.names.contains(name) {
            return Err(WriteError::NameTaken { name: name.to_owned() });
        }
        Ok(())
    }

    /// Takes up an item whose name was checked and returns its place.
    pub(super) fn push(&mut self, name: String, kind: Option<ItemKind>) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the number was checked with the name")]
        let place = self.items.len() as u32;
        self.names.insert(name.clone());
        self.items.push((name, kind));
        place
    }

    /// Takes up a heap that was written at once.
    pub(super) fn push_heap(
        &mut self,
        name: String,
        section: HeapSection,
        byte_len: u64,
    ) -> HeapId {
        let place = self.push(name, Some(heap_item(section, byte_len)));
        HeapId { place, section }
    }

    /// Says where a heap is that was collected.
    pub(super) fn place_heap(&mut self, place: u32, section: HeapSection, byte_len: u64) -> HeapId {
        if let Some((_, item)) = self.items.get_mut(place as usize) {
            *item = Some(heap_item(section, byte_len));
        }
        HeapId { place, section }
    }

    /// Finds out whether a heap of this name is being collected for this place.
    pub(super) fn check_collected(&self, place: u32, name: &str) -> Result<u32, WriteError> {
        match self.items.get(place as usize) {
            Some((known, None)) if known == name => Ok(place),
            _ => Err(WriteError::ForeignHeap),
        }
    }

    /// The place of a heap that was written.
    pub(super) fn check_written(&self, id: HeapId) -> Result<u32, WriteError> {
        match self.items.get(id.place as usize) {
            Some((_, Some(ItemKind::Heap(heap)))) if heap.page_offset == id.section.page_offset => {
                Ok(id.place)
            }
            _ => Err(WriteError::ForeignHeap),
        }
    }

    /// The items, each of which is something by now.
    pub(super) fn into_items(self) -> Result<Vec<Item>, WriteError> {
        let items = self.items.into_iter().map(|(name, kind)| match kind {
            Some(kind) => Ok(Item { name, kind }),
            None => Err(WriteError::HeapNotAdded { name }),
        });
        items.collect()
    }
}

const fn heap_item(section: HeapSection, byte_len: u64) -> ItemKind {
    ItemKind::Heap(HeapItem { page_offset: section.page_offset, byte_len })
}
