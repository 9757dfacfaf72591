//! What all clones of a handle share: the engine, and how calls reach it without keeping an
//! executor thread busy.
//!
//! A call runs inline when it is short for sure, else on a blocking thread of the runtime the log
//! was opened in. The engine sits behind a `RwLock` that only closing takes for writing: it is held
//! during a call, never over an await. Knows nothing of formats and options.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hypercore_crypto::{CoreKey, DiscoveryKey};
use hypercore_log::{Durability, Log};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::background::Background;
use crate::encryption::Cipher;
use crate::error::{Error, Result};

/// Logs whose last handle was dropped while a blocking thread still syncs them. Their locks are
/// held until it is done, so an opener that finds a lock asks here whether to wait.
static DROPPED_AND_SYNCING: AtomicUsize = AtomicUsize::new(0);

/// Whether some log in this process is still being synced after its last handle was dropped.
pub(crate) fn is_some_log_settling() -> bool {
    DROPPED_AND_SYNCING.load(Ordering::Acquire) > 0
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
        let head = log.head();
        Self {
            length: head.length,
            stored_bytes: head.byte_length,
            fork: head.fork,
            contiguous_length: log.contiguous_length(),
        }
    }
}

/// What never changes while a log is open.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) key: CoreKey,
    pub(crate) discovery_key: DiscoveryKey,
    pub(crate) writable: bool,
    pub(crate) cipher: Cipher,
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
    /// Writes on blocking threads right now. While there are some, a short write would wait for
    /// their turn, so it does not run inline.
    long_writes: AtomicUsize,
    background: Arc<Background>,
}

impl Shared {
    pub(crate) fn new(
        log: Log,
        identity: Identity,
        durability: Durability,
        runtime: Handle,
    ) -> Arc<Self> {
        let background = Arc::new(Background::default());
        let shared = Arc::new(Self {
            identity,
            log: RwLock::new(Some(log)),
            runtime: runtime.clone(),
            durability,
            closing: AtomicBool::new(false),
            closed: watch::Sender::new(None),
            last_seen: Mutex::default(),
            long_writes: AtomicUsize::new(0),
            background: Arc::clone(&background),
        });
        if durability == Durability::Eventual {
            runtime.spawn(background.run(Arc::downgrade(&shared)));
        }
        shared
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Whether a write is short for sure if there is little to write: it neither syncs nor waits.
    pub(crate) fn may_write_inline(&self) -> bool {
        self.durability == Durability::Eventual
            && self.long_writes.load(Ordering::Acquire) == 0
            && !self.background.is_tail_long()
    }

    /// Runs a short call on this thread.
    pub(crate) fn inline<T>(&self, call: impl FnOnce(&Log, &Cipher) -> Result<T>) -> Result<T> {
        if self.is_closed() {
            return Err(Error::closed());
        }
        // Only closing locks for writing, so a lock that is not free means that it is being closed.
        let Ok(log) = self.log.try_read() else { return Err(Error::closed()) };
        call(log.as_ref().ok_or_else(Error::closed)?, &self.identity.cipher)
    }

    /// Runs a long call that only reads on a blocking thread. Once begun it runs to its end, also
    /// when the future is dropped.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl FnOnce(&Log, &Cipher) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.is_closed() {
            return Err(Error::closed());
        }
        let shared = Arc::clone(self);
        let task = self.runtime.spawn_blocking(move || {
            let log = shared.log.read().unwrap_or_else(PoisonError::into_inner);
            call(log.as_ref().ok_or_else(Error::closed)?, &shared.identity.cipher)
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
        call: impl FnOnce(&Log, &Cipher) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let busy = LongWrite::begin(self);
        self.blocking(move |log, cipher| {
            let _busy = busy;
            call(log, cipher)
        })
        .await
    }

    /// Something was written. Without syncs in the calls themselves, the background takes over.
    pub(crate) fn wrote(&self) {
        if self.durability == Durability::Eventual {
            self.background.wrote();
        }
    }

    /// Blocks were written by [`inline`](Self::inline).
    pub(crate) fn wrote_inline(&self, blocks: usize) {
        self.background.wrote_inline(blocks);
    }

    /// Makes everything written so far durable, and shortens the oplog.
    pub(crate) async fn checkpoint(self: &Arc<Self>) -> Result<()> {
        self.background.begin_flush();
        self.blocking_write(|log, _| Ok(log.checkpoint()?)).await
    }

    /// Makes everything written so far durable.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<()> {
        self.background.begin_flush();
        self.blocking_write(|log, _| Ok(log.flush()?)).await
    }

    /// The numbers now, or those at closing. Never waits for a call that is running.
    pub(crate) fn last_seen(&self) -> LastSeen {
        let now = self.log.try_read().ok().and_then(|log| log.as_ref().map(LastSeen::of));
        now.unwrap_or_else(|| *self.last_seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, seen: LastSeen) {
        *self.last_seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Closes the log once, whoever asks first; everyone who asks hears how it went.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<()> {
        let mut closed = self.closed.subscribe();
        if !self.closing.swap(true, Ordering::AcqRel) {
            self.background.stop();
            self.remember(self.last_seen());
            let closing = Closing(Arc::clone(self));
            // A thread of its own: closing goes on when the future of the first closer is dropped.
            drop(self.runtime.spawn_blocking(move || drop(closing)));
        }
        let answer = closed.wait_for(Option::is_some).await;
        answer.ok().and_then(|answer| (*answer).clone()).unwrap_or_else(|| Err(Error::closed()))
    }

    /// Waits for the calls that are running, then flushes and lets go of the stores.
    fn close_now(&self) {
        let log = self.log.write().unwrap_or_else(PoisonError::into_inner).take();
        let result = match log {
            Some(log) => {
                self.remember(LastSeen::of(&log));
                log.close().map_err(Error::from)
            }
            None => Ok(()),
        };
        self.closed.send_replace(Some(result));
    }
}

impl Drop for Shared {
    /// Best effort: what is not yet durable is synced on a blocking thread, if the runtime is there.
    fn drop(&mut self) {
        self.background.stop();
        let log = self.log.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(log) = log
            && self.durability == Durability::Eventual
            && self.background.is_dirty()
        {
            let settling = Settling::begin();
            drop(self.runtime.spawn_blocking(move || {
                if let Err(error) = log.close() {
                    tracing::warn!(%error, "the last handle was dropped and the flush after it failed");
                }
                drop(settling);
            }));
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

/// Counts one write on a blocking thread while it lives.
#[derive(Debug)]
struct LongWrite(Arc<Shared>);

impl LongWrite {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.long_writes.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Drop for LongWrite {
    fn drop(&mut self) {
        self.0.long_writes.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts one log that is synced after its last handle was dropped. Made before the log moves to
/// the blocking thread and dropped after the log, also when that thread never runs.
#[derive(Debug)]
struct Settling;

impl Settling {
    fn begin() -> Self {
        DROPPED_AND_SYNCING.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        DROPPED_AND_SYNCING.fetch_sub(1, Ordering::AcqRel);
    }
}
