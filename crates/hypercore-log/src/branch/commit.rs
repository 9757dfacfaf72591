//! Committing: the blocks of a branch become one append of its log.
//!
//! They are streamed behind the end of the log, where nothing counts until the entry is written, and hashed once more on
//! the way: what is signed is what arrived. Locks are taken in one order: the writer of the log, that of the branch, the
//! state of the log, that of the branch.

use std::ops::Range;
use std::sync::{MutexGuard, PoisonError};

use hypercore_crypto::{Hash, KeyPair};
use hypercore_merkle::{Leaf, Node, Tree};

use crate::append::{Appended, ENTRY_NODES_MAX, write_nodes};
use crate::branch::Branch;
use crate::branch::read::Both;
use crate::check::check_piece;
use crate::commit::{Announced, Unsynced};
use crate::entry::{BitfieldUpdate, Entry, TreeUpgrade};
use crate::error::{Corruption, LogError, StorageError};
use crate::log::Log;
use crate::options::Rhythm;
use crate::prepared::Unsigned;
use crate::signing::Signing;
use crate::state::{corrupt_block, tree_error};
use crate::stores::FileName;
use crate::writer::Writer;

/// Blocks that are not stored, of which the leaves are taken together.
const GAP_BLOCKS: u64 = 4096;

/// How a branch is committed.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CommitOptions {
    length: Option<u64>,
    key_pair: Option<KeyPair>,
    signature: Option<Vec<u8>>,
}

impl CommitOptions {
    /// All of the branch, signed by the log's own key pair.
    pub const fn new() -> Self {
        Self { length: None, key_pair: None, signature: None }
    }

    /// Only the first `length` blocks of the branch.
    pub const fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Signs with this pair, which must be one that may sign alone.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Takes a ready signature of what [`Log::prepare_commit`] says. It comes before a key pair.
    pub fn signature(mut self, signature: Vec<u8>) -> Self {
        self.signature = Some(signature);
        self
    }
}

/// What a commit adds to a log.
struct Plan {
    old: Announced,
    /// The log's tree before.
    tree: Tree,
    /// Its tree after, and the hash of that.
    grown: Tree,
    hash: Hash,
}

/// What is behind the end of the log, and not part of it yet.
struct Streamed {
    /// Nodes for the entry; none where they are in the tree store already.
    nodes: Option<Vec<Node>>,
    /// The blocks that are stored.
    runs: Vec<Range<u64>>,
}

impl Log {
    /// Appends the blocks of a branch that are not in this log yet, as one batch under one signature.
    ///
    /// The log may have grown since the branch began, if it took the same blocks. A branch of which the log has all already
    /// changes nothing. The branch stays as it is, and can go on to be written and committed. Blocks that it has cleared
    /// are not stored in the log either.
    ///
    /// Reads of the log and the branch go on meanwhile, writes wait. Memory does not grow with the batch.
    ///
    /// # Durability
    /// As [`append`](Self::append): after a crash all of it is there, or nothing.
    ///
    /// # Errors
    /// [`LogError::BranchConflict`] when the log has other blocks than the branch, or gave up some that it began with;
    /// [`LogError::OutOfBounds`] when the branch is shorter than the length asked for; [`LogError::OtherLog`];
    /// [`LogError::Branch`] when the branch is damaged, poisoned or can not be read; [`LogError::KeyPair`],
    /// [`LogError::Signature`]; and those of [`append`](Self::append): nothing was changed, but for [`LogError::Storage`].
    pub fn commit(&self, branch: &Branch, options: &CommitOptions) -> Result<Appended, LogError> {
        let signing = Signing::of(options.key_pair.as_ref(), options.signature.as_deref());
        self.check_may_sign(signing)?;
        let mut writer = self.lock_writer()?;
        let source = branch.lock_source()?;
        let Some(plan) = self.plan(branch, options.length)? else {
            let state = self.read_state();
            let (length, byte_length) = (state.tree.length(), state.tree.byte_length());
            return Ok(Appended { length, byte_length });
        };
        let signature = self.sign_tree(&writer, &plan.grown, &plan.hash, signing)?;
        self.note_signed_here(&mut writer)?;
        let streamed = match self.stream(&mut writer, branch, &plan) {
            Ok(streamed) => streamed,
            Err(error) => {
                self.give_back(&plan, &error);
                return Err(error);
            }
        };
        drop(source);
        self.append_streamed(writer, plan, streamed, signature)
    }

