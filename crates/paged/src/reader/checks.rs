//! The checksums of a container's pages.
//!
//! Each page has a checksum on a checksum page, each checksum page one in the root, which is held
//! here and was verified when the container was opened. For a source in memory one bit a page says
//! that it was verified; a page that is read through the cache is verified whenever it is loaded.
//! Does not read: bytes are arguments.
//!
//! # Source
//! docs/format/paged.md, "Checksums".

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ReadError;
use crate::container::format::{CHECKSUM_LEN, PageChecksum};

/// Checksums that are fetched at once.
const BATCH: usize = 64;

/// What is known of the checksums of one container.
#[derive(Debug)]
pub(crate) struct Checks {
    /// A page has 2^`page_shift` bytes.
    page_shift: u32,
    /// Pages of data; checksum pages are numbered after them.
    page_count: u64,
    root: Box<[u32]>,
    /// A bit for each page that was verified in memory; none for other sources.
    verified: Box<[AtomicU64]>,
    /// How many pages of data have theirs: where all have, nobody needs to look at the bits.
    verified_count: AtomicU64,
}

impl Checks {
    /// The checksums of `page_count` pages of `page_len` bytes, a power of two. `root` has one for each
    /// checksum page.
    pub(crate) fn new(page_len: u32, page_count: u64, root: Box<[u32]>, in_memory: bool) -> Self {
        let words = page_count.saturating_add(root.len() as u64).div_ceil(64);
        let words = if in_memory { words } else { 0 };
        Self {
            page_shift: page_len.trailing_zeros(),
            page_count,
            root,
            verified: (0..words).map(|_| AtomicU64::new(0)).collect(),
            verified_count: AtomicU64::new(0),
        }
    }

    /// Bytes of all pages of data.
    pub(crate) const fn data_len(&self) -> u64 {
        self.page_count << self.page_shift
    }

    /// Bytes of all checksum pages.
    pub(crate) const fn checksums_len(&self) -> u64 {
        (self.root.len() as u64) << self.page_shift
    }

    /// The page of a byte.
    #[inline]
    pub(crate) const fn page_at(&self, offset: u64) -> u64 {
        offset >> self.page_shift
    }

    /// Whether each page of data of a source in memory has been verified.
    #[inline]
    pub(crate) fn are_all_verified(&self) -> bool {
        self.verified_count.load(Ordering::Relaxed) >= self.page_count
    }

    /// Takes note that each page of data has been verified.
    pub(crate) fn note_all_verified(&self) {
        self.verified_count.store(self.page_count, Ordering::Relaxed);
    }

