//! Where the entries of a section lie, without a division.
//!
//! Entries follow each other without gaps, but for the padding at the end of each page. So an
//! entry's place is the length of the entries before it and as many paddings as there are pages
//! before it, which a multiplication by a reciprocal finds.

use crate::SectionLayout;

/// Bits after the point of a reciprocal.
const FRACTION_BITS: u32 = 63;

/// The places of the entries of one section, from its first byte on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    /// Bytes of a page that are of no entry.
    padding: u64,
    /// 2^63 / entries of a page, rounded up.
    reciprocal: u64,
}

impl Places {
    pub(crate) const fn new(layout: SectionLayout) -> Self {
        let page_len = layout.layout().page_len() as u64;
        let per_page = layout.entries_per_page() as u64;
        // `per_page` entries fit a page.
        let padding = page_len.wrapping_sub(per_page.wrapping_mul(layout.entry_size() as u64));
        Self { padding, reciprocal: (1_u64 << FRACTION_BITS).div_ceil(per_page) }
    }

    /// `true` when nothing lies between the entries of a page and those of the next.
    pub(crate) const fn are_contiguous(self) -> bool {
        self.padding == 0
    }

    /// The first byte of entry `index`, of entries of `size` bytes: those of the layout.
    ///
    /// # Source
    /// D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation", 2019, theorem 1: the
    /// quotient is exact for numbers of 32 bits and divisors of 31. Where a page holds more entries,
    /// they take one byte each and leave no padding.
    #[inline]
    pub(crate) const fn offset(self, index: u32, size: u32) -> u64 {
        let entries = (index as u64).wrapping_mul(size as u64);
        if self.padding == 0 {
            return entries;
        }
        let product = (self.reciprocal as u128).wrapping_mul(index as u128);
        #[expect(clippy::cast_possible_truncation, reason = "96 bits without 63")]
        let pages = (product >> FRACTION_BITS) as u64;
        // `Layout::section` has shown that each entry of the section has a place below 2^64.
        entries.wrapping_add(pages.wrapping_mul(self.padding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;

    #[test]
    fn as_by_division() {
        let counts = [1, 2, 3, 7, 64, 4095, 4096, 65_537, 1 << 31, u32::MAX];
        for page_len in [1, 2, 3, 16, 100, 4095, 4096, 65_536, 1 << 31, u32::MAX] {
            for entry_size in [1, 2, 3, 7, 8, 50, 51, 4095, 4096, 1 << 30, u32::MAX] {
                let layout = Layout::new(page_len, 0).expect("a layout");
                for count in counts {
                    let Ok(section) = layout.section(0, count, entry_size) else { continue };
                    let places = Places::new(section);
                    let per_page = section.entries_per_page();
                    let ends = [0, 1, per_page, count / 2, count - 1];
                    let near = ends.into_iter().flat_map(|index| {
                        [index.saturating_sub(1), index, index / per_page * per_page]
                    });
                    for index in near.filter(|index| *index < count) {
                        let expected = section.entry_offset(index);
                        let place = (page_len, entry_size, index);
                        assert_eq!(Some(places.offset(index, entry_size)), expected, "{place:?}");
                    }
                }
            }
        }
    }
}
