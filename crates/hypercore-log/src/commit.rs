//! Group commit: callers that wait for stable storage at the same time share one round of syncs.
//!
//! Every operation that wrote something gets a sequence number, in the order of the oplog. The first
//! waiter syncs for all that was written until then; the others wait for it. A failed round is never
//! retried: the kernel may have dropped the pages, and a second sync would then report success for
//! bytes that are gone. This module knows neither stores nor formats: the round itself is an argument.

use std::sync::PoisonError;
#[cfg(not(all(test, loom)))]
use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(all(test, loom))]
use loom::sync::{Condvar, Mutex, MutexGuard};

use crate::canary::{Bug, planted};

/// The place of an operation in the order of all that were written since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sequence(u64);

/// Fork and length of a head, for comparing what is durable with what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) fork: u64,
    pub(crate) length: u64,
}

/// Which stores hold bytes that were written but not yet synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unsynced {
    pub(crate) data: bool,
    pub(crate) tree: bool,
    pub(crate) oplog: bool,
}

impl Unsynced {
    fn add(&mut self, other: Self) {
        self.data |= other.data;
        self.tree |= other.tree;
        self.oplog |= other.oplog;
    }
}

#[derive(Debug, Default)]
struct Progress {
    written: Sequence,
    written_head: Announced,
    durable: Sequence,
    durable_head: Announced,
    unsynced: Unsynced,
    round_running: bool,
    failed: bool,
}

/// The shared state of all waiters.
#[derive(Debug)]
pub(crate) struct GroupCommit {
    progress: Mutex<Progress>,
    round_ended: Condvar,
}

impl GroupCommit {
    /// Starts with `head` durable.
    pub(crate) fn new(head: Announced) -> Self {
        let progress = Progress { written_head: head, durable_head: head, ..Progress::default() };
        Self { progress: Mutex::new(progress), round_ended: Condvar::new() }
    }

    /// Notes an operation whose bytes the operating system has, and gives its place in the order.
    pub(crate) fn wrote(&self, unsynced: Unsynced, head: Announced) -> Sequence {
        let mut progress = self.lock();
        progress.written = Sequence(progress.written.0.saturating_add(1));
        progress.written_head = head;
        progress.unsynced.add(unsynced);
        progress.written
    }

    /// The newest head that a power cut can not take back.
    pub(crate) fn durable(&self) -> Announced {
        let progress = self.lock();
        if planted(Bug::AnnounceBeforeSync) { progress.written_head } else { progress.durable_head }
    }

    /// Whether everything written is durable.
    pub(crate) fn is_settled(&self) -> bool {
        let progress = self.lock();
        progress.durable == progress.written
    }

    /// The place of the newest operation.
    pub(crate) fn newest(&self) -> Sequence {
        self.lock().written
    }

    /// Whether a write or a round failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// Notes that a write failed: nothing can be written or awaited any more.
    pub(crate) fn fail(&self) {
        self.lock().failed = true;
        self.round_ended.notify_all();
    }

    /// Returns once `sequence` is durable, running `round` if nobody else does.
    ///
    /// # Errors
    /// The round's error for the caller that ran it; `None` for all others and ever after.
    pub(crate) fn settle<E>(
        &self,
        sequence: Sequence,
        round: impl FnOnce(Unsynced) -> Result<(), E>,
    ) -> Result<(), Option<E>> {
        let mut progress = self.lock();
        loop {
            if progress.failed {
                return Err(None);
            }
            if progress.durable >= sequence {
                return Ok(());
            }
            if !progress.round_running {
                break;
            }
            progress = self.round_ended.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
        progress.round_running = true;
        let (target, head) = (progress.written, progress.written_head);
        let unsynced = std::mem::take(&mut progress.unsynced);
        drop(progress);
        let mut running = Running { commit: self, returned: false };
        let result = round(unsynced);
        running.returned = true;
        let mut progress = self.lock();
        progress.round_running = false;
        match &result {
            Ok(()) => {
                progress.durable = progress.durable.max(target);
                if progress.durable == target {
                    progress.durable_head = head;
                }
            }
            Err(_) => progress.failed = !planted(Bug::RetryFailedSync),
        }
        drop(progress);
        self.round_ended.notify_all();
        result.map_err(Some)
    }

    /// The counters stay consistent between any two statements that hold the lock, so a panic elsewhere
    /// does not spoil them.
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the waiters go when a round panics: as after one that failed.
struct Running<'a> {
    commit: &'a GroupCommit,
    returned: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.returned {
            let mut progress = self.commit.lock();
            progress.round_running = false;
            progress.failed = true;
            drop(progress);
            self.commit.round_ended.notify_all();
        }
    }
}

#[cfg(all(test, loom))]
mod explored;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const OPLOG: Unsynced = Unsynced { data: false, tree: false, oplog: true };

    fn head(length: u64) -> Announced {
        Announced { fork: 0, length }
    }

    #[test]
    fn a_round_settles_everything_written_before_it() {
        let commit = GroupCommit::new(head(0));
        let first = commit.wrote(OPLOG, head(1));
        let second = commit.wrote(Unsynced { data: true, ..OPLOG }, head(2));
        let mut seen = None;
        commit
            .settle(first, |unsynced| {
                seen = Some(unsynced);
                Ok::<(), ()>(())
            })
            .unwrap();
        assert_eq!(seen, Some(Unsynced { data: true, tree: false, oplog: true }));
        assert_eq!(commit.durable(), head(2));
        commit.settle(second, |_| -> Result<(), ()> { panic!("already durable") }).unwrap();
    }

    #[test]
    fn what_is_written_during_a_round_is_not_durable_after_it() {
        let commit = GroupCommit::new(head(0));
        let first = commit.wrote(OPLOG, head(1));
        let mut second = Sequence::default();
        commit
            .settle(first, |_| {
                second = commit.wrote(OPLOG, head(2));
                Ok::<(), ()>(())
            })
            .unwrap();
        assert_eq!(commit.durable(), head(1));
        assert!(!commit.is_settled());
        let mut rounds = 0;
        commit
            .settle(second, |unsynced| {
                rounds += 1;
                assert_eq!(unsynced, OPLOG);
                Ok::<(), ()>(())
            })
            .unwrap();
        assert_eq!((rounds, commit.durable()), (1, head(2)));
    }

    #[test]
    fn a_failed_round_is_never_retried() {
        let commit = GroupCommit::new(head(0));
        let first = commit.wrote(OPLOG, head(1));
        assert_eq!(commit.settle(first, |_| Err("lost")), Err(Some("lost")));
        assert_eq!(commit.settle(first, |_| Ok::<(), &str>(())), Err(None));
        assert_eq!(commit.durable(), head(0));
    }

    #[test]
    fn a_round_that_panics_has_failed() {
        let commit = GroupCommit::new(head(0));
        let first = commit.wrote(OPLOG, head(1));
        let panicking = std::panic::AssertUnwindSafe(|| {
            commit.settle(first, |_| -> Result<(), ()> { panic!("a bug") })
        });
        std::panic::catch_unwind(panicking).unwrap_err();
        assert_eq!(commit.settle(first, |_| Ok::<(), ()>(())), Err(None));
    }

    #[test]
    fn many_waiters_share_rounds_and_all_return() {
        let commit = GroupCommit::new(head(0));
        let rounds = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mine = commit.wrote(OPLOG, head(1));
                        commit
                            .settle(mine, |_| {
                                rounds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                                Ok::<(), ()>(())
                            })
                            .unwrap();
                    }
                });
            }
        });
        assert!(commit.is_settled());
        assert!(rounds.into_inner() <= 1600);
    }
}
