//! Appending: one signature for a batch, hashed before the lock is taken.

use std::sync::MutexGuard;

use hypercore_crypto::Hash;
use hypercore_merkle::{Leaf, Node, Tree};
use random_access_storage::RandomAccess;

use crate::blocks::{WRITE_LEN, write_blocks};
use crate::commit::{Announced, Unsynced};
use crate::entry::{BitfieldUpdate, Entry, TreeUpgrade};
use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::nodes::{NODE_BYTES, NODE_LEN, encode};
use crate::options::Rhythm;
use crate::signing::{AppendOptions, Signing};
use crate::state::Head;
use crate::stores::FileName;
use crate::writer::Writer;

/// Bytes a block may have at most: 15 MiB, as in JavaScript.
///
/// A longer block is refused with [`LogError::BlockTooLarge`].
pub const BLOCK_LEN_MAX: usize = 15 * 1024 * 1024;

/// Bytes of a block as it is stored: an encrypted one has padding in front.
pub(crate) const STORED_BLOCK_LEN_MAX: usize = BLOCK_LEN_MAX + 64;

/// Batches with more new nodes than this write them straight to the tree store and not into the oplog
/// entry: the blocks are hashed again on recovery, which proves the nodes as well.
pub(crate) const ENTRY_NODES_MAX: usize = 512;

/// Nodes put together for one write of the tree store.
const WINDOW_NODES: usize = WRITE_LEN / NODE_BYTES;

/// What an append made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// Blocks in the log now.
    pub length: u64,
    /// Bytes of all blocks now.
    pub byte_length: u64,
}

/// The tree with a batch that is not stored yet.
#[derive(Clone, Debug)]
pub(crate) struct Grown {
    /// What it comes after.
    pub(crate) old: Announced,
    /// Where its bytes go.
    offset: u64,
    pub(crate) tree: Tree,
    pub(crate) tree_hash: Hash,
    nodes: Vec<Node>,
}

impl AppendOptions {
    /// Bytes a block may have.
    pub(crate) const fn block_len_max(&self) -> usize {
        if self.padded { STORED_BLOCK_LEN_MAX } else { BLOCK_LEN_MAX }
    }

    fn check_expected(&self, fork: u64, length: u64) -> Result<(), LogError> {
        match self.expected {
            Some(expected) if expected != (fork, length) => {
                Err(LogError::HeadMoved { fork, length })
            }
            _ => Ok(()),
        }
    }
}

impl Log {
    /// Appends `blocks` as one batch under one signature.
    ///
    /// A block may have 0 to [`BLOCK_LEN_MAX`] bytes. Appending nothing changes nothing.
    ///
    /// # Durability
    /// `Immediate`: the batch survives a power cut on return. `Eventual`: it survives a kill of the process on
    /// return, a power cut after [`flush`](Self::flush). Either way a crash leaves a prefix of the batches.
    ///
    /// # Errors
    /// [`LogError::NotWritable`], [`LogError::ReadOnly`], [`LogError::BlockTooLarge`], [`LogError::TooLong`],
    /// [`LogError::BelowPrologue`], [`LogError::HeaderLost`], [`LogError::Frozen`], [`LogError::MaybeNotNewest`],
    /// [`LogError::Poisoned`]: nothing was changed. [`LogError::Storage`]: the disk failed, and the log is poisoned.
    pub fn append<B: AsRef<[u8]>>(&self, blocks: &[B]) -> Result<Appended, LogError> {
        self.append_with_options(blocks, &AppendOptions::new())
    }

