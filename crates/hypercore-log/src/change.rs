//! Truncating, clearing, user data, flushing: the changes that make no blocks.
//!
//! Truncation and clear destroy bytes that an older state needs, so both settle everything that was written
//! (a recovery that dropped their entry would miss those bytes) before they destroy anything.

use std::ops::Range;
use std::sync::MutexGuard;

use hypercore_merkle::{Node, Tree};

use crate::canary::{Bug, planted};
use crate::commit::{Announced, Unsynced};
use crate::entry::{BitfieldUpdate, Entry, TreeUpgrade};
use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::options::Rhythm;
use crate::rewrite::cut_oplog;
use crate::signing::{Signing, TruncateOptions};
use crate::state::{Head, State, tree_error};
use crate::stores::FileName;
use crate::user_data::is_own;
use crate::writer::Writer;

/// Bytes of all user data values and keys together: a header holds them all and is written at each checkpoint.
///
/// More is refused with [`LogError::UserDataTooLarge`].
pub const USER_DATA_LEN_MAX: usize = 16 * 1024 * 1024;

/// The largest fork number the format can hold.
pub(crate) const FORK_MAX: u64 = (1 << 53) - 1;

pub(crate) const OPLOG: Unsynced = Unsynced { data: false, tree: false, oplog: true };

/// What a clear gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cleared {
    /// Blocks that were stored and are not any more.
    pub blocks: u64,
    /// Bytes given back to the medium; it counts whole allocation units.
    pub bytes_freed: u64,
}

impl Log {
    /// Cuts the log to `length` blocks and signs that, under fork `fork` (by default the next one).
    ///
    /// The length may be the present one: that begins a new fork with the same blocks.
    ///
    /// # Durability
    /// On stable storage on return, in either mode, and the oplog is empty then.
    ///
    /// # Errors
    /// [`LogError::OutOfBounds`] when the log is shorter; [`LogError::ForkTooLow`], [`LogError::ForkTooHigh`];
    /// [`LogError::BelowPrologue`]; [`LogError::NodeMissing`] in a sparse log, also where the size of a node to be signed
    /// is a peer's word, until a block below it is fetched; [`LogError::NotWritable`],
    /// [`LogError::ReadOnly`], [`LogError::MaybeNotNewest`], [`LogError::Poisoned`]: nothing was changed.
    /// [`LogError::Storage`]: the log is poisoned.
    pub fn truncate(&self, length: u64, fork: Option<u64>) -> Result<Head, LogError> {
        self.truncate_with(length, fork, &TruncateOptions::new())
    }

    /// Cuts the log as [`truncate`](Self::truncate) does, signed by somebody else.
    ///
    /// # Durability
    /// As [`truncate`](Self::truncate).
    ///
    /// # Errors
    /// As [`truncate`](Self::truncate); [`LogError::KeyPair`], [`LogError::Signature`]: nothing was changed. A ready signature leaves
    /// [`LogError::HeaderLost`] behind only where all blocks stay, as it is for one tree.
    pub fn truncate_with(
        &self,
        length: u64,
        fork: Option<u64>,
        options: &TruncateOptions,
    ) -> Result<Head, LogError> {
        let signing = options.signing();
        self.check_may_sign(signing)?;
        let writer = self.lock_to_truncate()?;
        let (tree, old) = self.shortened(&writer, length, fork)?;
        self.shorten(writer, tree, old, signing)
    }

    /// The tree after a truncation, and what it comes after, if the log may be cut so.
    pub(crate) fn shortened(
        &self,
        writer: &Writer,
        length: u64,
        fork: Option<u64>,
    ) -> Result<(Tree, Announced), LogError> {
        let state = self.read_state();
        let old = state.announced();
        if length > old.length {
            return Err(LogError::OutOfBounds { index: length, length: old.length });
        }
        let fork = fork.unwrap_or_else(|| old.fork.saturating_add(1));
        if fork > FORK_MAX {
            return Err(LogError::ForkTooHigh { fork, max: FORK_MAX });
        }
        if fork <= old.fork {
            return Err(LogError::ForkTooLow { fork, present: old.fork });
        }
        let prologue = state.prologue_length();
        if length < prologue {
            return Err(LogError::BelowPrologue { prologue });
        }
        let tree = state.tree.truncated(&state.nodes, length, fork).map_err(tree_error)?;
        state.check_sizes(writer, &tree)?;
        Ok((tree, old))
    }

