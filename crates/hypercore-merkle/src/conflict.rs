//! Two signed trees that cannot both be true.

use std::collections::HashMap;
use std::error::Error;
use std::marker::PhantomData;

use flat_tree::{Index, full_roots};
use hypercore_crypto::{CoreKey, Manifest};

use crate::error::VerifyError;
use crate::lookup::NodeLookup;
use crate::node::Node;
use crate::proof::Proof;
use crate::tree::Tree;
use crate::verify::Authority;

/// A tree and its signature.
#[derive(Debug, Clone, Copy)]
pub struct SignedHead<'a> {
    /// The tree.
    pub tree: &'a Tree,
    /// Its signature; empty where a prologue vouches for it.
    pub signature: &'a [u8],
}

/// Whether the signers signed two histories: different trees of the same fork and length, both with
/// a valid signature.
///
/// The tree of a peer comes from its upgrade from nothing, verified against
/// [`Tree::empty`] of the same fork.
///
/// # Source
/// formats.md section 7.6.
#[must_use]
pub fn is_conflict(
    key: &CoreKey,
    manifest: &Manifest,
    one: SignedHead<'_>,
    other: SignedHead<'_>,
) -> bool {
    one.tree.fork() == other.tree.fork()
        && one.tree.length() == other.tree.length()
        && one.tree.hash() != other.tree.hash()
        && [one, other].iter().all(|head| manifest.verify(key, head.tree, head.signature).is_ok())
}

impl Tree {
    /// Whether the signers signed another history for the same fork: `proof`, an upgrade from nothing that they signed, has
    /// another root for the first [`length`](crate::UpgradeProof::length) blocks than this tree.
    ///
    /// The tree that was signed may be longer than that, and so may this one. Only hashes are compared: of the size of
    /// the last root a proof says what it likes ([`Verified::unconfirmed`](crate::Verified::unconfirmed)). A proof that is longer than
    /// this tree contradicts nothing.
    ///
    /// # Errors
    /// As [`Tree::verify`] for a proof that does not hold; [`VerifyError::OtherFork`]; [`VerifyError::NotAReorg`] without
    /// an upgrade from nothing; [`VerifyError::Tree`] with [`MissingNode`](crate::TreeError::MissingNode) when a root of that many blocks is
    /// not stored, so that nothing is known.
    ///
    /// # Source
    /// wire.md section 7.8.
    pub fn is_contradicted_by<L: NodeLookup>(
        &self,
        lookup: &L,
        proof: &Proof,
        authority: &Authority<'_>,
    ) -> Result<bool, VerifyError<L::Error>> {
        if proof.fork != self.fork {
            return Err(VerifyError::OtherFork { own: self.fork, proof: proof.fork });
        }
        let upgrade = proof.upgrade.as_ref().filter(|upgrade| upgrade.start == 0);
        let length = upgrade.ok_or(VerifyError::NotAReorg)?.length;
        let verified = Self::empty(self.fork).verify(&Nothing(PhantomData), proof, authority)?;
        if length > self.length {
            return Ok(false);
        }
        let theirs: HashMap<Index, Node> =
            verified.nodes.iter().map(|node| (node.index, *node)).collect();
        for root in full_roots(length) {
            let own = self.root_or_stored(lookup, root).map_err(VerifyError::Tree)?;
            if theirs.get(&root).is_some_and(|theirs| theirs.hash != own.hash) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// No stored nodes, for a tree of no blocks.
struct Nothing<E>(PhantomData<E>);

impl<E: Error + Send + Sync + 'static> NodeLookup for Nothing<E> {
    type Error = E;

    fn node(&self, _: Index) -> Result<Option<Node>, E> {
        Ok(None)
    }
}
