//! Group commit: those who wait for stable storage at the same time share one commit.
//!
//! Who changes something gets a [`Ticket`], in the order in which the changes were accepted. The first to
//! wait does a round for all that were accepted until then; the others wait for it, and one of those
//! that came too late does the next, once those whom this one set free have come again. A round that failed
//! is never repeated. This module knows neither pager nor format: the round is an argument.

use std::sync::PoisonError;
#[cfg(not(all(test, loom)))]
use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(all(test, loom)))]
use std::thread::yield_now;

#[cfg(all(test, loom))]
use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(all(test, loom))]
use loom::thread::yield_now;

/// The place of a change in the order of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// What those who wait ask of the next round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// A barrier before the record.
    pub(crate) barriers: bool,
    /// A sync also when there is nothing to commit.
    pub(crate) flush: bool,
}

#[derive(Debug, Default)]
struct Turns {
    accepted: Ticket,
    durable: Ticket,
    /// What will have been accepted when all whom the last round set free have come again.
    expected: Ticket,
    wish: Wish,
    /// Somebody has the round.
    taken: bool,
    failed: bool,
}

/// The queue of those who wait.
#[derive(Debug, Default)]
pub(crate) struct Group {
    turns: Mutex<Turns>,
    round_ended: Condvar,
}

impl Group {
    /// Notes a change that was accepted. Called in the order of the changes, so under the lock that orders
    /// them.
    pub(crate) fn accepted(&self, wish: Wish) -> Ticket {
        let mut turns = self.lock();
        turns.accepted = Ticket(turns.accepted.0.saturating_add(1));
        turns.wish.barriers |= wish.barriers;
        turns.wish.flush |= wish.flush;
        turns.accepted
    }

    /// What a round is for: everything accepted so far. Called under the lock that orders the changes,
    /// together with writing them.
    pub(crate) fn take(&self) -> (Ticket, Wish) {
        let mut turns = self.lock();
        (turns.accepted, std::mem::take(&mut turns.wish))
    }

    /// Returns once `ticket` is durable; does `round`, which gives what it made durable, if nobody else
    /// does one.
    ///
    /// # Errors
    /// The round's for who did it; `None` for all others, then and ever after.
    pub(crate) fn settle<E>(
        &self,
        ticket: Ticket,
        round: impl FnOnce() -> Result<Ticket, E>,
    ) -> Result<(), Option<E>> {
        let mut turns = self.lock();
        loop {
            if turns.durable >= ticket {
                return Ok(());
            }
            if turns.failed {
                return Err(None);
            }
            if !turns.taken {
                return self.hold(turns, round).map_err(Some);
            }
            turns = self.wait(turns);
        }
    }

    /// Keeps others from doing rounds while `act` runs, and gives what it gives beside what it made
    /// durable. A panic of it is no failed round.
    pub(crate) fn alone<T>(&self, act: impl FnOnce() -> (Ticket, T)) -> T {
        let mut turns = self.lock();
        while turns.taken {
            turns = self.wait(turns);
        }
        turns.taken = true;
        drop(turns);
        let mut holding = Holding { group: self, durable: Some(Ticket::default()) };
        let (durable, value) = act();
        holding.durable = Some(durable);
        value
    }

    fn hold<E>(
        &self,
        mut turns: MutexGuard<'_, Turns>,
        round: impl FnOnce() -> Result<Ticket, E>,
    ) -> Result<(), E> {
        turns.taken = true;
        drop(turns);
        let mut holding = Holding { group: self, durable: None };
        self.gather();
        holding.durable = Some(round()?);
        Ok(())
    }

    /// Lets those whom the last round set free come with their next change, which is a matter of microseconds: a
    /// round for all of them takes little longer than one for half of them. Who is alone never waits, and
    /// nobody for others who do not come when they are let run.
    fn gather(&self) {
        let mut turns = self.lock();
        while turns.accepted < turns.expected {
            let accepted = turns.accepted;
            drop(turns);
            yield_now();
            turns = self.lock();
            if turns.accepted == accepted {
                return;
            }
        }
    }

    fn wait<'a>(&self, turns: MutexGuard<'a, Turns>) -> MutexGuard<'a, Turns> {
        self.round_ended.wait(turns).unwrap_or_else(PoisonError::into_inner)
    }

    /// No statement that holds the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a round, also one that panics: as one that failed.
struct Holding<'a> {
    group: &'a Group,
    durable: Option<Ticket>,
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        let mut turns = self.group.lock();
        turns.taken = false;
        match self.durable {
            Some(durable) => {
                let freed = durable.0.saturating_sub(turns.durable.0);
                turns.durable = turns.durable.max(durable);
                turns.expected = Ticket(turns.accepted.0.saturating_add(freed));
            }
            None => turns.failed = true,
        }
        drop(turns);
        self.group.round_ended.notify_all();
    }
}

#[cfg(all(test, loom))]
mod explored;
