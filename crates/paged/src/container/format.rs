//! The bytes of a container that are not pages: header, table, footer, page checksums.
//!
//! ```text
//! header | zeros | pages 0..N | checksum pages N..N+M | root | table | footer
//! ```
//!
//! Pure: numbers in, bytes out, and back. Whoever reads a file asks here what bytes mean and finds
//! out elsewhere whether they fit the file's length. All numbers are big endian.

use crate::LayoutError;
use crate::layout::{Layout, PAGE_COUNT_MAX};
use crate::schema::fingerprint;

/// First bytes of the file; line ends in it show that a file was passed on as text.
pub const MAGIC: [u8; 8] = *b"\x89PGD\r\n\x1a\n";
/// Last bytes of the file.
pub(crate) const END_MAGIC: [u8; 8] = *b"\n\x1a\n\rDGP\x89";
/// Version of everything described here.
pub(crate) const VERSION: u32 = 1;
/// Bytes of the header, without the zeros up to the first page.
pub(crate) const HEADER_LEN: usize = 24;
/// Bytes of the footer.
pub(crate) const FOOTER_LEN: usize = 48;
/// Bytes of a checksum.
pub(crate) const CHECKSUM_LEN: u32 = 4;
/// Shortest page. A page length is a power of two, so that checksums fill pages.
pub(crate) const PAGE_LEN_MIN: u32 = 64;
/// Longest page: what reading one entry may have to read.
pub(crate) const PAGE_LEN_MAX: u32 = 1 << 20;
/// First pages start at this byte or after it.
pub(crate) const FIRST_PAGE_OFFSET_MIN: u32 = 64;
/// First pages start at this byte or before it.
pub(crate) const FIRST_PAGE_OFFSET_MAX: u32 = 64 << 10;
/// What a first page is aligned to at most: more than a page cache has would gain nothing.
const ALIGNMENT_MAX: u32 = 4096;
/// Longest name of a section or heap, in bytes.
pub(crate) const NAME_LEN_MAX: usize = 255;
/// Longest description of a type, in bytes.
pub(crate) const TYPE_LEN_MAX: usize = u16::MAX as usize;
/// Most sections and heaps of one container: what opening may have to hold.
pub(crate) const ITEM_COUNT_MAX: u32 = 1 << 16;

/// A section in the table.
const KIND_SECTION: u8 = 1;
/// A heap in the table.
const KIND_HEAP: u8 = 2;

/// What stands at the start of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) page_len: u32,
    pub(crate) first_page_offset: u32,
}

impl Header {
    /// The header of a new container: pages lie at multiples of their length where that costs
    /// little, so that one page of the file is not two of the page cache.
    pub(crate) fn new(page_len: u32) -> Result<Self, FormatError> {
        let header = Self { page_len, first_page_offset: page_len.min(ALIGNMENT_MAX) };
        header.layout().map(|_| header)
    }

    /// How the file is cut into pages.
    pub(crate) fn layout(self) -> Result<Layout, FormatError> {
        let in_range = (PAGE_LEN_MIN..=PAGE_LEN_MAX).contains(&self.page_len);
        if !in_range || !self.page_len.is_power_of_two() {
            return Err(FormatError::PageLen { page_len: self.page_len });
        }
        if !(FIRST_PAGE_OFFSET_MIN..=FIRST_PAGE_OFFSET_MAX).contains(&self.first_page_offset) {
            return Err(FormatError::Damaged { part: "header" });
        }
        Ok(Layout::new(self.page_len, u64::from(self.first_page_offset))?)
    }

    /// The header and the zeros up to the first page.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&self.page_len.to_be_bytes());
        bytes.extend_from_slice(&self.first_page_offset.to_be_bytes());
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes.resize(self.first_page_offset as usize, 0);
        bytes
    }

    /// Reads the header from the first bytes of the file. That the zeros after it are zeros is for
    /// the caller to see.
    pub(crate) fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, FormatError> {
        let mut fields = Fields::new(bytes, "header");
        if fields.array()? != MAGIC {
            return Err(FormatError::NoContainer);
        }
        let version = fields.u32()?;
        let header = Self { page_len: fields.u32()?, first_page_offset: fields.u32()? };
        fields.checksum(bytes)?;
        if version != VERSION {
            return Err(FormatError::Version { version });
        }
        header.layout().map(|_| header)
    }
}

