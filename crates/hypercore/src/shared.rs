//! What all sessions of a log share: the engine, and how calls reach it without keeping an
//! executor thread busy.
//!
//! A call runs inline when it is short for sure, else on a blocking thread of the runtime the log
//! was opened in; appends that wait for such a thread go through a queue. The engine sits behind a
//! `RwLock` that only closing takes for writing: it is held during a call, never over an await.
//! Knows nothing of formats, and of sessions only how many there are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use hypercore_crypto::{CoreKey, DiscoveryKey};
use hypercore_log::{AppendOptions, Appended as LogAppended, Durability, Head, Log, LogError};
use hypercore_replication::LogChange;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::background::Background;
use crate::batch::Batch;
use crate::encryption::{Cipher, encrypt};
use crate::error::{Error, Result};
use crate::events::{Hub, Listener};
use crate::info::Appended;
use crate::named_batch::Batches;
use crate::queue::{LINGER_TURNS, Mergeable, Queue};
use crate::replication::exchange::{self, Exchange};
use crate::session::{Places, Registry};
use crate::turns::{LongTurn, Turns};

/// Logs that a blocking thread syncs without anybody waiting for it. It holds their locks also when
/// the last handle is gone, so an opener that finds a lock asks here whether to wait.
static SETTLING: AtomicUsize = AtomicUsize::new(0);

/// Whether some log in this process is being synced that may have no handle any more.
pub(crate) fn is_some_log_settling() -> bool {
    SETTLING.load(Ordering::Acquire) > 0
}

/// The numbers a handle still answers with after closing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastSeen {
    pub(crate) length: u64,
    pub(crate) stored_bytes: u64,
    pub(crate) fork: u64,
    pub(crate) contiguous_length: u64,
}

impl LastSeen {
    fn of(log: &Log) -> Self {
        Self::of_head(&log.head(), log.contiguous_length())
    }

    pub(crate) const fn of_head(head: &Head, contiguous_length: u64) -> Self {
        Self {
            length: head.length,
            stored_bytes: head.byte_length,
            fork: head.fork,
            contiguous_length,
        }
    }
}

/// What never changes while a log is open.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) key: CoreKey,
    pub(crate) discovery_key: DiscoveryKey,
    pub(crate) writable: bool,
    /// Whether this handle may change what is stored, with or without a key.
    pub(crate) stores: bool,
}

/// How the blocks of an append become those that are stored, and who signs them. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) cipher: Arc<Cipher>,
    /// None for the log's own key pair and no limits.
    pub(crate) options: Option<Arc<AppendOptions>>,
}

impl Manner {
    /// Appends blocks to `log`.
    fn append<B: AsRef<[u8]>>(&self, log: &Log, blocks: &[B]) -> Result<Appended> {
        const OWN: &AppendOptions = &AppendOptions::new();
        append(log, &self.cipher, blocks, self.options.as_deref().unwrap_or(OWN))
    }
}

/// Where an append comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    shared: Arc<Shared>,
    manner: Manner,
}

impl Origin {
    pub(crate) fn new(shared: Arc<Shared>, manner: Manner) -> Self {
        Self { shared, manner }
    }
}

impl Mergeable for Origin {
    /// Appends that are encrypted and signed in the same way may be one batch. Options that were made for
    /// one append are nobody else's.
    fn goes_with(&self, other: &Self) -> bool {
        let same_options = match (&self.manner.options, &other.manner.options) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        same_options && Arc::ptr_eq(&self.manner.cipher, &other.manner.cipher)
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    log: RwLock<Option<Log>>,
    runtime: Handle,
    durability: Durability,
    closing: AtomicBool,
    closed: watch::Sender<Option<Result<()>>>,
    /// Set when closing begins, and again when it is done.
    last_seen: Mutex<LastSeen>,
    turns: Arc<Turns>,
    queue: Arc<Queue<Origin>>,
    background: Background,
    /// Made when it is first needed.
    exchange: OnceLock<Exchange>,
    events: Arc<Hub>,
    sessions: Registry,
    batches: Arc<Batches>,
    places: Places,
    /// Set when the last session is gone and others may still hold the log for a moment. Dropped after
    /// the log.
    settling: Mutex<Option<Settling>>,
}

impl Shared {
    pub(crate) fn new(
        log: Log,
        identity: Identity,
        durability: Durability,
        runtime: Handle,
        batches: Arc<Batches>,
    ) -> Arc<Self> {
        Arc::new(Self {
            identity,
            log: RwLock::new(Some(log)),
            runtime,
            durability,
            closing: AtomicBool::new(false),
            closed: watch::Sender::new(None),
            last_seen: Mutex::default(),
            turns: Arc::default(),
            queue: Arc::new(Queue::new()),
            background: Background::default(),
            exchange: OnceLock::new(),
            events: Arc::default(),
            sessions: Registry::default(),
            batches,
            places: Places::default(),
            settling: Mutex::new(None),
        })
    }

