//! A named batch that is open: shared by its sessions, closed with the last of them.
//!
//! Invariant: the stores are open exactly as long as `open` is full, and until then nobody else can open them
//! (see [`Slot`]). Writes come one after the other, in the order in which they were asked for.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use hypercore_log::{Branch, Durability, Log};
use tokio::sync::{OwnedMutexGuard, watch};

use super::registry::Slot;
use crate::background::Background;
use crate::error::{Error, Result};
use crate::session::{Leaving, Registry};
use crate::shared::{LastSeen, Settling, Shared};

/// The branch with the right to have it open, in the order in which they must be dropped.
#[derive(Debug)]
struct Open {
    branch: Branch,
    slot: Slot,
}

/// A named batch that is open.
pub(crate) struct OpenBatch {
    name: String,
    shared: Arc<Shared>,
    open: RwLock<Option<Open>>,
    /// Held by the one that writes.
    writing: Arc<tokio::sync::Mutex<()>>,
    background: Background,
    sessions: Registry,
    closing: AtomicBool,
    /// Whether it is deleted when it closes.
    discarded: AtomicBool,
    closed: watch::Sender<Option<Result<()>>>,
    /// Counts its writes, and its end.
    changes: watch::Sender<u64>,
    /// Set when it closes.
    last_seen: Mutex<LastSeen>,
}

impl OpenBatch {
    /// Lets others find the branch that was opened in `slot`.
    pub(crate) fn begin(shared: Arc<Shared>, branch: Branch, slot: Slot) -> Result<Joined> {
        let batch = Arc::new(Self {
            name: slot.name().to_owned(),
            shared,
            open: RwLock::new(None),
            writing: Arc::default(),
            background: Background::default(),
            sessions: Registry::default(),
            closing: AtomicBool::new(false),
            discarded: AtomicBool::new(false),
            closed: watch::Sender::new(None),
            changes: watch::Sender::new(0),
            last_seen: Mutex::default(),
        });
        let joined = Joined::join(&batch, false)?;
        let mut open = batch.open.write().unwrap_or_else(PoisonError::into_inner);
        slot.fill(&batch);
        *open = Some(Open { branch, slot });
        drop(open);
        Ok(joined)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The branch, for the time of one call. Never waits.
    ///
    /// # Errors
    /// `Closed` when the batch is closed, or being closed.
    pub(crate) fn branch(&self) -> Result<BranchGuard<'_>> {
        // Only closing locks for writing, so a lock that is not free means that it is being closed.
        match self.open.try_read() {
            Ok(open) if open.is_some() => Ok(BranchGuard(open)),
            _ => Err(Error::closed()),
        }
    }

    /// The numbers now, or those when it was closed.
    pub(crate) fn last_seen(&self) -> LastSeen {
        match self.branch() {
            Ok(branch) => seen(&branch),
            Err(_) => *self.last_seen.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Waits until nobody else writes. Whoever asked first is first.
    pub(crate) async fn begin_write(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.writing).lock_owned().await
    }

    /// Writes what is short on this thread; `None` when it could take long: it would sync, or wait for a write
    /// that does.
    pub(super) fn write_inline<T>(
        &self,
        blocks: usize,
        write: impl FnOnce(&Log, &Branch) -> Result<T>,
    ) -> Option<Result<T>> {
        if self.shared.durability() != Durability::Eventual || self.background.is_tail_long() {
            return None;
        }
        let writing = self.writing.try_lock().ok()?;
        let result = self.branch().and_then(|branch| self.shared.inline(|log| write(log, &branch)));
        drop(writing);
        if result.is_ok() {
            self.background.wrote_inline(&self.shared, blocks);
            self.changed();
        }
        Some(result)
    }

    /// Wakes whenever the batch may have changed, and when it closes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Something was written on a blocking thread.
    pub(crate) fn wrote(&self) {
        self.changed();
        if self.shared.durability() == Durability::Eventual {
            self.background.wrote(&self.shared);
        }
    }

    /// Makes everything written so far durable.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<()> {
        let batch = Arc::clone(self);
        let flush = move |_: &_| {
            let branch = batch.branch()?;
            batch.background.begin_flush();
            Ok(branch.flush()?)
        };
        self.shared.blocking(flush).await
    }

