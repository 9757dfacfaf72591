//! The directory of protected pages: blocks of entries, one page each, stored twice.
//!
//! Block *b* describes the slots `b * E .. (b + 1) * E`, where `E` follows from the page size. Which of
//! the two copies of a block counts is said by the index in page 0.

use super::field::{self, read_u32, read_u64};
use crate::protected::{REUSE_MAX, SLOT_BITS};

/// Bytes in front of the entries: the capacity and four zeros.
const ENTRIES_OFFSET: usize = 8;
/// Bytes of an entry.
const PROTECTED_ENTRY_LEN: usize = 30;
/// Bits of an entry's generation that count the writes since the slot was taken; those above count
/// how often the slot was taken before.
const WRITES_BITS: u32 = SLOT_BITS;

/// Which of two copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy2 {
    A,
    B,
}

impl Copy2 {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::A),
            1 => Some(Self::B),
            _ => None,
        }
    }

    pub(super) fn to_byte(self) -> u8 {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Of two pages, the one of this copy.
    pub(super) fn of(self, pages: [u64; 2]) -> u64 {
        let [a, b] = pages;
        match self {
            Self::A => a,
            Self::B => b,
        }
    }
}

/// One slot of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Whether the slot holds a protected page. Freeing clears only this.
    pub(super) in_use: bool,
    /// The two pages that hold the content in turn; zeros until the slot is first taken.
    pub(super) pages: [u64; 2],
    /// Which of them counts.
    pub(super) active: Copy2,
    /// Reuse count and writes, see [`Entry::reuse`].
    pub(super) generation: u64,
    /// CRC-32 of the content.
    pub(super) checksum: u32,
}

impl Entry {
    /// A slot that was never taken.
    pub(super) const UNUSED: Self =
        Self { in_use: false, pages: [0, 0], active: Copy2::A, generation: 0, checksum: 0 };

    /// How often the slot was freed and taken again, as ids of protected pages carry it.
    ///
    /// The published crate sets the generation to zero when it takes a slot, so it starts over there.
    pub(super) fn reuse(&self) -> u32 {
        u32::try_from(self.generation >> WRITES_BITS).unwrap_or(REUSE_MAX)
    }

    /// The reuse count that the slot gets when it is taken; `None` when it must never be again.
    pub(super) fn next_reuse(&self) -> Option<u32> {
        if self.pages == Self::UNUSED.pages {
            return Some(0);
        }
        self.reuse().checked_add(1).filter(|reuse| *reuse <= REUSE_MAX)
    }

    /// The slot, taken with two pages the first of which holds content with `checksum`.
    pub(super) fn taken(pages: [u64; 2], reuse: u32, checksum: u32) -> Self {
        let generation = u64::from(reuse) << WRITES_BITS;
        Self { in_use: true, pages, active: Copy2::A, generation, checksum }
    }

    /// The slot after the content in the other page became the one that counts.
    pub(super) fn written(&self, checksum: u32) -> Self {
        let writes = (1_u64 << WRITES_BITS).wrapping_sub(1);
        let next = self.generation.wrapping_add(1) & writes;
        let generation = self.generation & !writes | next;
        Self { active: self.active.other(), generation, checksum, ..*self }
    }

    /// The page that holds the content.
    pub(super) fn page(&self) -> u64 {
        self.active.of(self.pages)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let in_use = *bytes.first()? != 0;
        // The byte of a slot that is not in use means nothing.
        let active = Copy2::from_byte(*bytes.get(17)?);
        Some(Self {
            in_use,
            pages: [read_u64(bytes, 1)?, read_u64(bytes, 9)?],
            active: if in_use { active? } else { active.unwrap_or(Copy2::A) },
            generation: read_u64(bytes, 18)?,
            checksum: read_u32(bytes, 26)?,
        })
    }

    fn encode_to(&self, page: &mut Vec<u8>) {
        page.push(u8::from(self.in_use));
        for number in self.pages {
            page.extend_from_slice(&number.to_le_bytes());
        }
        page.push(self.active.to_byte());
        page.extend_from_slice(&self.generation.to_le_bytes());
        page.extend_from_slice(&self.checksum.to_le_bytes());
    }
}

/// Entries of a directory page.
pub(super) const fn entries_of(page_len: usize) -> usize {
    page_len.saturating_sub(ENTRIES_OFFSET + field::CHECKSUM_LEN) / PROTECTED_ENTRY_LEN
}

/// Reads a copy of a block. `None` when its checksum is wrong or it is no directory page.
pub(super) fn decode(page: &[u8]) -> Option<Vec<Entry>> {
    let body = field::checked(page)?;
    let capacity = entries_of(page.len());
    if usize::try_from(read_u32(body, 0)?).ok()? != capacity {
        return None;
    }
    let entries = body.get(ENTRIES_OFFSET..)?;
    entries.chunks_exact(PROTECTED_ENTRY_LEN).take(capacity).map(Entry::decode).collect()
}

/// The page of a block as stored, `page_len` bytes.
pub(super) fn encode(entries: &[Entry], page_len: usize) -> Vec<u8> {
    let mut page = Vec::with_capacity(page_len);
    let capacity = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    page.extend_from_slice(&capacity.to_le_bytes());
    page.extend_from_slice(&[0; 4]);
    for entry in entries {
        entry.encode_to(&mut page);
    }
    field::seal(&mut page, page_len);
    page
}
