//! Writing one section or heap of a container: as in the plain form, and then its place in the table.

use std::fmt;
use std::io::{self, Write};

use super::checksums::Checksummed;
use super::format::{ItemKind, SectionItem};
use super::table::{HeapId, Table};
use crate::heap::Offset;
use crate::{Encode, EncodeOnHeap, Section, WriteError};

/// Writes the entries of one section of a container. Dropped without [`end`](Self::end), it leaves
/// pages that the table does not name.
#[must_use = "a section is in the table when it is ended"]
pub struct SectionWriter<'a, W, T> {
    section: crate::section::Encoder<'a, 'a, Checksummed<W>, T>,
    name: String,
    item: SectionItem,
    table: &'a mut Table,
}

impl<'a, W: Write, T> SectionWriter<'a, W, T> {
    pub(super) const fn new(
        section: crate::section::Encoder<'a, 'a, Checksummed<W>, T>,
        name: String,
        item: SectionItem,
        table: &'a mut Table,
    ) -> Self {
        Self { section, name, item, table }
    }

    /// Refuses values that put something on the heap.
    pub(super) const fn keep_heap(&mut self) {
        self.section.keep_heap();
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// As [`section::Encoder::push`](crate::section::Encoder::push); [`WriteError::NoHeap`] when
    /// `value` has something for a heap and the section none that is being collected.
    #[inline]
    pub fn push<C>(&mut self, context: &C, value: &T) -> Result<(), WriteError>
    where
        T: EncodeOnHeap<C>,
    {
        self.section.push(context, value)
    }

    /// Entries written.
    #[must_use]
    pub const fn entry_count(&self) -> u32 {
        self.section.entry_count()
    }

    /// Completes the last page and puts the section into the table. The handle is for entries of
    /// other sections.
    ///
    /// # Errors
    /// What the output meets; [`WriteError::Poisoned`] after it has failed.
    pub fn end(mut self) -> Result<Section<T>, WriteError> {
        let section = self.section.end()?;
        self.item.entry_count = section.entry_count();
        self.table.push(self.name, Some(ItemKind::Section(self.item)));
        Ok(section)
    }
}

impl<W, T> fmt::Debug for SectionWriter<'_, W, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SectionWriter").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Writes the values of one heap of a container. Dropped without [`end`](Self::end), it leaves
/// pages that the table does not name.
///
/// As an [`io::Write`] it takes bytes from elsewhere, [`len`](Self::len) before and after telling
/// where they are.
#[must_use = "a heap is in the table when it is ended"]
pub struct HeapWriter<'a, W> {
    heap: crate::heap::Encoder<'a, Checksummed<W>>,
    name: String,
    table: &'a mut Table,
}

impl<'a, W: Write> HeapWriter<'a, W> {
    pub(super) const fn new(
        heap: crate::heap::Encoder<'a, Checksummed<W>>,
        name: String,
        table: &'a mut Table,
    ) -> Self {
        Self { heap, name, table }
    }

    /// Bytes written: where the next value starts.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.heap.len()
    }

    /// `true` before anything was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Appends `value` and returns where it starts.
    ///
    /// # Errors
    /// As [`heap::Encoder::insert`](crate::heap::Encoder::insert).
    pub fn insert<C>(
        &mut self,
        context: &C,
        value: &(impl Encode<C> + ?Sized),
    ) -> Result<Offset, WriteError> {
        self.heap.insert(context, value)
    }

    /// Appends `value`, wherever it starts, and returns that byte.
    ///
    /// # Errors
    /// As [`heap::Encoder::insert_wide`](crate::heap::Encoder::insert_wide).
    pub fn insert_wide<C>(
        &mut self,
        context: &C,
        value: &(impl Encode<C> + ?Sized),
    ) -> Result<u64, WriteError> {
        self.heap.insert_wide(context, value)
    }

    /// Completes the last page and puts the heap into the table.
    ///
    /// # Errors
    /// What the output meets; [`WriteError::Poisoned`] after it has failed.
    pub fn end(self) -> Result<HeapId, WriteError> {
        let byte_len = self.heap.len();
        let section = self.heap.end()?;
        Ok(self.table.push_heap(self.name, section, byte_len))
    }
}

impl<W: Write> Write for HeapWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.heap.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.heap.flush()
    }
}

impl<W> fmt::Debug for HeapWriter<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeapWriter").field("name", &self.name).finish_non_exhaustive()
    }
}
