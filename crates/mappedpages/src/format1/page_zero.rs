//! Page 0: the superblock, and the index of the directory's blocks.
//!
//! The page exists once and is rewritten in place, so a write of more than one sector of 512 bytes can
//! be torn. A commit therefore changes [`SECTOR_LEN`] bytes and no more: the checksum of the index, in
//! the last four bytes of the page, is kept as it is by four bytes behind the last reference that are
//! chosen so that it stays right (the published crate writes zeros there and never reads them). That
//! needs room in the first sector, which there is for [`BLOCKS_IN_SECTOR`] blocks.
//!
//! Invariants: what is decoded here is in range except for page numbers, which only the metadata can
//! judge. Knows nothing of what the pages hold.

use super::directory::Copy2;
use super::field::{self, CHECKSUM_LEN, put, read_u32, read_u64};
use crate::error::MappedPageError;

/// The tag that a page file of this format begins with.
pub(super) const TAG: &[u8; 4] = b"MPPG";
/// Major, minor, patch and build of the format that is stamped on a commit.
const VERSION: [u8; 4] = [0, 2, 0, 0];
/// Bytes that arrive wholly or not at all.
pub(super) const SECTOR_LEN: usize = 512;
/// Blocks for which a commit changes the first sector only.
pub(super) const BLOCKS_IN_SECTOR: usize =
    (SECTOR_LEN - REFERENCES_OFFSET - CHECKSUM_LEN) / BLOCK_REFERENCE_LEN;

const VERSION_OFFSET: usize = 4;
const PAGE_LEN_OFFSET: usize = 8;
const ACTIVE_OFFSET: usize = 12;
const CHECKSUM_OFFSET: usize = 16;
/// The index begins with the number of blocks; its checksum covers it from here on.
const INDEX_OFFSET: usize = 20;
const REFERENCES_OFFSET: usize = 24;
const BLOCK_REFERENCE_LEN: usize = 17;
/// Where in a reference the byte is that says which copy counts.
const REFERENCE_ACTIVE: usize = 16;

/// What the first bytes of the file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    /// The copy of the metadata that counts: A is page 1, B is page 2.
    pub(super) active: Copy2,
    /// The checksum of that whole page.
    pub(super) checksum: u32,
}

impl Superblock {
    /// Reads it from the first bytes of a file.
    ///
    /// # Errors
    /// `CorruptSuperblock` when the tag, the version or the choice of the metadata is not known;
    /// `InvalidPageSize` when the pages have another size.
    pub(super) fn decode(start: &[u8], page_len: usize) -> Result<Self, MappedPageError> {
        let (stored_log2, superblock) =
            Self::parts(start).ok_or(MappedPageError::CorruptSuperblock)?;
        if 1_usize.checked_shl(stored_log2) == Some(page_len) {
            Ok(superblock)
        } else {
            Err(MappedPageError::InvalidPageSize)
        }
    }

    fn parts(start: &[u8]) -> Option<(u32, Self)> {
        let [major, minor, _, _] = VERSION;
        let known = start.starts_with(TAG) && *start.get(4)? == major && *start.get(5)? <= minor;
        let active = Copy2::from_byte(*start.get(ACTIVE_OFFSET)?)?;
        let checksum = read_u32(start, CHECKSUM_OFFSET)?;
        known.then_some((read_u32(start, PAGE_LEN_OFFSET)?, Self { active, checksum }))
    }
}

/// Where the two copies of a directory block are, and which of them counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) pages: [u64; 2],
    pub(super) active: Copy2,
}

/// How many blocks the index has room for.
pub(super) const fn blocks_max(page_len: usize) -> usize {
    page_len.saturating_sub(REFERENCES_OFFSET + CHECKSUM_LEN) / BLOCK_REFERENCE_LEN
}

/// Page 0 of a new file, but for the choice of the metadata.
pub(super) fn new_page(page_len: usize) -> Vec<u8> {
    let mut page = vec![0; page_len];
    put(&mut page, 0, TAG);
    stamp(&mut page);
    put(&mut page, PAGE_LEN_OFFSET, &page_len.trailing_zeros().to_le_bytes());
    store_index_checksum(&mut page);
    page
}