/// What stands at the end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) header: Header,
    /// Pages of sections and heaps.
    pub(crate) page_count: u64,
    /// Bytes of the table.
    pub(crate) table_len: u64,
    pub(crate) root_checksum: u32,
    pub(crate) table_checksum: u32,
}

impl Footer {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FOOTER_LEN);
        bytes.extend_from_slice(&self.page_count.to_be_bytes());
        bytes.extend_from_slice(&self.table_len.to_be_bytes());
        bytes.extend_from_slice(&self.root_checksum.to_be_bytes());
        bytes.extend_from_slice(&self.table_checksum.to_be_bytes());
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&self.header.page_len.to_be_bytes());
        bytes.extend_from_slice(&self.header.first_page_offset.to_be_bytes());
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes.extend_from_slice(&END_MAGIC);
        bytes
    }

    /// Reads the footer from the last bytes of the file.
    pub(crate) fn decode(bytes: &[u8; FOOTER_LEN]) -> Result<Self, FormatError> {
        let mut fields = Fields::new(bytes, "footer");
        let page_count = fields.u64()?;
        let table_len = fields.u64()?;
        let root_checksum = fields.u32()?;
        let table_checksum = fields.u32()?;
        let version = fields.u32()?;
        let header = Header { page_len: fields.u32()?, first_page_offset: fields.u32()? };
        fields.checksum(bytes)?;
        if fields.array()? != END_MAGIC {
            return Err(FormatError::Damaged { part: "footer" });
        }
        if version != VERSION {
            return Err(FormatError::Version { version });
        }
        header.layout()?;
        if page_count > PAGE_COUNT_MAX {
            return Err(FormatError::Damaged { part: "footer" });
        }
        Ok(Self { header, page_count, table_len, root_checksum, table_checksum })
    }

    /// Where the parts of the file lie, or `None` when they would lie past byte 2^64.
    pub(crate) fn parts(&self) -> Option<Parts> {
        let page_len = u64::from(self.header.page_len);
        let checksum_page_count = checksum_page_count(self.header.page_len, self.page_count);
        let checksums_offset = page_len
            .checked_mul(self.page_count)?
            .checked_add(u64::from(self.header.first_page_offset))?;
        let root_offset =
            page_len.checked_mul(checksum_page_count)?.checked_add(checksums_offset)?;
        let root_len = u64::from(CHECKSUM_LEN).checked_mul(checksum_page_count)?;
        let table_offset = root_offset.checked_add(root_len)?;
        let footer_offset = table_offset.checked_add(self.table_len)?;
        let file_len = footer_offset.checked_add(FOOTER_LEN as u64)?;
        Some(Parts { checksum_page_count, checksums_offset, root_offset, table_offset, file_len })
    }
}

/// Bytes at which the parts of a container start. The file has exactly `file_len` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) checksum_page_count: u64,
    pub(crate) checksums_offset: u64,
    pub(crate) root_offset: u64,
    pub(crate) table_offset: u64,
    pub(crate) file_len: u64,
}

/// Checksums on one checksum page.
pub(crate) const fn checksums_per_page(page_len: u32) -> u32 {
    page_len / CHECKSUM_LEN
}

/// Checksum pages of `page_count` pages. `page_len` is at least [`PAGE_LEN_MIN`].
pub(crate) const fn checksum_page_count(page_len: u32, page_count: u64) -> u64 {
    page_count.div_ceil(checksums_per_page(page_len) as u64)
}

/// The checksum of a page: of its number, so that no page passes for another one, then its bytes.
/// Checksum pages are numbered after the others and have the same kind of checksum, in the root.
#[derive(Debug, Clone)]
pub(crate) struct PageChecksum(crc32fast::Hasher);

