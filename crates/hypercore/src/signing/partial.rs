//! Logs that several have to sign, and logs that begin with what nobody signs.

use std::sync::Arc;

use compact_encoding::{Decode as _, DecodeError, Encode as _};
use hypercore_crypto::{Manifest, PartialSignature, PublicKey, ToSign, Verifier};
use hypercore_log::{Log, LogError};
use hypercore_replication::LogChange;

use super::{Signer, ask};
use crate::error::{Error, Result};
use crate::handle::Hypercore;
use crate::replication::exchange;
use crate::view::Viewed;

/// How a part of a signature is made; see [`Hypercore::sign_partial_with`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PartialOptions {
    common_length: Option<u64>,
    fork: Option<u64>,
    manifest: Option<Manifest>,
}

impl PartialOptions {
    /// For a signature of this log, of the length that is signed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The blocks that the whole signature will cover. Where the manifest
    /// [allows patches](crate::ManifestBuilder::allow_patch), they may be fewer than this signer signs: the part then
    /// carries the tree nodes that lead from one to the other.
    ///
    /// # Source
    /// formats.md section 5.6.
    pub fn common_length(mut self, length: u64) -> Self {
        self.common_length = Some(length);
        self
    }

    /// The fork that is signed, by default the one that this log has. That of a [truncation](Hypercore::truncate_with) is
    /// above it.
    pub fn fork(mut self, fork: u64) -> Self {
        self.fork = Some(fork);
        self
    }

    /// Signs for the log that has this manifest, not for this one. A signer can so keep
    /// the blocks in a log of its own, and the common log takes what enough of them agree on.
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.manifest = Some(manifest);
        self
    }
}

/// Several signers.
impl Hypercore {
    /// Signs the first `length` blocks as one of several signers of the log. Whoever has as many parts as must
    /// sign [assembles](Self::assemble) them.
    ///
    /// In a named batch it signs what the batch proposes: all signers open a batch with the same blocks, and one of them
    /// commits it with the signature of all.
    ///
    /// # Durability
    /// What is signed is on stable storage before the signer is asked, unless it is of a batch.
    ///
    /// # Errors
    /// `Caller` when the manifest does not name the signer or is not known yet, there are not so many blocks, the session
    /// may not write, or the log is a backup that [needs confirmation](Self::needs_confirmation) and a batch or a new fork would go
    /// on from it; [`Outside`](crate::ErrorKind::Outside) when the signer failed; `Corrupt`, `Io`, `Closed`.
    ///
    /// # Source
    /// formats.md section 5.4.
    pub async fn sign_partial(&self, signer: &dyn Signer, length: u64) -> Result<PartialSignature> {
        self.sign_partial_with(signer, length, PartialOptions::new()).await
    }

