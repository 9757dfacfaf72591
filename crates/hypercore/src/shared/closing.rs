//! How a log ends: closed by its last session, dropped, or deleted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use hypercore_log::{Durability, Log};
use random_access_disk::remove_files;
use tokio::sync::oneshot;

use super::{LastSeen, Shared};
use crate::error::{Error, Result};
use crate::info::Purged;
use crate::replication::exchange;

/// Logs that a blocking thread syncs without anybody waiting for it. It holds their locks also when
/// the last handle is gone, so an opener that finds a lock asks here whether to wait.
static SETTLING: AtomicUsize = AtomicUsize::new(0);

/// Whether some log in this process is being synced that may have no handle any more.
pub(crate) fn is_some_log_settling() -> bool {
    SETTLING.load(Ordering::Acquire) > 0
}

impl Shared {
    /// The last session that keeps the log open was dropped, not closed. The log closes with the last
    /// reference to it; those that weak and closed sessions have are made worthless.
    pub(crate) fn abandon(self: &Arc<Self>) {
        let mut settling = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        if self.closed.borrow().is_some() {
            return;
        }
        *settling = Some(Settling::begin());
        drop(settling);
        if self.sessions.has_others() {
            self.begin_closing(Ending::Close);
        }
    }

    /// Closes the log once, whoever asks first.
    pub(crate) fn begin_close(self: &Arc<Self>) {
        self.begin_closing(Ending::Close);
    }

    /// Waits until the log is closed; everyone who asks hears how it went.
    pub(crate) async fn closed(&self) -> Result<()> {
        let mut closed = self.closed.subscribe();
        let answer = closed.wait_for(Option::is_some).await;
        answer.ok().and_then(|answer| (*answer).clone()).unwrap_or_else(|| Err(Error::closed()))
    }

    /// Closes the log with all its sessions and deletes it. Once begun it runs to its end, also when the
    /// future is dropped.
    pub(crate) async fn purge(self: &Arc<Self>) -> Result<Purged> {
        let (answer, purged) = oneshot::channel();
        self.begin_closing(Ending::Purge(answer));
        // Who comes second finds the log closed.
        purged.await.unwrap_or_else(|_| Err(Error::closed()))
    }

    fn begin_closing(self: &Arc<Self>, ending: Ending) {
        if !self.closing.swap(true, Ordering::AcqRel) {
            self.on_closing.notify_waiters();
            self.places.close();
            self.remember(self.last_seen());
            // Whoever opens it again waits for that, also when nobody waits for the end of this.
            let mut settling = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
            settling.get_or_insert_with(Settling::begin);
            drop(settling);
            let closing = Closing(Arc::clone(self), ending);
            // A thread of its own: closing goes on when the future of the first closer is dropped.
            drop(self.runtime.spawn_blocking(move || drop(closing)));
        }
    }

    /// Waits for the calls that are running, then flushes and lets go of the stores, or empties them.
    fn close_now(self: &Arc<Self>, ending: &mut Ending) {
        let log = self.log.write().unwrap_or_else(PoisonError::into_inner).take();
        let mut purged = None;
        let result = match (log, &ending) {
            (Some(log), Ending::Close) => {
                self.remember(LastSeen::of(&log));
                self.events.look_at(&log);
                let batches = self.batches.close();
                log.close().map_err(Error::from).and(batches)
            }
            (Some(log), Ending::Purge(_)) => {
                self.remember(LastSeen::of(&log));
                self.events.look_at(&log);
                purged.insert(self.delete(log)).clone().map(drop)
            }
            (None, _) => Ok(()),
        };
        self.closed.send_replace(Some(result));
        // The lock is free: nobody needs to wait for it.
        drop(self.settling.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let (Ending::Purge(answer), Some(purged)) = (std::mem::take(ending), purged) {
            // Whoever asked may not be there any more.
            let _ = answer.send(purged);
        }
        self.events.close();
        exchange::close(self);
    }

    /// Deletes the log with its batches. The batches are the first to go, so that none is left that a new
    /// log in the same place would find; the oplog, which has the lock, is the last file.
    fn delete(&self, log: Log) -> Result<Purged> {
        let of_batches = self.batches.delete_all()?;
        let bytes_freed = log.purge()?.bytes_freed.saturating_add(of_batches);
        if let Some(directory) = &self.identity.directory {
            let files = ["header", "tree", "bitfield", "data", "oplog"];
            remove_files(directory, &files).map_err(|error| Error::storage("oplog", error))?;
        }
        drop(log);
        Ok(Purged { bytes_freed })
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

/// What becomes of a log that ends.
#[derive(Debug, Default)]
enum Ending {
    /// It can be opened again.
    #[default]
    Close,
    /// It is deleted, and somebody hears how that went.
    Purge(oneshot::Sender<Result<Purged>>),
}

/// Closes when it is dropped: on a blocking thread, or at once when the runtime takes no more work.
#[derive(Debug)]
struct Closing(Arc<Shared>, Ending);

impl Drop for Closing {
    fn drop(&mut self) {
        let Self(shared, ending) = self;
        shared.close_now(ending);
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
