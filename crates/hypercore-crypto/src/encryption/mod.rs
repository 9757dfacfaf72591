//! Block encryption: what is done to a block before it is hashed, stored and sent.
//!
//! A stored block is padding, then ciphertext of the length of the plain block. Nothing is
//! authenticated here: the Merkle tree covers the stored form. Implement [`BlockEncryption`] for a
//! scheme of your own; [`DefaultEncryption`] and [`KeyIdEncryption`] are the ones JavaScript has.

mod default;
mod key_id;

pub use default::DefaultEncryption;
pub use key_id::KeyIdEncryption;

use std::fmt;

use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use zeroize::Zeroizing;

use crate::fixed::CoreKey;
use crate::hash::{hash_parts, keyed_hash};
use crate::namespace::DEFAULT_ENCRYPTION_NAMESPACE;

/// Bytes that the schemes here put in front of every block.
pub(crate) const PADDING_LEN: usize = 8;

/// Why a stored block cannot be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// The block does not even hold the padding, so it was never encrypted.
    #[error("a block of {found} bytes does not hold the {padding} bytes of padding")]
    TooShort {
        /// Bytes of the stored block.
        found: usize,
        /// Bytes of padding that every block starts with.
        padding: usize,
    },
    /// The padding names a scheme that is not known.
    #[error("encryption scheme {scheme} is unknown")]
    UnknownScheme {
        /// What the first byte says.
        scheme: u8,
    },
    /// The block was encrypted with a key that is not known.
    #[error("there is no encryption key with id {id}")]
    UnknownKey {
        /// The id of the key.
        id: u32,
    },
}

/// A way to encrypt the blocks of one core.
///
/// Tree sizes and hashes cover the stored form. `encrypt` and `decrypt` must be inverse for every
/// index, and the stored form must be [`padding`](Self::padding) bytes longer than the plain one.
pub trait BlockEncryption: fmt::Debug + Send + Sync {
    /// Bytes that a stored block has more than the plain one; the same for every block.
    fn padding(&self) -> usize;

    /// Encrypts block `index`, written while the core had `fork`.
    fn encrypt(&self, index: u64, fork: u64, plain: &[u8]) -> Vec<u8>;

    /// Encrypts block `index` of a draft: several may be made for one index in one fork, and any of them may be the
    /// one that is signed.
    ///
    /// The same block always gives the same bytes, so that all signers of a draft make the same one.
    fn encrypt_draft(&self, index: u64, plain: &[u8]) -> Vec<u8>;

    /// Decrypts block `index` as stored. `stored` comes from outside.
    ///
    /// # Errors
    /// [`DecryptError`] when the block was not made by this scheme or these keys, as far as that
    /// shows.
    fn decrypt(&self, index: u64, stored: &[u8]) -> Result<Vec<u8>, DecryptError>;
}

/// The key that the blocks of one core are encrypted with.
///
/// Wiped when dropped, never printed.
// Boxed, so that moving a key does not leave copies of the secret behind.
#[derive(Clone)]
pub struct BlockKey(Box<Zeroizing<[u8; 32]>>);

impl BlockKey {
    /// Takes a block key as it is.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Box::new(Zeroizing::new(*bytes)))
    }

    /// Derives the block key of a core that is not compat.
    ///
    /// # Source
    /// formats.md section 11.
    #[must_use]
    pub fn derive(key: &CoreKey, encryption_key: &[u8; 32]) -> Self {
        let parts = [DEFAULT_ENCRYPTION_NAMESPACE.as_bytes(), key.as_bytes(), encryption_key];
        Self::from_bytes(hash_parts(&parts.map(<[u8; 32]>::as_slice)).as_bytes())
    }

    /// Derives the block key of a compat core.
    ///
    /// # Source
    /// formats.md section 11.
    #[must_use]
    pub fn derive_compat(key: &CoreKey, encryption_key: &[u8; 32]) -> Self {
        Self::from_bytes(keyed_hash(key.as_bytes(), &[encryption_key]).as_bytes())
    }

    /// The secret bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for BlockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockKey(..)")
    }
}

/// Encrypts or decrypts `data` in place: XSalsa20 from the start of its stream, as
/// `crypto_stream_xor` does.
fn xor_stream(key: &[u8; 32], nonce: &[u8; 24], data: &mut [u8]) {
    XSalsa20::new(key.into(), nonce.into()).apply_keystream(data);
}

/// The nonce of a block: its index, then `padding`, then zeros.
fn nonce(index: u64, padding: &[u8; PADDING_LEN]) -> [u8; 24] {
    let mut nonce = [0; 24];
    for (to, from) in nonce.iter_mut().zip(index.to_le_bytes().iter().chain(padding)) {
        *to = *from;
    }
    nonce
}

/// The stored form: `padding`, then `plain` encrypted with a nonce that the padding is part of.
fn seal(key: &BlockKey, index: u64, padding: [u8; PADDING_LEN], plain: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(PADDING_LEN.saturating_add(plain.len()));
    stored.extend_from_slice(&padding);
    stored.extend_from_slice(plain);
    if let Some((_, data)) = stored.split_first_chunk_mut::<PADDING_LEN>() {
        xor_stream(key.as_bytes(), &nonce(index, &padding), data);
    }
    stored
}

/// Undoes [`seal`], given the two parts of the stored form.
fn unseal(key: &BlockKey, index: u64, padding: &[u8; PADDING_LEN], data: &[u8]) -> Vec<u8> {
    let mut plain = data.to_vec();
    xor_stream(key.as_bytes(), &nonce(index, padding), &mut plain);
    plain
}

/// Splits a stored block into padding and ciphertext.
fn split(stored: &[u8]) -> Result<(&[u8; PADDING_LEN], &[u8]), DecryptError> {
    stored
        .split_first_chunk::<PADDING_LEN>()
        .ok_or(DecryptError::TooShort { found: stored.len(), padding: PADDING_LEN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_libsodium() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/crypto.json")).unwrap();
        let streams = vectors["streams"].as_array().unwrap();
        assert!(!streams.is_empty());
        for case in streams {
            let bytes = |name: &str| -> Vec<u8> {
                let digits = case[name].as_str().unwrap().as_bytes();
                let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
                digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
            };
            assert_eq!(case["algorithm"], "xsalsa20");
            let mut data = bytes("input");
            let (key, nonce) = (bytes("key").try_into().unwrap(), bytes("nonce"));
            xor_stream(&key, &nonce.try_into().unwrap(), &mut data);
            assert_eq!(data, bytes("output"));
        }
    }
}
