//! Writes that somebody outside takes part in: an encryption provider, or a signer that keeps its key.
//!
//! Such a write looks at the head, asks for what it needs, and is stored if the log still has that head; if somebody
//! else wrote meanwhile, it asks again. The log is not locked while it asks, so a slow signer keeps nobody from
//! reading, and one that fails or is not waited for any more leaves no trace.
//!
//! Writes of this kind take turns, in the order in which they were asked for: of two that raced for the head each could make
//! the other one ask again for ever. Those that ask nobody would always be faster; they wait as well once a turn
//! has lost too often.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hypercore_log::{
    AppendOptions, Appended as LogAppended, Head, Log, LogError, PreparedAppend, Unsigned,
};
use hypercore_replication::LogChange;
use tokio::sync::{Mutex, MutexGuard};

use crate::encryption::Cipher;
use crate::error::{Error, Result};
use crate::info::Appended;
use crate::replication::exchange;
use crate::session::Session;
use crate::signing::{Signer, ask};
use crate::view::Viewed;

/// How often others may be faster than the write whose turn it is, before they have to let it pass.
const LOSSES_MAX: u32 = 3;

/// The writes of one log that ask somebody outside.
#[derive(Default)]
pub(crate) struct Outside {
    turn: Mutex<()>,
    /// The one whose turn it is has lost too often.
    urgent: AtomicBool,
}

impl Outside {
    async fn take_turn(&self) -> Turn<'_> {
        Turn { _guard: self.turn.lock().await, outside: self, losses: 0 }
    }

    /// Whether a write of this kind has to be let pass first.
    pub(crate) fn is_urgent(&self) -> bool {
        self.urgent.load(Ordering::Acquire)
    }

    /// Returns when no write of this kind has to be let pass.
    pub(crate) async fn let_pass(&self) {
        if self.is_urgent() {
            drop(self.turn.lock().await);
        }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("urgent", &self.is_urgent()).finish_non_exhaustive()
    }
}

/// The turn of one write, until it is dropped.
struct Turn<'a> {
    _guard: MutexGuard<'a, ()>,
    outside: &'a Outside,
    losses: u32,
}

impl Turn<'_> {
    /// Whether somebody else was faster, so that the write has to be tried again.
    fn has_lost<T>(&mut self, result: &Result<T>) -> bool {
        let lost = result.as_ref().is_err_and(Error::is_head_moved);
        if lost {
            self.losses = self.losses.saturating_add(1);
            if self.losses >= LOSSES_MAX {
                self.outside.urgent.store(true, Ordering::Release);
            }
        }
        lost
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.outside.urgent.store(false, Ordering::Release);
    }
}