/// Names a copy of the metadata.
pub(super) fn store_superblock(page: &mut [u8], superblock: Superblock) {
    put(page, ACTIVE_OFFSET, &[superblock.active.to_byte()]);
    put(page, CHECKSUM_OFFSET, &superblock.checksum.to_le_bytes());
}

/// Says which version wrote the page last.
pub(super) fn stamp(page: &mut [u8]) {
    put(page, VERSION_OFFSET, &VERSION);
}

/// Reads the index; its checksum counts only when there is something in it.
pub(super) fn decode_index(page: &[u8]) -> Option<Vec<Reference>> {
    let count = block_count(page)?;
    let is_empty = count == 0 && cleared_from(page, 0) == page;
    if !is_empty && !index_checksum_agrees(page) {
        return None;
    }
    let references = page.get(REFERENCES_OFFSET..)?.chunks_exact(BLOCK_REFERENCE_LEN).take(count);
    references.map(decode_reference).collect()
}

/// The page as it was before, or is after, a write that arrived in part: the only one, of those that
/// differ from `page` in one choice of a copy, in the last block, or in the place for a block behind it,
/// whose index has the stored checksum.
pub(super) fn repair_index(page: &[u8]) -> Option<Vec<u8>> {
    let count = block_count(page)?;
    let mut found: Option<Vec<u8>> = None;
    let mut try_page = |candidate: Vec<u8>| {
        if !index_checksum_agrees(&candidate) {
            return true;
        }
        let first = found.as_ref().is_none_or(|other| *other == candidate);
        found = Some(candidate);
        first
    };
    let mut unique = true;
    let cut = cleared_from(page, count);
    // The checksum may be that of a state of long ago, which steering bytes keep right: whatever takes
    // more away than one write puts there would lead back to that.
    let may_cut = cleared_behind(page, count.checked_add(1)?) == page;
    for base in [page, cut.as_slice()].into_iter().take(if may_cut { 2 } else { 1 }) {
        for block in 0..count {
            unique &= flipped(base, block).is_none_or(&mut try_page);
        }
    }
    if let Some(fewer) = count.checked_sub(1).filter(|_| cut == page) {
        unique &= try_page(cleared_from(page, fewer));
    }
    if may_cut {
        unique &= try_page(cut);
    }
    found.filter(|_| unique)
}

/// Puts the index into `page`, of which only the first sector changes, so that the stored checksum,
/// which must be right, stays right. `None` when there are too many blocks for that.
pub(super) fn store_index(page: &mut [u8], references: &[Reference]) -> Option<()> {
    if references.len() > BLOCKS_IN_SECTOR {
        return None;
    }
    let sector = page.get_mut(..SECTOR_LEN)?;
    let wanted = crc32fast::hash(sector.get(INDEX_OFFSET..)?);
    let end = put_references(sector, references)?;
    sector.get_mut(end..)?.fill(0);
    let so_far = crc32fast::hash(sector.get(INDEX_OFFSET..end)?);
    let (room, behind) = sector.get_mut(end..)?.split_first_chunk_mut::<CHECKSUM_LEN>()?;
    *room = steering_bytes(so_far, wanted, behind);
    Some(())
}

/// The page after each of the writes that put a block behind the `count` others, one of which is to be
/// durable before the next: [`repair_index`] leads back to one side from each of them, whatever part of
/// a write arrived.
pub(super) fn steps_to_add(
    page: &[u8],
    count: usize,
    reference: Reference,
) -> Option<[Vec<u8>; 5]> {
    // The bytes that kept the checksum right are in the way: first the checksum that is right without.
    let cleared = with_index_checksum(cleared_from(page, count));
    let mut freed = page.to_vec();
    let checksum = page.len().checked_sub(CHECKSUM_LEN)?;
    put(&mut freed, checksum, cleared.get(checksum..)?);
    let mut added = cleared.clone();
    put_reference(&mut added, count, reference)?;
    let mut counted = added.clone();
    put(&mut counted, INDEX_OFFSET, &u32::try_from(count.checked_add(1)?).ok()?.to_le_bytes());
    let done = with_index_checksum(counted.clone());
    Some([freed, cleared, added, counted, done])
}

fn with_index_checksum(mut page: Vec<u8>) -> Vec<u8> {
    store_index_checksum(&mut page);
    page
}

