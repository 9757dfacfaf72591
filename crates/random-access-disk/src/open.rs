//! Finding or making the file, and the folders whose entries must become durable for it.
//!
//! Invariants: a file is made with `O_EXCL`, so exactly one opener knows that it made it; no file that has
//! a name is unlinked or renamed but by who has its lock, so a locked file is the file at the path. Knows no positions.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use random_access_storage::{Error, Operation, Result};

use crate::{Access, Builder, lock};

/// Turns taken between opening and making before giving up; reached only when others make and
/// remove the file all the time.
const TURNS_MAX: usize = 16;

/// An open, locked file.
pub(crate) struct Opened {
    pub(crate) file: File,
    /// Folders to be synced before the file's name is durable, innermost first.
    pub(crate) folders: Vec<PathBuf>,
}

/// Opens the file when it is there.
pub(crate) fn existing(options: &Builder) -> Result<Option<Opened>> {
    if options.anonymous {
        return Ok(None);
    }
    match fs::metadata(&options.path) {
        // Asked before opening, since opening a pipe can block for ever.
        Ok(metadata) if !metadata.is_file() => {
            let what = if metadata.is_dir() {
                io::ErrorKind::IsADirectory.into()
            } else {
                io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
            };
            return Err(failed(what));
        }
        Ok(_) => {}
        // Taken for a missing file, it would read as empty until a write can not make it.
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_link(&options.path) => {
            let what = "a link to a file that is not there";
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, what)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let write = options.access == Access::ReadWrite;
    match OpenOptions::new().read(true).write(write).open(&options.path) {
        Ok(file) => {
            let Some(file) = locked(file, options)? else { return Ok(None) };
            let folders = if write { named_by(&options.path) } else { Vec::new() };
            Ok(Some(Opened { file, folders }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Locks an open file; `None` when whoever had the lock before removed the file.
fn locked(file: File, options: &Builder) -> Result<Option<File>> {
    lock::take(&file, options.lock, options.lock_kind)?;
    let is_there = file.metadata().map_err(failed)?.nlink() > 0;
    Ok(is_there.then_some(file))
}

/// Opens the file, and makes it and the folders above it when they are missing.
pub(crate) fn existing_or_new(options: &Builder) -> Result<Opened> {
    if options.anonymous {
        let file = anonymous(&options.path).map_err(failed)?;
        return Ok(Opened { file, folders: Vec::new() });
    }
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for _ in 0..TURNS_MAX {
        if let Some(opened) = existing(options)? {
            return Ok(opened);
        }
        let folders = make_folders(&options.path).map_err(failed)?;
        let mode = if options.secret { 0o600 } else { 0o666 };
        match OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&options.path)
        {
            Ok(file) => {
                lock::take(&file, options.lock, options.lock_kind)?;
                return Ok(Opened { file, folders });
            }
            // Another made it first, or removed a folder just made.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
                ) =>
            {
                last = error;
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Err(failed(last))
}

/// Makes a file without a name in `folder`.
fn anonymous(folder: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Mode, OFlags};
        use rustix::io::Errno;

        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
            // File systems, and kernels, that do not know of such files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {}
            opened => return Ok(opened?.into()),
        }
    }
    unlinked(folder)
}

/// Makes a file in `folder` and takes its name away.
fn unlinked(folder: &Path) -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".unnamed-{}-{count}", std::process::id()));
        match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            // Left by a process that ended between the two steps.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Syncs `folder`.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Folders of some file systems cannot be synced; there is nothing more to be done.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        // A folder that may be used but not listed.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// The folder of `path` and the one above it: whoever made them may have ended before syncing.
fn named_by(path: &Path) -> Vec<PathBuf> {
    let folder = folder_of(path);
    let above = folder_of(&folder);
    vec![folder, above]
}

/// Makes the missing folders above `path`; gives those to be synced for the name to be durable.
fn make_folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    let mut folder = folder_of(path);
    let mut sync = named_by(path);
    while !folder.exists() {
        let above = folder_of(&folder);
        if !sync.contains(&above) {
            sync.push(above.clone());
        }
        missing.push(std::mem::replace(&mut folder, above));
    }
    for folder in missing.iter().rev() {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(sync)
}

/// The folder that names `path`, which is absolute; the root names itself.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_path_buf()
}

pub(crate) fn failed(source: io::Error) -> Error {
    Error::io(Operation::Open, 0, 0, source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lock;

    /// A removal between opening a file and locking it.
    #[test]
    fn a_lock_on_a_removed_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let open = || OpenOptions::new().write(true).create(true).truncate(true).open(&path);
        let options = Builder::new(path.clone()).lock(Lock::Exclusive);
        assert!(locked(open().unwrap(), &options).unwrap().is_some());
        let file = open().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(locked(file, &options).unwrap().is_none());
    }

    #[test]
    fn a_file_loses_its_name_where_it_can_not_be_made_without_one() {
        let folder = tempfile::tempdir().unwrap();
        // What a process that ended too early left.
        for count in 0..64 {
            fs::write(folder.path().join(format!(".unnamed-{}-{count}", std::process::id())), "")
                .unwrap();
        }
        let left = fs::read_dir(folder.path()).unwrap().count();
        let file = unlinked(folder.path()).unwrap();
        assert_eq!(file.metadata().unwrap().nlink(), 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), left);
    }
}
