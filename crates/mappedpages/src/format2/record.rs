//! The commit record: one sector from which everything else of a committed state is found. The rest of
//! its page is the kind map of the first pages of the file.

use super::fields::{Reader, Sector, crc_of, sector, whole_sector};
use super::layout::{FIRST_PAGE_COUNT, LEVEL_MAX, RECORD_MAGIC, SECTOR_LEN};
use super::reference::{JournalReference, Reference};

/// The root of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) reference: Reference,
    /// Levels between the root and the leaves; 0: the root is a leaf.
    pub(crate) level: u8,
}

impl Root {
    /// A tree without nodes.
    pub(crate) const EMPTY: Self = Self { reference: Reference::ABSENT, level: 0 };
}

/// What a commit record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) generation: u64,
    pub(crate) page_count: u64,
    /// The pages of this commit were durable before the record was written.
    pub(crate) is_ordered: bool,
    /// Checksum of the kind map behind the record.
    pub(crate) map_crc: u32,
    pub(crate) allocation: Root,
    pub(crate) directory: Root,
    /// Contents of regular pages that this commit changed.
    pub(crate) journal: JournalReference,
    /// Those of a commit before, which were put in their places after it was durable.
    pub(crate) journal_before: JournalReference,
}

/// Flag: see [`Record::is_ordered`].
const ORDERED: u32 = 1;

impl Record {
    /// Reads the record at the start of its page. `None`: there is none, or it is damaged.
    ///
    /// Whether the file is as long as `page_count` says, and the map is whole, is not looked at.
    pub(crate) fn decode(bytes: &[u8], page_len: usize) -> Option<Self> {
        let mut reader = Reader::new(whole_sector(bytes)?);
        reader.expect(RECORD_MAGIC)?;
        let generation = reader.u64()?;
        let page_count = reader.u64()?;
        let flags = reader.u32()?;
        let map_crc = reader.u32()?;
        let allocation = Reference::decode(&mut reader)?;
        let directory = Reference::decode(&mut reader)?;
        let levels = [reader.u8()?, reader.u8()?];
        reader.expect([0; 6])?;
        let record = Self {
            generation,
            page_count,
            is_ordered: flags == ORDERED,
            map_crc,
            allocation: Root { reference: allocation, level: levels[0] },
            directory: Root { reference: directory, level: levels[1] },
            journal: JournalReference::decode(&mut reader)?,
            journal_before: JournalReference::decode(&mut reader)?,
        };
        record.is_sound(flags, page_len).then_some(record)
    }

    fn is_sound(&self, flags: u32, page_len: usize) -> bool {
        let roots = [self.allocation, self.directory];
        let journals = [self.journal, self.journal_before];
        let bytes = self.page_count.checked_mul(page_len as u64);
        flags <= ORDERED
            && self.page_count >= FIRST_PAGE_COUNT
            && bytes.is_some_and(|bytes| i64::try_from(bytes).is_ok())
            && roots.iter().all(|root| root.level <= LEVEL_MAX)
            && roots.iter().all(|root| root.reference.is_inside(self.page_count))
            && roots.iter().all(|root| root.reference.generation <= self.generation)
            && journals.iter().all(|journal| journal.first < self.page_count)
            && (self.journal.is_absent() || self.journal.generation == self.generation)
            && (self.journal_before.is_absent() || self.journal_before.generation < self.generation)
    }

    pub(crate) fn encode(&self) -> Sector {
        sector(|writer| {
            writer.bytes(&RECORD_MAGIC);
            writer.u64(self.generation);
            writer.u64(self.page_count);
            writer.u32(if self.is_ordered { ORDERED } else { 0 });
            writer.u32(self.map_crc);
            self.allocation.reference.encode(writer);
            self.directory.reference.encode(writer);
            writer.u8(self.allocation.level);
            writer.u8(self.directory.level);
            writer.zeros(6);
            self.journal.encode(writer);
            self.journal_before.encode(writer);
        })
    }

    /// The kind map behind the record in its page, when it is whole.
    pub(crate) fn inline_map<'a>(&self, page: &'a [u8]) -> Option<&'a [u8]> {
        let map = page.get(SECTOR_LEN..)?;
        (crc_of(map) == self.map_crc).then_some(map)
    }
}
