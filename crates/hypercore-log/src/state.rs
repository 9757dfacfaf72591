//! What a log knows at one moment, and how an oplog entry changes it.
//!
//! The same [`State::apply`] serves a live operation, after its entry was written, and the replay of that
//! entry when the log is opened, so the two can not differ.

use std::sync::Arc;

use compact_encoding::Decode as _;
use flat_tree::Index;
use hypercore_crypto::{CoreKey, Hash, Manifest};
use hypercore_merkle::{Node, NodeLookup, Tree, TreeError};

use crate::bitfield::{Bitfield, BitfieldError};
use crate::branch::origin::{ORIGIN, Origin};
use crate::commit::Announced;
use crate::cuts::Cuts;
use crate::entry::{BitfieldUpdate, Entry, TreeUpgrade};
use crate::error::{Corruption, LogError, StorageError};
use crate::header::{Header, HeaderTree, ReorgHint};
use crate::nodes::{NODE_LEN, Nodes};
use crate::stores::{FileName, Stores};
use crate::user_data::UserData;

/// Reorganisation hints a header keeps.
///
/// # Source
/// formats.md section 9.
const REORG_HINTS_MAX: usize = 4;

/// The head of a log: what a reader compares with another's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// How often the log was truncated or reorganised, as its signer counts.
    pub fork: u64,
    /// Blocks.
    pub length: u64,
    /// Bytes of all blocks together, as stored.
    pub byte_length: u64,
    /// The hash that is signed.
    pub tree_hash: Hash,
}

/// Everything about a log that an operation changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) manifest: Option<Manifest>,
    pub(crate) tree: Tree,
    /// Absent until the log has had a block.
    pub(crate) root_hash: Option<Hash>,
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) nodes: Nodes,
    pub(crate) bitfield: Bitfield,
    pub(crate) contiguous_length: u64,
    /// By how much the count of stored blocks in the last header was above that of the bitfield, modulo 2^64: not 0
    /// where the bitfield is damaged, which the headers to come go on to tell.
    pub(crate) stored_off: u64,
    pub(crate) user_data: UserData,
    pub(crate) reorg_hints: Vec<ReorgHint>,
    /// What a branch is a branch of, as its user data says.
    pub(crate) origin: Option<Origin>,
    pub(crate) cuts: Cuts,
}

impl State {
    /// The state that `header` describes, with an empty tree: whether the header's roots are needed is only
    /// known after the entries.
    pub(crate) fn from_header(header: &Header, stores: Arc<Stores>, bitfield: Bitfield) -> Self {
        Self {
            manifest: header.manifest.clone(),
            tree: Tree::empty(header.tree.fork),
            root_hash: header.tree.root_hash,
            signature: header.tree.signature.clone(),
            nodes: Nodes::new(stores, header.tree.length),
            bitfield,
            contiguous_length: 0,
            stored_off: 0,
            user_data: header.user_data.clone(),
            reorg_hints: header.reorg_hints.clone(),
            origin: header.user_data.get(ORIGIN).and_then(origin_of),
            cuts: Cuts::default(),
        }
    }

    pub(crate) fn head(&self) -> Head {
        Head {
            fork: self.tree.fork(),
            length: self.tree.length(),
            byte_length: self.tree.byte_length(),
            tree_hash: self.tree.hash(),
        }
    }

    pub(crate) fn announced(&self) -> Announced {
        Announced { fork: self.tree.fork(), length: self.tree.length() }
    }

    pub(crate) fn header_tree(&self) -> HeaderTree {
        HeaderTree {
            fork: self.tree.fork(),
            length: self.tree.length(),
            root_hash: self.root_hash,
            signature: self.signature.clone(),
        }
    }

    /// Applies what `entry` says to a log of fork and length `old`. The caller sets the tree.
    ///
    /// The truncation comes before the new nodes: an entry of a reorganisation carries both, and its
    /// nodes belong to the tree after it.
    ///
    /// # Errors
    /// The bitfield would grow without reason: nothing a live operation does, something a damaged oplog may ask for.
    pub(crate) fn apply(&mut self, entry: Entry, old: Announced) -> Result<(), BitfieldError> {
        let Entry { user_data, tree_nodes, tree_upgrade, bitfield } = entry;
        if let Some((key, value)) = user_data {
            if key == ORIGIN {
                self.origin = value.as_deref().and_then(origin_of);
            }
            self.user_data.set(&key, value);
        }
        let has_nodes = tree_nodes.as_ref().is_some_and(|nodes| !nodes.is_empty());
        if let Some(TreeUpgrade { fork, ancestors, length, signature }) = tree_upgrade {
            if ancestors < old.length {
                self.nodes.truncate(ancestors);
                self.bitfield.truncate(ancestors);
                self.contiguous_length = self.contiguous_length.min(ancestors);
            }
            // A fork that leaves a lost entry behind may be cut once more.
            if fork != old.fork || ancestors < old.length {
                self.cuts.add(fork, ancestors);
            }
            if fork != old.fork && old.length > 0 {
                self.add_reorg_hint(ReorgHint { from: old.fork, to: fork, ancestors });
            }
            self.nodes.grow(length, length > ancestors && !has_nodes);
            self.signature = signature;
        }
        if let Some(nodes) = tree_nodes {
            self.nodes.add_pending(nodes);
        }
        if let Some(BitfieldUpdate { drop, start, length }) = bitfield {
            let end = start.saturating_add(length);
            if drop {
                self.bitfield.clear(start..end);
                if start < self.contiguous_length {
                    self.contiguous_length = start;
                }
            } else {
                self.bitfield.set_range(start..end, true)?;
                if start <= self.contiguous_length && self.contiguous_length < end {
                    self.contiguous_length = self.bitfield.contiguous_from(end);
                }
            }
        }
        Ok(())
    }

