//! What happens to a log, as streams of events that nothing waits for.
//!
//! Each stream has a bounded queue of its own, so that who does not read loses events and nobody else does. What is told
//! of the log itself is told by comparing it with what was told before, so it is in order whoever changed it, and adds
//! up: [`Event::Ready`] and the changes after it are the log as it was at some moment. A writer looks at one counter when
//! nobody listens.

mod event;
mod hub;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

pub use event::{EVENTS_MAX, EXTENSION_LEN_MAX, Event, PeerId};

pub(crate) use event::Payloads;
pub(crate) use hub::{Hub, Listener};

use crate::encryption::Cipher;
use crate::handle::Hypercore;

impl Hypercore {
    /// What happens from now on to the log, and between it and its peers; first of all
    /// [`Event::Ready`] with the log as it is. Nothing waits for the events to be taken: who falls behind misses the
    /// oldest, and is told how many.
    ///
    /// The events are of this session: they end when it is closed. They do not keep it open.
    #[must_use]
    pub fn events(&self) -> Events {
        let (session, shared) = (self.session_ref(), self.shared());
        let id = Arc::as_ptr(session).addr();
        let is_closed = session.is_closed();
        let listener = if is_closed { shared.events().listen(id, None) } else { shared.listen(id) };
        if session.is_closed() {
            // It may have ended before it was known to listen.
            listener.end();
        }
        let (hub, cipher) = (Arc::clone(shared.events()), Arc::clone(session.cipher()));
        Events { hub, listener, cipher }
    }
}

/// The events of a log from the moment on at which it was asked for; see
/// [`Hypercore::events`](crate::Hypercore::events).
pub struct Events {
    hub: Arc<Hub>,
    listener: Arc<Listener>,
    cipher: Arc<Cipher>,
}

impl Events {
    /// The next event; `None` once the log is closed. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The same event in bytes of content.
    fn without_padding(&self, mut event: Event) -> Event {
        if let Event::Ready { length, byte_length, .. } | Event::Appended { length, byte_length } =
            &mut event
        {
            *byte_length = self.cipher.content_len(*byte_length, *length);
        }
        event
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let event = self.listener.poll_next(context);
        event.map(|event| event.map(|event| self.without_padding(event)))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.hub.leave(&self.listener);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
