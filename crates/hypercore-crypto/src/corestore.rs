//! The key derivations of Corestore: one secret, many key pairs by name.
//!
//! Knows nothing of how a store lays out its directories.

use std::fmt;

use zeroize::Zeroizing;

use crate::fixed::Namespace;
use crate::hash::{hash_parts, keyed_hash};
use crate::key::KeyPair;
use crate::namespace::namespace;

/// The namespace of names that are given none.
///
/// # Source
/// formats.md section 13.
pub const CORESTORE_DEFAULT_NAMESPACE: Namespace = Namespace::from_bytes([0; 32]);

/// The namespace `name` within `parent`.
///
/// # Source
/// formats.md section 13.
#[must_use]
pub fn corestore_namespace(parent: &Namespace, name: &[u8]) -> Namespace {
    Namespace::from_bytes(*hash_parts(&[parent.as_bytes(), name]).as_bytes())
}

/// The secret that all key pairs of a store are derived from.
///
/// Wiped when dropped, never printed.
#[derive(Clone)]
pub struct PrimaryKey(Zeroizing<[u8; 32]>);

impl PrimaryKey {
    /// Takes 32 bytes, which should come from a good source of randomness.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The secret bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key pair called `name` in `namespace`.
    ///
    /// # Source
    /// formats.md section 13.
    #[must_use]
    pub fn key_pair(&self, namespace: &Namespace, name: &[u8]) -> KeyPair {
        let purpose = self::namespace("corestore", 0);
        let seed = keyed_hash(self.as_bytes(), &[purpose.as_bytes(), namespace.as_bytes(), name]);
        KeyPair::from_seed(&Zeroizing::new(*seed.as_bytes()))
    }
}

impl fmt::Debug for PrimaryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrimaryKey(..)")
    }
}
