//! Making a proof.
//!
//! Every loop here climbs or descends a tree of at most 2^52 blocks, or walks its at most 53 roots,
//! whatever the request says. The block's bytes are not looked at: the caller fills them in.

use bytes::Bytes;
use flat_tree::{Index, full_roots};
use hypercore_crypto::Manifest;

use crate::error::{ProveError, TreeError};
use crate::lookup::NodeLookup;
use crate::node::Node;
use crate::proof::{BlockProof, HashProof, Proof, SeekProof, UpgradeProof};
use crate::request::{Request, SeekRequest};
use crate::tree::Tree;

impl Tree {
    /// Answers a request.
    ///
    /// `signature` is that of this tree and goes with an upgrade. `manifest` goes with the answer
    /// when asked for; when it has a prologue, an upgrade from before its end starts at 0 and
    /// covers it whole. [`BlockProof::value`] is left empty for the caller to fill in. A tree of no
    /// blocks answers with nothing.
    ///
    /// # Errors
    /// [`ProveError`]; [`ProveError::Tree`] when a node that the answer needs is not stored.
    ///
    /// # Source
    /// formats.md sections 7.3 and 7.4.
    pub fn prove<L: NodeLookup>(
        &self,
        lookup: &L,
        request: &Request,
        signature: Option<&[u8]>,
        manifest: Option<&Manifest>,
    ) -> Result<Proof, ProveError<L::Error>> {
        if request.fork != self.fork {
            return Err(ProveError::OtherFork { own: self.fork, requested: request.fork });
        }
        let mut proof = Proof { fork: self.fork, ..Proof::default() };
        if self.length == 0 {
            return Ok(proof);
        }
        if request.manifest {
            proof.manifest = manifest.cloned();
        }

        let mut upgrade = request.upgrade;
        let prologue = manifest.and_then(|manifest| manifest.prologue());
        if let (Some(upgrade), Some(prologue)) = (&mut upgrade, prologue)
            && upgrade.start < prologue.length
        {
            upgrade.start = 0;
            upgrade.length = prologue.length;
        }
        let from = upgrade.map_or(0, |upgrade| upgrade.start);
        let to = match upgrade {
            None => self.length,
            Some(upgrade) => upgrade
                .start
                .checked_add(upgrade.length)
                .filter(|to| *to > upgrade.start && *to <= self.length)
                .ok_or(ProveError::InvalidUpgrade {
                    start: upgrade.start,
                    length: upgrade.length,
                })?,
        };

        let mut lists = Lists { tree: self, lookup, target: None, subtree: None, seek: None };
        let target = match (&request.block, &request.hash) {
            (Some(block), _) => {
                let leaf = Index::leaf(block.index).ok_or(ProveError::OutOfBounds(Index::MAX))?;
                Some(Target { index: leaf, nodes: block.nodes, included: false })
            }
            (None, Some(hash)) => {
                Some(Target { index: hash.index, nodes: hash.nodes, included: true })
            }
            (None, None) => None,
        };
        if let Some(target) = &target {
            if target.index.end_block() > to {
                return Err(ProveError::OutOfBounds(target.index));
            }
            // Compared as numbers of nodes, which for a parent is not the same as its blocks.
            let start = Index::leaf(from).unwrap_or(Index::MAX);
            if request.seek.is_some() && upgrade.is_some() && target.index >= start {
                return Err(ProveError::SeekInUpgrade(target.index));
            }
        }

        match (&target, upgrade) {
            (Some(target), upgrade) if upgrade.is_none() || target.index.end_block() <= from => {
                let root = climb(target, to)?;
                let sought = match &request.seek {
                    Some(seek) => Some(self.sought_below(lookup, root, seek)?),
                    None => None,
                };
                lists.add(Some(target), sought, root)?;
            }
            (Some(target), _) if target.index.first_block() < from => {
                return Err(ProveError::Straddles(target.index));
            }
            (Some(target), _) => lists.wanted(Some(*target), target.index),
            (None, Some(_)) => {
                if let Some(seek) = &request.seek
                    && let Some(node) = self.seek_node(lookup, to, seek.bytes, seek.padding)?
                {
                    lists.wanted(None, node);
                }
            }
            (None, None) => {}
        }

        if let Some(upgrade) = upgrade {
            let nodes = lists.upgrade(from, to)?;
            let additional_nodes =
                if to < self.length { lists.grown(to, self.length)? } else { Vec::new() };
            proof.upgrade = Some(UpgradeProof {
                start: upgrade.start,
                length: upgrade.length,
                nodes,
                additional_nodes,
                signature: signature.map(<[u8]>::to_vec),
            });
        }
        if let Some(target) = &target {
            // Inside the upgrade or before it, some node was its ancestor.
            let nodes = lists.subtree.ok_or(ProveError::OutOfBounds(target.index))?;
            if let Some(block) = &request.block {
                proof.block = Some(BlockProof { index: block.index, value: Bytes::new(), nodes });
            } else {
                proof.hash = Some(HashProof { index: target.index, nodes });
            }
        }
        if let (Some(seek), Some(nodes)) = (&request.seek, lists.seek) {
            proof.seek = Some(SeekProof { bytes: seek.bytes, nodes });
        }
        Ok(proof)
    }

