//! Writing once more what an open relies on, where the last writer did not end with a completed sync.
//!
//! After a failed sync the system may show bytes that the medium lost and that no later sync writes, because it takes
//! them for clean. What recovery read then says nothing about the medium. So the blocks, nodes, entries and the
//! header that a writer opened with are written again, the very bytes that were verified, in bounded pieces, and
//! synced: only then they count as durable. An oplog that ends where its entries start, behind a header of this
//! engine, was left by a sync that succeeded, and needs none of this.
//!
//! Nothing here changes what a store shows.

use std::ops::Range;

use hypercore_merkle::{Leaf, Tree};
use random_access_storage::SyncScope;
use zeroize::Zeroizing;

use crate::append::write_nodes;
use crate::bitfield::{Bitfield, PAGE_BITS, PAGE_LEN};
use crate::check::check_piece;
use crate::commit::Announced;
use crate::entry::Entry;
use crate::error::{Corruption, LogError, StorageError};
use crate::frame::parse_frame;
use crate::oplog::{LoadedEntry, OplogPosition, SLOT_LEN};
use crate::state::{State, tree_error};
use crate::stores::{FileName, Stores};

const FILES: [FileName; 5] =
    [FileName::Data, FileName::Tree, FileName::Bitfield, FileName::Header, FileName::Oplog];

/// Blocks whose nodes are computed and written together.
const BLOCKS_PER_STEP: u64 = 4096;

/// Zeros written together.
const ZEROS_LEN: usize = 64 * 1024;

/// Writes again, and makes durable, what `state` was made of: the header at `position`, of fork and length `old`, and
/// `entries`, all of which hold.
///
/// # Errors
/// [`LogError::Storage`]; [`LogError::Corrupt`] when a store shows other bytes than a moment ago.
pub(crate) fn rewrite_tail(
    stores: &Stores,
    state: &mut State,
    position: &OplogPosition,
    mut old: Announced,
    entries: &[LoadedEntry],
) -> Result<(), LogError> {
    for name in FILES {
        let store = stores.file(name);
        // The length may be lost as well, and writing inside of it does not bring it back.
        let set = store.len().and_then(|len| if len > 0 { store.truncate(len) } else { Ok(()) });
        set.map_err(StorageError::in_file(name))?;
    }
    for loaded in entries {
        let entry = &loaded.entry;
        let new = entry
            .tree_upgrade
            .as_ref()
            .map_or(old, |upgrade| Announced { fork: upgrade.fork, length: upgrade.length });
        if names_no_nodes(entry, old, new) {
            rewrite_nodes(stores, state, old, new.length)?;
        }
        if let Some(update) = &entry.bitfield {
            if !update.drop {
                rewrite_blocks(stores, state, update.range())?;
            }
            mark_pages(stores, &mut state.bitfield, update.range())?;
        }
        if let Some(upgrade) = &entry.tree_upgrade {
            mark_pages(stores, &mut state.bitfield, upgrade.ancestors..old.length)?;
        }
        rewrite_frame(stores, loaded.start..loaded.end)?;
        old = new;
    }
    rewrite_header(stores, position)?;
    Ok(sync_all(stores)?)
}

/// Syncs every store, the oplog last.
pub(crate) fn sync_all(stores: &Stores) -> Result<(), StorageError> {
    FILES.into_iter().try_for_each(|name| stores.sync(name))
}

/// Ends the oplog at `end`. What stood behind is zeros on the medium before the file gets shorter: a cut that is
/// lost brings no frame back.
pub(crate) fn cut_oplog(stores: &Stores, end: u64) -> Result<(), StorageError> {
    let oplog = &*stores.oplog;
    let zeros = [0; ZEROS_LEN];
    let cut = || {
        let mut position = end;
        while let Some(stored) = oplog.next_stored(position)? {
            let len = stored.end.saturating_sub(stored.start).min(ZEROS_LEN as u64);
            let piece = usize::try_from(len).unwrap_or(ZEROS_LEN);
            oplog.write_at(stored.start, zeros.get(..piece).unwrap_or_default())?;
            position = stored.start.saturating_add(len);
        }
        oplog.sync(SyncScope::All)?;
        oplog.truncate(end)?;
        oplog.sync(SyncScope::All)
    };
    cut().map_err(StorageError::in_file(FileName::Oplog))
}

/// Whether the nodes of an entry were written straight to the tree store.
fn names_no_nodes(entry: &Entry, old: Announced, new: Announced) -> bool {
    new.length > old.length && entry.tree_nodes.as_ref().is_none_or(Vec::is_empty)
}

