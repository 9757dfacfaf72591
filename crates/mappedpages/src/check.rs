//! Checking a file from end to end: who owns which page, what is counted, every checksum.
//!
//! Invariants: nothing is written; memory is bounded by what the file really holds (one bit for each
//! page that has an owner) and not by what it says of itself; each stored byte is looked at a bounded
//! number of times; no content makes it panic or turn in circles. Knows the forms of both formats and
//! nothing of pagers' memory.

mod owners;
mod report;
#[cfg(test)]
mod tests;
mod two;

use std::path::Path;
use std::sync::Arc;

pub(crate) use owners::Owners;
pub(crate) use report::Findings;
pub use report::{CheckFigures, CheckReport, Part, Problem};

use crate::any_engine::format_of;
use crate::error::MappedPageError;
use crate::format1;
use crate::medium::{FileMedium, Medium};
use crate::options::Format;
use crate::pager::Pager;
use crate::pages::Pages;
use crate::read_only::ReadOnlyPager;

/// Turns taken to look at a file that a writer does not change meanwhile.
const TURNS_MAX: usize = 8;

/// Checks the file at `path`, which has pages of `PAGE_SIZE` bytes, without opening it to write.
///
/// What a crash leaves behind, and the next open puts right, is no problem of the file: it is reported
/// as [`CheckReport::needs_recovery`].
///
/// # Errors
/// `InvalidPageSize`; `Stale` when a writer has the file open and commits all the time; `Io`. What is
/// wrong with the file is in the report.
pub fn check<const PAGE_SIZE: usize>(
    path: impl AsRef<Path>,
) -> Result<CheckReport, MappedPageError> {
    check_on::<PAGE_SIZE>(Arc::new(FileMedium::open_read_only(path.as_ref())?))
}

/// As [`check`], on a medium. Nothing of it is called that writes.
///
/// # Errors
/// Those of [`check`].
pub fn check_on<const PAGE_SIZE: usize>(
    medium: Arc<dyn Medium>,
) -> Result<CheckReport, MappedPageError> {
    let format = match format_of::<PAGE_SIZE>(&*medium) {
        Ok(format) => format,
        Err(MappedPageError::CorruptSuperblock) => {
            let mut findings = Findings::default();
            findings.add(Problem::Damaged { page: 0, part: Part::Superblock });
            return Ok(findings.into_report(None));
        }
        Err(error) => return Err(error),
    };
    for _ in 0..TURNS_MAX {
        let looked = match format {
            Format::One => format1::check(&Pages::<PAGE_SIZE>::positioned(Arc::clone(&medium))?)?,
            Format::Two => two::check(&medium, PAGE_SIZE)?,
        };
        // Problems that are there while a writer is at work may be of its making.
        if looked.is_clean() || two_looks_agree::<PAGE_SIZE>(format, &medium, &looked)? {
            return Ok(looked);
        }
        std::thread::yield_now();
    }
    Err(MappedPageError::Stale)
}

/// Whether another look at the same file finds the same.
fn two_looks_agree<const P: usize>(
    format: Format,
    medium: &Arc<dyn Medium>,
    looked: &CheckReport,
) -> Result<bool, MappedPageError> {
    let again = match format {
        Format::One => format1::check(&Pages::<P>::positioned(Arc::clone(medium))?)?,
        Format::Two => two::check(medium, P)?,
    };
    Ok(again == *looked)
}

impl<const PAGE_SIZE: usize> Pager<PAGE_SIZE> {
    /// Checks the whole file: owners, counts, checksums. Commits first what is not durable yet.
    ///
    /// Content of regular pages is not looked at, since nothing is known of it.
    ///
    /// # Errors
    /// `Unavailable`, `Io`. What is wrong with the file is in the report.
    pub fn check(&mut self) -> Result<CheckReport, MappedPageError> {
        self.settle()?;
        match self.format() {
            Format::One => format1::check(&self.pages),
            Format::Two => two::check(&self.pages, PAGE_SIZE),
        }
    }
}

impl<const PAGE_SIZE: usize> ReadOnlyPager<PAGE_SIZE> {
    /// Checks the whole file in its newest state, which this reader need not be at yet.
    ///
    /// # Errors
    /// Those of [`check`].
    pub fn check(&self) -> Result<CheckReport, MappedPageError> {
        check_on::<PAGE_SIZE>(self.medium())
    }
}
