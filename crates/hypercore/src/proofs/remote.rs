//! A proof that stands alone: verified with the key and nothing else.

use bytes::Bytes;
use compact_encoding::{DecodeError, Encode as _};
use hypercore_crypto::{CoreKey, DiscoveryKey, Hash, Manifest};
use hypercore_replication::{StandaloneProof, Standing};

use super::value::Proof;
use crate::error::{Error, Result};

/// A proof of a whole log, perhaps with one of its blocks, that names its log: what a notification carries.
///
/// JavaScript Hypercore 11 calls it a fully remote proof; each reads what the other made.
///
/// ```
/// use hypercore::{Hypercore, RemoteProof, Storage};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = Hypercore::open(Storage::memory()).await?;
/// log.append_batch(["a", "b", "c"]).await?;
/// let notification = log.remote_proof(Some(2)).await?.expect("it is stored here").encode();
///
/// // Somewhere else, where nothing but the key is known:
/// let proven = RemoteProof::decode(notification)?.verify(&log.key(), None)?;
/// assert_eq!(proven.length, 3);
/// assert_eq!(proven.block, Some((2, "c".into())));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteProof(StandaloneProof);

/// What a [`RemoteProof`] has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteProven {
    /// Blocks in the log when it was signed.
    pub length: u64,
    /// Bytes in it, as stored.
    pub byte_length: u64,
    /// How often the log was truncated and rewritten.
    pub fork: u64,
    /// The hash of the whole log: what was signed.
    pub tree_hash: Hash,
    /// A block of it: its index, and its bytes as they are stored, which in an encrypted log are encrypted.
    pub block: Option<(u64, Bytes)>,
}

impl RemoteProof {
    pub(super) fn new(proof: StandaloneProof) -> Self {
        Self(proof)
    }

    #[cfg(feature = "serde")]
    pub(super) fn as_inner(&self) -> &StandaloneProof {
        &self.0
    }

    /// The bytes to send.
    ///
    /// # Source
    /// wire.md section 7.11.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Reads what [`encode`](Self::encode) wrote, or JavaScript. Takes no more memory than the bytes, some of which it keeps;
    /// what follows the proof is ignored.
    ///
    /// # Errors
    /// Where in the bytes they stop being a proof, and why.
    pub fn decode(bytes: impl Into<Bytes>) -> std::result::Result<Self, DecodeError> {
        StandaloneProof::decode(&bytes.into()).map(Self)
    }

    /// Which log it is about: the hash of its key.
    #[must_use]
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.0.discovery_key
    }

    /// Checks it for the log with this key: tree, signatures and block. The `manifest` of the log may be given where it is known;
    /// else that of the proof counts, if it belongs to the key.
    ///
    /// It proves what was signed, not that nothing was signed since.
    ///
    /// # Errors
    /// [`Peer`](crate::ErrorKind::Peer) when it is about another log or does not hold: nothing in it is to be believed.
    pub fn verify(&self, key: &CoreKey, manifest: Option<&Manifest>) -> Result<RemoteProven> {
        let Standing { tree, block, .. } = self.0.verify(key, manifest).map_err(Error::peer)?;
        Ok(RemoteProven {
            length: tree.length(),
            byte_length: tree.byte_length(),
            fork: tree.fork(),
            tree_hash: tree.hash(),
            block,
        })
    }

    /// The proof without the name of its log, for [`apply_proof`](crate::Hypercore::apply_proof): an empty log takes it.
    #[must_use]
    pub fn into_proof(self) -> Proof {
        Proof::new(self.0.proof)
    }
}
