//! Data of varying size: what entries refer to by offset and length.
//!
//! A [`Heap`] collects values while the sections that refer to them are written, and is added to
//! the file after them. Offsets are relative to the heap's first byte; values are neither aligned
//! nor shared. What a heap holds in memory is bounded when it is given somewhere to spill to.

mod encoder;
mod handles;
mod spool;

use std::fmt;
use std::io::{self, Read, Seek, Write};

pub use encoder::Encoder;
pub use handles::{Entry, HeapSection, Offset, WideEntry};
pub(crate) use spool::Spool;

use crate::{Encode, WriteError};

/// Values of varying size that are waiting to be written.
#[derive(Default)]
pub struct Heap {
    spool: Spool,
}

impl Heap {
    /// An empty heap that stays in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty heap that keeps at most `memory_limit` bytes and one value in memory and moves the
    /// rest to `spill`, from byte 0 on. A nameless temporary file does well.
    #[must_use]
    pub fn spilling(
        spill: impl Read + Write + Seek + Send + Sync + 'static,
        memory_limit: usize,
    ) -> Self {
        Self { spool: Spool::spilling(Box::new(spill), memory_limit) }
    }

    /// Bytes inserted.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.spool.len()
    }

    /// `true` before anything was inserted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes, unless some have been spilled.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.spool.in_memory()
    }

    /// Appends `value` and returns where it starts.
    ///
    /// # Errors
    /// [`WriteError::HeapFull`] (as the source of the [`io::Error`]) when it would start past byte
    /// 2^32; what `value` cannot store; what spilling meets. The heap is then as it was, but a
    /// heap that could not spill stays unusable.
    pub fn insert<C>(
        &mut self,
        context: &C,
        value: &(impl Encode<C> + ?Sized),
    ) -> io::Result<Offset> {
        let offset = Offset::new(u32::try_from(self.len()).map_err(|_| WriteError::HeapFull)?);
        self.spool.append(|output| value.encode(context, output))?;
        Ok(offset)
    }

    /// Appends `value`, wherever it starts, and returns that byte: for values that are referred to
    /// by eight bytes, see [`Wide`](crate::Wide).
    ///
    /// # Errors
    /// As [`Self::insert`], but the heap is never full.
    pub fn insert_wide<C>(
        &mut self,
        context: &C,
        value: &(impl Encode<C> + ?Sized),
    ) -> io::Result<u64> {
        let offset = self.len();
        self.spool.append(|output| value.encode(context, output))?;
        Ok(offset)
    }

    /// Pages of `page_len` bytes that the heap takes.
    #[must_use]
    pub const fn page_count(&self, page_len: u32) -> u64 {
        match page_len {
            0 => 0,
            _ => self.len().div_ceil(page_len as u64),
        }
    }

    /// Zeros that will follow it up to the end of its last page.
    #[must_use]
    pub const fn padding(&self, page_len: u32) -> u32 {
        let page_count = self.page_count(page_len);
        #[expect(clippy::cast_possible_truncation, reason = "smaller than a page")]
        let padding = page_count.wrapping_mul(page_len as u64).wrapping_sub(self.len()) as u32;
        if page_count == 0 { 0 } else { padding }
    }

    pub(crate) fn into_spool(self) -> Spool {
        self.spool
    }

    /// Takes back what a value has inserted after `len` bytes, as far as it was not spilled.
    pub(crate) fn cut(&mut self, len: u64) {
        self.spool.cut(len);
    }
}

impl From<Spool> for Heap {
    fn from(spool: Spool) -> Self {
        Self { spool }
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("len", &self.len()).finish_non_exhaustive()
    }
}
