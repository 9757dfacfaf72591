//! The 32 bytes in front of `tree`, `signatures` and `bitfield`.
//!
//! A [`Header`] is 32 bytes that were found to be right for their file. They are kept as they are, so
//! what stands after the name of the algorithm, which no program reads, is written back unchanged.
//! This module must not know what follows a header.

use std::fmt;

use random_access_storage::RandomAccess;

use crate::error::{Error, Result};
use crate::files::FileName;
use crate::node::NODE_LEN;
use crate::signatures::SIGNATURE_LEN;

/// Bytes of a header.
pub const HEADER_LEN: usize = 32;

/// First bytes of every header.
const MAGIC: [u8; 3] = [0x05, 0x02, 0x57];
/// The one version there is.
const VERSION: u8 = 0;
/// Longest name of an algorithm that has room in a header.
const ALGORITHM_LEN_MAX: u8 = 24;

/// Entry size of a bitfield: bytes of a page.
const PAGE_LEN: u16 = 3584;
/// As [`PAGE_LEN`], before hypercore 6.22.1.
const OLD_PAGE_LEN: u16 = 3328;
/// Entry size of a file of signatures.
const SIGNATURES_ENTRY_SIZE: u16 = 64;
/// Entry size of a file of nodes.
const TREE_ENTRY_SIZE: u16 = 40;
const _: () = assert!(SIGNATURES_ENTRY_SIZE as usize == SIGNATURE_LEN);
const _: () = assert!(TREE_ENTRY_SIZE as usize == NODE_LEN);

/// What a header says its file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// Pages of bits; no algorithm.
    Bitfield = 0,
    /// Signatures of 64 bytes; `Ed25519`.
    Signatures = 1,
    /// Nodes of 40 bytes; `BLAKE2b`.
    Tree = 2,
}

impl FileType {
    /// The type that the header of that file must have; `None` for the files without a header.
    #[must_use]
    pub const fn of(file: FileName) -> Option<Self> {
        match file {
            FileName::Bitfield => Some(Self::Bitfield),
            FileName::Signatures => Some(Self::Signatures),
            FileName::Tree => Some(Self::Tree),
            FileName::Key | FileName::SecretKey | FileName::Data => None,
        }
    }

    /// The file that has such a header.
    #[must_use]
    pub const fn file(self) -> FileName {
        match self {
            Self::Bitfield => FileName::Bitfield,
            Self::Signatures => FileName::Signatures,
            Self::Tree => FileName::Tree,
        }
    }

    /// The name of the algorithm that makes its entries.
    #[must_use]
    pub const fn algorithm(self) -> &'static str {
        match self {
            Self::Bitfield => "",
            Self::Signatures => "Ed25519",
            Self::Tree => "BLAKE2b",
        }
    }
}

/// How long the pages of a bitfield are. It never changes in the life of a feed.
///
/// # Source
/// "SLEEP storage", sections 0 and 6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PageSize {
    /// Since hypercore 6.22.1 of December 2018: 512 bytes of index. What new feeds get.
    #[default]
    Bytes3584,
    /// Before: 256 bytes of index, too few to keep step with the blocks.
    Bytes3328,
}

impl PageSize {
    /// Bytes of a page.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.entry_size() as usize
    }

    const fn entry_size(self) -> u16 {
        match self {
            Self::Bytes3584 => PAGE_LEN,
            Self::Bytes3328 => OLD_PAGE_LEN,
        }
    }
}

/// A part of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderField {
    /// Bytes 0 to 3.
    Magic,
    /// Byte 3.
    FileType,
    /// Byte 4.
    Version,
    /// Bytes 5 to 7, big endian.
    EntrySize,
    /// Byte 7 is its length, then the name.
    Algorithm,
}

impl fmt::Display for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "magic",
            Self::FileType => "file type",
            Self::Version => "version",
            Self::EntrySize => "entry size",
            Self::Algorithm => "algorithm",
        })
    }
}

/// A header that is not one of its file. The first wrong field is named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: the {field} in its header is not one of this file; the header is {}", Hex(header))]
#[non_exhaustive]
pub struct HeaderError {
    /// The file with the header.
    pub file: FileName,
    /// What is wrong in it.
    pub field: HeaderField,
    /// All of the header.
    pub header: [u8; HEADER_LEN],
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A header that is right for its file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    file_type: FileType,
    page_size: Option<PageSize>,
    bytes: [u8; HEADER_LEN],
}

