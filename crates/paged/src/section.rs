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
    pub fn offset_of_page(&self, page_len: u32, i: u32) -> u64 {
        let page = u64::from(self.page_offset).saturating_add(u64::from(i));
        page.saturating_mul(u64::from(page_len))
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
    pub fn page_count(&self, page_len: u32) -> u32 {
        self.on_pages_of(page_len).map_or(0, SectionLayout::page_count)
    }

    /// Entries on page `i` of the section; 0 when it has no such page.
    #[must_use]
    pub fn page_size(&self, page_len: u32, i: u32) -> u32 {
        self.on_pages_of(page_len).map_or(0, |section| section.entries_on_page(i))
    }

    /// Page of the section, and place in that page, of entry `i`; `(0, i)` when entries do not fit
    /// a page.
    #[must_use]
    pub fn page_of_entry(&self, page_len: u32, i: u32) -> (u32, u32) {
        self.on_pages_of(page_len).map_or((0, i), |section| section.page_of_entry(i))
    }

    /// The section, wherever its first page is.
    fn on_pages_of(&self, page_len: u32) -> Option<SectionLayout> {
        let layout = Layout::new(page_len, 0).ok()?;
        layout.section(0, self.entry_count, T::ENCODED_SIZE).ok()
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
