//! The check of a file of format 1.
//!
//! The format does not say which pages are regular, so a page that nobody owns cannot be told from one
//! that was given out: leaks are not found. What the writer's `open` puts right is no problem; what it takes
//! as it is, is looked at as a reader would.

use super::directory::{self, Entry};
use super::field::read_u64;
use super::metadata::{FIRST_PAGES, FREE_COUNT_OFFSET, Metadata, RESERVED_PAGES};
use super::page_zero::{Reference, Superblock, decode_index, repair_index};
use super::wide::drops_unfinished;
use super::{commit::metadata_page, metadata::checksum_of};
use crate::check::{CheckReport, Findings, Owners, Part, Problem};
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::options::Format;
use crate::pages::Pages;

/// Checks a file.
///
/// # Errors
/// `InvalidPageSize`, `Io`.
pub(crate) fn check<const P: usize>(pages: &Pages<P>) -> Result<CheckReport> {
    let mut check = Check {
        pages,
        findings: Findings::default(),
        owners: Owners::default(),
        drops_unfinished: false,
    };
    check.run()?;
    Ok(check.findings.into_report(Some(Format::One)))
}

struct Check<'a, const P: usize> {
    pages: &'a Pages<P>,
    findings: Findings,
    owners: Owners,
    /// An open drops protected pages that the map does not know, as those of a commit that did not get so far.
    drops_unfinished: bool,
}

impl<const P: usize> Check<'_, P> {
    fn run(&mut self) -> Result<()> {
        if self.pages.count() < FIRST_PAGES {
            self.cut_short(FIRST_PAGES);
            return Ok(());
        }
        let first = self.pages.page(0)?.to_vec();
        let superblock = match Superblock::decode(&first, P) {
            Ok(superblock) => superblock,
            Err(MappedPageError::InvalidPageSize) => return Err(MappedPageError::InvalidPageSize),
            Err(_) => {
                self.damaged(0, Part::Superblock);
                return Ok(());
            }
        };
        let Some((metadata, fell_back)) = self.metadata(superblock)? else { return Ok(()) };
        let total = metadata.used.len();
        if self.pages.count() < total {
            self.cut_short(total);
            return Ok(());
        }
        let references = decode_index(&first).or_else(|| {
            self.findings.needs_recovery = true;
            decode_index(&repair_index(&first)?)
        });
        let Some(references) = references else {
            self.damaged(0, Part::DirectoryIndex);
            return Ok(());
        };
        self.drops_unfinished = drops_unfinished(references.len(), fell_back);
        for reference in &references {
            self.block(reference, &metadata)?;
        }
        self.count(&metadata);
        Ok(())
    }

    fn damaged(&mut self, page: u64, part: Part) {
        self.findings.add(Problem::Damaged { page, part });
    }

    fn cut_short(&mut self, total: u64) {
        let bytes = |pages: u64| pages.saturating_mul(P as u64);
        let (expected, len) = (bytes(total), bytes(self.pages.count()));
        self.findings.add(Problem::CutShort { expected, len });
    }

    /// The metadata that the file has, and whether they are not those that page 0 names.
    fn metadata(&mut self, superblock: Superblock) -> Result<Option<(Metadata, bool)>> {
        for copy in [superblock.active, superblock.active.other()] {
            let page = metadata_page(copy);
            let image = self.pages.page(page)?;
            let is_named = copy == superblock.active;
            let is_meant = !is_named || checksum_of(image) == superblock.checksum;
            if is_meant && let Some(metadata) = Metadata::decode(image) {
                let (stored, found) = (read_u64(image, FREE_COUNT_OFFSET), metadata.free_count());
                if let Some(stored) = stored.filter(|stored| *stored != found) {
                    let part = Part::Map;
                    self.findings.add(Problem::WrongCount { page, part, stored, found });
                }
                self.verified();
                return Ok(Some((metadata, !is_named)));
            }
            // A torn write of this copy looks like this, and then the other one counts.
            self.findings.needs_recovery = true;
        }
        for copy in [superblock.active, superblock.active.other()] {
            self.damaged(metadata_page(copy), Part::Map);
        }
        Ok(None)
    }

    fn verified(&mut self) {
        let bytes = &mut self.findings.figures.bytes_verified;
        *bytes = bytes.saturating_add(P as u64);
    }

    /// Claims both pages of something that is named on page `by`. False: its pages cannot be read.
    fn own(&mut self, pages: [u64; 2], by: u64, part: Part, metadata: &Metadata) -> bool {
        let total = metadata.used.len();
        let outside = pages.iter().find(|page| !(RESERVED_PAGES..total).contains(page));
        if let Some(&target) = outside {
            self.findings.add(Problem::OutOfRange { page: by, part, target });
            return false;
        }
        let is_unknown = is_unknown(pages, metadata);
        self.findings.needs_recovery |= is_unknown;
        for page in pages {
            if !self.owners.add(page) {
                self.findings.add(Problem::TwoOwners { page });
            }
            if !is_unknown && !metadata.used.get(page) {
                self.findings.add(Problem::NotInMap { page });
            }
        }
        true
    }

    fn block(&mut self, reference: &Reference, metadata: &Metadata) -> Result<()> {
        if !self.own(reference.pages, 0, Part::DirectoryIndex, metadata) {
            return Ok(());
        }
        for copy in [reference.active, reference.active.other()] {
            let page = copy.of(reference.pages);
            if let Some(entries) = directory::decode(self.pages.page(page)?) {
                self.verified();
                let nodes = &mut self.findings.figures.nodes;
                *nodes = nodes.saturating_add(1);
                for entry in entries.iter().filter(|entry| entry.in_use) {
                    self.entry(page, entry, metadata)?;
                }
                return Ok(());
            }
            self.findings.needs_recovery = true;
        }
        self.damaged(reference.active.of(reference.pages), Part::Directory);
        Ok(())
    }

    fn entry(&mut self, by: u64, entry: &Entry, metadata: &Metadata) -> Result<()> {
        if self.drops_unfinished && is_unknown(entry.pages, metadata) {
            self.findings.needs_recovery = true;
            return Ok(());
        }
        if !self.own(entry.pages, by, Part::Directory, metadata) {
            return Ok(());
        }
        let protected = &mut self.findings.figures.protected;
        *protected = protected.saturating_add(1);
        let page = entry.page();
        if crc32fast::hash(self.pages.page(page)?) != entry.checksum {
            self.damaged(page, Part::ProtectedPage);
        }
        self.verified();
        Ok(())
    }

    fn count(&mut self, metadata: &Metadata) {
        let internal = (self.owners.iter().count() as u64).saturating_add(RESERVED_PAGES);
        // An open puts them into the map.
        let unknown = self.owners.iter().filter(|page| !metadata.used.get(*page)).count() as u64;
        let figures = &mut self.findings.figures;
        figures.generation = metadata.generation;
        figures.pages = metadata.used.len();
        figures.pages_free = metadata.free_count().saturating_sub(unknown);
        figures.pages_internal = internal;
        figures.pages_regular =
            figures.pages.saturating_sub(figures.pages_free).saturating_sub(internal);
    }
}

/// Whether the map knows neither of two pages: what lies there was made by a commit that came not as far as the map, or is
/// of one that is older.
fn is_unknown(pages: [u64; 2], metadata: &Metadata) -> bool {
    pages.iter().all(|page| !metadata.used.get(*page))
}
