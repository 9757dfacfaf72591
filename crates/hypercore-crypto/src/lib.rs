//! Hashes, keys, ids, manifests, signatures and block encryption of Hypercore.
//!
//! Everything that decides whether a log is what its key promises: tree hashes, Ed25519 as
//! libsodium verifies it, manifests with their quorums and patches, and the two encryption schemes
//! of JavaScript Hypercore. It does not number tree nodes, store anything, or draw randomness:
//! seeds are arguments.
//!
//! ```
//! use hypercore_crypto::{KeyPair, Manifest, SignedTree, SignatureNode, Hash, leaf_hash, tree_hash};
//!
//! struct OneBlock(Hash);
//! impl SignedTree for OneBlock {
//!     fn length(&self) -> u64 { 1 }
//!     fn fork(&self) -> u64 { 0 }
//!     fn hash(&self) -> Hash { self.0 }
//!     fn patched_hash(&self, _: u64, _: &[SignatureNode]) -> Option<Hash> { None }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let writer = KeyPair::from_seed(&[7; 32]);
//! let manifest = Manifest::single(writer.public());
//! let key = manifest.key();
//!
//! let tree = OneBlock(tree_hash([(leaf_hash(b"hello"), 0, 5)]));
//! let signature = manifest.sign(&key, &writer, &tree.hash(), 1, 0)?;
//! manifest.verify(&key, &tree, &signature)?;
//!
//! let forged = OneBlock(tree_hash([(leaf_hash(b"hullo"), 0, 5)]));
//! assert!(manifest.verify(&key, &forged, &signature).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! No I/O. Secrets ([`KeyPair`], [`BlockKey`], [`PrimaryKey`]) are wiped when dropped and never
//! printed. Whatever is decoded here may be hostile: it gives an error, never a panic, and
//! allocates no more than a small multiple of its own length.
//!
//! # Features
//! - `serde`: `Serialize` and `Deserialize` for keys, hashes, signatures, manifests and
//!   partial signatures, as checked as their encodings are. Off by default.
#![forbid(unsafe_code)]

mod batch;
mod corestore;
mod encryption;
mod fixed;
mod hash;
mod hex;
pub mod id;
mod key;
mod manifest;
mod namespace;
#[cfg(feature = "serde")]
mod serialize;
mod sign;
mod signable;
mod signature;
mod to_sign;
mod verify;

pub use batch::{hashes_into, leaf_hashes, parent_hashes, parent_hashes_into, prefixed_hashes};
pub use corestore::{CORESTORE_DEFAULT_NAMESPACE, PrimaryKey, corestore_namespace};
pub use encryption::{BlockEncryption, BlockKey, DecryptError, DefaultEncryption, KeyIdEncryption};
pub use fixed::{CoreKey, DiscoveryKey, Hash, LengthError, Namespace, PublicKey, Signature};
pub use hash::{hash, hash_parts, keyed_hash, leaf_hash, parent_hash, tree_hash};
pub use hex::HexError;
pub use key::{KeyPair, KeyPairMismatch, verify};
pub use manifest::{
    MANIFEST_LIST_LEN_MAX, MANIFEST_VERSION_MAX, Manifest, ManifestBuilder, ManifestError,
    ManifestSigner, Prologue,
};
pub use namespace::{
    DEFAULT_ENCRYPTION_NAMESPACE, DEFAULT_SIGNER_NAMESPACE, MANIFEST_NAMESPACE,
    REPLICATE_INITIATOR_NAMESPACE, REPLICATE_RESPONDER_NAMESPACE, TREE_NAMESPACE, discovery_key,
    namespace, namespaces,
};
#[cfg(feature = "serde")]
pub use serialize::HexBytes;
pub use sign::{AssembleError, PartialSignature, SignError, signable_length};
pub use signable::{Side, capability, compat_signable, legacy_signable, signable};
pub use signature::{MultiSignature, SignatureNode, SignatureProof};
pub use to_sign::ToSign;
pub use verify::{SignedTree, Verifier, VerifyError};
