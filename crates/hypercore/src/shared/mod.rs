//! What all sessions of a log share: the engine, and how calls reach it without keeping an
//! executor thread busy.
//!
//! A call runs inline when it is short for sure, else on a blocking thread of the runtime the log
//! was opened in; appends that wait for such a thread go through a queue. The engine sits behind a
//! `RwLock` that only closing takes for writing: it is held during a call, never over an await.
//! Knows nothing of formats, and of sessions only how many there are.

mod appending;
mod closing;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use hypercore_crypto::{CoreKey, DiscoveryKey};
use hypercore_log::{Durability, Log};
use hypercore_replication::LogChange;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::background::Background;
use crate::error::{Error, Result};
use crate::events::{Hub, Listener};
use crate::named_batch::Batches;
use crate::outside::Outside;
use crate::queue::Queue;
use crate::replication::exchange::{self, Exchange};
use crate::session::{Places, Registry};
use crate::turns::{LongTurn, Turns};

pub(crate) use appending::{Manner, Origin};
pub(crate) use closing::{Settling, is_some_log_settling};

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
        let extent = log.extent();
        Self {
            length: extent.length,
            stored_bytes: extent.byte_length,
            fork: extent.fork,
            contiguous_length: extent.contiguous_length,
        }
    }

    /// Of what is not the log itself, nobody counts what is stored without a gap before it is asked for.
    pub(crate) const fn beside(length: u64, stored_bytes: u64, fork: u64) -> Self {
        Self { length, stored_bytes, fork, contiguous_length: 0 }
    }
}

/// What never changes while a log is open.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) key: CoreKey,
    pub(crate) discovery_key: DiscoveryKey,
    pub(crate) writable: bool,
    /// Where its files are, if they are files.
    pub(crate) directory: Option<PathBuf>,
    /// Whether this handle may change what is stored, with or without a key.
    pub(crate) stores: bool,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    log: RwLock<Option<Log>>,
    runtime: Handle,
    durability: Durability,
    closing: AtomicBool,
    closed: watch::Sender<Option<Result<()>>>,
    /// Wakes those who wait, in whatever session, when closing begins.
    on_closing: Notify,
    /// Set when closing begins, and again when it is done.
    last_seen: Mutex<LastSeen>,
    turns: Arc<Turns>,
    queue: Arc<Queue<Origin>>,
    background: Background,
    /// Made when it is first needed.
    exchange: OnceLock<Exchange>,
    events: Arc<Hub>,
    outside: Outside,
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
            on_closing: Notify::new(),
            last_seen: Mutex::default(),
            turns: Arc::default(),
            queue: Arc::new(Queue::new()),
            background: Background::default(),
            exchange: OnceLock::new(),
            events: Arc::default(),
            outside: Outside::default(),
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

    /// The writes that ask somebody outside.
    pub(crate) fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Tells those who wait that closing begins.
    pub(crate) fn on_closing(&self) -> &Notify {
        &self.on_closing
    }

    /// Who waits to be the only session that writes.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    pub(crate) const fn durability(&self) -> Durability {
        self.durability
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

    /// Something was written. Without syncs in the calls themselves, the background takes over.
    pub(crate) fn wrote(self: &Arc<Self>) {
        if self.durability == Durability::Eventual {
            self.background.wrote(self);
        }
    }

    /// Makes everything written so far durable.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<()> {
        let shared = Arc::clone(self);
        self.blocking_write(move |log| {
            // Not before: a runtime that takes no more work leaves the flush to the background.
            shared.background.begin_flush();
            log.flush()?;
            exchange::log_changed(&shared, LogChange::Appended);
            shared.batches.flush()
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
        if let Err(error) = self.batches.flush() {
            tracing::warn!(%error, "the flush of a batch in the background failed");
        }
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
