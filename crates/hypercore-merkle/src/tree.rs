//! The head of a tree: fork, length and roots. A plain value; the other nodes are looked up.

use flat_tree::{Index, full_roots};
use hypercore_crypto::{Hash, SignatureNode, SignedTree, tree_hash};

use crate::batch::Batch;
use crate::error::{RootsError, TreeError};
use crate::limits::{LENGTH_MAX, SIZE_MAX, add_lengths, add_sizes};
use crate::lookup::NodeLookup;
use crate::node::Node;

/// A tree, known by its roots.
///
/// Invariant: the roots are those of `length` blocks, their sizes add up to `byte_length`, and
/// both are within [`LENGTH_MAX`] and [`SIZE_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tree {
    pub(crate) fork: u64,
    pub(crate) length: u64,
    pub(crate) byte_length: u64,
    pub(crate) roots: Vec<Node>,
}

impl Tree {
    /// A tree of no blocks.
    #[must_use]
    pub const fn empty(fork: u64) -> Self {
        Self { fork, length: 0, byte_length: 0, roots: Vec::new() }
    }

    /// A tree from its roots, left to right.
    ///
    /// # Errors
    /// [`RootsError`] when these are not the roots of `length` blocks, or hold too many bytes.
    pub fn from_roots(fork: u64, roots: Vec<Node>, length: u64) -> Result<Self, RootsError> {
        if length > LENGTH_MAX {
            return Err(RootsError::TooLong(length));
        }
        let mut expected = full_roots(length);
        let mut byte_length = 0_u64;
        for root in &roots {
            let wanted = expected.next();
            if wanted != Some(root.index) {
                return Err(RootsError::WrongRoot { expected: wanted, found: Some(root.index) });
            }
            byte_length =
                add_sizes(byte_length, root.size).ok_or(RootsError::SizeOverflow(root.index))?;
        }
        match expected.next() {
            None => Ok(Self { fork, length, byte_length, roots }),
            wanted => Err(RootsError::WrongRoot { expected: wanted, found: None }),
        }
    }

    /// Loads the tree of `length` blocks, whose roots must be stored.
    ///
    /// # Errors
    /// [`TreeError::MissingNode`] when a root is not stored, [`TreeError::TooLong`] above
    /// [`LENGTH_MAX`], [`TreeError::SizeOverflow`] and [`TreeError::DamagedNode`] for roots that
    /// cannot be, [`TreeError::Lookup`].
    pub fn load<L: NodeLookup>(
        lookup: &L,
        fork: u64,
        length: u64,
    ) -> Result<Self, TreeError<L::Error>> {
        if length > LENGTH_MAX {
            return Err(TreeError::TooLong { wanted: length, length: LENGTH_MAX });
        }
        let mut tree = Self { fork, length, byte_length: 0, roots: Vec::new() };
        for index in full_roots(length) {
            let root = stored(lookup, index)?;
            tree.byte_length = add_sizes(tree.byte_length, root.size)
                .ok_or(TreeError::SizeOverflow(root.index))?;
            tree.roots.push(root);
        }
        Ok(tree)
    }

    /// How often the history was rewritten.
    #[must_use]
    pub const fn fork(&self) -> u64 {
        self.fork
    }

    /// Blocks in the tree.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of all blocks, as stored.
    #[must_use]
    pub const fn byte_length(&self) -> u64 {
        self.byte_length
    }

    /// The roots, left to right.
    #[must_use]
    pub fn roots(&self) -> &[Node] {
        &self.roots
    }

    /// The hash that a signature covers, together with length and fork.
    ///
    /// # Source
    /// formats.md section 3.1.
    #[must_use]
    pub fn hash(&self) -> Hash {
        tree_hash(self.roots.iter().map(|root| (root.hash, root.index.get(), root.size)))
    }

    /// The tree hash as it was at `length` blocks.
    ///
    /// # Errors
    /// As [`Tree::load`]; [`TreeError::TooLong`] above the own length; [`TreeError::DamagedNode`] for a root of then that
    /// is not below the present ones.
    pub fn tree_hash_at<L: NodeLookup>(
        &self,
        lookup: &L,
        length: u64,
    ) -> Result<Hash, TreeError<L::Error>> {
        if length > self.length {
            return Err(TreeError::TooLong { wanted: length, length: self.length });
        }
        Ok(self.load_below(lookup, self.fork, length)?.hash())
    }