    /// Cuts the log, whose head is `old`, to `tree`.
    pub(crate) fn shorten(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        tree: Tree,
        old: Announced,
        signing: Signing<'_>,
    ) -> Result<Head, LogError> {
        let length = tree.length();
        let signature = match (length, signing) {
            (0, Signing::Own | Signing::Ready(_)) => None,
            // Also for nothing: it has to be a signer's pair.
            _ => Some(self.sign_tree(&writer, &tree, &tree.hash(), signing)?),
        };
        let signature = signature.filter(|_| length > 0);
        if matches!(signing, Signing::Ready(_)) {
            self.check_one_signature_does(&writer, length, old)?;
        }
        if !writer.header_lost {
            self.note_signed_here(&mut writer)?;
        }
        let old = if writer.header_lost {
            self.leave_lost_head(&mut writer, &tree, old, signing)?
        } else {
            old
        };
        self.settle_direct_nodes(&mut writer)?;
        let end = NewEnd { tree, ancestors: length, nodes: Vec::new(), signature, user_data: None };
        let head = self.replace_end(&mut writer, end, old)?;
        writer.header_lost = false;
        self.note_signed_here(&mut writer)?;
        Ok(head)
    }

    /// Refuses a ready signature where two are needed: leaving a lost entry behind signs all blocks under the new fork first.
    pub(crate) fn check_one_signature_does(
        &self,
        writer: &Writer,
        length: u64,
        old: Announced,
    ) -> Result<(), LogError> {
        let leaves_entry = writer.header_lost && !self.recovery.newer_header_lost;
        if leaves_entry && length != old.length { Err(LogError::HeaderLost) } else { Ok(()) }
    }

    /// Begins the fork of `new`, with all blocks that are here, where the newest head is lost.
    ///
    /// What shows that it is lost must stay until the fork is on stable storage. A lost header shows in its slot, and what
    /// it may have had in the oplog would count again behind the next one. A damaged entry shows in the oplog itself, maybe behind
    /// others that hold: a header makes all of them old.
    fn leave_lost_head(
        &self,
        writer: &mut Writer,
        new: &Tree,
        old: Announced,
        signing: Signing<'_>,
    ) -> Result<Announced, LogError> {
        if self.recovery.newer_header_lost {
            // Opening left standing what may belong to the lost header.
            self.poison_on_error(cut_oplog(&self.stores, writer.oplog.entries_end))?;
            return Ok(old);
        }
        let Announced { length, .. } = old;
        let fork = new.fork();
        let tree = {
            let state = self.read_state();
            state.tree.truncated(&state.nodes, length, fork).map_err(tree_error)?
        };
        let signature = match length {
            0 => None,
            _ => Some(self.sign_tree(writer, &tree, &tree.hash(), signing)?),
        };
        let upgrade = TreeUpgrade { fork, ancestors: length, length, signature };
        {
            let mut state = self.publish();
            let entry = Entry { tree_upgrade: Some(upgrade), ..Entry::default() };
            self.apply(&mut state, entry, old)?;
            state.set_tree(tree);
        }
        self.write_checkpoint(writer)?;
        Ok(Announced { fork, length })
    }

    /// Replaces what follows the ancestors of `end`, and gives back the space of the blocks that were there.
    ///
    /// Everything written before must be checkpointed: see [`settle_direct_nodes`](Self::settle_direct_nodes).
    pub(crate) fn replace_end(
        &self,
        writer: &mut Writer,
        end: NewEnd,
        old: Announced,
    ) -> Result<Head, LogError> {
        let NewEnd { tree, ancestors, nodes, signature, user_data } = end;
        let entry = Entry {
            user_data,
            tree_nodes: Some(nodes),
            tree_upgrade: Some(TreeUpgrade {
                fork: tree.fork(),
                ancestors,
                length: tree.length(),
                signature,
            }),
            bitfield: Some(BitfieldUpdate {
                drop: true,
                start: ancestors,
                length: old.length.saturating_sub(ancestors),
            }),
        };
        let keeping = self.keep_end(ancestors);
        self.write_entry(writer, &entry)?;
        let (head, data_len) = {
            let mut state = self.publish();
            self.apply(&mut state, entry, old)?;
            state.set_tree(tree);
            keeping.cut();
            (state.head(), end_of_stored(&state))
        };
        self.end_at_checkpoint(writer, OPLOG)?;
        if let (Rhythm::Bounded, Some(data_len)) = (self.options.rhythm, data_len) {
            self.give_back_data_end(data_len)?;
        }
        Ok(head)
    }

