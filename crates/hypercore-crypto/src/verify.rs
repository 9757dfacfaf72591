//! Whether a signature covers a tree, for every kind of core.
//!
//! Trees come through [`SignedTree`]: nothing here knows how they are numbered or stored. Every
//! signature given comes from outside; the work is bounded by the number of signers.

use compact_encoding::{Decode as _, DecodeError, Decoder};

use crate::fixed::{CoreKey, Hash};
use crate::key::verify;
use crate::manifest::{Manifest, ManifestSigner};
use crate::signable::{compat_signable, legacy_signable, signable};
use crate::signature::{MultiSignature, SignatureNode, SignatureProof};

/// A tree that a signature may cover.
pub trait SignedTree {
    /// The number of blocks.
    fn length(&self) -> u64;

    /// The number of times that the core was cut and written anew.
    fn fork(&self) -> u64;

    /// The tree hash.
    fn hash(&self) -> Hash;

    /// The hash of this tree extended by `patch` blocks, using `nodes`; none when a node is
    /// missing or does not fit.
    ///
    /// `nodes` come in the order of their index, each once, and from outside. `patch` is at least
    /// 1 and `length() + patch` does not overflow.
    ///
    /// # Source
    /// formats.md section 5.6.
    fn patched_hash(&self, patch: u64, nodes: &[SignatureNode]) -> Option<Hash>;
}

/// Why a signature does not cover a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The key is neither the hash of the manifest nor the public key of its only signer.
    #[error("the manifest does not belong to the core key")]
    ForeignKey,
    /// The tree is within the prologue, but not the one that the manifest names.
    #[error("the tree is not the prologue of the manifest")]
    NotThePrologue,
    /// The manifest asks for no signatures, so none can be valid.
    #[error("the manifest has a quorum of zero")]
    NoQuorum,
    /// The signature does not decode.
    #[error("the signature cannot be decoded")]
    Malformed(#[source] DecodeError),
    /// Fewer signed than must.
    #[error("{found} signers signed of a quorum of {quorum}")]
    TooFew {
        /// How many signatures there are.
        found: usize,
        /// How many signers must sign.
        quorum: u64,
    },
    /// There is no such signer.
    #[error("there is no signer {signer}")]
    UnknownSigner {
        /// The number given.
        signer: u64,
    },
    /// One signer signed twice.
    #[error("signer {signer} is given twice")]
    RepeatedSigner {
        /// The number given.
        signer: u64,
    },
    /// The nodes given do not lead to the tree that this signer signed.
    #[error("the patch of signer {signer} does not fit the tree")]
    BadPatch {
        /// Whose patch it is.
        signer: u64,
    },
    /// The signature is not this signer's signature of the tree.
    #[error("the signature of signer {signer} is not valid")]
    BadSignature {
        /// Whose signature it is.
        signer: u64,
    },
}

/// How the signatures of a core look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// 64 bytes, over the compat signable.
    Compat,
    /// 64 bytes, of the only signer of a version 0 manifest.
    Bare,
    /// The multi signature of version 0.
    MultiV0,
    /// The multi signature of version 1 and up.
    Multi,
}

/// Checks and makes the signatures of one core.
///
/// Making one hashes the manifest, so make it once for many signatures.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Verifier<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) key: CoreKey,
    pub(crate) form: Form,
    legacy: bool,
}

impl<'a> Verifier<'a> {
    /// Prepares for the core under `key`.
    ///
    /// # Errors
    /// [`VerifyError::ForeignKey`] when the manifest cannot be that core's.
    pub fn new(manifest: &'a Manifest, key: &CoreKey) -> Result<Self, VerifyError> {
        if !manifest.belongs_to(key) {
            return Err(VerifyError::ForeignKey);
        }
        let form = if manifest.is_compat(key) {
            Form::Compat
        } else if manifest.version() > 0 {
            Form::Multi
        } else if manifest.signers().len() == 1 && !manifest.allow_patch() {
            Form::Bare
        } else {
            Form::MultiV0
        };
        Ok(Self { manifest, key: *key, form, legacy: false })
    }

