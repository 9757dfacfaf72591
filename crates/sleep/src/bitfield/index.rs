//! The index: a tree over the data bits that other programs search for missing blocks with.
//!
//! Position `2k` describes data bytes `4k..4k + 4`, odd positions their two children, numbered as
//! in a flat tree. A page stores a run of 2^n positions: a whole subtree, whose root is its *top*,
//! and behind it the one position that joins it with others, its *joint*. This crate never reads the
//! index; it writes it, all afresh. Stores are not known here.
//!
//! # Source
//! "SLEEP storage", section 6.3.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions are below 2 * PAGE_COUNT_MAX, a page has 256 of them at least, and bytes index tables of 256"
)]

use flat_tree::Index;

/// Data bytes that one even position describes.
const GROUP_BYTES: usize = 4;

/// Two bits: all set, none, or neither.
const fn mark(bits: u8, all: u8) -> u8 {
    if bits == all {
        0b11
    } else if bits == 0 {
        0b00
    } else {
        0b01
    }
}

/// The marks of every byte, and those of its two nibbles: this runs for each append.
static MARKS: [(u8, u8); 256] = {
    let mut marks = [(0, 0); 256];
    let mut byte: u8 = 0;
    loop {
        let nibbles = mark(byte >> 4, 0x0f) << 2 | mark(byte & 0x0f, 0x0f);
        marks[byte as usize] = (mark(byte, 0xff), nibbles);
        if byte == 0xff {
            break marks;
        }
        byte += 1;
    }
};

/// What an even position holds: marks of its bytes, the first in the highest bits.
fn described(group: [u8; GROUP_BYTES]) -> u8 {
    group.iter().fold(0, |marks, byte| marks << 2 | MARKS[usize::from(*byte)].0)
}

/// What an odd position holds: marks of the nibbles of its children.
fn joined(left: u8, right: u8) -> u8 {
    MARKS[usize::from(left)].1 << 4 | MARKS[usize::from(right)].1
}

/// Fills the subtree of a page over its `data` and returns its top. The joint is left alone.
///
/// There are 2^n positions, and twice as many bytes of data.
pub(super) fn fill(positions: &mut [u8], data: &[u8]) -> u8 {
    let (groups, _) = data.as_chunks::<GROUP_BYTES>();
    for (position, group) in positions.iter_mut().step_by(2).zip(groups) {
        *position = described(*group);
    }
    // A parent has `half` positions on its left, and as many on its right.
    let mut half = 1;
    while half * 2 < positions.len() {
        for subtree in positions.chunks_exact_mut(half * 4) {
            let child = |at: usize| subtree.get(at).copied().unwrap_or(0);
            let fresh = joined(child(half - 1), child(3 * half - 1));
            if let Some(parent) = subtree.get_mut(2 * half - 1) {
                *parent = fresh;
            }
        }
        half *= 2;
    }
    positions.get(positions.len() / 2 - 1).copied().unwrap_or(0)
}

/// The index from the tops of the pages upwards: in a flat tree of its own, the top of page *q* at
/// `2q`, and its joint behind it. What lies past the last page counts as zero.
#[derive(Clone, Default)]
pub(super) struct Above {
    positions: Vec<u8>,
}

impl Above {
    pub(super) const fn page_count(&self) -> usize {
        self.positions.len() / 2
    }

    /// Makes room for more pages. The caller then gives each of them a top, in order: new joints
    /// join what is left of them, whatever is in their own pages.
    pub(super) fn grow(&mut self, page_count: usize) {
        self.positions.resize(2 * page_count, 0);
    }

    /// What the last position of a page holds.
    pub(super) fn joint(&self, page: usize) -> u8 {
        self.positions.get(2 * page + 1).copied().unwrap_or(0)
    }

    /// Puts the top of a page in its place, computes the joints above it, and returns whose they are.
    pub(super) fn set_top(&mut self, page: usize, top: u8) -> Vec<usize> {
        let leaf = Index::new(2 * page as u64);
        if let Some(place) = self.positions.get_mut(2 * page) {
            *place = top;
        }
        let mut pages = Vec::new();
        let parents = std::iter::successors(leaf.parent(), |parent| parent.parent());
        for parent in parents {
            let fresh = joined(self.at(parent.left_child()), self.at(parent.right_child()));
            let position = place(parent);
            // What is above an absent position does not see this page.
            let Some(place) = self.positions.get_mut(position) else { break };
            *place = fresh;
            pages.push(position / 2);
        }
        pages
    }

    fn at(&self, position: Option<Index>) -> u8 {
        position.and_then(|position| self.positions.get(place(position))).copied().unwrap_or(0)
    }
}

fn place(position: Index) -> usize {
    usize::try_from(position.get()).unwrap_or(usize::MAX)
}