    /// Gives back what the data store has past `data_len`.
    ///
    /// The header on stable storage has forgotten those blocks, so a crash can not miss them.
    pub(crate) fn give_back_data_end(&self, data_len: u64) -> Result<(), LogError> {
        let data = &*self.stores.data;
        let cut = || match data.len()? {
            len if len > data_len => data.truncate(data_len),
            _ => Ok(()),
        };
        self.poison_on_error(cut().map_err(StorageError::in_file(FileName::Data)))
    }

    /// Drops the blocks of a range and gives their space back. What is past the end is ignored.
    ///
    /// The tree keeps their hashes, so they can be fetched and verified again.
    ///
    /// # Durability
    /// On stable storage on return, in either mode: the space is only given back then.
    ///
    /// # Errors
    /// [`LogError::ReadOnly`], [`LogError::HeaderLost`], [`LogError::Poisoned`]; [`LogError::NodeMissing`] when the
    /// place of a neighbour is not known: nothing was changed. [`LogError::Storage`]: the log is poisoned.
    pub fn clear(&self, range: Range<u64>) -> Result<Cleared, LogError> {
        let mut writer = self.lock_writer()?;
        let (range, blocks, hole, old) = {
            let state = self.read_state();
            let range = range.start..range.end.min(state.tree.length());
            if range.is_empty() {
                return Ok(Cleared::default());
            }
            let hole = hole(&state, &range)?;
            (range.clone(), state.bitfield.count_set(range), hole, state.announced())
        };
        let entry = Entry {
            bitfield: Some(BitfieldUpdate {
                drop: true,
                start: range.start,
                length: range.end.saturating_sub(range.start),
            }),
            ..Entry::default()
        };
        let keeping = self.keep_blocks(&range);
        self.write_entry(&mut writer, &entry)?;
        self.apply(&mut self.publish(), entry, old)?;
        drop(keeping);
        let sequence = self.commit.wrote(OPLOG, old);
        if !planted(Bug::HoleBeforeSync) {
            self.settle(sequence)?;
        }
        let bytes_freed = self.give_back_hole(&mut writer, &hole)?;
        Ok(Cleared { blocks, bytes_freed })
    }

    /// Gives back bytes that belong to no stored block, once that is on stable storage.
    pub(crate) fn give_back_hole(
        &self,
        writer: &mut Writer,
        hole: &Range<u64>,
    ) -> Result<u64, LogError> {
        if hole.is_empty() {
            return Ok(0);
        }
        let punched = self.punch(hole).map_err(StorageError::in_file(FileName::Data));
        let bytes_freed = self.poison_on_error(punched)?;
        self.checkpoint_if_due(writer)?;
        Ok(bytes_freed)
    }

    pub(crate) fn punch(&self, hole: &Range<u64>) -> random_access_storage::Result<u64> {
        let data = &*self.stores.data;
        let before = data.stored_len()?;
        let len = data.len()?;
        let end = hole.end.min(len);
        if hole.start < end {
            data.discard(hole.start, end.saturating_sub(hole.start))?;
            if end == len {
                // A discard that reaches the end shortens the store; JavaScript keeps its length.
                data.truncate(len)?;
            }
        }
        Ok(before.saturating_sub(data.stored_len()?))
    }

    /// Sets a value beside the log, or removes it with `None`. It is neither signed nor replicated.
    ///
    /// An empty value is the same as none: the format can not tell them apart.
    ///
    /// # Durability
    /// As [`append`](Self::append).
    ///
    /// # Errors
    /// [`LogError::ReservedKey`], [`LogError::UserDataTooLarge`], [`LogError::ReadOnly`], [`LogError::HeaderLost`], [`LogError::Poisoned`]:
    /// nothing was changed. [`LogError::Storage`]: the log is poisoned.
    pub fn set_user_data(&self, key: &str, value: Option<&[u8]>) -> Result<(), LogError> {
        if is_own(key) {
            return Err(LogError::ReservedKey { key: key.to_owned() });
        }
        self.put_user_data(key, value)
    }

