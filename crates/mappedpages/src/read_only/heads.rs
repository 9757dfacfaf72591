//! The sectors of a file of format 2 from which all else is found, and the state that they name.
//!
//! Invariants: what is chosen was whole when it was read; whether a writer has moved on since is asked
//! again by whoever reads on. Knows nothing of what a state holds.

use super::source::Source;
use super::view::{Result, TURNS_MAX};
use crate::error::MappedPageError;
use crate::format2::fields::Sector;
use crate::format2::layout::{SEAL_OFFSET, SECTOR_LEN, record_page};
use crate::format2::record::Record;
use crate::format2::seal::Seal;

/// The seal and both commit records, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heads {
    pub(crate) seal: Sector,
    pub(crate) records: [Sector; 2],
}

/// The page of a commit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Whole(Record),
    /// Zeros: there was no commit yet, or it was taken back.
    Empty,
    Damaged,
}

/// A record that may name the state of the file.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) record: Record,
    pub(crate) sector: Sector,
    pub(crate) seal: Sector,
    /// All that the commit wrote is known to have arrived.
    pub(crate) is_settled: bool,
    /// The contents of journals up to this generation are in their places.
    pub(crate) applied: u64,
}

/// What became of a state that was chosen earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// What it is made of is still there.
    Kept {
        /// The seal says that the commit is durable.
        is_sealed: bool,
    },
    /// A writer may have put other things in its place.
    Gone,
}

impl Heads {
    /// Reads the sectors. `None`: the file ends before them.
    pub(crate) fn read(source: &dyn Source, page_len: usize) -> Result<Option<Self>> {
        let mut heads = Self { seal: [0; SECTOR_LEN], records: [[0; SECTOR_LEN]; 2] };
        let mut is_there = source.read(SEAL_OFFSET, &mut heads.seal)?;
        for (page, sector) in (1_u64..).zip(&mut heads.records) {
            is_there &= source.read(page.saturating_mul(page_len as u64), sector)?;
        }
        Ok(is_there.then_some(heads))
    }

    /// What the pages of the records hold.
    pub(crate) fn slots(&self, page_len: usize) -> [Slot; 2] {
        let slot = |page: u64, sector: &Sector| match Record::decode(sector, page_len) {
            Some(record) if record_page(record.generation) == page => Slot::Whole(record),
            _ if sector.iter().all(|&byte| byte == 0) => Slot::Empty,
            _ => Slot::Damaged,
        };
        let [first, second] = &self.records;
        [slot(1, first), slot(2, second)]
    }

    /// The states that the file may have, the best first. The second is that of the file when not all
    /// of the first arrived.
    ///
    /// # Errors
    /// `CorruptMetadata` when there is none, or a newer one may be damaged.
    pub(crate) fn candidates(&self, page_len: usize) -> Result<Vec<Head>> {
        let seal = Seal::decode(&self.seal);
        let sealed = seal.map(|seal| seal.generation);
        let mut whole = Vec::new();
        let mut is_damaged = false;
        for (slot, sector) in self.slots(page_len).into_iter().zip(&self.records) {
            match slot {
                Slot::Whole(record) => whole.push((record, *sector)),
                Slot::Empty => {}
                Slot::Damaged => is_damaged = true,
            }
        }
        whole.sort_by_key(|(record, _)| std::cmp::Reverse(record.generation));
        let newest = whole.first().map(|(record, _)| record.generation);
        let newest = newest.ok_or(MappedPageError::CorruptMetadata)?;
        // Two commits may be on their way to the medium before a seal that tells of them is.
        let is_legal = match sealed {
            Some(sealed) => (sealed..=sealed.saturating_add(2)).contains(&newest),
            None => true,
        };
        if !is_legal || (is_damaged && sealed != Some(newest)) {
            return Err(MappedPageError::CorruptMetadata);
        }
        let applied = seal.map_or(0, |seal| seal.applied);
        let head = |(record, sector): (Record, Sector)| {
            // A commit begins only when the one before is durable.
            let is_settled = record.is_ordered
                || record.generation < newest
                || sealed.is_some_and(|sealed| record.generation <= sealed);
            Head { record, sector, seal: self.seal, is_settled, applied }
        };
        let is_next = |record: &Record| match sealed {
            Some(sealed) => newest > sealed && record.generation >= sealed,
            None => false,
        };
        whole.retain(|(record, _)| record.generation == newest || is_next(record));
        Ok(whole.into_iter().map(head).collect())
    }
}

impl Head {
    /// Asks the file whether the state is still there.
    ///
    /// A writer overwrites what a state is made of only after it stored the seal of the next one.
    pub(crate) fn standing(&self, source: &dyn Source, page_len: usize) -> Result<Standing> {
        let generation = self.record.generation;
        let at = record_page(generation).saturating_mul(page_len as u64);
        let (mut seal_now, mut sector) = ([0; SECTOR_LEN], [0; SECTOR_LEN]);
        for _ in 0..TURNS_MAX {
            if !source.read(SEAL_OFFSET, &mut seal_now)? || !source.read(at, &mut sector)? {
                return Ok(Standing::Gone);
            }
            if sector != self.sector {
                let is_other = Record::decode(&sector, page_len).is_some();
                if is_other || sector == [0; SECTOR_LEN] {
                    return Ok(Standing::Gone);
                }
            } else {
                match Seal::decode(&seal_now) {
                    Some(seal) if seal.generation > generation => return Ok(Standing::Gone),
                    Some(seal) => {
                        return Ok(Standing::Kept { is_sealed: seal.generation == generation });
                    }
                    None if seal_now == self.seal => {
                        return Ok(Standing::Kept { is_sealed: false });
                    }
                    None => {}
                }
            }
            // A sector that is being written right now.
            std::thread::yield_now();
        }
        Ok(Standing::Gone)
    }
}
