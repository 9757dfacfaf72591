//! The sectors of a file of format 2 from which all else is found, and the state that they name.
//!
//! Invariants: what is chosen was whole when it was read; whether a writer has moved on since is asked
//! again by whoever reads on. Knows nothing of what a state holds.

use super::source::Source;
use super::view::{Result, TURNS_MAX};
use crate::format2::fields::Sector;
use crate::format2::layout::{SEAL_OFFSET, SECTOR_LEN, record_page};
use crate::format2::record::Record;
use crate::format2::recover::{Slot, choose};
use crate::format2::seal::Seal;

/// The seal and both commit records, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heads {
    pub(crate) seal: Sector,
    pub(crate) records: [Sector; 2],
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
        let [first, second] = &self.records;
        [Slot::decode(first, 1, page_len), Slot::decode(second, 2, page_len)]
    }

    /// The states that the file may have, the best first. The second is that of the file when not all
    /// of the first arrived.
    ///
    /// # Errors
    /// `CorruptMetadata` when there is none, or a newer one may be damaged.
    pub(crate) fn candidates(&self, page_len: usize) -> Result<Vec<Head>> {
        let seal = Seal::decode(&self.seal);
        let choice = choose(seal, self.slots(page_len))?;
        let mut heads = vec![self.head(choice.newest, seal)];
        // Without a seal nothing says that a commit was not durable; and the pages of an ordered one were.
        let may_be_lost = seal.is_some() && !choice.is_sealed && !choice.newest.is_ordered;
        heads.extend(choice.before.filter(|_| may_be_lost).map(|before| self.head(before, seal)));
        Ok(heads)
    }

    fn head(&self, record: Record, seal: Option<Seal>) -> Head {
        let is_sealed = seal.is_some_and(|seal| seal.generation >= record.generation);
        Head {
            record,
            sector: *self.record_sector(record.generation),
            seal: self.seal,
            is_settled: is_sealed || record.is_ordered,
            applied: seal.map_or(0, |seal| seal.applied),
        }
    }

    fn record_sector(&self, generation: u64) -> &Sector {
        let [first, second] = &self.records;
        if record_page(generation) == 1 { first } else { second }
    }
}

impl Head {
    /// Whether nothing says which commits are known to be durable, and their journals in place.
    pub(crate) fn is_seal_damaged(&self) -> bool {
        Seal::decode(&self.seal).is_none()
    }

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
