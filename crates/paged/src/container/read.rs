//! Reading a container: by name and type, and with every page verified.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use crate::container::format::{
    CHECKSUM_LEN, END_MAGIC, FOOTER_LEN, Footer, HEADER_LEN, Header, Parts, decode_table,
};
use crate::container::{FormatError, HeapItem, Item, ItemKind, SectionItem};
use crate::reader::checks::Checks;
use crate::reader::{Entries, HeapReader, ReadOptions, Reader, Store};
use crate::schema::type_text;
use crate::{EncodeSized, FileSource, ReadError, Schema, Section, Source};

/// Bytes that are verified at once.
const VERIFY_LEN: u64 = 1 << 20;

/// A container that is open for reading. Shared between threads by reference.
///
/// Opening reads and verifies what stands around the pages. A page is verified when it is loaded: each
/// time from a file, the first time from a source in memory.
pub struct Container<S> {
    reader: Reader<S>,
    items: Vec<Item>,
    /// Places in `items`.
    names: BTreeMap<String, usize>,
}

impl Container<FileSource> {
    /// Opens the container at `path` for positioned reads.
    ///
    /// # Errors
    /// [`OpenError::Io`] when there is no such file or it cannot be read; any other as for
    /// [`Self::new`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::new(FileSource::open(path)?)
    }
}

impl<S: Source> Container<S> {
    /// Opens the container in `source`.
    ///
    /// # Errors
    /// [`OpenError::Format`] when it is none, or its header, table or footer is damaged;
    /// [`OpenError::Length`] when it was cut short or is followed by other bytes; [`OpenError::Io`].
    pub fn new(source: S) -> Result<Self, OpenError> {
        Self::with_options(source, ReadOptions::new())
    }

    /// As [`Self::new`], with options.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_options(source: S, options: ReadOptions) -> Result<Self, OpenError> {
        let (footer, parts) = frame(&source)?;
        let damaged = |part| OpenError::Format(FormatError::Damaged { part });
        let checksummed = |part, offset, len, checksum| {
            let bytes = read(&source, offset, len)?;
            let is_whole = crc32fast::hash(&bytes) == checksum;
            if is_whole { Ok(bytes) } else { Err(damaged(part)) }
        };
        let root_len = parts.table_offset.saturating_sub(parts.root_offset);
        let root = checksummed("root", parts.root_offset, root_len, footer.root_checksum)?;
        let (root, _) = root.as_chunks::<{ CHECKSUM_LEN as usize }>();
        let root = root.iter().map(|checksum| u32::from_be_bytes(*checksum)).collect();
        let table = parts.table_offset;
        let table = checksummed("table", table, footer.table_len, footer.table_checksum)?;
        let layout = footer.header.layout()?;
        let items = decode_table(&table, layout, footer.page_count)?;
        drop(table);
        let is_in_memory = source.in_memory().is_some();
        let checks = Checks::new(footer.header.page_len, footer.page_count, root, is_in_memory);
        let store = Store::new(source, layout, Some(checks), options.limit())?;
        let names = items.iter().enumerate().map(|(place, item)| (item.name.clone(), place));
        Ok(Self { reader: Reader::within(store), names: names.collect(), items })
    }

    /// Sections and heaps, in the order in which they were named.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The entries of the section `name`, together with their heap.
    ///
    /// # Errors
    /// [`OpenError::NoSection`] when there is none of that name; [`OpenError::WrongType`] when its entries
    /// are of another type.
    pub fn section<T: EncodeSized + Schema>(
        &self,
        name: &str,
    ) -> Result<Entries<'_, S, T>, OpenError> {
        let missing = || OpenError::NoSection { name: name.into() };
        let place = self.names.get(name).ok_or_else(missing)?;
        let Some(ItemKind::Section(section)) = self.items.get(*place).map(|item| &item.kind) else {
            return Err(missing());
        };
        let wanted = type_text::<T>();
        // The fingerprint is that of the text. Two types may have the same one, but not the same text.
        if section.type_text != wanted || section.entry_size != T::ENCODED_SIZE {
            let stored = section.type_text.clone().into();
            let wanted = wanted.into();
            return Err(OpenError::WrongType { name: name.into(), stored, wanted });
        }
        let heap = self.heap_of(section);
        let section = Section::new(section.page_offset, section.entry_count);
        Ok(Entries::new(self.reader.store(), section, heap)?)
    }

    /// The bytes of the heap `name`.
    ///
    /// # Errors
    /// [`OpenError::NoHeap`] when there is none of that name.
    pub fn heap(&self, name: &str) -> Result<HeapReader<'_, S>, OpenError> {
        let item = self.names.get(name).and_then(|place| self.items.get(*place));
        match item.map(|item| &item.kind) {
            Some(ItemKind::Heap(heap)) => Ok(self.heap_at(heap)),
            _ => Err(OpenError::NoHeap { name: name.into() }),
        }
    }

    /// The heap that entries of a section refer to; an empty one when there is none.
    #[must_use]
    pub fn heap_of(&self, section: &SectionItem) -> HeapReader<'_, S> {
        let item = section.heap.and_then(|place| self.items.get(place as usize));
        match item.map(|item| &item.kind) {
            Some(ItemKind::Heap(heap)) => self.heap_at(heap),
            _ => HeapReader::new(self.reader.store(), 0, 0),
        }
    }

    /// What reads sections by handle, as those that stand in entries.
    #[must_use]
    pub const fn reader(&self) -> &Reader<S> {
        &self.reader
    }

    /// Reads the whole file and verifies every page, also those that were verified before.
    ///
    /// # Errors
    /// [`ReadError::Checksum`] for the first page that is damaged; [`ReadError::Io`].
    pub fn verify(&self) -> Result<(), ReadError> {
        self.reader.store().verify_all(VERIFY_LEN)
    }

    fn heap_at(&self, heap: &HeapItem) -> HeapReader<'_, S> {
        // `decode_table` has found it to lie in the file.
        let page_len = u64::from(self.reader.layout().page_len());
        let start = u64::from(heap.page_offset).saturating_mul(page_len);
        HeapReader::new(self.reader.store(), start, heap.byte_len)
    }
}

