//! Storing what was downloaded, after its proof was checked.
//!
//! Everything is checked in memory before anything is written; the module above says in which rounds
//! it is written.

use std::collections::{BTreeMap, BTreeSet};

use flat_tree::{Index, full_roots};
use hypercore_crypto::Signature;

use crate::bitfield::NODES_PER_PAGE;
use crate::canary::{Bug, planted};
use crate::error::{Error, Result};
use crate::feed::append::BLOCK_LEN_MAX;
use crate::feed::change::blank_page;
use crate::feed::proof::{Given, Proof};
use crate::feed::proven::{Proven, ProvenNodes, leaf_index, tree_hash, with_offsets};
use crate::feed::{Durability, Feed};
use crate::files::FileName;
use crate::hashes;
use crate::length::FEED_LENGTH_MAX;
use crate::node::Node;

/// What is wrong with a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFault {
    /// It shall prove a hash, and does not begin with it.
    #[error("it does not begin with the leaf")]
    LeafMissing,
    /// It leads to another node than the one that is proven here: another block or node, or an author
    /// who signed two different feeds.
    #[error("it does not agree with node {0}, which is proven here")]
    Contradiction(Index),
    /// It ends at roots, and one of the others is neither in it nor stored here.
    #[error("root {0} is not part of it")]
    RootMissing(Index),
    /// It ends at roots, and does not say who signed them.
    #[error("it has no signature")]
    SignatureMissing,
    /// The signature is not of these roots, or not by the author.
    #[error("its signature is not of this feed")]
    SignatureInvalid,
    /// Its sizes add up to 2^64 and more.
    #[error("its sizes overflow")]
    TooManyBytes,
}

/// What a proof shows, to be stored.
struct Checked {
    /// Nodes that are not stored yet.
    nodes: BTreeMap<Index, Node>,
    /// Where the block belongs.
    leaf: Proven,
    /// When the proof ended at roots.
    tree: Option<CheckedTree>,
}

/// The tree at whose roots a proof ended.
struct CheckedTree {
    length: u64,
    roots: Vec<Proven>,
    signature: Option<Signature>,
}

impl Feed {
    /// Stores a block that was downloaded, when its proof shows that it belongs there. The feed grows
    /// when the proof is against a longer one.
    ///
    /// # Durability
    /// As [`Durability`] says. A crash may leave the hash without the block. In
    /// [`Durability::Ordered`] a power cut may take back a block that no [`sync`](Self::sync) followed.
    ///
    /// # Errors
    /// [`Error::ProofRefused`], [`Error::ReadOnly`], [`Error::BlockTooLarge`], [`Error::TooManyBlocks`],
    /// [`Error::DataMissing`], or that the feed needs repair: then nothing was written.
    /// [`Error::Storage`], after which the feed is poisoned; [`Error::Poisoned`].
    ///
    /// # Source
    /// "SLEEP storage", section 10.
    pub fn put(&mut self, block: u64, bytes: &[u8], proof: &Proof) -> Result<()> {
        self.check_changeable()?;
        let len = bytes.len() as u64;
        if len > BLOCK_LEN_MAX {
            return Err(Error::BlockTooLarge { len, max: BLOCK_LEN_MAX });
        }
        self.check_data()?;
        let checked = self.check(block, Some(bytes), proof)?;
        self.store(block, Some(bytes), checked)
    }

    /// Stores the hash of a block that was downloaded without the block.
    ///
    /// # Durability
    /// As [`put`](Self::put).
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_hash(&mut self, block: u64, proof: &Proof) -> Result<()> {
        self.check_changeable()?;
        let checked = self.check(block, None, proof)?;
        self.store(block, None, checked)
    }