impl PageChecksum {
    pub(crate) fn new(page: u64) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&page.to_be_bytes());
        Self(hasher)
    }

    /// The checksum of a whole page.
    pub(crate) fn of(page: u64, bytes: &[u8]) -> u32 {
        let mut checksum = Self::new(page);
        checksum.update(bytes);
        checksum.finish()
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> u32 {
        self.0.finalize()
    }
}

/// A section or heap in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// Its name, 1 to 255 bytes, which no other item of the container has.
    pub name: String,
    /// What it is.
    pub kind: ItemKind,
}

/// What an item of the table is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ItemKind {
    /// A section.
    Section(SectionItem),
    /// A heap.
    Heap(HeapItem),
}

/// What the table says of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SectionItem {
    /// Its first page.
    pub page_offset: u32,
    /// Its entries.
    pub entry_count: u32,
    /// Bytes of an entry.
    pub entry_size: u32,
    /// Place in the table of the heap that its entries refer to, if any.
    pub heap: Option<u32>,
    /// Fingerprint of the type of its entries.
    pub fingerprint: u64,
    /// Description of the type of its entries.
    pub type_text: String,
}

/// What the table says of a heap.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeapItem {
    /// Its first page.
    pub page_offset: u32,
    /// Its bytes, without the padding of the last page.
    pub byte_len: u64,
}

/// Writes the table.
pub(crate) fn encode_table(items: &[Item]) -> Result<Vec<u8>, FormatError> {
    let count = u32::try_from(items.len()).ok().filter(|count| *count <= ITEM_COUNT_MAX);
    let mut bytes = count.ok_or(FormatError::TooManyItems)?.to_be_bytes().to_vec();
    for Item { name, kind } in items {
        match kind {
            ItemKind::Section(section) => {
                bytes.push(KIND_SECTION);
                put_text(&mut bytes, name, NAME_LEN_MAX)?;
                bytes.extend_from_slice(&section.page_offset.to_be_bytes());
                bytes.extend_from_slice(&section.entry_count.to_be_bytes());
                bytes.extend_from_slice(&section.entry_size.to_be_bytes());
                // 0 is no heap. A place is below ITEM_COUNT_MAX.
                let heap = section.heap.map_or(0, |heap| heap.saturating_add(1));
                bytes.extend_from_slice(&heap.to_be_bytes());
                bytes.extend_from_slice(&section.fingerprint.to_be_bytes());
                put_text(&mut bytes, &section.type_text, TYPE_LEN_MAX)?;
            }
            ItemKind::Heap(heap) => {
                bytes.push(KIND_HEAP);
                put_text(&mut bytes, name, NAME_LEN_MAX)?;
                bytes.extend_from_slice(&heap.page_offset.to_be_bytes());
                bytes.extend_from_slice(&heap.byte_len.to_be_bytes());
            }
        }
    }
    Ok(bytes)
}

