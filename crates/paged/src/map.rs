//! The memory map of a file, and the only unsafe code of this crate.
//!
//! Invariant: the map covers bytes that the file had when it was made, is only read, and lives as
//! long as any reference into it. That the file is not changed meanwhile is the promise of whoever
//! maps it; see [`Map`]. Knows nothing of what the bytes mean.
#![expect(unsafe_code, reason = "a map of a file is memory that others may change")]

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

use crate::source::Source;

/// A file mapped into memory: reading an entry is a load, and a cache of ours is not needed.
///
/// # What the caller promises
/// Nobody changes or shortens the file while it is mapped. A file of this crate is written under
/// another name, renamed when it is whole and never touched again, and a later one takes its name
/// and not its place: such files keep the promise. A file that is shortened ends the process when
/// a lost page is read (`SIGBUS`), and one that is changed in place shows other bytes from one
/// moment to the next, against what the compiler was told. Where that cannot be excluded use a
/// [`FileSource`](crate::FileSource), for which both are errors.
#[derive(Debug)]
pub struct Map {
    /// `None` for a file without bytes, which cannot be mapped everywhere.
    memory: Option<Mmap>,
}

impl Map {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// What the file system meets.
    #[expect(clippy::disallowed_methods, reason = "one of the crates that open files")]
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(&File::open(path)?)
    }

    /// Maps `file`, which must be open for reading and may be closed afterwards.
    ///
    /// # Errors
    /// What the system meets.
    pub fn new(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self { memory: None });
        }
        // SAFETY: `Mmap::map` requires that the file is neither changed nor shortened while it is
        // mapped. Nothing here can: the map is private to `self` and only lent as `&[u8]`. For
        // everybody else it is what the documentation of `Map` has its user promise.
        let memory = unsafe { Mmap::map(file)? };
        Ok(Self { memory: Some(memory) })
    }
}

impl Source for Map {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.bytes().read_at(offset, into)
    }

    #[inline]
    fn in_memory(&self) -> Option<&[u8]> {
        Some(self.bytes())
    }
}

impl Map {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.memory.as_deref().unwrap_or_default()
    }
}
