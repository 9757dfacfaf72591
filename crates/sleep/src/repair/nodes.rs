//! Nodes below proven parents: made again where the two children do not fit.

use std::collections::HashSet;

use flat_tree::Index;

use crate::audit::{BlockReader, Step, Walk};
use crate::error::Result;
use crate::hashes;
use crate::node::Node;
use crate::tree::TreeFile;

/// Mended nodes lead further down, to the next break, and so on: as often as a tree is deep.
const ROUNDS_MAX: usize = 64;

/// Mends what can be mended below `roots` and returns the nodes, which are written, not synced.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage).
pub(super) fn mend(tree: &TreeFile, reader: &mut BlockReader, roots: &[Node]) -> Result<Vec<Node>> {
    let (mut mended, mut tried) = (Vec::new(), HashSet::new());
    for _ in 0..ROUNDS_MAX {
        let mut found = Vec::new();
        Walk::new(tree, 0).roots(roots, &mut |step| {
            let (parent, stored, offset) = match step {
                Step::Broken { parent, left, right, offset } => (parent, [left, right], offset),
                Step::Bare { parent, offset } => (parent, [None, None], offset),
                Step::Proven { .. } => return Ok(true),
            };
            if tried.insert(parent.index) {
                found.extend(children(tree, reader, &parent, stored, offset)?);
            }
            Ok(true)
        })?;
        if found.is_empty() {
            break;
        }
        for node in &found {
            tree.write(node)?;
        }
        mended.append(&mut found);
    }
    Ok(mended)
}

/// The children that hash to a proven parent and are not stored so.
fn children(
    tree: &TreeFile,
    reader: &mut BlockReader,
    parent: &Node,
    stored: [Option<Node>; 2],
    offset: u64,
) -> Result<Vec<Node>> {
    let Some((left_index, right_index)) = parent.index.children() else { return Ok(Vec::new()) };
    let [left, right] = stored;
    let mut lefts: Vec<Node> = left.into_iter().collect();
    // The sum of both sizes is proven, so that one that is right tells the other. What is stored may be half
    // a node: then what lies below it has the size.
    let rest = |size: u64| parent.size.checked_sub(size);
    let mut left_sizes = vec![left.map(|left| left.size), right.and_then(|right| rest(right.size))];
    left_sizes.push(size_below(tree, left_index)?);
    left_sizes.push(size_below(tree, right_index)?.and_then(rest));
    left_sizes.sort_unstable();
    left_sizes.dedup();
    for size in left_sizes.into_iter().flatten() {
        for from_blocks in [false, true] {
            lefts.extend(make(tree, reader, left_index, (offset, size), from_blocks)?);
        }
    }
    for left in lefts {
        let Some(size) = rest(left.size) else { continue };
        let place = (offset.saturating_add(left.size), size);
        let mut rights: Vec<Node> = right.into_iter().collect();
        for from_blocks in [false, true] {
            rights.extend(make(tree, reader, right_index, place, from_blocks)?);
        }
        if let Some(right) =
            rights.into_iter().find(|right| hashes::parent(&left, right).as_ref() == Some(parent))
        {
            let is_new = |node: &Node| !stored.contains(&Some(*node));
            return Ok([left, right].into_iter().filter(is_new).collect());
        }
    }
    Ok(Vec::new())
}

/// A node of the bytes at `place` (offset and size), made of the leaves or the blocks below it.
fn make(
    tree: &TreeFile,
    reader: &mut BlockReader,
    index: Index,
    place: (u64, u64),
    from_blocks: bool,
) -> Result<Option<Node>> {
    let (offset, size) = place;
    let Some((left, right)) = index.children() else {
        if from_blocks {
            return Ok(reader.bytes(offset, size)?.map(|bytes| hashes::leaf(index, bytes)));
        }
        return Ok(tree.node(index)?.filter(|leaf| leaf.size == size));
    };
    let Some(left_size) = size_of(tree, left)? else { return Ok(None) };
    let Some(right_size) = size.checked_sub(left_size) else { return Ok(None) };
    let left = make(tree, reader, left, (offset, left_size), from_blocks)?;
    let right_place = (offset.saturating_add(left_size), right_size);
    let right = make(tree, reader, right, right_place, from_blocks)?;
    Ok(left.zip(right).and_then(|(left, right)| hashes::parent(&left, &right)))
}

/// The size of a node: its own, or the sum of what is below it.
fn size_of(tree: &TreeFile, index: Index) -> Result<Option<u64>> {
    match tree.node(index)? {
        Some(node) => Ok(Some(node.size)),
        None => size_below(tree, index),
    }
}

/// The sum of the sizes below a parent.
fn size_below(tree: &TreeFile, index: Index) -> Result<Option<u64>> {
    let Some((left, right)) = index.children() else { return Ok(None) };
    let Some(left) = size_of(tree, left)? else { return Ok(None) };
    Ok(size_of(tree, right)?.and_then(|right| left.checked_add(right)))
}
