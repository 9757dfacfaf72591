//! A file behind positioned reads.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Source;

/// A file that is read by `pread`. No cursor and no lock: a clone is another handle of the same
/// open file, and all may read at once.
#[derive(Debug, Clone)]
pub struct FileSource {
    file: Arc<File>,
}

impl FileSource {
    /// Opens the file at `path` for reading.
    ///
    /// # Errors
    /// What the file system meets.
    #[expect(clippy::disallowed_methods, reason = "one of the crates that open files")]
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        File::open(path).map(Self::from)
    }
}

impl From<File> for FileSource {
    fn from(file: File) -> Self {
        Self { file: Arc::new(file) }
    }
}

impl Source for FileSource {
    fn len(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&*self.file, into, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&*self.file, into, offset);
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    into = into.get_mut(read..).unwrap_or_default();
                    offset = offset.saturating_add(read as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
