//! Where in the bytes of a core a node or block begins.

use std::ops::Range;

use flat_tree::Index;

use crate::error::TreeError;
use crate::limits::add_sizes;
use crate::lookup::NodeLookup;
use crate::tree::{Tree, stored};

impl Tree {
    /// The offset, in bytes, of the first block below `index`.
    ///
    /// The leaf after the last block begins where the core ends: [`byte_length`](Self::byte_length).
    ///
    /// # Errors
    /// [`TreeError::OutOfTree`] when that block is beyond the tree, [`TreeError::MissingNode`] when
    /// a node to the left of the way down is not stored; and as the lookup fails.
    ///
    /// # Source
    /// formats.md section 6.3. Also right of the first root, where JavaScript 11 is wrong
    /// (section 14, 12).
    pub fn byte_offset<L: NodeLookup>(
        &self,
        lookup: &L,
        index: Index,
    ) -> Result<u64, TreeError<L::Error>> {
        let target = index.first_block();
        if target == self.length {
            return Ok(self.byte_length);
        }
        let mut offset = 0_u64;
        let mut within = None;
        for root in &self.roots {
            if root.index.end_block() > target {
                within = Some(root.index);
                break;
            }
            offset = add_sizes(offset, root.size).ok_or(TreeError::SizeOverflow(root.index))?;
        }
        let mut at = within.ok_or(TreeError::OutOfTree { index, length: self.length })?;
        while at.first_block() != target {
            let Some((left, right)) = at.children() else { break };
            if target < right.first_block() {
                at = left;
            } else {
                let size = stored(lookup, left)?.size;
                offset = add_sizes(offset, size).ok_or(TreeError::SizeOverflow(left))?;
                at = right;
            }
        }
        Ok(offset)
    }

    /// The bytes of the core that `block` holds.
    ///
    /// # Errors
    /// As [`byte_offset`](Self::byte_offset), and [`TreeError::MissingNode`] when the leaf is not
    /// stored.
    pub fn byte_range<L: NodeLookup>(
        &self,
        lookup: &L,
        block: u64,
    ) -> Result<Range<u64>, TreeError<L::Error>> {
        let out_of_tree = |index| TreeError::OutOfTree { index, length: self.length };
        let leaf = Index::leaf(block).ok_or(out_of_tree(Index::MAX))?;
        if block >= self.length {
            return Err(out_of_tree(leaf));
        }
        let start = self.byte_offset(lookup, leaf)?;
        let size = match self.roots.last() {
            // The newest block of an odd length is a root itself.
            Some(root) if root.index == leaf => root.size,
            _ => stored(lookup, leaf)?.size,
        };
        let end = add_sizes(start, size).ok_or(TreeError::SizeOverflow(leaf))?;
        Ok(start..end)
    }
}