    /// Signs as [`sign_partial`](Self::sign_partial) does, with options.
    ///
    /// # Errors
    /// Those of [`sign_partial`](Self::sign_partial); `Caller` when the common length is above `length`.
    pub async fn sign_partial_with(
        &self,
        signer: &dyn Signer,
        length: u64,
        options: PartialOptions,
    ) -> Result<PartialSignature> {
        let session = self.session_ref();
        session.check_writable()?;
        let PartialOptions { common_length, fork, manifest } = options;
        let public_key = signer.public_key();
        let prepare = move |view: Viewed<'_>, _: &_| {
            // The log may be shorter than a batch of it.
            let nodes = match common_length.filter(|common| *common != length) {
                Some(common) => view.patch_nodes(common, length)?,
                None => Vec::new(),
            };
            Ok((to_sign(&view, manifest, fork, &public_key, length)?, nodes))
        };
        let (to_sign, nodes) = session.blocking(prepare).await?;
        let part = session.until_end(ask(signer, &to_sign)).await?;
        Ok(PartialSignature { nodes, ..part })
    }

    /// Joins the parts of several signers into the signature of the first `length` blocks, for
    /// [`append_with`](Self::append_with), [`truncate_with`](Self::truncate_with) or the commit of a batch.
    ///
    /// A part of a signer who signed more blocks and brings no nodes gets them from here, if this log or batch is as long. The
    /// signatures are checked when they are stored.
    ///
    /// # Errors
    /// `Caller` when the parts do not serve together, or the manifest is not known yet; `Corrupt`, `Io`, `Closed`.
    ///
    /// # Source
    /// formats.md section 5.6.
    pub async fn assemble(&self, length: u64, parts: &[PartialSignature]) -> Result<Vec<u8>> {
        let mut parts = parts.to_vec();
        let assemble = move |view: Viewed<'_>, _: &_| {
            let log = view.log();
            for part in &mut parts {
                if part.length > length && part.nodes.is_empty() {
                    part.nodes = view.patch_nodes(length, part.length)?;
                }
            }
            let manifest = log.manifest().ok_or_else(Error::manifest_unknown)?;
            let verifier = Verifier::new(&manifest, &log.key()).map_err(LogError::Signature)?;
            Ok(verifier.assemble(length, &parts).map_err(LogError::Assemble)?)
        };
        self.session_ref().blocking(assemble).await
    }

    /// Fills a log with its prologue, the blocks that its manifest names by their hash and nobody signs, out of
    /// another log that begins with the same ones. Gives how many blocks came: those that the other log does not
    /// have are left out, and may come later from anywhere.
    ///
    /// # Durability
    /// Survives a power cut on return, with either durability. A crash leaves a part of it, and the next call goes on.
    ///
    /// # Errors
    /// `Caller` when the manifest has no prologue, the other log is shorter, or this handle may not store; `Peer` when the other
    /// one begins otherwise; `Corrupt`, `Io`, `Closed` (either of the two).
    ///
    /// # Source
    /// formats.md section 5.5.
    pub async fn copy_prologue(&self, source: &Self) -> Result<u64> {
        self.session_ref().check_writable()?;
        let (source, shared) = (Arc::clone(source.shared()), Arc::clone(self.shared()));
        let copy = move |log: &Log| {
            let copied = source.inline(|source| Ok(log.copy_prologue(source)?))?;
            exchange::log_changed(&shared, LogChange::Appended);
            Ok(copied)
        };
        self.shared().blocking_write(copy).await
    }
}

/// Encodes the part of one signer, for whoever assembles it; [`decode_partial_signature`] reads it back.
///
/// # Source
/// docs/format/signatures-and-hashes.md, the part of one signer.
#[must_use]
pub fn encode_partial_signature(part: &PartialSignature) -> Vec<u8> {
    part.to_vec()
}

/// Decodes the part of one signer; nothing may follow it. Whether it serves is checked when it is assembled and stored.
///
/// # Errors
/// Where in the bytes it stops being one, and why.
///
/// # Source
/// docs/format/signatures-and-hashes.md, the part of one signer.
pub fn decode_partial_signature(
    bytes: &[u8],
) -> std::result::Result<PartialSignature, DecodeError> {
    PartialSignature::from_slice(bytes)
}

/// What a signer signs for the first blocks of what is seen, in a fork or in the one that the log has.
fn to_sign(
    view: &Viewed<'_>,
    manifest: Option<Manifest>,
    signed_fork: Option<u64>,
    public_key: &PublicKey,
    length: u64,
) -> Result<ToSign> {
    let log = view.log();
    let (key, manifest) = match manifest {
        Some(manifest) => (manifest.key(), manifest),
        None => (log.key(), log.manifest().ok_or_else(Error::manifest_unknown)?),
    };
    let verifier = Verifier::new(&manifest, &key).map_err(LogError::Signature)?;
    loop {
        let fork = log.fork();
        log.check_signable(length, signed_fork.unwrap_or(fork))?;
        let hash = view.tree_hash_at(length)?;
        // Whoever signed what a power cut takes back could sign something else in its place.
        log.flush()?;
        // Shorter trees change with the fork only.
        if log.fork() == fork {
            let to_sign = verifier.to_sign(public_key, &hash, length, signed_fork.unwrap_or(fork));
            return Ok(to_sign.map_err(LogError::KeyPair)?);
        }
    }
}