    /// Who uses the log.
    pub(crate) fn sessions(&self) -> &Registry {
        &self.sessions
    }

    /// The named batches of the log.
    pub(crate) fn batches(&self) -> &Arc<Batches> {
        &self.batches
    }

    /// Who waits to be the only session that writes.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// The last session that keeps the log open was dropped, not closed. The log closes with the last
    /// reference to it; those that weak sessions have are made worthless.
    pub(crate) fn abandon(self: &Arc<Self>) {
        let settling = Some(Settling::begin());
        *self.settling.lock().unwrap_or_else(PoisonError::into_inner) = settling;
        if self.sessions.has_weak() {
            self.begin_closing();
        }
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The replication of the log.
    pub(crate) fn exchange(&self) -> &Exchange {
        self.exchange.get_or_init(Exchange::new)
    }

    pub(crate) fn exchange_if_any(&self) -> Option<&Exchange> {
        self.exchange.get()
    }

    /// Who listens to what happens.
    pub(crate) fn events(&self) -> &Arc<Hub> {
        &self.events
    }

    /// Lets somebody of a session listen, from now on.
    pub(crate) fn listen(&self, session: usize) -> Arc<Listener> {
        let log = self.log.try_read().ok();
        self.events.listen(session, log.as_ref().and_then(|log| log.as_ref()))
    }

    /// The log has changed: those who listen hear how. While it is being closed, closing tells them.
    pub(crate) fn tell_changes(&self) {
        if self.events.is_listened_to()
            && let Ok(log) = self.log.try_read()
            && let Some(log) = &*log
        {
            self.events.look_at(log);
        }
    }

    /// Announces a call that may take long; see [`Turns`].
    pub(crate) fn announce_long(&self) -> LongTurn {
        self.turns.announce_long()
    }

    /// Runs a call on this thread, however long it takes; `None` when the log is closed.
    pub(crate) fn with_log<T>(&self, call: impl FnOnce(&Log) -> T) -> Option<T> {
        self.log.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(call)
    }

    /// Runs a short call on this thread; `None` when the log is closed or being closed. Never waits.
    pub(crate) fn try_log<T>(&self, call: impl FnOnce(&Log) -> T) -> Option<T> {
        self.log.try_read().ok()?.as_ref().map(call)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Runs a short call on this thread.
    pub(crate) fn inline<T>(&self, call: impl FnOnce(&Log) -> Result<T>) -> Result<T> {
        if self.is_closed() {
            return Err(Error::closed());
        }
        // Only closing locks for writing, so a lock that is not free means that it is being closed.
        let Ok(log) = self.log.try_read() else { return Err(Error::closed()) };
        call(log.as_ref().ok_or_else(Error::closed)?)
    }

    /// Runs a long call that only reads on a blocking thread. Once begun it runs to its end, also
    /// when the future is dropped.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl FnOnce(&Log) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.is_closed() {
            return Err(Error::closed());
        }
        let shared = Arc::clone(self);
        let task = self.runtime.spawn_blocking(move || {
            let log = shared.log.read().unwrap_or_else(PoisonError::into_inner);
            call(log.as_ref().ok_or_else(Error::closed)?)
        });
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::runtime_gone()),
            },
        }
    }

    /// Runs a long call that writes on a blocking thread, as [`blocking`](Self::blocking) does.
    pub(crate) async fn blocking_write<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl FnOnce(&Log) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.announce_long();
        self.blocking(move |log| {
            turn.wait();
            call(log)
        })
        .await
    }

    /// Appends few small blocks on this thread; `None` when that could take long: it would sync, or
    /// wait for a write that does.
    pub(crate) fn append_inline<B: AsRef<[u8]>>(
        self: &Arc<Self>,
        manner: &Manner,
        blocks: &[B],
    ) -> Option<Result<Appended>> {
        if self.durability != Durability::Eventual || self.background.is_tail_long() {
            return None;
        }
        let turn = self.turns.try_short()?;
        let result = self.inline(|log| manner.append(log, blocks));
        drop(turn);
        if result.is_ok() {
            self.background.wrote_inline(self, blocks.len());
            exchange::log_changed(self, LogChange::Appended);
        }
        Some(result)
    }

    /// Appends blocks on a blocking thread, together with what others append meanwhile. Once asked
    /// for it runs to its end, also when the future is dropped.
    pub(crate) async fn append_queued(origin: Origin, batch: Batch) -> Result<Appended> {
        let pushed = {
            let shared = Arc::clone(&origin.shared);
            if shared.is_closed() {
                return Err(Error::closed());
            }
            let pushed = shared.queue.push(origin, batch);
            if pushed.unserved {
                let (queue, turn) = (Arc::clone(&shared.queue), shared.turns.announce_long());
                let linger_turns = shared.linger_turns();
                let serving = Serving { queue, turn, linger_turns, served: false };
                drop(shared.runtime.spawn_blocking(move || serving.serve()));
            }
            pushed
        };
        // Without an answer the thread panicked in the middle of a write.
        pushed.answer.await.unwrap_or_else(|_| Err(LogError::Poisoned.into()))
    }

    /// Something was written. Without syncs in the calls themselves, the background takes over.
    pub(crate) fn wrote(self: &Arc<Self>) {
        if self.durability == Durability::Eventual {
            self.background.wrote(self);
        }
    }

    /// Where nobody waits for a sync, a thread that lingers only keeps short writes from running inline.
    fn linger_turns(&self) -> u32 {
        if self.durability == Durability::Immediate { LINGER_TURNS } else { 0 }
    }

    /// Makes everything written so far durable.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<()> {
        let shared = Arc::clone(self);
        self.blocking_write(move |log| {
            // Not before: a runtime that takes no more work leaves the flush to the background.
            shared.background.begin_flush();
            log.flush()?;
            exchange::log_changed(&shared, LogChange::Appended);
            Ok(())
        })
        .await
    }

    /// Makes durable what is not, and shortens a long oplog, on a blocking thread.
    pub(crate) fn flush_in_background(self: &Arc<Self>) {
        let flushing = Flushing::begin(self);
        drop(self.runtime.spawn_blocking(move || drop(flushing)));
    }

    fn flush_now(self: &Arc<Self>) {
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        let Some(log) = log.as_ref() else { return };
        let is_tail_long = self.background.is_tail_long();
        let result = if is_tail_long {
            self.background.begin_flush();
            let result = log.checkpoint();
            self.background.forget_tail();
            result
        } else if self.background.is_dirty() {
            self.background.begin_flush();
            log.flush()
        } else {
            Ok(())
        };
        match result {
            Ok(()) => exchange::log_changed(self, LogChange::Appended),
            // A failed sync poisons the log: the next call on it tells its caller.
            Err(error) => tracing::warn!(%error, "the flush in the background failed"),
        }
    }

    /// The numbers now, or those at closing. Never waits for a call that is running.
    pub(crate) fn last_seen(&self) -> LastSeen {
        let now = self.try_log(LastSeen::of);
        now.unwrap_or_else(|| *self.last_seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, seen: LastSeen) {
        *self.last_seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Closes the log once, whoever asks first; everyone who asks hears how it went.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<()> {
        let mut closed = self.closed.subscribe();
        self.begin_closing();
        let answer = closed.wait_for(Option::is_some).await;
        answer.ok().and_then(|answer| (*answer).clone()).unwrap_or_else(|| Err(Error::closed()))
    }

    fn begin_closing(self: &Arc<Self>) {
        if !self.closing.swap(true, Ordering::AcqRel) {
            self.places.close();
            self.remember(self.last_seen());
            let closing = Closing(Arc::clone(self));
            // A thread of its own: closing goes on when the future of the first closer is dropped.
            drop(self.runtime.spawn_blocking(move || drop(closing)));
        }
    }

    /// Waits for the calls that are running, then flushes and lets go of the stores.
    fn close_now(self: &Arc<Self>) {
        let log = self.log.write().unwrap_or_else(PoisonError::into_inner).take();
        let result = match log {
            Some(log) => {
                self.remember(LastSeen::of(&log));
                self.events.look_at(&log);
                log.close().map_err(Error::from)
            }
            None => Ok(()),
        };
        // The lock is free: nobody needs to wait for it.
        drop(self.settling.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.closed.send_replace(Some(result));
        self.events.close();
        exchange::close(self);
    }
}

impl Drop for Shared {
    /// What is not yet durable is synced on a blocking thread, or here if the runtime takes no more
    /// work.
    fn drop(&mut self) {
        self.events.close();
        let log = self.log.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(log) = log
            && self.durability == Durability::Eventual
            && self.background.is_dirty()
        {
            let flush = LastFlush { log: Some(log), _settling: Settling::begin() };
            drop(self.runtime.spawn_blocking(move || drop(flush)));
        }
    }
}

/// Serves the queue of appends. Dropped before it has, it tells those who wait.
#[derive(Debug)]
struct Serving {
    queue: Arc<Queue<Origin>>,
    turn: LongTurn,
    linger_turns: u32,
    served: bool,
}

impl Serving {
    fn serve(mut self) {
        self.turn.wait();
        self.queue.serve(self.linger_turns, |Origin { shared, manner }, blocks| {
            let result = {
                let log = shared.log.read().unwrap_or_else(PoisonError::into_inner);
                log.as_ref().ok_or_else(Error::closed).and_then(|log| manner.append(log, blocks))
            };
            if result.is_ok() {
                shared.wrote();
                exchange::log_changed(&shared, LogChange::Appended);
            }
            result
        });
        self.served = true;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.served {
            return;
        }
        let panicked = std::thread::panicking();
        let error = if panicked { LogError::Poisoned.into() } else { Error::runtime_gone() };
        self.queue.give_up(&error);
    }
}

/// Flushes when it is dropped: on a blocking thread, or at once when the runtime takes no more work.
#[derive(Debug)]
struct Flushing {
    log: Option<(Arc<Shared>, LongTurn)>,
    _settling: Settling,
}

impl Flushing {
    fn begin(shared: &Arc<Shared>) -> Self {
        let log = (Arc::clone(shared), shared.turns.announce_long());
        Self { log: Some(log), _settling: Settling::begin() }
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        if let Some((shared, turn)) = self.log.take() {
            turn.wait();
            shared.flush_now();
        }
    }
}

/// Closes when it is dropped: on a blocking thread, or at once when the runtime takes no more work.
#[derive(Debug)]
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close_now();
    }
}

