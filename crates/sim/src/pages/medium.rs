//! A page file on a simulated disk, as mappedpages wants it.
//!
//! A process that is killed takes its pager with it, which must not write any more: a [`Life`] ends all media that
//! were made for it.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mappedpages::Medium;
use random_access_storage::testing::Faults;
use random_access_storage::{Error, RandomAccess, SyncScope};

use crate::disk::{Disk, FaultyFile};

/// The name of the page file on its disk.
pub const FILE: &str = "pages";

/// Done once, in the next sync: what another thread does while somebody waits for the disk.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// A process: its media do nothing any more once it is over.
#[derive(Clone, Default)]
pub struct Life(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl Life {
    /// Begins.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends it, as `kill -9` does.
    pub fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }

    /// Does `what` in the next sync, before that reaches the disk.
    pub fn in_next_sync(&self, what: impl FnOnce() + Send + 'static) {
        *hold(&self.0.meanwhile) = Some(Box::new(what));
    }

    /// What was to be done in a sync and was not never will be.
    pub fn forget_what_waits(&self) {
        drop(hold(&self.0.meanwhile).take());
    }

    fn check(&self) -> io::Result<()> {
        if self.0.is_over.load(Ordering::Relaxed) {
            return Err(io::Error::other("this process was killed"));
        }
        Ok(())
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Life").field(&self.0.is_over).finish()
    }
}

/// The page file of a disk, as long as a [`Life`] lasts.
#[derive(Debug)]
pub struct PageFile {
    file: FaultyFile,
    life: Life,
}

impl PageFile {
    /// On `disk`, for the process `life`, with the calls failing that `faults` plan.
    #[must_use]
    pub fn new(disk: &Disk, life: &Life, faults: &Faults) -> Self {
        Self { file: disk.faulty_file(FILE, faults), life: life.clone() }
    }
}

impl Medium for PageFile {
    fn len(&self) -> io::Result<u64> {
        self.life.check()?;
        self.file.len().map_err(told)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.life.check()?;
        self.file.read_at(offset, into).map_err(told)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.life.check()?;
        self.file.write_at(offset, bytes).map_err(told)
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        self.life.check()?;
        if self.file.len().map_err(told)? >= len {
            return Ok(());
        }
        self.file.truncate(len).map_err(told)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.life.check()?;
        if self.file.len().map_err(told)? <= len {
            return Ok(());
        }
        self.file.truncate(len).map_err(told)
    }

    fn sync(&self) -> io::Result<()> {
        self.life.check()?;
        let meanwhile = hold(&self.life.0.meanwhile).take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        self.file.sync(SyncScope::Data).map_err(told)
    }
}

/// What the operating system would say.
fn told(error: Error) -> io::Error {
    match error {
        Error::Io { source, .. } => source,
        Error::OutOfBounds { .. } => io::ErrorKind::UnexpectedEof.into(),
        other => io::Error::other(other),
    }
}

fn hold<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
