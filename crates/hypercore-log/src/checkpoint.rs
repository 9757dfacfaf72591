//! Checkpoints: tree, bitfield and header are written, and the oplog is emptied.
//!
//! The order is the promise: everything is on stable storage before the header that forgets the entries is
//! written, and the header is before the entries are cut off. A crash between any two writes leaves either
//! the old header with all its entries, or the new one.

use crate::canary::{Bug, planted};
use crate::entry::Entry;
use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::nodes::{NODE_BYTES, NODE_LEN, encode, stored_len};
use crate::oplog::{ENTRIES_START, SlotWrite};
use crate::options::Rhythm;
use crate::state::State;
use crate::stores::FileName;
use crate::writer::Writer;

/// Bytes of entries after which a checkpoint is made.
const TAIL_ENTRIES_LEN_MAX: u64 = 1024 * 1024;

/// Bytes of blocks since the last checkpoint after which one is made: what an open has to hash again.
const TAIL_DATA_LEN_MAX: u64 = 256 * 1024 * 1024;

/// Nodes waiting for a checkpoint after which one is made.
const PENDING_NODES_MAX: usize = 32 * 1024;

/// Nodes put together for one write of the tree store.
const RUN_NODES_MAX: usize = 16 * 1024;

/// Bytes of entries after which JavaScript Hypercore 10 writes a header.
const VERSION_10_ENTRIES_LEN_MAX: u64 = 65_536;

/// Operations between two headers of JavaScript Hypercore 10.
const VERSION_10_OPERATIONS: u8 = 4;

/// Where JavaScript Hypercore 10 is on its way to the next header.
///
/// # Source
/// formats.md section 10, "Header writes".
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version10Rhythm {
    operations_left: u8,
    manifest_written: bool,
}

impl Version10Rhythm {
    pub(crate) const fn opened(header_has_manifest: bool) -> Self {
        Self { operations_left: 1, manifest_written: header_has_manifest }
    }

    fn is_due(&mut self, entries_len: u64, has_manifest: bool) -> bool {
        self.operations_left = self.operations_left.saturating_sub(1);
        if self.operations_left == 0 || entries_len >= VERSION_10_ENTRIES_LEN_MAX {
            self.operations_left = VERSION_10_OPERATIONS;
            return true;
        }
        let manifest_is_new = has_manifest && !self.manifest_written;
        self.manifest_written |= manifest_is_new;
        manifest_is_new
    }
}

/// One piece of a store to write.
struct Piece {
    offset: u64,
    bytes: Vec<u8>,
}

impl Log {
    /// Checkpoints when the tail has grown to its limits.
    pub(crate) fn checkpoint_if_due(&self, writer: &mut Writer) -> Result<(), LogError> {
        let due = match self.options.rhythm {
            Rhythm::Bounded => {
                writer.entries_len() >= TAIL_ENTRIES_LEN_MAX
                    || writer.tail_data_len >= TAIL_DATA_LEN_MAX
                    || self.read_state().nodes.pending_len() >= PENDING_NODES_MAX
            }
            Rhythm::Version10 => {
                let has_manifest = self.read_state().manifest.is_some();
                let entries_len = writer.entries_len();
                writer.version_10.is_due(entries_len, has_manifest)
            }
        };
        if due { self.write_checkpoint(writer) } else { Ok(()) }
    }

    /// Writes a checkpoint.
    pub(crate) fn write_checkpoint(&self, writer: &mut Writer) -> Result<(), LogError> {
        self.settle(self.commit.newest())?;
        if !writer.has_tail() {
            // A header that is torn, or whose sync fails, must leave an entry of the one before in front: that
            // tells it from a damaged one, and an oplog that was left clean from one that was not. Where a head is lost
            // what stands there tells that, and a torn header may look damaged as well.
            if self.options.rhythm == Rhythm::Bounded && !writer.header_lost {
                self.write_entry(writer, &Entry::default())?;
            }
            // Also, the cut after the last header may not be on the medium yet. Were it lost and the next header
            // kept, the entries of before both would carry the right bit again.
            self.poison_on_error(self.stores.sync(FileName::Oplog))?;
        }
        let (truncated_to, runs, mut header) = {
            let state = self.read_state();
            let header = writer.header(self.key, &state);
            (state.nodes.truncated_to(), node_runs(&state), header)
        };
        if let Some(counts) = &mut header.counts {
            // Poisons like a write: what this checkpoint ends was applied already.
            let len = self.stores.tree.len().map_err(StorageError::in_file(FileName::Tree));
            let len = self.poison_on_error(len)?;
            let kept = truncated_to.map_or(len, stored_len);
            let ends = runs.iter().map(|run| run.offset.saturating_add(run.bytes.len() as u64));
            counts.tree_len = ends.fold(kept, u64::max);
        }
        let slot = writer.oplog.prepare_header(&header)?;
        if planted(Bug::HeaderBeforeTree) {
            self.poison_on_error(self.write_slot(&slot))?;
        }
        self.poison_on_error(self.write_behind(truncated_to, &runs, &slot))?;
        self.poison_on_error(self.write_slot(&slot))?;
        writer.oplog.header_written(&slot);
        writer.tail_data_len = 0;
        let mut state = self.publish();
        state.nodes.clear_pending();
        state.bitfield.clear_dirty();
        Ok(())
    }

