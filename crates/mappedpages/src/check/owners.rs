//! Which pages have an owner: a bitmap with room only where there are some.

use std::collections::BTreeMap;

/// Bits of one part of the bitmap.
const PART_BITS: u64 = 512;

/// A set of pages. Its memory grows with the parts of the file in which there are any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owners {
    parts: BTreeMap<u64, [u64; 8]>,
}

impl Owners {
    /// Adds a page; false when it is there already.
    pub(crate) fn add(&mut self, page: u64) -> bool {
        let part = self.parts.entry(page / PART_BITS).or_default();
        let Some((word, bit)) = place(part, page) else { return true };
        let was_clear = *word & bit == 0;
        *word |= bit;
        was_clear
    }

    /// Takes a page out; false when it is not there.
    pub(crate) fn take(&mut self, page: u64) -> bool {
        let word = self.parts.get_mut(&(page / PART_BITS)).and_then(|part| place(part, page));
        let Some((word, bit)) = word else { return false };
        let was_set = *word & bit != 0;
        *word &= !bit;
        was_set
    }

    pub(crate) fn has(&self, page: u64) -> bool {
        let part = self.parts.get(&(page / PART_BITS)).copied();
        part.is_some_and(|mut part| {
            place(&mut part, page).is_some_and(|(word, bit)| *word & bit != 0)
        })
    }

    /// All pages, in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.parts.iter().flat_map(|(&part, words)| {
            let first = part.saturating_mul(PART_BITS);
            let bits = (0_u64..).zip(words).flat_map(move |(at, &word)| {
                (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| (at, bit))
            });
            bits.map(move |(at, bit)| {
                first.saturating_add(at.saturating_mul(64)).saturating_add(bit)
            })
        })
    }
}

/// The word that has the page's bit, and the bit.
fn place(part: &mut [u64; 8], page: u64) -> Option<(&mut u64, u64)> {
    let index = page % PART_BITS;
    let word = part.get_mut(usize::try_from(index / 64).ok()?)?;
    Some((word, 1 << (index % 64)))
}

#[cfg(test)]
mod tests {
    use super::Owners;

    #[test]
    fn a_page_is_in_the_set_once_and_costs_room_only_where_it_is() {
        let mut owners = Owners::default();
        let pages = [0, 1, 63, 64, 511, 512, 1 << 40, u64::MAX];
        for page in pages.iter().rev() {
            assert!(owners.add(*page));
            assert!(!owners.add(*page));
            assert!(owners.has(*page));
        }
        assert!(!owners.has(2));
        assert!(!owners.has(1 << 41));
        assert!(owners.iter().eq(pages));
        assert_eq!(owners.parts.len(), 4);
        assert!(owners.take(512));
        assert!(!owners.take(512));
        assert!(!owners.take(513));
        assert_eq!(owners.iter().count(), pages.len() - 1);
    }
}
