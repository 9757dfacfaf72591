//! Giving back what no stored block and no live node needs.
//!
//! Clearing and truncating give back what they remove. What is left for this are bytes that others left behind: an earlier crash,
//! another program, a log that was filled out of order, a header that was large once.

use std::ops::Range;

use random_access_storage::RandomAccess;

use crate::bitfield::{PAGE_BITS, PAGE_LEN};
use crate::change::end_of_stored;
use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::nodes::stored_len;
use crate::options::Rhythm;
use crate::state::State;
use crate::stores::FileName;
use crate::writer::Writer;

/// Holes that are looked at before another writer gets its turn.
const HOLES_PER_TURN: usize = 64;

/// What a compaction gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Bytes given back to the medium; it counts whole allocation units.
    pub bytes_freed: u64,
}

impl Log {
    /// Gives back whatever no stored block and no live node needs. Nothing that can be read changes, and other calls go on in between.
    ///
    /// Where the bitfield is [damaged](crate::RecoveryReport::bitfield_damaged), blocks may be stored that it does not list: all bytes of
    /// blocks stay then, for a [repair](Self::repair) to find.
    ///
    /// # Durability
    /// Everything written before is on stable storage on return. A crash may bring back what was given back.
    ///
    /// # Errors
    /// [`LogError::ReadOnly`], [`LogError::HeaderLost`], [`LogError::Poisoned`]; [`LogError::Storage`]: the log is
    /// poisoned.
    pub fn compact(&self) -> Result<Compacted, LogError> {
        let before = self.storage_info()?.total();
        let lists_all = {
            let mut writer = self.lock_writer()?;
            if writer.has_tail() {
                self.write_checkpoint(&mut writer)?;
            }
            if self.options.rhythm == Rhythm::Bounded {
                self.leave_header_file(&mut writer)?;
            }
            self.cut_tree(&mut writer)?;
            self.cut_bitfield()?;
            let lists_all = self.read_state().stored_off == 0;
            // Before the holes: the last of them may reach the end.
            let end = end_of_stored(&self.read_state());
            if let (true, Some(end)) = (lists_all, end) {
                self.give_back_data_end(end)?;
            }
            lists_all
        };
        let mut next = lists_all.then_some(0);
        while let Some(block) = next {
            next = self.give_back_holes(block)?;
        }
        let after = self.storage_info()?.total();
        Ok(Compacted { bytes_freed: before.saturating_sub(after) })
    }

    /// Empties the header file where the header fits into its slot again: once neither slot speaks of the file.
    fn leave_header_file(&self, writer: &mut Writer) -> Result<(), LogError> {
        let in_header = StorageError::in_file(FileName::Header);
        let has_file = self.stores.header.is_empty().map(|is_empty| !is_empty);
        let has_file = self.poison_on_error(has_file.map_err(&in_header))?;
        if !has_file || !writer.header(self.key, &self.read_state()).fits_slot() {
            return Ok(());
        }
        writer.oplog.leave_header_file();
        self.write_checkpoint(writer)?;
        self.write_checkpoint(writer)?;
        self.poison_on_error(self.stores.header.truncate(0).map_err(&in_header))
    }

    /// Cuts the tree store behind the last node. The header says how much of it counts, so there is a new one.
    fn cut_tree(&self, writer: &mut Writer) -> Result<(), LogError> {
        let end = stored_len(self.length());
        let cut = cut_store(&*self.stores.tree, end).map_err(StorageError::in_file(FileName::Tree));
        if self.poison_on_error(cut)? { self.write_checkpoint(writer) } else { Ok(()) }
    }

    /// Cuts the bitfield behind the last block that is stored.
    fn cut_bitfield(&self) -> Result<(), LogError> {
        let last = self.read_state().bitfield.find_last_set(u64::MAX);
        let pages = last.map_or(0, |block| (block / PAGE_BITS).saturating_add(1));
        let end = pages.saturating_mul(PAGE_LEN as u64);
        let cut = cut_store(&*self.stores.bitfield, end);
        self.poison_on_error(cut.map_err(StorageError::in_file(FileName::Bitfield)))?;
        Ok(())
    }

    /// Gives back the bytes between stored blocks from block `from` on, a few at a time; tells where to go on. `from` is 0 or a
    /// stored block.
    fn give_back_holes(&self, from: u64) -> Result<Option<u64>, LogError> {
        let writer = self.lock_writer()?;
        let mut holes = Vec::new();
        let mut at = from;
        let next = {
            let state = self.read_state();
            let length = state.tree.length();
            loop {
                let Some(start) = state.bitfield.find_first(false, at..length) else { break None };
                let Some(end) = state.bitfield.find_first(true, start..length) else { break None };
                // Where the place of a block is not known, that is for a verification to say.
                holes.extend(hole_between(&state, start..end));
                at = end;
                if holes.len() >= HOLES_PER_TURN {
                    break Some(at);
                }
            }
        };
        for hole in holes.iter().filter(|hole| !hole.is_empty()) {
            let punched = self.punch(hole).map_err(StorageError::in_file(FileName::Data));
            self.poison_on_error(punched)?;
        }
        drop(writer);
        Ok(next)
    }
}

/// The bytes of blocks that are not stored, between two that are.
fn hole_between(state: &State, blocks: Range<u64>) -> Option<Range<u64>> {
    let range_of = |block| state.tree.byte_range(&state.nodes, block).ok();
    let start = match blocks.start.checked_sub(1) {
        Some(before) => range_of(before)?.end,
        None => 0,
    };
    Some(start..range_of(blocks.end)?.start)
}

/// Whether the store was longer.
fn cut_store(store: &dyn RandomAccess, end: u64) -> random_access_storage::Result<bool> {
    let longer = store.len()? > end;
    if longer {
        store.truncate(end)?;
    }
    Ok(longer)
}
