//! Checking a proof against what is stored and against the signature.
//!
//! What comes out of [`Tree::verify`] is covered: every hash by a stored hash or the signature,
//! every size likewise, with one exception that the protocol leaves open and [`Verified`] names.
//! Nothing is changed here; work and memory are bounded by the size of the proof.

use std::borrow::Cow;
use std::error::Error;
use std::mem;

use flat_tree::Index;
use hypercore_crypto::{CoreKey, Manifest, Prologue, PublicKey};

use crate::append::Leaf;
use crate::batch::{Batch, GrowError};
use crate::error::VerifyError;
use crate::limits::add_lengths;
use crate::lookup::NodeLookup;
use crate::node::Node;
use crate::partial::{Partial, Queue};
use crate::proof::{Proof, UpgradeProof};
use crate::tree::Tree;

/// Who may say how the tree grows: the key of the core, and the manifest once it is known.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    /// The key.
    pub key: &'a CoreKey,
    /// The stored manifest. Without one that of the proof is used, if it belongs to the key; else
    /// the default manifest of the key taken as a public key.
    pub manifest: Option<&'a Manifest>,
}

/// What a proof has proven, to be stored together.
///
/// Before storing, compare fork and length with those the proof was verified against: the fork
/// must be the same and the length too for an upgrade, or not smaller without one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "what was proven is not stored yet"]
pub struct Verified {
    /// The tree afterwards.
    pub tree: Tree,
    /// Whether the tree changed. If not, [`tree`](Self::tree) is the one that was there.
    pub upgraded: bool,
    /// Blocks that stay from the tree that was there. Less than its length only after a reorg:
    /// then what is beyond must be dropped *before* the nodes are stored.
    pub ancestors: u64,
    /// Nodes to store, in the order that log entries have them. One can occur twice; the last
    /// counts.
    pub nodes: Vec<Node>,
    /// Those of the nodes whose hash is covered and whose size only as part of a sum.
    ///
    /// A parent's hash covers the sum of its children's sizes. Where a proof *claims* both children
    /// (the lowest two nodes of a hash or seek answer; the last node of an upgrade and the first
    /// additional one) a prover can move bytes from one to the other. A later proof from below hashes
    /// these sizes here and replaces them; until then nothing below the two is stored.
    pub unconfirmed: Vec<Index>,
    /// The block whose bytes the proof brought and which may be stored.
    pub block: Option<u64>,
    /// The signature of the tree, when it changed; `None` also where a prologue vouches for it.
    pub signature: Option<Vec<u8>>,
    /// The manifest to store: the tree changed and none was known before.
    pub manifest: Option<Manifest>,
}

/// What block, hash and seek of a proof have proven, to be stored together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "what was proven is not stored yet"]
pub struct Part {
    /// Nodes to store, as [`Verified::nodes`].
    pub nodes: Vec<Node>,
    /// As [`Verified::unconfirmed`].
    pub unconfirmed: Vec<Index>,
    /// Whether the last of the nodes is stored just so: it need not be stored again.
    pub top_is_stored: bool,
}

impl Tree {
    /// Verifies a proof against this tree and the stored nodes.
    ///
    /// # Errors
    /// [`VerifyError`], most of which are the prover's fault.
    /// [`VerifyError::OtherFork`] is nobody's; [`VerifyError::is_local`] tells those on this side.
    ///
    /// # Source
    /// formats.md section 7.5. Sizes are compared as well as hashes (section 14, 1).
    pub fn verify<L: NodeLookup>(
        &self,
        lookup: &L,
        proof: &Proof,
        authority: &Authority<'_>,
    ) -> Result<Verified, VerifyError<L::Error>> {
        let Some(upgrade) = &proof.upgrade else {
            let Part { nodes, unconfirmed, .. } = self.verify_part(lookup, proof, None)?;
            return Ok(Verified {
                tree: self.clone(),
                upgraded: false,
                ancestors: self.length,
                nodes,
                unconfirmed,
                block: proof.block.as_ref().map(|block| block.index),
                signature: None,
                manifest: None,
            });
        };
        self.check_fork(proof)?;
        let mut batch = Batch::new(self.clone());
        let mut unverified = Partial::of(proof, None)?;
        if let Some(partial) = &mut unverified {
            batch.nodes = mem::take(&mut partial.nodes);
            batch.unconfirmed = mem::take(&mut partial.unconfirmed);
        }
        let manifest = manifest_of(proof, authority);
        let prologue = manifest.as_deref().and_then(|manifest| manifest.prologue());
        let extra = unverified.as_ref().map(|partial| (partial.root, partial.claimed));
        if grow(&mut batch, upgrade, extra, prologue)? {
            unverified = None;
        }
        if let Some(partial) = &unverified
            && let Some(resized) = self.compare(lookup, partial)?
        {
            batch.nodes.push(resized);
            batch.unconfirmed.extend(partial.claimed.then_some([partial.root, resized]));
        }
        self.compare_unconfirmed(lookup, &batch.unconfirmed)?;
        let mut verified = Verified {
            upgraded: batch.grown,
            ancestors: self.length,
            nodes: batch.nodes,
            unconfirmed: indexes(&batch.unconfirmed),
            block: proof.block.as_ref().map(|block| block.index),
            signature: None,
            manifest: None,
            tree: batch.tree,
        };
        if verified.upgraded {
            verified.sign(upgrade, manifest.ok_or(VerifyError::Manifest)?, authority)?;
        }
        Ok(verified)
    }

