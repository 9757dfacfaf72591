//! [`Encoder`]: the plain form, pages one after the other with nothing around them.
//!
//! Entries are encoded into a buffer and written in pieces of [`BUFFER_LEN`], so memory does not
//! grow with the number of entries and an entry costs no system call. Padding is written as zeros:
//! what an older file holds in its place never shows through. A value that cannot be stored leaves
//! no trace; an output that fails poisons the encoder.

use std::io::Write;
use std::ops::Deref;

use crate::layout::{Layout, PAGE_COUNT_MAX};
use crate::{
    EncodeOnHeap, EncodeSized, Heap, HeapSection, LayoutError, Section, WriteError, heap, section,
};

/// Bytes that are collected before they are written.
const BUFFER_LEN: usize = 256 * 1024;

/// Writes sections and heaps, one after the other, to `output`.
///
/// The first page starts where `output` stands when the first bytes are written: write a header of
/// your own before, or seek past the room for one and fill it in when the handles are known.
#[derive(Debug)]
#[must_use = "what is not ended may not have been written"]
pub struct Encoder<W> {
    output: W,
    page_len: u32,
    buffer: Vec<u8>,
    /// Bytes of the buffer that belong to whole values. What follows was left by one that failed.
    complete: usize,
    /// Bytes handed to `output`.
    written: u64,
    failed: bool,
}

impl<W> Encoder<W> {
    /// Pages of `page_len` bytes. Pages of 0 bytes are refused by what is written on them first.
    pub const fn new(output: W, page_len: u32) -> Self {
        Self { output, page_len, buffer: Vec::new(), complete: 0, written: 0, failed: false }
    }

    /// Bytes of a page.
    #[must_use]
    pub const fn page_len(&self) -> u32 {
        self.page_len
    }

    /// Bytes since the first page.
    const fn position(&self) -> u64 {
        self.written.saturating_add(self.complete as u64)
    }

    pub(crate) const fn layout(&self) -> Result<Layout, LayoutError> {
        Layout::new(self.page_len, 0)
    }

    /// The buffer, without what a value that failed has left in it.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.buffer.truncate(self.complete);
        &mut self.buffer
    }

    /// What is in the buffer belongs to a whole value.
    pub(crate) const fn complete(&mut self) {
        self.complete = self.buffer.len();
    }
}

