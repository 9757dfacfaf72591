//! Sections: the handle, which says where entries are and of what type, and how they are written.

mod encoder;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::marker::PhantomData;

pub use encoder::Encoder;

use crate::layout::{Layout, LayoutError, SectionLayout};
use crate::values::needs_no_heap;
use crate::{Decode, Encode, EncodeSized, Input, ReadError};

/// Entries of one type and size, on pages of their own. Stored as two `u32`, so a section may
/// stand in an entry of another one.
pub struct Section<T> {
    page_offset: u32,
    entry_count: u32,
    entry: PhantomData<fn() -> T>,
}

impl<T> Section<T> {
    /// The section that starts on page `page_offset` and has `entry_count` entries.
    #[must_use]
    pub const fn new(page_offset: u32, entry_count: u32) -> Self {
        Self { page_offset, entry_count, entry: PhantomData }
    }

    /// Its first page, counted from the first page of the file.
    #[must_use]
    pub const fn page_offset(&self) -> u32 {
        self.page_offset
    }

    /// Its entries.
    #[must_use]
    pub const fn entry_count(&self) -> u32 {
        self.entry_count
    }

    /// Byte at which page `i` of the section starts, counted from the first page of the file.
    #[must_use]
    pub const fn offset_of_page(&self, page_len: u32, i: u32) -> u64 {
        // Two u32 added and multiplied by a third: the largest is below 2^65 only by the sum, so
        // it saturates rather than wraps.
        (self.page_offset as u64 + i as u64).saturating_mul(page_len as u64)
    }
}

impl<T: EncodeSized> Section<T> {
    /// Where its entries lie in a file of this layout.
    ///
    /// # Errors
    /// [`LayoutError`] when entries of `T` do not fit its pages, or pages have no number.
    pub const fn layout(&self, layout: Layout) -> Result<SectionLayout, LayoutError> {
        layout.section(self.page_offset, self.entry_count, T::ENCODED_SIZE)
    }

    /// Pages of the section where pages have `page_len` bytes; 0 when entries do not fit a page.
    #[must_use]
    pub const fn page_count(&self, page_len: u32) -> u32 {
        match entries_per_page::<T>(page_len) {
            0 => 0,
            per_page => self.entry_count.div_ceil(per_page),
        }
    }

    /// Entries on page `i` of the section; 0 when it has no such page.
    #[must_use]
    pub const fn page_size(&self, page_len: u32, i: u32) -> u32 {
        let per_page = entries_per_page::<T>(page_len);
        let before = per_page as u64 * i as u64;
        let rest = (self.entry_count as u64).saturating_sub(before);
        #[expect(clippy::cast_possible_truncation, reason = "smaller than a u32")]
        if rest < per_page as u64 { rest as u32 } else { per_page }
    }

    /// Page of the section, and place in that page, of entry `i`; `(0, i)` when entries do not fit
    /// a page.
    #[must_use]
    pub const fn page_of_entry(&self, page_len: u32, i: u32) -> (u32, u32) {
        match entries_per_page::<T>(page_len) {
            0 => (0, i),
            per_page => (i / per_page, i % per_page),
        }
    }
}

const fn entries_per_page<T: EncodeSized>(page_len: u32) -> u32 {
    match page_len.checked_div(T::ENCODED_SIZE) {
        Some(per_page) => per_page,
        None => 0,
    }
}

impl<T> Clone for Section<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Section<T> {}

impl<T> PartialEq for Section<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.page_offset, self.entry_count) == (other.page_offset, other.entry_count)
    }
}

impl<T> Eq for Section<T> {}

impl<T> Hash for Section<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.page_offset, self.entry_count).hash(state);
    }
}

impl<T> fmt::Debug for Section<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section")
            .field("page_offset", &self.page_offset)
            .field("entry_count", &self.entry_count)
            .finish()
    }
}

impl<T> EncodeSized for Section<T> {
    const ENCODED_SIZE: u32 = 8;
}

impl<C, T> Encode<C> for Section<T> {
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        (self.page_offset, self.entry_count).encode(context, output)
    }
}

impl<C, T> Decode<C> for Section<T> {
    const FIXED_SIZE: Option<u32> = Some(Self::ENCODED_SIZE);

    fn decode(input: &mut Input<'_>, context: &mut C) -> Result<Self, ReadError> {
        let (page_offset, entry_count) = Decode::decode(input, context)?;
        Ok(Self::new(page_offset, entry_count))
    }
}

needs_no_heap!([T] Section<T>);
