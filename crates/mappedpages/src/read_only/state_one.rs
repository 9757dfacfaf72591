//! A committed state of a file of format 1, for a reader.
//!
//! The format stores no number that says which commit all its parts belong to. So everything is read
//! twice, and taken when both readings are the same: each commit moves a counter in each part it
//! changes, so the parts were then all there at one time. Protected pages are believed by their
//! checksums; after a regular page was read, it is asked whether the metadata still are those.

use std::sync::Arc;

use super::source::Source;
use super::view::{Origin, Result, TURNS_MAX, View};
use crate::engine::{Engine as _, Kind};
use crate::error::MappedPageError;
use crate::format1::FormatOne;
use crate::medium::MemoryMedium;
use crate::pages::Pages;

/// Bytes of page 0 before the index of the directory.
const SUPERBLOCK_LEN: usize = 20;
/// Which of them names the copy of the metadata that counts.
const ACTIVE_OFFSET: usize = 12;
/// Bytes of a metadata page before its bitmap: they change with each commit of it.
const METADATA_HEADER_LEN: usize = 24;

/// The bytes that a commit of the metadata changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    superblock: [u8; SUPERBLOCK_LEN],
    metadata: [[u8; METADATA_HEADER_LEN]; 2],
}

/// A state of a file with pages of `P` bytes.
#[derive(Debug)]
pub(crate) struct StateOne<const P: usize> {
    engine: FormatOne<P>,
    /// No page of it is looked at: what asks the engine wants pages only for other formats.
    no_pages: Pages<P>,
    stamp: Stamp,
    /// The copy of the metadata that page 0 names is damaged, and the other one was taken.
    fell_back: bool,
}

impl Stamp {
    fn read<const P: usize>(source: &dyn Source) -> Result<Option<Self>> {
        let mut stamp =
            Self { superblock: [0; SUPERBLOCK_LEN], metadata: [[0; METADATA_HEADER_LEN]; 2] };
        let mut is_there = source.read(0, &mut stamp.superblock)?;
        for (page, header) in (1_u64..).zip(&mut stamp.metadata) {
            is_there &= source.read(page.saturating_mul(P as u64), header)?;
        }
        Ok(is_there.then_some(stamp))
    }

    /// The copy that counts, and its header.
    fn active(&self) -> (u8, [u8; METADATA_HEADER_LEN]) {
        let [first, second] = self.metadata;
        match self.superblock.get(ACTIVE_OFFSET) {
            Some(0) => (0, first),
            _ => (1, second),
        }
    }
}

impl<const P: usize> StateOne<P> {
    /// Takes the newest committed state of a file that a writer may be going on with.
    ///
    /// # Errors
    /// Those of [`FormatOne::load`]; `Stale` when a writer is faster than the reader.
    pub(crate) fn pin(source: &Origin) -> Result<Self> {
        let mut failure = MappedPageError::Stale;
        for turn in 0..TURNS_MAX {
            let before = Stamp::read::<P>(source)?.ok_or(MappedPageError::CorruptSuperblock)?;
            let (first, second) = (Self::load(source), Self::load(source));
            let is_quiet = Stamp::read::<P>(source)? == Some(before);
            match (first, second) {
                (Ok(first), Ok((engine, fell_back)))
                    if is_quiet && engine.is_same_state(&first.0) =>
                {
                    let no_pages = Pages::positioned(Arc::new(MemoryMedium::new()))?;
                    return Ok(Self { engine, no_pages, stamp: before, fell_back });
                }
                // What is being written right now is not damage, so one look is not enough.
                (Err(error), Err(_)) if is_quiet && turn > 1 => return Err(error),
                (Err(error), _) | (_, Err(error)) => failure = error,
                (Ok(_), Ok(_)) => failure = MappedPageError::Stale,
            }
            std::thread::yield_now();
        }
        Err(failure)
    }

    fn load(source: &Origin) -> Result<(FormatOne<P>, bool)> {
        let (engine, recovery) = FormatOne::load(&Pages::positioned(Origin::clone(source))?)?;
        Ok((engine, recovery.rolled_back.is_some()))
    }

    /// Whether the bitmap is still the one of this state, so that no page of it has another owner.
    fn is_kept(&self, source: &dyn Source) -> Result<bool> {
        let now = Stamp::read::<P>(source)?;
        Ok(now.is_some_and(|now| {
            now == self.stamp || (!self.fell_back && now.active() == self.stamp.active())
        }))
    }
}

impl<const P: usize> View for StateOne<P> {
    fn page_count(&self) -> u64 {
        self.engine.page_count()
    }

    fn free_page_count(&self) -> u64 {
        self.engine.free_page_count()
    }

    fn generation(&self) -> u64 {
        self.engine.generation()
    }

    fn is_newest(&self, source: &Origin) -> Result<bool> {
        // What is being written may not be read, and is no fault of the file.
        Ok(Self::load(source).is_ok_and(|(engine, _)| engine.is_same_state(&self.engine)))
    }

    fn next_regular(&self, _source: &Origin, from: u64) -> Result<Option<u64>> {
        self.engine.next_regular(&self.no_pages, from)
    }

    fn next_protected(&self, _source: &Origin, from_slot: u64) -> Result<Option<u64>> {
        self.engine.next_protected(&self.no_pages, from_slot)
    }

    fn read_page(&self, source: &Origin, page: u64, into: &mut [u8]) -> Result<()> {
        match self.engine.kind(&self.no_pages, page)? {
            Kind::Free => return Err(MappedPageError::Stale),
            Kind::Internal => return Err(MappedPageError::ReservedPage),
            Kind::Regular => {}
        }
        let is_there = source.read(page.saturating_mul(P as u64), into)?;
        if !self.is_kept(source)? {
            return Err(MappedPageError::Stale);
        }
        if !is_there {
            let expected = self.page_count().saturating_mul(P as u64);
            return Err(MappedPageError::CutShort { expected, len: Source::len(source)? });
        }
        Ok(())
    }

    fn read_protected(&self, source: &Origin, id: u64, into: &mut [u8]) -> Result<()> {
        let (page, checksum) = self.engine.place_of_content(id)?;
        let is_there = source.read(page.saturating_mul(P as u64), into)?;
        if is_there && crc32fast::hash(into) == checksum {
            return Ok(());
        }
        if self.is_newest(source)? {
            return Err(MappedPageError::CorruptPage { page });
        }
        Err(MappedPageError::Stale)
    }
}
