//! The pages of one file as bytes: from memory in place, from anything else through the cache.
//!
//! Offsets count from the first page. What is handed out has been verified where the file has
//! checksums: a page of a source in memory once, any other each time it is loaded. A range is
//! checked against the file before anything is allocated for it. Does not know sections, heaps or
//! values.

use std::io;

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
        let mut store =
            Self { source, layout, len, unit_shift, cache: Cache::new(0, 0, 0), checks };
        if store.source.in_memory().is_none() {
            let unit_count = store.checks_start().saturating_add(store.checks_len()) >> unit_shift;
            // The last unit of the checksums may be a part of one.
            let unit_count = unit_count.saturating_add(1);
            store.cache = Cache::new(cache_limit, unit_len as usize, unit_count);
        }
        Ok(store)
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

    /// All pages, and their checksums, when they are in memory. Nothing of it has been verified.
    #[inline]
    pub(crate) fn in_memory(&self) -> Option<&[u8]> {
        let bytes = self.source.in_memory()?;
        let start = usize::try_from(self.layout.first_page_offset()).ok();
        // A file that ends before its first page has none.
        Some(start.and_then(|start| bytes.get(start..)).unwrap_or_default())
    }

    /// Whether nothing is left to verify of a byte of a source in memory.
    #[inline]
    pub(crate) fn is_verified_at(&self, offset: u64) -> bool {
        self.checks.as_ref().is_none_or(|checks| checks.is_verified(checks.page_at(offset)))
    }

    /// Verified bytes of a source in memory; `None` for any other source.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Result<Option<&[u8]>, ReadError> {
        let Some(memory) = self.in_memory() else { return Ok(None) };
        self.require(offset, len)?;
        if let Some(checks) = &self.checks {
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

    /// Bytes of one unit when the cache has it for good.
    #[inline]
    pub(crate) fn lend(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let within = offset & self.unit_len().wrapping_sub(1);
        let bytes = self.cache.lend(offset >> self.unit_shift)?;
        bytes.get(usize::try_from(within).ok()?..)?.get(..len)
    }

    /// Copies bytes of one unit when the cache has it. `false` when it has not, and `into` holds
    /// anything.
    #[inline]
    pub(crate) fn read_cached(&self, offset: u64, into: &mut [u8]) -> bool {
        let unit_len = self.unit_len();
        // Less than a unit: at most a page with checksums, else 4096.
        #[expect(clippy::cast_possible_truncation, reason = "smaller than a unit")]
        let within = (offset & unit_len.wrapping_sub(1)) as usize;
        let is_of_one_unit = (within as u64).saturating_add(into.len() as u64) <= unit_len;
        is_of_one_unit && self.cache.copy(offset >> self.unit_shift, within, into)
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
                self.load(offset >> self.unit_shift, within, head)?;
            }
            offset = offset.saturating_add(part as u64);
            into = tail;
        }
        Ok(())
    }

    /// Reads, verifies and keeps a unit, and copies bytes of it from byte `within` on.
    #[cold]
    fn load(&self, unit: u64, within: usize, into: &mut [u8]) -> Result<(), ReadError> {
        let start = unit << self.unit_shift;
        let end = match start.checked_sub(self.checks_start()) {
            Some(start) => self.checks_len().saturating_sub(start),
            None => self.len.saturating_sub(start),
        };
        let len = usize::try_from(end.min(self.unit_len())).unwrap_or(usize::MAX);
        let mut small = [0; UNIT_LEN_MIN as usize];
        let mut large = Vec::new();
        let bytes = match small.get_mut(..len) {
            Some(bytes) => bytes,
            None => {
                large.resize(len, 0);
                large.as_mut_slice()
            }
        };
        self.source.read_at(self.place(start), bytes)?;
        if self.verify(start, bytes).is_ok() {
            self.cache.put(unit, bytes);
        } else {
            // Other pages of the unit do not matter.
            let page_len = self.layout.page_len() as usize;
            let pages = within & !page_len.wrapping_sub(1)
                ..within.saturating_add(into.len()).next_multiple_of(page_len);
            let offset = start.saturating_add(pages.start as u64);
            self.verify(offset, bytes.get(pages).unwrap_or_default())?;
        }
        let wanted = bytes.get(within..).and_then(|bytes| bytes.get(..into.len()));
        into.copy_from_slice(wanted.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
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
