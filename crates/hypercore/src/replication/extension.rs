//! Messages of an application beside the log, to peers that know the same name.

use std::sync::Arc;

use bytes::Bytes;

use super::exchange::{self, Command};
use super::link::LinkKey;
use crate::error::Result;
use crate::events::{Event, Events, PeerId};
use crate::handle::Hypercore;

/// Messages under one name; see [`Hypercore::extension`]. What is sent is not stored, not proven, and
/// lost when the peer goes away before it arrived.
#[derive(Debug)]
pub struct Extension {
    log: Hypercore,
    name: Arc<str>,
    events: Events,
}

impl Extension {
    pub(crate) fn new(log: Hypercore, name: &str) -> Self {
        let events = log.events();
        Self { log, name: name.into(), events }
    }

    /// Sends a message to one peer, if it is still there.
    pub fn send(&self, peer: PeerId, payload: impl Into<Bytes>) {
        let command = Command::Extension(LinkKey(peer.0), Arc::clone(&self.name), payload.into());
        exchange::push(self.log.shared(), command);
    }

    /// Sends a message to all peers that are there now.
    ///
    /// # Errors
    /// `Closed`.
    pub async fn broadcast(&self, payload: impl Into<Bytes>) -> Result<()> {
        let payload = payload.into();
        for peer in self.log.peers().await? {
            self.send(peer.info().id, payload.clone());
        }
        Ok(())
    }

    /// The next message of a peer. Messages wait with all other [events](Hypercore::events) of the log:
    /// who falls behind misses some. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<(PeerId, Bytes)> {
        loop {
            match self.events.next().await? {
                Event::Extension { peer, name, payload } if name == self.name => {
                    return Some((peer, payload));
                }
                _ => {}
            }
        }
    }
}
