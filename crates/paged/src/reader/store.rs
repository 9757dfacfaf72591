//! The pages of one file as bytes: from memory in place, from anything else through the cache.
//!
//! Offsets count from the first page. What is handed out has been verified where the file has
//! checksums: a page of a source in memory once, any other each time it is loaded. A range is
//! checked against the file before anything is allocated for it. Does not know sections, heaps or
//! values.

use std::io;
use std::ops::Range;

use crate::cache::Cache;
use crate::reader::checks::Checks;
use crate::source::Source;
use crate::{Layout, ReadError};

/// Bytes that are read and kept together, where pages are not longer.
pub(crate) const UNIT_LEN_MIN: u32 = 4096;

/// Whole units from here on are read past the cache, straight to where they are wanted: a scan does
/// not push out what is looked up again and again.
const PASS_BY_UNITS: usize = 4;

/// The pages of one file.
#[derive(Debug)]
pub(crate) struct Store<S> {
    source: S,
    layout: Layout,
    /// Bytes of the pages, without their checksums.
    len: u64,
    /// A unit has 2^`unit_shift` bytes.
    unit_shift: u32,
    cache: Cache,
    checks: Option<Checks>,
}

impl<S: Source> Store<S> {
    /// The pages of a file of `layout`, as far as it goes or, with `checks`, as many as those are for.
    /// The cache takes at most `cache_limit` bytes.
    pub(crate) fn new(
        source: S,
        layout: Layout,
        checks: Option<Checks>,
        cache_limit: u64,
    ) -> io::Result<Self> {
        let file_len = source.len()?;
        let len = match &checks {
            None => file_len.saturating_sub(layout.first_page_offset()),
            Some(checks) => checks.data_len(),
        };
        // Only pages with checksums are of a power of two.
        let unit_len =
            if checks.is_some() { layout.page_len().max(UNIT_LEN_MIN) } else { UNIT_LEN_MIN };
        let unit_shift = unit_len.trailing_zeros();
        let limit = if source.in_memory().is_none() { cache_limit } else { 0 };
        let cache = Cache::new(limit, unit_shift, len);
        Ok(Self { source, layout, len, unit_shift, cache, checks })
    }

    pub(crate) const fn source(&self) -> &S {
        &self.source
    }

