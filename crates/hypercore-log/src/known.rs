//! What is known here: the questions that replication asks before it asks others.

use flat_tree::{Index, full_roots};
use hypercore_merkle::{Node, NodeLookup as _, Seek};

use crate::error::LogError;
use crate::log::Log;
use crate::state::tree_error;

/// The numbers of a log at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// The present fork.
    pub fork: u64,
    /// Blocks in the log.
    pub length: u64,
    /// Bytes of all blocks together, as stored.
    pub byte_length: u64,
    /// Blocks that may be announced: see [`Log::durable_length`].
    pub durable_length: u64,
    /// Blocks stored from the first one on without a gap.
    pub contiguous_length: u64,
}

impl Log {
    /// The numbers of the log at one moment. Cheap: nothing is hashed or read.
    #[must_use]
    pub fn extent(&self) -> Extent {
        // Before the state: what is durable then is part of it, or of another fork.
        let durable = self.commit.durable();
        let state = self.read_state();
        let (fork, length) = (state.tree.fork(), state.tree.length());
        let durable_length = if durable.fork == fork { durable.length.min(length) } else { 0 };
        Extent {
            fork,
            length,
            byte_length: state.tree.byte_length(),
            durable_length,
            contiguous_length: state.contiguous_length,
        }
    }

    /// How many levels a proof of block `index` must climb to meet a node that is stored here: what a
    /// request for the block says. 0 for a block past the end.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn missing_nodes(&self, index: u64) -> Result<u64, LogError> {
        Index::leaf(index).map_or(Ok(0), |index| self.missing_nodes_of(index))
    }

    /// The same for a proof of any node of the tree. 0 for one that is stored, or not inside the tree.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn missing_nodes_of(&self, index: Index) -> Result<u64, LogError> {
        let state = self.read_state();
        state.tree.missing_nodes(&state.nodes, index).map_err(tree_error)
    }

    /// A node of the tree, if it is stored here. Its hash is that of the signed tree unless the store is damaged; its
    /// size may be an earlier peer's word ([`Verified::unconfirmed`](hypercore_merkle::Verified::unconfirmed)).
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn node(&self, index: Index) -> Result<Option<Node>, LogError> {
        Ok(self.read_state().nodes.node(index)?)
    }

    /// Whether the tree of the first `length` blocks can be proven here to be a part of this one: all its roots are
    /// stored. A log with all nodes can prove each length up to its own.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    ///
    /// # Source
    /// wire.md section 7.2, `canUpgrade`.
    pub fn has_roots(&self, length: u64) -> Result<bool, LogError> {
        let state = self.read_state();
        if length > state.tree.length() {
            return Ok(false);
        }
        for root in full_roots(length) {
            if state.nodes.node(root)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Like [`seek`](Self::seek), but tells where a sparse log has to look further: the hash of any block of
    /// [`Seek::Narrowed`], asked for with the same seek, brings the nodes.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] when stored sizes contradict each other; [`LogError::Storage`].
    pub fn seek_within(&self, bytes: u64, padding: u64) -> Result<Seek, LogError> {
        let state = self.read_state();
        let fork = state.tree.fork();
        let is_proven = |node: &Node| self.proven.offset(fork, node);
        let found = state.tree.seek_proven(&state.nodes, bytes, padding, is_proven);
        let (found, way) = found.map_err(tree_error)?;
        self.proven.keep(fork, &way);
        Ok(found)
    }
}
