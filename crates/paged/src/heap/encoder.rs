//! Writing a heap at once, value by value, for the sections that follow it.

use std::fmt;
use std::io::{self, Write};

use crate::encoder::pages_from;
use crate::heap::{HeapSection, Offset};
use crate::{Encode, LayoutError, WriteError};

/// Writes the values of one heap. Nothing of it is kept in memory; the entries that refer to its
/// values hold what [`insert`](Self::insert) returns. Dropped without [`end`](Self::end), it
/// leaves pages that no handle names.
///
/// As an [`io::Write`] it takes bytes from elsewhere, [`len`](Self::len) before and after telling
/// where they are.
#[must_use = "a heap has a handle when it is ended"]
pub struct Encoder<'a, W> {
    encoder: &'a mut crate::Encoder<W>,
    page_offset: u32,
    len: u64,
}

impl<'a, W: Write> Encoder<'a, W> {
    pub(crate) const fn new(encoder: &'a mut crate::Encoder<W>, page_offset: u32) -> Self {
        Self { encoder, page_offset, len: 0 }
    }

    /// Bytes written: where the next value starts.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// `true` before anything was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends `value` and returns where it starts.
    ///
    /// # Errors
    /// [`WriteError::HeapFull`] when it would start past byte 2^32; otherwise as
    /// [`Self::insert_wide`].
    pub fn insert<C>(
        &mut self,
        context: &C,
        value: &(impl Encode<C> + ?Sized),
    ) -> Result<Offset, WriteError> {
        let offset = u32::try_from(self.len).map_err(|_| WriteError::HeapFull)?;
        self.insert_wide(context, value)?;
        Ok(Offset::new(offset))
    }

    /// Appends `value`, wherever it starts, and returns that byte.
    ///
    /// # Errors
    /// [`WriteError::Layout`] when no page is left, [`WriteError::Value`] and others when `value`
    /// cannot be stored: the heap is then as it was. What the output meets poisons the encoder.
    pub fn insert_wide<C>(
        &mut self,
        context: &C,
        value: &(impl Encode<C> + ?Sized),
    ) -> Result<u64, WriteError> {
        let offset = self.len;
        let buffer = self.encoder.buffer();
        let before = buffer.len();
        value.encode(context, buffer).map_err(WriteError::of_value)?;
        let written = buffer.len().saturating_sub(before) as u64;
        self.check_room(written)?;
        self.encoder.complete();
        self.len = self.len.saturating_add(written);
        self.encoder.write_if_full()?;
        Ok(offset)
    }

    /// Completes the last page and returns the handle.
    ///
    /// # Errors
    /// What the output meets; [`WriteError::Poisoned`] after it has failed.
    pub fn end(self) -> Result<HeapSection, WriteError> {
        let pages = self.encoder.layout()?.pages_of(self.len);
        self.encoder.align()?;
        let page_count = u32::try_from(pages).map_err(|_| LayoutError::PastLastPage)?;
        Ok(HeapSection { page_offset: self.page_offset, page_count })
    }

    /// Finds out whether `more` bytes have pages that can be numbered, and counted by the handle.
    pub(crate) fn check_room(&self, more: u64) -> Result<(), WriteError> {
        let pages = pages_from(self.page_offset).min(u64::from(u32::MAX));
        let needed = self.encoder.layout()?.pages_of(self.len.saturating_add(more));
        if needed > pages { Err(LayoutError::PastLastPage.into()) } else { Ok(()) }
    }

    /// Appends bytes as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.check_room(bytes.len() as u64)?;
        self.encoder.write_through(bytes)?;
        self.len = self.len.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

impl<W: Write> Write for Encoder<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes)?;
        Ok(bytes.len())
    }

    /// Does nothing: what is buffered is written when there is enough of it, or at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W> fmt::Debug for Encoder<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("page_offset", &self.page_offset)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
