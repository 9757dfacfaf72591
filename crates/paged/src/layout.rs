//! Where pages and entries lie: arithmetic on `u64`, no I/O.
//!
//! Page *n* starts at `first_page_offset + n * page_len`. An entry never crosses a page, so a page
//! holds `page_len / entry_size` entries and the rest of it is padding. A [`Layout`] that was made
//! can place each of the 2^32 pages a handle can name, so nothing after that overflows. This
//! module knows no types, only sizes; what a type takes is `EncodeSized::ENCODED_SIZE`.

use std::num::{NonZeroU32, NonZeroU64};

/// How a file is cut into pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    page_len: NonZeroU32,
    first_page_offset: u64,
}

/// Pages a file may have: what a handle's `u32` can name.
pub const PAGE_COUNT_MAX: u64 = 1 << 32;

impl Layout {
    /// Pages of `page_len` bytes, the first of which starts at byte `first_page_offset` of the file.
    ///
    /// # Errors
    /// [`LayoutError::PageLen`] for pages of 0 bytes, [`LayoutError::TooFar`] when the end of the
    /// last page that a handle can name would lie past byte 2^64.
    pub const fn new(page_len: u32, first_page_offset: u64) -> Result<Self, LayoutError> {
        let Some(page_len) = NonZeroU32::new(page_len) else { return Err(LayoutError::PageLen) };
        // At most (2^32 - 1) * 2^32: no overflow before the check.
        let pages = (page_len.get() as u64).saturating_mul(PAGE_COUNT_MAX);
        if first_page_offset.checked_add(pages).is_none() {
            return Err(LayoutError::TooFar);
        }
        Ok(Self { page_len, first_page_offset })
    }

    /// Bytes of a page.
    #[must_use]
    pub const fn page_len(self) -> u32 {
        self.page_len.get()
    }

    /// Byte at which page 0 starts: the length of what stands before it.
    #[must_use]
    pub const fn first_page_offset(self) -> u64 {
        self.first_page_offset
    }

    /// Byte at which page `page` starts.
    #[must_use]
    pub const fn page_offset(self, page: u32) -> u64 {
        // `new` has shown that the end of page 2^32 - 1 is below 2^64.
        self.first_page_offset.wrapping_add((page as u64).wrapping_mul(self.page_len.get() as u64))
    }

    /// Pages that `len` bytes take when they start on one.
    #[must_use]
    pub const fn pages_of(self, len: u64) -> u64 {
        len.div_ceil(self.page_len.get() as u64)
    }

    /// Zeros that follow `len` bytes up to the end of their last page.
    #[must_use]
    pub fn padding_after(self, len: u64) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the remainder of a u32")]
        match (len % NonZeroU64::from(self.page_len)) as u32 {
            0 => 0,
            used => self.page_len.get().wrapping_sub(used),
        }
    }

    /// Places a section of `entry_count` entries of `entry_size` bytes that starts on page
    /// `first_page`.
    ///
    /// # Errors
    /// [`LayoutError::EntrySize`] when entries take no bytes or do not fit a page;
    /// [`LayoutError::PastLastPage`] when the last page would have a number above 2^32 - 1.
    pub const fn section(
        self,
        first_page: u32,
        entry_count: u32,
        entry_size: u32,
    ) -> Result<SectionLayout, LayoutError> {
        let page_len = self.page_len.get();
        let (Some(entry_size), Some(per_page)) = (
            NonZeroU32::new(entry_size),
            // An entry of no bytes has no place; one larger than a page makes the quotient 0.
            match page_len.checked_div(entry_size) {
                Some(per_page) => NonZeroU32::new(per_page),
                None => None,
            },
        ) else {
            return Err(LayoutError::EntrySize { entry_size, page_len });
        };
        let page_count = entry_count.div_ceil(per_page.get());
        if (first_page as u64).saturating_add(page_count as u64) > PAGE_COUNT_MAX {
            return Err(LayoutError::PastLastPage);
        }
        Ok(SectionLayout { layout: self, first_page, entry_count, entry_size, per_page })
    }
}

/// A section whose every entry has a place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SectionLayout {
    layout: Layout,
    first_page: u32,
    entry_count: u32,
    entry_size: NonZeroU32,
    per_page: NonZeroU32,
}

impl SectionLayout {
    /// The layout of the file.
    #[must_use]
    pub const fn layout(self) -> Layout {
        self.layout
    }

    /// Entries of the section.
    #[must_use]
    pub const fn entry_count(self) -> u32 {
        self.entry_count
    }

    /// Bytes of an entry, 1 to the length of a page.
    #[must_use]
    pub const fn entry_size(self) -> u32 {
        self.entry_size.get()
    }

    /// Entries of a page that is full.
    #[must_use]
    pub const fn entries_per_page(self) -> u32 {
        self.per_page.get()
    }

    /// Pages of the section, 0 when it is empty.
    #[must_use]
    pub const fn page_count(self) -> u32 {
        self.entry_count.div_ceil(self.per_page.get())
    }

    /// Page of the section, and place in that page, of entry `index`.
    #[must_use]
    #[inline]
    pub fn page_of_entry(self, index: u32) -> (u32, u32) {
        (index / self.per_page, index % self.per_page)
    }

    /// Number in the file of page `page` of the section, or `None` when it has no such page.
    #[must_use]
    pub const fn page(self, page: u32) -> Option<u32> {
        if page < self.page_count() { self.first_page.checked_add(page) } else { None }
    }

    /// Entries on page `page` of the section, 0 when it has no such page.
    #[must_use]
    pub const fn entries_on_page(self, page: u32) -> u32 {
        let before = (page as u64).saturating_mul(self.per_page.get() as u64);
        let rest = (self.entry_count as u64).saturating_sub(before);
        let per_page = self.per_page.get();
        #[expect(clippy::cast_possible_truncation, reason = "smaller than a u32")]
        if rest < per_page as u64 { rest as u32 } else { per_page }
    }

    /// Byte of the file at which entry `index` starts, or `None` when there is no such entry.
    #[must_use]
    #[inline]
    pub fn entry_offset(self, index: u32) -> Option<u64> {
        if index >= self.entry_count {
            return None;
        }
        let (page, place) = self.page_of_entry(index);
        let page = self.first_page.checked_add(page)?;
        // Inside a page that `Layout::new` has shown to lie below 2^64.
        let within = u64::from(place).wrapping_mul(u64::from(self.entry_size.get()));
        Some(self.layout.page_offset(page).wrapping_add(within))
    }
}

/// Why pages, or a section, cannot lie as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Pages of 0 bytes.
    #[error("a page needs at least one byte")]
    PageLen,
    /// The last page that a handle can name would end past byte 2^64.
    #[error("pages would lie past byte 2^64 of the file")]
    TooFar,
    /// An entry takes no bytes, or more than a page has.
    #[error("entries of {entry_size} bytes do not fit pages of {page_len} bytes")]
    EntrySize {
        /// Bytes of an entry.
        entry_size: u32,
        /// Bytes of a page.
        page_len: u32,
    },
    /// A page would have a number that its handle cannot hold.
    #[error("more pages than a file can number (2^32)")]
    PastLastPage,
}
