//! A proof that stands alone: handed over outside of any connection, in a notification or a file.
//!
//! Its bytes name the log, show its whole tree with signature and manifest, and perhaps one block. Who knows the key
//! of the log verifies it with nothing else: nothing needs to be stored, and nothing is.

use std::collections::HashMap;
use std::convert::Infallible;

use bytes::Bytes;
use compact_encoding::{Decode as _, DecodeError, Decoder, Encode, Encoder};
use flat_tree::Index;
use hypercore_crypto::{CoreKey, DiscoveryKey, Manifest, discovery_key};
use hypercore_log::{Log, LogError};
use hypercore_merkle::{
    Authority, BlockRequest, Data, Node, Proof, Request, Tree, UpgradeRequest, VerifyError,
};

/// A proof with the name of its log.
///
/// # Source
/// wire.md section 7.11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandaloneProof {
    /// The log it is about.
    pub discovery_key: DiscoveryKey,
    /// An upgrade from nothing with the manifest, and perhaps a block.
    pub proof: Proof,
}

/// What a proof that stands alone has proven.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// The tree that was signed.
    pub tree: Tree,
    /// A block of it: its index and its bytes as stored.
    pub block: Option<(u64, Bytes)>,
}

/// Why a proof that stands alone proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StandaloneError {
    /// It is about another log.
    #[error("the proof is about the log {found}")]
    OtherLog {
        /// The log that it is about.
        found: DiscoveryKey,
    },
    /// It shows no tree, so there is nothing that was signed.
    #[error("the proof shows no tree")]
    NoTree,
    /// It does not hold.
    #[error("the proof does not hold")]
    Proof(#[source] Box<VerifyError<Infallible>>),
}

impl StandaloneProof {
    /// The proof of all of a log as it is now, with one of its blocks; `None` when that block is not stored here, and of an
    /// empty log.
    ///
    /// # Errors
    /// Those of [`Log::create_proof`]; [`LogError::OutOfBounds`] for a block past the end.
    pub fn create(log: &Log, block: Option<u64>) -> Result<Option<Self>, LogError> {
        loop {
            let head = log.head();
            if let Some(index) = block.filter(|index| *index >= head.length) {
                return Err(LogError::OutOfBounds { index, length: head.length });
            }
            if head.length == 0 {
                return Ok(None);
            }
            let request = Request {
                fork: head.fork,
                block: block.map(|index| BlockRequest { index, nodes: 0 }),
                upgrade: Some(UpgradeRequest { start: 0, length: head.length }),
                manifest: true,
                ..Request::default()
            };
            match log.create_proof(&request) {
                // Truncated in between.
                Err(LogError::Request(_)) if log.head().fork != head.fork => {}
                Ok(proof) => {
                    let discovery_key = discovery_key(&log.key());
                    return Ok(proof.map(|proof| Self { discovery_key, proof }));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Decodes what [`encode`](Encode::encode) wrote, or JavaScript. The block is a slice of `bytes` and keeps them alive;
    /// besides, decoding takes no more memory than the bytes do. What follows the proof is ignored.
    ///
    /// # Errors
    /// [`DecodeError`]: these are not the bytes of a proof.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let input = &mut Decoder::new(bytes);
        let discovery_key = DiscoveryKey::decode(input)?;
        let frame = bytes.slice_ref(input.rest());
        Ok(Self { discovery_key, proof: Data::decode_frame(&frame)?.proof })
    }

    /// Checks the proof for the log with this key, with nothing but itself: tree, signatures and block.
    ///
    /// `manifest` is that of the log, where it is known; else that of the proof counts, if it belongs to the key.
    ///
    /// # Errors
    /// [`StandaloneError`], and nothing of the proof is to be believed.
    pub fn verify(
        &self,
        key: &CoreKey,
        manifest: Option<&Manifest>,
    ) -> Result<Standing, StandaloneError> {
        if self.discovery_key != discovery_key(key) {
            return Err(StandaloneError::OtherLog { found: self.discovery_key });
        }
        let nothing = HashMap::<Index, Node>::new();
        let verified = Tree::empty(self.proof.fork)
            .verify(&nothing, &self.proof, &Authority { key, manifest })
            .map_err(|error| StandaloneError::Proof(Box::new(error)))?;
        if !verified.upgraded {
            return Err(StandaloneError::NoTree);
        }
        let block = self.proof.block.as_ref();
        let block = block.map(|block| (block.index, block.value.clone()));
        Ok(Standing { tree: verified.tree, block })
    }
}

impl Encode for StandaloneProof {
    fn encoded_len(&self) -> usize {
        let data = data_of(&self.proof).encoded_len();
        self.discovery_key.encoded_len().saturating_add(data)
    }

    fn encode(&self, out: &mut Encoder) {
        self.discovery_key.encode(out);
        data_of(&self.proof).encode(out);
    }
}

/// The message that a proof is written as: an answer to request 0.
fn data_of(proof: &Proof) -> Data {
    Data { request_id: 0, proof: proof.clone() }
}
