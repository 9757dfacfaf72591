//! The pages of a file, in two forms that behave the same: mapped, and read and written by position.
//!
//! Invariants: a reference to a page borrows the pages, and whatever changes a byte takes `&mut
//! self`; what is written is read back at once in every way; numbers are checked before they become
//! positions. Knows nothing of what pages mean, and which are in use.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod faults;
mod kept;
mod positioned;

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::error::MappedPageError;
use crate::map::Map;
use crate::medium::{FileMedium, Medium, no_room};
use positioned::Positioned;

/// Pages of `P` bytes, from 0 to the end of the medium.
#[derive(Debug)]
pub(crate) struct Pages<const P: usize> {
    count: u64,
    form: Form<P>,
}

#[derive(Debug)]
enum Form<const P: usize> {
    Mapped(Map),
    Positioned(Positioned<P>),
}

/// Syncs the medium of some pages, from any thread, while they are in use.
#[derive(Clone)]
pub(crate) struct SyncHandle {
    // Private: whoever could write through it would change bytes under references to them.
    medium: Arc<dyn Medium>,
}

impl SyncHandle {
    pub(crate) fn new(medium: Arc<dyn Medium>) -> Self {
        Self { medium }
    }

    /// Returns once everything written before is durable.
    ///
    /// Pages touched through [`Pages::page_mut`] count from the next [`Pages::flush_dirty`] on.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.medium.sync()
    }
}

impl fmt::Debug for SyncHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SyncHandle").finish_non_exhaustive()
    }
}

