//! The store: positions to system calls.
//!
//! Invariants: the file, once open, is never replaced; `opening` is held by whoever looks for it
//! or makes it, so concurrent first writers end up with one file and one lock. The length is
//! asked of the file each time.

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use random_access_storage::{Error, Operation, RandomAccess, Result, SyncScope};
use rustix::buffer::spare_capacity;

use crate::{Access, Builder, Create, hole, open};

/// Longest file: offsets are signed in the kernel.
const LEN_MAX: u64 = i64::MAX as u64;

/// Largest allocation made before asking the file whether the bytes are there.
const READ_UNASKED_LEN_MAX: usize = 64 * 1024;

/// Buffers that one vectored write may have (`IOV_MAX`).
const BUFFERS_MAX: usize = 1024;

/// The largest write in bytes that is begun before its sync: above, the transfer itself is what takes time.
#[cfg(target_os = "linux")]
const BEGIN_SYNC_LEN_MAX: u64 = 256 * 1024;

/// Size of a block in the kernel's block count.
const STAT_BLOCK_LEN: u64 = 512;

/// A store in one file.
///
/// Dropping it gives the lock back and syncs nothing.
#[derive(Debug)]
pub struct RandomAccessDisk {
    options: Builder,
    file: OnceLock<File>,
    opening: Mutex<()>,
    /// Folders to be synced with the next sync.
    folders: Mutex<Vec<PathBuf>>,
}

impl RandomAccessDisk {
    /// Starts the options for the file at `path`.
    pub fn builder(path: impl Into<PathBuf>) -> Builder {
        Builder::new(path.into())
    }

    /// Opens the file at `path` for reading and writing, without a lock, and makes it when it is
    /// missing.
    ///
    /// # Durability
    /// As [`Builder::open`]: a file made here survives power loss after the first sync.
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::builder(path).open()
    }

    /// A store in a file without a name, in a folder that exists. The file is made by the first write,
    /// readable by its owner alone, and is gone with the store, whatever ends the process.
    ///
    /// # Errors
    /// [`Error::Io`] when there is no working directory that `folder` could be relative to.
    pub fn anonymous(folder: impl Into<PathBuf>) -> Result<Self> {
        let mut options = Builder::new(folder.into()).create(Create::OnFirstWrite);
        options.anonymous = true;
        Self::open_with(options)
    }

    pub(crate) fn open_with(mut options: Builder) -> Result<Self> {
        // A later change of the working directory must not move the file.
        options.path = std::path::absolute(&options.path)
            .map_err(|source| Error::io(Operation::Open, 0, 0, source))?;
        let store = Self {
            options,
            file: OnceLock::new(),
            opening: Mutex::new(()),
            folders: Mutex::new(Vec::new()),
        };
        let create = store.options.create;
        if create == Create::Now && store.options.access == Access::ReadWrite {
            store.writable(Operation::Open)?;
        } else if store.readable()?.is_none() && create == Create::Never {
            return Err(Error::NotFound);
        }
        Ok(store)
    }

    /// The path of the file, made absolute when it was opened; that of its folder when it has no name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.options.path
    }

    /// The file, or none while it is missing.
    fn readable(&self) -> Result<Option<&File>> {
        if let Some(file) = self.file.get() {
            return Ok(Some(file));
        }
        let _guard = hold(&self.opening);
        match self.file.get() {
            Some(file) => Ok(Some(file)),
            None => Ok(open::existing(&self.options)?.map(|opened| self.keep(opened))),
        }
    }

    /// The file, made when it is missing.
    fn writable(&self, operation: Operation) -> Result<&File> {
        if self.options.access == Access::ReadOnly {
            return Err(Error::ReadOnly { operation });
        }
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let _guard = hold(&self.opening);
        match self.file.get() {
            Some(file) => Ok(file),
            None => Ok(self.keep(open::existing_or_new(&self.options)?)),
        }
    }

    /// Keeps what was opened while `opening` was held.
    fn keep(&self, opened: open::Opened) -> &File {
        hold(&self.folders).extend(opened.folders);
        self.file.get_or_init(|| opened.file)
    }

    fn out_of_bounds(&self, offset: u64, len: usize) -> Error {
        match self.len() {
            Ok(end) => Error::OutOfBounds { offset, len: len as u64, end },
            Err(error) => error,
        }
    }
}

