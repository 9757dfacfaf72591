//! The pager: pages by number, what is dirty, what is shared.
//!
//! Invariants: every page in the tree has `page_size` bytes; `len` is past the highest page.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::tree::Tree;
use crate::{Dirty, Iter, Page, Pages};

/// Page size of [`Pager::default`].
const PAGE_SIZE_DEFAULT: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// A page number past [`Pager::NUMBER_MAX`] was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageOutOfRange {
    /// Number of the page.
    pub number: u64,
}

impl fmt::Display for PageOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {} is past the last possible page {}", self.number, Pager::NUMBER_MAX)
    }
}

impl std::error::Error for PageOutOfRange {}

/// Sparse pages of one size.
///
/// Page numbers go to [`NUMBER_MAX`](Self::NUMBER_MAX). Absent pages cost nothing and can be told
/// from pages of zeros.
#[derive(Clone)]
pub struct Pager {
    pub(crate) tree: Tree,
    page_size: NonZeroUsize,
    /// log2 of a page size that is a power of two.
    page_bits: Option<u32>,
    /// Highest page number ever touched, plus one.
    len: u64,
    shared: Option<Arc<Box<[u8]>>>,
}

impl Pager {
    /// Highest page number: 2^52.
    pub const NUMBER_MAX: u64 = 1 << 52;

    /// An empty pager with pages of `page_size` bytes.
    ///
    /// # Panics
    /// When `page_size` is 0. [`with_page_size`](Self::with_page_size) cannot panic.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the signature is that of memory-pager 0.9")]
    pub fn new(page_size: usize) -> Self {
        Self::with_page_size(NonZeroUsize::new(page_size).expect("a page size of at least 1"))
    }

    /// An empty pager with pages of `page_size` bytes.
    #[must_use]
    pub fn with_page_size(page_size: NonZeroUsize) -> Self {
        let page_bits = page_size.is_power_of_two().then(|| page_size.trailing_zeros());
        Self { tree: Tree::default(), page_size, page_bits, len: 0, shared: None }
    }

    /// Chooses the content of which only one copy is kept: `content`, repeated to fill a page.
    ///
    /// Pages that [`set`](Self::set), [`deduplicate`](Self::deduplicate) or loading find equal to
    /// it hold no bytes of their own until they are written. An empty `content` ends the
    /// sharing of further pages. Pages that share already stay as they are.
    pub fn share(&mut self, content: &[u8]) {
        let page: Box<[u8]> = content.iter().copied().cycle().take(self.page_size.get()).collect();
        self.shared = (!content.is_empty()).then(|| Arc::new(page));
    }

    /// Bytes in a page.
    #[must_use]
    #[inline]
    pub fn page_size(&self) -> usize {
        self.page_size.get()
    }

    /// The highest page number written since the last [`truncate`](Self::truncate) below it, plus one; absent
    /// pages below count.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    /// Whether [`len`](Self::len) is 0: no page was written, or all were truncated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of pages that are present.
    #[must_use]
    pub fn pages_present(&self) -> usize {
        self.tree.count()
    }

    /// The page, if present.
    #[must_use]
    #[inline]
    pub fn get(&self, page_num: usize) -> Option<&Page> {
        self.tree.slot(page_num as u64)?.as_ref()
    }

    /// The page to write to, if present; it counts as dirty from now on.
    #[must_use]
    #[inline]
    pub fn get_mut(&mut self, page_num: usize) -> Option<&mut Page> {
        self.tree.get_mut(page_num as u64)
    }

    /// The page to write to, made of zeros if absent; it counts as dirty from now on.
    ///
    /// # Panics
    /// When `page_num` is past [`NUMBER_MAX`](Self::NUMBER_MAX).
    /// [`try_get_mut_or_alloc`](Self::try_get_mut_or_alloc) cannot panic.
    #[inline]
    #[expect(clippy::expect_used, reason = "the signature is that of memory-pager 0.9")]
    pub fn get_mut_or_alloc(&mut self, page_num: usize) -> &mut Page {
        self.try_get_mut_or_alloc(page_num).expect("a page number up to 2^52")
    }

    /// The page to write to, made of zeros if absent; it counts as dirty from now on.
    ///
    /// # Errors
    /// [`PageOutOfRange`] when `page_num` is past [`NUMBER_MAX`](Self::NUMBER_MAX).
    #[inline]
    pub fn try_get_mut_or_alloc(&mut self, page_num: usize) -> Result<&mut Page, PageOutOfRange> {
        let (number, page_size) = (page_num as u64, self.page_size.get());
        self.get_or_insert(number, || Page::own(number, vec![0; page_size].into_boxed_slice()))
    }

    #[inline]
    pub(crate) fn get_or_insert(
        &mut self,
        number: u64,
        make: impl FnOnce() -> Page,
    ) -> Result<&mut Page, PageOutOfRange> {
        if number > Self::NUMBER_MAX {
            return Err(PageOutOfRange { number });
        }
        self.len = self.len.max(number.saturating_add(1));
        self.tree.get_or_insert(number, make).ok_or(PageOutOfRange { number })
    }