    fn check(&self, block: u64, bytes: Option<&[u8]>, proof: &Proof) -> Result<Checked> {
        if block >= FEED_LENGTH_MAX {
            return Err(Error::TooManyBlocks);
        }
        let refused = |fault| Error::ProofRefused { block, fault };
        let mut given = Given::new(proof);
        let leaf = match bytes {
            Some(bytes) => hashes::leaf(leaf_index(block), bytes),
            None => given.take_leaf(block).ok_or_else(|| refused(ProofFault::LeafMissing))?,
        };

        // The block itself proves its size, and so that of its sibling. A hash that came without its block
        // may have been stored with another one.
        let is_resized = |known: &Node, node: &Node| {
            bytes.is_some() && node.index.is_leaf() && known.hash == node.hash
        };
        let mut nodes = BTreeMap::new();
        // Sizes of what lies left of the block, within what the climb has passed.
        let mut left_size: u64 = 0;
        let mut top = leaf;
        let trusted = loop {
            let known = self.proven_here(top.index)?;
            let is_right = |known: &Proven| known.node == top || !is_resized(&known.node, &top);
            if let Some(known) = known.filter(is_right) {
                if known.node != top {
                    return Err(refused(ProofFault::Contradiction(top.index)));
                }
                if self.is_listed(top.index) {
                    break Some(known);
                }
            }
            nodes.insert(top.index, top);
            let Some(index) = top.index.sibling() else { break None };
            let sibling = match given.take(index) {
                Some(sibling) => {
                    nodes.insert(index, sibling);
                    sibling
                }
                None => match self.proven_here(index)? {
                    Some(sibling) => {
                        if !self.is_listed(index) {
                            nodes.insert(index, sibling.node);
                        }
                        sibling.node
                    }
                    None => break None,
                },
            };
            let parent = hashes::parent(&top, &sibling);
            let parent = parent.ok_or_else(|| refused(ProofFault::TooManyBytes))?;
            if index < top.index {
                left_size = left_size.saturating_add(sibling.size);
            }
            top = parent;
        };

        let (top, tree) = match trusted {
            Some(top) => (top, None),
            None => {
                let tree = self.check_roots(&mut given, top, &mut nodes, proof.signature);
                let tree = tree?.map_err(refused)?;
                let top = tree.roots.iter().find(|root| root.node.index == top.index).copied();
                (top.ok_or_else(|| refused(ProofFault::SignatureInvalid))?, Some(tree))
            }
        };
        for node in nodes.values() {
            let is_other = |known: Proven| known.node != *node && !is_resized(&known.node, node);
            if self.proven_here(node.index)?.is_some_and(is_other) {
                return Err(refused(ProofFault::Contradiction(node.index)));
            }
        }
        let offset = top.offset.checked_add(left_size);
        let offset = offset.ok_or_else(|| refused(ProofFault::TooManyBytes))?;
        Ok(Checked { nodes, leaf: Proven { node: leaf, offset }, tree })
    }

    /// Checks the tree of which a proof has `top` as a root.
    fn check_roots(
        &self,
        given: &mut Given<'_>,
        top: Node,
        nodes: &mut BTreeMap<Index, Node>,
        signature: Option<Signature>,
    ) -> Result<std::result::Result<CheckedTree, ProofFault>> {
        let last = given.last().map_or(0, Index::end_block);
        let length = top.index.end_block().max(last);
        if length > FEED_LENGTH_MAX {
            return Err(Error::TooManyBlocks);
        }
        let mut roots = Vec::new();
        for index in full_roots(length) {
            let root = if index == top.index {
                top
            } else if let Some(root) = given.take(index) {
                nodes.insert(index, root);
                root
            } else if let Some(root) = self.proven_here(index)? {
                root.node
            } else {
                return Ok(Err(ProofFault::RootMissing(index)));
            };
            roots.push(root);
        }
        let Some(roots) = with_offsets(roots) else { return Ok(Err(ProofFault::TooManyBytes)) };
        let tree_hash = tree_hash(&roots);
        let is_static = self.length == 0 || !self.is_live;
        let checked = match signature {
            Some(signature) => hashes::verify_tree(&self.key, &tree_hash, length, &signature)
                .map(|_| CheckedTree { length, roots, signature: Some(signature) })
                .ok_or(ProofFault::SignatureInvalid),
            None if is_static && tree_hash.as_bytes() == self.key.as_bytes() => {
                Ok(CheckedTree { length, roots, signature: None })
            }
            None => Err(ProofFault::SignatureMissing),
        };
        Ok(checked)
    }

