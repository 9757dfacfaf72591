//! Folders of stores: which there are, and taking one away.
//!
//! Invariant: a folder is gone under its name at once or not at all; what is left of a removal that was cut
//! short carries the suffix [`REMOVED`], and the next removal of the same name takes it away.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use random_access_storage::Result;

use crate::open::{failed, folder_of, sync_folder};

/// What the name of a folder ends with while its files are taken away.
const REMOVED: &str = ".removed";

/// The names of the folders in `folder`, in no order; none when it is missing. Those that are being removed
/// are left out.
///
/// # Errors
/// [`Error::Io`](random_access_storage::Error::Io) when the system refuses.
pub fn folders_in(folder: impl AsRef<Path>) -> Result<Vec<OsString>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() && !is_removed(&entry.file_name()) {
            names.push(entry.file_name());
        }
    }
    Ok(names)
}

/// Removes a folder and all that is in it; whether there was one. Stores that are open in it stay usable until
/// they are dropped.
///
/// # Durability
/// The folder is gone for good on return. A crash before leaves it as it was, or gone.
///
/// # Errors
/// [`Error::Io`](random_access_storage::Error::Io) when the system refuses.
pub fn remove_folder(path: impl AsRef<Path>) -> Result<bool> {
    let path = std::path::absolute(path).map_err(failed)?;
    let aside = aside(&path);
    remove_all(&aside).map_err(failed)?;
    match fs::rename(&path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        renamed => renamed.map_err(failed)?,
    }
    sync_folder(&folder_of(&path)).map_err(failed)?;
    remove_all(&aside).map_err(failed)?;
    Ok(true)
}

/// Removes files of a folder in the order given; those that are missing are no error. One that is locked has to
/// be the caller's, and comes last: whoever opens it then finds it either locked or gone.
///
/// # Durability
/// They are gone for good on return. A crash before leaves the last ones.
///
/// # Errors
/// [`Error::Io`](random_access_storage::Error::Io) when the system refuses.
pub fn remove_files(folder: impl AsRef<Path>, names: &[&str]) -> Result<()> {
    let folder = folder.as_ref();
    for name in names {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(failed)?,
        }
    }
    match sync_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced.map_err(failed),
    }
}

/// Removes a folder that has nothing in it; whether there was one.
///
/// # Durability
/// It is gone for good on return.
///
/// # Errors
/// [`Error::Io`](random_access_storage::Error::Io) when the system refuses for another reason than that
/// something is in it.
pub fn remove_empty_folder(path: impl AsRef<Path>) -> Result<bool> {
    let path = std::path::absolute(path).map_err(failed)?;
    match fs::remove_dir(&path) {
        Ok(()) => sync_folder(&folder_of(&path)).map_err(failed).map(|()| true),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(failed(error)),
    }
}

fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(REMOVED);
    path.with_file_name(name)
}

fn is_removed(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(REMOVED.as_bytes())
}
