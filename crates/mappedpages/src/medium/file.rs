//! A file as a medium.
//!
//! Invariants: whoever may write has the exclusive lock, for as long as the value lives; every
//! write, sync and change of length but the reserving goes through `std`, so tests can stand in between.
#![expect(clippy::disallowed_methods, reason = "this is where a pager gets its file")]

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use super::{Medium, no_room, space};
use crate::error::MappedPageError;

/// Turns taken to open what is at a path before giving up; reached only when others put new files
/// there all the time.
const TURNS_MAX: usize = 16;

/// Whether the space of a file is reserved before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// It is: a full disk is an error where the file grows.
    Reserved,
    /// It is not, so that a test can make a file larger than the disk. A full disk ends a process
    /// that stores into such a file's map.
    Sparse,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct FileMedium {
    file: File,
    pub(super) space: Space,
}

impl FileMedium {
    /// Opens the file at `path` to be written, locks it, and reserves the space of all of it.
    ///
    /// # Errors
    /// `Locked` when another has it open to be written, `Full` when it has holes for which there is no
    /// space, else `Io`.
    pub(crate) fn open(path: &Path, space: Space) -> Result<Self, MappedPageError> {
        for _ in 0..TURNS_MAX {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            is_regular(&file)?;
            lock(&file)?;
            // Another may have put a new file at the path between the two steps.
            if is_at(&file, path)? {
                let medium = Self { file, space };
                if space == Space::Reserved {
                    space::reserve(&medium.file).map_err(no_room)?;
                }
                return Ok(medium);
            }
        }
        Err(MappedPageError::Locked)
    }

    /// Opens the file at `path` to be read only; takes no lock.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn open_read_only(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).open(path)?;
        is_regular(&file)?;
        Ok(Self { file, space: Space::Sparse })
    }

    /// Takes a file that was just made, and locks it.
    pub(super) fn from_new(file: File, space: Space) -> Result<Self, MappedPageError> {
        lock(&file)?;
        Ok(Self { file, space })
    }

    /// Says whether this file is still the one at `path`.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn is_at(&self, path: &Path) -> io::Result<bool> {
        is_at(&self.file, path)
    }

    /// The file, for whoever maps it. What is written through it is written beside every check here.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// Takes the exclusive lock without waiting for it.
fn lock(file: &File) -> Result<(), MappedPageError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => MappedPageError::Locked,
        TryLockError::Error(source) => MappedPageError::Io(source),
    })
}

/// Refuses pipes, devices and folders, which have no length to rely on.
fn is_regular(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

/// Says whether `file` is what is at `path`.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Medium for FileMedium {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        let len_now = self.len()?;
        if len <= len_now {
            return Ok(());
        }
        if i64::try_from(len).is_err() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        match self.space {
            Space::Reserved => space::grow(&self.file, len_now, len),
            Space::Sparse => self.file.set_len(len),
        }
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        if len >= self.len()? {
            return Ok(());
        }
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between opening and locking another pager upgrades the file, which puts a new one at the path.
    #[test]
    fn an_open_file_that_lost_its_name_is_not_taken_for_the_one_that_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "old").unwrap();
        let old = File::open(&path).unwrap();
        assert!(is_at(&old, &path).unwrap());
        std::fs::write(folder.path().join("new"), "new").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert!(!is_at(&old, &path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&old, &path).unwrap());
    }
}