    /// Appends `blocks` as [`append`](Self::append) does, with a limit, for one head only, or signed by somebody else.
    ///
    /// # Durability
    /// As [`append`](Self::append).
    ///
    /// # Errors
    /// As [`append`](Self::append); [`LogError::LengthLimit`], [`LogError::HeadMoved`], [`LogError::KeyPair`],
    /// [`LogError::Signature`]: nothing was changed.
    pub fn append_with_options<B: AsRef<[u8]>>(
        &self,
        blocks: &[B],
        options: &AppendOptions,
    ) -> Result<Appended, LogError> {
        let signing = options.signing();
        let blocks: Vec<&[u8]> = blocks.iter().map(AsRef::as_ref).collect();
        check_lens(&blocks, options.block_len_max())?;
        self.check_may_sign(signing)?;
        let leaves = Leaf::hash_all(&blocks);
        let writer = self.lock_writer()?;
        let grown = self.grow(&leaves, options)?;
        self.append_grown(writer, &blocks, grown, signing)
    }

    /// Appends the blocks that `make` makes of the head they come after.
    ///
    /// `make` runs while no other write can: what it makes may depend on index and fork, as encrypted blocks do.
    /// Each block may have 64 bytes more than [`BLOCK_LEN_MAX`], for the padding of the encryption.
    ///
    /// # Durability
    /// As [`append`](Self::append).
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_with(
        &self,
        make: impl FnOnce(&Head) -> Vec<Vec<u8>>,
    ) -> Result<Appended, LogError> {
        self.append_made(&AppendOptions::new(), make)
    }

    /// Appends the blocks that `make` makes as [`append_with`](Self::append_with) does, with options.
    ///
    /// # Durability
    /// As [`append`](Self::append).
    ///
    /// # Errors
    /// As [`append_with_options`](Self::append_with_options). `make` does not run where the head is not the expected one.
    pub fn append_made(
        &self,
        options: &AppendOptions,
        make: impl FnOnce(&Head) -> Vec<Vec<u8>>,
    ) -> Result<Appended, LogError> {
        let signing = options.signing();
        self.check_may_sign(signing)?;
        let writer = self.lock_writer()?;
        let head = self.head();
        options.check_expected(head.fork, head.length)?;
        let blocks = make(&head);
        let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
        check_lens(&blocks, STORED_BLOCK_LEN_MAX)?;
        let leaves = Leaf::hash_all(&blocks);
        let grown = self.grow(&leaves, options)?;
        self.append_grown(writer, &blocks, grown, signing)
    }

    /// The tree with `leaves` behind the present head, if they may be appended.
    pub(crate) fn grow(&self, leaves: &[Leaf], options: &AppendOptions) -> Result<Grown, LogError> {
        let (mut tree, old, prologue) = {
            let state = self.read_state();
            if state.is_frozen() {
                return Err(LogError::Frozen);
            }
            (state.tree.clone(), state.announced(), state.prologue_length())
        };
        options.check_expected(old.fork, old.length)?;
        let length = old.length.saturating_add(leaves.len() as u64);
        if let Some(max) = options.length_max
            && length > max
        {
            return Err(LogError::LengthLimit { length, max });
        }
        if old.length < prologue && !leaves.is_empty() {
            return Err(LogError::BelowPrologue { prologue });
        }
        let offset = tree.byte_length();
        let nodes = tree.append(leaves).map_err(|_| LogError::TooLong)?;
        Ok(Grown { old, offset, nodes, tree_hash: tree.hash(), tree })
    }