impl RandomAccess for RandomAccessDisk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len();
        let last = offset.checked_add(len as u64).filter(|last| *last <= LEN_MAX);
        let (Some(last), Some(file)) = (last, self.readable()?) else {
            // A missing file is an empty store, of which nothing can be read.
            return match (offset, len) {
                (0, 0) => Ok(()),
                _ => Err(self.out_of_bounds(offset, len)),
            };
        };
        let mut rest = buffer;
        let mut position = offset;
        while !rest.is_empty() {
            match file.read_at(rest, position) {
                Ok(0) => {
                    // Unless it has grown since the read, the end is the reason.
                    let end = len_of(file)?;
                    if end < last {
                        return Err(Error::OutOfBounds { offset, len: len as u64, end });
                    }
                }
                Ok(count) => {
                    position = position.saturating_add(count as u64);
                    rest = rest.get_mut(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::io(Operation::Read, offset, len as u64, source));
                }
            }
        }
        if len == 0 && offset > len_of(file)? {
            return Err(self.out_of_bounds(offset, len));
        }
        Ok(())
    }

    fn read_vec_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        if len <= READ_UNASKED_LEN_MAX {
            let mut buffer = vec![0; len];
            self.read_at(offset, &mut buffer)?;
            return Ok(buffer);
        }
        let end = self.len()?;
        let inside = offset.checked_add(len as u64).is_some_and(|last| last <= end);
        let (true, Some(file)) = (inside, self.readable()?) else {
            return Err(Error::OutOfBounds { offset, len: len as u64, end });
        };
        let failed = |source| Error::io(Operation::Read, offset, len as u64, source);
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(len).map_err(|_| failed(io::ErrorKind::OutOfMemory.into()))?;
        // Read into memory that nobody has to clear first.
        while buffer.len() < len {
            let position = offset.saturating_add(buffer.len() as u64);
            match rustix::io::pread(file, spare_capacity(&mut buffer), position) {
                Ok(0) => {
                    let end = len_of(file)?;
                    return Err(Error::OutOfBounds { offset, len: len as u64, end });
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        buffer.truncate(len);
        Ok(buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let len = data.len() as u64;
        if self.options.access == Access::ReadOnly {
            return Err(Error::ReadOnly { operation: Operation::Write });
        }
        if data.is_empty() {
            return Ok(());
        }
        check_fits(offset, len)?;
        let file = self.writable(Operation::Write)?;
        // Loops over short writes and interruptions.
        file.write_all_at(data, offset)
            .map_err(|source| Error::io(Operation::Write, offset, len, source))
    }

    fn write_vectored_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> Result<()> {
        if let [only] = buffers {
            return self.write_at(offset, only);
        }
        if self.options.access == Access::ReadOnly {
            return Err(Error::ReadOnly { operation: Operation::Write });
        }
        let len =
            buffers.iter().fold(0, |sum: u64, buffer| sum.saturating_add(buffer.len() as u64));
        if len == 0 {
            return Ok(());
        }
        check_fits(offset, len)?;
        let file = self.writable(Operation::Write)?;
        let failed = |source| Error::io(Operation::Write, offset, len, source);
        let mut copies: Vec<IoSlice<'_>> = buffers
            .iter()
            .filter(|buffer| !buffer.is_empty())
            .map(|buffer| IoSlice::new(buffer))
            .collect();
        let mut rest = copies.as_mut_slice();
        let mut position = offset;
        while !rest.is_empty() {
            let some = rest.get(..BUFFERS_MAX).unwrap_or(rest);
            match rustix::io::pwritev(file, some, position) {
                Ok(0) => return Err(failed(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    position = position.saturating_add(count as u64);
                    IoSlice::advance_slices(&mut rest, count);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        if self.options.access == Access::ReadOnly {
            return Err(Error::ReadOnly { operation: Operation::Discard });
        }
        let Some(file) = self.readable()? else {
            return Ok(());
        };
        let end = len_of(file)?;
        if len == 0 || offset >= end {
            return Ok(());
        }
        let stop = offset.saturating_add(len);
        let done = if stop >= end { file.set_len(offset) } else { hole::punch(file, offset..stop) };
        done.map_err(|source| Error::io(Operation::Discard, offset, len, source))
    }

    fn truncate(&self, len: u64) -> Result<()> {
        if self.options.access == Access::ReadOnly {
            return Err(Error::ReadOnly { operation: Operation::Truncate });
        }
        check_fits(0, len)?;
        if len == 0 && self.readable()?.is_none() {
            return Ok(());
        }
        self.writable(Operation::Truncate)?
            .set_len(len)
            .map_err(|source| Error::io(Operation::Truncate, 0, len, source))
    }

    fn len(&self) -> Result<u64> {
        self.readable()?.map_or(Ok(0), len_of)
    }

    /// Two files that are synced one after the other after this wait for little more than one of them:
    /// the kernel writes both at once, and one commit of the file system's journal covers both.
    #[cfg(target_os = "linux")]
    fn begin_sync(&self, offset: u64, len: u64) {
        use rustix::fs::{Advice, fadvise};

        let some = std::num::NonZeroU64::new(len).filter(|len| len.get() <= BEGIN_SYNC_LEN_MAX);
        if let (Some(len), Ok(Some(file))) = (some, self.readable()) {
            // The kernel starts to write what is dirty before it looks for what it may forget, and forgets
            // only what is clean. An error is of no use here: the sync reports what was not written.
            let _ = fadvise(file, offset, Some(len), Advice::DontNeed);
        }
    }

    fn sync(&self, scope: SyncScope) -> Result<()> {
        if self.options.access == Access::ReadOnly {
            return Ok(());
        }
        let Some(file) = self.readable()? else {
            return Ok(());
        };
        let failed = |source| Error::io(Operation::Sync, 0, 0, source);
        match scope {
            SyncScope::Data => file.sync_data(),
            _ => file.sync_all(),
        }
        .map_err(failed)?;
        // Held while syncing, so that no other caller is told it is done before it is.
        let mut folders = hold(&self.folders);
        for folder in folders.iter() {
            open::sync_folder(folder).map_err(failed)?;
        }
        folders.clear();
        Ok(())
    }

    fn stored_len(&self) -> Result<u64> {
        let Some(file) = self.readable()? else {
            return Ok(0);
        };
        let blocks = file.metadata().map_err(stat_failed)?.blocks();
        Ok(blocks.saturating_mul(STAT_BLOCK_LEN))
    }

    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        let Some(file) = self.readable()? else {
            return Ok(None);
        };
        hole::next_stored(file, offset, len_of(file)?)
            .map_err(|source| Error::io(Operation::Stat, offset, 0, source))
    }
}

fn len_of(file: &File) -> Result<u64> {
    Ok(file.metadata().map_err(stat_failed)?.len())
}

fn stat_failed(source: io::Error) -> Error {
    Error::io(Operation::Stat, 0, 0, source)
}

fn check_fits(offset: u64, len: u64) -> Result<()> {
    match offset.checked_add(len) {
        Some(last) if last <= LEN_MAX => Ok(()),
        _ => Err(Error::TooLarge { offset, len, max: LEN_MAX }),
    }
}

/// Nothing panics while these locks are held, so a poisoned one is as good as any.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