    pub(crate) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Bytes of all pages.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) const fn unit_len(&self) -> u64 {
        1 << self.unit_shift
    }

    pub(crate) const fn cache(&self) -> &Cache {
        &self.cache
    }

    #[inline]
    pub(crate) const fn checks(&self) -> Option<&Checks> {
        self.checks.as_ref()
    }

    /// Refuses a range that the file does not have.
    pub(crate) fn require(&self, offset: u64, len: u64) -> Result<(), ReadError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(ReadError::OutsideFile { offset, len, pages_len: self.len }),
        }
    }

    /// All pages, verified, if they were read into the cache.
    #[inline]
    pub(crate) fn cached_whole(&self) -> Option<&[u8]> {
        self.cache.whole()?.get()
    }

    /// All pages, and their checksums, when they are in memory. Nothing of it has been verified.
    #[inline]
    pub(crate) fn in_memory(&self) -> Option<&[u8]> {
        let bytes = self.source.in_memory()?;
        let start = usize::try_from(self.layout.first_page_offset()).ok();
        // A file that ends before its first page has none.
        Some(start.and_then(|start| bytes.get(start..)).unwrap_or_default())
    }

    /// Verified bytes, where they are in memory; `None` where they are not.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Result<Option<&[u8]>, ReadError> {
        let Some(memory) = self.cached_whole().or_else(|| self.in_memory()) else {
            return Ok(None);
        };
        self.require(offset, len)?;
        if let Some(checks) = self.checks.as_ref().filter(|_| self.source.in_memory().is_some()) {
            checks.verify_range(memory, offset, len)?;
        }
        let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
        let bytes = range.and_then(|(offset, len)| memory.get(offset..)?.get(..len));
        bytes.map(Some).ok_or(ReadError::OutsideFile { offset, len, pages_len: self.len })
    }

    /// Fills `into` with verified bytes.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        if let Some(bytes) = self.slice(offset, into.len() as u64)? {
            into.copy_from_slice(bytes);
            return Ok(());
        }
        self.require(offset, into.len() as u64)?;
        self.read_units(offset, into)
    }

    /// Copies bytes of one unit when the cache has it. `false` when it has not, and `into` holds
    /// anything.
    #[inline]
    pub(crate) fn read_cached(&self, offset: u64, into: &mut [u8]) -> bool {
        self.cache.copy(offset, into)
    }

    /// Fills `into`, unit by unit. Offsets from [`Self::checks_start`] on are those of the checksums.
    fn read_units(&self, mut offset: u64, mut into: &mut [u8]) -> Result<(), ReadError> {
        let unit_len = 1_usize << self.unit_shift;
        while !into.is_empty() {
            #[expect(clippy::cast_possible_truncation, reason = "smaller than a unit")]
            let within = (offset & self.unit_len().wrapping_sub(1)) as usize;
            let whole = into.len() & !unit_len.wrapping_sub(1);
            let passes_by = within == 0 && whole >= unit_len.saturating_mul(PASS_BY_UNITS);
            let part =
                if passes_by { whole } else { into.len().min(unit_len.wrapping_sub(within)) };
            let (head, tail) = into.split_at_mut_checked(part).unwrap_or_default();
            if passes_by {
                self.source.read_at(self.place(offset), head)?;
                self.verify(offset, head)?;
            } else if !self.read_cached(offset, head) {
                self.load(offset, head)?;
            }
            offset = offset.saturating_add(part as u64);
            into = tail;
        }
        Ok(())
    }

    /// Reads bytes of one unit, which the cache does not have; keeps the unit if the cache wants it.
    #[cold]
    fn load(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        if self.cache.is_whole_due()
            && let Ok(bytes) = self.verified(0..self.len)
        {
            // Where it cannot be read all of it, a part still can.
            self.cache.put_whole(bytes);
        }
        if self.cache.admits(offset) {
            let unit = self.around(offset, 1, self.unit_len());
            if let Ok(bytes) = self.verified(unit.clone()) {
                self.cache.put(unit.start, &bytes);
                return copy(&bytes, offset.saturating_sub(unit.start), into);
            }
            // Another page of it is damaged, or cannot be read: that does not matter here.
        }
        if self.checks.is_none() {
            return Ok(self.source.read_at(self.place(offset), into)?);
        }
        let pages = self.around(offset, into.len() as u64, self.layout.page_len().into());
        let bytes = self.verified(pages.clone())?;
        copy(&bytes, offset.saturating_sub(pages.start), into)
    }

    /// The parts of `part_len` bytes, a power of two, in which a range of bytes lies: none ends behind the
    /// pages, or their checksums.
    fn around(&self, offset: u64, len: u64, part_len: u64) -> Range<u64> {
        let checks_start = self.checks_start();
        let end = if offset < checks_start {
            self.len
        } else {
            checks_start.saturating_add(self.checks_len())
        };
        let start = offset & !part_len.wrapping_sub(1);
        start..offset.saturating_add(len).next_multiple_of(part_len).min(end)
    }

    /// Reads whole pages and verifies them.
    fn verified(&self, pages: Range<u64>) -> Result<Vec<u8>, ReadError> {
        let len = pages.end.saturating_sub(pages.start);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        self.source.read_at(self.place(pages.start), &mut bytes)?;
        self.verify(pages.start, &bytes)?;
        Ok(bytes)
    }

    /// Verifies whole pages, the first of which starts at `offset`.
    fn verify(&self, offset: u64, bytes: &[u8]) -> Result<(), ReadError> {
        let Some(checks) = &self.checks else { return Ok(()) };
        let start = self.checks_start();
        if let Some(offset) = offset.checked_sub(start) {
            return checks.verify_checksums(offset, bytes);
        }
        checks.verify_data(offset, bytes, |offset, into| {
            self.read_units(start.saturating_add(offset), into)
        })
    }

    /// Reads and verifies everything, `part_len` bytes at once, whether it was verified before or not.
    pub(crate) fn verify_all(&self, part_len: u64) -> Result<(), ReadError> {
        let part_len = part_len.max(self.unit_len());
        let start = self.checks_start();
        let checksums = start..start.saturating_add(self.checks_len());
        let mut bytes = Vec::new();
        for mut part in [0..self.len, checksums] {
            while !part.is_empty() {
                let len = part_len.min(part.end.saturating_sub(part.start));
                bytes.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
                self.source.read_at(self.place(part.start), &mut bytes)?;
                self.verify(part.start, &bytes)?;
                part.start = part.start.saturating_add(len);
            }
        }
        if let Some(checks) = &self.checks {
            checks.note_all_verified();
        }
        Ok(())
    }

    /// Where the checksums start, as an offset of their own: no unit holds both.
    fn checks_start(&self) -> u64 {
        self.len.div_ceil(self.unit_len()) << self.unit_shift
    }

    fn checks_len(&self) -> u64 {
        self.checks.as_ref().map_or(0, Checks::checksums_len)
    }

    /// The byte of the file that an offset stands for.
    fn place(&self, offset: u64) -> u64 {
        // In the file the checksums follow the last page.
        let offset = match offset.checked_sub(self.checks_start()) {
            Some(offset) if self.checks.is_some() => self.len.saturating_add(offset),
            _ => offset,
        };
        self.layout.first_page_offset().saturating_add(offset)
    }
}

/// Fills `into` with the bytes from byte `offset` on.
fn copy(bytes: &[u8], offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
    let start = usize::try_from(offset).ok();
    let wanted = start.and_then(|start| bytes.get(start..)?.get(..into.len()));
    into.copy_from_slice(wanted.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?);
    Ok(())
}
