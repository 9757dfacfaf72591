//! The encryption of one session: the user's choice, for one log.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hypercore_crypto::{BlockEncryption, CoreKey, DefaultEncryption};
use hypercore_log::{AppendOptions, Appended as LogAppended, Branch, Head, Log};

use super::{BoxError, Encryption, EncryptionProvider, Method};
use crate::error::{Error, Result};
use crate::info::Appended;

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

    /// The scheme that encrypts at once; `None` without encryption.
    ///
    /// # Errors
    /// `Caller` when the manifest, which decides about the keys, is not known: then the log has no blocks. `Caller` also where
    /// a provider has to be waited for: nothing goes by it unencrypted.
    fn scheme(&self, log: &Log) -> Result<Option<&dyn BlockEncryption>> {
        let Some(Encryption { method, .. }) = &self.encryption else { return Ok(None) };
        Ok(Some(match method {
            Method::Provider(_) => return Err(Error::needs_provider()),
            Method::BlockKey(scheme) => &**scheme,
            Method::KeyIds(scheme) => &**scheme,
            Method::Key(key) => match self.derived.get() {
                Some(scheme) => scheme,
                None => {
                    let compat = is_compat(log, &self.key)?;
                    self.derived.get_or_init(|| DefaultEncryption::new(&self.key, compat, key))
                }
            },
        }))
    }

    /// Appends blocks to `log`, encrypted.
    pub(crate) fn append<B: AsRef<[u8]>>(
        &self,
        log: &Log,
        blocks: &[B],
        options: &AppendOptions,
    ) -> Result<Appended> {
        let appended = match self.scheme(log)? {
            Some(scheme) => log.append_made(options, |head| {
                (head.length..)
                    .zip(blocks)
                    .map(|(index, block)| scheme.encrypt(index, head.fork, block.as_ref()))
                    .collect()
            })?,
            None => log.append_with_options(blocks, options)?,
        };
        Ok(self.appended(appended, blocks.len()))
    }

    /// Appends blocks to a draft of `log`, encrypted.
    pub(crate) fn append_to_branch<B: AsRef<[u8]>>(
        &self,
        log: &Log,
        branch: &Branch,
        blocks: &[B],
        options: &AppendOptions,
    ) -> Result<Appended> {
        let appended = match self.scheme(log)? {
            Some(scheme) => branch.append_made(options, |head| {
                (head.length..)
                    .zip(blocks)
                    .map(|(index, block)| scheme.encrypt_draft(index, block.as_ref()))
                    .collect()
            })?,
            None => branch.append_with_options(blocks, options)?,
        };
        Ok(self.appended(appended, blocks.len()))
    }

    /// What an append of so many blocks did, in content.
    pub(crate) fn appended(&self, appended: LogAppended, blocks: usize) -> Appended {
        let LogAppended { length, byte_length, .. } = appended;
        Appended {
            first: length.saturating_sub(u64::try_from(blocks).unwrap_or(u64::MAX)),
            length,
            byte_length: self.content_len(byte_length, length),
        }
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

    /// Encrypts blocks for right after `head`, unless a provider has done that.
    pub(crate) fn seal(&self, log: &Log, head: &Head, blocks: Vec<Bytes>) -> Result<Vec<Bytes>> {
        if self.provider().is_some() {
            return Ok(blocks);
        }
        let Some(scheme) = self.scheme(log)? else { return Ok(blocks) };
        let blocks = (head.length..).zip(blocks);
        Ok(blocks.map(|(index, block)| scheme.encrypt(index, head.fork, &block).into()).collect())
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
