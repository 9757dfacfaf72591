//! Moving to a tree of a higher fork: how much of the own history it shares.
//!
//! A state machine without I/O: it says what it wants to know, answers are fed in. Each answer that
//! is taken moves strictly down the tree, so there are at most as many as the tree is deep.

use std::collections::HashMap;
use std::error::Error;
use std::mem;
use std::ops::Range;

use flat_tree::Index;

use crate::batch::Batch;
use crate::error::VerifyError;
use crate::lookup::NodeLookup;
use crate::node::Node;
use crate::partial::Partial;
use crate::proof::Proof;
use crate::request::{HashRequest, Request};
use crate::sizes::resized_sibling;
use crate::tree::{Tree, look_up};
use crate::verify::{Authority, Verified, grow, indexes, manifest_of};

/// What a reorg needs to know next: the hash of any one of these blocks, with all levels up to the
/// node where the two trees are known to differ.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Want {
    /// The blocks; not empty.
    pub blocks: Range<u64>,
    /// Levels to climb.
    pub nodes: u64,
    /// The fork to ask about.
    pub fork: u64,
}

impl Want {
    /// The request for this, asking for `block` of [`blocks`](Self::blocks).
    #[must_use]
    pub fn request(&self, block: u64) -> Request {
        let index = Index::leaf(block).unwrap_or(Index::MAX);
        Request {
            fork: self.fork,
            hash: Some(HashRequest { index, nodes: self.nodes }),
            ..Request::default()
        }
    }
}

/// A reorg under way: the signed tree of a higher fork, compared step by step with the own one.
///
/// Refer to one own tree throughout: when it changes meanwhile, start again.
#[derive(Debug, Clone)]
#[must_use = "a reorg does nothing before it is finished and stored"]
pub struct Reorg {
    own: Tree,
    verified: Verified,
    /// The highest, leftmost node known to differ.
    difference: Option<Node>,
    want: Option<Want>,
}

impl Reorg {
    /// Verifies the first proof: an upgrade from nothing on a higher fork, with its signature.
    ///
    /// # Errors
    /// [`VerifyError::NotAReorg`] for another kind of proof, and as [`Tree::verify`].
    ///
    /// # Source
    /// formats.md section 7.7.
    pub fn start<L: NodeLookup>(
        own: &Tree,
        lookup: &L,
        proof: &Proof,
        authority: &Authority<'_>,
    ) -> Result<Self, VerifyError<L::Error>> {
        let upgrade = proof.upgrade.as_ref().ok_or(VerifyError::NotAReorg)?;
        if proof.fork <= own.fork {
            return Err(VerifyError::NotAReorg);
        }
        let mut batch = Batch::new(Tree::empty(proof.fork));
        let mut partial = Partial::of(proof, None)?;
        if let Some(partial) = &mut partial {
            batch.nodes = mem::take(&mut partial.nodes);
            batch.unconfirmed = mem::take(&mut partial.unconfirmed);
        }
        let manifest = manifest_of(proof, authority).ok_or(VerifyError::Manifest)?;
        let extra = partial.as_ref().map(|partial| (partial.root, partial.claimed));
        if !grow(&mut batch, upgrade, extra, manifest.prologue())? {
            let root = partial.map_or(Index::MAX, |partial| partial.root.index);
            return Err(VerifyError::UnknownNode(root));
        }
        if !batch.grown {
            return Err(VerifyError::NotAReorg);
        }
        own.compare_unconfirmed(lookup, &batch.unconfirmed)?;
        let mut verified = Verified {
            upgraded: true,
            ancestors: batch.tree.length,
            nodes: batch.nodes,
            unconfirmed: indexes(&batch.unconfirmed),
            block: None,
            signature: None,
            manifest: None,
            tree: batch.tree,
        };
        verified.sign(upgrade, manifest, authority)?;

        let mut reorg = Self { own: own.clone(), verified, difference: None, want: None };
        let roots = reorg.verified.tree.roots.iter();
        let mut differing = None;
        for root in roots {
            if !reorg.is_own(lookup, root)? {
                differing = Some(*root);
                break;
            }
        }
        // Without a difference the new tree is a beginning of the own one.
        if let Some(root) = differing {
            reorg.set_difference(root);
            let known = by_index(&reorg.verified.nodes);
            if let Some(deeper) = reorg.descend(lookup, root, &known)? {
                reorg.set_difference(deeper);
            }
        }
        Ok(reorg)
    }

    /// What to ask for next; `None` when the shared part is known.
    #[must_use]
    pub const fn want(&self) -> Option<&Want> {
        self.want.as_ref()
    }

    /// Blocks that are shared for certain, as far as is known yet.
    #[must_use]
    pub const fn ancestors(&self) -> u64 {
        self.verified.ancestors
    }

