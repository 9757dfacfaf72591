//! Tail ends of a feed: whether they check out, and which bits they get.

use std::sync::Arc;

use random_access_storage::RandomAccess;

use crate::audit::{BlockReader, Compared, Step, Walk};
use crate::bitfield::Bitfield;
use crate::error::Result;
use crate::node::Node;
use crate::recovery::signed::Signed;
use crate::tree::TreeFile;

/// What is between two lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Everything that was asked for.
    Sound,
    /// All nodes, and some of the blocks.
    SomeBlocks,
    /// What is there fits, and something is not there.
    Gaps,
    /// Nodes contradict each other past the shorter length.
    Broken,
    /// Nodes contradict each other where the two lengths meet: what was signed was written over.
    Overwritten,
}

/// Whether the tree of `past` goes on from that of the first `base` blocks; with `data`, whether the
/// blocks from there on are stored as well.
///
/// A block without a file to be in, of a feed whose owner keeps the bytes, is stored when its bit says so.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage).
pub(super) fn checks_out(
    tree: &TreeFile,
    data: Option<(Option<&Arc<dyn RandomAccess>>, &Bitfield)>,
    past: &Signed,
    base: u64,
) -> Result<Tail> {
    let mut reader = BlockReader::new(data.and_then(|(store, _)| store))?;
    let (mut has_gaps, mut is_broken, mut is_overwritten) = (false, false, false);
    let (mut has_blocks, mut lacks_blocks) = (false, false);
    Walk::new(tree, base).roots(&past.roots, &mut |step| {
        match step {
            Step::Bare { parent, .. } => {
                has_gaps |= data.is_some() || parent.index.first_block() < base;
            }
            Step::Broken { parent, left: Some(_), right: Some(_), .. } => {
                is_broken = true;
                is_overwritten |= parent.index.first_block() <= base;
            }
            Step::Broken { .. } => has_gaps = true,
            Step::Proven { node, offset } => {
                if let (Some(block), Some((store, bitfield))) = (node.index.block(), data) {
                    let is_stored = match store {
                        Some(_) => reader.compare(&node, offset)? == Compared::Same,
                        None => bitfield.has_block(block),
                    };
                    has_blocks |= is_stored && node.size > 0;
                    lacks_blocks |= !is_stored;
                }
            }
        }
        // No blocks are read below a tree that does not fit.
        Ok(data.is_none() || !is_broken)
    })?;
    Ok(if is_overwritten {
        Tail::Overwritten
    } else if is_broken {
        Tail::Broken
    } else if has_gaps || (lacks_blocks && !has_blocks) {
        Tail::Gaps
    } else if lacks_blocks {
        Tail::SomeBlocks
    } else {
        Tail::Sound
    })
}

/// Sets the bits of what is stored from block `settled` on and can be proven from `roots`.
///
/// A block whose leaf counted as stored keeps its bit: it may have been cleared, and its bytes are
/// there all the same. Of the others the bytes decide.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage).
pub(super) fn settle(
    bitfield: &mut Bitfield,
    tree: &TreeFile,
    data: Option<&Arc<dyn RandomAccess>>,
    roots: &[Node],
    settled: u64,
) -> Result<()> {
    let mut reader = BlockReader::new(data)?;
    Walk::new(tree, settled).roots(roots, &mut |step| {
        let Step::Proven { node, offset } = step else { return Ok(true) };
        let was_stored = bitfield.has_node(node.index);
        bitfield.set_node(node.index, true)?;
        let Some(block) = node.index.block().filter(|_| !was_stored) else {
            return Ok(true);
        };
        if !bitfield.has_block(block) && reader.compare(&node, offset)? == Compared::Same {
            bitfield.set_blocks(block..block.saturating_add(1), true)?;
        }
        Ok(true)
    })
}

/// Sets the bits of the blocks whose bytes hash to a proven leaf, and clears those of the others that have
/// one.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage).
pub(crate) fn find_blocks(
    bitfield: &mut Bitfield,
    tree: &TreeFile,
    data: Option<&Arc<dyn RandomAccess>>,
    roots: &[Node],
) -> Result<()> {
    let mut reader = BlockReader::new(data)?;
    Walk::new(tree, 0).roots(roots, &mut |step| {
        if let Step::Proven { node, offset } = step
            && let Some(block) = node.index.block()
        {
            let is_stored = reader.compare(&node, offset)? == Compared::Same;
            bitfield.set_blocks(block..block.saturating_add(1), is_stored)?;
        }
        Ok(true)
    })
}
