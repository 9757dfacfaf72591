//! References: from a record or a node to a node of a tree, and from a record to a journal.
//!
//! A node lies in a pair of adjacent pages, of which one is current. The reference says which, and what
//! its checksum is, so a node is believed only as far as what refers to it.

use super::fields::{Reader, Writer};
use super::layout::RESERVED_PAGES;

/// Where a node is. The absent one ([`Reference::ABSENT`]) stands for a subtree in which nothing is
/// used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The first page of the pair; 0 when there is no node.
    pub(crate) first: u64,
    /// The commit that wrote the current copy.
    pub(crate) generation: u64,
    /// Units below that are in use.
    pub(crate) used: u64,
    /// Checksum of the current copy.
    pub(crate) crc: u32,
    /// Which page of the pair is current: 0 or 1.
    pub(crate) copy: u8,
}

impl Reference {
    /// No node: nothing below is in use.
    pub(crate) const ABSENT: Self = Self { first: 0, generation: 0, used: 0, crc: 0, copy: 0 };

    pub(crate) fn is_absent(&self) -> bool {
        self.first == 0
    }

    /// The current page of the pair.
    pub(crate) fn page(&self) -> u64 {
        self.first.saturating_add(self.copy.into())
    }

    /// `None`: no writer stores that. Whether the pages exist is for [`Self::is_inside`].
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let reference = Self {
            first: reader.u64()?,
            generation: reader.u64()?,
            used: reader.u64()?,
            crc: reader.u32()?,
            copy: reader.u8()?,
        };
        reader.expect([0; 3])?;
        let is_sound =
            reference == Self::ABSENT || (reference.first >= RESERVED_PAGES && reference.copy <= 1);
        is_sound.then_some(reference)
    }

    /// Whether both pages of the pair are pages of a file of `page_count` pages.
    pub(crate) fn is_inside(&self, page_count: u64) -> bool {
        self.is_absent() || self.first < page_count.saturating_sub(1)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        writer.u64(self.first);
        writer.u64(self.generation);
        writer.u64(self.used);
        writer.u32(self.crc);
        writer.u8(self.copy);
        writer.zeros(3);
    }
}

/// Where the list of a journal is. The default one stands for no journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JournalReference {
    /// The first page of the list; 0 when there is none.
    pub(crate) first: u64,
    /// The commit that the journal belongs to.
    pub(crate) generation: u64,
    /// Entries in the whole list.
    pub(crate) entries: u64,
    /// Checksum of the first page of the list.
    pub(crate) crc: u32,
}

impl JournalReference {
    pub(crate) fn is_absent(&self) -> bool {
        self.first == 0
    }

    /// `None`: no writer stores that.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let reference = Self {
            first: reader.u64()?,
            generation: reader.u64()?,
            entries: reader.u64()?,
            crc: reader.u32()?,
        };
        reader.expect([0; 4])?;
        let is_sound = reference == Self::default()
            || (reference.first >= RESERVED_PAGES && reference.entries > 0);
        is_sound.then_some(reference)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        writer.u64(self.first);
        writer.u64(self.generation);
        writer.u64(self.entries);
        writer.u32(self.crc);
        writer.zeros(4);
    }
}
