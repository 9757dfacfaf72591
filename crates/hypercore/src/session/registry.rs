//! How many sessions a log has, and which one closes it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// Whether a session that ends was the last one to keep the log open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It was: the log closes.
    Last,
    /// Others keep it open, or it was weak.
    Others,
}

#[derive(Debug, Default)]
struct Counts {
    /// Sessions that keep the log open.
    strong: usize,
    weak: usize,
    /// Sessions that have ended, but whose handles are still there.
    ended: usize,
    /// The last strong one has ended: no other may begin.
    over: bool,
}

/// The sessions of one log.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Counts>);

impl Registry {
    /// A session begins.
    ///
    /// # Errors
    /// `Closed` when the last one that kept the log open has ended.
    pub(crate) fn enter(&self, weak: bool) -> Result<()> {
        let mut counts = self.lock();
        if counts.over {
            return Err(Error::closed());
        }
        let count = if weak { &mut counts.weak } else { &mut counts.strong };
        *count = count.saturating_add(1);
        Ok(())
    }

    /// A session that has entered ends.
    pub(crate) fn leave(&self, weak: bool) -> Leaving {
        let mut counts = self.lock();
        if weak {
            counts.weak = counts.weak.saturating_sub(1);
            return Leaving::Others;
        }
        counts.strong = counts.strong.saturating_sub(1);
        if counts.strong > 0 {
            return Leaving::Others;
        }
        counts.over = true;
        Leaving::Last
    }

    /// A session was closed: its handles may stay for long.
    pub(crate) fn linger(&self) {
        let mut counts = self.lock();
        counts.ended = counts.ended.saturating_add(1);
    }

    /// The last handle of a session that was closed is gone.
    pub(crate) fn vanish(&self) {
        let mut counts = self.lock();
        counts.ended = counts.ended.saturating_sub(1);
    }

    /// Sessions that keep the log open.
    pub(crate) fn active(&self) -> usize {
        self.lock().strong
    }

    /// Whether there are handles of sessions that do not keep the log open: weak ones, and those that have ended.
    pub(crate) fn has_others(&self) -> bool {
        let counts = self.lock();
        counts.weak > 0 || counts.ended > 0
    }

    /// Counters, changed in single steps: a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
