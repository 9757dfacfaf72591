//! The bytes of a page file, read into buffers of the caller.
//!
//! Invariants: nothing here keeps a reference to the bytes of the file, so whoever else writes to it
//! changes nothing behind a reference; reading past the end is an answer and no error, because a
//! writer may cut the file at any time.

use std::io;
use std::sync::Arc;

use crate::error::MappedPageError;
use crate::medium::Medium;
use crate::pages::Pages;

/// Where bytes are read from.
pub(crate) trait Source {
    /// Bytes that there are.
    fn len(&self) -> Result<u64, MappedPageError>;

    /// Fills `into` with the bytes at `offset`. False when the range passes the end.
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<bool, MappedPageError>;

    /// The page with that number, of `page_len` bytes; `None` when it passes the end.
    fn page(&self, page: u64, page_len: usize) -> Result<Option<Vec<u8>>, MappedPageError> {
        let Some(offset) = page.checked_mul(page_len as u64) else { return Ok(None) };
        let mut content = vec![0; page_len];
        Ok(self.read(offset, &mut content)?.then_some(content))
    }
}

impl Source for Arc<dyn Medium> {
    fn len(&self) -> Result<u64, MappedPageError> {
        Ok(self.as_ref().len()?)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<bool, MappedPageError> {
        match self.read_at(offset, into) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl<const P: usize> Source for Pages<P> {
    fn len(&self) -> Result<u64, MappedPageError> {
        Ok(self.count().saturating_mul(P as u64))
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<bool, MappedPageError> {
        match self.read_bytes(offset, into) {
            Ok(()) => Ok(true),
            Err(MappedPageError::OutOfBounds) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
