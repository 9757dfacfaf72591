//! [`Writer`]: a container, front to back, in bounded memory.
//!
//! Nothing that was written is touched again: header, pages, checksums, table and footer follow
//! each other, so any output will do. Heaps and checksums that outgrow their share of memory wait
//! in scratch files where the writer has a folder for them.

use std::io::{BufWriter, Write};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use super::checksums::Checksummed;
use super::format::{self, Footer, FormatError, Header, SectionItem, TYPE_LEN_MAX};
use super::parts::{HeapWriter, SectionWriter};
use super::pending::{PendingFile, ScratchFile};
use super::table::{HeapId, Table};
use crate::heap::Spool;
use crate::schema::{fingerprint, type_text};
use crate::values::pad;
use crate::{EncodeSized, Encoder, Heap, Schema, WriteError};

/// Bytes of a heap, or of checksums, that stay in memory where there is a folder for more.
const SPOOL_MEMORY_LIMIT: usize = 1 << 20;

/// Writes a container: sections and heaps by name.
#[derive(Debug)]
#[must_use = "a container that is not finished cannot be read"]
pub struct Writer<W> {
    encoder: Encoder<Checksummed<W>>,
    header: Header,
    table: Table,
    scratch: Option<PathBuf>,
    /// What sections without a heap are given, and have to leave empty.
    no_heap: Heap,
}

/// The heap that the entries of a section refer to.
#[derive(Debug)]
pub enum SectionHeap<'h> {
    /// Entries keep all they have in the section.
    None,
    /// What varies goes to this heap, which is added to the container later.
    Collected(&'h mut NamedHeap),
    /// What varies was written before; entries hold where.
    Written(HeapId),
}

/// For sections whose entries keep all they have in the section.
pub const NO_HEAP: SectionHeap<'static> = SectionHeap::None;

impl<'h> From<&'h mut NamedHeap> for SectionHeap<'h> {
    fn from(heap: &'h mut NamedHeap) -> Self {
        Self::Collected(heap)
    }
}

impl From<HeapId> for SectionHeap<'_> {
    fn from(heap: HeapId) -> Self {
        Self::Written(heap)
    }
}

/// A heap that is being collected and has its place in the table.
#[derive(Debug)]
#[must_use = "a heap has to be added to its container"]
pub struct NamedHeap {
    place: u32,
    name: String,
    heap: Heap,
}

impl Deref for NamedHeap {
    type Target = Heap;

    fn deref(&self) -> &Heap {
        &self.heap
    }
}

impl DerefMut for NamedHeap {
    fn deref_mut(&mut self) -> &mut Heap {
        &mut self.heap
    }
}

impl Writer<PendingFile> {
    /// Begins a container of pages of `page_len` bytes that will be found at `path` when it is
    /// [published](Self::publish), where nothing is now. Its file system needs hard links: where
    /// there are none, [`create_or_replace`](Self::create_or_replace) will do.
    ///
    /// # Errors
    /// [`WriteError::Io`] when there is something, or nothing can be created in its folder;
    /// [`WriteError::Format`] when `page_len` is no power of two from 64 to 2^20.
    pub fn create(path: impl AsRef<Path>, page_len: u32) -> Result<Self, WriteError> {
        Self::at(path.as_ref(), page_len, false)
    }

    /// As [`create`](Self::create), but takes the place of what is at `path`, in one step.
    ///
    /// # Errors
    /// As [`create`](Self::create), without the first.
    pub fn create_or_replace(path: impl AsRef<Path>, page_len: u32) -> Result<Self, WriteError> {
        Self::at(path.as_ref(), page_len, true)
    }

    fn at(path: &Path, page_len: u32, replace: bool) -> Result<Self, WriteError> {
        let header = Header::new(page_len)?;
        let file = PendingFile::create(path, replace)?;
        let folder = file.folder();
        Self::with(file, header, Some(folder))
    }

    /// Finishes the container and gives it its name.
    ///
    /// # Durability
    /// On return it survives power loss, at its name. Before that, and after any error, nothing of
    /// it is found there; what was there with [`create_or_replace`](Self::create_or_replace) is
    /// there still, unless the error was that of the folder's sync.
    ///
    /// # Errors
    /// As [`finish`](Self::finish); [`WriteError::Io`] when something has been created at its path
    /// in the meantime, or the disk failed.
    pub fn publish(self) -> Result<(), WriteError> {
        Ok(self.finish()?.publish()?)
    }
}

impl<W: Write> Writer<W> {
    /// Begins a container of pages of `page_len` bytes at the place where `output` stands, which
    /// will be the start of the file. What heaps collect, and four bytes for each page, are kept
    /// in memory.
    ///
    /// # Errors
    /// [`WriteError::Format`] when `page_len` is no power of two from 64 to 2^20; what `output`
    /// meets.
    pub fn new(output: W, page_len: u32) -> Result<Self, WriteError> {
        Self::with(output, Header::new(page_len)?, None)
    }

    fn with(mut output: W, header: Header, scratch: Option<PathBuf>) -> Result<Self, WriteError> {
        output.write_all(&header.encode())?;
        let page_len = header.page_len;
        let pages = Checksummed::new(output, page_len, 0, spool(scratch.as_deref()));
        Ok(Self {
            encoder: Encoder::new(pages, page_len),
            header,
            table: Table::default(),
            scratch,
            no_heap: Heap::new(),
        })
    }

