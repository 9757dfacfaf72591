//! What is given up when a loss is accepted: how much of an unsigned end still fits, and which blocks
//! and nodes of a settled length nothing proves any more.

use std::sync::Arc;

use random_access_storage::RandomAccess;

use crate::audit::{BlockReader, Compared, Step, Walk};
use crate::bitfield::Bitfield;
use crate::error::{Error, Result};
use crate::files::FileName;
use crate::node::{NODE_LEN, Node};
use crate::recovery::{Recovered, Search, Signed};
use crate::repair::roots::with_leaf;
use crate::signatures::SignatureFile;
use crate::tree::TreeFile;
use hypercore_crypto::PublicKey;

/// The longest feed of at most `end` blocks that goes on from a signed one with blocks that are stored
/// and hash to their leaves, and the nodes that it adds.
///
/// # Errors
/// [`Error::Storage`].
pub(super) fn sound_prefix(
    tree: &TreeFile,
    reader: &mut BlockReader,
    signed: Option<Signed>,
    end: u64,
) -> Result<(Signed, Vec<Node>)> {
    let Signed { mut length, mut roots } =
        signed.unwrap_or_else(|| Signed { length: 0, roots: Vec::new() });
    let mut offset = roots.iter().fold(0_u64, |sum, root| sum.saturating_add(root.size));
    let mut added = Vec::new();
    while length < end {
        let Some(index) = flat_tree::Index::leaf(length) else { break };
        let Some(leaf) = tree.node(index)? else { break };
        if reader.compare(&leaf, offset)? != Compared::Same {
            break;
        }
        let (joined, mut made) = with_leaf(&roots, leaf);
        added.append(&mut made);
        roots = joined;
        offset = offset.saturating_add(leaf.size);
        length = length.saturating_add(1);
    }
    Ok((Signed { length, roots }, added))
}

/// What the signatures still prove of a feed.
pub(super) struct Proven {
    /// Nodes, and of the blocks that count as stored those whose bytes are right.
    bits: Bitfield,
    /// Nodes below a proven parent that they do not hash to.
    broken: Vec<Node>,
}

impl Proven {
    /// Looks at all that is below the roots of the feed, and below older roots: a reader may never have
    /// been sent what joins them.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(super) fn of(
        feed: &Recovered,
        key: &PublicKey,
        tree: &TreeFile,
        signatures: &SignatureFile,
        data: Option<&Arc<dyn RandomAccess>>,
    ) -> Result<Self> {
        let bits = Bitfield::new(feed.bitfield.page_size());
        let mut proven = Self { bits, broken: Vec::new() };
        let mut reader = BlockReader::new(data)?;
        proven.look_below(&feed.roots, feed, tree, &mut reader)?;
        if feed.is_live {
            let mut search = Search::new(key, Some(tree), Some(signatures), u64::MAX);
            while let Some(signed) = search.next()? {
                if signed.length < feed.length {
                    proven.look_below(&signed.roots, feed, tree, &mut reader)?;
                }
            }
        }
        let Self { bits, broken } = &mut proven;
        broken.retain(|node| !bits.has_node(node.index));
        Ok(proven)
    }

    fn look_below(
        &mut self,
        roots: &[Node],
        feed: &Recovered,
        tree: &TreeFile,
        reader: &mut BlockReader,
    ) -> Result<()> {
        Walk::new(tree, 0).roots(roots, &mut |step| {
            match step {
                Step::Proven { node, .. } if self.bits.has_node(node.index) => return Ok(false),
                Step::Proven { node, offset } => {
                    self.bits.set_node(node.index, true)?;
                    if let Some(block) = node.index.block()
                        && feed.bitfield.has_block(block)
                        && reader.compare(&node, offset)? == Compared::Same
                    {
                        self.bits.set_blocks(block..block.saturating_add(1), true)?;
                    }
                }
                Step::Broken { left, right, .. } => {
                    self.broken.extend(left.into_iter().chain(right))
                }
                Step::Bare { .. } => {}
            }
            Ok(true)
        })
    }

    /// Blanks the nodes that contradict what is proven; whether there were any. Nothing is synced.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(super) fn blank_broken(&self, tree: &TreeFile) -> Result<bool> {
        for node in &self.broken {
            let offset = TreeFile::offset(node.index).unwrap_or(u64::MAX);
            let blanked = tree.store().write_at(offset, &[0; NODE_LEN]);
            blanked.map_err(Error::in_file(FileName::Tree))?;
        }
        Ok(!self.broken.is_empty())
    }

    /// Takes away the bits of all that is not proven. Returns of how many blocks.
    ///
    /// # Errors
    /// [`Error::TooManyBlocks`].
    pub(super) fn unlist_rest(&self, bitfield: &mut Bitfield) -> Result<u64> {
        let before = bitfield.clone();
        for index in before.nodes(0..u64::MAX).flatten().map(flat_tree::Index::new) {
            if !self.bits.has_node(index) {
                bitfield.set_node(index, false)?;
            }
        }
        let mut count: u64 = 0;
        for block in before.blocks(0..u64::MAX).flatten() {
            if !self.bits.has_block(block) {
                bitfield.set_blocks(block..block.saturating_add(1), false)?;
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }
}