/// A log whose last handle was dropped. It is synced when this is dropped: on a blocking thread, or
/// at once when the runtime takes no more work.
#[derive(Debug)]
struct LastFlush {
    log: Option<Log>,
    _settling: Settling,
}

impl Drop for LastFlush {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.log.take().map(Log::close) {
            tracing::warn!(%error, "the last handle was dropped and the flush after it failed");
        }
    }
}

/// Counts one log that is being synced in the background. Made before the last handle may go and
/// dropped after the log, so that its lock is free when the count says so.
#[derive(Debug)]
pub(crate) struct Settling;

impl Settling {
    pub(crate) fn begin() -> Self {
        SETTLING.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        SETTLING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Appends blocks, encrypted if the log is.
fn append<B: AsRef<[u8]>>(
    log: &Log,
    cipher: &Cipher,
    blocks: &[B],
    options: &AppendOptions,
) -> Result<Appended> {
    let count = u64::try_from(blocks.len()).unwrap_or(u64::MAX);
    let LogAppended { length, byte_length, .. } = match cipher.scheme(log)? {
        Some(scheme) => {
            log.append_made(options, |head| encrypt(scheme, head.length, head.fork, blocks))?
        }
        None => log.append_with_options(blocks, options)?,
    };
    Ok(Appended {
        first: length.saturating_sub(count),
        length,
        byte_length: cipher.content_len(byte_length, length),
    })
}
