//! The scheme of the package `hypercore-encryption`: keys with ids, so that they can change.
//!
//! The padding says which scheme and which key; three bytes of a keyed hash of the plain block
//! stand in for the fork. They are not checked when decrypting, as in JavaScript: the Merkle tree
//! already vouches for the stored block.

use std::collections::BTreeMap;
use std::fmt;

use blake2b_simd::Params;

use crate::encryption::{
    BlockEncryption, BlockKey, DecryptError, PADDING_LEN, seal, split, unseal,
};
use crate::hash::hash_parts;
use crate::namespace::namespace;

/// The block is plain after the padding.
const SCHEME_PLAIN: u8 = 0;
/// The block is encrypted with the key whose id is in the padding.
const SCHEME_KEY_ID: u8 = 1;
/// Bytes of the keyed hash of the plain block.
const DIGEST_LEN: usize = 16;

/// What one id stands for.
#[derive(Clone)]
struct Keys {
    block: BlockKey,
    hash: BlockKey,
}

impl Keys {
    fn derive(entropy: &[u8; 32]) -> Self {
        let namespace = namespace("hypercore-encryption", 0);
        let hash = hash_parts(&[namespace.as_bytes(), entropy]);
        Self { block: BlockKey::from_bytes(entropy), hash: BlockKey::from_bytes(hash.as_bytes()) }
    }
}

/// Encryption with keys that have ids: 8 bytes of padding a block.
///
/// # Source
/// formats.md section 11 (hypercore-encryption).
#[derive(Clone)]
pub struct KeyIdEncryption {
    id: u32,
    keys: Keys,
    others: BTreeMap<u32, Keys>,
}

impl KeyIdEncryption {
    /// Encrypts with the key that has this id; decrypts with it and with the ones added later.
    #[must_use]
    pub fn new(id: u32, entropy: &[u8; 32]) -> Self {
        Self { id, keys: Keys::derive(entropy), others: BTreeMap::new() }
    }

    /// Adds a key to decrypt with. One with the id to encrypt with is not replaced.
    #[must_use]
    pub fn with_key(mut self, id: u32, entropy: &[u8; 32]) -> Self {
        self.others.insert(id, Keys::derive(entropy));
        self
    }

    fn keys(&self, id: u32) -> Option<&Keys> {
        if id == self.id { Some(&self.keys) } else { self.others.get(&id) }
    }
}

impl fmt::Debug for KeyIdEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyIdEncryption")
            .field("id", &self.id)
            .field("others", &self.others.keys())
            .finish_non_exhaustive()
    }
}

impl BlockEncryption for KeyIdEncryption {
    fn padding(&self) -> usize {
        PADDING_LEN
    }

    fn encrypt(&self, index: u64, _fork: u64, plain: &[u8]) -> Vec<u8> {
        let digest =
            Params::new().hash_length(DIGEST_LEN).key(self.keys.hash.as_bytes()).hash(plain);
        let [a, b, c, d] = self.id.to_le_bytes();
        let mut padding = [SCHEME_KEY_ID, 0, 0, 0, a, b, c, d];
        for (to, from) in padding.iter_mut().zip(digest.as_bytes()).take(4).skip(1) {
            *to = *from;
        }
        seal(&self.keys.block, index, padding, plain)
    }

    /// The digest in the padding already tells blocks apart.
    fn encrypt_draft(&self, index: u64, plain: &[u8]) -> Vec<u8> {
        self.encrypt(index, 0, plain)
    }

    fn decrypt(&self, index: u64, stored: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let (padding, data) = split(stored)?;
        let [scheme, _, _, _, id @ ..] = *padding;
        match scheme {
            SCHEME_PLAIN => Ok(data.to_vec()),
            SCHEME_KEY_ID => {
                let id = u32::from_le_bytes(id);
                let keys = self.keys(id).ok_or(DecryptError::UnknownKey { id })?;
                Ok(unseal(&keys.block, index, padding, data))
            }
            scheme => Err(DecryptError::UnknownScheme { scheme }),
        }
    }
}
