//! Proofs out and in: what replication needs of a log.

use hypercore_merkle::{Proof, ProveError, Request, TreeError, VerifyError};

use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::state::tree_error;

impl Log {
    /// Answers a request, or `None` when the block asked for is not stored here.
    ///
    /// What the answer shows is on stable storage: a log that can sign settles first, so that a power cut can
    /// not make it sign something else in its place.
    ///
    /// # Errors
    /// [`LogError::Request`] when the request has no answer; [`LogError::CorruptBlock`], [`LogError::Corrupt`];
    /// [`LogError::Storage`].
    pub fn create_proof(&self, request: &Request) -> Result<Option<Proof>, LogError> {
        // Compared under the lock that is held to the end: an append may publish between a flush and the look.
        let mut state = self.read_state();
        while self.is_writable() && self.commit.durable() != state.announced() {
            drop(state);
            self.flush()?;
            state = self.read_state();
        }
        if let Some(block) = &request.block
            && !(block.index < state.tree.length() && state.bitfield.get(block.index))
        {
            return Ok(None);
        }
        let signature = state.signature.as_deref();
        let mut proof = state
            .tree
            .prove(&state.nodes, request, signature, state.manifest.as_ref())
            .map_err(|error| match error {
                ProveError::Tree(error) if is_own_fault(&error) => tree_error(error),
                error => LogError::Request(Box::new(error)),
            })?;
        if let Some(block) = &mut proof.block {
            let value = self.read_verified(&state, block.index, u64::MAX)?;
            block.value = value.unwrap_or_default().into();
        }
        Ok(Some(proof))
    }

    /// Answers many requests as [`create_proof`](Self::create_proof) does, in order, each for itself.
    ///
    /// Stops when the blocks in the answers have `bytes_max` bytes or more together: what it gives is shorter than
    /// `requests` then, and the rest is to be asked for again. At least one request is answered.
    #[must_use]
    pub fn create_proofs(
        &self,
        requests: &[Request],
        bytes_max: usize,
    ) -> Vec<Result<Option<Proof>, LogError>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut len = 0_usize;
        for request in requests {
            let answer = self.create_proof(request);
            if let Ok(Some(Proof { block: Some(block), .. })) = &answer {
                len = len.saturating_add(block.value.len());
            }
            answers.push(answer);
            if len >= bytes_max {
                break;
            }
        }
        answers
    }
}

/// A proof that does not hold accuses the peer, so a failure of the own stores must not look like one.
pub(crate) fn verify_error(error: VerifyError<StorageError>) -> LogError {
    match error {
        VerifyError::Tree(error) => tree_error(error),
        error => LogError::Proof(Box::new(error)),
    }
}

const fn is_own_fault(error: &TreeError<StorageError>) -> bool {
    matches!(
        error,
        TreeError::Lookup { .. } | TreeError::DamagedNode(_) | TreeError::SizeOverflow(_)
    )
}
