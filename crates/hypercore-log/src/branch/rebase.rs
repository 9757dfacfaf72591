//! Giving up what a log has of its branch by now: the end of a commit, for a branch that goes on.

use std::sync::Arc;

use compact_encoding::Encode as _;
use hypercore_merkle::Tree;

use crate::branch::Branch;
use crate::branch::origin::{ORIGIN, Origin};
use crate::change::{Cleared, OPLOG};
use crate::entry::{BitfieldUpdate, Entry};
use crate::error::LogError;
use crate::log::Log;
use crate::state::tree_error;

impl Branch {
    /// Makes the first `length` blocks of the branch [`ancestors`](Self::ancestors), where its log has the same ones, and gives
    /// back the space they took here. Nothing else changes. From then on the branch is one of the log as it is now.
    ///
    /// Changes nothing while a [snapshot](Self::snapshot) of the branch is open.
    ///
    /// After a [commit](Log::commit) of so many blocks, so that a branch that goes on keeps nothing twice.
    ///
    /// # Durability
    /// On stable storage on return, in either mode: first the blocks of the log, then this. A crash in between leaves both as
    /// they were.
    ///
    /// # Errors
    /// [`LogError::BranchConflict`] when the log has not these blocks; [`LogError::OutOfBounds`] when the branch is shorter;
    /// [`LogError::OtherLog`], [`LogError::Poisoned`]: nothing was changed. [`LogError::Storage`]: the log or the branch is poisoned.
    pub fn rebase(&self, base: &Log, length: u64) -> Result<Cleared, LogError> {
        let mut writer = self.own.lock_writer()?;
        // The log cuts nothing off meanwhile.
        let unmoved = base.hold_snapshots();
        // Nor is a snapshot of the branch taken, each of which holds what is kept of the log.
        let alone = self.own.hold_snapshots();
        let (tree, old) = self.read(base, |both| {
            let tree = both.common_tree(length)?;
            Ok((tree, both.state.announced()))
        })?;
        let (range, hole) = {
            let state = self.own.read_state();
            let range = state.ancestors()..length;
            if range.is_empty() {
                return Ok(Cleared::default());
            }
            (range.clone(), crate::change::hole(&state, &range)?)
        };
        if Arc::strong_count(&self.below) > 1 {
            // It may show more of what is kept of the log than the log has.
            return Ok(Cleared::default());
        }
        // Only now: what the log took since would not be in it.
        base.flush()?;
        let tree_hash = tree.hash();
        let record = Origin { fork: tree.fork(), length, tree_hash }.to_vec();
        let entry = Entry {
            user_data: Some((ORIGIN.to_owned(), Some(record))),
            bitfield: Some(BitfieldUpdate {
                drop: true,
                start: range.start,
                length: range.end.saturating_sub(range.start),
            }),
            ..Entry::default()
        };
        self.own.write_entry(&mut writer, &entry)?;
        let (blocks, sequence) = {
            let mut state = self.own.publish();
            let (blocks, same) = (state.bitfield.count_set(range.clone()), range.start);
            self.own.apply(&mut state, entry, old)?;
            self.below.replace(tree, same);
            (blocks, self.own.commit.wrote(OPLOG, old))
        };
        drop((alone, unmoved));
        self.own.settle(sequence)?;
        let bytes_freed = self.own.give_back_hole(&mut writer, &hole)?;
        Ok(Cleared { blocks, bytes_freed })
    }
}

impl super::read::Both<'_> {
    /// The tree of the first `length` blocks, if the log has the same ones.
    fn common_tree(&self, length: u64) -> Result<Tree, LogError> {
        let whole = self.state.tree.length();
        if length > whole {
            return Err(LogError::OutOfBounds { index: length, length: whole });
        }
        let base = self.below.state();
        let there = base.tree.length();
        if length > there || base.tree_hash_at(length)? != self.tree_hash_at(length)? {
            return Err(LogError::BranchConflict { length: there });
        }
        base.tree.truncated(&base.nodes, length, base.tree.fork()).map_err(tree_error)
    }
}
