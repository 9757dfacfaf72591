//! Which lengths are signed: a length whose roots are stored and whose slot holds a signature of them.
//!
//! The signature of an append is written after everything under it was synced, so a signature that
//! holds is the truth about the length, whatever the bits say.

use flat_tree::full_roots;
use hypercore_crypto::PublicKey;

use crate::error::Result;
use crate::hashes;
use crate::length::FEED_LENGTH_MAX;
use crate::node::Node;
use crate::signatures::{Backwards, SignatureFile};
use crate::tree::TreeFile;

/// Signatures that an open verifies before it gives up; each takes about a tenth of a millisecond.
pub(super) const SIGNATURES_TRIED_MAX: u64 = 1024;

/// A length that is signed.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) length: u64,
    pub(crate) roots: Vec<Node>,
}

/// The roots of a length, as they are stored; the first that is missing as an error.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage).
pub(crate) fn stored_roots(
    tree: Option<&TreeFile>,
    length: u64,
) -> Result<std::result::Result<Vec<Node>, flat_tree::Index>> {
    let mut roots = Vec::new();
    for index in full_roots(length) {
        match tree.map_or(Ok(None), |tree| tree.node(index))? {
            Some(root) => roots.push(root),
            None => return Ok(Err(index)),
        }
    }
    Ok(Ok(roots))
}

/// Looks for signed lengths, the newest first.
pub(crate) struct Search<'a> {
    key: &'a PublicKey,
    tree: Option<&'a TreeFile>,
    signatures: Option<&'a SignatureFile>,
    /// The scan, once it was begun.
    scan: Option<Backwards>,
    /// Signatures that were verified, good or bad.
    pub(super) tried: u64,
    tried_max: u64,
    /// The highest slot that is not blank.
    pub(super) newest_slot: Option<u64>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        key: &'a PublicKey,
        tree: Option<&'a TreeFile>,
        signatures: Option<&'a SignatureFile>,
        tried_max: u64,
    ) -> Self {
        Self { key, tree, signatures, scan: None, tried: 0, tried_max, newest_slot: None }
    }

    /// The next shorter length that is signed; `None` when there is none among those that are tried.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage).
    pub(crate) fn next(&mut self) -> Result<Option<Signed>> {
        let Some(signatures) = self.signatures else { return Ok(None) };
        let scan = match &mut self.scan {
            Some(scan) => scan,
            none => none.insert(signatures.backwards(FEED_LENGTH_MAX)?),
        };
        while self.tried < self.tried_max {
            let Some((slot, signature)) = scan.next()? else { break };
            self.newest_slot = self.newest_slot.or(Some(slot));
            let Some(length) = slot.checked_add(1) else { continue };
            let Ok(roots) = stored_roots(self.tree, length)? else { continue };
            self.tried = self.tried.saturating_add(1);
            let tree_hash = hashes::tree(&roots);
            if hashes::verify_tree(self.key, &tree_hash, length, &signature).is_some() {
                return Ok(Some(Signed { length, roots }));
            }
        }
        Ok(None)
    }
}
