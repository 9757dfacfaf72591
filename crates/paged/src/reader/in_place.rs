//! The entries of a section where they are: in a source in memory, or in a cache that keeps all.
//!
//! What is lent has been verified. Knows bytes, not values; does not read.

use crate::Source;
use crate::cache::Whole;
use crate::reader::Store;
use crate::reader::checks::Checks;
use crate::reader::places::Places;

/// The entries of one section, as far as they can be looked at.
// Not an enum: each look would begin with a jump.
#[derive(Clone, Copy)]
pub(crate) struct InPlace<'r> {
    /// The section, if all of it may be looked at and entries follow each other without gaps; else empty.
    contiguous: &'r [u8],
    /// The section, in a source in memory or in a cache that has all.
    memory: Option<&'r [u8]>,
    /// What pages in memory are verified by, while there are some that were not.
    checks: Option<&'r Checks>,
    /// What may have all later.
    cached: Option<&'r Whole>,
    places: Places,
    /// The section's first byte, from the first page of the file.
    start: u64,
    len: u64,
}

/// A range of all pages.
fn section(memory: &[u8], start: u64, len: u64) -> &[u8] {
    let range = usize::try_from(start).ok().zip(usize::try_from(len).ok());
    range.and_then(|(start, len)| memory.get(start..)?.get(..len)).unwrap_or_default()
}

impl<'r> InPlace<'r> {
    /// The entries in `len` bytes from `start` on, which lie in the file.
    pub(crate) fn new<S: Source>(
        store: &'r Store<S>,
        places: Places,
        start: u64,
        len: u64,
    ) -> Self {
        let source = store.in_memory();
        let memory = source.map(|memory| section(memory, start, len));
        let (checks, cached) = (store.checks().filter(|_| source.is_some()), store.cache().whole());
        Self { contiguous: &[], memory, checks, cached, places, start, len }.settled()
    }

    /// The same, with all that is in memory, and verified, by now.
    pub(crate) fn settled(mut self) -> Self {
        self.checks = self.checks.filter(|checks| !checks.are_all_verified());
        if self.memory.is_none() {
            let whole = self.cached.and_then(Whole::get);
            self.memory = whole.map(|whole| section(whole, self.start, self.len));
        }
        if self.checks.is_none() && self.places.are_contiguous() {
            self.contiguous = self.memory.unwrap_or_default();
        }
        self
    }

    /// `true` when all entries are in memory.
    pub(crate) const fn is_in_memory(self) -> bool {
        self.memory.is_some()
    }

    /// All entries, where they follow each other without gaps and there is nothing to verify; else empty.
    pub(crate) const fn contiguous(self) -> &'r [u8] {
        self.contiguous
    }

    /// The bytes of entry `index`, of `size` bytes.
    #[inline(always)]
    pub(crate) fn entry(self, index: u32, size: u32) -> Option<&'r [u8]> {
        let (place, len) = (index as usize, size as usize);
        let place = place.saturating_mul(len);
        if let Some(bytes) = self.contiguous.get(place..place.saturating_add(len)) {
            return Some(bytes);
        }
        let offset = self.places.offset(index, size);
        let Some(memory) = self.memory else {
            let place = usize::try_from(self.start.wrapping_add(offset)).ok()?;
            return self.cached?.get()?.get(place..)?.get(..len);
        };
        if let Some(checks) = self.checks {
            let page = checks.page_at(self.start.wrapping_add(offset));
            checks.is_verified(page).then_some(())?;
        }
        memory.get(usize::try_from(offset).ok()?..)?.get(..len)
    }
}