    /// Expects signatures of compat cores over the legacy signable, and only over that one.
    ///
    /// # Source
    /// formats.md section 3.4.
    pub fn with_legacy_signable(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// Whether the core is compat.
    #[must_use]
    pub fn is_compat(&self) -> bool {
        self.form == Form::Compat
    }

    /// Checks that `signature` covers `tree`.
    ///
    /// Trees within the prologue of a manifest are compared with it; their signature is not
    /// looked at and may be empty.
    ///
    /// # Errors
    /// [`VerifyError`] says why it does not.
    ///
    /// # Source
    /// formats.md section 5.5.
    pub fn verify(&self, tree: &impl SignedTree, signature: &[u8]) -> Result<(), VerifyError> {
        match (self.form, self.manifest.signers()) {
            (Form::Compat | Form::Bare, [signer]) => {
                let signed = self.signable(signer, &tree.hash(), tree.length(), tree.fork());
                if verify(&signer.public_key, signed.as_slice(), signature) {
                    Ok(())
                } else {
                    Err(VerifyError::BadSignature { signer: 0 })
                }
            }
            (Form::Multi, _) => match self.manifest.prologue() {
                Some(prologue) if tree.length() <= prologue.length => {
                    if tree.length() == prologue.length && tree.hash() == prologue.hash {
                        Ok(())
                    } else {
                        Err(VerifyError::NotThePrologue)
                    }
                }
                _ => self.verify_multi(tree, MultiSignature::decode(&mut Decoder::new(signature))),
            },
            _ => self.verify_multi(tree, MultiSignature::decode_v0(&mut Decoder::new(signature))),
        }
    }

    fn verify_multi(
        &self,
        tree: &impl SignedTree,
        signature: Result<MultiSignature, DecodeError>,
    ) -> Result<(), VerifyError> {
        let quorum = self.manifest.quorum();
        if quorum == 0 {
            return Err(VerifyError::NoQuorum);
        }
        let signature = signature.map_err(VerifyError::Malformed)?;
        let too_few = VerifyError::TooFew { found: signature.proofs.len(), quorum };
        let wanted = usize::try_from(quorum).map_err(|_| too_few.clone())?;
        // Those after the first `wanted` are not looked at, even if they are good and one of the
        // first is bad.
        let proofs = signature.proofs.get(..wanted).ok_or(too_few)?;

        let nodes = signature.sorted_nodes();
        let tree_hash = tree.hash();
        let mut seen = vec![false; self.manifest.signers().len()];
        for proof in proofs {
            let SignatureProof { signer: number, patch, .. } = *proof;
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            let (Some(signer), Some(seen)) =
                (self.manifest.signers().get(place), seen.get_mut(place))
            else {
                return Err(VerifyError::UnknownSigner { signer: number });
            };
            if std::mem::replace(seen, true) {
                return Err(VerifyError::RepeatedSigner { signer: number });
            }
            let (hash, length) = if patch == 0 || !self.manifest.allow_patch() {
                (tree_hash, tree.length())
            } else {
                tree.length()
                    .checked_add(patch)
                    .and_then(|length| Some((tree.patched_hash(patch, &nodes)?, length)))
                    .ok_or(VerifyError::BadPatch { signer: number })?
            };
            let signed = self.signable(signer, &hash, length, tree.fork());
            if !verify(&signer.public_key, signed.as_slice(), proof.signature.as_bytes()) {
                return Err(VerifyError::BadSignature { signer: number });
            }
        }
        Ok(())
    }

    /// What `signer` signs for a tree.
    pub(crate) fn signable(
        &self,
        signer: &ManifestSigner,
        hash: &Hash,
        length: u64,
        fork: u64,
    ) -> Signable {
        match (self.form, self.legacy) {
            (Form::Compat, true) => Signable::Legacy(legacy_signable(hash, length, fork)),
            (Form::Compat, false) => Signable::Compat(compat_signable(hash, length, fork)),
            (Form::Multi, _) => Signable::Full(signable(self.key.as_bytes(), hash, length, fork)),
            (Form::Bare | Form::MultiV0, _) => {
                Signable::Full(signable(signer.namespace.as_bytes(), hash, length, fork))
            }
        }
    }
}

/// One of the three forms of what is signed.
#[derive(Clone)]
pub(crate) enum Signable {
    Full([u8; 112]),
    Compat([u8; 80]),
    Legacy([u8; 48]),
}

impl Signable {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Full(bytes) => bytes,
            Self::Compat(bytes) => bytes,
            Self::Legacy(bytes) => bytes,
        }
    }
}
