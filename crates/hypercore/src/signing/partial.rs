//! Logs that several have to sign, and logs that begin with what nobody signs.

use hypercore_crypto::{PartialSignature, PublicKey, ToSign, Verifier};
use hypercore_log::LogError;

use super::{Signer, ask};
use crate::error::{Error, Result};
use crate::handle::Hypercore;
use crate::view::Viewed;

/// Several signers.
impl Hypercore {
    /// Signs the first `length` blocks as one of several signers of the log. Whoever has as many parts as must
    /// sign [assembles](Self::assemble) them.
    ///
    /// Called on a [named batch](Self::batch), it signs what the batch proposes: all signers open
    /// a batch with the same blocks, and one of them commits it with the signature of all.
    ///
    /// # Errors
    /// `Caller` when the manifest does not name the signer or is not known yet, or there are not so many blocks;
    /// [`Outside`](crate::ErrorKind::Outside) when the signer failed; `Corrupt`, `Io`, `Closed`.
    ///
    /// # Source
    /// formats.md sections 5.4 and 5.6.
    pub async fn sign_partial(&self, signer: &dyn Signer, length: u64) -> Result<PartialSignature> {
        self.sign_ahead(signer, length, length).await
    }

    /// Signs the first `length` blocks, for a signature of the first `common_length`: where the manifest
    /// [allows patches](crate::ManifestBuilder::allow_patch), signers need not have signed the same length, and the
    /// log takes what all of them have. The part carries the tree nodes that lead from one to the other.
    ///
    /// # Errors
    /// Those of [`sign_partial`](Self::sign_partial); `Caller` when `common_length` is above `length`.
    ///
    /// # Source
    /// formats.md section 5.6.
    pub async fn sign_ahead(
        &self,
        signer: &dyn Signer,
        length: u64,
        common_length: u64,
    ) -> Result<PartialSignature> {
        let session = self.session_ref();
        session.check_writable()?;
        let public_key = signer.public_key();
        let prepare = move |view: Viewed<'_>, _: &_| {
            let nodes = view.log().patch_nodes(common_length, length)?;
            Ok((to_sign_at(&view, &public_key, length)?, nodes))
        };
        let (to_sign, nodes) = session.blocking(prepare).await?;
        let part = session.until_end(ask(signer, &to_sign)).await?;
        Ok(PartialSignature { nodes, ..part })
    }

    /// Joins the parts of several signers into the signature of the first `length` blocks, for
    /// [`append_with`](Self::append_with) or the commit of a [batch](Self::batch).
    ///
    /// A part of a signer who signed more blocks and brings no nodes gets them from here, if this log or batch
    /// is as long. The signatures are checked when they are stored.
    ///
    /// # Errors
    /// `Caller` when the parts do not serve together, or the manifest is not known yet; `Corrupt`, `Io`, `Closed`.
    ///
    /// # Source
    /// formats.md section 5.6.
    pub async fn assemble(&self, length: u64, parts: &[PartialSignature]) -> Result<Vec<u8>> {
        let mut parts = parts.to_vec();
        let assemble = move |view: Viewed<'_>, _: &_| {
            for part in &mut parts {
                if part.length > length && part.nodes.is_empty() {
                    part.nodes = view.log().patch_nodes(length, part.length)?;
                }
            }
            let log = view.log();
            let manifest = log.manifest().ok_or_else(Error::manifest_unknown)?;
            let verifier = Verifier::new(&manifest, &log.key()).map_err(LogError::Signature)?;
            Ok(verifier.assemble(length, &parts).map_err(LogError::Assemble)?)
        };
        self.session_ref().blocking(assemble).await
    }
}

/// What a signer signs for the first blocks of what is seen, in the fork that the log has.
fn to_sign_at(view: &Viewed<'_>, public_key: &PublicKey, length: u64) -> Result<ToSign> {
    let log = view.log();
    if view.is_live() {
        return Ok(log.to_sign_at(public_key, length)?);
    }
    let hash = view.tree_hash_at(length)?;
    let manifest = log.manifest().ok_or_else(Error::manifest_unknown)?;
    let verifier = Verifier::new(&manifest, &log.key()).map_err(LogError::Signature)?;
    let to_sign = verifier.to_sign(public_key, &hash, length, log.fork());
    Ok(to_sign.map_err(LogError::KeyPair)?)
}