    /// What a commit of the first `length` blocks of a branch (by default all) would have to be signed over.
    ///
    /// # Errors
    /// As [`commit`](Self::commit); [`LogError::NotWritable`] while the manifest is not known.
    pub fn prepare_commit(
        &self,
        branch: &Branch,
        length: Option<u64>,
    ) -> Result<Unsigned, LogError> {
        self.check_may_sign(Signing::Ready(&[]))?;
        // Where the newest head is lost, the blocks after it may be signed already.
        drop(self.lock_writer()?);
        let plan = self.plan(branch, length)?;
        let state = self.read_state();
        let manifest = state.signing_manifest()?;
        Ok(match plan {
            Some(plan) => Unsigned::new(self.key, manifest, &plan.grown, plan.hash),
            None => Unsigned::new(self.key, manifest, &state.tree, state.tree.hash()),
        })
    }

    /// Finds out what is to be appended; `None` when there is nothing left to.
    fn plan(&self, branch: &Branch, length: Option<u64>) -> Result<Option<Plan>, LogError> {
        branch.read(self, |both| {
            let state = both.below.state();
            if state.is_frozen() {
                return Err(LogError::Frozen);
            }
            let whole = both.state.tree.length();
            let length = length.unwrap_or(whole);
            if length > whole {
                return Err(LogError::OutOfBounds { index: length, length: whole });
            }
            let old = state.announced();
            let conflict = || LogError::BranchConflict { length: old.length };
            if old.length < both.state.ancestors() {
                return Err(conflict());
            }
            if length <= old.length {
                let same = state.tree_hash_at(length)? == hash_of(both, length)?;
                return if same { Ok(None) } else { Err(conflict()) };
            }
            if state.tree.hash() != hash_of(both, old.length)? {
                return Err(conflict());
            }
            let prologue = state.prologue_length();
            if old.length < prologue {
                return Err(LogError::BelowPrologue { prologue });
            }
            let grown = both.state.tree.truncated(both, length, old.fork);
            let grown = grown.map_err(|error| of_branch(tree_error(error)))?;
            Ok(Some(Plan { old, tree: state.tree.clone(), hash: grown.hash(), grown }))
        })
    }

    /// Puts blocks and nodes behind the end of the log.
    fn stream(
        &self,
        writer: &mut Writer,
        branch: &Branch,
        plan: &Plan,
    ) -> Result<Streamed, LogError> {
        let mut tree = plan.tree.clone();
        let length = plan.grown.length();
        let blocks = length.saturating_sub(plan.old.length);
        let direct = self.options.rhythm == Rhythm::Bounded
            && blocks.saturating_mul(2) > ENTRY_NODES_MAX as u64;
        let mut all_nodes = Vec::new();
        let mut runs: Vec<Range<u64>> = Vec::new();
        while tree.length() < length {
            let first = tree.length();
            let offset = tree.byte_length();
            let piece = branch.piece(first..length, offset).map_err(of_branch)?;
            if let Some(bytes) = &piece.bytes {
                let written = self.stores.data.write_at(offset, bytes);
                self.poison_on_error(written.map_err(StorageError::in_file(FileName::Data)))?;
                self.begin_sync(FileName::Data, offset, bytes.len() as u64);
                let end = first.saturating_add(piece.leaves.len() as u64);
                match runs.last_mut() {
                    Some(run) if run.end == first => run.end = end,
                    _ => runs.push(first..end),
                }
            }
            let nodes = tree.append(&piece.leaves).map_err(|_| LogError::TooLong)?;
            if direct {
                let first = first.saturating_mul(2);
                let written = write_nodes(&*self.stores.tree, first, &nodes, &mut writer.buffer);
                self.poison_on_error(written)?;
            } else {
                all_nodes.extend(nodes);
            }
        }
        if tree != plan.grown {
            let what = "the leaves of a branch do not hash to its roots";
            return Err(of_branch(Corruption::new(FileName::Tree, 0, what).into()));
        }
        Ok(Streamed { nodes: (!direct).then_some(all_nodes), runs })
    }

