//! Block encryption between the session and the engine.
//!
//! The engine stores and signs ciphertext and never sees a key; this module encrypts on the way in
//! and hides the padding on the way out. [`Encryption`] is what the user chooses, [`Cipher`] that choice for
//! one log. Knows nothing of waiting, queues and peers.

mod cipher;
mod provider;

use std::fmt;
use std::sync::Arc;

use hypercore_crypto::{BlockEncryption as _, BlockKey, DefaultEncryption, KeyIdEncryption};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

pub(crate) use cipher::{Cipher, Unsealed};
pub use provider::{BoxError, BoxFuture, EncryptionProvider, PADDING_LEN_MAX};

/// How the blocks of a log are encrypted; see [`Builder::encryption`](crate::Builder::encryption).
///
/// Encryption belongs to the session, not to the log: nothing of it is stored, and a session without it
/// reads ciphertext. Content keeps its length plus a padding that is the same for every block; all
/// lengths and places in bytes are told without the padding.
///
/// Keys are wiped when they are dropped, and never printed.
#[derive(Clone)]
pub struct Encryption {
    method: Method,
    /// Bytes that a stored block has more than its content.
    padding_len: usize,
}

#[derive(Clone)]
enum Method {
    /// The block key is derived from it, in a way that depends on the manifest.
    Key(Arc<Zeroizing<[u8; 32]>>),
    BlockKey(Arc<DefaultEncryption>),
    KeyIds(Arc<KeyIdEncryption>),
    Provider(Arc<dyn EncryptionProvider>),
}

impl Encryption {
    /// The encryption that JavaScript Hypercore 10 and 11 have built in, with one key for any number of logs: each
    /// derives its own from it. What [`Builder::encryption_key`](crate::Builder::encryption_key) sets.
    ///
    /// # Source
    /// formats.md section 11.
    #[must_use]
    pub fn key(key: [u8; 32]) -> Self {
        let key = Arc::new(Zeroizing::new(key));
        Self { method: Method::Key(key), padding_len: DefaultEncryption::PADDING_LEN }
    }

    /// The same encryption with the key of this one log, so that others can be let in without the key of all.
    /// [`BlockKey::derive`] makes it out of the log's key and the encryption key
    /// ([`BlockKey::derive_compat`] for a log opened with [`compat`](crate::Builder::compat)).
    ///
    /// # Source
    /// formats.md section 11.
    #[must_use]
    pub fn block_key(key: BlockKey) -> Self {
        let scheme = DefaultEncryption::with_block_key(key);
        Self { padding_len: scheme.padding(), method: Method::BlockKey(Arc::new(scheme)) }
    }

    /// Keys with numbers, so that they can change on the way: the encryption of the JavaScript package
    /// `hypercore-encryption`.
    ///
    /// # Source
    /// formats.md section 11.
    #[must_use]
    pub fn key_ids(keys: KeyIdEncryption) -> Self {
        Self { padding_len: keys.padding(), method: Method::KeyIds(Arc::new(keys)) }
    }

    /// An encryption of one's own.
    #[must_use]
    pub fn provider(provider: Arc<dyn EncryptionProvider>) -> Self {
        Self { padding_len: provider.padding_len(), method: Method::Provider(provider) }
    }

    /// # Errors
    /// `Caller` when a provider wants more padding than a stored block may have.
    pub(crate) fn check(&self) -> Result<()> {
        if self.padding_len > PADDING_LEN_MAX {
            return Err(Error::padding_too_long(self.padding_len));
        }
        Ok(())
    }
}

impl From<[u8; 32]> for Encryption {
    fn from(key: [u8; 32]) -> Self {
        Self::key(key)
    }
}

impl From<BlockKey> for Encryption {
    fn from(key: BlockKey) -> Self {
        Self::block_key(key)
    }
}

impl From<KeyIdEncryption> for Encryption {
    fn from(keys: KeyIdEncryption) -> Self {
        Self::key_ids(keys)
    }
}

impl<P: EncryptionProvider + 'static> From<Arc<P>> for Encryption {
    fn from(provider: Arc<P>) -> Self {
        Self::provider(provider)
    }
}

impl From<Arc<dyn EncryptionProvider>> for Encryption {
    fn from(provider: Arc<dyn EncryptionProvider>) -> Self {
        Self::provider(provider)
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.method {
            Method::Key(_) => f.write_str("Encryption::key(..)"),
            Method::BlockKey(_) => f.write_str("Encryption::block_key(..)"),
            Method::KeyIds(keys) => f.debug_tuple("Encryption::key_ids").field(keys).finish(),
            Method::Provider(provider) => {
                f.debug_tuple("Encryption::provider").field(provider).finish()
            }
        }
    }
}
