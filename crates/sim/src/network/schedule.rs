//! Virtual time: what will happen, and when.
//!
//! Time passes only from one event to the next. Events of one moment come in the order in which they were put in, so
//! that a run is the same each time.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

/// Events in the order of their time.
#[derive(Debug)]
pub(super) struct Schedule<E> {
    now: Duration,
    count: u64,
    due: BinaryHeap<Reverse<Due<E>>>,
}

#[derive(Debug)]
struct Due<E> {
    at: Duration,
    number: u64,
    event: E,
}

impl<E> Due<E> {
    const fn order(&self) -> (Duration, u64) {
        (self.at, self.number)
    }
}

impl<E> PartialEq for Due<E> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl<E> Eq for Due<E> {}

impl<E> PartialOrd for Due<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Due<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl<E> Schedule<E> {
    /// Nothing is due, and no time has passed.
    pub(super) const fn new() -> Self {
        Self { now: Duration::ZERO, count: 0, due: BinaryHeap::new() }
    }

    /// The time of the last event that was taken.
    pub(super) const fn now(&self) -> Duration {
        self.now
    }

    /// Lets `event` happen at a time, at once if that has passed.
    pub(super) fn at(&mut self, at: Duration, event: E) {
        self.count += 1;
        self.due.push(Reverse(Due { at: at.max(self.now), number: self.count, event }));
    }

    /// Lets `event` happen after a while.
    pub(super) fn after(&mut self, delay: Duration, event: E) {
        self.at(self.now + delay, event);
    }

    /// The next event; its time is now.
    pub(super) fn next(&mut self) -> Option<E> {
        let Reverse(due) = self.due.pop()?;
        self.now = due.at;
        Some(due.event)
    }
}
