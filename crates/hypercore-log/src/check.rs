//! Hashing stored blocks again, many at a time: what the recovery and the audit share.

use std::ops::Range;

use flat_tree::Index;
use hypercore_crypto::{leaf_hash, leaf_hashes};
use hypercore_merkle::{Node, NodeLookup, TreeError};
use random_access_storage::RandomAccess;

use crate::blocks::read_block;
use crate::error::{LogError, StorageError};
use crate::state::{State, tree_error};
use crate::stores::FileName;

/// Bytes read together, unless one block has more.
const PIECE_LEN: u64 = 1024 * 1024;

/// Blocks hashed together.
const PIECE_BLOCKS: usize = 4096;

/// What is wrong with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A tree node that tells its place or hash is not stored.
    NoPlace,
    /// The data store ends before it does.
    Absent { offset: u64 },
    /// Its bytes hash to something else than its leaf.
    Differs { offset: u64 },
}

/// A checked piece of a run of blocks.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The first block that was not looked at.
    pub(crate) next: u64,
    /// Bytes of the blocks that hold.
    pub(crate) len: u64,
    /// The blocks that do not, in order.
    pub(crate) faults: Vec<(u64, Fault)>,
    /// Where the blocks stand in the data store.
    pub(crate) start: u64,
    /// What was hashed: the bytes of all of them, as far as the store has them.
    pub(crate) bytes: Vec<u8>,
}

/// Checks blocks from the start of `run` on, which must be stored ones, as many as make a piece.
pub(crate) fn check_piece(
    state: &State,
    data: &dyn RandomAccess,
    run: Range<u64>,
) -> Result<Piece, LogError> {
    let mut piece = Piece {
        next: run.start.saturating_add(1),
        len: 0,
        faults: Vec::new(),
        start: 0,
        bytes: Vec::new(),
    };
    let start = match state.tree.byte_range(&state.nodes, run.start) {
        Ok(range) => range.start,
        Err(error @ TreeError::Lookup { .. }) => return Err(tree_error(error)),
        Err(_) => {
            piece.faults.push((run.start, Fault::NoPlace));
            return Ok(piece);
        }
    };
    let leaves = leaves_of_piece(state, &run)?;
    if leaves.is_empty() {
        piece.faults.push((run.start, Fault::NoPlace));
        return Ok(piece);
    }
    piece.next = run.start.saturating_add(leaves.len() as u64);
    let total = leaves.iter().fold(0_u64, |total, leaf| total.saturating_add(leaf.size));
    let end = start.saturating_add(total);
    let stored_len = data.len().map_err(StorageError::in_file(FileName::Data))?;
    let there = read_block(data, start..end.min(stored_len).max(start))?.unwrap_or_default();

    let mut rest = there.as_slice();
    let mut blocks: Vec<&[u8]> = Vec::with_capacity(leaves.len());
    for leaf in &leaves {
        let Some((block, after)) =
            usize::try_from(leaf.size).ok().and_then(|len| rest.split_at_checked(len))
        else {
            break;
        };
        blocks.push(block);
        rest = after;
    }
    let mut hashes = leaf_hashes(&blocks).into_iter();
    let mut offset = start;
    for (block, leaf) in (run.start..).zip(&leaves) {
        match hashes.next() {
            Some(hash) if hash == leaf.hash => piece.len = piece.len.saturating_add(leaf.size),
            Some(_) => piece.faults.push((block, Fault::Differs { offset })),
            None => piece.faults.push((block, Fault::Absent { offset })),
        }
        offset = offset.saturating_add(leaf.size);
    }
    piece.start = start;
    piece.bytes = there;
    Ok(piece)
}

/// The bytes of a block that may not count as stored, if they are there and hash to its leaf.
pub(crate) fn unlisted_bytes(
    state: &State,
    data: &dyn RandomAccess,
    block: u64,
) -> Result<Option<Vec<u8>>, LogError> {
    let Some(leaf) = Index::leaf(block) else { return Ok(None) };
    let Some(leaf) = state.nodes.node(leaf)? else { return Ok(None) };
    let range = match state.tree.byte_range(&state.nodes, block) {
        Ok(range) => range,
        Err(error @ TreeError::Lookup { .. }) => return Err(tree_error(error)),
        Err(_) => return Ok(None),
    };
    let bytes = read_block(data, range)?;
    Ok(bytes.filter(|bytes| leaf_hash(bytes) == leaf.hash))
}

/// The leaves of the first blocks of `run`, up to the limits of a piece or to one that is not stored.
fn leaves_of_piece(state: &State, run: &Range<u64>) -> Result<Vec<Node>, LogError> {
    let mut leaves: Vec<Node> = Vec::new();
    let mut total = 0_u64;
    for block in run.clone().take(PIECE_BLOCKS) {
        let Some(index) = Index::leaf(block) else { break };
        let Some(leaf) = state.nodes.node(index)? else { break };
        total = total.saturating_add(leaf.size);
        if total > PIECE_LEN && !leaves.is_empty() {
            break;
        }
        leaves.push(leaf);
    }
    Ok(leaves)
}