    /// Makes durable what is not, and shortens a long oplog.
    pub(super) fn flush_now(&self) -> Result<()> {
        // Closing flushes.
        let Ok(branch) = self.branch() else { return Ok(()) };
        if self.background.is_tail_long() {
            self.background.begin_flush();
            let result = branch.checkpoint();
            self.background.forget_tail();
            result?;
        } else if self.background.is_dirty() {
            self.background.begin_flush();
            branch.flush()?;
        }
        Ok(())
    }

    /// Closes the batch for all its sessions, and deletes it.
    pub(super) fn begin_discarding(self: &Arc<Self>) {
        self.discarded.store(true, Ordering::Release);
        self.begin_closing();
    }

    fn begin_closing(self: &Arc<Self>) {
        self.closing.store(true, Ordering::Release);
        let closing = Closing { batch: Arc::clone(self), _settling: Settling::begin() };
        drop(self.shared.runtime().spawn_blocking(move || drop(closing)));
    }

    /// Whether its last session has ended.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Waits until it is closed; how that went.
    pub(crate) async fn closed(&self) -> Result<()> {
        let mut closed = self.closed.subscribe();
        let answer = closed.wait_for(Option::is_some).await;
        answer.ok().and_then(|answer| (*answer).clone()).unwrap_or_else(|| Err(Error::closed()))
    }

    /// Waits for the calls that run, makes durable what they wrote, and lets go of the stores.
    pub(super) fn close_now(&self) -> Result<()> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let Some(Open { branch, slot }) = open.take() else { return Ok(()) };
        *self.last_seen.lock().unwrap_or_else(PoisonError::into_inner) = seen(&branch);
        let result = if self.discarded.load(Ordering::Acquire) {
            drop(branch);
            slot.delete()
        } else {
            // Who opens it next finds it whole.
            let closed = branch.close().map_err(Error::from);
            drop(slot);
            closed
        };
        drop(open);
        self.closed.send_replace(Some(result.clone()));
        // Those who wait in a weak session hear of it.
        self.changed();
        if let Some(exchange) = self.shared.exchange_if_any() {
            exchange.changed();
        }
        result
    }
}

fn seen(branch: &Branch) -> LastSeen {
    LastSeen::beside(branch.length(), branch.byte_length(), branch.fork())
}

impl fmt::Debug for OpenBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenBatch").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The branch of a batch, for the time of one call.
pub(crate) struct BranchGuard<'a>(RwLockReadGuard<'a, Option<Open>>);

impl Deref for BranchGuard<'_> {
    type Target = Branch;

    fn deref(&self) -> &Branch {
        match &*self.0 {
            Some(open) => &open.branch,
            None => unreachable!("a guard is of an open batch, which nobody closes meanwhile"),
        }
    }
}

/// One session of a batch, until it is dropped. The last one that is not weak closes the batch.
#[derive(Debug)]
pub(crate) struct Joined {
    batch: Arc<OpenBatch>,
    weak: bool,
}

impl Joined {
    /// A session more.
    ///
    /// # Errors
    /// `Closed` when the last one has ended.
    pub(crate) fn join(batch: &Arc<OpenBatch>, weak: bool) -> Result<Self> {
        batch.sessions.enter(weak)?;
        Ok(Self { batch: Arc::clone(batch), weak })
    }

    pub(crate) const fn batch(&self) -> &Arc<OpenBatch> {
        &self.batch
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if self.batch.sessions.leave(self.weak) == Leaving::Last {
            self.batch.begin_closing();
        }
    }
}

/// Closes when it is dropped: on a blocking thread, or at once when the runtime takes no more work.
#[derive(Debug)]
struct Closing {
    batch: Arc<OpenBatch>,
    _settling: Settling,
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Err(error) = self.batch.close_now() {
            tracing::warn!(%error, batch = self.batch.name(), "a batch did not close well");
        }
    }
}
