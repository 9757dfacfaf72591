//! Two signed histories of one fork: how a peer's is told from the own one.

use hypercore_merkle::{Authority, Proof, Request, UpgradeRequest};

use crate::error::LogError;
use crate::log::Log;
use crate::proofs::verify_error;

impl Log {
    /// Whether a peer's proof shows that the signers signed another history for the present fork. Gives the own proof
    /// against it, over as many blocks: both together convince anybody. A sparse log that lacks the roots of so many
    /// blocks gives its whole tree, which convinces who has more of it.
    ///
    /// `proof` is an upgrade from nothing by at most the blocks that are here; nothing is stored.
    ///
    /// # Errors
    /// [`LogError::Proof`]: it does not hold, is of another fork, or no upgrade from nothing;
    /// [`LogError::NodeMissing`]: a root of that many blocks is not stored here, so that nothing is known; those of
    /// [`create_proof`](Self::create_proof).
    ///
    /// # Source
    /// wire.md section 7.8.
    pub fn check_conflict(&self, proof: &Proof) -> Result<Option<Proof>, LogError> {
        let contradicted = {
            let state = self.read_state();
            let authority = Authority { key: &self.key, manifest: state.manifest.as_ref() };
            state.tree.is_contradicted_by(&*state, proof, &authority).map_err(verify_error)?
        };
        let length = proof.upgrade.as_ref().map_or(0, |upgrade| upgrade.length);
        if !contradicted {
            return Ok(None);
        }
        let prove = |length| {
            let upgrade = Some(UpgradeRequest { start: 0, length });
            self.create_proof(&Request { fork: proof.fork, upgrade, ..Request::default() })
        };
        match prove(length) {
            Err(LogError::Request(_)) => prove(self.length()),
            proven => proven,
        }
    }
}
