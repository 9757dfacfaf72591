//! The background of [`Durability::Eventual`](crate::Durability::Eventual): one task a log that
//! makes durable, within a bounded time, what calls only handed to the operating system.
//!
//! The task sleeps until the first write, waits [`EVENTUAL_FLUSH_AFTER`], flushes, and sleeps again.
//! It holds the log weakly and ends when the last handle is dropped or the log is closed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::shared::Shared;

/// The longest time that passes between a write under `Eventual` durability and the start of the
/// flush that makes it durable. Writes in between share that flush.
pub const EVENTUAL_FLUSH_AFTER: Duration = Duration::from_secs(1);

/// How writers and closers talk to the task.
#[derive(Debug, Default)]
pub(crate) struct Background {
    dirty: AtomicBool,
    stopped: AtomicBool,
    wake: Notify,
    stop: Notify,
}

impl Background {
    /// Something was written that is not durable yet.
    pub(crate) fn wrote(&self) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.wake.notify_one();
        }
    }

    /// A flush begins: what is written from here on needs another one.
    pub(crate) fn begin_flush(&self) {
        self.dirty.store(false, Ordering::Release);
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake.notify_one();
        self.stop.notify_one();
    }

    pub(crate) async fn run(self: Arc<Self>, log: Weak<Shared>) {
        loop {
            self.wake.notified().await;
            let waited = tokio::time::timeout(EVENTUAL_FLUSH_AFTER, self.stop.notified()).await;
            if waited.is_ok() || self.stopped.load(Ordering::Acquire) {
                return;
            }
            let Some(log) = log.upgrade() else { return };
            if self.is_dirty()
                && let Err(error) = log.flush().await
            {
                // A failed sync poisons the log: the next call on it tells its caller.
                tracing::warn!(%error, "the flush in the background failed");
            }
        }
    }
}