    /// Sets any key, also one of the log itself.
    pub(crate) fn put_user_data(&self, key: &str, value: Option<&[u8]>) -> Result<(), LogError> {
        let value = value.filter(|value| !value.is_empty());
        let mut writer = self.lock_writer()?;
        let old = {
            let state = self.read_state();
            if state.user_data.get(key) == value {
                return Ok(());
            }
            let others = state.user_data.iter().filter(|(other, _)| *other != key);
            let len =
                others.chain(value.map(|value| (key, value))).fold(0_usize, |len, (key, value)| {
                    len.saturating_add(key.len()).saturating_add(value.len())
                });
            if len > USER_DATA_LEN_MAX {
                return Err(LogError::UserDataTooLarge { len: len as u64 });
            }
            state.announced()
        };
        let entry = Entry {
            user_data: Some((key.to_owned(), value.map(<[u8]>::to_vec))),
            ..Entry::default()
        };
        self.write_entry(&mut writer, &entry)?;
        let sequence = {
            let mut state = self.publish();
            self.apply(&mut state, entry, old)?;
            self.commit.wrote(OPLOG, old)
        };
        self.end_operation(writer, sequence, 0)
    }

    /// Returns once everything written so far is on stable storage.
    ///
    /// # Errors
    /// [`LogError::Storage`]: a sync failed, and the log is poisoned. [`LogError::Poisoned`]: one had failed before.
    pub fn flush(&self) -> Result<(), LogError> {
        self.settle(self.commit.newest())
    }

    /// Whether there is nothing that a power cut could take back.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.commit.is_settled()
    }

    /// Writes tree, bitfield and header, and empties the oplog, so that the next open has nothing to replay.
    ///
    /// Does nothing when nothing was written since the last one.
    ///
    /// # Durability
    /// Everything written so far is on stable storage on return.
    ///
    /// # Errors
    /// [`LogError::ReadOnly`], [`LogError::HeaderLost`], [`LogError::Poisoned`]; [`LogError::Storage`]: the log is
    /// poisoned.
    pub fn checkpoint(&self) -> Result<(), LogError> {
        let mut writer = self.lock_writer()?;
        if writer.has_tail() || self.options.rhythm == Rhythm::Version10 {
            self.write_checkpoint(&mut writer)?;
        }
        Ok(())
    }

    /// Checkpoints and ends. A log that is dropped instead loses nothing; its next open replays the oplog.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint); a log that takes no writes just ends.
    pub fn close(self) -> Result<(), LogError> {
        match self.checkpoint() {
            Err(LogError::ReadOnly | LogError::HeaderLost) => Ok(()),
            result => result,
        }
    }
}

/// The end of a log that replaces what another tree had there.
pub(crate) struct NewEnd {
    pub(crate) tree: Tree,
    /// Blocks that stay.
    pub(crate) ancestors: u64,
    /// Nodes that are not stored yet.
    pub(crate) nodes: Vec<Node>,
    pub(crate) signature: Option<Vec<u8>>,
    /// What changes with it, beside the log.
    pub(crate) user_data: Option<(String, Option<Vec<u8>>)>,
}

/// Where the last stored block ends in the data store, if its place is known.
pub(crate) fn end_of_stored(state: &State) -> Option<u64> {
    match state.bitfield.find_last_set(state.tree.length()) {
        Some(block) => state.tree.byte_range(&state.nodes, block).ok().map(|range| range.end),
        None => Some(0),
    }
}

/// The bytes around a cleared range that belong to no stored block.
///
/// # Source
/// formats.md section 10, clear.
pub(crate) fn hole(state: &State, cleared: &Range<u64>) -> Result<Range<u64>, LogError> {
    let range_of = |block| state.tree.byte_range(&state.nodes, block).map_err(tree_error);
    let start = match state.bitfield.find_last_set(cleared.start) {
        Some(block) => range_of(block)?.end,
        None => 0,
    };
    let length = state.tree.length();
    let end = match state.bitfield.find_first(true, cleared.end..length) {
        Some(block) => range_of(block)?.start,
        None => state.tree.byte_length(),
    };
    Ok(start..end)
}
