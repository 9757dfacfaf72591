//! Where the entries of a section lie, without a division.
//!
//! Entries follow each other at equal steps, but for the padding at the end of each page. So an
//! entry's place is that many steps and as many paddings as there are pages before it, which a
//! multiplication by a reciprocal finds.

use crate::SectionLayout;

/// The places of the entries of one section, from its first byte on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    /// Bytes from an entry to the next on the same page; with one entry a page, the page.
    step: u64,
    /// Bytes of a page beyond its steps.
    padding: u64,
    /// 2^64 / entries of a page, rounded up; 0 where there is no padding to count.
    reciprocal: u64,
}

impl Places {
    pub(crate) const fn new(layout: SectionLayout) -> Self {
        let page_len = layout.layout().page_len() as u64;
        let per_page = layout.entries_per_page() as u64;
        let step = if per_page == 1 { page_len } else { layout.entry_size() as u64 };
        // `per_page` steps fit a page.
        let padding = page_len.wrapping_sub(step.wrapping_mul(per_page));
        let reciprocal = match u64::MAX.checked_div(per_page) {
            Some(quotient) if padding > 0 => quotient.wrapping_add(1),
            _ => 0,
        };
        Self { step, padding, reciprocal }
    }

    /// The first byte of entry `index`.
    ///
    /// # Source
    /// D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation", 2019, theorem 1: with
    /// 64 bits of reciprocal the quotient is exact for numbers and divisors of 32 bits.
    #[inline]
    pub(crate) const fn offset(self, index: u32) -> u64 {
        let steps = (index as u64).wrapping_mul(self.step);
        if self.reciprocal == 0 {
            return steps;
        }
        let product = (self.reciprocal as u128).wrapping_mul(index as u128);
        let pages = (product >> 64) as u64;
        // `Layout::section` has shown that each entry of the section has a place below 2^64.
        steps.wrapping_add(pages.wrapping_mul(self.padding))
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
                        assert_eq!(Some(places.offset(index)), expected, "{place:?}");
                    }
                }
            }
        }
    }
}
