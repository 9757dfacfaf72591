//! The memory map of a page file, and the only unsafe code of this crate.
//!
//! Invariants: the file is locked against every other writer for as long as the map lives, and is
//! reached through here only, where whatever changes or shortens it takes `&mut self`; so no
//! reference into the map lives while its bytes change. The map never covers more
//! than the file holds. Knows nothing of what the pages mean.
#![expect(
    unsafe_code,
    reason = "a map of a file is memory that others may change; a view of bytes as a page is a cast of references"
)]

use std::io;
use std::sync::Arc;

use memmap2::{MmapMut, MmapOptions};

use crate::medium::{FileMedium, Medium};
use crate::page::MappedPage;
use crate::pages::SyncHandle;

/// A file and the map of its first bytes.
#[derive(Debug)]
pub(crate) struct Map {
    // Shared only with handles that can do nothing but sync.
    file: Arc<FileMedium>,
    memory: MmapMut,
}

impl Map {
    /// Maps the first `len` bytes of `file`.
    pub(crate) fn new(file: FileMedium, len: u64) -> io::Result<Self> {
        let memory = map(&file, len)?;
        Ok(Self { file: Arc::new(file), memory })
    }

    /// Bytes that are mapped.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory
    }

    /// Bytes that are mapped, to be stored to. A store reaches the file at any time.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// Reads by a system call, so that a failing disk is an error and not the end of the process.
    pub(crate) fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, into)
    }

    /// Writes by a system call, so that a failing disk is an error; the map shows it at once.
    pub(crate) fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }

    /// Lengthens the file, with its space, and maps `len` bytes. On an error the old map stays.
    pub(crate) fn grow(&mut self, len: u64) -> io::Result<()> {
        self.file.grow(len)?;
        self.memory = map(&self.file, len)?;
        Ok(())
    }

    /// Maps `len` bytes and shortens the file to them. The map goes first: a look at a mapped page behind
    /// the end of its file would end the process.
    pub(crate) fn cut(&mut self, len: u64) -> io::Result<()> {
        self.memory = map(&self.file, len)?;
        self.file.cut(len)
    }

    /// Makes stores visible to a later sync of the file. Linux needs nothing for that: there a sync writes
    /// mapped pages too, elsewhere only `msync` does.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if cfg!(target_os = "linux") { Ok(()) } else { self.memory.flush() }
    }

    /// Gives what syncs the file without the map.
    pub(crate) fn sync_handle(&self) -> SyncHandle {
        let medium: Arc<dyn Medium> = Arc::<FileMedium>::clone(&self.file);
        SyncHandle::new(medium)
    }
}

/// Maps the first `len` bytes of `file`.
fn map(file: &FileMedium, len: u64) -> io::Result<MmapMut> {
    if len > file.len()? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut options = MmapOptions::new();
    options.len(len);
    // SAFETY: the mapped bytes must not change while a reference to them lives.
    // - Of this program, only `Map` reaches the file, and each of its methods that changes bytes takes `&mut
    //   self`, while `bytes` and `bytes_mut` borrow it; `SyncHandle` can only sync.
    // - `FileMedium` holds the exclusive lock of the file, so no other pager, of this or another process, has
    //   it open to be written; one that reads does not map it.
    // - Programs that ignore the lock are outside of what this crate can promise; its docs say so.
    unsafe { options.map_mut(file.file()) }
}

/// The view of `bytes`, which are one page or one sub-page.
pub(crate) fn view(bytes: &[u8]) -> &MappedPage {
    let page = std::ptr::from_ref(bytes) as *const MappedPage;
    // SAFETY: `MappedPage` is `repr(transparent)` over `[u8]`, so address, length, alignment and
    // validity are those of `bytes`; the lifetime and the sharing are those of the argument.
    unsafe { &*page }
}

/// The view of `bytes`, to be changed.
pub(crate) fn view_mut(bytes: &mut [u8]) -> &mut MappedPage {
    let page = std::ptr::from_mut(bytes) as *mut MappedPage;
    // SAFETY: as in `view`; the exclusive borrow is that of the argument.
    unsafe { &mut *page }
}
