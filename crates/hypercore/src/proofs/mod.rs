//! Proofs as values: made, checked and applied without any connection.
//!
//! What is asked for, what a proof shows and what it is written as are here; whether it holds is decided in the crates
//! below. Knows nothing of peers.

mod remote;
mod request;
#[cfg(feature = "serde")]
mod serialize;
mod value;

pub use remote::{RemoteProof, RemoteProven};
pub use request::ProofRequest;
pub use value::{Conflict, Proof, Proven};

use hypercore_log::Applied;
use hypercore_replication::{LogChange, StandaloneProof};

use crate::encryption::Cipher;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::handle::Hypercore;
use crate::view::Viewed;

/// Proofs. They are of the log itself, also where the session sees a snapshot or a batch of it.
impl Hypercore {
    /// Makes a proof of what `request` asks for; `None` when the block that it asks for is not stored here.
    ///
    /// # Durability
    /// What a proof shows of a log that can be appended to here survives a power cut: it is made durable first.
    ///
    /// # Errors
    /// `Caller` when the log has no such blocks or bytes, is at another fork than the one asked for, or does not have the tree
    /// nodes here that are asked for; `Corrupt` when what is stored is not what was signed; `Io`, `Closed`.
    pub async fn create_proof(&self, request: &ProofRequest) -> Result<Option<Proof>> {
        let request = *request;
        let make = move |view: Viewed<'_>, cipher: &Cipher| {
            Ok(request.answer(view.log(), cipher.padding())?)
        };
        Ok(self.session_ref().blocking(make).await?.map(Proof::new))
    }

    /// How many levels of the tree a proof of block `index` has to climb to meet what is stored here: what
    /// [`ProofRequest::levels`] takes. 0 for a block past the end.
    ///
    /// # Errors
    /// `Corrupt`, `Io`, `Closed`.
    pub async fn missing_levels(&self, index: u64) -> Result<u64> {
        self.session_ref().blocking(move |view, _| Ok(view.log().missing_nodes(index)?)).await
    }

    /// Checks a proof against the key and what is stored here. Stores nothing.
    ///
    /// An upgrade from nothing stands on its own: it may be of any fork and length. Any other proof has to fit what is stored
    /// here, as for [`apply_proof`](Self::apply_proof).
    ///
    /// # Errors
    /// [`Peer`](ErrorKind::Peer) when it does not hold; `Corrupt` when the own tree is damaged; `Io`, `Closed`.
    pub async fn verify_proof(&self, proof: &Proof) -> Result<Proven> {
        let proof = proof.clone();
        let check = move |view: Viewed<'_>, _: &Cipher| {
            let checked = view.log().check_proof(proof.as_inner())?;
            Ok(Proven::new(&checked, &proof))
        };
        self.session_ref().blocking(check).await
    }

    /// Checks a proof and stores what it brings: tree nodes, a longer log, a block. Who waits for that block gets it, and
    /// peers are told.
    ///
    /// # Durability
    /// That of [`append`](Self::append).
    ///
    /// # Errors
    /// [`Peer`](ErrorKind::Peer) when it does not hold, is of another fork, or leads to nothing that is stored here: nothing was
    /// changed. `Caller` for a handle that is open for reading ([`Error::is_not_writable`]), and for a log with a
    /// [conflict](Error::is_conflict). `Corrupt`, `Io`, `Closed`.
    pub async fn apply_proof(&self, proof: &Proof) -> Result<Applied> {
        let proof = proof.clone();
        let session = self.session_ref();
        if !(session.settings().writable && session.view().is_live()) {
            return Err(Error::not_writable());
        }
        let apply =
            move |view: Viewed<'_>, _: &Cipher| Ok(view.log().apply_proof(proof.as_inner())?);
        session.blocking_change(LogChange::Appended, apply).await
    }

    /// A proof of the log as it is now, and of the block `index` if one is given, that stands alone: who knows the key
    /// verifies it with nothing else ([`RemoteProof::verify`]). Made to be sent along with a notification. `None` when the block
    /// is not stored here, and for an empty log.
    ///
    /// # Durability
    /// That of [`create_proof`](Self::create_proof).
    ///
    /// # Errors
    /// `Caller` when the log has no such block ([`Error::is_out_of_bounds`]); `Corrupt`, `Io`, `Closed`.
    pub async fn remote_proof(&self, index: Option<u64>) -> Result<Option<RemoteProof>> {
        let make =
            move |view: Viewed<'_>, _: &Cipher| Ok(StandaloneProof::create(view.log(), index)?);
        Ok(self.session_ref().blocking(make).await?.map(RemoteProof::new))
    }
}