    /// Takes back what was put behind the end, so that it takes no room and no later proof can bring it to light.
    fn give_back(&self, plan: &Plan, error: &LogError) {
        let offset = plan.tree.byte_length();
        if let LogError::Storage(error) = error {
            // What can be written is not known: the next open takes the nodes away.
            return self.give_back_if_full(error, offset);
        }
        let in_data = StorageError::in_file(FileName::Data);
        let cut = self.stores.data.len().and_then(|len| match len > offset {
            true => self.stores.data.truncate(offset),
            false => Ok(()),
        });
        let mut state = self.publish();
        // It may have been filled before they were written.
        state.nodes.forget_cache();
        let nodes = state.nodes.leftovers().and_then(|leftovers| match leftovers {
            Some(leftovers) => state.nodes.drop_leftovers(leftovers),
            None => Ok(()),
        });
        let _ = self.poison_on_error(cut.map_err(in_data).and(nodes));
    }

    /// Makes what was streamed a part of the log.
    fn append_streamed(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        plan: Plan,
        streamed: Streamed,
        signature: Vec<u8>,
    ) -> Result<Appended, LogError> {
        let Plan { old, tree, grown, hash } = plan;
        let offset = tree.byte_length();
        let appended = Appended { length: grown.length(), byte_length: grown.byte_length() };
        let direct = streamed.nodes.is_none();
        let mut runs = streamed.runs.into_iter().map(|run| BitfieldUpdate {
            drop: false,
            start: run.start,
            length: run.end.saturating_sub(run.start),
        });
        let first = Entry {
            user_data: None,
            tree_nodes: streamed.nodes,
            tree_upgrade: Some(TreeUpgrade {
                fork: old.fork,
                ancestors: old.length,
                length: appended.length,
                signature: Some(signature),
            }),
            bitfield: runs.next(),
        };
        let others = runs.map(|run| Entry { bitfield: Some(run), ..Entry::default() });
        let entries: Vec<Entry> = std::iter::once(first).chain(others).collect();
        let entered = self.write_entries(&mut writer, &entries);
        if let Err(LogError::Storage(error)) = &entered {
            self.give_back_if_full(error, offset);
        }
        entered?;
        let unsynced = Unsynced { data: true, tree: direct, oplog: true };
        let sequence = {
            let mut state = self.publish();
            for entry in entries {
                self.apply(&mut state, entry, old)?;
            }
            if direct {
                state.nodes.written_behind(old.length);
            }
            state.set_hashed_tree(grown, hash);
            // Before anybody sees the new head: who has seen it can flush it.
            self.commit.wrote(unsynced, state.announced())
        };
        self.end_operation(writer, sequence, appended.byte_length.saturating_sub(offset))?;
        Ok(appended)
    }
}

/// Some blocks of a branch, verified.
struct Piece {
    leaves: Vec<Leaf>,
    /// Their bytes; `None` for blocks that are not stored.
    bytes: Option<Vec<u8>>,
}

impl Branch {
    /// Keeps the branch as it is for a commit.
    fn lock_source(&self) -> Result<MutexGuard<'_, Writer>, LogError> {
        let writer = self.own.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if self.own.commit.has_failed() { Err(of_branch(LogError::Poisoned)) } else { Ok(writer) }
    }

    /// The first blocks of a range, which begins at byte `offset` and is the branch's own.
    fn piece(&self, range: Range<u64>, offset: u64) -> Result<Piece, LogError> {
        let state = self.own.read_state();
        let run = state.bitfield.set_ranges(range.clone()).next();
        let (end, bytes) = match run {
            Some(run) if run.start == range.start => {
                let piece = check_piece(&state, &*self.own.stores.data, run)?;
                if !piece.faults.is_empty() || piece.start != offset {
                    let index = piece.faults.first().map_or(range.start, |(index, _)| *index);
                    return Err(corrupt_block(self.own.key(), index, offset));
                }
                (piece.next, Some(piece.bytes))
            }
            Some(run) => (run.start, None),
            None => (range.end, None),
        };
        let end =
            if bytes.is_some() { end } else { end.min(range.start.saturating_add(GAP_BLOCKS)) };
        let leaf = |block| state.leaf(block).map(|leaf| Leaf { size: leaf.size, hash: leaf.hash });
        Ok(Piece { leaves: (range.start..end).map(leaf).collect::<Result<_, _>>()?, bytes })
    }
}

fn hash_of(both: &Both<'_>, length: u64) -> Result<Hash, LogError> {
    both.tree_hash_at(length).map_err(of_branch)
}

/// What is wrong with a branch and not with its log.
fn of_branch(error: LogError) -> LogError {
    LogError::Branch(Box::new(error))
}
