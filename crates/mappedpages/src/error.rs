//! What can go wrong, whose fault it was, and what to do then.

use std::io;

/// Why a call on a page file failed.
///
/// The variants that name a fault of the file ([`CorruptSuperblock`](Self::CorruptSuperblock) to
/// [`CutShort`](Self::CutShort)) are final: the bytes on the medium are not what was written. Bring a copy
/// back; [`check`](crate::check()) lists what is damaged. Those that name a fault of the caller changed
/// nothing. After [`Io`](Self::Io) from a commit the pager
/// answers [`Unavailable`](Self::Unavailable) until it is opened again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MappedPageError {
    /// The operating system refused; its reason is the source.
    #[error("the operating system failed to read or write the page file")]
    Io(#[from] io::Error),
    /// The pages of the file have another size than the type says.
    #[error("the page file has pages of another size than was asked for")]
    InvalidPageSize,
    /// Page 0 is not that of a page file, is damaged, or belongs to a version that is not known.
    #[error("not a page file, or its first page is damaged or of an unknown version")]
    CorruptSuperblock,
    /// What says which pages are in use is damaged.
    #[error("the metadata of the page file is damaged")]
    CorruptMetadata,
    /// The directory of protected pages is damaged.
    #[error("the directory of protected pages is damaged")]
    CorruptProtectedDirectory,
    /// The index of the directory, in page 0 of a file in format 1, is damaged.
    #[error("the index of the directory of protected pages is damaged")]
    CorruptDirectoryIndex,
    /// The content of a page is not what was written to it.
    #[error("page {page} does not hold what was written to it")]
    CorruptPage {
        /// The physical page whose checksum is wrong.
        page: u64,
    },
    /// The file ends before the last page that its metadata names.
    #[error("the page file is {len} bytes long instead of {expected}")]
    CutShort {
        /// Bytes that the metadata promises.
        expected: u64,
        /// Bytes that are there.
        len: u64,
    },
    /// The id names no page of this file.
    #[error("no page of this file has that id")]
    OutOfBounds,
    /// The id names a page that the pager keeps for itself.
    #[error("the pager keeps that page for itself")]
    ReservedPage,
    /// The page is free already.
    #[error("the page is free already")]
    DoubleFree,
    /// The page was freed after this id was given out; or, for a reader, the file has moved on:
    /// refresh and try again.
    #[error("the page was freed, or the reader's state is gone: refresh the reader and try again")]
    Stale,
    /// There is no room: the disk is full, or the format ends here. Nothing was changed.
    #[error("there is no room for more pages")]
    Full,
    /// The directory of a file in format 1 has no room for more protected pages. Nothing was changed.
    #[error("there is no room for more protected pages: upgrade the file to format 2")]
    DirectoryFull,
    /// The format of this file cannot do that. Nothing was changed.
    #[error("format 1 cannot {what}; format 2 can: upgrade the file")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// Another pager has the file open for writing.
    #[error("another pager has the file open: it can only be read until that is closed")]
    Locked,
    /// A write or sync failed earlier, so this pager no longer knows what the medium holds: open the
    /// file again.
    #[error("the pager failed earlier; open the file again")]
    Unavailable,
}
