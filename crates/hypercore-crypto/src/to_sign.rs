//! What a signer is asked to sign, for keys that are kept elsewhere.

use std::fmt;

use crate::fixed::{CoreKey, Hash, PublicKey, Signature};
use crate::key::verify;
use crate::sign::{PartialSignature, SignError};
use crate::verify::{Signable, Verifier, VerifyError};

/// One tree of one core, as one signer of its manifest signs it.
///
/// [`message`](Self::message) has the exact bytes to sign; the fields say what they mean, so that who
/// keeps the key can judge what it signs.
#[derive(Clone)]
#[non_exhaustive]
pub struct ToSign {
    /// The key of the core.
    pub key: CoreKey,
    /// The public key of the signer.
    pub public_key: PublicKey,
    /// Which signer of the manifest that is.
    pub signer: u64,
    /// The hash of the tree.
    pub tree_hash: Hash,
    /// Blocks in the tree.
    pub length: u64,
    /// The fork of the tree.
    pub fork: u64,
    message: Signable,
}

impl ToSign {
    /// The bytes to sign with Ed25519.
    ///
    /// # Source
    /// formats.md section 3.4.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.message.as_slice()
    }

    /// Takes the signature, if it is one of these bytes by this signer.
    ///
    /// # Errors
    /// [`VerifyError::BadSignature`] when it is not.
    pub fn signed(&self, signature: Signature) -> Result<PartialSignature, VerifyError> {
        if verify(&self.public_key, self.message(), signature.as_bytes()) {
            Ok(self.part(signature))
        } else {
            Err(VerifyError::BadSignature { signer: self.signer })
        }
    }

    /// What the signature contributes, unchecked.
    pub(crate) fn part(&self, signature: Signature) -> PartialSignature {
        let Self { signer, length, .. } = *self;
        PartialSignature { signer, signature, length, nodes: Vec::new() }
    }
}

impl fmt::Debug for ToSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToSign")
            .field("key", &self.key)
            .field("public_key", &self.public_key)
            .field("signer", &self.signer)
            .field("tree_hash", &self.tree_hash)
            .field("length", &self.length)
            .field("fork", &self.fork)
            .finish_non_exhaustive()
    }
}

impl Verifier<'_> {
    /// What the signer with this public key signs for a tree.
    ///
    /// # Errors
    /// [`SignError::NotASigner`] when the manifest does not name the key.
    pub fn to_sign(
        &self,
        public_key: &PublicKey,
        tree_hash: &Hash,
        length: u64,
        fork: u64,
    ) -> Result<ToSign, SignError> {
        let mut signers = self.manifest.signers().iter().zip(0_u64..);
        let (found, signer) = signers
            .find(|(signer, _)| signer.public_key == *public_key)
            .ok_or(SignError::NotASigner)?;
        Ok(ToSign {
            key: self.key,
            public_key: *public_key,
            signer,
            tree_hash: *tree_hash,
            length,
            fork,
            message: self.signable(found, tree_hash, length, fork),
        })
    }
}
