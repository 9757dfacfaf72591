//! A file that has its name only when it is complete.
//!
//! It is written under another name in the same folder, synced, and then linked to its own, which
//! either happens or does not. What a process that was killed leaves behind is a file whose name
//! starts with a dot and ends in `.partial`, never half a container.
#![expect(clippy::disallowed_methods, reason = "this is where a container gets its file")]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a name that one with a number in it is made of; names have 255 at most.
const NAME_LEN_KEPT: usize = 200;

/// A file that is being written and has no name of its own yet.
#[derive(Debug)]
pub struct PendingFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    replace: bool,
}

impl PendingFile {
    pub(super) fn create(path: &Path, replace: bool) -> io::Result<Self> {
        if !replace && fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // What ends as a folder does would be refused in the end, when all is written.
        let is_folder = path.as_os_str().as_encoded_bytes().last().is_some_and(is_separator);
        let name = path.file_name().filter(|_| !is_folder).ok_or(io::ErrorKind::InvalidInput)?;
        // A file system has no longer name for what its name leaves no room for.
        let name = if name.len() > NAME_LEN_KEPT { OsStr::new("paged") } else { name };
        let (file, temporary) = create_beside(folder_of(path), name, ".partial")?;
        let pending = Self { file, temporary, path: path.to_owned(), replace };
        if !replace {
            pending.require_links()?;
        }
        Ok(pending)
    }

    /// Refuses a file system without hard links now, instead of when everything is written.
    fn require_links(&self) -> io::Result<()> {
        let mut link = self.temporary.clone().into_os_string();
        link.push(".link.partial");
        fs::hard_link(&self.temporary, &link).map_err(|error| {
            let words = "the folder has no hard links, without which a new file might take the place of another";
            io::Error::new(error.kind(), format!("{words}: {error}"))
        })?;
        fs::remove_file(link)
    }

    /// Gives the file its name.
    pub(super) fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        if self.replace {
            fs::rename(&self.temporary, &self.path)?;
        } else {
            // Unlike a rename, a link never takes the place of what is there.
            fs::hard_link(&self.temporary, &self.path)?;
            fs::remove_file(&self.temporary)?;
        }
        sync_folder(folder_of(&self.path))
    }

    /// Where scratch files that belong to it may be.
    pub(super) fn folder(&self) -> PathBuf {
        folder_of(&self.path).to_owned()
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        // After it was published there is nothing of that name; otherwise nobody needs it. A
        // failure leaves a file that does no harm.
        drop(fs::remove_file(&self.temporary));
    }
}

/// Room for what does not fit into memory: a file without a name, made when first written to.
#[derive(Debug)]
pub(super) struct ScratchFile {
    folder: PathBuf,
    file: Option<File>,
}

impl ScratchFile {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder, file: None }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let (file, path) = create_beside(&self.folder, OsStr::new("paged"), ".scratch")?;
            // Where a file in use cannot be removed it stays behind, under a name that says so.
            drop(fs::remove_file(path));
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Read for ScratchFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file()?.read(into)
    }
}

impl Write for ScratchFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}

impl Seek for ScratchFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file()?.seek(to)
    }
}

fn is_separator(byte: &u8) -> bool {
    std::path::is_separator(char::from(*byte))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Creates a file with a name that nobody else has.
fn create_beside(folder: &Path, name: &OsStr, suffix: &str) -> io::Result<(File, PathBuf)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{number}{suffix}", process::id()));
        let path = folder.join(temporary);
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            // Left by a process that had the same number and was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((file, path)),
        }
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder is no file that could be synced.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
