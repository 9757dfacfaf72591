//! Manifests: who may sign a core.
//!
//! A core's key is the hash of its manifest, so whoever has the key can check any manifest that
//! claims to belong to it. A [`Manifest`] comes from the builder, which refuses what makes no
//! sense, or from bytes, which are taken as they are: what was signed long ago must stay readable.

mod builder;
mod codec;
#[cfg(feature = "serde")]
mod serialize;

pub use builder::{MANIFEST_LIST_LEN_MAX, ManifestBuilder, ManifestError};

use compact_encoding::Encode;

use crate::fixed::{CoreKey, Hash, Namespace, PublicKey};
use crate::hash::hash_parts;
use crate::key::KeyPair;
use crate::namespace::{DEFAULT_SIGNER_NAMESPACE, MANIFEST_NAMESPACE};
use crate::sign::SignError;
use crate::verify::{SignedTree, Verifier, VerifyError};

/// The highest version of a manifest.
pub const MANIFEST_VERSION_MAX: u8 = 3;

/// One who may sign a core. The algorithm is always Ed25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ManifestSigner {
    /// What the signer's public key is used for. In version 0 it is part of what is signed, from
    /// version 1 on only of the manifest.
    pub namespace: Namespace,
    /// The key that the signatures must verify with.
    pub public_key: PublicKey,
}

impl ManifestSigner {
    /// A signer with the default namespace.
    #[must_use]
    pub const fn new(public_key: PublicKey) -> Self {
        Self { namespace: DEFAULT_SIGNER_NAMESPACE, public_key }
    }

    /// A signer with a namespace of its own.
    #[must_use]
    pub const fn with_namespace(public_key: PublicKey, namespace: Namespace) -> Self {
        Self { namespace, public_key }
    }
}

/// A tree that needs no signature, because the manifest, and so the key, names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prologue {
    /// The tree hash at `length`.
    pub hash: Hash,
    /// The number of blocks.
    pub length: u64,
}

/// Who may sign a core.
///
/// The hash is always BLAKE2b.
///
/// # Source
/// formats.md section 5.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Manifest {
    version: u8,
    allow_patch: bool,
    quorum: u64,
    signers: Vec<ManifestSigner>,
    prologue: Option<Prologue>,
    linked: Option<Vec<CoreKey>>,
    user_data: Option<Vec<u8>>,
}

impl Manifest {
    /// The default manifest of a key pair: version 1, one signer, the default namespace.
    ///
    /// # Source
    /// formats.md section 5.3.
    #[must_use]
    pub fn single(public_key: PublicKey) -> Self {
        Self {
            version: 1,
            allow_patch: false,
            quorum: 1,
            signers: vec![ManifestSigner::new(public_key)],
            prologue: None,
            linked: None,
            user_data: None,
        }
    }

    /// Starts a manifest without signers.
    pub fn builder() -> ManifestBuilder {
        ManifestBuilder::new()
    }

    /// The version of the encoding and of the rules for signing, 0 to [`MANIFEST_VERSION_MAX`].
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// Whether signers may have signed longer trees than the one their signatures are used for.
    #[must_use]
    pub const fn allow_patch(&self) -> bool {
        self.allow_patch
    }

    /// How many signers must sign. Decoded ones may ask for more than there are: then nothing
    /// verifies.
    #[must_use]
    pub const fn quorum(&self) -> u64 {
        self.quorum
    }

    /// Who may sign.
    #[must_use]
    pub fn signers(&self) -> &[ManifestSigner] {
        &self.signers
    }

    /// The tree that needs no signature.
    #[must_use]
    pub const fn prologue(&self) -> Option<Prologue> {
        self.prologue
    }

    /// Cores that belong to this one.
    #[must_use]
    pub fn linked(&self) -> Option<&[CoreKey]> {
        self.linked.as_deref()
    }

    /// What the creator attached.
    #[must_use]
    pub fn user_data(&self) -> Option<&[u8]> {
        self.user_data.as_deref()
    }

    /// The key of a core with this manifest: its hash.
    ///
    /// # Source
    /// formats.md section 5.3.
    #[must_use]
    pub fn key(&self) -> CoreKey {
        let hash = hash_parts(&[MANIFEST_NAMESPACE.as_bytes(), &self.to_vec()]);
        CoreKey::from_bytes(*hash.as_bytes())
    }

    /// Whether a core of this manifest under `key` is compat: the key is the public key of the
    /// only signer, and its signatures are bare.
    ///
    /// # Source
    /// formats.md section 5.3.
    #[must_use]
    pub fn is_compat(&self, key: &CoreKey) -> bool {
        match self.signers.as_slice() {
            [signer] => signer.public_key.as_bytes() == key.as_bytes(),
            _ => false,
        }
    }

    /// Whether a core under `key` can have this manifest: the key is its hash, or it is compat.
    #[must_use]
    pub fn belongs_to(&self, key: &CoreKey) -> bool {
        self.is_compat(key) || self.key() == *key
    }

    /// Checks that `signature` covers `tree` of the core under `key`.
    ///
    /// To check many signatures of one core, make a [`Verifier`] once.
    ///
    /// # Errors
    /// [`VerifyError`] says why it does not.
    ///
    /// # Source
    /// formats.md section 5.5.
    pub fn verify(
        &self,
        key: &CoreKey,
        tree: &impl SignedTree,
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        Verifier::new(self, key)?.verify(tree, signature)
    }

    /// Signs a tree of the core under `key` with one key pair; gives the bytes to store.
    ///
    /// # Errors
    /// [`SignError`] when the pair is not a signer, when it takes more than one to sign, or when
    /// the manifest does not belong to `key`.
    ///
    /// # Source
    /// formats.md section 5.4.
    pub fn sign(
        &self,
        key: &CoreKey,
        key_pair: &KeyPair,
        tree_hash: &Hash,
        length: u64,
        fork: u64,
    ) -> Result<Vec<u8>, SignError> {
        Verifier::new(self, key)
            .map_err(|_| SignError::ForeignKey)?
            .sign(key_pair, tree_hash, length, fork)
    }
}
