//! Which pages are read straight from their place: what the engine has answered before.
//!
//! A cache of a byte a page, for the pages below a bound, so that what a file says of its length does not
//! say how much memory is taken. *Invariant.* A page that is marked is regular, was before anything that is
//! staged, and has no content elsewhere; whoever changes one of these takes the mark away first. Nothing
//! depends on a mark being set.

use std::sync::atomic::{AtomicU8, Ordering};

/// Pages that there may be marks for: 8 MiB, for 32 GiB in pages of 4 KiB. Bytes, because a look at a bit
/// takes half as long again.
const PAGES_MAX: usize = 1 << 23;

/// The pages that are known to be plain.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// 1: plain.
    marks: Vec<AtomicU8>,
}

impl Plain {
    /// Whether the page is known to be plain.
    #[inline]
    pub(crate) fn has(&self, page: u64) -> bool {
        // No other memory hangs on it: who takes a mark away has the pager to itself.
        self.marks.get(place(page)).is_some_and(|mark| mark.load(Ordering::Relaxed) != 0)
    }

    /// Notes that a page is plain, if there is room for it.
    pub(crate) fn insert(&self, page: u64) {
        if let Some(mark) = self.marks.get(place(page)) {
            mark.store(1, Ordering::Relaxed);
        }
    }

    /// Forgets a page.
    pub(crate) fn remove(&mut self, page: u64) {
        if let Some(mark) = self.marks.get_mut(place(page)) {
            *mark.get_mut() = 0;
        }
    }

    /// Makes room for so many pages, as far as there may be.
    pub(crate) fn make_room(&mut self, page_count: u64) {
        let count = place(page_count).min(PAGES_MAX);
        if count > self.marks.len() {
            let mut marks = blank(count);
            for (mark, before) in marks.iter_mut().zip(&mut self.marks) {
                *mark.get_mut() = *before.get_mut();
            }
            self.marks = marks;
        }
    }
}

/// Marks of which none is set: memory that comes as zeros and that an open does not touch, which for a large file
/// would be most of what it does.
fn blank(count: usize) -> Vec<AtomicU8> {
    // Collected where they are, since each has the bytes of what it is made of.
    vec![0; count].into_iter().map(AtomicU8::new).collect()
}

#[inline]
fn place(page: u64) -> usize {
    usize::try_from(page).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_apart() {
        let mut plain = Plain::default();
        plain.insert(3);
        assert!(!plain.has(3), "there was no room");
        plain.make_room(300);
        let pages = [0, 3, 63, 64, 127, 128, 299];
        for page in pages {
            plain.insert(page);
        }
        let all = |plain: &Plain| (0..1000).filter(|page| plain.has(*page)).collect::<Vec<_>>();
        assert_eq!(all(&plain), pages);
        plain.remove(64);
        plain.remove(u64::MAX);
        assert!(!plain.has(64) && !plain.has(u64::MAX) && plain.has(63));
        plain.make_room(0);
        assert_eq!(all(&plain).len(), pages.len() - 1);
    }
    #[test]
    fn a_file_of_any_length_takes_no_more_memory_than_the_bound() {
        let mut plain = Plain::default();
        plain.make_room(u64::MAX);
        let bound = PAGES_MAX as u64;
        plain.insert(bound - 1);
        plain.insert(bound);
        assert!(plain.has(bound - 1) && !plain.has(bound));
        assert_eq!(plain.marks.len(), PAGES_MAX);
    }
}
