//! One page in memory: its data bits and its tree bits. The index is made when it is written.
//!
//! In a feed of which everything is there all pages but the last few are full, and share one.

use std::sync::{Arc, LazyLock};

/// Bytes of data bits in a page.
pub(super) const DATA_LEN: usize = 1024;
/// Bytes of tree bits in a page.
pub(super) const TREE_LEN: usize = 2048;
/// Where the index starts in a stored page.
pub(super) const INDEX_AT: usize = DATA_LEN + TREE_LEN;
/// Blocks whose bits are in one page.
pub(super) const BLOCKS_PER_PAGE: u64 = 8 * DATA_LEN as u64;
/// Nodes whose bits are in one page.
pub(crate) const NODES_PER_PAGE: u64 = 8 * TREE_LEN as u64;

/// One of the two arrays of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Array {
    /// Blocks that are stored.
    Data,
    /// Nodes that are stored.
    Tree,
}

impl Array {
    /// Bits of this array in a page.
    pub(super) const fn bits_per_page(self) -> u64 {
        match self {
            Self::Data => BLOCKS_PER_PAGE,
            Self::Tree => NODES_PER_PAGE,
        }
    }
}

/// The bits of one page.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Page {
    data: [u8; DATA_LEN],
    tree: [u8; TREE_LEN],
}

/// The page with all bits set.
static FULL: LazyLock<Arc<Page>> =
    LazyLock::new(|| Arc::new(Page { data: [0xff; DATA_LEN], tree: [0xff; TREE_LEN] }));

impl Page {
    pub(super) const EMPTY: Self = Self { data: [0; DATA_LEN], tree: [0; TREE_LEN] };

    /// Takes a stored page, of which less may be there than there should be. `None` when no bit is set.
    pub(super) fn decode(stored: &[u8]) -> Option<Arc<Self>> {
        let bits = stored.get(..INDEX_AT).unwrap_or(stored);
        let (data, tree) = bits.split_at_checked(DATA_LEN).unwrap_or((bits, &[]));
        if FULL.data == data && FULL.tree == tree {
            return Some(Arc::clone(&FULL));
        }
        if Self::EMPTY.data.starts_with(data) && Self::EMPTY.tree.starts_with(tree) {
            return None;
        }
        let mut page = Self::EMPTY;
        copy(&mut page.data, data);
        copy(&mut page.tree, tree);
        Some(Arc::new(page))
    }

    /// Whether all bits of a page are set, as far as that can be seen at a glance.
    pub(super) fn is_full(page: &Arc<Self>) -> bool {
        Arc::ptr_eq(page, &FULL)
    }

    pub(super) const fn bits(&self, array: Array) -> &[u8] {
        match array {
            Array::Data => self.data.as_slice(),
            Array::Tree => self.tree.as_slice(),
        }
    }

    pub(super) const fn bits_mut(&mut self, array: Array) -> &mut [u8] {
        match array {
            Array::Data => self.data.as_mut_slice(),
            Array::Tree => self.tree.as_mut_slice(),
        }
    }
}

/// Fills the front of `to`, which is at least as long.
fn copy(to: &mut [u8], from: &[u8]) {
    if let Some(front) = to.get_mut(..from.len()) {
        front.copy_from_slice(from);
    }
}
