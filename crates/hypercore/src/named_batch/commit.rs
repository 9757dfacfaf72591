//! Committing: what a batch has alone becomes one append of its log.

use std::fmt;
use std::sync::Arc;

use hypercore_crypto::KeyPair;
use hypercore_log::{Appended as LogAppended, Branch, CommitOptions as LogCommitOptions, Log};
use hypercore_replication::LogChange;

use super::NamedBatch;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::info::Appended;
use crate::replication::exchange;
use crate::signing::Signer;

/// How a batch is committed; see [`NamedBatch::commit_with`].
#[derive(Clone, Default)]
#[must_use]
pub struct CommitOptions {
    length: Option<u64>,
    key_pair: Option<KeyPair>,
    signature: Option<Vec<u8>>,
}

impl CommitOptions {
    /// All of the batch, signed as appends of the session are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Commits the first `length` blocks only; the others stay in the batch.
    pub fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Signs with the key pair of another signer of the manifest.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Takes a signature that was made elsewhere ([`assemble`](crate::Hypercore::assemble)), in the form that the manifest asks for. It
    /// comes before a key pair.
    pub fn signature(mut self, signature: impl Into<Vec<u8>>) -> Self {
        self.signature = Some(signature.into());
        self
    }

    const fn signs(&self) -> bool {
        self.key_pair.is_some() || self.signature.is_some()
    }

    fn for_log(self) -> LogCommitOptions {
        let mut options = LogCommitOptions::new();
        if let Some(length) = self.length {
            options = options.length(length);
        }
        if let Some(key_pair) = self.key_pair {
            options = options.key_pair(key_pair);
        }
        if let Some(signature) = self.signature {
            options = options.signature(signature);
        }
        options
    }
}

impl fmt::Debug for CommitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitOptions")
            .field("length", &self.length)
            .field("key_pair", &self.key_pair.as_ref().map(KeyPair::public))
            .field("signature", &self.signature.is_some())
            .finish()
    }
}

/// Committing.
impl NamedBatch {
    /// Appends to the log what the batch has alone: as one batch, under one signature, told to peers as any append.
    ///
    /// The log may have grown meanwhile, if it took the same blocks: then only the others are appended, and a batch
    /// of which the log has all changes nothing. The batch stays, as long as the log is now, and can go on.
    ///
    /// # Durability
    /// As for [`append_batch`](crate::Hypercore::append_batch): after a crash the log has all of it, or nothing. What the
    /// batch held twice is given up afterwards, and everything is on stable storage on return, with either durability.
    ///
    /// # Errors
    /// `Caller` when the log took other blocks, or gave up some that the batch began with
    /// ([`Error::is_batch_conflict`]), or can not be signed for here ([`Error::is_not_writable`]): nothing was
    /// changed. Those of [`append`](crate::Hypercore::append); once begun it runs to its end, also when the future is
    /// dropped.
    pub async fn commit(&self) -> Result<Appended> {
        self.commit_with(CommitOptions::new()).await
    }

    /// Commits as [`commit`](Self::commit) does, in part, or with another key pair, or with a ready signature.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit); `Caller` when the batch is shorter than what is to be committed, the key pair
    /// may not sign, or the signature does not hold: nothing was changed.
    pub async fn commit_with(&self, mut options: CommitOptions) -> Result<Appended> {
        let session = self.handle.session_ref();
        session.check_writable()?;
        let settings = session.settings();
        if !options.signs() {
            options.key_pair = settings.key_pair.as_deref().cloned();
        }
        let committed = match settings.signer.as_deref().filter(|_| !options.signs()) {
            Some(signer) => self.commit_outside(signer, options.length).await?,
            None => {
                let (shared, turn) =
                    (Arc::clone(session.shared()), session.shared().announce_long());
                let (wanted, options) = (options.length, options.for_log());
                let commit = session.blocking_write(move |view, _| {
                    turn.wait();
                    let committed = commit(view.log(), view.branch()?, wanted, &options)?;
                    shared.wrote();
                    exchange::log_changed(&shared, LogChange::Appended);
                    Ok(committed)
                });
                commit.await?
            }
        };
        let Committed { first, length, stored_bytes } = committed;
        let byte_length = session.cipher().content_len(stored_bytes, length);
        Ok(Appended { first, length, byte_length })
    }

    async fn commit_outside(&self, signer: &dyn Signer, length: Option<u64>) -> Result<Committed> {
        let length = length.unwrap_or_else(|| self.handle.length());
        let batch = Arc::clone(&self.batch);
        let prepare = move |log: &Log| Ok(log.prepare_commit(&*batch.branch()?, Some(length))?);
        let batch = Arc::clone(&self.batch);
        let commit = move |log: &Log, signature: Vec<u8>| {
            let options = LogCommitOptions::new().length(length).signature(signature);
            commit(log, &*batch.branch()?, Some(length), &options)
        };
        self.handle.session_ref().commit_outside(signer, prepare, commit).await
    }
}

/// What a commit did, in bytes as stored.
struct Committed {
    first: u64,
    length: u64,
    stored_bytes: u64,
}

/// Commits a branch, or so much of it, and has it give up what the log has by now.
fn commit(
    log: &Log,
    branch: &Branch,
    wanted: Option<u64>,
    options: &LogCommitOptions,
) -> Result<Committed> {
    let first = log.length();
    let LogAppended { length, byte_length, .. } = log.commit(branch, options)?;
    if let Err(error) = branch.rebase(log, wanted.unwrap_or_else(|| branch.length())) {
        // The log has it. What failed tells the next who writes to the batch.
        tracing::warn!(%error, "a batch keeps what was committed");
    }
    Ok(Committed { first, length, stored_bytes: byte_length })
}
