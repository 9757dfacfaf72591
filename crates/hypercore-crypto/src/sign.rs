//! Making the signatures of a core: by one signer, or assembled from several.
//!
//! What is made here verifies: whatever would not is an error instead.

use std::collections::HashMap;

use compact_encoding::Encode as _;

use crate::fixed::{Hash, PublicKey, Signature};
use crate::key::KeyPair;
use crate::manifest::ManifestSigner;
use crate::signature::{MultiSignature, SignatureNode, SignatureProof};
use crate::verify::{Form, Verifier};

/// Why a key pair cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key is neither the hash of the manifest nor the public key of its only signer.
    #[error("the manifest does not belong to the core key")]
    ForeignKey,
    /// The manifest does not name this key pair.
    #[error("the key pair is not a signer of the manifest")]
    NotASigner,
    /// One signer does not make a quorum: sign in parts, then assemble.
    #[error("{quorum} signers must sign, not one")]
    QuorumNotOne {
        /// How many must sign; when it is 0 nothing can be signed.
        quorum: u64,
    },
}

/// Why signatures cannot be assembled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// Not as many parts as must sign.
    #[error("{found} signers signed of a quorum of {quorum}")]
    WrongCount {
        /// How many parts were given.
        found: usize,
        /// How many signers must sign; when it is 0 nothing can be signed.
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
    /// A signer signed a shorter tree than the one to sign, or a longer one where the manifest
    /// does not allow patches.
    #[error("signer {signer} signed length {found}, which does not serve for {length}")]
    WrongLength {
        /// Whose signature it is.
        signer: u64,
        /// The length signed.
        found: u64,
        /// The length to sign.
        length: u64,
    },
    /// Two signers give different nodes of one index, so they signed different trees.
    #[error("two signers disagree about tree node {index}")]
    Disagreement {
        /// The index of the node.
        index: u64,
    },
}

/// What one signer of several contributes to a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialSignature {
    /// Which signer of the manifest signed.
    pub signer: u64,
    /// The signature.
    pub signature: Signature,
    /// The length of the tree signed.
    pub length: u64,
    /// The nodes of the upgrade proof from the length to be assembled to the length signed; none
    /// when they are equal.
    pub nodes: Vec<SignatureNode>,
}