    /// The tree that the reorg leads to.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.verified.tree
    }

    /// Takes an answer to what was wanted. Of the proof only the hash part is used.
    ///
    /// # Errors
    /// [`VerifyError`] when the answer is not one, or of another tree; the reorg stays as it was
    /// and another answer may follow.
    pub fn feed<L: NodeLookup>(
        &mut self,
        lookup: &L,
        proof: &Proof,
    ) -> Result<(), VerifyError<L::Error>> {
        let (Some(want), Some(difference)) = (&self.want, self.difference) else { return Ok(()) };
        if proof.fork != want.fork {
            return Err(VerifyError::OtherFork { own: want.fork, proof: proof.fork });
        }
        // Starting at a leaf, every size above the lowest two is covered by more than a sum.
        let asked = match (&proof.block, &proof.hash) {
            (Some(block), _) => Some(block.index),
            (None, Some(hash)) => hash.index.block(),
            (None, None) => None,
        };
        if !asked.is_some_and(|block| want.blocks.contains(&block)) {
            return Err(VerifyError::Misplaced(difference.index));
        }
        let partial = Partial::of_target(proof, None, None)?
            .ok_or(VerifyError::Misplaced(difference.index))?;
        let (index, root) = (difference.index, partial.root);
        if root.index != index {
            return Err(VerifyError::UnexpectedNode { expected: index, found: Some(root.index) });
        }
        if root.hash != difference.hash {
            return Err(VerifyError::HashMismatch(index));
        }
        self.own.compare_unconfirmed(lookup, &partial.unconfirmed)?;
        let known = by_index(&partial.nodes);
        let deeper = self.descend(lookup, difference, &known)?;
        let deeper = deeper.ok_or(VerifyError::Misplaced(index))?;
        let resized = if root.size == difference.size { None } else { self.resized(&root)? };
        self.verified.nodes.extend(partial.nodes.into_iter().chain(resized));
        // Its size and that of its sibling are certain now.
        let parent = index.parent();
        self.verified.unconfirmed.retain(|index| index.parent() != parent);
        self.verified.unconfirmed.extend(indexes(&partial.unconfirmed));
        self.set_difference(deeper);
        Ok(())
    }

    /// The outcome; `None` while something is wanted.
    #[must_use]
    pub fn finish(self) -> Option<Verified> {
        if self.want.is_some() { None } else { Some(self.verified) }
    }

    /// Whether the own tree has the same node.
    fn is_own<L: NodeLookup>(
        &self,
        lookup: &L,
        node: &Node,
    ) -> Result<bool, VerifyError<L::Error>> {
        if !self.own.contains(node.index) {
            return Ok(false);
        }
        let stored = look_up(lookup, node.index).map_err(VerifyError::Tree)?;
        Ok(stored.is_some_and(|stored| stored.hash == node.hash))
    }

    /// The sibling of a node of the new tree whose size was claimed and is known for certain now.
    fn resized<E: Error + 'static>(&self, node: &Node) -> Result<Option<Node>, VerifyError<E>> {
        let known = |index: Option<Index>| {
            let mut nodes = self.verified.nodes.iter().rev();
            nodes.find(|node| Some(node.index) == index)
        };
        let parent = node.index.parent();
        let (Some(sibling), Some(parent)) = (known(node.index.sibling()), known(parent)) else {
            return Err(VerifyError::Misplaced(node.index));
        };
        let resized = resized_sibling(node, sibling, parent);
        resized.map(Some).ok_or(VerifyError::Misplaced(node.index))
    }

    /// Follows the difference down as far as nodes are known; `None` when none below it are.
    fn descend<L: NodeLookup>(
        &self,
        lookup: &L,
        from: Node,
        known: &HashMap<Index, Node>,
    ) -> Result<Option<Node>, VerifyError<L::Error>> {
        let mut at = from;
        while let Some((left, right)) = at.index.children() {
            let (Some(left), Some(right)) = (known.get(&left), known.get(&right)) else { break };
            // The left one being the same, the right one must differ.
            at = if self.is_own(lookup, left)? { *right } else { *left };
        }
        Ok(Some(at).filter(|at| at.index != from.index))
    }

    fn set_difference(&mut self, node: Node) {
        let start = node.index.first_block();
        let end = node.index.end_block().min(self.own.length);
        self.verified.ancestors = start;
        self.difference = Some(node);
        self.want = if node.index.is_leaf() || end <= start {
            None
        } else {
            Some(Want {
                blocks: start..end,
                nodes: u64::from(node.index.depth().get()),
                fork: self.verified.tree.fork,
            })
        };
    }
}

fn by_index(nodes: &[Node]) -> HashMap<Index, Node> {
    nodes.iter().map(|node| (node.index, *node)).collect()
}
