//! One page: its bytes, its own or shared, and where it starts.
//!
//! Invariant: writing goes through [`DerefMut`], which gives a page bytes of its own first, so no
//! write ever reaches another page.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The bytes of one page of a [`Pager`](crate::Pager), read and written as a slice.
#[derive(Clone)]
pub struct Page {
    bytes: Bytes,
    /// One more than the offset: the gap at 0 keeps `Option<Page>` at three words.
    offset_plus_one: NonZeroU64,
}

/// Two words, with the shared form in the gap of the first.
#[derive(Clone)]
enum Bytes {
    Own(Box<[u8]>),
    Shared(Arc<Box<[u8]>>),
}

impl Page {
    /// A page with number `index` that holds `bytes`, the length of which is the page size.
    #[must_use]
    pub fn new(index: usize, bytes: Vec<u8>) -> Self {
        Self::own(index as u64, bytes.into_boxed_slice())
    }

    pub(crate) fn own(number: u64, bytes: Box<[u8]>) -> Self {
        let offset_plus_one = start_of(number, bytes.len());
        Self { bytes: Bytes::Own(bytes), offset_plus_one }
    }

    pub(crate) fn shared(number: u64, bytes: &Arc<Box<[u8]>>) -> Self {
        let offset_plus_one = start_of(number, bytes.len());
        Self { bytes: Bytes::Shared(Arc::clone(bytes)), offset_plus_one }
    }

    /// Where the page starts, in bytes from the start of page 0.
    ///
    /// Pages so far up that their offset does not fit say `usize::MAX - 1`, or `usize::MAX` where
    /// that is less than 64 bits.
    #[must_use]
    pub fn offset(&self) -> usize {
        usize::try_from(self.offset_plus_one.get().saturating_sub(1)).unwrap_or(usize::MAX)
    }

    /// Whether the page holds the pager's shared bytes and none of its own.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.bytes, Bytes::Shared(_))
    }
}

/// One more than the offset of page `number`, saturating.
fn start_of(number: u64, page_size: usize) -> NonZeroU64 {
    NonZeroU64::MIN.saturating_add(number.saturating_mul(page_size as u64))
}

impl Deref for Page {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Own(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }
}

impl DerefMut for Page {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        if let Bytes::Shared(shared) = &self.bytes {
            self.bytes = Bytes::Own(Box::clone(shared));
        }
        match &mut self.bytes {
            Bytes::Own(bytes) => bytes,
            Bytes::Shared(_) => &mut [],
        }
    }
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("offset", &self.offset())
            .field("len", &self.len())
            .field("shared", &self.is_shared())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_three_words() {
        assert_eq!(size_of::<Option<Page>>(), 24);
    }
}
