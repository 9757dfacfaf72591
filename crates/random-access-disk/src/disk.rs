//! The store.

use std::path::{Path, PathBuf};

use random_access_storage::{RandomAccess, Result, SyncScope};

use crate::Builder;

/// A store in one file.
#[derive(Debug)]
pub struct RandomAccessDisk {
    path: PathBuf,
}

impl RandomAccessDisk {
    /// Starts the options for the file at `path`.
    pub fn builder(path: impl Into<PathBuf>) -> Builder {
        Builder::new(path.into())
    }

    pub(crate) fn open_with(builder: Builder) -> Result<Self> {
        Ok(Self { path: builder.path })
    }

    /// The path it was opened with.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl RandomAccess for RandomAccessDisk {
    fn read_at(&self, _: u64, _: &mut [u8]) -> Result<()> {
        Ok(())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn discard(&self, _: u64, _: u64) -> Result<()> {
        Ok(())
    }
    fn truncate(&self, _: u64) -> Result<()> {
        Ok(())
    }
    fn len(&self) -> Result<u64> {
        Ok(0)
    }
    fn sync(&self, _: SyncScope) -> Result<()> {
        Ok(())
    }
}
