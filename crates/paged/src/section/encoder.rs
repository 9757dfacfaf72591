//! Writing a section, entry by entry.

use std::fmt;
use std::io::Write;
use std::marker::PhantomData;

use crate::encoder::pages_from;
use crate::{EncodeOnHeap, Heap, LayoutError, Section, WriteError};

/// Writes the entries of one section. Dropped without [`end`](Self::end), it leaves pages that no
/// handle names.
#[must_use = "a section has a handle when it is ended"]
pub struct Encoder<'a, 'h, W, T> {
    encoder: &'a mut crate::Encoder<W>,
    heap: &'h mut Heap,
    page_offset: u32,
    per_page: u32,
    entry_count: u32,
    /// Entries that the page being written still has room for.
    room: u32,
    /// No value may put anything on the heap.
    heap_stays: bool,
    entry: PhantomData<fn(&T)>,
}

impl<'a, 'h, W, T> Encoder<'a, 'h, W, T> {
    pub(crate) const fn new(
        encoder: &'a mut crate::Encoder<W>,
        heap: &'h mut Heap,
        page_offset: u32,
        per_page: u32,
    ) -> Self {
        Self {
            encoder,
            heap,
            page_offset,
            per_page,
            entry_count: 0,
            room: per_page,
            heap_stays: false,
            entry: PhantomData,
        }
    }

    /// Refuses values that put something on the heap.
    pub(crate) const fn keep_heap(&mut self) {
        self.heap_stays = true;
    }

    pub(crate) const fn page_offset(&self) -> u32 {
        self.page_offset
    }

    /// Entries written.
    #[must_use]
    pub const fn entry_count(&self) -> u32 {
        self.entry_count
    }

    /// Pages that have at least one entry.
    #[must_use]
    pub const fn page_count(&self) -> u32 {
        // Of at least one entry: checked when the section was begun.
        match self.per_page {
            0 => 0,
            per_page => self.entry_count.div_ceil(per_page),
        }
    }

    /// The heap that entries put what varies on.
    pub const fn heap(&mut self) -> &mut Heap {
        self.heap
    }
}

impl<W: Write, T> Encoder<'_, '_, W, T> {
    /// Appends an entry.
    ///
    /// # Errors
    /// [`WriteError::TooManyEntries`] or [`WriteError::Layout`] when the section is as large as a
    /// handle can tell; [`WriteError::EntrySize`] when `value` does not write as many bytes as its
    /// type says; [`WriteError::Value`] and others when `value` cannot be stored: in all these cases section and heap are as they
    /// were and go on. What the output meets poisons the encoder.
    #[inline]
    pub fn push<C>(&mut self, context: &C, value: &T) -> Result<(), WriteError>
    where
        T: EncodeOnHeap<C>,
    {
        self.check_room()?;
        let heap_len = self.heap.len();
        if let Err(error) = self.encode(context, value) {
            self.heap.cut(heap_len);
            return Err(error);
        }
        self.encoder.complete();
        self.entry_count = self.entry_count.saturating_add(1);
        self.room = self.room.saturating_sub(1);
        if self.room == 0 {
            self.encoder.align()?;
            self.room = self.per_page;
        }
        self.encoder.write_if_full()
    }

    /// Puts an entry into the buffer, where it is not complete.
    #[inline]
    fn encode<C>(&mut self, context: &C, value: &T) -> Result<(), WriteError>
    where
        T: EncodeOnHeap<C>,
    {
        let heap_len = self.heap.len();
        let buffer = self.encoder.buffer();
        let before = buffer.len();
        buffer.reserve(T::ENCODED_SIZE as usize);
        value.encode_on_heap(context, self.heap, buffer).map_err(WriteError::of_value)?;
        let written = buffer.len().saturating_sub(before);
        if written != T::ENCODED_SIZE as usize {
            let written = written as u64;
            return Err(WriteError::EntrySize { expected: T::ENCODED_SIZE, written });
        }
        if self.heap_stays && self.heap.len() != heap_len {
            return Err(WriteError::NoHeap);
        }
        Ok(())
    }

    /// Completes the last page and returns the handle.
    ///
    /// # Errors
    /// What the output meets; [`WriteError::Poisoned`] after it has failed.
    pub fn end(self) -> Result<Section<T>, WriteError> {
        self.encoder.align()?;
        Ok(Section::new(self.page_offset, self.entry_count))
    }

    /// `true` when the handle can count one more entry, and the file number its page.
    #[inline]
    fn check_room(&self) -> Result<(), WriteError> {
        if self.entry_count == u32::MAX {
            return Err(WriteError::TooManyEntries);
        }
        let page_is_new = self.room == self.per_page;
        if page_is_new && u64::from(self.page_count()) >= pages_from(self.page_offset) {
            return Err(LayoutError::PastLastPage.into());
        }
        Ok(())
    }
}

impl<W, T> fmt::Debug for Encoder<'_, '_, W, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("page_offset", &self.page_offset)
            .field("entry_count", &self.entry_count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To write that many would take minutes.
    #[test]
    fn a_section_ends_where_its_handle_cannot_count_on() {
        let mut encoder = crate::Encoder::new(Vec::new(), 4096);
        let mut heap = Heap::new();
        let mut section = encoder.begin_section::<u8>(&mut heap).unwrap();
        section.entry_count = u32::MAX - 1;
        section.push(&(), &1).unwrap();
        let refused = section.push(&(), &2).unwrap_err();
        assert!(matches!(refused, WriteError::TooManyEntries), "{refused}");
        assert_eq!(section.end().unwrap().entry_count(), u32::MAX);
    }
}