/// Puts the references at their places, and their number. Returns where they end.
fn put_references(page: &mut [u8], references: &[Reference]) -> Option<usize> {
    put(page, INDEX_OFFSET, &u32::try_from(references.len()).ok()?.to_le_bytes());
    for (block, reference) in references.iter().enumerate() {
        put_reference(page, block, *reference)?;
    }
    offset_of(references.len())
}

fn put_reference(page: &mut [u8], block: usize, reference: Reference) -> Option<()> {
    let [a, b] = reference.pages;
    let at = offset_of(block)?;
    put(page, at, &a.to_le_bytes());
    put(page, at.checked_add(8)?, &b.to_le_bytes());
    put(page, at.checked_add(REFERENCE_ACTIVE)?, &[reference.active.to_byte()]);
    Some(())
}

/// Stores the checksum that the index has.
pub(super) fn store_index_checksum(page: &mut [u8]) {
    let at = page.len().saturating_sub(CHECKSUM_LEN);
    let checksum = crc32fast::hash(page.get(INDEX_OFFSET..at).unwrap_or_default());
    put(page, at, &checksum.to_le_bytes());
}

/// Whether the stored checksum is that of the index.
pub(super) fn index_checksum_agrees(page: &[u8]) -> bool {
    page.get(INDEX_OFFSET..).and_then(field::checked).is_some()
}

