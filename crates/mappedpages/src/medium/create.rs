//! Making a file that is whole from the moment it has its name.
//!
//! Invariant: a name is given only to a file that was written, synced and locked; so a process that
//! ends half way leaves nothing under the name. Knows nothing of what is written.
#![expect(clippy::disallowed_methods, reason = "this is where a pager gets its file")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{FileMedium, Space};
use crate::error::MappedPageError;

impl FileMedium {
    /// Makes a file that `fill` writes, and gives it the name `path`, which nothing may have yet.
    ///
    /// # Durability
    /// What `fill` wrote and the name survive a power cut on return.
    ///
    /// # Errors
    /// `Io` of kind `AlreadyExists` when something has the name, also when it got it meanwhile; what
    /// `fill` says; else `Io`. Nothing is left then, unless it was the sync of the folder that failed.
    pub(crate) fn create(
        path: &Path,
        space: Space,
        fill: impl FnOnce(&Self) -> Result<(), MappedPageError>,
    ) -> Result<Self, MappedPageError> {
        if path.symlink_metadata().is_ok() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        let nameless = unnamed(&folder_of(path))?;
        Self::create_from(nameless, path, space, fill)
    }

    /// Makes it from a file that has no name yet, or, where there are no such files, from one beside it.
    pub(super) fn create_from(
        nameless: Option<File>,
        path: &Path,
        space: Space,
        fill: impl FnOnce(&Self) -> Result<(), MappedPageError>,
    ) -> Result<Self, MappedPageError> {
        let (file, name) = match nameless {
            Some(file) => (file, None),
            None => named(path).map(|(file, name)| (file, Some(name)))?,
        };
        let made = Self::from_new(file, space).and_then(|medium| {
            fill(&medium)?;
            medium.file().sync_all()?;
            match &name {
                Some(name) => fs::hard_link(name, path)?,
                None => link(medium.file(), path)?,
            }
            Ok(medium)
        });
        if let Some(name) = name {
            let removed = fs::remove_file(name);
            if made.is_ok() {
                removed?;
            }
        }
        let medium = made?;
        sync_folder(&folder_of(path))?;
        Ok(medium)
    }

    /// Makes a file that `fill` writes and puts it in the place of this one, which has the name
    /// `path`. This one stays locked until it is dropped.
    ///
    /// # Durability
    /// A power cut leaves the old file or the new one under the name; the new one once this has
    /// returned.
    ///
    /// # Errors
    /// What `fill` says; `Unavailable` when it keeps the new file; else `Io`. The old file is then still
    /// there, unless the last sync of the folder failed.
    pub(crate) fn replace(
        &self,
        path: &Path,
        fill: impl FnOnce(&Arc<Self>) -> Result<(), MappedPageError>,
    ) -> Result<Self, MappedPageError> {
        let (file, name) = named(path)?;
        let made = Self::from_new(file, self.space).and_then(|medium| {
            let medium = Arc::new(medium);
            fill(&medium)?;
            // Whoever maps a file relies on being the only one to write to it.
            let medium = Arc::into_inner(medium).ok_or(MappedPageError::Unavailable)?;
            medium.file().set_permissions(self.file().metadata()?.permissions())?;
            medium.file().sync_all()?;
            fs::rename(&name, path)?;
            Ok(medium)
        });
        if made.is_err() {
            // The first error says more than that of the removal.
            let _ = fs::remove_file(&name);
        }
        let medium = made?;
        sync_folder(&folder_of(path))?;
        Ok(medium)
    }
}

/// Makes a file without a name in `folder`; `None` where the file system has no such files.
fn unnamed(folder: &Path) -> io::Result<Option<File>> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Mode, OFlags};
        use rustix::io::Errno;

        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666)) {
            // File systems, and kernels, that do not know of such files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
            // The name is given through there.
            Ok(_) if !Path::new("/proc/self/fd").is_dir() => Ok(None),
            opened => Ok(Some(opened?.into())),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        Ok(None)
    }
}

/// Gives a file without a name the name `path`.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD};
    use std::os::fd::AsRawFd as _;

    let at = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok(rustix::fs::linkat(CWD, &at, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn link(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a file beside `path` under a name that nobody else uses.
fn named(path: &Path) -> io::Result<(File, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    };
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(format!(".new-{}-{count}", std::process::id()));
        let beside = folder_of(path).join(beside);
        match OpenOptions::new().read(true).write(true).create_new(true).open(&beside) {
            Ok(file) => return Ok((file, beside)),
            // Left by a process that ended between making and naming.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// The folder that names `path`.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Folders of some file systems can not be synced, and some may be used but not listed; there
        // is nothing more to be done.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}