    /// The same for block, hash and seek alone: of an upgrade nothing is looked at. For many proofs in a row, which copy no
    /// tree then.
    ///
    /// `leaf` is what [`Leaf::new`] gives for the block, where it was hashed already.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_part<L: NodeLookup>(
        &self,
        lookup: &L,
        proof: &Proof,
        leaf: Option<&Leaf>,
    ) -> Result<Part, VerifyError<L::Error>> {
        self.check_fork(proof)?;
        let Some(mut partial) = Partial::of(proof, leaf)? else { return Ok(Part::default()) };
        let stored = self.compare(lookup, &partial)?;
        let top_is_stored = stored.is_none();
        if let Some(resized) = stored {
            partial.nodes.push(resized);
            partial.unconfirmed.extend(partial.claimed.then_some([partial.root, resized]));
        }
        self.compare_unconfirmed(lookup, &partial.unconfirmed)?;
        let unconfirmed = indexes(&partial.unconfirmed);
        Ok(Part { nodes: partial.nodes, unconfirmed, top_is_stored })
    }

    const fn check_fork<E: Error + 'static>(&self, proof: &Proof) -> Result<(), VerifyError<E>> {
        let (own, proof) = (self.fork, proof.fork);
        if own == proof { Ok(()) } else { Err(VerifyError::OtherFork { own, proof }) }
    }
}

impl Verified {
    /// Checks the signature of the tree and takes over what is to be stored with it.
    pub(crate) fn sign<E: Error + 'static>(
        &mut self,
        upgrade: &UpgradeProof,
        manifest: Cow<'_, Manifest>,
        authority: &Authority<'_>,
    ) -> Result<(), VerifyError<E>> {
        let signature = upgrade.signature.as_deref().unwrap_or_default();
        manifest.verify(authority.key, &self.tree, signature).map_err(VerifyError::Signature)?;
        self.signature.clone_from(&upgrade.signature);
        if authority.manifest.is_none() {
            self.manifest = Some(manifest.into_owned());
        }
        Ok(())
    }
}

/// The manifest that decides: the stored one, that of the proof if it belongs to the key, the
/// default. `None` when that of the proof does not belong.
///
/// # Source
/// formats.md sections 5.3 and 7.5, step 4.
pub(crate) fn manifest_of<'a>(
    proof: &'a Proof,
    authority: &Authority<'a>,
) -> Option<Cow<'a, Manifest>> {
    match (authority.manifest, &proof.manifest) {
        (Some(stored), _) => Some(Cow::Borrowed(stored)),
        (None, Some(sent)) if sent.belongs_to(authority.key) => Some(Cow::Borrowed(sent)),
        (None, Some(_)) => None,
        (None, None) => {
            let public = PublicKey::from_bytes(*authority.key.as_bytes());
            Some(Cow::Owned(Manifest::single(public)))
        }
    }
}

/// Grows the batch by an upgrade; true when `extra`, the root of the first step, was part of it or
/// there was none.
///
/// # Source
/// formats.md section 7.5, step 2.
pub(crate) fn grow<E: Error + 'static>(
    batch: &mut Batch,
    upgrade: &UpgradeProof,
    extra: Option<(Node, bool)>,
    prologue: Option<Prologue>,
) -> Result<bool, VerifyError<E>> {
    let UpgradeProof { start, length, .. } = *upgrade;
    if let Some(prologue) = prologue
        && start < prologue.length
        && (start > 0 || length < prologue.length)
    {
        return Err(VerifyError::Prologue);
    }
    let to = add_lengths(start, length).ok_or(VerifyError::TooLong { start, length })?;
    let mut queue = Queue::new(&upgrade.nodes, extra);
    batch.grow_to(to, |index| queue.take(index)).map_err(refused)?;
    if let Some(prologue) = prologue
        && batch.tree.length == prologue.length
        && batch.tree.hash() != prologue.hash
    {
        return Err(VerifyError::Prologue);
    }
    for node in &upgrade.additional_nodes {
        if batch.tree.roots.is_empty() {
            return Err(VerifyError::Misplaced(node.index));
        }
        batch.push(*node, true).map_err(refused)?;
    }
    Ok(queue.extra_used())
}

/// The indexes of all nodes of some pairs.
pub(crate) fn indexes(pairs: &[[Node; 2]]) -> Vec<Index> {
    pairs.as_flattened().iter().map(|node| node.index).collect()
}

fn refused<E: Error + 'static>(error: GrowError<VerifyError<E>>) -> VerifyError<E> {
    match error {
        GrowError::Misplaced(index) | GrowError::Unreachable(index) => {
            VerifyError::Misplaced(index)
        }
        GrowError::Overflow(index) => VerifyError::SizeOverflow(index),
        GrowError::Source(error) => error,
    }
}
