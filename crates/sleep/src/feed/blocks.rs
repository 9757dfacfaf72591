//! Blocks one after the other, many in one read.

use std::iter::FusedIterator;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::feed::proven::Proven;
use crate::hashes;

/// Bytes that are read ahead at most. A longer block is read for itself.
const READ_AHEAD_LEN: u64 = 1024 * 1024;

/// Blocks that are read ahead at most.
const READ_AHEAD_BLOCKS: u64 = 1024;

/// The iterator of [`Feed::blocks`].
#[derive(Debug)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Blocks<'a> {
    feed: &'a Feed,
    /// Blocks that are still to come, those read ahead too.
    rest: Range<u64>,
    /// Of the next blocks, the next one last: how many bytes they have, and whether these hash to their
    /// leaves.
    ahead: Vec<(usize, bool)>,
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
        Ok(Blocks { feed: self, rest: range, ahead: Vec::new(), bytes: Vec::new(), used: 0 })
    }
}

impl Blocks<'_> {
    /// Reads ahead from `block` on; whether that worked. Where it did not, the block is to be read for
    /// itself, and what is wrong shows.
    fn read_ahead(&mut self, block: u64) -> bool {
        let end = block.saturating_add(READ_AHEAD_BLOCKS).min(self.rest.end);
        let mut present = self.feed.bitfield.blocks(block..end);
        let Some(run) = present.next().filter(|run| run.start == block) else { return false };
        let Ok(mut leaves) = self.feed.prove_leaves(block, run.end) else { return false };
        let Some(first) = leaves.first().copied() else { return false };
        let end = |leaf: &Proven| leaf.end().saturating_sub(first.offset);
        leaves.truncate(leaves.partition_point(|leaf| end(leaf) <= READ_AHEAD_LEN));
        let len = leaves.last().map_or(0, end);
        let Ok(len) = usize::try_from(len) else { return false };
        let Ok(Some(bytes)) = self.feed.read_bytes(first.offset, len) else { return false };
        (self.bytes, self.used) = (bytes, 0);
        self.compare(&leaves);
        !self.ahead.is_empty()
    }

    /// Hashes the bytes that were read, many blocks at a time.
    fn compare(&mut self, leaves: &[Proven]) {
        let mut rest = self.bytes.as_slice();
        let blocks = leaves.iter().map_while(|leaf| {
            let (block, after) = rest.split_at_checked(usize::try_from(leaf.node.size).ok()?)?;
            rest = after;
            Some(block)
        });
        let blocks: Vec<&[u8]> = blocks.collect();
        let hashes = hashes::leaf_hashes(&blocks);
        let compared = leaves.iter().zip(&blocks).zip(hashes);
        let compared = compared.map(|((leaf, block), hash)| (block.len(), hash == leaf.node.hash));
        self.ahead = compared.rev().collect();
    }

    /// The next block of those that were read ahead.
    fn take(&mut self, block: u64) -> Option<Result<Vec<u8>>> {
        let (len, is_right) = self.ahead.pop()?;
        let end = self.used.checked_add(len)?;
        let bytes = self.bytes.get(self.used..end)?;
        self.used = end;
        Some(if is_right { Ok(bytes.to_vec()) } else { Err(Error::BlockDamaged { block }) })
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.rest.next()?;
        if !self.ahead.is_empty() || self.read_ahead(block) {
            return self.take(block).or_else(|| Some(self.feed.get(block)));
        }
        Some(self.feed.get(block))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl FusedIterator for Blocks<'_> {}
