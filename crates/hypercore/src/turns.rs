//! Whose turn it is to write: short writes on executor threads, or long ones on blocking threads.
//!
//! The engine lets one write after the other, so a short write behind a long one would keep an
//! executor thread waiting. Short ones therefore begin only while no long one is under way, and a long
//! one waits, on its own thread, for those that have begun. Knows nothing of what is written.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Running {
    short: usize,
    /// Long ones that run, or wait for their thread or for short ones.
    long: usize,
}

/// The writes of one log.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    running: Mutex<Running>,
    last_short_ended: Condvar,
}

impl Turns {
    /// The turn of a short write; `None` while a long one is under way. Never waits for a write.
    pub(crate) fn try_short(&self) -> Option<ShortTurn<'_>> {
        let mut running = self.lock();
        if running.long > 0 {
            return None;
        }
        running.short = running.short.saturating_add(1);
        Some(ShortTurn(self))
    }

    /// Announces a long write: no short one begins until it has ended. Never waits for a write.
    pub(crate) fn announce_long(self: &Arc<Self>) -> LongTurn {
        let mut running = self.lock();
        running.long = running.long.saturating_add(1);
        LongTurn(Arc::clone(self))
    }

    /// Two counters, changed in single steps: a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A short write, until it is dropped.
#[derive(Debug)]
pub(crate) struct ShortTurn<'a>(&'a Turns);

impl Drop for ShortTurn<'_> {
    fn drop(&mut self) {
        let mut running = self.0.lock();
        running.short = running.short.saturating_sub(1);
        if running.short == 0 && running.long > 0 {
            self.0.last_short_ended.notify_all();
        }
    }
}

/// A long write, until it is dropped.
#[derive(Debug)]
pub(crate) struct LongTurn(Arc<Turns>);

impl LongTurn {
    /// Returns once no short write runs.
    pub(crate) fn wait(&self) {
        let running = self.0.lock();
        let no_short = self.0.last_short_ended.wait_while(running, |running| running.short > 0);
        drop(no_short.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for LongTurn {
    fn drop(&mut self) {
        let mut running = self.0.lock();
        running.long = running.long.saturating_sub(1);
    }
}
