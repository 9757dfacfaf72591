//! Two signed trees that cannot both be true.

use hypercore_crypto::{CoreKey, Manifest};

use crate::tree::Tree;

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
