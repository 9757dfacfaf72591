//! The scheme that Hypercore has built in.
//!
//! The padding is the fork in which the block was written, blinded; as part of the nonce it keeps
//! a rewritten block from reusing the stream of the one it replaces.

use crate::encryption::{
    BlockEncryption, BlockKey, DecryptError, PADDING_LEN, nonce, seal, split, unseal, xor_stream,
};
use crate::fixed::CoreKey;
use crate::hash::{hash, keyed_hash};

/// Starts what is hashed into the number of a draft.
const DRAFT_LABEL: &[u8] = b"hypercore draft";

/// Set in the number of every draft; forks stay below 2^53.
const DRAFT_BIT: u64 = 1 << 63;

/// The default encryption of Hypercore 10 and 11: 8 bytes of padding a block.
///
/// # Source
/// formats.md section 11.
#[derive(Debug, Clone)]
pub struct DefaultEncryption {
    block_key: BlockKey,
    blinding_key: BlockKey,
}

impl DefaultEncryption {
    /// Bytes that a stored block has more than the plain one.
    pub const PADDING_LEN: usize = PADDING_LEN;

    /// Derives the keys of the core under `key` from an encryption key.
    ///
    /// `compat` is whether the core is compat, which its manifest decides. Who does not have the
    /// manifest yet must decide again when it arrives.
    #[must_use]
    pub fn new(key: &CoreKey, compat: bool, encryption_key: &[u8; 32]) -> Self {
        Self::with_block_key(if compat {
            BlockKey::derive_compat(key, encryption_key)
        } else {
            BlockKey::derive(key, encryption_key)
        })
    }

    /// Uses a block key as it is.
    #[must_use]
    pub fn with_block_key(block_key: BlockKey) -> Self {
        let blinding_key = BlockKey::from_bytes(hash(block_key.as_bytes()).as_bytes());
        Self { block_key, blinding_key }
    }

    /// The key that blocks are encrypted with.
    #[must_use]
    pub const fn block_key(&self) -> &BlockKey {
        &self.block_key
    }

    /// The key that the fork in the padding is encrypted with.
    #[must_use]
    pub const fn blinding_key(&self) -> &BlockKey {
        &self.blinding_key
    }

    /// The number that stands in the place of the fork in a draft. Other blocks have other numbers, and so other
    /// nonces; no fork is as high.
    ///
    /// # Source
    /// docs/format/block-encryption.md, drafts.
    fn draft_number(&self, index: u64, plain: &[u8]) -> u64 {
        let parts: [&[u8]; 3] = [DRAFT_LABEL, &index.to_le_bytes(), plain];
        let hash = keyed_hash(self.blinding_key.as_bytes(), &parts);
        let number = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(number) | DRAFT_BIT
    }

    /// The padding of block `index` written in `fork`.
    fn blinded(&self, index: u64, fork: u64) -> [u8; PADDING_LEN] {
        let mut padding = fork.to_le_bytes();
        let nonce = nonce(index, &[0; PADDING_LEN]);
        xor_stream(self.blinding_key.as_bytes(), &nonce, &mut padding);
        padding
    }
}

impl BlockEncryption for DefaultEncryption {
    fn padding(&self) -> usize {
        PADDING_LEN
    }

    fn encrypt(&self, index: u64, fork: u64, plain: &[u8]) -> Vec<u8> {
        seal(&self.block_key, index, self.blinded(index, fork), plain)
    }

    fn encrypt_draft(&self, index: u64, plain: &[u8]) -> Vec<u8> {
        self.encrypt(index, self.draft_number(index, plain), plain)
    }

    fn decrypt(&self, index: u64, stored: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let (padding, data) = split(stored)?;
        Ok(unseal(&self.block_key, index, padding, data))
    }
}
