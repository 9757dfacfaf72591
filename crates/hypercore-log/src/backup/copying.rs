//! What a backup has copied so far, and the steps that bring it nearer to the log.
//!
//! A step looks at the log under a reader's lock, takes over at most a piece, and writes it once the lock is free. Between two steps
//! the log may become anything. Blocks are hashed before they count as copied; nodes are taken as they are, as the copy proves
//! each when it is read.

use std::ops::Range;
use std::sync::Arc;

use flat_tree::{Index, full_roots};
use hypercore_merkle::{Node, NodeLookup as _, removed_parents};

use crate::backup::{BackupProgress, BackupReport, in_target};
use crate::bitfield::{Bitfield, BitfieldError};
use crate::change::end_of_stored;
use crate::check::{Fault, Piece, check_piece};
use crate::error::{Corruption, LogError};
use crate::log::Log;
use crate::nodes::{NODE_BYTES, NODE_LEN, Watch, decode, encode};
use crate::state::{State, tree_error};
use crate::stores::{FileName, Stores};

/// Blocks whose nodes are copied together.
const NODES_BLOCKS: u64 = 4096;

/// The copy of a log.
#[derive(Debug)]
pub(super) struct Copying<'a> {
    log: &'a Log,
    target: &'a Stores,
    /// The fork whose nodes were copied.
    fork: u64,
    /// Blocks whose nodes were copied.
    length: u64,
    /// Blocks that were copied, or left out.
    done: Bitfield,
    /// How many they are.
    blocks_copied: u64,
    /// Blocks that are damaged in the log.
    left_out: Bitfield,
    /// Nodes that arrive in what was copied.
    watch: Arc<Watch>,
    /// Where the round is.
    next: u64,
}

/// Blocks at the beginning of two logs that are the same, and their bytes.
struct Common {
    length: u64,
    bytes: u64,
}

/// What one step takes over.
struct Step {
    /// Pieces of the tree store.
    nodes: Vec<(u64, Vec<u8>)>,
    /// Blocks and where they go.
    blocks: Option<(u64, Vec<u8>)>,
}

impl Step {
    fn len(&self) -> u64 {
        let nodes = self.nodes.iter().map(|(_, bytes)| bytes.len());
        let blocks = self.blocks.iter().map(|(_, bytes)| bytes.len());
        nodes.chain(blocks).fold(0, |sum, len| sum.saturating_add(len as u64))
    }
}

impl<'a> Copying<'a> {
    pub(super) fn new(log: &'a Log, target: &'a Stores) -> Self {
        let (done, left_out) = (Bitfield::new(), Bitfield::new());
        let watch = log.publish().nodes.watch();
        Self { log, target, fork: 0, length: 0, done, blocks_copied: 0, left_out, watch, next: 0 }
    }

