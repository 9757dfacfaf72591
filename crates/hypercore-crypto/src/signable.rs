//! What is signed, and what proves knowledge of a core key on a connection.
//!
//! A signable names a tree by hash, length and fork, so that a signature holds for one version of
//! one core and for nothing else.

use crate::fixed::{CoreKey, Hash};
use crate::hash::keyed_hash;
use crate::namespace::{
    REPLICATE_INITIATOR_NAMESPACE, REPLICATE_RESPONDER_NAMESPACE, TREE_NAMESPACE,
};

/// Joins the parts; they have `N` bytes together.
fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    debug_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), N);
    let mut joined = [0; N];
    for (to, from) in joined.iter_mut().zip(parts.iter().copied().flatten()) {
        *to = *from;
    }
    joined
}

/// What is signed for a tree. `context` is the core key for manifests of version 1 and up, the
/// signer's namespace for version 0.
///
/// # Source
/// formats.md section 3.4.
#[must_use]
pub fn signable(context: &[u8; 32], tree_hash: &Hash, length: u64, fork: u64) -> [u8; 112] {
    join(&[
        TREE_NAMESPACE.as_bytes(),
        context,
        tree_hash.as_bytes(),
        &length.to_le_bytes(),
        &fork.to_le_bytes(),
    ])
}

/// What is signed for a tree of a compat core.
///
/// # Source
/// formats.md section 3.4.
#[must_use]
pub fn compat_signable(tree_hash: &Hash, length: u64, fork: u64) -> [u8; 80] {
    join(&[
        TREE_NAMESPACE.as_bytes(),
        tree_hash.as_bytes(),
        &length.to_le_bytes(),
        &fork.to_le_bytes(),
    ])
}

/// What was signed for a tree of a compat core by old releases.
///
/// It lacks the namespace. Nothing here uses it unless asked to.
///
/// # Source
/// formats.md section 3.4.
#[must_use]
pub fn legacy_signable(tree_hash: &Hash, length: u64, fork: u64) -> [u8; 48] {
    join(&[tree_hash.as_bytes(), &length.to_le_bytes(), &fork.to_le_bytes()])
}

/// A side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The side that opened the connection.
    Initiator,
    /// The side that was connected to.
    Responder,
}

/// What `side` sends to show that it knows `key`, bound to this one connection.
///
/// `handshake_hash` is the hash of the finished Noise handshake.
///
/// # Source
/// formats.md section 3.5.
#[must_use]
pub fn capability(side: Side, key: &CoreKey, handshake_hash: &[u8; 64]) -> Hash {
    let namespace = match side {
        Side::Initiator => REPLICATE_INITIATOR_NAMESPACE,
        Side::Responder => REPLICATE_RESPONDER_NAMESPACE,
    };
    keyed_hash(handshake_hash, &[namespace.as_bytes(), key.as_bytes()])
}