    /// Stores a batch that was hashed, behind the head it was hashed for.
    pub(crate) fn append_grown(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        blocks: &[&[u8]],
        grown: Grown,
        signing: Signing<'_>,
    ) -> Result<Appended, LogError> {
        let Grown { old, offset, tree, tree_hash, nodes } = grown;
        let appended = Appended { length: tree.length(), byte_length: tree.byte_length() };
        if blocks.is_empty() {
            return Ok(appended);
        }
        let ready = match signing {
            Signing::Own => None,
            Signing::KeyPair(_) | Signing::Ready(_) => {
                Some(self.sign_tree(&writer, &tree, &tree_hash, signing)?)
            }
        };
        self.note_signed_here(&mut writer)?;
        let direct = self.options.rhythm == Rhythm::Bounded && nodes.len() > ENTRY_NODES_MAX;

        let mut written = write_blocks(&*self.stores.data, offset, blocks, &mut writer.buffer);
        if direct && written.is_ok() {
            let first = old.length.saturating_mul(2);
            written = write_nodes(&*self.stores.tree, first, &nodes, &mut writer.buffer);
        }
        if let Err(error) = &written {
            self.give_back_if_full(error, offset);
        }
        self.poison_on_error(written)?;
        let data_len = tree.byte_length().saturating_sub(offset);
        self.begin_sync(FileName::Data, offset, data_len);
        // Meanwhile the medium is at work.
        let signature = match ready {
            Some(signature) => signature,
            None => self.sign_tree(&writer, &tree, &tree_hash, signing)?,
        };
        let (entry_nodes, file_nodes) =
            if direct { (None, nodes) } else { (Some(nodes), Vec::new()) };
        let entry = Entry {
            user_data: None,
            tree_nodes: entry_nodes,
            tree_upgrade: Some(TreeUpgrade {
                fork: old.fork,
                ancestors: old.length,
                length: appended.length,
                signature: Some(signature),
            }),
            bitfield: Some(BitfieldUpdate {
                drop: false,
                start: old.length,
                length: appended.length.saturating_sub(old.length),
            }),
        };
        let entered = self.write_entry(&mut writer, &entry);
        if let Err(LogError::Storage(error)) = &entered {
            self.give_back_if_full(error, offset);
        }
        entered?;
        let unsynced = Unsynced { data: true, tree: direct, oplog: true };
        let sequence = {
            let mut state = self.publish();
            self.apply(&mut state, entry, old)?;
            state.nodes.written(&file_nodes);
            state.set_hashed_tree(tree, tree_hash);
            // Before anybody sees the new head: who has seen it can flush it.
            self.commit.wrote(unsynced, state.announced())
        };
        self.end_operation(writer, sequence, data_len)?;
        Ok(appended)
    }

    /// Gives back the blocks of a batch that did not fit, or a full disk would stay full.
    ///
    /// Nothing that counts is behind `end`, where the log ends; if this fails too, nothing is worse.
    pub(crate) fn give_back_if_full(&self, error: &StorageError, end: u64) {
        if error.source.is_storage_full() {
            let _ = self.stores.data.truncate(end);
        }
    }
}

/// Writes the nodes of an append whose first leaf is `first`, in the order they were made.
///
/// Nearly all of them lie side by side from `first` on, in windows that are put together in `bytes` and written whole; the gaps of
/// parents that are not complete become zeros, which is what is there. The few parents that begin before
/// the window are written one by one.
pub(crate) fn write_nodes(
    store: &dyn RandomAccess,
    first: u64,
    nodes: &[Node],
    bytes: &mut Vec<u8>,
) -> Result<(), StorageError> {
    let in_tree = StorageError::in_file(FileName::Tree);
    let offset = |index: u64| index.saturating_mul(NODE_LEN);
    let mut window = first;
    bytes.clear();
    for node in nodes {
        let index = node.index.get();
        let Some(place) = index.checked_sub(window) else {
            store.write_at(offset(index), &encode(Some(node))).map_err(&in_tree)?;
            continue;
        };
        let mut place = usize::try_from(place).unwrap_or(usize::MAX);
        if place >= WINDOW_NODES {
            store.write_at(offset(window), bytes).map_err(&in_tree)?;
            bytes.clear();
            window = index;
            place = 0;
        }
        let at = place.saturating_mul(NODE_BYTES);
        let end = at.saturating_add(NODE_BYTES);
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        if let Some(slot) = bytes.get_mut(at..end) {
            slot.copy_from_slice(&encode(Some(node)));
        }
    }
    if bytes.is_empty() {
        return Ok(());
    }
    store.write_at(offset(window), bytes).map_err(&in_tree)
}

pub(crate) fn check_lens(blocks: &[&[u8]], max: usize) -> Result<(), LogError> {
    match blocks.iter().map(|block| block.len()).find(|len| *len > max) {
        Some(len) => Err(LogError::BlockTooLarge { len: len as u64, max: max as u64 }),
        None => Ok(()),
    }
}
