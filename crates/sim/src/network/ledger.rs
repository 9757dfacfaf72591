//! The requests of one direction of a connection, kept at both ends: each is answered exactly once.
//!
//! # Source
//! wire.md sections 7.6 and 7.7.

use std::collections::BTreeSet;

/// Requests that may be in flight to one peer.
pub(super) const IN_FLIGHT_MAX: usize = 256;

/// Requests as the side sees them that asks.
#[derive(Debug, Default)]
pub(super) struct Asked {
    open: BTreeSet<u64>,
}

impl Asked {
    /// A request goes out.
    pub(super) fn request(&mut self, id: u64) -> Result<(), String> {
        if id != 0 && !self.open.insert(id) {
            return Err(format!("request {id} is asked again while it is in flight"));
        }
        if self.open.len() > IN_FLIGHT_MAX {
            return Err(format!("{} requests are in flight", self.open.len()));
        }
        Ok(())
    }

    /// A request is withdrawn, or its answer came in.
    pub(super) fn end(&mut self, id: u64) {
        self.open.remove(&id);
    }

    /// Requests that nobody answered.
    pub(super) const fn open(&self) -> &BTreeSet<u64> {
        &self.open
    }
}

/// Requests as the side sees them that answers.
#[derive(Debug, Default)]
pub(super) struct Answering {
    open: BTreeSet<u64>,
    /// Withdrawn, perhaps when the answer was on its way.
    cancelled: BTreeSet<u64>,
}

impl Answering {
    /// A request came in. The same id again replaces it.
    pub(super) fn request(&mut self, id: u64) {
        if id != 0 {
            self.open.insert(id);
            self.cancelled.remove(&id);
        }
    }

    /// It was withdrawn.
    pub(super) fn cancel(&mut self, id: u64) {
        if self.open.remove(&id) {
            self.cancelled.insert(id);
        }
    }

    /// An answer goes out.
    pub(super) fn answer(&mut self, id: u64) -> Result<(), String> {
        if id == 0 || self.open.remove(&id) || self.cancelled.remove(&id) {
            return Ok(());
        }
        Err(format!("an answer to request {id}, which is none or answered already"))
    }

    /// Requests that were not answered.
    pub(super) const fn open(&self) -> &BTreeSet<u64> {
        &self.open
    }
}