impl Verifier<'_> {
    /// Signs a tree with one key pair; gives the bytes to store.
    ///
    /// # Errors
    /// [`SignError`] when the pair is not a signer, or not enough by itself.
    ///
    /// # Source
    /// formats.md section 5.4.
    pub fn sign(
        &self,
        key_pair: &KeyPair,
        tree_hash: &Hash,
        length: u64,
        fork: u64,
    ) -> Result<Vec<u8>, SignError> {
        self.check_quorum_of_one()?;
        let PartialSignature { signer, signature, .. } =
            self.sign_partial(key_pair, tree_hash, length, fork)?;
        let multi = MultiSignature {
            proofs: vec![SignatureProof { signer, signature, patch: 0 }],
            nodes: Vec::new(),
        };
        Ok(match self.form {
            Form::Compat | Form::Bare => signature.as_bytes().to_vec(),
            Form::MultiV0 => multi.to_vec_v0(length, &[]),
            Form::Multi => multi.to_vec(),
        })
    }

    /// Whether the signer with this public key can sign alone.
    ///
    /// # Errors
    /// [`SignError`] when it is not a signer, or not enough by itself.
    pub fn check_alone(&self, public_key: &PublicKey) -> Result<(), SignError> {
        self.check_quorum_of_one()?;
        let is_signer = |signer: &ManifestSigner| signer.public_key == *public_key;
        let found = self.manifest.signers().iter().any(is_signer);
        if found { Ok(()) } else { Err(SignError::NotASigner) }
    }

    fn check_quorum_of_one(&self) -> Result<(), SignError> {
        let quorum = self.manifest.quorum();
        // Bare signatures are checked with the only signer, whatever quorum was decoded.
        if quorum != 1 && matches!(self.form, Form::Multi | Form::MultiV0) {
            return Err(SignError::QuorumNotOne { quorum });
        }
        Ok(())
    }

    /// Signs a tree as one of several signers.
    ///
    /// The nodes are left empty; add those that lead from the common length to this one.
    ///
    /// # Errors
    /// [`SignError::NotASigner`] when the manifest does not name the key pair.
    pub fn sign_partial(
        &self,
        key_pair: &KeyPair,
        tree_hash: &Hash,
        length: u64,
        fork: u64,
    ) -> Result<PartialSignature, SignError> {
        let to_sign = self.to_sign(&key_pair.public(), tree_hash, length, fork)?;
        Ok(to_sign.part(key_pair.sign(to_sign.message())))
    }

    /// Joins the signatures of several signers into one for a tree of `length` blocks.
    ///
    /// The signatures themselves are not checked: verify the result against the tree.
    ///
    /// # Errors
    /// [`AssembleError`] when the parts cannot serve together.
    ///
    /// # Source
    /// formats.md section 5.6.
    pub fn assemble(
        &self,
        length: u64,
        parts: &[PartialSignature],
    ) -> Result<Vec<u8>, AssembleError> {
        self.check_parts(length, parts)?;
        if let (Form::Compat | Form::Bare, [part]) = (self.form, parts) {
            return Ok(part.signature.as_bytes().to_vec());
        }
        let mut multi = MultiSignature::default();
        let mut positions = Vec::with_capacity(parts.len());
        let mut places: HashMap<u64, (u64, SignatureNode)> = HashMap::new();
        for part in parts {
            let mut used = Vec::with_capacity(part.nodes.len());
            for node in &part.nodes {
                let next = multi.nodes.len() as u64;
                let (place, known) = *places.entry(node.index).or_insert((next, *node));
                if known != *node {
                    return Err(AssembleError::Disagreement { index: node.index });
                }
                if place == next {
                    multi.nodes.push(*node);
                }
                used.push(place);
            }
            positions.push(used);
            multi.proofs.push(SignatureProof {
                signer: part.signer,
                signature: part.signature,
                patch: part.length.saturating_sub(length),
            });
        }
        Ok(match self.form {
            Form::MultiV0 => multi.to_vec_v0(length, &positions),
            _ => multi.to_vec(),
        })
    }

    fn check_parts(&self, length: u64, parts: &[PartialSignature]) -> Result<(), AssembleError> {
        let manifest = self.manifest;
        let bare = matches!(self.form, Form::Compat | Form::Bare);
        let quorum = if bare { 1 } else { manifest.quorum() };
        let found = parts.len();
        if quorum == 0 || (found as u64) < quorum || (bare && found != 1) {
            return Err(AssembleError::WrongCount { found, quorum });
        }
        let patches = manifest.allow_patch() && !bare;
        let mut seen = vec![false; manifest.signers().len()];
        for part in parts {
            let signer = part.signer;
            let place = usize::try_from(signer).unwrap_or(usize::MAX);
            let seen = seen.get_mut(place).ok_or(AssembleError::UnknownSigner { signer })?;
            if std::mem::replace(seen, true) {
                return Err(AssembleError::RepeatedSigner { signer });
            }
            if part.length < length || (part.length != length && !patches) {
                let found = part.length;
                return Err(AssembleError::WrongLength { signer, found, length });
            }
        }
        Ok(())
    }
}

/// The largest length that a quorum of signers has reached; 0 when there are not as many.
///
/// `lengths` are those that each signer signed.
#[must_use]
pub fn signable_length(lengths: &[u64], quorum: u64) -> u64 {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let place =
        usize::try_from(quorum.max(1)).map_or(usize::MAX, |quorum| quorum.saturating_sub(1));
    sorted.get(place).copied().unwrap_or(0)
}
