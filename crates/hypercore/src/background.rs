//! The background of [`Durability::Eventual`](crate::Durability::Eventual): what calls only handed to
//! the operating system is made durable within a bounded time.
//!
//! The first write after a flush asks for the next one, [`EVENTUAL_FLUSH_AFTER`] later. One thread
//! for all logs of the process keeps the time, so no runtime's timer is needed; it starts with the
//! first request, ends with the last, and holds the logs weakly. The flushes themselves run on
//! blocking threads. When the engine is about to checkpoint (which syncs, in whatever call comes
//! next), a flush in the background does so first, and writes do not run inline until it has.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::shared::{Settling, Shared};

/// The longest time that passes between a write under `Eventual` durability and the start of the
/// flush that makes it durable. Writes in between share that flush.
pub const EVENTUAL_FLUSH_AFTER: Duration = Duration::from_secs(1);

/// About how many bytes of entries inline writes may add to the oplog before the background
/// checkpoints. Below the 1 MiB at which the engine does so by itself.
const TAIL_LEN_MAX: u64 = 768 * 1024;

/// What an inline write adds to the oplog beside its blocks: signature, frame, roots.
const TAIL_LEN_PER_WRITE: u64 = 256;

/// What a block adds to the oplog: its leaf and, on average, one parent.
const TAIL_LEN_PER_BLOCK: u64 = 96;

/// What a log has written and not flushed.
#[derive(Debug, Default)]
pub(crate) struct Background {
    dirty: AtomicBool,
    /// About how long the oplog's tail is that inline writes made.
    tail_len: AtomicU64,
}

impl Background {
    /// Something of `shared` was written that is not durable yet.
    pub(crate) fn wrote(&self, shared: &Arc<Shared>) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            flush_later(shared);
        }
    }

    /// Blocks of `shared` were written inline.
    pub(crate) fn wrote_inline(&self, shared: &Arc<Shared>, blocks: usize) {
        let blocks = u64::try_from(blocks).unwrap_or(u64::MAX);
        let len = blocks.saturating_mul(TAIL_LEN_PER_BLOCK).saturating_add(TAIL_LEN_PER_WRITE);
        let before = self.tail_len.fetch_add(len, Ordering::AcqRel);
        self.wrote(shared);
        if before < TAIL_LEN_MAX && before.saturating_add(len) >= TAIL_LEN_MAX {
            shared.flush_in_background();
        }
    }

    /// Whether the engine may be about to checkpoint.
    pub(crate) fn is_tail_long(&self) -> bool {
        self.tail_len.load(Ordering::Acquire) >= TAIL_LEN_MAX
    }

    /// A checkpoint was made, or could not be.
    pub(crate) fn forget_tail(&self) {
        self.tail_len.store(0, Ordering::Release);
    }

    /// A flush begins: what is written from here on needs another one.
    pub(crate) fn begin_flush(&self) {
        self.dirty.store(false, Ordering::Release);
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }
}

/// The flushes to come. All wait equally long, so they come in the order in which they were asked for.
static CLOCK: Mutex<Clock> = Mutex::new(Clock { asked: VecDeque::new(), ticks: false });

struct Clock {
    /// When each flush was asked for.
    asked: VecDeque<(Instant, Weak<Shared>)>,
    /// Whether the thread that keeps the time is there.
    ticks: bool,
}

/// Flushes `shared` in [`EVENTUAL_FLUSH_AFTER`], or at once when the system gives no thread to wait.
fn flush_later(shared: &Arc<Shared>) {
    let mut clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    if !clock.ticks {
        let thread = std::thread::Builder::new().name("hypercore-flush".to_owned());
        if let Err(error) = thread.spawn(keep_time) {
            drop(clock);
            tracing::warn!(%error, "no thread for flushes in the background: flushing at once");
            shared.flush_in_background();
            return;
        }
        clock.ticks = true;
    }
    clock.asked.push_back((now(), Arc::downgrade(shared)));
}

/// Waits for one flush after the other and starts it, until none is asked for.
#[expect(clippy::disallowed_methods, reason = "this thread is there to wait")]
fn keep_time() {
    loop {
        let mut clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((asked, _)) = clock.asked.front() else {
            clock.ticks = false;
            return;
        };
        let waited = now().saturating_duration_since(*asked);
        let wait = EVENTUAL_FLUSH_AFTER.saturating_sub(waited);
        if !wait.is_zero() {
            drop(clock);
            std::thread::sleep(wait);
            continue;
        }
        // Counted before and until after this thread has hold of the log: see there.
        let settling = Settling::begin();
        let log = clock.asked.pop_front().and_then(|(_, log)| log.upgrade());
        drop(clock);
        if let Some(log) = log {
            log.flush_in_background();
        }
        drop(settling);
    }
}

#[expect(clippy::disallowed_methods, reason = "the facade reads the clock for its flushes")]
fn now() -> Instant {
    Instant::now()
}