    /// Whether a node has a bit, or is a root. Others were left by a process that did not live to sync them, or to hear
    /// that it was done: what relies on them writes them once more.
    fn is_listed(&self, index: Index) -> bool {
        self.bitfield.has_node(index) || self.roots.iter().any(|root| root.node.index == index)
    }

    /// A node that is stored and proven. One that is damaged is as good as not stored: a proof that
    /// brings it heals it.
    fn proven_here(&self, index: Index) -> Result<Option<Proven>> {
        if index.end_block() > self.length {
            return Ok(None);
        }
        match self.prove(index) {
            Err(Error::TreeDamaged { .. }) => Ok(None),
            proven => proven,
        }
    }

    fn store(&mut self, block: u64, bytes: Option<&[u8]>, checked: Checked) -> Result<()> {
        let Checked { nodes, leaf, tree } = checked;
        self.change(|feed| {
            feed.write_download(bytes, &leaf, &nodes, tree.as_ref())?;
            let is_other =
                |node: &Node| feed.known(node.index).is_some_and(|one| one.node != *node);
            if nodes.values().any(is_other) {
                // Remembered with another size.
                feed.proven = ProvenNodes::default();
            }
            nodes.keys().try_for_each(|index| feed.bitfield.add_node(*index))?;
            if bytes.is_some() {
                feed.bitfield.set_blocks(block..block.saturating_add(1), true)?;
            }
            feed.write_bits()?;
            if feed.durability == Durability::Strict {
                feed.sync_files(&[FileName::Bitfield])?;
            }
            Ok(())
        })?;
        if let Some(tree) = tree.filter(|tree| tree.length > self.length) {
            self.is_live = tree.signature.is_some();
            self.length = tree.length;
            self.roots = tree.roots;
        }
        Ok(())
    }

    /// Writes everything but the bits.
    fn write_download(
        &mut self,
        bytes: Option<&[u8]>,
        leaf: &Proven,
        nodes: &BTreeMap<Index, Node>,
        tree: Option<&CheckedTree>,
    ) -> Result<()> {
        if let Some(bytes) = bytes {
            let data = self.files.create(FileName::Data)?;
            data.write_at(leaf.offset, bytes).map_err(Error::in_file(FileName::Data))?;
        }
        if let Some(stored) = &self.tree {
            let nodes: Vec<Node> = nodes.values().copied().collect();
            let is_next =
                |one: &Node, next: &Node| one.index.get().checked_add(1) == Some(next.index.get());
            nodes.chunk_by(is_next).try_for_each(|run| stored.write_run(run))?;
        }
        // A page that is new to the file, and torn, would read as anything.
        let page_len = self.bitfield.page_size().bytes();
        let bits = self.files.create(FileName::Bitfield)?;
        let touched = nodes.keys().chain([&leaf.node.index]);
        let pages: BTreeSet<u64> = touched.map(|index| index.get() / NODES_PER_PAGE).collect();
        for page in pages {
            blank_page(&bits, page_len, page)?;
        }
        if !planted(Bug::BitsBeforeDownload) {
            self.sync_unless_lazy(&[FileName::Data, FileName::Tree, FileName::Bitfield])?;
        }

        if let (Some(signatures), Some(tree)) = (&self.signatures, tree)
            && let Some(signature) = &tree.signature
        {
            signatures.write(tree.length.saturating_sub(1), signature)?;
            self.sync_unless_lazy(&[FileName::Signatures])?;
        }
        Ok(())
    }
}
