//! The directory of a backup.
//!
//! The oplog is what makes a directory a log, so it gets its name last, when everything is on stable storage. Until then it is called
//! [`UNFINISHED`], and carries a lock that keeps other backups away.

use std::path::Path;

use hypercore_log::{BackupProgress, BackupReport, Log, LogError, Stores};
use random_access_disk::{Create, Lock, RandomAccessDisk, is_vacant, name_file, remove_draft};
use random_access_storage::RandomAccess;

use crate::error::{Error, Result};

/// What the oplog of a backup is called before the backup is complete.
pub(crate) const UNFINISHED: &str = "oplog.unfinished";

/// The files beside the oplog.
const OTHERS: [&str; 4] = ["header", "tree", "bitfield", "data"];

/// Copies the log into a directory that has nothing in it.
pub(super) fn write(
    log: &Log,
    directory: &Path,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<BackupReport> {
    let vacant = is_vacant(directory).map_err(|error| Error::storage("backup", error))?;
    if !vacant {
        return Err(Error::not_empty(directory));
    }
    let stores = open(directory)?;
    let report = log.backup_with(stores, progress).inspect_err(|error| {
        if !matches!(error, LogError::TargetNotEmpty { .. }) {
            clean_up(directory, &OTHERS);
        }
        clean_up(directory, &[UNFINISHED]);
    })?;
    name_file(directory.join(UNFINISHED), directory.join("oplog")).map_err(|error| {
        clean_up(directory, &[UNFINISHED]);
        Error::storage("oplog", error)
    })?;
    Ok(report)
}

fn open(directory: &Path) -> Result<Stores> {
    let open = |name: &'static str| -> Result<Box<dyn RandomAccess>> {
        let builder = RandomAccessDisk::builder(directory.join(name));
        let builder = match name {
            UNFINISHED => builder.secret(true).lock(Lock::Exclusive),
            "header" => builder.secret(true).create(Create::OnFirstWrite),
            _ => builder.create(Create::OnFirstWrite),
        };
        Ok(Box::new(builder.open().map_err(|error| Error::storage(name, error))?))
    };
    let oplog = open(UNFINISHED)?;
    let [header, tree, bitfield, data] = OTHERS;
    Ok(Stores {
        oplog,
        header: open(header)?,
        tree: open(tree)?,
        bitfield: open(bitfield)?,
        data: open(data)?,
    })
}

/// Takes away what a backup that failed has written. What can not be taken away says by its name what it is.
fn clean_up(directory: &Path, names: &[&str]) {
    for name in names {
        if let Err(error) = remove_draft(directory.join(name)) {
            tracing::warn!(%error, name, "a file of a failed backup is left");
        }
    }
}
