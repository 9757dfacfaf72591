//! A proof, and what it has proven.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use compact_encoding::{DecodeError, Encode as _};
use hypercore_crypto::{Hash, Manifest};
use hypercore_log::{Checked, Conflict as Evidence};
use hypercore_merkle::{Data, Proof as Inner};

/// Tree nodes, perhaps a block, perhaps a signature: what convinces somebody who knows the key of a log of a part of it.
///
/// Nothing in it is to be believed before [`verify_proof`](crate::Hypercore::verify_proof) or
/// [`apply_proof`](crate::Hypercore::apply_proof) says so. Clones share their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof(Arc<Inner>);

impl Proof {
    pub(super) fn new(proof: Inner) -> Self {
        Self(Arc::new(proof))
    }

    pub(super) fn as_inner(&self) -> &Inner {
        &self.0
    }

    /// The proof as the message that peers send each other, the answer to request 0.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Data { request_id: 0, proof: (*self.0).clone() }.to_vec()
    }

    /// Reads what [`encode`](Self::encode) wrote, or JavaScript. Takes no more memory than the bytes, some of which it keeps;
    /// what follows the proof is ignored.
    ///
    /// # Errors
    /// Where in the bytes they stop being a proof, and why.
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Self, DecodeError> {
        Ok(Self::new(Data::decode_frame(&bytes.into())?.proof))
    }

    /// The fork that it is of.
    #[must_use]
    pub fn fork(&self) -> u64 {
        self.0.fork
    }

    /// The block that it brings: its index, and its bytes as they are stored, which in an encrypted log are encrypted.
    #[must_use]
    pub fn block(&self) -> Option<(u64, Bytes)> {
        self.0.block.as_ref().map(|block| (block.index, block.value.clone()))
    }

    /// The length that it grows a log from, and the one that it grows it to, before what else was signed with it.
    #[must_use]
    pub fn upgrade(&self) -> Option<Range<u64>> {
        let upgrade = self.0.upgrade.as_ref();
        upgrade.map(|upgrade| upgrade.start..upgrade.start.saturating_add(upgrade.length))
    }

    /// The manifest that it brings.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.0.manifest.as_ref()
    }
}

/// Two proofs of which only one can be true, both signed: whoever knows the key can be shown that the signers told two
/// histories. See [`Hypercore::conflict`](crate::Hypercore::conflict).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// That of this log.
    pub own: Proof,
    /// The one that contradicts it.
    pub other: Proof,
}

impl Conflict {
    /// Whoever knows no manifest needs that of the log to verify them.
    pub(crate) fn new(evidence: Evidence, manifest: Option<&Manifest>) -> Self {
        let proof = |mut proof: Inner| {
            proof.manifest = proof.manifest.or_else(|| manifest.cloned());
            Proof::new(proof)
        };
        Self { own: proof(evidence.own), other: proof(evidence.other) }
    }
}

/// What a proof shows that was [verified](crate::Hypercore::verify_proof).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proven {
    /// The fork it is of.
    pub fork: u64,
    /// Blocks of the log that it shows: of the longer one where it is an upgrade, else of the present one.
    pub length: u64,
    /// The tree hash of that log.
    pub tree_hash: Hash,
    /// A block of that log: its index, and its bytes as they are stored, which in an encrypted log are encrypted.
    pub block: Option<(u64, Bytes)>,
    /// Whether the signers signed another history for the present fork than the one that is stored here.
    pub contradicts: bool,
}

impl Proven {
    pub(super) fn new(checked: &Checked, proof: &Proof) -> Self {
        Self {
            fork: checked.fork,
            length: checked.length,
            tree_hash: checked.tree_hash,
            block: checked.block.and_then(|_| proof.block()),
            contradicts: checked.contradicts,
        }
    }
}