    fn sought_below<L: NodeLookup>(
        &self,
        lookup: &L,
        root: Index,
        seek: &SeekRequest,
    ) -> Result<Index, ProveError<L::Error>> {
        self.seek_node_below(lookup, root, seek.bytes, seek.padding)?
            .ok_or(ProveError::InvalidSeek { bytes: seek.bytes, below: root })
    }
}

/// The node of a block or hash request.
#[derive(Debug, Clone, Copy)]
struct Target {
    index: Index,
    nodes: u64,
    /// Whether the node itself belongs into its list.
    included: bool,
}

/// Climbs the levels asked for, never out of the tree of `length` blocks.
fn climb<E: std::error::Error + 'static>(
    target: &Target,
    length: u64,
) -> Result<Index, ProveError<E>> {
    let mut root = target.index;
    // Ends at the root at the latest, since every level is checked.
    for _ in 0..target.nodes {
        root = root
            .parent()
            .filter(|parent| parent.end_block() <= length)
            .ok_or(ProveError::OutOfBounds(target.index))?;
    }
    Ok(root)
}

/// The node lists of an answer, as they are collected.
struct Lists<'a, L> {
    tree: &'a Tree,
    lookup: &'a L,
    /// What is to be answered below a node of the upgrade: the target, and the node that says
    /// below which one.
    target: Option<(Option<Target>, Index)>,
    subtree: Option<Vec<Node>>,
    seek: Option<Vec<Node>>,
}

impl<L: NodeLookup> Lists<'_, L> {
    fn node(&self, index: Index) -> Result<Node, TreeError<L::Error>> {
        self.tree.root_or_stored(self.lookup, index)
    }

    /// Leaves target and seek node to the upgrade walk.
    fn wanted(&mut self, target: Option<Target>, below: Index) {
        self.target = Some((target, below));
    }

    /// List (a): the target and its siblings up to `root`, the seek part in place of the sibling
    /// that contains the seek node.
    fn add(
        &mut self,
        target: Option<&Target>,
        sought: Option<Index>,
        root: Index,
    ) -> Result<(), ProveError<L::Error>> {
        let Some(target) = target else {
            if let Some(sought) = sought {
                self.seek = Some(self.path(sought, root)?);
            }
            return Ok(());
        };
        let depth = root.depth().get().saturating_sub(target.index.depth().get());
        let mut nodes = Vec::with_capacity(usize::try_from(depth).unwrap_or(0).saturating_add(1));
        if target.included {
            nodes.push(self.node(target.index)?);
        }
        let mut at = target.index;
        while at != root {
            let (sibling, parent) = step(at, root)?;
            match sought {
                Some(sought) if sibling.contains(sought) && sibling != sought => {
                    self.seek = Some(self.path(sought, sibling)?);
                }
                _ => nodes.push(self.node(sibling)?),
            }
            at = parent;
        }
        self.subtree = Some(nodes);
        Ok(())
    }

    /// A node and its siblings up to, not including, `root`.
    fn path(&self, from: Index, root: Index) -> Result<Vec<Node>, ProveError<L::Error>> {
        let mut nodes = vec![self.node(from)?];
        let mut at = from;
        while at != root {
            let (sibling, parent) = step(at, root)?;
            nodes.push(self.node(sibling)?);
            at = parent;
        }
        Ok(nodes)
    }

    /// List (b): what a tree of `to` blocks has beyond one of `from`, with target or seek node
    /// answered in place of the node that contains it.
    fn upgrade(&mut self, from: u64, to: u64) -> Result<Vec<Node>, ProveError<L::Error>> {
        let mut nodes = Vec::new();
        for index in grown_nodes(from, to) {
            match self.target {
                Some((target, below)) if index.contains(below) => {
                    self.target = None;
                    let sought = if target.is_none() { Some(below) } else { None };
                    self.add(target.as_ref(), sought, index)?;
                }
                _ => nodes.push(self.node(index)?),
            }
        }
        Ok(nodes)
    }

    /// List (c): the same with nothing to answer.
    fn grown(&self, from: u64, to: u64) -> Result<Vec<Node>, ProveError<L::Error>> {
        let nodes = grown_nodes(from, to).into_iter().map(|index| self.node(index));
        Ok(nodes.collect::<Result<_, _>>()?)
    }
}

/// Sibling and parent on the way to `root`, which must be above.
fn step<E: std::error::Error + 'static>(
    at: Index,
    root: Index,
) -> Result<(Index, Index), ProveError<E>> {
    match (at.sibling(), at.parent()) {
        (Some(sibling), Some(parent)) if root.contains(at) => Ok((sibling, parent)),
        _ => Err(ProveError::OutOfBounds(at)),
    }
}

/// The nodes that cover blocks `from..to` and complete the roots of `from` blocks to those of `to`:
/// siblings right of the last block on the way up, then roots.
fn grown_nodes(from: u64, to: u64) -> Vec<Index> {
    let mut nodes = Vec::new();
    for root in full_roots(to) {
        if root.end_block() <= from {
            continue;
        }
        if root.first_block() >= from {
            nodes.push(root);
            continue;
        }
        let mut at = from.checked_sub(1).and_then(Index::leaf).unwrap_or(root);
        while at != root {
            let (Some(sibling), Some(parent)) = (at.sibling(), at.parent()) else { break };
            if sibling > at {
                nodes.push(sibling);
            }
            at = parent;
        }
    }
    nodes
}
