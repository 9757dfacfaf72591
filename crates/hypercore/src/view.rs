//! What a session sees of the log, and what its writes change: every read and every change of a handle
//! goes through here.
//!
//! A [`View`] is chosen when a session is opened. A [`Viewed`] is the view with the open engine, for
//! the time of one call. Knows nothing of encryption, waiting and peers.

use std::ops::Range;

use hypercore_crypto::Hash;
use hypercore_log::{Cleared, Get, Head, Log, LogError};

use crate::shared::{LastSeen, Shared};

/// What a session sees. Cheap to clone: long calls take it along to their thread.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// The log as it is now.
    Live,
}

impl View {
    /// Whether it is the log itself, so that appends go through its queue and peers hear of changes.
    pub(crate) const fn is_live(&self) -> bool {
        match self {
            Self::Live => true,
        }
    }

    /// The numbers now, or those when the log was closed. Never waits for a call that is running.
    pub(crate) fn last_seen(&self, shared: &Shared) -> LastSeen {
        match self {
            Self::Live => shared.last_seen(),
        }
    }

    /// The view with the engine it reads from.
    pub(crate) const fn of<'a>(&'a self, log: &'a Log) -> Viewed<'a> {
        Viewed { log, view: self }
    }
}

/// A view and the open engine.
#[derive(Clone, Copy)]
pub(crate) struct Viewed<'a> {
    log: &'a Log,
    view: &'a View,
}

impl<'a> Viewed<'a> {
    /// The log itself, whatever is seen of it.
    pub(crate) const fn log(&self) -> &'a Log {
        self.log
    }

    pub(crate) fn head(&self) -> Head {
        match self.view {
            View::Live => self.log.head(),
        }
    }

    pub(crate) fn contiguous_length(&self) -> u64 {
        match self.view {
            View::Live => self.log.contiguous_length(),
        }
    }

    pub(crate) fn get(&self, index: u64) -> Result<Option<Vec<u8>>, LogError> {
        match self.view {
            View::Live => self.log.get(index),
        }
    }

    pub(crate) fn get_up_to(&self, index: u64, len_max: u64) -> Result<Get, LogError> {
        match self.view {
            View::Live => self.log.get_up_to(index, len_max),
        }
    }

    /// Refuses to wait for a block that can not become visible any more.
    pub(crate) fn awaits(&self, _index: u64) -> crate::error::Result<()> {
        match self.view {
            View::Live => Ok(()),
        }
    }

    pub(crate) fn has(&self, index: u64) -> bool {
        match self.view {
            View::Live => self.log.has(index),
        }
    }

    pub(crate) fn has_range(&self, blocks: Range<u64>) -> bool {
        match self.view {
            View::Live => self.log.has_range(blocks),
        }
    }

    pub(crate) fn stored_ranges(&self, blocks: Range<u64>, limit: usize) -> Vec<Range<u64>> {
        match self.view {
            View::Live => self.log.stored_ranges(blocks, limit),
        }
    }

    pub(crate) fn seek(&self, byte: u64, padding: u64) -> Result<Option<(u64, u64)>, LogError> {
        match self.view {
            View::Live => self.log.seek(byte, padding),
        }
    }

    pub(crate) fn tree_hash_at(&self, length: u64) -> Result<Hash, LogError> {
        match self.view {
            View::Live => self.log.tree_hash_at(length),
        }
    }

    pub(crate) fn clear(&self, blocks: Range<u64>) -> Result<Cleared, LogError> {
        match self.view {
            View::Live => self.log.clear(blocks),
        }
    }

    pub(crate) fn truncate(&self, length: u64, fork: Option<u64>) -> Result<(), LogError> {
        match self.view {
            View::Live => self.log.truncate(length, fork).map(drop),
        }
    }
}
