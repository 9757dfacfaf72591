//! Who listens, and what they were told.
//!
//! A teller holds a lock for as long as it takes to put an event into each queue, never while somebody takes one out and
//! looks at it. Knows the engine only to compare its head with the one told last.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use hypercore_log::Log;

use super::event::{EVENTS_MAX, Event};

/// Those who listen to one log.
#[derive(Default)]
pub(crate) struct Hub {
    /// How many there are, so that telling nobody costs one look.
    listening: AtomicUsize,
    told: Mutex<Told>,
}

/// Who is told, and what all of them know of the log.
#[derive(Default)]
struct Told {
    listeners: Vec<Arc<Listener>>,
    closed: bool,
    length: u64,
    /// Bytes as stored.
    byte_length: u64,
    fork: u64,
    /// That it is known who may sign.
    manifest: bool,
}

impl Hub {
    /// Whether anybody listens.
    pub(crate) fn is_listened_to(&self) -> bool {
        // With the fence in `listen`: who changed the log before it looks here is seen by a listener that it does not see.
        fence(Ordering::SeqCst);
        self.listening.load(Ordering::Relaxed) > 0
    }

    /// Lets somebody of a session listen to `log`; without a log, which was closed, there is nothing to hear.
    pub(crate) fn listen(&self, session: usize, log: Option<&Log>) -> Arc<Listener> {
        let listener = Arc::new(Listener { session, inbox: Mutex::default() });
        let mut told = self.lock();
        let Some(log) = log.filter(|_| !told.closed) else {
            listener.end();
            return listener;
        };
        self.listening.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        told.look_at(log);
        let Told { length, byte_length, fork, .. } = *told;
        listener.push(Event::Ready { length, byte_length, fork });
        told.listeners.push(Arc::clone(&listener));
        listener
    }

    /// Lets go of a listener.
    pub(crate) fn leave(&self, listener: &Arc<Listener>) {
        self.let_go(|other| Arc::ptr_eq(other, listener));
    }

    /// A session has ended: those who listen for it hear so.
    pub(crate) fn end_session(&self, session: usize) {
        if self.is_listened_to() {
            self.let_go(|listener| listener.session == session).iter().for_each(|it| it.end());
        }
    }

    /// The log is closed: everybody hears so.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.let_go(|_| true).iter().for_each(|listener| listener.end());
    }

    /// Tells what became of the log since it was looked at last.
    pub(crate) fn look_at(&self, log: &Log) {
        self.lock().look_at(log);
    }

    /// Tells everybody.
    pub(crate) fn tell(&self, event: Event) {
        self.lock().tell(event);
    }

    fn let_go(&self, which: impl Fn(&Arc<Listener>) -> bool) -> Vec<Arc<Listener>> {
        let mut told = self.lock();
        let gone: Vec<_> = told.listeners.extract_if(.., |listener| which(listener)).collect();
        self.listening.fetch_sub(gone.len(), Ordering::Relaxed);
        gone
    }

    /// What was told is changed in single steps, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn tell(&self, event: Event) {
        let Some((last, others)) = self.listeners.split_last() else { return };
        others.iter().for_each(|listener| listener.push(event.clone()));
        last.push(event);
    }

    fn look_at(&mut self, log: &Log) {
        let moved = log.moved_since(self.fork);
        let head = moved.head;
        if let Some(kept) = moved.kept {
            self.length = kept.min(self.length);
            self.tell(Event::Truncated { length: self.length, fork: head.fork });
        }
        if head.length > self.length {
            let (length, byte_length) = (head.length, head.byte_length);
            self.tell(Event::Appended { length, byte_length });
        }
        (self.length, self.byte_length, self.fork) = (head.length, head.byte_length, head.fork);
        if !self.manifest && log.manifest().is_some() {
            self.manifest = true;
            self.tell(Event::Manifest);
        }
    }
}

/// One who listens.
pub(crate) struct Listener {
    /// For which session; only told apart.
    session: usize,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    events: VecDeque<Event>,
    /// Events that were dropped before the oldest of these.
    missed: u64,
    ended: bool,
    waker: Option<Waker>,
}

impl Listener {
    /// Nothing comes any more, and that is the last event.
    pub(crate) fn end(&self) {
        self.put(|inbox| {
            if !std::mem::replace(&mut inbox.ended, true) {
                inbox.push(Event::Closed);
            }
        });
    }

    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut inbox = self.lock();
        if inbox.missed > 0 {
            return Poll::Ready(Some(Event::Lagged { missed: std::mem::take(&mut inbox.missed) }));
        }
        match inbox.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if inbox.ended => Poll::Ready(None),
            None => {
                // Memory that a burst has taken.
                inbox.events.shrink_to(16);
                match &mut inbox.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    fn push(&self, event: Event) {
        self.put(|inbox| {
            if !inbox.ended {
                inbox.push(event);
            }
        });
    }

    fn put(&self, put: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.lock();
        put(&mut inbox);
        let waker = inbox.waker.take();
        // Whoever wakes takes the event at once.
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Events are moved in and out in single steps, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    fn push(&mut self, event: Event) {
        if self.events.len() >= EVENTS_MAX {
            let dropped = match self.events.pop_front() {
                Some(Event::Lagged { missed }) => missed,
                _ => 1,
            };
            self.missed = self.missed.saturating_add(dropped);
        }
        self.events.push_back(event);
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("listening", &self.listening).finish_non_exhaustive()
    }
}