impl<const P: usize> Pages<P> {
    /// Maps the pages of `file`. A last page that is not whole is left out.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn mapped(file: FileMedium) -> Result<Self, MappedPageError> {
        let count = whole_pages::<P>(file.len()?);
        let map = Map::new(file, position::<P>(count)?)?;
        Ok(Self { count, form: Form::Mapped(map) })
    }

    /// Takes the pages of `medium` without a map. A last page that is not whole is left out.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn positioned(medium: Arc<dyn Medium>) -> Result<Self, MappedPageError> {
        let count = whole_pages::<P>(medium.len()?);
        Ok(Self { count, form: Form::Positioned(Positioned::new(medium, count)) })
    }

    /// Pages that there are.
    #[inline]
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Gives the content of a page.
    ///
    /// # Errors
    /// `OutOfBounds` at and after [`count`](Self::count); `Io` when it can not be read.
    #[inline]
    pub(crate) fn page(&self, page: u64) -> Result<&[u8], MappedPageError> {
        match &self.form {
            Form::Mapped(map) => {
                let start = place::<P>(page, self.count)?;
                map.bytes().get(start..).and_then(|bytes| bytes.get(..P)).ok_or(OUT)
            }
            Form::Positioned(positioned) => positioned.page(page),
        }
    }

    /// Gives the content of a page if it is mapped: the same as [`page`](Self::page) without the reasons,
    /// which cost more than the look.
    #[inline]
    pub(crate) fn mapped_page(&self, page: u64) -> Option<&[u8]> {
        let Form::Mapped(map) = &self.form else { return None };
        let (pages, _) = map.bytes().as_chunks::<P>();
        pages.get(usize::try_from(page).ok()?).map(<[u8; P]>::as_slice)
    }

    /// Gives a page to be stored to. A store may reach the medium at any time, in any order.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    #[inline]
    pub(crate) fn page_mut(&mut self, page: u64) -> Result<&mut [u8], MappedPageError> {
        match &mut self.form {
            Form::Mapped(map) => {
                let start = place::<P>(page, self.count)?;
                map.bytes_mut().get_mut(start..).and_then(|bytes| bytes.get_mut(..P)).ok_or(OUT)
            }
            Form::Positioned(positioned) => positioned.page_mut(page),
        }
    }

    /// Fills `into` with the bytes at `offset`.
    ///
    /// # Errors
    /// `OutOfBounds` when the range passes the last page; `Io`.
    pub(crate) fn read_bytes(&self, offset: u64, into: &mut [u8]) -> Result<(), MappedPageError> {
        self.inside(offset, into.len())?;
        match &self.form {
            Form::Mapped(map) => Ok(map.read_at(offset, into)?),
            Form::Positioned(positioned) => positioned.read_at(offset, into),
        }
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// `OutOfBounds` when the range passes the last page; `Io`, after which any part may be there.
    pub(crate) fn write_bytes(&mut self, offset: u64, bytes: &[u8]) -> Result<(), MappedPageError> {
        self.inside(offset, bytes.len())?;
        match &mut self.form {
            Form::Mapped(map) => Ok(map.write_at(offset, bytes)?),
            Form::Positioned(positioned) => positioned.write_at(offset, bytes),
        }
    }

    /// Writes `bytes`, at most a page, from the start of a page on.
    ///
    /// # Errors
    /// As [`write_bytes`](Self::write_bytes).
    pub(crate) fn write(&mut self, page: u64, bytes: &[u8]) -> Result<(), MappedPageError> {
        debug_assert!(bytes.len() <= P, "more than a page");
        self.write_bytes(position::<P>(page)?, bytes)
    }

    /// Writes whole pages. Those that follow each other here and in the file are written together, since
    /// a call costs more than a copy.
    ///
    /// # Errors
    /// As [`write_bytes`](Self::write_bytes).
    pub(crate) fn write_all(
        &mut self,
        contents: &[(u64, impl AsRef<[u8]>)],
    ) -> Result<(), MappedPageError> {
        let mut joined = Vec::new();
        for run in contents.chunk_by(|(page, _), (next, _)| page.checked_add(1) == Some(*next)) {
            for part in run.chunks(JOINED_LEN_MAX.div_ceil(P)) {
                match part {
                    [] => {}
                    [(page, content)] => self.write(*page, content.as_ref())?,
                    [(first, _), ..] => {
                        joined.clear();
                        for (_, content) in part {
                            debug_assert!(content.as_ref().len() == P, "not a whole page");
                            joined.extend_from_slice(content.as_ref());
                        }
                        self.write_bytes(position::<P>(*first)?, &joined)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes every byte of `count` pages from `first` on zero.
    ///
    /// # Errors
    /// As [`write_bytes`](Self::write_bytes).
    pub(crate) fn zero(&mut self, first: u64, count: u64) -> Result<(), MappedPageError> {
        let (mut at, end) = (position::<P>(first)?, position::<P>(first.saturating_add(count))?);
        while at < end {
            let len = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
            let zeros = ZEROS.get(..len).unwrap_or(ZEROS);
            self.write_bytes(at, zeros)?;
            at = at.saturating_add(zeros.len() as u64);
        }
        Ok(())
    }

    /// Lengthens to `count` pages, whose space is theirs from then on; the new ones are zeros.
    ///
    /// # Errors
    /// `Full` when there is no space, else `Io`. The pages are as before then.
    pub(crate) fn grow(&mut self, count: u64) -> Result<(), MappedPageError> {
        if count <= self.count {
            return Ok(());
        }
        let len = position::<P>(count).map_err(|_| MappedPageError::Full)?;
        // What an earlier failure or a foreign program left behind the last page is no zeros.
        let end = position::<P>(self.count)?;
        match &mut self.form {
            Form::Mapped(map) => map.cut(end).and_then(|()| map.grow(len)).map_err(no_room)?,
            Form::Positioned(positioned) => positioned.grow(end, len, count)?,
        }
        self.count = count;
        Ok(())
    }

    /// Shortens to `count` pages and gives the space back.
    ///
    /// # Errors
    /// `Io`; the pages are gone nevertheless.
    pub(crate) fn cut(&mut self, count: u64) -> Result<(), MappedPageError> {
        if count >= self.count {
            return Ok(());
        }
        self.count = count;
        let len = position::<P>(count)?;
        match &mut self.form {
            Form::Mapped(map) => Ok(map.cut(len)?),
            Form::Positioned(positioned) => positioned.cut(len, count),
        }
    }

    /// Hands everything stored through [`page_mut`](Self::page_mut) to the medium, so that the next
    /// sync makes it durable.
    ///
    /// # Errors
    /// `Io`, after which any part may have been handed over.
    pub(crate) fn flush_dirty(&mut self) -> Result<(), MappedPageError> {
        match &mut self.form {
            Form::Mapped(map) => Ok(map.flush()?),
            Form::Positioned(positioned) => positioned.flush_dirty(),
        }
    }

    /// Gives what syncs the medium from another thread.
    pub(crate) fn sync_handle(&self) -> SyncHandle {
        match &self.form {
            Form::Mapped(map) => map.sync_handle(),
            Form::Positioned(positioned) => positioned.sync_handle(),
        }
    }

    /// Refuses a range that passes the last page.
    fn inside(&self, offset: u64, len: usize) -> Result<(), MappedPageError> {
        let end = offset.checked_add(len as u64).ok_or(OUT)?;
        if end > position::<P>(self.count)? { Err(OUT) } else { Ok(()) }
    }
}

/// Bytes of adjacent pages that are written at once.
const JOINED_LEN_MAX: usize = 64 * 1024;

/// What is written at once of pages that become zeros.
static ZEROS: &[u8] = &[0; 64 * 1024];

const OUT: MappedPageError = MappedPageError::OutOfBounds;

const fn whole_pages<const P: usize>(len: u64) -> u64 {
    match len.checked_div(P as u64) {
        Some(count) => count,
        None => 0,
    }
}

/// Where page `page` begins.
fn position<const P: usize>(page: u64) -> Result<u64, MappedPageError> {
    page.checked_mul(P as u64).ok_or(OUT)
}

/// Where page `page` of `count` begins in memory.
#[inline]
fn place<const P: usize>(page: u64, count: u64) -> Result<usize, MappedPageError> {
    if page >= count {
        return Err(OUT);
    }
    // Below `count`, which was mapped, so it fits.
    usize::try_from(page).ok().and_then(|page| page.checked_mul(P)).ok_or(OUT)
}