/// Writes with somebody outside. The end of the session ends the waiting for them, not the write that follows.
impl Session {
    /// Waits for a turn and tries until nobody else was faster.
    async fn in_turn<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let outside = self.shared().outside();
        let mut turn = self.until_end(async { Ok(outside.take_turn().await) }).await?;
        loop {
            let tried = attempt().await;
            if !turn.has_lost(&tried) {
                return tried;
            }
        }
    }

    /// Appends blocks that a provider encrypts, or that `signer` signs, or both.
    pub(crate) async fn append_outside(
        &self,
        blocks: Vec<Bytes>,
        options: AppendOptions,
        signer: Option<Arc<dyn Signer>>,
    ) -> Result<Appended> {
        self.in_turn(|| self.try_append(&blocks, &options, signer.as_deref())).await
    }

    async fn try_append(
        &self,
        blocks: &[Bytes],
        options: &AppendOptions,
        signer: Option<&dyn Signer>,
    ) -> Result<Appended> {
        let (cipher, count) = (self.cipher(), blocks.len());
        let head = self.inline(|view, _| Ok(view.head()))?;
        if blocks.is_empty() {
            let Head { length, byte_length, .. } = head;
            let byte_length = cipher.content_len(byte_length, length);
            return Ok(Appended { first: length, length, byte_length });
        }
        let fork = if self.view().is_live() { head.fork } else { draft_number()? };
        let blocks = self.until_end(cipher.seal_outside(head.length, fork, blocks)).await?;
        let mut options = options.clone().expected(&head);
        if cipher.is_on() {
            options = options.padded();
        }
        let appended = match signer {
            None => self.store(move |view| view.append(&blocks, &options)).await?,
            Some(signer) => {
                let prepare = move |log: &Log, cipher: &Cipher| -> Result<PreparedAppend> {
                    Ok(log.prepare_append(cipher.seal(log, &head, blocks)?, &options)?)
                };
                let prepare = self.blocking(move |view, cipher| prepare(view.log(), cipher));
                let prepared = prepare.await?;
                let signature = self.sign(signer, prepared.unsigned()).await?;
                let append = move |log: &Log| Ok(log.append_prepared(&prepared, &signature)?);
                self.store(move |view| append(view.log())).await?
            }
        };
        Ok(cipher.appended(appended, count))
    }

    /// Stores what is ready for it. Once begun it runs to its end, also when the future is dropped.
    async fn store(
        &self,
        store: impl FnOnce(&Viewed<'_>) -> Result<LogAppended> + Send + 'static,
    ) -> Result<LogAppended> {
        self.blocking_change(LogChange::Appended, move |view, _| store(&view)).await
    }

    /// Truncates the log with a signature of `signer`.
    pub(crate) async fn truncate_outside(
        &self,
        length: u64,
        fork: Option<u64>,
        signer: &dyn Signer,
    ) -> Result<()> {
        self.in_turn(|| self.try_truncate(length, fork, signer)).await
    }

    async fn try_truncate(
        &self,
        length: u64,
        fork: Option<u64>,
        signer: &dyn Signer,
    ) -> Result<()> {
        let prepare = move |log: &Log| Ok(log.prepare_truncate(length, fork)?);
        let prepared = self.blocking(move |view, _| prepare(view.log())).await?;
        // An empty log has no signature.
        let signature =
            if length == 0 { Vec::new() } else { self.sign(signer, prepared.unsigned()).await? };
        let store = move |log: &Log| Ok(log.truncate_prepared(&prepared, &signature).map(drop)?);
        let change = LogChange::Truncated { length };
        self.blocking_change(change, move |view, _| store(view.log())).await
    }
}

/// Commits with somebody outside.
impl Session {
    /// Commits a draft to the log with a signature of `signer`: `prepare` tells what it has to be of, `commit` takes
    /// it.
    pub(crate) async fn commit_outside<P, C, T>(
        &self,
        signer: &dyn Signer,
        prepare: P,
        commit: C,
    ) -> Result<T>
    where
        P: Fn(&Log) -> Result<Unsigned> + Clone + Send + 'static,
        C: Fn(&Log, Vec<u8>) -> Result<T> + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.in_turn(|| self.try_commit(signer, prepare.clone(), commit.clone())).await
    }

    async fn try_commit<P, C, T>(&self, signer: &dyn Signer, prepare: P, commit: C) -> Result<T>
    where
        P: Fn(&Log) -> Result<Unsigned> + Clone + Send + 'static,
        C: Fn(&Log, Vec<u8>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let shared = self.shared();
        let first = prepare.clone();
        let prepared = shared.blocking(move |log| Ok((log.length(), first(log)?))).await?;
        let (length, unsigned) = prepared;
        let head = unsigned.head().clone();
        // The log may have all of it already.
        let adds = head.length > length;
        let signature = if adds { self.sign(signer, &unsigned).await? } else { Vec::new() };
        let changed = Arc::clone(shared);
        let store = move |log: &Log| {
            let committed = commit(log, signature).or_else(|error| {
                // The log has another fork now, or what it had is gone: not the signer's fault.
                let now = prepare(log)?.head().clone();
                let (fork, length) = (log.fork(), log.length());
                let moved = error.is_bad_signature() && now != head;
                Err(if moved { LogError::HeadMoved { fork, length }.into() } else { error })
            })?;
            changed.wrote();
            exchange::log_changed(&changed, LogChange::Appended);
            Ok(committed)
        };
        shared.blocking_write(store).await
    }

    /// The signature of one signer who signs alone, in the form that the manifest asks for.
    async fn sign(&self, signer: &dyn Signer, unsigned: &Unsigned) -> Result<Vec<u8>> {
        let to_sign = unsigned.to_sign(&signer.public_key())?;
        let part = self.until_end(ask(signer, &to_sign)).await?;
        Ok(unsigned.assemble(&[part])?)
    }
}

/// What stands for the fork in a draft, where several blocks may be made for one index: no fork is as high.
fn draft_number() -> Result<u64> {
    let mut number = [0; 8];
    getrandom::fill(&mut number).map_err(Error::entropy)?;
    Ok(u64::from_le_bytes(number) | 1 << 63)
}