impl<S> fmt::Debug for Container<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container").field("items", &self.items).finish_non_exhaustive()
    }
}

/// Reads and verifies header and footer. The parts lie in the file, and fill it.
fn frame(source: &impl Source) -> Result<(Footer, Parts), OpenError> {
    let file_len = source.len()?;
    let mut header = [0; HEADER_LEN];
    if file_len < header.len() as u64 {
        return Err(FormatError::NoContainer.into());
    }
    source.read_at(0, &mut header)?;
    let header = Header::decode(&header)?;
    let mut footer = [0; FOOTER_LEN];
    let unfinished = OpenError::Length { file_len, footer_len: None };
    match file_len.checked_sub(footer.len() as u64) {
        Some(offset) => source.read_at(offset, &mut footer)?,
        None => return Err(unfinished),
    }
    if !footer.ends_with(&END_MAGIC) {
        return Err(unfinished);
    }
    let footer = Footer::decode(&footer)?;
    let damaged = |part| OpenError::Format(FormatError::Damaged { part });
    if footer.header != header {
        return Err(damaged("header"));
    }
    let parts = footer.parts().ok_or(damaged("footer"))?;
    if parts.file_len != file_len {
        return Err(OpenError::Length { file_len, footer_len: Some(parts.file_len) });
    }
    let gap = u64::from(header.first_page_offset).saturating_sub(HEADER_LEN as u64);
    let zeros = read(source, HEADER_LEN as u64, gap)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(damaged("header"));
    }
    Ok((footer, parts))
}

/// Bytes that are known to lie in the file.
fn read(source: &impl Source, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = vec![0; len];
    source.read_at(offset, &mut bytes)?;
    Ok(bytes)
}

/// Why a container, or a part of it, could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The disk failed, or there is no such file.
    #[error("the file could not be opened or read")]
    Io(#[from] io::Error),
    /// The file is no container, one of a later version, or damaged.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The file has another length than when it was finished: it was cut short, is still being
    /// copied, or something was appended. Get it again from where it came from.
    #[error("the file is not whole: it has {file_len} bytes; get it again from where it came from")]
    Length {
        /// Bytes that it has.
        file_len: u64,
        /// Bytes that its footer says it has, when there is one at its end.
        footer_len: Option<u64>,
    },
    /// The caller asked for a section that the container does not have.
    #[error("no section is named {name:?}")]
    NoSection {
        /// The name that was asked for.
        name: Box<str>,
    },
    /// The caller asked for a heap that the container does not have.
    #[error("no heap is named {name:?}")]
    NoHeap {
        /// The name that was asked for.
        name: Box<str>,
    },
    /// The caller asked for entries of another type than were written.
    #[error("section {name:?} holds {stored}, not {wanted}")]
    WrongType {
        /// The name of the section.
        name: Box<str>,
        /// The type of its entries.
        stored: Box<str>,
        /// The type that was asked for.
        wanted: Box<str>,
    },
    /// What the table says does not fit the pages.
    #[error(transparent)]
    Read(#[from] ReadError),
}
