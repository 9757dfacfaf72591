//! Making a file, and taking its state from one that exists.
//!
//! No byte is changed while a file is opened: what has to be put right is prepared and becomes the
//! first phases of the next commit, so that looking at a file leaves it as it was.

use std::collections::{BTreeMap, BTreeSet};

use super::bits::Bits;
use super::commit::{Phase, difference, metadata_page, page_write};
use super::directory::{self, Copy2, Entry};
use super::metadata::{FIRST_PAGES, Metadata, RESERVED_PAGES, checksum_of, pages_max};
use super::page_zero::{self, Superblock, decode_index, repair_index, store_superblock};
use super::wide::{drop_unfinished, drops_unfinished};
use super::{Block, FormatOne, Pending};
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::pages::Pages;
use crate::recovery::Recovery;

/// The metadata of a file.
struct Found {
    copy: Copy2,
    metadata: Metadata,
    /// The copy that page 0 names could not be taken.
    fell_back: bool,
    /// The generation of the other copy, when it is of a later commit.
    given_up: Option<u64>,
}

impl<const P: usize> FormatOne<P> {
    /// Writes a new file of four pages into `pages`, which are empty. Durable with the caller's sync.
    ///
    /// # Errors
    /// `Full`, `Io`.
    pub(crate) fn create(pages: &mut Pages<P>) -> Result<Self> {
        let metadata = Metadata::new();
        let image = metadata.encode(P);
        let mut first = page_zero::new_page(P);
        store_superblock(
            &mut first,
            Superblock { active: Copy2::A, checksum: checksum_of(&image) },
        );
        pages.grow(FIRST_PAGES)?;
        pages.write(metadata_page(Copy2::A), &image)?;
        pages.write(metadata_page(Copy2::B), &image)?;
        pages.write(0, &first)?;
        let found = Found { copy: Copy2::A, metadata, fell_back: false, given_up: None };
        let mut engine = Self::assemble(first, found, Vec::new());
        engine.zeros_from = RESERVED_PAGES;
        Ok(engine)
    }

    /// Takes the state that a file has, for writing to it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn open(pages: &mut Pages<P>) -> Result<(Self, Recovery)> {
        let (engine, recovery) = Self::load(pages)?;
        // What a writer left in the caches is taken for durable from here on: pages that it freed are
        // handed out. Where its sync failed, they call what it wrote last written, and only write it when
        // it is written again: page 0, or blocks in their places; what those lead to was synced before.
        let mut last_written = vec![0];
        if engine.is_wide(0) {
            last_written.extend(engine.blocks.iter().flat_map(|block| block.reference.pages));
        }
        for page in last_written {
            let stored = pages.page(page)?.to_vec();
            pages.write(page, &stored)?;
        }
        pages.sync_handle().sync()?;
        Ok((engine, recovery))
    }

    /// Takes the state that a file has; neither writes nor syncs.
    ///
    /// # Errors
    /// `CorruptSuperblock`, `InvalidPageSize`, `CorruptMetadata`, `CutShort`, `CorruptDirectoryIndex`,
    /// `CorruptProtectedDirectory`, `Io`.
    pub(crate) fn load(pages: &Pages<P>) -> Result<(Self, Recovery)> {
        if pages.count() < FIRST_PAGES {
            return Err(MappedPageError::CorruptSuperblock);
        }
        let stored = pages.page(0)?.to_vec();
        let superblock = Superblock::decode(&stored, P)?;
        let mut found = find_metadata(pages, superblock)?;
        check_length(pages, &found)?;

        let mut page_zero = match decode_index(&stored) {
            Some(_) => stored.clone(),
            None => repair_index(&stored).ok_or(MappedPageError::CorruptDirectoryIndex)?,
        };
        let repaired = page_zero != stored;
        if !page_zero::index_checksum_agrees(&page_zero) {
            // Without blocks nobody looks at it, and with the first one it has to be right.
            page_zero::store_index_checksum(&mut page_zero);
        }
        if found.fell_back {
            let image = pages.page(metadata_page(found.copy))?;
            let superblock = Superblock { active: found.copy, checksum: checksum_of(image) };
            store_superblock(&mut page_zero, superblock);
        }
        let mut heal = vec![difference(&stored, &page_zero)];
        let mut older_blocks = 0_u64;
        let mut blocks = Vec::new();
        let index = decode_index(&page_zero).ok_or(MappedPageError::CorruptDirectoryIndex)?;
        for reference in index {
            let (entries, image) = match read_block(pages, reference.active.of(reference.pages))? {
                Some(entries) => (entries, None),
                None => {
                    let other = reference.active.other().of(reference.pages);
                    let entries = read_block(pages, other)?
                        .ok_or(MappedPageError::CorruptProtectedDirectory)?;
                    (entries, Some(pages.page(other)?.to_vec()))
                }
            };
            if let Some(image) = image {
                older_blocks = older_blocks.saturating_add(1);
                // Both copies are the same afterwards, so it does not matter which of them is named.
                let damaged = reference.active.of(reference.pages);
                heal.extend(heal_page::<P>(damaged, pages, image));
            }
            blocks.push(Block { reference, entries, indexed: true });
        }
        if drops_unfinished(blocks.len(), found.fell_back) {
            heal.extend(drop_unfinished::<P>(&mut blocks, &found.metadata.used));
        }
        reach::<P>(&mut found, &blocks, pages.count());
        check_pages(&blocks, found.metadata.used.len())?;

        heal.retain(|phase| !phase.is_empty());
        let recovery = Recovery {
            generation: found.metadata.generation,
            unclean: !heal.is_empty() || found.given_up.is_some(),
            rolled_back: found.given_up,
            repaired,
            older_blocks,
            ..Recovery::default()
        };
        let mut engine = Self::assemble(page_zero, found, blocks);
        engine.heal = heal;
        engine.zeros_from = pages.count();
        Ok((engine, recovery))
    }

    /// The state in memory that follows from what is stored.
    fn assemble(page_zero: Vec<u8>, found: Found, blocks: Vec<Block>) -> Self {
        let Metadata { generation, mut used } = found.metadata;
        let mut internal = Bits::new(used.len());
        let owned = blocks.iter().flat_map(pages_of);
        for page in (0..RESERVED_PAGES).chain(owned) {
            internal.set(page, true);
            // Clear when the copy of the metadata is older than the directory.
            used.set(page, true);
        }
        let taken = used.clone();
        Self {
            page_zero,
            active: found.copy,
            generation,
            available: taken.len().saturating_sub(taken.count()),
            lowest_available: RESERVED_PAGES,
            zeros_from: taken.len(),
            used,
            taken,
            internal,
            blocks,
            lowest_slot: 0,
            checksum_of_zeros: crc32fast::hash(&[0; P]),
            steps: Vec::new(),
            staged: BTreeMap::new(),
            accepted: BTreeMap::new(),
            pending: Pending::default(),
            heal: Vec::new(),
            commit: None,
        }
    }
}

