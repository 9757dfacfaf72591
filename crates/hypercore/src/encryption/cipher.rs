//! The encryption of one session: the user's choice, for one log.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hypercore_crypto::{BlockEncryption, CoreKey, DefaultEncryption};
use hypercore_log::Log;

use super::{BoxError, Encryption, EncryptionProvider, Method};
use crate::error::{Error, Result};

/// How a session turns blocks into what is stored; without encryption they are the same.
#[derive(Debug)]
pub(crate) struct Cipher {
    key: CoreKey,
    encryption: Option<Encryption>,
    /// The keys derived from an encryption key: which ones only the manifest tells, and a reader may learn
    /// it long after it was opened.
    derived: OnceLock<DefaultEncryption>,
}

/// A block on its way out of the log.
#[derive(Debug)]
pub(crate) enum Unsealed {
    /// Its content.
    Content(Bytes),
    /// What is stored, which a provider has to decrypt.
    Sealed(Vec<u8>),
}

impl Cipher {
    /// The encryption of the log with this key.
    pub(crate) fn new(key: CoreKey, encryption: Option<Encryption>) -> Self {
        Self { key, encryption, derived: OnceLock::new() }
    }

    /// # Errors
    /// Those of [`Encryption::check`].
    pub(crate) fn check(&self) -> Result<()> {
        self.encryption.as_ref().map_or(Ok(()), Encryption::check)
    }

    pub(crate) fn is_on(&self) -> bool {
        self.encryption.is_some()
    }

    /// Bytes that every stored block has more than its content.
    pub(crate) fn padding(&self) -> u64 {
        u64::try_from(self.padding_len()).unwrap_or(u64::MAX)
    }

    fn padding_len(&self) -> usize {
        self.encryption.as_ref().map_or(0, |encryption| encryption.padding_len)
    }

    /// The content bytes in `stored` bytes of `length` blocks.
    pub(crate) fn content_len(&self, stored: u64, length: u64) -> u64 {
        stored.saturating_sub(self.padding().saturating_mul(length))
    }

    /// The encryption of one's own that blocks have to be brought to.
    pub(crate) fn provider(&self) -> Option<&Arc<dyn EncryptionProvider>> {
        match &self.encryption.as_ref()?.method {
            Method::Provider(provider) => Some(provider),
            _ => None,
        }
    }

    /// The scheme that encrypts at once; `None` without encryption, and where a provider does it.
    ///
    /// # Errors
    /// `Caller` when the manifest, which decides about the keys, is not known: then the log has no blocks.
    pub(crate) fn scheme(&self, log: &Log) -> Result<Option<&dyn BlockEncryption>> {
        let Some(Encryption { method, .. }) = &self.encryption else { return Ok(None) };
        Ok(match method {
            Method::Provider(_) => None,
            Method::BlockKey(scheme) => Some(&**scheme),
            Method::KeyIds(scheme) => Some(&**scheme),
            Method::Key(key) => Some(match self.derived.get() {
                Some(scheme) => scheme,
                None => {
                    let compat = is_compat(log, &self.key)?;
                    self.derived.get_or_init(|| DefaultEncryption::new(&self.key, compat, key))
                }
            }),
        })
    }

    /// Decrypts a block of `log`, unless a provider has to.
    pub(crate) fn unseal(&self, log: &Log, index: u64, stored: Vec<u8>) -> Result<Unsealed> {
        if self.provider().is_some() {
            return Ok(Unsealed::Sealed(stored));
        }
        Ok(Unsealed::Content(match self.scheme(log)? {
            None => stored.into(),
            Some(scheme) => scheme
                .decrypt(index, &stored)
                .map(Bytes::from)
                .map_err(|source| Error::decrypt(index, source))?,
        }))
    }

    /// The content of block `index`.
    pub(crate) async fn content(&self, index: u64, unsealed: Unsealed) -> Result<Bytes> {
        match (unsealed, self.provider()) {
            (Unsealed::Content(content), _) => Ok(content),
            (Unsealed::Sealed(stored), None) => Ok(stored.into()),
            (Unsealed::Sealed(stored), Some(provider)) => {
                let decrypted = provider.decrypt(index, &stored).await;
                let content = decrypted.map_err(|source| not_done("decrypt", index, source))?;
                self.check_len(index, stored.len(), content.len())?;
                Ok(content.into())
            }
        }
    }

    /// Has the provider encrypt blocks that will be stored from index `first` on; without one they stay as they
    /// are.
    pub(crate) async fn seal_outside(
        &self,
        first: u64,
        fork: u64,
        blocks: &[Bytes],
    ) -> Result<Vec<Bytes>> {
        let Some(provider) = self.provider() else { return Ok(blocks.to_vec()) };
        let mut sealed = Vec::with_capacity(blocks.len());
        for (index, block) in (first..).zip(blocks) {
            let encrypted = provider.encrypt(index, fork, block).await;
            let stored = encrypted.map_err(|source| not_done("encrypt", index, source))?;
            self.check_len(index, stored.len(), block.len())?;
            sealed.push(stored.into());
        }
        Ok(sealed)
    }

    /// Whether a provider kept to its padding, without which every offset would be wrong.
    fn check_len(&self, index: u64, stored_len: usize, content_len: usize) -> Result<()> {
        let padding_len = self.padding_len();
        if stored_len.checked_sub(content_len) == Some(padding_len) {
            Ok(())
        } else {
            let source = WrongPadding { stored_len, content_len, padding_len };
            Err(not_done("keep to its padding in", index, source.into()))
        }
    }
}

/// A provider broke its word about the padding.
#[derive(Debug, thiserror::Error)]
#[error("{stored_len} stored bytes are not {content_len} of content and {padding_len} of padding")]
struct WrongPadding {
    stored_len: usize,
    content_len: usize,
    padding_len: usize,
}

fn not_done(what: &str, index: u64, source: BoxError) -> Error {
    Error::outside(format!("the encryption provider did not {what} block {index}"), source)
}

/// Encrypts blocks that will be stored from index `first` on, in fork `fork`.
pub(crate) fn encrypt<B: AsRef<[u8]>>(
    scheme: &dyn BlockEncryption,
    first: u64,
    fork: u64,
    blocks: &[B],
) -> Vec<Vec<u8>> {
    (first..)
        .zip(blocks)
        .map(|(index, block)| scheme.encrypt(index, fork, block.as_ref()))
        .collect()
}

/// Whether the key of the log is the public key of its only signer.
///
/// # Errors
/// `Caller` while neither a manifest nor a block is known.
fn is_compat(log: &Log, key: &CoreKey) -> Result<bool> {
    match log.manifest() {
        Some(manifest) => Ok(manifest.is_compat(key)),
        // Without a manifest only the key itself can have signed: a writer of such a directory lost power
        // between the blocks and the manifest.
        None if log.length() > 0 => Ok(true),
        None => Err(Error::manifest_unknown()),
    }
}
