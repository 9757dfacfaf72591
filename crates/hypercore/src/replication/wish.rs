//! What calls wait for: something of the log that is not here yet.
//!
//! A wish lives as long as the future that waits for it: dropping the future takes it back, and so does the
//! end of the session.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use flat_tree::Index;
use hypercore_replication::{Outcome, RangeWish, UpgradeWish};
use tokio::sync::oneshot;

use super::exchange::{self, Command};
use crate::error::{Error, Result};
use crate::handle::Hypercore;
use crate::shared::Shared;

/// Where the outcome of a wish goes. Dropped without one, the log was closed.
pub(crate) type Answer = oneshot::Sender<Result<Outcome>>;

/// Names a wish among those of one log; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WishKey(pub(crate) u64);

#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Block(u64),
    Range(RangeWish),
    Upgrade(UpgradeWish),
    Seek { byte: u64, padding: u64 },
    Node(Index),
}

/// The wishes of a session that have no outcome yet.
#[derive(Debug, Default)]
pub(crate) struct Wishes(Mutex<HashSet<WishKey>>);

impl Wishes {
    fn insert(&self, key: WishKey) {
        self.lock().insert(key);
    }

    fn remove(&self, key: WishKey) {
        self.lock().remove(&key);
    }

    /// Takes all of them back, for a session that has ended: who waits for one hears so.
    pub(crate) fn take_back(&self, shared: &Arc<Shared>) {
        for key in std::mem::take(&mut *self.lock()) {
            exchange::push(shared, Command::Cancel(key));
        }
    }

    /// Every change is one call, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, HashSet<WishKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wish that was made. Dropped before its end it is taken back.
#[derive(Debug)]
pub(crate) struct Pending {
    log: Hypercore,
    key: WishKey,
    answer: oneshot::Receiver<Result<Outcome>>,
    done: bool,
}

impl Pending {
    /// Wishes for something of `log`.
    pub(crate) fn new(log: &Hypercore, wish: Wish) -> Self {
        let key = WishKey(log.shared().exchange().next_key());
        let (sender, answer) = oneshot::channel();
        let wishes = log.session_ref().wishes();
        wishes.insert(key);
        // A log that was closed drops the sender.
        exchange::push(log.shared(), Command::Wish(key, wish, sender));
        if log.is_closed() {
            // The session may have taken its wishes back before this one was made.
            exchange::push(log.shared(), Command::Cancel(key));
        }
        Self { log: log.clone(), key, answer, done: false }
    }

    /// How it ended.
    pub(crate) async fn outcome(&mut self) -> Result<Outcome> {
        let outcome = (&mut self.answer).await;
        self.done = true;
        outcome.unwrap_or_else(|_| Err(Error::closed()))
    }

    /// Waits until it has ended, or `other` has: whether it was the wish.
    pub(crate) async fn outcome_or(&mut self, other: impl Future) -> Result<bool> {
        let (mut other, mut ended) = (pin!(other), pin!(self.outcome()));
        poll_fn(|context| match ended.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(outcome.map(|_| true)),
            Poll::Pending => other.as_mut().poll(context).map(|_| Ok(false)),
        })
        .await
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.log.session_ref().wishes().remove(self.key);
        if !self.done {
            exchange::push(self.log.shared(), Command::Cancel(self.key));
        }
    }
}