/// The copy that page 0 names, when both checksums say so, or else the other one.
fn find_metadata<const P: usize>(pages: &Pages<P>, superblock: Superblock) -> Result<Found> {
    let named = superblock.active;
    let image = pages.page(metadata_page(named))?;
    let named_metadata = Metadata::decode(image);
    let agrees = checksum_of(image) == superblock.checksum;
    let other_metadata = Metadata::decode(pages.page(metadata_page(named.other()))?);
    let (copy, metadata, left) = match (named_metadata, other_metadata) {
        (Some(metadata), other) if agrees => (named, metadata, other),
        (left, Some(metadata)) => (named.other(), metadata, left),
        (_, None) => return Err(MappedPageError::CorruptMetadata),
    };
    let fell_back = copy != named;
    let next = metadata.generation.wrapping_add(1);
    let given_up = match left {
        Some(left) => (left.generation > metadata.generation).then_some(left.generation),
        None => fell_back.then_some(next),
    };
    Ok(Found { copy, metadata, fell_back, given_up })
}

/// Refuses a file that ends before the last page that its metadata names.
fn check_length<const P: usize>(pages: &Pages<P>, found: &Found) -> Result<()> {
    let total = found.metadata.used.len();
    if pages.count() >= total {
        return Ok(());
    }
    let bytes = |pages: u64| pages.saturating_mul(P as u64);
    Err(MappedPageError::CutShort { expected: bytes(total), len: bytes(pages.count()) })
}

/// Lets metadata that are older than the directory describe as many pages as it uses, in the steps a file
/// grows by.
fn reach<const P: usize>(found: &mut Found, blocks: &[Block], file_pages: u64) {
    let last = blocks.iter().flat_map(pages_of).max();
    while last.is_some_and(|last| last >= found.metadata.used.len()) {
        let total = found.metadata.used.len().saturating_mul(2);
        if total > file_pages.min(pages_max(P)) {
            return;
        }
        found.metadata.used.grow(total);
    }
}

fn read_block<const P: usize>(pages: &Pages<P>, page: u64) -> Result<Option<Vec<Entry>>> {
    if page >= pages.count() {
        return Ok(None);
    }
    // A page that cannot be read is no damaged one: the other copy may be older.
    Ok(directory::decode(pages.page(page)?))
}

/// The write that makes a damaged copy the same as the other, when that page can be written at all.
fn heal_page<const P: usize>(page: u64, pages: &Pages<P>, image: Vec<u8>) -> Option<Phase> {
    (page >= RESERVED_PAGES && page < pages.count()).then(|| vec![page_write::<P>(page, image)])
}

/// The pages of a block: its own and those of the protected pages in it.
fn pages_of(block: &Block) -> impl Iterator<Item = u64> {
    let entries = block.entries.iter().filter(|entry| entry.in_use);
    block.reference.pages.into_iter().chain(entries.flat_map(|entry| entry.pages))
}

/// Refuses pages that do not exist, are reserved, or have two owners.
fn check_pages(blocks: &[Block], total: u64) -> Result<()> {
    let mut owned = BTreeSet::new();
    let mut claim = |page| (RESERVED_PAGES..total).contains(&page) && owned.insert(page);
    if !blocks.iter().flat_map(|block| block.reference.pages).all(&mut claim) {
        return Err(MappedPageError::CorruptDirectoryIndex);
    }
    let mut entries = blocks.iter().flat_map(|block| &block.entries).filter(|entry| entry.in_use);
    if !entries.all(|entry| entry.pages.into_iter().all(&mut claim)) {
        return Err(MappedPageError::CorruptProtectedDirectory);
    }
    Ok(())
}
