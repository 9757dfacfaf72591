//! A medium that counts, fails, runs full and runs hooks.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use mappedpages::{Medium, MemoryMedium};

/// Bytes in memory that can be told to fail.
#[derive(Default)]
pub(crate) struct Watched {
    bytes: MemoryMedium,
    syncs: AtomicU64,
    writes: AtomicU64,
    fails_syncs: AtomicBool,
    fails_writes: AtomicBool,
    /// Longest length that there is room for; 0: any.
    room: AtomicU64,
    on_sync: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl Watched {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    pub(crate) fn holding(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { bytes: MemoryMedium::from(bytes), ..Self::default() })
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }

    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn fail_syncs(&self, fails: bool) {
        self.fails_syncs.store(fails, Ordering::SeqCst);
    }

    pub(crate) fn fail_writes(&self, fails: bool) {
        self.fails_writes.store(fails, Ordering::SeqCst);
    }

    pub(crate) fn limit(&self, len: u64) {
        self.room.store(len, Ordering::SeqCst);
    }

    pub(crate) fn on_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.on_sync.lock().unwrap() = Some(Arc::new(hook));
    }
}

impl Medium for Watched {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.bytes.read_at(offset, into)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        if self.fails_writes.load(Ordering::SeqCst) {
            return Err(io::Error::other("a write that fails"));
        }
        self.bytes.write_at(offset, bytes)
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        let room = self.room.load(Ordering::SeqCst);
        if room != 0 && len > room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.grow(len)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.bytes.cut(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        let hook = self.on_sync.lock().unwrap().clone();
        if let Some(hook) = hook {
            hook();
        }
        if self.fails_syncs.load(Ordering::SeqCst) {
            return Err(io::Error::other("a sync that fails"));
        }
        Ok(())
    }
}
