//! What others put into a connection: messages from the workers of its logs, orders from its handle.
//!
//! One lock for all of it, taken once by a worker for everything it has made in one go. Who puts
//! something in never waits: how much may be put in is asked for [beforehand](Mailbox::room). Knows
//! nothing of streams and logs.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Bytes of messages that wait in a mailbox. Whoever answers a peer stops there, until the peer has
/// read some of it.
pub(crate) const MAIL_LEN_MAX: usize = 512 * 1024;

/// What stays of an empty queue, in messages.
const KEPT_CAPACITY: usize = 16;

/// A message on its way out.
pub(crate) struct Mail<M> {
    pub(crate) message: M,
    /// About how many bytes it takes.
    pub(crate) len: usize,
}

struct Inner<M, O> {
    waker: Option<Waker>,
    mail: VecDeque<Mail<M>>,
    mail_len: usize,
    orders: VecDeque<O>,
    /// The connection must look again before it sleeps.
    nudged: bool,
    /// Somebody was told of little room, and must hear of it when there is more.
    starved: bool,
    /// The connection is gone: nobody will take anything out.
    gone: bool,
}

pub(crate) struct Mailbox<M, O>(Mutex<Inner<M, O>>);

impl<M, O> Mailbox<M, O> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inner {
            waker: None,
            mail: VecDeque::new(),
            mail_len: 0,
            orders: VecDeque::new(),
            nudged: false,
            starved: false,
            gone: false,
        }))
    }

    /// Bytes that may be put in now. Who is told of little hears of more.
    pub(crate) fn room(&self) -> usize {
        self.lock().room()
    }

    /// Puts messages in and wakes the connection. Gives the room that is left.
    pub(crate) fn post(&self, mail: impl IntoIterator<Item = Mail<M>>) -> usize {
        let mut inner = self.lock();
        if inner.gone {
            return 0;
        }
        for mail in mail {
            inner.mail_len = inner.mail_len.saturating_add(mail.len);
            inner.mail.push_back(mail);
        }
        let room = inner.room();
        wake(inner);
        room
    }

    /// Gives the connection an order; `false` when it is gone.
    pub(crate) fn order(&self, order: O) -> bool {
        let mut inner = self.lock();
        if inner.gone {
            return false;
        }
        inner.orders.push_back(order);
        wake(inner);
        true
    }

    /// Has the connection look again whether it may go on.
    pub(crate) fn nudge(&self) {
        let mut inner = self.lock();
        inner.nudged = true;
        wake(inner);
    }

    /// The connection takes an order, oldest first.
    pub(crate) fn take_order(&self) -> Option<O> {
        self.lock().orders.pop_front()
    }

    /// The connection takes messages of some `len` bytes together into `taken`. Whether somebody waits
    /// for room that is there now.
    pub(crate) fn take_mail(&self, len: usize, taken: &mut Vec<Mail<M>>) -> bool {
        let mut inner = self.lock();
        let mut took = 0_usize;
        while took < len
            && let Some(mail) = inner.mail.pop_front()
        {
            took = took.saturating_add(mail.len);
            taken.push(mail);
        }
        inner.mail_len = inner.mail_len.saturating_sub(took);
        if inner.mail.is_empty() {
            inner.mail.shrink_to(KEPT_CAPACITY);
        }
        inner.mail_len <= MAIL_LEN_MAX / 2 && std::mem::take(&mut inner.starved)
    }

    /// The connection has nothing to do until `waker` is called; `false` when there is something.
    pub(crate) fn sleep(&self, waker: &Waker, takes_mail: bool) -> bool {
        let mut inner = self.lock();
        let nudged = std::mem::take(&mut inner.nudged);
        if nudged || !inner.orders.is_empty() || (takes_mail && !inner.mail.is_empty()) {
            return false;
        }
        match &mut inner.waker {
            Some(kept) => kept.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        true
    }

    /// Has `waker` called for whatever comes.
    pub(crate) fn watch(&self, waker: &Waker) {
        self.lock().waker = Some(waker.clone());
    }

    /// The connection ended. What is left is dropped, as is all that is put in later.
    pub(crate) fn abandon(&self) {
        let mut inner = self.lock();
        inner.gone = true;
        inner.waker = None;
        inner.mail_len = 0;
        let left = (std::mem::take(&mut inner.mail), std::mem::take(&mut inner.orders));
        drop(inner);
        // Orders may own handles whose drop comes back here.
        drop(left);
    }

    /// Everything is moved in and out in single steps, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Inner<M, O>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M, O> Inner<M, O> {
    fn room(&mut self) -> usize {
        let room = MAIL_LEN_MAX.saturating_sub(self.mail_len);
        self.starved |= room < MAIL_LEN_MAX / 2;
        room
    }
}

/// Wakes the connection, outside of the lock: it may run at once.
fn wake<M, O>(mut inner: MutexGuard<'_, Inner<M, O>>) {
    let waker = inner.waker.take();
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<M, O> fmt::Debug for Mailbox<M, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}
