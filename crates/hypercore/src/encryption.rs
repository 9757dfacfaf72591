//! Block encryption between the handle and the engine.
//!
//! The engine stores and signs ciphertext and never sees a key; this module encrypts on the way in
//! (at the index and fork the engine will use) and hides the padding on the way out.

use bytes::Bytes;
use hypercore_crypto::{BlockEncryption, CoreKey, DefaultEncryption};

use crate::error::{Error, Result};

/// How this handle turns blocks into what is stored; without a key they are the same.
#[derive(Debug)]
pub(crate) struct Cipher(Option<DefaultEncryption>);

impl Cipher {
    pub(crate) fn new(key: &CoreKey, compat: bool, encryption_key: Option<&[u8; 32]>) -> Self {
        Self(encryption_key.map(|secret| DefaultEncryption::new(key, compat, secret)))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Bytes that every stored block has in front of its content.
    pub(crate) fn padding(&self) -> u64 {
        self.0.as_ref().map_or(0, |scheme| u64::try_from(scheme.padding()).unwrap_or(u64::MAX))
    }

    /// The content bytes in `stored` bytes of `length` blocks.
    pub(crate) fn content_len(&self, stored: u64, length: u64) -> u64 {
        stored.saturating_sub(self.padding().saturating_mul(length))
    }

    /// The scheme, when there is a key.
    pub(crate) fn scheme(&self) -> Option<&DefaultEncryption> {
        self.0.as_ref()
    }

    pub(crate) fn decrypt(&self, index: u64, stored: Vec<u8>) -> Result<Bytes> {
        match &self.0 {
            None => Ok(stored.into()),
            Some(scheme) => scheme
                .decrypt(index, &stored)
                .map(Bytes::from)
                .map_err(|source| Error::decrypt(index, source)),
        }
    }
}

/// Encrypts blocks that will be stored from index `first` on, in fork `fork`.
pub(crate) fn encrypt<B: AsRef<[u8]>>(
    scheme: &DefaultEncryption,
    first: u64,
    fork: u64,
    blocks: &[B],
) -> Vec<Vec<u8>> {
    (first..)
        .zip(blocks)
        .map(|(index, block)| scheme.encrypt(index, fork, block.as_ref()))
        .collect()
}
