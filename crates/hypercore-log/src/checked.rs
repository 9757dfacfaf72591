//! Proofs that are only checked: against the key and what is stored, and nothing is stored.

use flat_tree::Index;
use hypercore_crypto::Hash;
use hypercore_merkle::{
    Authority, Node, NodeLookup, Proof, Tree, TreeError, Verified, VerifyError,
};

use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::proofs::verify_error;
use crate::state::State;

/// What a proof shows that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// The fork it is of.
    pub fork: u64,
    /// Blocks of the log that it shows: of the longer one after an upgrade, else of the present one.
    pub length: u64,
    /// Bytes of that log.
    pub byte_length: u64,
    /// The tree hash of that log.
    pub tree_hash: Hash,
    /// The block whose bytes it brings.
    pub block: Option<u64>,
    /// Whether the signers signed another history for the present fork than the one that is stored here.
    pub contradicts: bool,
}

impl Checked {
    fn of(verified: &Verified, contradicts: bool) -> Self {
        let tree = &verified.tree;
        Self {
            fork: tree.fork(),
            length: tree.length(),
            byte_length: tree.byte_length(),
            tree_hash: tree.hash(),
            block: verified.block,
            contradicts,
        }
    }
}

impl Log {
    /// Checks a proof, and stores nothing.
    ///
    /// An upgrade from nothing stands on its own: it is checked against the key and the signature alone, whatever its fork
    /// and length, and compared with what is stored. Any other proof has to fit what is stored, as for
    /// [`apply_proof`](Self::apply_proof).
    ///
    /// # Errors
    /// [`LogError::Proof`]: it does not hold; [`LogError::Corrupt`] when the own tree is damaged; [`LogError::Storage`].
    pub fn check_proof(&self, proof: &Proof) -> Result<Checked, LogError> {
        let state = self.read_state();
        let authority = Authority { key: &self.key, manifest: state.manifest.as_ref() };
        if proof.upgrade.as_ref().is_none_or(|upgrade| upgrade.start != 0) {
            let verified = state.tree.verify(&*state, proof, &authority).map_err(verify_error)?;
            return Ok(Checked::of(&verified, false));
        }
        let empty = Tree::empty(proof.fork);
        let verified = empty.verify(&Nothing, proof, &authority).map_err(verify_error)?;
        let contradicts = is_contradicted(&state, proof, &authority)?;
        Ok(Checked::of(&verified, contradicts))
    }
}

/// Whether a proof that holds is of another history of the present fork, as far as what is stored tells.
fn is_contradicted(
    state: &State,
    proof: &Proof,
    authority: &Authority<'_>,
) -> Result<bool, LogError> {
    if proof.fork != state.tree.fork() {
        return Ok(false);
    }
    match state.tree.is_contradicted_by(state, proof, authority) {
        Ok(contradicts) => Ok(contradicts),
        Err(VerifyError::Tree(TreeError::MissingNode(_))) => Ok(false),
        Err(error) => Err(verify_error(error)),
    }
}

/// No stored nodes.
struct Nothing;

impl NodeLookup for Nothing {
    type Error = StorageError;

    fn node(&self, _: Index) -> Result<Option<Node>, StorageError> {
        Ok(None)
    }
}