    /// Goes once over the log and takes over what is missing; gives the bytes that were written.
    pub(super) fn round(
        &mut self,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<u64, LogError> {
        self.next = 0;
        let mut len = 0_u64;
        let blocks_stored = {
            let state = self.log.read_state();
            state.bitfield.count_set(0..state.tree.length())
        };
        while let Some(written) = self.advance()? {
            len = len.saturating_add(written);
            progress(BackupProgress { blocks_copied: self.blocks_copied, blocks_stored });
        }
        Ok(len)
    }

    /// Goes one step; gives the bytes that were written, or `None` at the end of the round.
    pub(super) fn advance(&mut self) -> Result<Option<u64>, LogError> {
        let Some(step) = self.step()? else { return Ok(None) };
        for (offset, bytes) in &step.nodes {
            let written = self.target.tree.write_at(*offset, bytes);
            written.map_err(in_target(FileName::Tree))?;
        }
        if let Some((offset, bytes)) = &step.blocks {
            let written = self.target.data.write_at(*offset, bytes);
            written.map_err(in_target(FileName::Data))?;
        }
        Ok(Some(step.len()))
    }

    fn step(&mut self) -> Result<Option<Step>, LogError> {
        let log = self.log;
        let state = log.read_state();
        let (fork, length) = (state.tree.fork(), state.tree.length());
        if fork != self.fork {
            let common = self.common(&state)?;
            self.cut(common)?;
            self.fork = fork;
        }
        let arrived = self.watch.take();
        if !arrived.is_empty() {
            let arrived = arrived.into_iter().filter(|index| index.end_block() <= length);
            let nodes = arrived.map(|index| one_node(&state, index)).collect::<Result<_, _>>()?;
            return Ok(Some(Step { nodes, blocks: None }));
        }
        if self.length < length {
            let end = length.min(self.length.saturating_add(NODES_BLOCKS));
            let nodes = nodes_of(&state, self.length..end)?;
            self.set_length(end);
            return Ok(Some(Step { nodes, blocks: None }));
        }
        while let Some(run) = self.next_run(&state) {
            let piece = check_piece(&state, &*log.stores.data, run.clone())?;
            let good = self.take(&run, &piece)?;
            if good.is_empty() {
                continue;
            }
            let start = piece.start;
            return Ok(Some(Step { nodes: Vec::new(), blocks: Some((start, good_bytes(piece))) }));
        }
        Ok(None)
    }

    /// The next stored blocks that were not copied.
    fn next_run(&mut self, state: &State) -> Option<Range<u64>> {
        for run in state.bitfield.set_ranges(self.next..state.tree.length()) {
            if let Some(start) = self.done.find_first(false, run.clone()) {
                let end = self.done.find_first(true, start..run.end).unwrap_or(run.end);
                return Some(start..end);
            }
            self.next = run.end;
        }
        None
    }

    /// Notes what of a piece is taken over: the blocks before the first that does not hold, which is left out.
    fn take(&mut self, run: &Range<u64>, piece: &Piece) -> Result<Range<u64>, LogError> {
        let bad = piece.faults.first().map(|(block, _)| *block);
        let end = bad.unwrap_or(piece.next);
        self.next = bad.map_or(end, |bad| bad.saturating_add(1));
        self.done.set_range(run.start..self.next, true).map_err(too_many)?;
        self.blocks_copied = self.blocks_copied.saturating_add(self.next.saturating_sub(run.start));
        if let Some(bad) = bad {
            self.left_out.set_range(bad..self.next, true).map_err(too_many)?;
        }
        Ok(run.start..end)
    }

    fn set_length(&mut self, length: u64) {
        self.length = length;
        self.watch.set_below(length);
    }

    /// Takes back what was copied behind the first blocks.
    fn cut(&mut self, common: Common) -> Result<(), LogError> {
        let Common { length, bytes } = common;
        self.set_length(self.length.min(length));
        self.done.truncate(length);
        self.blocks_copied = self.done.count_set(0..length);
        self.left_out.truncate(length);
        let data = &*self.target.data;
        if data.len().map_err(in_target(FileName::Data))? > bytes {
            data.truncate(bytes).map_err(in_target(FileName::Data))?;
        }
        Ok(())
    }

    /// What is the same in the copy and in the log.
    fn common(&self, state: &State) -> Result<Common, LogError> {
        let mut open: Vec<Index> = full_roots(self.length).collect();
        open.reverse();
        let mut common = Common { length: 0, bytes: 0 };
        while let Some(index) = open.pop() {
            let node = state.nodes.node(index)?;
            if let Some(node) = node
                && Some(node) == self.copied_node(index)?
            {
                common.length = index.end_block();
                common.bytes = common.bytes.saturating_add(node.size);
            } else {
                let Some((left, right)) = index.children() else { break };
                open.clear();
                open.extend([right, left]);
            }
        }
        Ok(common)
    }

    fn copied_node(&self, index: Index) -> Result<Option<Node>, LogError> {
        let mut bytes = [0; NODE_BYTES];
        let read = self.target.tree.read_at(index.get().saturating_mul(NODE_LEN), &mut bytes);
        read.map_err(in_target(FileName::Tree))?;
        Ok(decode(index, &bytes))
    }

    /// Ends the copy at `state`, to which a round has just brought it while nobody could write.
    pub(super) fn end(self, state: &State) -> Result<(Bitfield, BackupReport), LogError> {
        let length = state.tree.length();
        let data = &*self.target.data;
        // Blocks that were cleared after they were copied.
        for run in self.done.set_ranges(0..length) {
            let mut rest = run;
            while let Some(start) = state.bitfield.find_first(false, rest.clone()) {
                let end = state.bitfield.find_first(true, start..rest.end).unwrap_or(rest.end);
                rest.start = end;
                let bytes = bytes_of(state, start..end)?;
                let gone = data.discard(bytes.start, bytes.end.saturating_sub(bytes.start));
                gone.map_err(in_target(FileName::Data))?;
            }
        }
        if let Some(end) = end_of_stored(state)
            && data.len().map_err(in_target(FileName::Data))? > end
        {
            data.truncate(end).map_err(in_target(FileName::Data))?;
        }
        let mut bitfield = Bitfield::new();
        for run in state.bitfield.set_ranges(0..length) {
            bitfield.set_range(run, true).map_err(too_many)?;
        }
        for run in self.left_out.set_ranges(0..length) {
            bitfield.clear(run);
        }
        let blocks = bitfield.count_set(0..length);
        let unlisted =
            i64::try_from(state.stored_off).map_or(0, |off| off.unsigned_abs().min(length));
        let left_out = state.bitfield.count_set(0..length).saturating_sub(blocks);
        let blocks_damaged = left_out.saturating_add(unlisted);
        let report = BackupReport { head: state.head(), blocks, blocks_damaged, bytes: 0 };
        Ok((bitfield, report))
    }
}

/// The nodes of a range of blocks, and the parents before it that come to an end in it or behind it.
fn nodes_of(state: &State, blocks: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
    let first = blocks.start.saturating_mul(2).saturating_sub(1);
    let end = blocks.end.saturating_mul(2).saturating_sub(1);
    let mut window = Vec::new();
    for index in first..end {
        window.extend_from_slice(&encode(state.nodes.node(Index::new(index))?.as_ref()));
    }
    let mut pieces = vec![(first.saturating_mul(NODE_LEN), window)];
    for index in removed_parents(blocks.start).filter(|index| index.get() < first) {
        pieces.push(one_node(state, index)?);
    }
    Ok(pieces)
}

fn one_node(state: &State, index: Index) -> Result<(u64, Vec<u8>), LogError> {
    let node = state.nodes.node(index)?;
    Ok((index.get().saturating_mul(NODE_LEN), encode(node.as_ref()).to_vec()))
}

/// The bytes of the blocks of a piece that come before the first that does not hold.
fn good_bytes(mut piece: Piece) -> Vec<u8> {
    let end = match piece.faults.first() {
        None => return piece.bytes,
        Some((_, Fault::NoPlace)) => 0,
        Some((_, Fault::Absent { offset } | Fault::Differs { offset })) => {
            usize::try_from(offset.saturating_sub(piece.start)).unwrap_or(usize::MAX)
        }
    };
    piece.bytes.truncate(end);
    piece.bytes
}

/// The bytes of a run of blocks in the data store.
fn bytes_of(state: &State, run: Range<u64>) -> Result<Range<u64>, LogError> {
    let range_of = |block| state.tree.byte_range(&state.nodes, block).map_err(tree_error);
    Ok(range_of(run.start)?.start..range_of(run.end.saturating_sub(1))?.end)
}

/// Cannot be, as the bits are those of a bitfield that has as many.
fn too_many(_: BitfieldError) -> LogError {
    Corruption::new(FileName::Bitfield, 0, "the bitfield would grow without bounds").into()
}
