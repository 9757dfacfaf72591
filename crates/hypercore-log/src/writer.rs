//! What only the one who writes knows, and the steps that all writes share.

use std::sync::MutexGuard;

use hypercore_crypto::{CoreKey, KeyPair};

use crate::canary::{Bug, planted};
use crate::checkpoint::Version10Rhythm;
use crate::commit::{Announced, Sequence, Unsynced};
use crate::entry::Entry;
use crate::error::{Corruption, LogError, StorageError};
use crate::header::{Header, StoredKeyPair};
use crate::log::Log;
use crate::oplog::{ENTRIES_START, OplogPosition, encode_entries};
use crate::options::{Access, Durability, Rhythm};
use crate::seal::Counts;
use crate::state::State;
use crate::stores::FileName;

/// The state of the one writer.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Which slot and bit are live, and where the next entry goes.
    pub(crate) oplog: OplogPosition,
    /// The key pair as the header has it.
    pub(crate) stored_key_pair: Option<StoredKeyPair>,
    /// The key pair that signs, if it may.
    pub(crate) signer: Option<KeyPair>,
    /// Bytes of blocks that entries since the last checkpoint speak of.
    pub(crate) tail_data_len: u64,
    /// The newest header is lost, and no new fork has been begun yet.
    pub(crate) header_lost: bool,
    /// Whether headers are sealed.
    pub(crate) seals: bool,
    pub(crate) version_10: Version10Rhythm,
    /// Where blocks and nodes are put together for a write. Kept: fresh memory costs more than what is done with it.
    pub(crate) buffer: Vec<u8>,
}

impl Writer {
    /// Bytes of entries since the last checkpoint.
    pub(crate) const fn entries_len(&self) -> u64 {
        self.oplog.entries_end.saturating_sub(ENTRIES_START)
    }

    /// Whether anything was written since the last checkpoint.
    pub(crate) const fn has_tail(&self) -> bool {
        self.entries_len() > 0
    }

    /// The header of a checkpoint now. What it counts on in the tree store is for the checkpoint to say.
    pub(crate) fn header(&self, key: CoreKey, state: &State) -> Header {
        Header {
            key,
            manifest: state.manifest.clone(),
            key_pair: self.stored_key_pair.clone(),
            user_data: state.user_data.clone(),
            tree: state.header_tree(),
            reorg_hints: state.reorg_hints.clone(),
            contiguous_length: state.contiguous_length,
            counts: self.seals.then(|| {
                let stored = state.bitfield.count_set(0..state.tree.length());
                Counts { stored: stored.wrapping_add(state.stored_off), tree_len: 0 }
            }),
        }
    }
}

impl Log {
    /// Why this handle can not append.
    pub(crate) fn not_writable(&self) -> LogError {
        if self.options.access == Access::ReadOnly {
            LogError::ReadOnly
        } else {
            LogError::NotWritable
        }
    }

    /// Appends `entry` to the oplog. From here on a crash may bring the operation back.
    pub(crate) fn write_entry(&self, writer: &mut Writer, entry: &Entry) -> Result<(), LogError> {
        self.write_entries(writer, std::slice::from_ref(entry))
    }

    /// Appends `entries` to the oplog: after a crash all of them are there, or none.
    pub(crate) fn write_entries(
        &self,
        writer: &mut Writer,
        entries: &[Entry],
    ) -> Result<(), LogError> {
        let bytes = encode_entries(entries, writer.oplog.bit());
        let bytes = bytes.map_err(|_| LogError::TooLong)?;
        let end =
            writer.oplog.entries_end.checked_add(bytes.len() as u64).ok_or(LogError::TooLong)?;
        let written = self.stores.oplog.write_at(writer.oplog.entries_end, &bytes);
        self.poison_on_error(written.map_err(StorageError::in_file(FileName::Oplog)))?;
        self.begin_sync(FileName::Oplog, writer.oplog.entries_end, bytes.len() as u64);
        writer.oplog.entries_end = end;
        Ok(())
    }

    /// Applies a written entry to the state.
    pub(crate) fn apply(
        &self,
        state: &mut State,
        entry: Entry,
        old: Announced,
    ) -> Result<(), LogError> {
        state.apply(entry, old).map_err(|_| {
            self.commit.fail();
            Corruption::new(FileName::Bitfield, 0, "the bitfield would grow without bounds").into()
        })
    }

    /// Ends an operation that only added: notes it, checkpoints when due, lets the next writer in, and
    /// waits for stable storage if that was chosen.
    pub(crate) fn end_operation(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        sequence: Sequence,
        data_len: u64,
    ) -> Result<(), LogError> {
        writer.tail_data_len = writer.tail_data_len.saturating_add(data_len);
        self.checkpoint_if_due(&mut writer)?;
        drop(writer);
        match self.options.durability {
            Durability::Immediate => self.settle(sequence),
            Durability::Eventual => Ok(()),
        }
    }

    /// Checkpoints what a truncation must not be replayed behind: entries whose nodes are only in the tree
    /// store, which it cuts before its header is written.
    pub(crate) fn settle_direct_nodes(&self, writer: &mut Writer) -> Result<(), LogError> {
        if writer.has_tail() && self.options.rhythm == Rhythm::Bounded {
            self.write_checkpoint(writer)?;
        }
        Ok(())
    }

    /// Ends an operation with a checkpoint: one that removed nodes, so that no recovery has to choose between
    /// two trees in one store, or one that changed what only a header can hold.
    pub(crate) fn end_at_checkpoint(
        &self,
        writer: &mut Writer,
        unsynced: Unsynced,
    ) -> Result<(), LogError> {
        let head = self.read_state().announced();
        self.commit.wrote(unsynced, head);
        self.write_checkpoint(writer)
    }

    /// Lets the medium begin with what was just written, where a sync follows at once.
    pub(crate) fn begin_sync(&self, name: FileName, offset: u64, len: u64) {
        if self.options.durability == Durability::Immediate {
            self.stores.file(name).begin_sync(offset, len);
        }
    }

    /// Returns once `sequence` is on stable storage.
    pub(crate) fn settle(&self, sequence: Sequence) -> Result<(), LogError> {
        let round = |unsynced: Unsynced| {
            for (name, written) in [
                (FileName::Data, unsynced.data && !planted(Bug::SkipDataSync)),
                (FileName::Tree, unsynced.tree),
                (FileName::Oplog, unsynced.oplog && !planted(Bug::SkipOplogSync)),
            ] {
                if written {
                    self.stores.sync(name)?;
                }
            }
            Ok::<(), StorageError>(())
        };
        self.commit.settle(sequence, round).map_err(|error| match error {
            Some(error) => LogError::Storage(error),
            None => LogError::Poisoned,
        })
    }

    /// After a failed write nobody knows what the store holds, so nothing more is written to it.
    pub(crate) fn poison_on_error<T>(
        &self,
        result: Result<T, StorageError>,
    ) -> Result<T, LogError> {
        result.map_err(|error| {
            self.commit.fail();
            LogError::Storage(error)
        })
    }
}
