//! Bytes that are appended now and written later, in bounded memory if there is somewhere to put
//! them in the meantime.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::WriteError;

/// Where a spool spills to.
pub(crate) trait Spill: Read + Write + Seek + Send + Sync {}

impl<S: Read + Write + Seek + Send + Sync> Spill for S {}

/// Bytes in the order in which they were appended.
#[derive(Default)]
pub(crate) struct Spool {
    /// The last bytes, all of them where nothing was spilled.
    tail: Vec<u8>,
    spilled_len: u64,
    spill: Option<Target>,
}

struct Target {
    file: Box<dyn Spill>,
    memory_limit: usize,
    failed: bool,
}

impl Spool {
    pub(crate) fn spilling(file: Box<dyn Spill>, memory_limit: usize) -> Self {
        let spill = Some(Target { file, memory_limit, failed: false });
        Self { tail: Vec::new(), spilled_len: 0, spill }
    }

    pub(crate) const fn len(&self) -> u64 {
        // Bytes of memory and of a file: far below 2^64.
        self.spilled_len.saturating_add(self.tail.len() as u64)
    }

    pub(crate) fn in_memory(&self) -> Option<&[u8]> {
        (self.spilled_len == 0).then_some(self.tail.as_slice())
    }

    /// Appends what `write` writes; nothing, when it fails.
    pub(crate) fn append<T>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.spill.as_ref().is_some_and(|spill| spill.failed) {
            return Err(WriteError::Poisoned.into());
        }
        let before = self.tail.len();
        let written = write(&mut self.tail).inspect_err(|_| self.tail.truncate(before))?;
        if let Some(spill) = &mut self.spill
            && self.tail.len() > spill.memory_limit
        {
            spill.failed = true;
            spill.file.seek(SeekFrom::Start(self.spilled_len))?;
            spill.file.write_all(&self.tail)?;
            spill.failed = false;
            self.spilled_len = self.len();
            self.tail.clear();
        }
        Ok(written)
    }

    /// Forgets what was appended after `len` bytes, as far as it was not spilled.
    pub(crate) fn cut(&mut self, len: u64) {
        let kept = len.saturating_sub(self.spilled_len);
        self.tail.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }

    /// Hands all bytes to `each` in order, a piece at a time.
    pub(crate) fn drain(
        self,
        mut each: impl FnMut(&[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        if let Some(mut spill) = self.spill {
            if spill.failed {
                return Err(WriteError::Poisoned);
            }
            let mut left = self.spilled_len;
            if left > 0 {
                spill.file.seek(SeekFrom::Start(0))?;
            }
            let mut piece = Vec::new();
            while left > 0 {
                let len = usize::try_from(left).map_or(PIECE_LEN, |left| left.min(PIECE_LEN));
                piece.resize(len, 0);
                spill.file.read_exact(&mut piece)?;
                each(&piece)?;
                left = left.saturating_sub(len as u64);
            }
        }
        each(&self.tail)
    }
}

/// Bytes that are read back at a time.
const PIECE_LEN: usize = 64 * 1024;

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("len", &self.len()).finish_non_exhaustive()
    }
}
