//! Which pages are read straight from their place: what the engine has answered before.
//!
//! A cache of a bit a page, in chunks that are made when a page of theirs is read, so that its memory follows
//! what is used. *Invariant.* A bit says that the page is regular, was before anything that is staged, and
//! has no content elsewhere; whoever changes one of these takes the bit away first. Nothing depends on a
//! bit being set.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words of a chunk: 4 KiB for 32768 pages.
const CHUNK_WORDS: usize = 512;
/// Pages of a chunk.
const CHUNK_PAGES: u64 = CHUNK_WORDS as u64 * 64;

type Chunk = Box<[AtomicU64; CHUNK_WORDS]>;

/// The pages that are known to be plain.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    chunks: Vec<OnceLock<Chunk>>,
}

impl Plain {
    /// Whether the page is known to be plain.
    #[inline]
    pub(crate) fn has(&self, page: u64) -> bool {
        let (chunk, word, bit) = place(page);
        let chunk = self.chunks.get(chunk).and_then(OnceLock::get);
        chunk.and_then(|chunk| chunk.get(word)).is_some_and(|word| {
            // No other memory hangs on it: who clears a bit has the pager to itself.
            word.load(Ordering::Relaxed) & bit != 0
        })
    }

    /// Notes that a page is plain, if there is room for it.
    pub(crate) fn insert(&self, page: u64) {
        let (chunk, word, bit) = place(page);
        let Some(chunk) = self.chunks.get(chunk) else { return };
        let chunk = chunk.get_or_init(|| Box::new([const { AtomicU64::new(0) }; CHUNK_WORDS]));
        if let Some(word) = chunk.get(word) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Forgets a page.
    pub(crate) fn remove(&mut self, page: u64) {
        let (chunk, word, bit) = place(page);
        let chunk = self.chunks.get_mut(chunk).and_then(OnceLock::get_mut);
        if let Some(word) = chunk.and_then(|chunk| chunk.get_mut(word)) {
            *word.get_mut() &= !bit;
        }
    }

    /// Makes room for so many pages.
    pub(crate) fn make_room(&mut self, page_count: u64) {
        let chunks = usize::try_from(page_count.div_ceil(CHUNK_PAGES)).unwrap_or(usize::MAX);
        if chunks > self.chunks.len() {
            self.chunks.resize_with(chunks, OnceLock::new);
        }
    }
}

/// Chunk, word in it, bit in that.
#[inline]
fn place(page: u64) -> (usize, usize, u64) {
    let chunk = usize::try_from(page / CHUNK_PAGES).unwrap_or(usize::MAX);
    let word = (page / 64) as usize % CHUNK_WORDS;
    (chunk, word, 1 << (page % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_apart() {
        let mut plain = Plain::default();
        plain.insert(3);
        assert!(!plain.has(3), "there was no room");
        plain.make_room(3 * CHUNK_PAGES);
        let pages = [0, 3, 63, 64, CHUNK_PAGES - 1, CHUNK_PAGES, 2 * CHUNK_PAGES + 7];
        for page in pages {
            plain.insert(page);
        }
        let all = |plain: &Plain| {
            (0..4 * CHUNK_PAGES).filter(|page| plain.has(*page)).collect::<Vec<_>>()
        };
        assert_eq!(all(&plain), pages);
        plain.remove(64);
        plain.remove(u64::MAX);
        assert!(!plain.has(64) && !plain.has(u64::MAX) && plain.has(63));
        plain.make_room(0);
        assert_eq!(all(&plain).len(), pages.len() - 1);
    }
}
