//! A sync that may run on another thread than the one that needs it.
//!
//! *Invariants.* Exactly one of those who hold a [`Flight`] syncs, and once: a sync that failed is never
//! asked again, for the kernel may have dropped what it could not write, and a second sync would then
//! report success for bytes that are gone. A sync that was handed to a thread which never began is done
//! by whoever waits for it. Knows nothing of commits.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::canary::{Bug, planted};
use crate::pages::SyncHandle;

/// One sync, wanted now.
#[derive(Debug)]
pub(crate) struct Flight {
    medium: SyncHandle,
    state: Mutex<State>,
    landed: Condvar,
}

#[derive(Debug)]
enum State {
    Wanted,
    Running,
    Landed(io::Result<()>),
}

impl Flight {
    pub(crate) const fn new(medium: SyncHandle) -> Self {
        Self { medium, state: Mutex::new(State::Wanted), landed: Condvar::new() }
    }

    /// Returns when the sync is over: does it, or waits for who does.
    pub(crate) fn run(&self) {
        let mut state = self.lock();
        match *state {
            State::Landed(_) => {}
            State::Running => {
                while matches!(*state, State::Running) {
                    state = self.landed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
            State::Wanted => {
                *state = State::Running;
                drop(state);
                let mut running = Running { flight: self, result: None };
                let result = self.medium.sync();
                running.result = Some(if planted(Bug::IgnoredSyncError) { Ok(()) } else { result });
            }
        }
    }

    /// Runs it to its end and gives its result, to the first who asks.
    ///
    /// # Errors
    /// Those of the sync.
    pub(crate) fn outcome(&self) -> io::Result<()> {
        self.run();
        let taken =
            State::Landed(Err(io::Error::other("another call was told how the sync ended")));
        match std::mem::replace(&mut *self.lock(), taken) {
            State::Landed(result) => result,
            State::Wanted | State::Running => Err(io::Error::other("the sync did not end")),
        }
    }

    /// No statement that holds the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells those who wait, also when the medium panics.
struct Running<'a> {
    flight: &'a Flight,
    result: Option<io::Result<()>>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let panicked = || Err(io::Error::other("the sync panicked"));
        *self.flight.lock() = State::Landed(self.result.take().unwrap_or_else(panicked));
        self.flight.landed.notify_all();
    }
}
