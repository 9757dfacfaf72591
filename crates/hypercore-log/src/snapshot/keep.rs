//! Copying what live snapshots lose, before it is destroyed.
//!
//! Whoever destroys holds the writer, and from before the copy until the new state is published the list of snapshots, so
//! that none is taken in between. Nothing here fails the writer: a snapshot that can not be kept loses its end.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use flat_tree::Index;
use hypercore_merkle::{NodeLookup as _, removed_parents};

use crate::blocks::WRITE_LEN;
use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::nodes::{NODE_LEN, encode};
use crate::snapshot::kept::Kept;
use crate::state::{State, tree_error};
use crate::stores::FileName;

/// The live snapshots of a log.
#[derive(Debug, Default)]
pub(crate) struct Snapshots(Mutex<Vec<Weak<Kept>>>);

/// Nodes looked at under one read lock.
const STEP: u64 = 4096;

/// The live snapshots while something is destroyed that they may share.
pub(crate) struct Keeping<'a> {
    /// Let go before the lock is: who has that sees them held by their owners alone.
    affected: Vec<Arc<Kept>>,
    length: u64,
    _live: MutexGuard<'a, Vec<Weak<Kept>>>,
}

impl Keeping<'_> {
    /// To be called while the state is locked for writing and does not show the old blocks any more.
    pub(crate) fn cut(self) {
        for kept in &self.affected {
            kept.cut(self.length);
        }
    }
}

impl Snapshots {
    /// The list is whole between any two statements that hold the lock.
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Keeps what `make` says of the present state, as long as somebody holds it.
    pub(crate) fn keep<E>(
        &self,
        make: impl FnOnce(&State) -> Result<Kept, E>,
    ) -> Result<Arc<Kept>, E> {
        let mut live = self.snapshots.lock();
        live.retain(|kept| kept.strong_count() > 0);
        let kept = Arc::new(make(&self.read_state())?);
        live.push(Arc::downgrade(&kept));
        Ok(kept)
    }

    /// Keeps the log from destroying anything, and from being snapshotted, as long as this is held.
    pub(crate) fn hold_snapshots(&self) -> impl Drop + '_ {
        self.snapshots.lock()
    }

    /// Copies what live snapshots share behind the first `length` blocks. The caller holds the writer.
    pub(crate) fn keep_end(&self, length: u64) -> Keeping<'_> {
        self.keep_for(length, |kept, shared| {
            self.copy_nodes(kept, length..shared)?;
            self.copy_blocks(kept, length..shared)
        })
    }

    /// Copies those blocks of a range that live snapshots share. The caller holds the writer.
    pub(crate) fn keep_blocks(&self, range: &Range<u64>) -> Keeping<'_> {
        let mut keeping = self.keep_for(range.start, |kept, shared| {
            self.copy_blocks(kept, range.start..range.end.min(shared))
        });
        // They are still shared: the log goes on having their nodes, and may fetch them again.
        keeping.affected.clear();
        keeping
    }

    fn keep_for(
        &self,
        length: u64,
        copy: impl Fn(&Kept, u64) -> Result<(), LogError>,
    ) -> Keeping<'_> {
        let live = self.snapshots.lock();
        let mut affected: Vec<Arc<Kept>> = live.iter().filter_map(Weak::upgrade).collect();
        affected.retain(|kept| kept.shared() > length);
        for kept in &affected {
            if copy(kept, kept.shared()).is_err() {
                kept.lose(length);
            }
        }
        Keeping { affected, length, _live: live }
    }

    /// Copies the stored blocks of a range.
    fn copy_blocks(&self, kept: &Kept, range: Range<u64>) -> Result<(), LogError> {
        let in_data = StorageError::in_file(FileName::Data);
        let mut rest = range;
        let mut buffer = vec![0; WRITE_LEN];
        loop {
            let (run, bytes) = {
                let state = self.read_state();
                let Some(run) = state.bitfield.set_ranges(rest.clone()).next() else {
                    return Ok(());
                };
                // Fetched again since it was copied: the copy stays, whatever became of the bytes here.
                let Some(run) = kept.not_copied(run.clone()) else {
                    rest.start = run.end;
                    continue;
                };
                let start = state.tree.byte_range(&state.nodes, run.start).map_err(tree_error)?;
                let last = run.end.saturating_sub(1);
                let last = state.tree.byte_range(&state.nodes, last).map_err(tree_error)?;
                (run, start.start..last.end)
            };
            let mut at = bytes.start;
            while at < bytes.end {
                let len = bytes.end.saturating_sub(at).min(WRITE_LEN as u64);
                let piece = usize::try_from(len).unwrap_or(WRITE_LEN);
                let piece = buffer.get_mut(..piece).unwrap_or_default();
                self.stores.data.read_at(at, piece).map_err(&in_data)?;
                kept.overlay.data.write_at(at, piece).map_err(&in_data)?;
                at = at.saturating_add(len);
            }
            rest.start = run.end;
            kept.add_copied(run)?;
        }
    }

    /// Copies the nodes that reach into a range and not behind it.
    fn copy_nodes(&self, kept: &Kept, range: Range<u64>) -> Result<(), LogError> {
        let is_inside = |index: Index| index.end_block() <= range.end;
        for index in removed_parents(range.start).filter(|index| is_inside(*index)) {
            let node = self.read_state().nodes.node(index)?;
            write_run(kept, index.get(), &encode(node.as_ref()))?;
        }
        // Here as in a truncation: the node before the first leaf is not always named by the parents.
        let mut next = range.start.saturating_mul(2).saturating_sub(1);
        let end = range.end.saturating_mul(2).saturating_sub(1);
        let mut run = Vec::new();
        loop {
            let state = self.read_state();
            // A sparse tree has holes of any size.
            let Some(start) = self.next_node(&state, next)?.filter(|start| *start < end) else {
                return Ok(());
            };
            next = start;
            run.clear();
            while next < start.saturating_add(STEP).min(end) && is_inside(Index::new(next)) {
                run.extend_from_slice(&encode(state.nodes.node(Index::new(next))?.as_ref()));
                next = next.saturating_add(1);
            }
            drop(state);
            write_run(kept, start, &run)?;
            if !is_inside(Index::new(next)) {
                // An earlier copy has it, if it was part of the snapshot at all.
                next = next.saturating_add(1);
            }
        }
    }
}

fn write_run(kept: &Kept, first: u64, bytes: &[u8]) -> Result<(), LogError> {
    let written = kept.overlay.tree.write_at(first.saturating_mul(NODE_LEN), bytes);
    Ok(written.map_err(StorageError::in_file(FileName::Tree))?)
}