    /// Whether a page of a source in memory has been verified.
    #[inline]
    pub(crate) fn is_verified(&self, page: u64) -> bool {
        let word = usize::try_from(page / 64).ok().and_then(|word| self.verified.get(word));
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (page % 64) & 1 != 0)
    }

    /// Verifies the pages of `memory`, which holds all pages and checksum pages, in which a range of
    /// bytes lies; each page the first time.
    pub(crate) fn verify_range(
        &self,
        memory: &[u8],
        offset: u64,
        len: u64,
    ) -> Result<(), ReadError> {
        let Some(last) = len.checked_sub(1).map(|rest| offset.saturating_add(rest)) else {
            return Ok(());
        };
        let mut pages = offset >> self.page_shift..=last >> self.page_shift;
        pages.try_for_each(|page| self.verify_page(memory, page))
    }

    /// As [`Self::verify_range`], for one page.
    #[cold]
    pub(crate) fn verify_page(&self, memory: &[u8], page: u64) -> Result<(), ReadError> {
        if self.is_verified(page) {
            return Ok(());
        }
        let page_len = 1_u64 << self.page_shift;
        let bytes = |offset: u64, len: u64| {
            let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
            range.and_then(|(offset, len)| memory.get(offset..)?.get(..len)).unwrap_or_default()
        };
        let stored = if page < self.page_count {
            let place = self.data_len().saturating_add(page.saturating_mul(CHECKSUM_LEN.into()));
            self.verify_page(memory, place >> self.page_shift)?;
            bytes(place, CHECKSUM_LEN.into()).first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
        } else {
            self.of_checksum_page(page.wrapping_sub(self.page_count))
        };
        let page_bytes = bytes(page.saturating_mul(page_len), page_len);
        if stored != Some(PageChecksum::of(page, page_bytes)) {
            return Err(ReadError::Checksum { page });
        }
        let word = usize::try_from(page / 64).ok().and_then(|word| self.verified.get(word));
        if let Some(word) = word {
            let bit = 1 << (page % 64);
            // The bytes were there all along: nothing else becomes visible by this.
            let before = word.fetch_or(bit, Ordering::Relaxed);
            if before & bit == 0 && page < self.page_count {
                self.verified_count.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Verifies whole pages of data, the first of which starts at `offset`; `read` reads from the
    /// checksum pages.
    pub(crate) fn verify_data(
        &self,
        offset: u64,
        bytes: &[u8],
        read: impl Fn(u64, &mut [u8]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut page = offset >> self.page_shift;
        let page_len = 1_usize << self.page_shift;
        for batch in bytes.chunks(page_len.saturating_mul(BATCH)) {
            let mut checksums = [[0; CHECKSUM_LEN as usize]; BATCH];
            let pages = batch.chunks(page_len);
            let stored = checksums.get_mut(..pages.len()).unwrap_or_default();
            read(page.saturating_mul(CHECKSUM_LEN.into()), stored.as_flattened_mut())?;
            for (bytes, stored) in pages.zip(stored) {
                if u32::from_be_bytes(*stored) != PageChecksum::of(page, bytes) {
                    return Err(ReadError::Checksum { page });
                }
                page = page.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Verifies whole checksum pages, the first of which starts at byte `offset` of them.
    pub(crate) fn verify_checksums(&self, offset: u64, bytes: &[u8]) -> Result<(), ReadError> {
        let mut place = offset >> self.page_shift;
        for bytes in bytes.chunks(1 << self.page_shift) {
            let page = self.page_count.saturating_add(place);
            if self.of_checksum_page(place) != Some(PageChecksum::of(page, bytes)) {
                return Err(ReadError::Checksum { page });
            }
            place = place.saturating_add(1);
        }
        Ok(())
    }

    fn of_checksum_page(&self, place: u64) -> Option<u32> {
        usize::try_from(place).ok().and_then(|place| self.root.get(place)).copied()
    }
}

#[cfg(test)]
mod tests {
    use crate::container::{Container, NO_HEAP, Writer};
    use crate::{Entries, ReadError};

    const COUNT: u32 = 3000;

    /// A container with numbers.
    fn numbers() -> Vec<u8> {
        let mut writer = Writer::new(std::io::Cursor::new(Vec::new()), 1024).unwrap();
        let mut section = writer.begin_section::<u32>("numbers", NO_HEAP).unwrap();
        (0..COUNT).for_each(|number| section.push(&(), &number).unwrap());
        section.end().unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn entries<'r>(container: &'r Container<&[u8]>) -> Entries<'r, &'r [u8], u32> {
        container.section("numbers").unwrap()
    }

    #[test]
    fn entries_are_looked_at_without_checks_once_each_page_has_been_verified() {
        let bytes = numbers();
        let container = Container::new(&bytes[..]).unwrap();
        let before = entries(&container);
        // The first entry of each page, of 256 but for the last.
        for index in (0..COUNT).step_by(256) {
            assert!(entries(&container).in_place().contiguous().is_empty(), "before {index}");
            assert_eq!(before.get(index).unwrap(), Some(index));
        }
        assert_eq!(entries(&container).in_place().contiguous().len(), COUNT as usize * 4);
        assert_eq!(before.settled().in_place().contiguous().len(), COUNT as usize * 4);

        let container = Container::new(&bytes[..]).unwrap();
        container.verify().unwrap();
        assert_eq!(entries(&container).in_place().contiguous().len(), COUNT as usize * 4);
    }

    #[test]
    fn a_damaged_page_stays_one_and_keeps_the_checks() {
        let mut bytes = numbers();
        let place = bytes.windows(4).position(|four| four == 1000_u32.to_be_bytes()).unwrap();
        bytes[place] ^= 1;
        let container = Container::new(&bytes[..]).unwrap();
        container.verify().unwrap_err();
        for _ in 0..2 {
            let entries = entries(&container);
            let failed = (0..COUNT).filter(|index| match entries.get(*index) {
                Ok(number) => number != Some(*index),
                Err(error) => matches!(error, ReadError::Checksum { .. }),
            });
            assert_eq!(failed.collect::<Vec<_>>(), (768..1024).collect::<Vec<_>>());
            assert!(entries.settled().in_place().contiguous().is_empty());
        }
    }
}
