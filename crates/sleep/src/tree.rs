//! The file `tree`: nodes at their places, 40 bytes each, zeros where none is.
//!
//! Reads are checked against the end of the file, so a cut file has fewer nodes and is no failure.
//! Whether a node is the right one is not known here.

use std::ops::Range;
use std::sync::Arc;

use flat_tree::Index;
use random_access_storage::{Error as StorageError, RandomAccess};

use crate::error::{Error, Result};
use crate::files::FileName;
use crate::header::HEADER_LEN;
use crate::node::{NODE_LEN, Node};

/// The nodes that are stored.
#[derive(Clone, Debug)]
pub struct TreeFile {
    store: Arc<dyn RandomAccess>,
}

impl TreeFile {
    /// The nodes in that store, whose header is the caller's concern.
    #[must_use]
    pub fn new(store: Arc<dyn RandomAccess>) -> Self {
        Self { store }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn RandomAccess> {
        &self.store
    }

    /// Where the node at `index` is stored, in bytes; `None` past 2^64.
    #[must_use]
    pub fn offset(index: Index) -> Option<u64> {
        index.get().checked_mul(NODE_LEN as u64)?.checked_add(HEADER_LEN as u64)
    }

    /// Number of nodes, stored or not, up to the end of the file. A node that is cut does not count.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn node_count(&self) -> Result<u64> {
        const LEN: u64 = NODE_LEN as u64;
        let len = self.store.len().map_err(Error::in_file(FileName::Tree))?;
        Ok(len.saturating_sub(HEADER_LEN as u64) / LEN)
    }

    /// The node at `index`; `None` when it is not stored.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn node(&self, index: Index) -> Result<Option<Node>> {
        let Some(offset) = Self::offset(index) else { return Ok(None) };
        let mut bytes = [0; NODE_LEN];
        match self.store.read_at(offset, &mut bytes) {
            Ok(()) => Ok(Node::decode(index, &bytes)),
            Err(StorageError::OutOfBounds { .. }) => Ok(None),
            Err(source) => Err(Error::in_file(FileName::Tree)(source)),
        }
    }

    /// The nodes of a run of indices, in one read. The answer is shorter than the run where the file
    /// ends before it.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn run(&self, indices: Range<u64>) -> Result<Vec<Option<Node>>> {
        let end = indices.end.min(self.node_count()?);
        let count = end.saturating_sub(indices.start);
        let (Some(offset), Some(len)) = (
            Self::offset(Index::new(indices.start)),
            usize::try_from(count).ok().and_then(|count| count.checked_mul(NODE_LEN)),
        ) else {
            return Ok(Vec::new());
        };
        if len == 0 {
            return Ok(Vec::new());
        }
        let bytes = self.store.read_vec_at(offset, len).map_err(Error::in_file(FileName::Tree))?;
        let (nodes, _) = bytes.as_chunks::<NODE_LEN>();
        Ok((indices.start..)
            .zip(nodes)
            .map(|(index, bytes)| Node::decode(Index::new(index), bytes))
            .collect())
    }

    /// Writes one node.
    ///
    /// # Durability
    /// None until the store is synced.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn write(&self, node: &Node) -> Result<()> {
        self.write_run(std::slice::from_ref(node))
    }

    /// Writes nodes of ascending indices in one write, and zeros between them: what else is stored
    /// from the first to the last is gone.
    ///
    /// # Durability
    /// None until the store is synced.
    ///
    /// # Errors
    /// [`Error::Storage`]; `TooLarge` also when the indices do not ascend, or span more than memory
    /// holds.
    pub fn write_run(&self, nodes: &[Node]) -> Result<()> {
        let failed = Error::in_file(FileName::Tree);
        let [first, .., last] = nodes else {
            let Some(node) = nodes.first() else { return Ok(()) };
            let offset = Self::offset(node.index).ok_or_else(|| failed(too_large(node)))?;
            return self.store.write_at(offset, &node.encode()).map_err(failed);
        };
        let place = |node: &Node| {
            let distance = node.index.get().checked_sub(first.index.get())?;
            usize::try_from(distance).ok()?.checked_mul(NODE_LEN)
        };
        let offset = Self::offset(first.index).ok_or_else(|| failed(too_large(first)))?;
        let len = place(last).and_then(|place| place.checked_add(NODE_LEN));
        let mut bytes = vec![0; len.ok_or_else(|| failed(too_large(last)))?];
        for node in nodes {
            let place = place(node).and_then(|place| bytes.get_mut(place..)?.first_chunk_mut());
            *place.ok_or_else(|| failed(too_large(node)))? = node.encode();
        }
        self.store.write_at(offset, &bytes).map_err(failed)
    }
}

fn too_large(node: &Node) -> StorageError {
    StorageError::TooLarge { offset: node.index.get(), len: NODE_LEN as u64, max: u64::MAX }
}
