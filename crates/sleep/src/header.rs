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
///
/// ```
/// use sleep::{FileName, Header, PageSize};
///
/// let header = Header::bitfield(PageSize::Bytes3584);
/// assert_eq!(header.encode()[..8], [0x05, 0x02, 0x57, 0, 0, 0x0e, 0, 0]);
///
/// let read = Header::decode(FileName::Bitfield, &header.encode())?;
/// assert_eq!(read.page_size(), Some(PageSize::Bytes3584));
/// assert!(Header::decode(FileName::Tree, &header.encode()).is_err());
/// # Ok::<(), sleep::HeaderError>(())
/// ```
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

#[cfg(test)]
mod tests {
    use random_access_memory::RandomAccessMemory;

    use super::*;

    fn known() -> [(Header, &'static str); 4] {
        [
            (Header::bitfield(PageSize::Bytes3584), "05025700000e0000"),
            (Header::bitfield(PageSize::Bytes3328), "05025700000d0000"),
            (Header::signatures(), "050257010000400745643235353139"),
            (Header::tree(), "0502570200002807424c414b453262"),
        ]
    }

    #[test]
    fn the_four_headers() {
        for (header, hex) in known() {
            let hex = format!("{hex:0<64}");
            assert_eq!(Hex(&header.encode()).to_string(), hex);
            let file = header.file_type().file();
            assert_eq!(FileType::of(file), Some(header.file_type()));
            assert_eq!(Header::decode(file, &header.encode()), Ok(header));
        }
    }

    /// Where the field of a byte is; `None` behind the name, where nothing is read.
    fn field_at(byte: usize, header: &Header) -> Option<HeaderField> {
        match byte {
            0..3 => Some(HeaderField::Magic),
            3 => Some(HeaderField::FileType),
            4 => Some(HeaderField::Version),
            5..7 => Some(HeaderField::EntrySize),
            7 => Some(HeaderField::Algorithm),
            _ => {
                (byte < 8 + header.file_type().algorithm().len()).then_some(HeaderField::Algorithm)
            }
        }
    }

    #[test]
    fn every_other_byte_is_refused_or_kept() {
        for (header, _) in known() {
            let file = header.file_type().file();
            for (byte, value) in (0..HEADER_LEN).flat_map(|byte| (0..=255).map(move |v| (byte, v)))
            {
                let mut bytes = header.encode();
                bytes[byte] = value;
                let known = known().into_iter().find(|(known, _)| known.encode() == bytes);
                let is_known = known.is_some_and(|(known, _)| known.file_type().file() == file);
                let decoded = Header::decode(file, &bytes);
                match field_at(byte, &header).filter(|_| !is_known) {
                    Some(field) => {
                        assert_eq!(decoded, Err(HeaderError { file, field, header: bytes }));
                    }
                    None => assert_eq!(decoded.map(|header| header.encode()), Ok(bytes)),
                }
            }
        }
    }

    #[test]
    fn no_header_is_one_of_another_file() {
        for (header, _) in known() {
            for file in FileName::ALL.into_iter().filter(|file| *file != header.file_type().file())
            {
                let refused = Header::decode(file, &header.encode()).unwrap_err();
                assert_eq!((refused.file, refused.field), (file, HeaderField::FileType));
                let text = refused.to_string();
                assert!(text.starts_with(file.as_str()) && text.contains("file type"), "{text}");
            }
        }
    }

    #[test]
    fn fewer_bytes_are_no_header() {
        for len in 0..=HEADER_LEN {
            let store = RandomAccessMemory::new();
            store.write_at(0, &Header::tree().encode()[..len]).unwrap();
            let expected = if len < HEADER_LEN {
                StoredHeader::Missing { len: len as u64 }
            } else {
                StoredHeader::Present(Header::tree())
            };
            assert_eq!(Header::read(FileName::Tree, &store).unwrap(), expected);
        }
    }

    #[test]
    fn what_no_program_reads_is_written_back() {
        let mut bytes = Header::signatures().encode();
        bytes[20..].copy_from_slice(b"left behind.");
        let store = RandomAccessMemory::new();
        store.write_at(0, &bytes).unwrap();
        let StoredHeader::Present(header) = Header::read(FileName::Signatures, &store).unwrap()
        else {
            panic!("a header")
        };
        let copy = RandomAccessMemory::new();
        header.write(&copy).unwrap();
        assert_eq!(copy.read_vec_at(0, HEADER_LEN).unwrap(), bytes);
    }
}
