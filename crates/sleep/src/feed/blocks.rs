//! Blocks one after the other, many in one read.

use std::iter::FusedIterator;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::feed::proven::Proven;
use crate::hashes;
use crate::node::Node;

/// Bytes that are read ahead at most. A longer block is read for itself.
const READ_AHEAD_LEN: u64 = 1024 * 1024;

/// The iterator of [`Feed::blocks`].
#[derive(Debug)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Blocks<'a> {
    feed: &'a Feed,
    /// Blocks that are still to come, those read ahead too.
    rest: Range<u64>,
    /// Proven leaves of the next blocks, the next one last.
    leaves: Vec<Node>,
    /// Bytes of the blocks read ahead.
    bytes: Vec<u8>,
    /// How many of these bytes are used up.
    used: usize,
}

impl Feed {
    /// The blocks of a range, each verified as by [`get`](Self::get), read many at a time.
    ///
    /// A block that is not stored, or damaged, is an error in its place, and the next ones follow.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] when the range ends past the feed.
    pub const fn blocks(&self, range: Range<u64>) -> Result<Blocks<'_>> {
        if range.end > self.length {
            return Err(Error::OutOfBounds { block: range.end, length: self.length });
        }
        Ok(Blocks { feed: self, rest: range, leaves: Vec::new(), bytes: Vec::new(), used: 0 })
    }
}

impl Blocks<'_> {
    /// Reads ahead from `block` on; whether that worked. Where it did not, the block is to be read for
    /// itself, and what is wrong shows.
    fn read_ahead(&mut self, block: u64) -> bool {
        let mut present = self.feed.bitfield.blocks(block..self.rest.end);
        let Some(run) = present.next().filter(|run| run.start == block) else { return false };
        let Ok(mut leaves) = self.feed.prove_leaves(block, run.end) else { return false };
        let Some(first) = leaves.first().copied() else { return false };
        let end = |leaf: &Proven| leaf.end().saturating_sub(first.offset);
        leaves.truncate(leaves.partition_point(|leaf| end(leaf) <= READ_AHEAD_LEN));
        let len = leaves.last().map_or(0, end);
        let Ok(len) = usize::try_from(len) else { return false };
        let Ok(Some(bytes)) = self.feed.read_bytes(first.offset, len) else { return false };
        (self.bytes, self.used) = (bytes, 0);
        self.leaves.extend(leaves.iter().rev().map(|leaf| leaf.node));
        !self.leaves.is_empty()
    }

    /// The next block of those that were read ahead.
    fn take(&mut self, block: u64) -> Option<Result<Vec<u8>>> {
        let leaf = self.leaves.pop()?;
        let end = usize::try_from(leaf.size).ok().and_then(|len| self.used.checked_add(len));
        let bytes = self.bytes.get(self.used..end?)?;
        self.used = end?;
        if hashes::leaf(leaf.index, bytes) != leaf {
            return Some(Err(Error::BlockDamaged { block }));
        }
        Some(Ok(bytes.to_vec()))
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.rest.next()?;
        if !self.leaves.is_empty() || self.read_ahead(block) {
            return self.take(block).or_else(|| Some(self.feed.get(block)));
        }
        Some(self.feed.get(block))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl FusedIterator for Blocks<'_> {}
