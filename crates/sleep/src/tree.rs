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

/// Places of a run for each node that it writes, at most: memory follows what is written.
const SPARSITY_MAX: usize = 4;

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
    /// [`Error::Storage`]; `TooLarge` also when the indices do not ascend, or lie so far apart that
    /// most of the run would be zeros. An append makes at least every other node of its run.
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
        let len_max = nodes.len().saturating_mul(SPARSITY_MAX).saturating_mul(NODE_LEN);
        let len = len.filter(|len| *len <= len_max);
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

#[cfg(test)]
mod tests {
    use hypercore_crypto::Hash;
    use random_access_memory::RandomAccessMemory;
    use random_access_storage::testing::{Call, Journal, Recording};

    use super::*;
    use crate::header::Header;

    fn node(index: u64) -> Node {
        Node {
            index: Index::new(index),
            hash: Hash::from_bytes([index as u8 + 1; 32]),
            size: index,
        }
    }

    fn tree() -> (TreeFile, Journal) {
        let journal = Journal::new();
        let store = Recording::new("tree", RandomAccessMemory::new(), &journal);
        Header::tree().write(&store).unwrap();
        drop(journal.take());
        (TreeFile::new(Arc::new(store)), journal)
    }

    #[test]
    fn nodes_have_places() {
        let (tree, _) = tree();
        tree.write(&node(3)).unwrap();
        assert_eq!(tree.store().len().unwrap(), 32 + 4 * 40);
        assert_eq!(tree.node_count().unwrap(), 4);
        let nodes: Vec<_> = (0..6).map(|index| tree.node(Index::new(index)).unwrap()).collect();
        assert_eq!(nodes, [None, None, None, Some(node(3)), None, None]);
        assert_eq!(tree.run(1..9).unwrap(), [None, None, Some(node(3))]);
        assert_eq!(tree.run(4..9).unwrap(), []);
        assert_eq!(tree.run(2..2).unwrap(), []);
    }

    #[test]
    fn a_run_is_one_write_and_zeros_its_gaps() {
        let (tree, journal) = tree();
        tree.write(&node(5)).unwrap();
        drop(journal.take());
        tree.write_run(&[node(2), node(4), node(6)]).unwrap();
        let calls = journal.take();
        let [write] = calls.as_slice() else { panic!("{calls:?}") };
        assert!(matches!(&write.call, Call::Write { offset: 112, data } if data.len() == 5 * 40));
        let (two, four, six) = (Some(node(2)), Some(node(4)), Some(node(6)));
        assert_eq!(tree.run(0..10).unwrap(), [None, None, two, None, four, None, six]);
        tree.write_run(&[]).unwrap();
        assert_eq!(journal.take().len(), 1, "the read");
    }

    #[test]
    fn what_can_not_be_one_run_is_refused() {
        let (tree, journal) = tree();
        for nodes in [
            vec![node(4), node(2)],
            vec![node(2), node(9), node(4)],
            vec![node(2), Node { index: Index::new(u64::MAX), ..node(2) }],
            vec![node(2), node(1 << 40)],
            vec![node(2), node(10)],
            vec![Node { index: Index::new(u64::MAX), ..node(2) }],
        ] {
            let refused = tree.write_run(&nodes);
            let Err(Error::Storage { file: FileName::Tree, source }) = refused else {
                panic!("{nodes:?}")
            };
            assert!(matches!(source, StorageError::TooLarge { .. }), "{nodes:?}");
        }
        assert_eq!(journal.take(), []);
    }

    #[test]
    fn a_cut_file_has_fewer_nodes() {
        let (tree, _) = tree();
        tree.write_run(&[node(0), node(1), node(2)]).unwrap();
        for len in 0..32 + 3 * 40 {
            tree.store().truncate(len).unwrap();
            let count = len.saturating_sub(32) / 40;
            assert_eq!(tree.node_count().unwrap(), count);
            assert_eq!(tree.node(Index::new(count)).unwrap(), None);
            assert_eq!(tree.run(0..3).unwrap().len() as u64, count);
            tree.write_run(&[node(0), node(1), node(2)]).unwrap();
        }
    }

    #[test]
    fn no_index_overflows() {
        let (tree, _) = tree();
        for index in [u64::MAX, u64::MAX / 40, u64::MAX / 40 + 1, 1 << 53] {
            assert_eq!(tree.node(Index::new(index)).unwrap(), None);
            assert_eq!(tree.run(index..u64::MAX).unwrap(), []);
        }
        assert_eq!(TreeFile::offset(Index::new(u64::MAX / 40)), None);
    }
}