    /// An empty heap to collect what varies in the entries of sections, to be
    /// [added](Self::add_heap) after them.
    ///
    /// # Errors
    /// [`WriteError::NameTaken`]; [`WriteError::Format`] for a name of 0 or more than 255 bytes,
    /// or when the table is full.
    pub fn new_heap(&mut self, name: &str) -> Result<NamedHeap, WriteError> {
        let heap = Heap::from(spool(self.scratch.as_deref()));
        self.new_heap_in(name, heap)
    }

    /// As [`new_heap`](Self::new_heap), with a heap that spills to a place of one's own or has
    /// something in it.
    ///
    /// # Errors
    /// As [`new_heap`](Self::new_heap).
    pub fn new_heap_in(&mut self, name: &str, heap: Heap) -> Result<NamedHeap, WriteError> {
        self.table.check_name(name)?;
        let place = self.table.push(name.to_owned(), None);
        Ok(NamedHeap { place, name: name.to_owned(), heap })
    }

    /// Begins a section of entries of `T`.
    ///
    /// # Errors
    /// As [`Encoder::begin_section`]; [`WriteError::NameTaken`], [`WriteError::ForeignHeap`];
    /// [`WriteError::Format`] for a name of 0 or more than 255 bytes, for a type whose description
    /// is longer than 65535, or when the table is full.
    pub fn begin_section<'a, T: EncodeSized + Schema>(
        &'a mut self,
        name: &str,
        heap: impl Into<SectionHeap<'a>>,
    ) -> Result<SectionWriter<'a, W, T>, WriteError> {
        let type_text = type_text::<T>();
        if type_text.len() > TYPE_LEN_MAX {
            return Err(FormatError::TextTooLong { len: type_text.len() }.into());
        }
        let heap = heap.into();
        let place = match &heap {
            SectionHeap::None => None,
            SectionHeap::Collected(heap) => {
                Some(self.table.check_collected(heap.place, &heap.name)?)
            }
            SectionHeap::Written(id) => Some(self.table.check_written(*id)?),
        };
        self.table.check_name(name)?;
        let (heap, may_grow) = match heap {
            SectionHeap::Collected(named) => (&mut named.heap, true),
            SectionHeap::None | SectionHeap::Written(_) => (&mut self.no_heap, false),
        };
        let section = self.encoder.begin_section(heap)?;
        let item = SectionItem {
            page_offset: section.page_offset(),
            entry_count: 0,
            entry_size: T::ENCODED_SIZE,
            heap: place,
            fingerprint: fingerprint(&type_text),
            type_text,
        };
        let mut writer = SectionWriter::new(section, name.to_owned(), item, &mut self.table);
        if !may_grow {
            writer.keep_heap();
        }
        Ok(writer)
    }

    /// Writes a heap that was collected.
    ///
    /// # Errors
    /// As [`Encoder::add_heap`]; [`WriteError::ForeignHeap`].
    pub fn add_heap(&mut self, heap: NamedHeap) -> Result<HeapId, WriteError> {
        let place = self.table.check_collected(heap.place, &heap.name)?;
        let byte_len = heap.len();
        let section = self.encoder.add_heap(heap.heap)?;
        Ok(self.table.place_heap(place, section, byte_len))
    }

    /// Begins a heap whose values are written at once, for sections that follow it.
    ///
    /// # Errors
    /// As [`Encoder::begin_heap`] and [`new_heap`](Self::new_heap).
    pub fn begin_heap(&mut self, name: &str) -> Result<HeapWriter<'_, W>, WriteError> {
        self.table.check_name(name)?;
        let heap = self.encoder.begin_heap()?;
        Ok(HeapWriter::new(heap, name.to_owned(), &mut self.table))
    }

    /// Writes checksums, table and footer, and gives back the output, which stands after them.
    ///
    /// # Durability
    /// None: syncing is for whoever knows what the output is.
    ///
    /// # Errors
    /// [`WriteError::HeapNotAdded`], and what the output meets.
    pub fn finish(self) -> Result<W, WriteError> {
        let table = format::encode_table(&self.table.into_items()?)?;
        let (output, page_count, checksums) = self.encoder.end()?.into_parts();

        let page_len = self.header.page_len;
        let output = BufWriter::with_capacity(TAIL_BUFFER_LEN, output);
        let root = spool(self.scratch.as_deref());
        let mut checksum_pages = Checksummed::new(output, page_len, page_count, root);
        let padding = self.header.layout()?.padding_after(checksums.len());
        checksums.drain(|bytes| Ok(checksum_pages.write_all(bytes)?))?;
        pad(&mut checksum_pages, padding)?;

        let (mut output, _, root) = checksum_pages.into_parts();
        let mut root_checksum = crc32fast::Hasher::new();
        root.drain(|bytes| {
            root_checksum.update(bytes);
            Ok(output.write_all(bytes)?)
        })?;
        output.write_all(&table)?;
        let footer = Footer {
            header: self.header,
            page_count,
            table_len: table.len() as u64,
            root_checksum: root_checksum.finalize(),
            table_checksum: crc32fast::hash(&table),
        };
        output.write_all(&footer.encode())?;
        output.into_inner().map_err(|error| WriteError::Io(error.into_error()))
    }
}

/// Bytes after the pages that are collected before they are written.
const TAIL_BUFFER_LEN: usize = 64 * 1024;

fn spool(scratch: Option<&Path>) -> Spool {
    match scratch {
        Some(folder) => {
            Spool::spilling(Box::new(ScratchFile::new(folder.to_owned())), SPOOL_MEMORY_LIMIT)
        }
        None => Spool::default(),
    }
}
