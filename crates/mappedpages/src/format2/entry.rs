//! An entry of the directory: one protected page.

use super::fields::{Reader, Writer};
use super::layout::RESERVED_PAGES;
use crate::protected::REUSE_MAX;

/// What the directory says of a slot. The default one is a slot that was never used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The first page of the pair that the copies lie in; 0 when the slot is not in use.
    pub(crate) first: u64,
    /// The commit that wrote the current copy; 0 while nothing was written.
    pub(crate) generation: u64,
    /// Checksum of the current copy.
    pub(crate) crc: u32,
    /// How often the slot was freed.
    pub(crate) reuse: u32,
    /// Which page of the pair is current: 0 or 1.
    pub(crate) copy: u8,
    /// Nothing was written yet: the page reads as zeros.
    pub(crate) is_blank: bool,
}

/// Bit of the state: the slot is in use.
const IN_USE: u32 = 1 << 24;
/// Bit of the state: the second page of the pair is current.
const SECOND_COPY: u32 = 1 << 25;
/// Bit of the state: see [`Entry::is_blank`].
const BLANK: u32 = 1 << 26;
/// Bits of the state that hold the reuse count.
const REUSE_MASK: u32 = (1 << 24) - 1;

impl Entry {
    pub(crate) fn is_in_use(&self) -> bool {
        self.first != 0
    }

    /// Whether the slot can be given out.
    pub(crate) fn is_free(&self) -> bool {
        !self.is_in_use() && self.reuse < REUSE_MAX
    }

    /// The current page of the pair.
    pub(crate) fn page(&self) -> u64 {
        self.first.saturating_add(self.copy.into())
    }

    /// The copy that new content goes to: the one that is not current.
    ///
    /// Before the first content none is. Of neighbouring pairs one then begins with its first page and the
    /// next with its second, so that what is written to them together lies together, now and later.
    pub(crate) fn next_copy(&self) -> u8 {
        if self.is_blank { u8::from(self.first & 2 != 0) } else { self.copy ^ 1 }
    }

    /// The slot once its page was freed.
    pub(crate) fn freed(&self) -> Self {
        Self { reuse: self.reuse.saturating_add(1).min(REUSE_MAX), ..Self::default() }
    }

    /// `None`: no writer stores that.
    pub(crate) fn decode(reader: &mut Reader<'_>, newest: u64, page_count: u64) -> Option<Self> {
        let (first, generation, crc, state) =
            (reader.u64()?, reader.u64()?, reader.u32()?, reader.u32()?);
        let entry = Self {
            first,
            generation,
            crc,
            reuse: state & REUSE_MASK,
            copy: u8::from(state & SECOND_COPY != 0),
            is_blank: state & BLANK != 0,
        };
        let is_inside = first >= RESERVED_PAGES && first < page_count.saturating_sub(1);
        let is_unwritten = generation == 0 && crc == 0 && entry.copy == 0;
        let is_sound = if state & IN_USE == 0 {
            first == 0 && is_unwritten && !entry.is_blank
        } else {
            is_inside && generation <= newest && (!entry.is_blank || is_unwritten)
        };
        (is_sound && state >> 27 == 0).then_some(entry)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        let mut state = self.reuse & REUSE_MASK;
        for (bit, is_set) in
            [(IN_USE, self.is_in_use()), (SECOND_COPY, self.copy == 1), (BLANK, self.is_blank)]
        {
            state |= if is_set { bit } else { 0 };
        }
        writer.u64(self.first);
        writer.u64(self.generation);
        writer.u32(self.crc);
        writer.u32(state);
    }
}