/// Computes the nodes from `old` to `length` blocks from their leaves, which the replay has proven.
fn rewrite_nodes(
    stores: &Stores,
    state: &State,
    old: Announced,
    length: u64,
) -> Result<(), LogError> {
    let length = length.min(state.tree.length());
    if old.length >= length {
        return Ok(());
    }
    let mut tree = Tree::load(&state.nodes, old.fork, old.length).map_err(tree_error)?;
    while tree.length() < length {
        let first = tree.length();
        let end = first.saturating_add(BLOCKS_PER_STEP).min(length);
        let mut leaves = Vec::new();
        for block in first..end {
            let leaf = state.leaf(block)?;
            leaves.push(Leaf { size: leaf.size, hash: leaf.hash });
        }
        let nodes = tree.append(&leaves).map_err(|_| LogError::TooLong)?;
        write_nodes(&*stores.tree, first.saturating_mul(2), &nodes, &mut Vec::new())?;
    }
    Ok(())
}

/// Writes the stored blocks of a range again, those that hold.
fn rewrite_blocks(stores: &Stores, state: &State, range: Range<u64>) -> Result<(), LogError> {
    let mut rest = range.start..range.end.min(state.tree.length());
    while let Some(run) = state.bitfield.set_ranges(rest.clone()).next() {
        let piece = check_piece(state, &*stores.data, run)?;
        if piece.faults.is_empty() {
            let written = stores.data.write_at(piece.start, &piece.bytes);
            written.map_err(StorageError::in_file(FileName::Data))?;
        }
        rest.start = piece.next;
    }
    Ok(())
}

/// Has the next checkpoint write the pages of a range: those with a bit set, and those the file has bytes of, which
/// may differ from what it shows.
fn mark_pages(
    stores: &Stores,
    bitfield: &mut Bitfield,
    range: Range<u64>,
) -> Result<(), StorageError> {
    const PAGE: u64 = PAGE_LEN as u64;
    if range.is_empty() {
        return Ok(());
    }
    let pages = range.start / PAGE_BITS..range.end.div_ceil(PAGE_BITS);
    let mut next = pages.start;
    while next < pages.end {
        let stored = stores.bitfield.next_stored(next.saturating_mul(PAGE));
        let stored = stored.map_err(StorageError::in_file(FileName::Bitfield))?;
        let stored = stored.map(|stored| (stored.start / PAGE).max(next));
        let set = bitfield.find_first(true, next.saturating_mul(PAGE_BITS)..u64::MAX);
        let Some(page) = stored.into_iter().chain(set.map(|index| index / PAGE_BITS)).min() else {
            break;
        };
        if page >= pages.end {
            break;
        }
        bitfield.mark_page(page);
        next = page.saturating_add(1);
    }
    Ok(())
}

/// Writes one frame of the oplog again.
fn rewrite_frame(stores: &Stores, range: Range<u64>) -> Result<(), LogError> {
    let in_oplog = StorageError::in_file(FileName::Oplog);
    let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let bytes = Zeroizing::new(stores.oplog.read_vec_at(range.start, len).map_err(&in_oplog)?);
    if parse_frame(&bytes, 0).is_none() {
        return Err(changed(FileName::Oplog, range.start));
    }
    Ok(stores.oplog.write_at(range.start, &bytes).map_err(&in_oplog)?)
}

/// Writes the live header again, the bytes in the header file before the slot that points at them.
fn rewrite_header(stores: &Stores, position: &OplogPosition) -> Result<(), LogError> {
    let slot = position.slot_offset();
    if let Some(place) = position.external() {
        let in_header = StorageError::in_file(FileName::Header);
        let len = usize::try_from(place.len).unwrap_or(usize::MAX);
        let bytes = stores.header.read_vec_at(place.start, len).map_err(&in_header)?;
        stores.header.write_at(place.start, &Zeroizing::new(bytes)).map_err(&in_header)?;
        stores.sync(FileName::Header)?;
    }
    let in_oplog = StorageError::in_file(FileName::Oplog);
    let len = stores.oplog.len().map_err(&in_oplog)?.saturating_sub(slot).min(SLOT_LEN);
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let bytes = Zeroizing::new(stores.oplog.read_vec_at(slot, len).map_err(&in_oplog)?);
    let Some(frame) = parse_frame(&bytes, 0) else {
        return Err(changed(FileName::Oplog, slot));
    };
    let bytes = bytes.get(..frame.content.end).unwrap_or_default();
    Ok(stores.oplog.write_at(slot, bytes).map_err(&in_oplog)?)
}

fn changed(file: FileName, offset: u64) -> LogError {
    Corruption::new(file, offset, "it is not what it was a moment ago").into()
}