/// The page with `count` blocks, and without anything behind them.
fn cleared_from(page: &[u8], count: usize) -> Vec<u8> {
    let mut cleared = cleared_behind(page, count);
    put(&mut cleared, INDEX_OFFSET, &u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    cleared
}

/// The page without anything behind the place of its first `count` blocks.
fn cleared_behind(page: &[u8], count: usize) -> Vec<u8> {
    let mut cleared = page.to_vec();
    let end = page.len().saturating_sub(CHECKSUM_LEN);
    if let Some(rest) = offset_of(count).and_then(|from| cleared.get_mut(from..end)) {
        rest.fill(0);
    }
    cleared
}

/// The page with the other copy of a block chosen.
fn flipped(page: &[u8], block: usize) -> Option<Vec<u8>> {
    let mut flipped = page.to_vec();
    let active = flipped.get_mut(offset_of(block)?.checked_add(REFERENCE_ACTIVE)?)?;
    *active = Copy2::from_byte(*active)?.other().to_byte();
    Some(flipped)
}

/// The number of blocks, when there is room for so many.
fn block_count(page: &[u8]) -> Option<usize> {
    let count = usize::try_from(read_u32(page, INDEX_OFFSET)?).ok()?;
    (count <= blocks_max(page.len())).then_some(count)
}

fn offset_of(block: usize) -> Option<usize> {
    block.checked_mul(BLOCK_REFERENCE_LEN)?.checked_add(REFERENCES_OFFSET)
}

fn decode_reference(bytes: &[u8]) -> Option<Reference> {
    let active = Copy2::from_byte(*bytes.get(REFERENCE_ACTIVE)?)?;
    Some(Reference { pages: [read_u64(bytes, 0)?, read_u64(bytes, 8)?], active })
}

/// The four bytes between bytes whose CRC-32 is `so_far` and the bytes `behind` with which the CRC-32
/// of all is `wanted`.
///
/// # Source
/// A CRC register can be run backwards: each step shifts in the bit that the polynomial took out.
fn steering_bytes(so_far: u32, wanted: u32, behind: &[u8]) -> [u8; 4] {
    let mut register = !wanted;
    for byte in behind.iter().rev() {
        register = back_one_byte(register) ^ u32::from(*byte);
    }
    for _ in 0..CHECKSUM_LEN {
        register = back_one_byte(register);
    }
    (register ^ !so_far).to_le_bytes()
}

/// The register before eight shifts of a zero byte.
fn back_one_byte(mut register: u32) -> u32 {
    /// CRC-32 as in zip, least significant bit first.
    const POLYNOMIAL: u32 = 0xedb8_8320;
    for _ in 0..8 {
        register = if register & (1 << 31) == 0 {
            register << 1
        } else {
            (register ^ POLYNOMIAL) << 1 | 1
        };
    }
    register
}

#[cfg(test)]
mod tests {
    use super::{
        BLOCKS_IN_SECTOR, Reference, SECTOR_LEN, blocks_max, decode_index, index_checksum_agrees,
        new_page, put_references, repair_index, steering_bytes, store_index, store_index_checksum,
    };
    use crate::format1::directory::Copy2;

    fn references(count: usize) -> Vec<Reference> {
        (0..count as u64)
            .map(|block| Reference { pages: [2 * block + 3, 2 * block + 4], active: Copy2::A })
            .collect()
    }

    #[test]
    fn four_bytes_steer_a_checksum_to_any_value() {
        for wanted in [0, 1, 0xdead_beef, u32::MAX] {
            for behind in [b"".as_slice(), b"x", b"what follows"] {
                let steering = steering_bytes(crc32fast::hash(b"in front"), wanted, behind);
                let all = [b"in front", steering.as_slice(), behind].concat();
                assert_eq!(crc32fast::hash(&all), wanted);
            }
        }
    }

    #[test]
    fn the_index_changes_in_the_first_sector_only_and_its_checksum_stays_right() {
        for page_len in [1024, 2048, 4096, 65536] {
            let mut page = new_page(page_len);
            for count in 0..=BLOCKS_IN_SECTOR {
                let mut wanted = references(count);
                for flip in 0..=count {
                    let before = page.clone();
                    if let Some(reference) = wanted.get_mut(flip) {
                        reference.active = Copy2::B;
                    }
                    store_index(&mut page, &wanted).unwrap();
                    assert_eq!(page[SECTOR_LEN..], before[SECTOR_LEN..]);
                    assert!(index_checksum_agrees(&page));
                    assert_eq!(decode_index(&page).unwrap(), wanted);
                }
            }
            assert_eq!(store_index(&mut page, &references(BLOCKS_IN_SECTOR + 1)), None);
        }
    }

    /// The published crate rewrites the page with zeros behind the references and the checksum last.
    fn as_published(page_len: usize, references: &[Reference]) -> Vec<u8> {
        let mut page = new_page(page_len);
        put_references(&mut page, references).unwrap();
        store_index_checksum(&mut page);
        page
    }

    #[test]
    fn a_torn_flip_of_the_published_crate_is_repaired_to_what_its_checksum_says() {
        for page_len in [1024, 4096] {
            for count in [1, 2, 27, 29, blocks_max(page_len).min(60)] {
                let before = references(count);
                let mut after = before.clone();
                after[count / 2].active = Copy2::B;
                let old = as_published(page_len, &before);
                let new = as_published(page_len, &after);
                let checksum = page_len - 4;
                for (index, checksum_of) in [(&old, &new), (&new, &old)] {
                    let mut torn = index.clone();
                    torn[checksum..].copy_from_slice(&checksum_of[checksum..]);
                    assert_eq!(decode_index(&torn), None);
                    assert_eq!(repair_index(&torn).as_ref(), Some(checksum_of));
                }
            }
        }
    }

    #[test]
    fn no_flipped_bit_of_a_steered_index_leads_back_to_an_older_one() {
        for count in [1, 2, 3, 28] {
            let mut page = new_page(1024);
            store_index(&mut page, &references(count)).unwrap();
            for bit in 20 * 8..1020 * 8 {
                let mut damaged = page.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let decoded = decode_index(&damaged).map(|_| damaged.clone());
                let read = decoded.or_else(|| repair_index(&damaged));
                assert!(read.is_none_or(|read| read == page), "{count} blocks, bit {bit}");
            }
        }
    }

    #[test]
    fn a_torn_block_is_taken_away_again_and_other_damage_is_refused() {
        for count in [1, 5, 28] {
            let old = as_published(1024, &references(count - 1));
            let mut torn = as_published(1024, &references(count));
            torn[1020..].copy_from_slice(&old[1020..]);
            assert_eq!(repair_index(&torn), Some(old));
        }
        let whole = as_published(1024, &references(5));
        for (at, xor) in [(1020, 1), (1023, 0x80), (24, 1), (33, 4), (20, 2), (23, 1)] {
            let mut damaged = whole.clone();
            damaged[at] ^= xor;
            assert_eq!(repair_index(&damaged), None, "byte {at}");
        }
        let mut behind = whole.clone();
        behind[24 + 5 * 17] ^= 4;
        assert_eq!(repair_index(&behind), Some(whole.clone()));
        let mut further = whole;
        further[200] ^= 4;
        assert_eq!(repair_index(&further), None);
    }
}
