//! A medium that fails on demand, for tests.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Medium, MemoryMedium};

/// A medium in memory with a size limit, whose calls fail from one on.
#[derive(Debug)]
pub(crate) struct FaultyMedium {
    inner: MemoryMedium,
    /// Bytes there is room for.
    pub(crate) room: AtomicU64,
    /// Changing calls and syncs that succeed before all fail.
    pub(crate) calls: AtomicU64,
    /// Reads that succeed before all fail.
    pub(crate) reads: AtomicU64,
    /// Syncs that there were.
    pub(crate) syncs: AtomicU64,
}

impl FaultyMedium {
    pub(crate) fn new() -> Self {
        Self {
            inner: MemoryMedium::new(),
            room: u64::MAX.into(),
            calls: u64::MAX.into(),
            reads: u64::MAX.into(),
            syncs: 0.into(),
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.inner.to_vec()
    }
}

fn take(from: &AtomicU64) -> io::Result<()> {
    let taken = from.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    // What a failing disk says.
    taken.map(|_| ()).map_err(|_| io::Error::from_raw_os_error(5))
}

impl Medium for FaultyMedium {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        take(&self.reads)?;
        self.inner.read_at(offset, into)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        take(&self.calls)?;
        self.inner.write_at(offset, bytes)
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        take(&self.calls)?;
        if len > self.room.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.grow(len)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        take(&self.calls)?;
        self.inner.cut(len)
    }

    fn sync(&self) -> io::Result<()> {
        take(&self.calls)?;
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.inner.sync()
    }
}