fn put_text(bytes: &mut Vec<u8>, text: &str, len_max: usize) -> Result<(), FormatError> {
    let len = u16::try_from(text.len()).ok().filter(|_| text.len() <= len_max);
    bytes
        .extend_from_slice(&len.ok_or(FormatError::TextTooLong { len: text.len() })?.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Reads the table; each item's pages have been found to lie among the `page_count` pages, names
/// to be unique, heaps to be heaps, and fingerprints to be those of the types.
pub(crate) fn decode_table(
    bytes: &[u8],
    layout: Layout,
    page_count: u64,
) -> Result<Vec<Item>, FormatError> {
    let mut fields = Fields::new(bytes, "table");
    let count = fields.u32()?;
    if count > ITEM_COUNT_MAX {
        return Err(fields.damaged());
    }
    let mut items = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..count {
        let [kind] = fields.array()?;
        let name = fields.text(NAME_LEN_MAX)?;
        if name.is_empty() || !names.insert(name) {
            return Err(fields.damaged());
        }
        let (kind, end) = match kind {
            KIND_SECTION => {
                let section = fields.section()?;
                if section.fingerprint != fingerprint(&section.type_text) {
                    return Err(fields.damaged());
                }
                let pages =
                    layout.section(section.page_offset, section.entry_count, section.entry_size)?;
                let end =
                    u64::from(section.page_offset).saturating_add(u64::from(pages.page_count()));
                (ItemKind::Section(section), end)
            }
            KIND_HEAP => {
                let heap = HeapItem { page_offset: fields.u32()?, byte_len: fields.u64()? };
                let end =
                    u64::from(heap.page_offset).saturating_add(layout.pages_of(heap.byte_len));
                (ItemKind::Heap(heap), end)
            }
            _ => return Err(fields.damaged()),
        };
        if end > page_count {
            return Err(fields.damaged());
        }
        items.push(Item { name: name.to_owned(), kind });
    }
    if !fields.rest.is_empty() {
        return Err(fields.damaged());
    }
    let is_heap = |place: u32| {
        let item = items.get(place as usize);
        item.is_some_and(|item| matches!(item.kind, ItemKind::Heap(_)))
    };
    let heaps_are_heaps = items.iter().all(|item| match &item.kind {
        ItemKind::Section(section) => section.heap.is_none_or(is_heap),
        ItemKind::Heap(_) => true,
    });
    if heaps_are_heaps { Ok(items) } else { Err(fields.damaged()) }
}

/// Numbers and texts, front to back.
struct Fields<'a> {
    rest: &'a [u8],
    part: &'static str,
}

impl<'a> Fields<'a> {
    const fn new(bytes: &'a [u8], part: &'static str) -> Self {
        Self { rest: bytes, part }
    }

    const fn damaged(&self) -> FormatError {
        FormatError::Damaged { part: self.part }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(self.damaged())?;
        self.rest = rest;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, FormatError> {
        self.array().map(u64::from_be_bytes)
    }

    fn text(&mut self, len_max: usize) -> Result<&'a str, FormatError> {
        let len = usize::from(self.array().map(u16::from_be_bytes)?);
        let split = self.rest.split_at_checked(len).filter(|_| len <= len_max);
        let (head, rest) = split.ok_or(self.damaged())?;
        self.rest = rest;
        std::str::from_utf8(head).map_err(|_| self.damaged())
    }

    fn section(&mut self) -> Result<SectionItem, FormatError> {
        Ok(SectionItem {
            page_offset: self.u32()?,
            entry_count: self.u32()?,
            entry_size: self.u32()?,
            heap: self.u32()?.checked_sub(1),
            fingerprint: self.u64()?,
            type_text: self.text(TYPE_LEN_MAX)?.to_owned(),
        })
    }

    /// Takes a checksum and compares it with that of the bytes before it in `all`, which the
    /// fields started from.
    fn checksum(&mut self, all: &[u8]) -> Result<(), FormatError> {
        let before = all.len().saturating_sub(self.rest.len());
        let covered = all.get(..before).unwrap_or_default();
        if self.u32()? == crc32fast::hash(covered) { Ok(()) } else { Err(self.damaged()) }
    }
}

/// Why bytes are no container of this version, or why nothing of this form can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file does not start as a container does.
    #[error("not a container: it starts with other bytes")]
    NoContainer,
    /// The container was written by a newer version of this crate.
    #[error("a container of version {version}, which this version does not know")]
    Version {
        /// The version it names.
        version: u32,
    },
    /// A part of the file is not as it was written.
    #[error("the {part} is damaged")]
    Damaged {
        /// Which part.
        part: &'static str,
    },
    /// Pages of a container have 64 bytes to 1 MiB, a power of two.
    #[error("pages of {page_len} bytes: those of a container have a power of two from 64 to 2^20")]
    PageLen {
        /// Bytes of a page.
        page_len: u32,
    },
    /// Sections or heaps do not fit the pages.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A container has at most 65536 sections and heaps.
    #[error("a container has at most 65536 sections and heaps")]
    TooManyItems,
    /// A name is empty or too long.
    #[error("a name of {len} bytes: it has 1 to 255")]
    NameLen {
        /// Its bytes.
        len: usize,
    },
    /// A description of a type is too long.
    #[error("a text of {len} bytes: a description of a type has at most 65535")]
    TextTooLong {
        /// Its bytes.
        len: usize,
    },
}