impl<W: Write> Encoder<W> {
    /// Begins a section of entries of `T`, which put what varies on `heap`.
    ///
    /// # Errors
    /// [`WriteError::Layout`] when an entry takes no bytes or does not fit a page, or no page is
    /// left; [`WriteError::Poisoned`] after the output has failed.
    pub fn begin_section<'h, T: EncodeSized>(
        &mut self,
        heap: &'h mut Heap,
    ) -> Result<section::Encoder<'_, 'h, W, T>, WriteError> {
        let layout = self.layout()?;
        let page = self.next_page()?;
        let section = layout.section(page, 0, T::ENCODED_SIZE)?;
        Ok(section::Encoder::new(self, heap, page, section.entries_per_page()))
    }

    /// Writes a section of what `items` refer to.
    ///
    /// # Errors
    /// As [`Self::begin_section`] and [`section::Encoder::push`].
    pub fn section_from_iter<I: IntoIterator>(
        &mut self,
        heap: &mut Heap,
        items: I,
    ) -> Result<Section<<I::Item as Deref>::Target>, WriteError>
    where
        I::Item: Deref,
        <I::Item as Deref>::Target: Sized + EncodeOnHeap,
    {
        self.section_from_iter_with(heap, &(), items)
    }

    /// Writes a section of what `items` refer to, with a context.
    ///
    /// # Errors
    /// As [`Self::begin_section`] and [`section::Encoder::push`].
    pub fn section_from_iter_with<I: IntoIterator, C>(
        &mut self,
        heap: &mut Heap,
        context: &C,
        items: I,
    ) -> Result<Section<<I::Item as Deref>::Target>, WriteError>
    where
        I::Item: Deref,
        <I::Item as Deref>::Target: Sized + EncodeOnHeap<C>,
    {
        let mut section = self.begin_section(heap)?;
        for item in items {
            section.push(context, &*item)?;
        }
        section.end()
    }

    /// Writes a heap that was collected while sections were written.
    ///
    /// # Errors
    /// [`WriteError::Layout`] when there are not enough pages left, and what the output meets.
    pub fn add_heap(&mut self, heap: Heap) -> Result<HeapSection, WriteError> {
        let mut written = self.begin_heap()?;
        let len = heap.len();
        written.check_room(len)?;
        heap.into_spool().drain(|bytes| written.put(bytes))?;
        written.end()
    }

    /// Begins a heap whose values are written at once, for sections that follow it.
    ///
    /// # Errors
    /// As [`Self::begin_section`].
    pub fn begin_heap(&mut self) -> Result<heap::Encoder<'_, W>, WriteError> {
        self.layout()?;
        let page = self.next_page()?;
        Ok(heap::Encoder::new(self, page))
    }

    /// Writes what is still in memory and gives back the output, which stands after the last page.
    ///
    /// # Durability
    /// None: syncing is for whoever knows what the output is.
    ///
    /// # Errors
    /// What the output meets; [`WriteError::Poisoned`] after it has failed.
    pub fn end(mut self) -> Result<W, WriteError> {
        self.align()?;
        self.write_buffer()?;
        Ok(self.output)
    }

    /// Pages written so far. What follows starts on the page of this number.
    ///
    /// # Errors
    /// [`WriteError::Layout`] for pages of 0 bytes; what the output meets.
    pub(crate) fn page_count(&mut self) -> Result<u64, WriteError> {
        let layout = self.layout()?;
        self.align()?;
        Ok(layout.pages_of(self.position()))
    }

    /// The page that comes next, after filling up that of a section or heap that was not ended.
    fn next_page(&mut self) -> Result<u32, WriteError> {
        if self.failed {
            return Err(WriteError::Poisoned);
        }
        let page = self.page_count()?;
        Ok(u32::try_from(page).map_err(|_| LayoutError::PastLastPage)?)
    }

    /// Completes the current page with zeros.
    pub(crate) fn align(&mut self) -> Result<(), WriteError> {
        let mut left = match self.layout() {
            Ok(layout) => layout.padding_after(self.position()) as usize,
            // Nothing was written on pages of 0 bytes.
            Err(_) => 0,
        };
        while left > 0 {
            let part = left.min(BUFFER_LEN);
            let buffer = self.buffer();
            let len = buffer.len().saturating_add(part);
            buffer.resize(len, 0);
            self.complete();
            self.write_if_full()?;
            left = left.saturating_sub(part);
        }
        Ok(())
    }

    /// Writes the buffer when there is enough in it.
    #[inline]
    pub(crate) fn write_if_full(&mut self) -> Result<(), WriteError> {
        if self.complete >= BUFFER_LEN { self.write_buffer() } else { Ok(()) }
    }

    /// Writes bytes that are not worth a copy into the buffer.
    pub(crate) fn write_through(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if bytes.len() < BUFFER_LEN {
            self.buffer().extend_from_slice(bytes);
            self.complete();
            return self.write_if_full();
        }
        self.write_buffer()?;
        self.write(|output| output.write_all(bytes), bytes.len())
    }

    fn write_buffer(&mut self) -> Result<(), WriteError> {
        self.buffer.truncate(self.complete);
        let buffer = std::mem::take(&mut self.buffer);
        self.complete = 0;
        self.write(|output| output.write_all(&buffer), buffer.len())?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut W) -> std::io::Result<()>,
        len: usize,
    ) -> Result<(), WriteError> {
        if self.failed {
            return Err(WriteError::Poisoned);
        }
        if let Err(error) = write(&mut self.output) {
            self.failed = true;
            return Err(WriteError::Io(error));
        }
        self.written = self.written.saturating_add(len as u64);
        Ok(())
    }
}

/// Pages that may follow page `page`, itself included.
pub(crate) const fn pages_from(page: u32) -> u64 {
    PAGE_COUNT_MAX.saturating_sub(page as u64)
}