    /// Writes what the header will rely on, and waits for it.
    fn write_behind(
        &self,
        truncated_to: Option<u64>,
        runs: &[Piece],
        slot: &SlotWrite,
    ) -> Result<(), StorageError> {
        let in_tree = StorageError::in_file(FileName::Tree);
        if let Some(length) = truncated_to {
            self.stores.tree.truncate(stored_len(length)).map_err(&in_tree)?;
        }
        for run in runs {
            self.stores.tree.write_at(run.offset, &run.bytes).map_err(&in_tree)?;
        }
        let has_dirty_pages = self.write_bitfield()?;
        if let Some((offset, bytes)) = &slot.external {
            let write = self.stores.header.write_at(*offset, bytes);
            write.map_err(StorageError::in_file(FileName::Header))?;
            self.stores.sync(FileName::Header)?;
        }
        if truncated_to.is_some() || !runs.is_empty() {
            self.stores.sync(FileName::Tree)?;
        }
        if has_dirty_pages {
            self.stores.sync(FileName::Bitfield)?;
        }
        Ok(())
    }

    /// Writes the pages of the bitfield that changed, and says whether there were any. Readers read on meanwhile:
    /// nobody but this writer wants the state for itself.
    ///
    /// What a file that just grew shows where nothing arrived may be anything, also bits of blocks that were never here.
    /// So its new length is made durable before anything is written there.
    fn write_bitfield(&self) -> Result<bool, StorageError> {
        let in_bitfield = StorageError::in_file(FileName::Bitfield);
        let bitfield = &*self.stores.bitfield;
        let state = self.read_state();
        let end = state.bitfield.dirty_end();
        if end > bitfield.len().map_err(&in_bitfield)? {
            bitfield.truncate(end).map_err(&in_bitfield)?;
            self.stores.sync(FileName::Bitfield)?;
        }
        for (offset, bytes) in state.bitfield.dirty_pages() {
            bitfield.write_at(offset, &bytes).map_err(&in_bitfield)?;
        }
        Ok(state.bitfield.is_dirty())
    }

    /// Writes the header and forgets the entries. The cut is synced before the next header at the latest:
    /// until then entries that survive it carry the other bit.
    fn write_slot(&self, slot: &SlotWrite) -> Result<(), StorageError> {
        let in_oplog = StorageError::in_file(FileName::Oplog);
        self.stores.oplog.write_at(slot.offset, &slot.bytes).map_err(&in_oplog)?;
        self.stores.sync(FileName::Oplog)?;
        self.stores.oplog.truncate(ENTRIES_START).map_err(&in_oplog)
    }
}

/// The pending nodes as pieces of the tree store, neighbours together.
fn node_runs(state: &State) -> Vec<Piece> {
    let mut runs: Vec<Piece> = Vec::new();
    for (index, node) in state.nodes.pending() {
        let offset = index.get().saturating_mul(NODE_LEN);
        let bytes = encode(node);
        match runs.last_mut() {
            Some(run)
                if run.offset.saturating_add(run.bytes.len() as u64) == offset
                    && run.bytes.len() < RUN_NODES_MAX.saturating_mul(NODE_BYTES) =>
            {
                run.bytes.extend_from_slice(&bytes);
            }
            _ => runs.push(Piece { offset, bytes: bytes.to_vec() }),
        }
    }
    runs
}