impl Header {
    /// The header of a `bitfield`.
    #[must_use]
    pub fn bitfield(page_size: PageSize) -> Self {
        Self::new(FileType::Bitfield, page_size.entry_size(), Some(page_size))
    }

    /// The header of a `signatures`.
    #[must_use]
    pub fn signatures() -> Self {
        Self::new(FileType::Signatures, SIGNATURES_ENTRY_SIZE, None)
    }

    /// The header of a `tree`.
    #[must_use]
    pub fn tree() -> Self {
        Self::new(FileType::Tree, TREE_ENTRY_SIZE, None)
    }

    fn new(file_type: FileType, entry_size: u16, page_size: Option<PageSize>) -> Self {
        let name = file_type.algorithm().as_bytes();
        let fields = [
            MAGIC.as_slice(),
            &[file_type as u8, VERSION],
            &entry_size.to_be_bytes(),
            // Three names, of 0 or 7 bytes.
            &[u8::try_from(name.len()).unwrap_or(ALGORITHM_LEN_MAX)],
            name,
        ];
        let mut bytes = [0; HEADER_LEN];
        for (place, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        Self { file_type, page_size, bytes }
    }

    /// Takes the header of `file`, if it is one.
    ///
    /// # Errors
    /// [`HeaderError`] names the first field that is wrong. A file without a header has no right one.
    ///
    /// # Source
    /// "SLEEP storage", section 2.
    pub fn decode(
        file: FileName,
        bytes: &[u8; HEADER_LEN],
    ) -> std::result::Result<Self, HeaderError> {
        let wrong = |field| HeaderError { file, field, header: *bytes };
        let expected = FileType::of(file).ok_or_else(|| wrong(HeaderField::FileType))?;
        let [m0, m1, m2, file_type, version, size_high, size_low, name_len, rest @ ..] = *bytes;
        if [m0, m1, m2] != MAGIC {
            return Err(wrong(HeaderField::Magic));
        }
        if file_type != expected as u8 {
            return Err(wrong(HeaderField::FileType));
        }
        if version != VERSION {
            return Err(wrong(HeaderField::Version));
        }
        let candidates = match expected {
            FileType::Bitfield => {
                &[Self::bitfield(PageSize::Bytes3584), Self::bitfield(PageSize::Bytes3328)][..]
            }
            FileType::Signatures => &[Self::signatures()],
            FileType::Tree => &[Self::tree()],
        };
        let known = candidates.iter().find(|known| known.bytes[5..7] == [size_high, size_low]);
        let known = known.ok_or_else(|| wrong(HeaderField::EntrySize))?;
        if rest.get(..usize::from(name_len)) != Some(expected.algorithm().as_bytes()) {
            return Err(wrong(HeaderField::Algorithm));
        }
        Ok(Self { bytes: *bytes, ..*known })
    }

    /// The bytes as they were read.
    #[must_use]
    pub const fn encode(&self) -> [u8; HEADER_LEN] {
        self.bytes
    }

    /// What the file is.
    #[must_use]
    pub const fn file_type(&self) -> FileType {
        self.file_type
    }

    /// The length of the pages; `None` in a header that is not of a bitfield.
    #[must_use]
    pub const fn page_size(&self) -> Option<PageSize> {
        self.page_size
    }

    /// Reads the header of `file` from its store.
    ///
    /// # Errors
    /// [`Error::Header`] when it is none, [`Error::Storage`].
    pub fn read(file: FileName, store: &dyn RandomAccess) -> Result<StoredHeader> {
        let failed = Error::in_file(file);
        let len = store.len().map_err(&failed)?;
        if len < HEADER_LEN as u64 {
            return Ok(StoredHeader::Missing { len });
        }
        let mut bytes = [0; HEADER_LEN];
        store.read_at(0, &mut bytes).map_err(&failed)?;
        Ok(StoredHeader::Present(Self::decode(file, &bytes)?))
    }

    /// Writes the header to the store of its file.
    ///
    /// # Durability
    /// None until the store is synced.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn write(&self, store: &dyn RandomAccess) -> Result<()> {
        store.write_at(0, &self.bytes).map_err(Error::in_file(self.file_type.file()))
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({:?}, {})", self.file_type, Hex(&self.bytes))
    }
}

/// What stands where a header should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredHeader {
    /// A header.
    Present(Header),
    /// Too few bytes for one, so nothing can follow it: the file counts as missing.
    Missing {
        /// Bytes that are there: 0 to 31. More than 0 is damage, and should be reported.
        len: u64,
    },
}
