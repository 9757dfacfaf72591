//! A store that writes down which calls it was given.

use std::io::IoSlice;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::hold;
use crate::{RandomAccess, Result, SyncScope};

/// A call on a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// `read_at` or `read_vec_at`.
    Read {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
    /// `write_at`, or `write_vectored_at` with its buffers put together.
    Write {
        /// First byte.
        offset: u64,
        /// The bytes.
        data: Vec<u8>,
    },
    /// `discard`.
    Discard {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
    /// `truncate`.
    Truncate {
        /// Length wanted.
        len: u64,
    },
    /// `sync`.
    Sync(SyncScope),
}

/// One line of a [`Journal`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Name of the store, as given to [`Recording::new`].
    pub store: &'static str,
    /// What was asked of it.
    pub call: Call,
    /// Whether it was done.
    pub succeeded: bool,
}

/// Calls on one or more [`Recording`] stores, in the order in which they ended; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Vec<Recorded>>>);

impl Journal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was recorded so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Recorded> {
        hold(&self.0).clone()
    }

    /// What was recorded since the journal was last taken or cleared.
    #[must_use]
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut *hold(&self.0))
    }
}

/// Passes calls on to the store inside and records them; questions about lengths are not.
#[derive(Clone, Debug)]
pub struct Recording<S> {
    name: &'static str,
    store: S,
    journal: Journal,
}

impl<S: RandomAccess> Recording<S> {
    /// Wraps `store`, to be called `name` in `journal`.
    pub fn new(name: &'static str, store: S, journal: &Journal) -> Self {
        Self { name, store, journal: journal.clone() }
    }

    fn record<T>(&self, call: Call, result: Result<T>) -> Result<T> {
        let entry = Recorded { store: self.name, call, succeeded: result.is_ok() };
        hold(&self.journal.0).push(entry);
        result
    }
}

impl<S: RandomAccess> RandomAccess for Recording<S> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len() as u64;
        self.record(Call::Read { offset, len }, self.store.read_at(offset, buffer))
    }

    fn read_vec_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let call = Call::Read { offset, len: len as u64 };
        self.record(call, self.store.read_vec_at(offset, len))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let call = Call::Write { offset, data: data.to_vec() };
        self.record(call, self.store.write_at(offset, data))
    }

    fn write_vectored_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> Result<()> {
        let data = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        let call = Call::Write { offset, data };
        self.record(call, self.store.write_vectored_at(offset, buffers))
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.record(Call::Discard { offset, len }, self.store.discard(offset, len))
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.record(Call::Truncate { len }, self.store.truncate(len))
    }

    fn len(&self) -> Result<u64> {
        self.store.len()
    }

    fn sync(&self, scope: SyncScope) -> Result<()> {
        self.record(Call::Sync(scope), self.store.sync(scope))
    }

    fn stored_len(&self) -> Result<u64> {
        self.store.stored_len()
    }

    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        self.store.next_stored(offset)
    }
}
