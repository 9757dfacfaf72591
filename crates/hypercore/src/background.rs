//! The background of [`Durability::Eventual`](crate::Durability::Eventual): one task a log that
//! makes durable, within a bounded time, what calls only handed to the operating system.
//!
//! The task sleeps until the first write, waits [`EVENTUAL_FLUSH_AFTER`], flushes, and sleeps again.
//! When the engine is about to checkpoint (which syncs, in whatever call comes next), the task does
//! so first, and writes do not run inline until it has. It holds the log weakly and ends when the
//! last handle is dropped or the log is closed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::shared::Shared;

/// The longest time that passes between a write under `Eventual` durability and the start of the
/// flush that makes it durable. Writes in between share that flush.
pub const EVENTUAL_FLUSH_AFTER: Duration = Duration::from_secs(1);

/// About how many bytes of entries inline writes may add to the oplog before the background
/// checkpoints. Well below the 1 MiB at which the engine does so by itself.
const TAIL_LEN_MAX: u64 = 256 * 1024;

/// What an inline write adds to the oplog beside its blocks: signature, frame, roots.
const TAIL_LEN_PER_WRITE: u64 = 256;

/// What a block adds to the oplog: its leaf and, on average, one parent.
const TAIL_LEN_PER_BLOCK: u64 = 96;

/// How writers and closers talk to the task.
#[derive(Debug, Default)]
pub(crate) struct Background {
    dirty: AtomicBool,
    stopped: AtomicBool,
    /// About how long the oplog's tail is that inline writes made.
    tail_len: AtomicU64,
    /// Ends the task's sleep.
    wake: Notify,
    /// Ends the task's wait for the flush.
    hurry: Notify,
}

impl Background {
    /// Something was written that is not durable yet.
    pub(crate) fn wrote(&self) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.wake.notify_one();
        }
    }

    /// Blocks were written inline.
    pub(crate) fn wrote_inline(&self, blocks: usize) {
        let blocks = u64::try_from(blocks).unwrap_or(u64::MAX);
        let len = blocks.saturating_mul(TAIL_LEN_PER_BLOCK).saturating_add(TAIL_LEN_PER_WRITE);
        let before = self.tail_len.fetch_add(len, Ordering::AcqRel);
        self.wrote();
        if before < TAIL_LEN_MAX && before.saturating_add(len) >= TAIL_LEN_MAX {
            self.hurry.notify_one();
        }
    }

    /// Whether the engine may be about to checkpoint.
    pub(crate) fn is_tail_long(&self) -> bool {
        self.tail_len.load(Ordering::Acquire) >= TAIL_LEN_MAX
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
        self.hurry.notify_one();
    }

    pub(crate) async fn run(self: Arc<Self>, log: Weak<Shared>) {
        loop {
            self.wake.notified().await;
            let hurry = self.hurry.notified();
            // Either it is time, or somebody is in a hurry: both go on.
            drop(tokio::time::timeout(EVENTUAL_FLUSH_AFTER, hurry).await);
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
            let Some(log) = log.upgrade() else { return };
            let result = if self.is_tail_long() {
                let result = log.checkpoint().await;
                self.tail_len.store(0, Ordering::Release);
                result
            } else if self.is_dirty() {
                log.flush().await
            } else {
                Ok(())
            };
            if let Err(error) = result {
                // A failed sync poisons the log: the next call on it tells its caller.
                tracing::warn!(%error, "the flush in the background failed");
            }
        }
    }
}