    /// Takes the page out. [`len`](Self::len) stays; the page no longer counts as dirty.
    pub fn remove(&mut self, page_num: usize) -> Option<Page> {
        self.tree.remove(page_num as u64)
    }

    /// Takes all pages from `len` on out, and makes [`len`](Self::len) at most `len`.
    pub fn truncate(&mut self, len: usize) {
        let mut from = len as u64;
        while let Some(number) = self.tree.next_present(from) {
            self.tree.remove(number);
            from = number;
        }
        self.len = self.len.min(len as u64);
    }

    /// Makes `bytes` the content of the page, which counts as dirty if it is then present.
    ///
    /// Zeros make the page absent; the [shared](Self::share) content is shared.
    ///
    /// # Errors
    /// [`PageOutOfRange`] when `page_num` is past [`NUMBER_MAX`](Self::NUMBER_MAX).
    ///
    /// # Panics
    /// When `bytes` is not exactly one page.
    pub fn set(&mut self, page_num: usize, bytes: &[u8]) -> Result<(), PageOutOfRange> {
        assert_eq!(bytes.len(), self.page_size(), "the content of a page has its size");
        self.put(page_num as u64, bytes)
    }

    /// As [`set`](Self::set), where the length is known to be right.
    pub(crate) fn put(&mut self, number: u64, bytes: &[u8]) -> Result<(), PageOutOfRange> {
        if number > Self::NUMBER_MAX {
            return Err(PageOutOfRange { number });
        }
        self.touch(number);
        self.tree.remove(number);
        if is_zero(bytes) {
            return Ok(());
        }
        let page = match &self.shared {
            Some(shared) if ***shared == *bytes => Page::shared(number, shared),
            _ => Page::own(number, bytes.into()),
        };
        self.get_or_insert(number, || page).map(|_| ())
    }

    /// Counts page `number` into the length.
    pub(crate) fn touch(&mut self, number: u64) {
        self.len = self.len.max(number.saturating_add(1));
    }

    /// Gives the page's bytes back if they equal the [shared](Self::share) content, or removes
    /// the page if they are zeros. Says whether it did either.
    pub fn deduplicate(&mut self, page_num: usize) -> bool {
        let number = page_num as u64;
        let Some(page) = self.get(page_num) else { return false };
        if is_zero(page) {
            self.tree.remove(number);
            return true;
        }
        let Some(shared) = &self.shared else { return false };
        if page.is_shared() || ***shared != **page {
            return false;
        }
        let page = Page::shared(number, shared);
        let dirty = self.tree.is_dirty(number);
        if let Some(slot) = self.tree.get_mut(number) {
            *slot = page;
        }
        if !dirty {
            self.tree.clean(number);
        }
        true
    }

    /// Whether the page was made or handed out for writing since it was last cleaned.
    #[must_use]
    pub fn is_dirty(&self, page_num: usize) -> bool {
        self.tree.is_dirty(page_num as u64)
    }

    /// Marks the page as clean; says whether it was dirty.
    pub fn clean(&mut self, page_num: usize) -> bool {
        self.tree.clean(page_num as u64)
    }

    /// Marks all pages as clean.
    pub fn clean_all(&mut self) {
        self.tree.clean_all();
    }

    /// The number of the first present page at or after `page_num`.
    #[must_use]
    pub fn next_present(&self, page_num: usize) -> Option<usize> {
        usize::try_from(self.tree.next_present(page_num as u64)?).ok()
    }

    /// Visits every number below [`len`](Self::len), present or not, as memory-pager 0.9 does.
    ///
    /// [`pages`](Self::pages) visits only what is present.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self)
    }

    /// Visits the pages that are present, in order, with their numbers.
    #[must_use]
    pub fn pages(&self) -> Pages<'_> {
        Pages::new(self)
    }

    /// Visits the pages that are dirty, in order, with their numbers.
    #[must_use]
    pub fn dirty(&self) -> Dirty<'_> {
        Dirty::new(self)
    }

    /// The page that holds byte `position`, and the byte's place in it.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::arithmetic_side_effects,
        reason = "the place is below the page size, which is a usize and not 0"
    )]
    pub(crate) fn locate(&self, position: u64) -> (u64, usize) {
        let page_size = self.page_size.get() as u64;
        match self.page_bits {
            Some(bits) => (position >> bits, (position & (page_size - 1)) as usize),
            None => (position / page_size, (position % page_size) as usize),
        }
    }
}

/// Pages of 1024 bytes.
impl Default for Pager {
    fn default() -> Self {
        Self::with_page_size(PAGE_SIZE_DEFAULT)
    }
}

impl fmt::Debug for Pager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pager")
            .field("page_size", &self.page_size)
            .field("len", &self.len)
            .field("pages_present", &self.pages_present())
            .finish_non_exhaustive()
    }
}

/// Whether all bytes are 0.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