    fn add_reorg_hint(&mut self, hint: ReorgHint) {
        // A damaged header may bring a million of them.
        let too_many = self.reorg_hints.len().saturating_add(1).saturating_sub(REORG_HINTS_MAX);
        self.reorg_hints.drain(..too_many);
        while self.reorg_hints.last().is_some_and(|last| last.ancestors > hint.ancestors) {
            self.reorg_hints.pop();
        }
        self.reorg_hints.push(hint);
    }

    /// The first blocks of a branch, which are those of its log; of a log, none.
    pub(crate) fn ancestors(&self) -> u64 {
        self.origin.as_ref().map_or(0, |origin| origin.length)
    }

    /// The leaf of a block, which a stored block must have.
    pub(crate) fn leaf(&self, block: u64) -> Result<Node, LogError> {
        let index = Index::leaf(block).ok_or(LogError::TooLong)?;
        self.nodes.node(index)?.ok_or(LogError::NodeMissing { index: index.get() })
    }

    /// The tree hash at an earlier length.
    pub(crate) fn tree_hash_at(&self, length: u64) -> Result<Hash, LogError> {
        if length > self.tree.length() {
            return Err(LogError::OutOfBounds { index: length, length: self.tree.length() });
        }
        self.tree.tree_hash_at(&self.nodes, length).map_err(tree_error)
    }

    /// Whether `block` lies below the length.
    pub(crate) fn check_bounds(&self, block: u64) -> Result<(), LogError> {
        let length = self.tree.length();
        if block < length { Ok(()) } else { Err(LogError::OutOfBounds { index: block, length }) }
    }
}

/// The nodes, and which blocks are certain.
impl NodeLookup for State {
    type Error = StorageError;

    fn node(&self, index: Index) -> Result<Option<Node>, StorageError> {
        self.nodes.node(index)
    }

    fn has_block(&self, block: u64) -> Result<bool, StorageError> {
        Ok(self.bitfield.get(block))
    }
}

fn origin_of(record: &[u8]) -> Option<Origin> {
    Origin::from_slice(record).ok()
}

/// Puts a tree error into the terms of the log.
pub(crate) fn tree_error(error: TreeError<StorageError>) -> LogError {
    match error {
        TreeError::Lookup { source, .. } => LogError::Storage(source),
        TreeError::MissingNode(index) => LogError::NodeMissing { index: index.get() },
        TreeError::DamagedNode(index) | TreeError::SizeOverflow(index) => {
            let offset = node_offset(index.get());
            Corruption::new(FileName::Tree, offset, "the node is not one of the signed tree").into()
        }
        _ => LogError::TooLong,
    }
}

/// Damage found in the stored bytes of a block.
pub(crate) fn corrupt_block(key: CoreKey, index: u64, offset: u64) -> LogError {
    LogError::CorruptBlock {
        key,
        index,
        corruption: Corruption::new(
            FileName::Data,
            offset,
            "the block does not hash to its leaf in the tree",
        ),
    }
}

/// Where a node is kept, for reporting damage.
pub(crate) fn node_offset(index: u64) -> u64 {
    index.saturating_mul(NODE_LEN)
}

impl State {
    /// Makes `tree` the present one.
    pub(crate) fn set_tree(&mut self, tree: Tree) {
        let hash = tree.hash();
        self.set_hashed_tree(tree, hash);
    }

    /// Makes `tree`, whose hash is `hash`, the present one.
    pub(crate) fn set_hashed_tree(&mut self, tree: Tree, hash: Hash) {
        self.root_hash = Some(hash);
        self.tree = tree;
    }

    /// Blocks that the manifest fixes.
    pub(crate) fn prologue_length(&self) -> u64 {
        let prologue = self.manifest.as_ref().and_then(|manifest| manifest.prologue());
        prologue.map_or(0, |prologue| prologue.length)
    }
}
