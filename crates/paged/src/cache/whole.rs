//! All of a file in one piece, from when enough of it was asked for that reading the rest is worth it.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The part of a file that is asked for before all of it is read.
const SHARE: u64 = 8;

/// The bytes of a file that fits the cache.
pub(crate) struct Whole {
    bytes: OnceLock<Box<[u8]>>,
    /// Bytes that were read because they were not here.
    missed: AtomicU64,
    /// How many of them are enough.
    enough: u64,
}

impl Whole {
    /// Nothing yet of a file of `len` bytes.
    pub(super) const fn new(len: u64) -> Self {
        Self { bytes: OnceLock::new(), missed: AtomicU64::new(0), enough: len / SHARE }
    }

    /// All bytes, if they were read.
    #[inline]
    pub(crate) fn get(&self) -> Option<&[u8]> {
        self.bytes.get().map(|bytes| &**bytes)
    }

    /// Counts `len` bytes that were not here. `true` once: whoever is told so reads all.
    pub(super) fn is_due(&self, len: u64) -> bool {
        let before = self.missed.fetch_add(len, Ordering::Relaxed);
        before <= self.enough && before.saturating_add(len) > self.enough
    }

    pub(super) fn put(&self, bytes: Vec<u8>) {
        self.bytes.get_or_init(|| bytes.into_boxed_slice());
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_here = self.bytes.get().is_some();
        f.debug_struct("Whole").field("is_here", &is_here).finish_non_exhaustive()
    }
}