    /// Loads the tree of the first `length` blocks of this one, and climbs from each of its roots to one of the present
    /// ones: nodes come with their siblings and parents.
    pub(crate) fn load_below<L: NodeLookup>(
        &self,
        lookup: &L,
        fork: u64,
        length: u64,
    ) -> Result<Self, TreeError<L::Error>> {
        let tree = Self::load(lookup, fork, length)?;
        for root in &tree.roots {
            self.prove_node(lookup, *root, |_| None)?;
        }
        Ok(tree)
    }

    /// Whether all blocks below `index` are in the tree.
    #[must_use]
    pub const fn contains(&self, index: Index) -> bool {
        index.end_block() <= self.length
    }

    /// How many levels a proof of `index` must climb to reach a stored node: the `nodes` of a
    /// request. 0 when it is stored, or not inside the tree.
    ///
    /// # Errors
    /// [`TreeError::Lookup`] and [`TreeError::DamagedNode`].
    ///
    /// # Source
    /// formats.md section 7.2.
    pub fn missing_nodes<L: NodeLookup>(
        &self,
        lookup: &L,
        index: Index,
    ) -> Result<u64, TreeError<L::Error>> {
        let mut count = 0_u64;
        let mut node = Some(index).filter(|index| self.contains(*index));
        while let Some(index) = node {
            if look_up(lookup, index)?.is_some() {
                break;
            }
            node = index.parent().filter(|parent| self.contains(*parent));
            // Past the root there is nothing to climb to; a root is always stored.
            count = count.saturating_add(u64::from(node.is_some()));
        }
        Ok(count)
    }

    /// The most that [`missing_nodes`](Self::missing_nodes) can be in a tree of `length` blocks:
    /// the steps up to the root. For blocks that are sent without a request.
    ///
    /// # Source
    /// formats.md section 7.2.
    #[must_use]
    pub fn missing_nodes_max(index: Index, length: u64) -> u64 {
        if index.end_block() > length {
            return 0;
        }
        let above = std::iter::successors(index.parent(), |index| index.parent());
        above.take_while(|parent| parent.end_block() <= length).map(|_| 1_u64).sum()
    }

    /// Whether growing by one more root keeps the limits; the sums if so.
    pub(crate) fn sums_with(&self, node: &Node) -> Option<(u64, u64)> {
        let length = add_lengths(self.length, node.index.leaf_count())?;
        let byte_length = add_sizes(self.byte_length, node.size)?;
        Some((length, byte_length))
    }
}

impl SignedTree for Tree {
    fn length(&self) -> u64 {
        self.length
    }

    fn fork(&self) -> u64 {
        self.fork
    }

    fn hash(&self) -> Hash {
        Self::hash(self)
    }

    /// The hash of this tree with `patch` more blocks, grown by the nodes of a signature.
    ///
    /// # Source
    /// formats.md section 5.6.
    fn patched_hash(&self, patch: u64, nodes: &[SignatureNode]) -> Option<Hash> {
        let length = add_lengths(self.length, patch)?;
        let mut batch = Batch::new(self.clone());
        let claimed = |index: Index| {
            let found = nodes.iter().find(|node| node.index == index.get()).ok_or(())?;
            Ok::<_, ()>((Node::new(index, found.size, found.hash), true))
        };
        batch.grow_to(length, claimed).ok()?;
        Some(batch.tree.hash())
    }
}

/// Looks a node up and checks that it can be the one asked for.
pub(crate) fn look_up<L: NodeLookup>(
    lookup: &L,
    index: Index,
) -> Result<Option<Node>, TreeError<L::Error>> {
    let node = lookup.node(index).map_err(|source| TreeError::Lookup { index, source })?;
    match node {
        Some(node) if node.index != index || node.size > SIZE_MAX => {
            Err(TreeError::DamagedNode(index))
        }
        node => Ok(node),
    }
}

/// Looks up a node that must be stored.
pub(crate) fn stored<L: NodeLookup>(lookup: &L, index: Index) -> Result<Node, TreeError<L::Error>> {
    look_up(lookup, index)?.ok_or(TreeError::MissingNode(index))
}
