//! Where things lie in a file of format 2: the constants of `docs/format/mappedpages.md`.
//!
//! Pure numbers. All that depends on the page size is a function of it, because a page size is a
//! constant of a type and not of this module.

/// Bytes that a medium writes wholly or not at all.
pub(crate) const SECTOR_LEN: usize = 512;
/// Bytes of a sector before its checksum.
pub(crate) const SECTOR_CHECKED_LEN: usize = 508;

/// First bytes of the superblock, and of the file.
pub(crate) const SUPERBLOCK_MAGIC: [u8; 8] = *b"MPAGES2\n";
/// First bytes of the seal.
pub(crate) const SEAL_MAGIC: [u8; 8] = *b"MPSEAL2\n";
/// First bytes of a commit record.
pub(crate) const RECORD_MAGIC: [u8; 8] = *b"MPCMIT2\n";
/// First bytes of a node of the allocation tree.
pub(crate) const ALLOCATION_MAGIC: [u8; 4] = *b"MPA2";
/// First bytes of a node of the directory tree.
pub(crate) const DIRECTORY_MAGIC: [u8; 4] = *b"MPD2";
/// First bytes of a page of a journal list.
pub(crate) const LIST_MAGIC: [u8; 4] = *b"MPJ2";

/// The revision of the format that this crate writes, and the newest that it reads.
pub(crate) const REVISION: u32 = 1;

/// Offset of the seal in page 0.
pub(crate) const SEAL_OFFSET: u64 = 512;
/// Pages that a new file has.
pub(crate) const FIRST_PAGE_COUNT: u64 = 4;
/// Pages that no map describes: superblock and the two commit records.
pub(crate) const RESERVED_PAGES: u64 = 3;

/// Bytes of a reference to a node.
pub(crate) const REFERENCE_LEN: usize = 32;
/// Bytes before the references or the leaf in a node.
pub(crate) const NODE_HEADER_LEN: usize = 32;
/// Bytes of an entry of the directory.
pub(crate) const ENTRY_LEN: usize = 24;
/// Bytes before the entries in a page of a journal list.
pub(crate) const LIST_HEADER_LEN: usize = 32;
/// Bytes of an entry of a journal list.
pub(crate) const LIST_ENTRY_LEN: usize = 24;
/// Levels above the leaves that a tree may have: with the smallest pages they reach past 2^64 units.
pub(crate) const LEVEL_MAX: u8 = 12;

/// Pages described by the map in the page of a commit record: all below this number.
pub(crate) const fn inline_units(page_len: usize) -> u64 {
    (page_len.saturating_sub(SECTOR_LEN) as u64).saturating_mul(4)
}

/// Pages described by one leaf of the allocation tree.
pub(crate) const fn map_leaf_units(page_len: usize) -> u64 {
    (page_len.saturating_sub(NODE_HEADER_LEN) as u64).saturating_mul(4)
}

/// Slots described by one leaf of the directory tree.
pub(crate) const fn directory_leaf_units(page_len: usize) -> u64 {
    (page_len.saturating_sub(NODE_HEADER_LEN) / ENTRY_LEN) as u64
}

/// References in a node.
pub(crate) const fn fan_out(page_len: usize) -> usize {
    page_len.saturating_sub(NODE_HEADER_LEN) / REFERENCE_LEN
}

/// Entries in one page of a journal list.
pub(crate) const fn list_entries(page_len: usize) -> usize {
    page_len.saturating_sub(LIST_HEADER_LEN) / LIST_ENTRY_LEN
}

/// The page that carries the record of `generation`.
pub(crate) const fn record_page(generation: u64) -> u64 {
    if generation.is_multiple_of(2) { 1 } else { 2 }
}

/// A count that is used as a divisor.
pub(crate) const fn at_least_one(count: u64) -> std::num::NonZeroU64 {
    match std::num::NonZeroU64::new(count) {
        Some(count) => count,
        None => std::num::NonZeroU64::MIN,
    }
}
