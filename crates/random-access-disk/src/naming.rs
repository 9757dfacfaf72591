//! A file that gets its name when it is complete: for what must not be taken for whole before it is.

use std::fs;
use std::io;
use std::path::Path;

use random_access_storage::Result;

use crate::open::{failed, folder_of, sync_folder};

/// Whether a folder has nothing in it, or is missing.
///
/// # Errors
/// [`Error::Io`](random_access_storage::Error::Io) when the system refuses, or it is not a folder.
pub fn is_vacant(folder: impl AsRef<Path>) -> Result<bool> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        entries => Ok(entries.map_err(failed)?.next().is_none()),
    }
}

/// Gives the file `from` the name `to`, which must be free, in the same folder. A store that is open on it stays usable.
///
/// # Durability
/// The name survives power loss on return, if the file does. A crash before leaves the one name or the other.
///
/// # Errors
/// [`Error::Io`](random_access_storage::Error::Io) when there is something called `to`, or the system refuses.
pub fn name_file(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let to = std::path::absolute(to).map_err(failed)?;
    rename_new(from.as_ref(), &to).map_err(failed)?;
    let folder = folder_of(&to);
    sync_folder(&folder).map_err(failed)?;
    sync_folder(&folder_of(&folder)).map_err(failed)
}

/// Takes away the draft of a file that will not be finished; one that is missing is no error.
///
/// # Errors
/// [`Error::Io`](random_access_storage::Error::Io) when the system refuses.
pub fn remove_draft(path: impl AsRef<Path>) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed),
    }
}

/// Renames without replacing anything.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;

        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // File systems, and kernels, that can not promise it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            renamed => return Ok(renamed?),
        }
    }
    match fs::symlink_metadata(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
    }
}
