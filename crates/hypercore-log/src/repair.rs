//! Repair: what can be derived from the rest is written again.
//!
//! From the roots, which are signed, every pair of children is compared with its parent. Where it does not hash into
//! it, parents are made of their children and leaves of their blocks, and what then fits is what was there. Blocks
//! whose bytes hash to their leaf are listed in the bitfield. Everything goes through entries and a checkpoint, as any
//! change does, so a crash on the way makes nothing worse.
//!
//! The head, the keys and the bytes of blocks are never touched, and nothing is taken away that was not proven bad. A
//! damaged block of a copy is no longer listed, so that it can be fetched again, and keeps its bytes. In a log that
//! signs it stays listed: it may be the only one there is, and reading it should fail loudly.

use std::ops::Range;
use std::sync::Arc;

use flat_tree::{Index, full_roots};
use hypercore_merkle::{Node, NodeLookup, Tree};
use random_access_storage::SyncScope;

use crate::blocks::read_block;
use crate::check::{check_piece, unlisted_bytes};
use crate::commit::Unsynced;
use crate::entry::{BitfieldUpdate, Entry};
use crate::error::{LogError, OpenError, StorageError};
use crate::header::Header;
use crate::log::Log;
use crate::nodes::{NODE_LEN, Nodes, encode};
use crate::state::{State, node_offset};
use crate::stores::{FileName, Stores};
use crate::writer::Writer;

/// Nodes of one entry.
const NODES_PER_ENTRY: usize = 512;

/// Nodes that are looked at to make one of those below it.
const DERIVE_EFFORT: u32 = 4096;

/// Nodes or blocks looked at under one read lock.
const STEP: u64 = 4096;

/// How far a repair is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairProgress {
    /// Blocks looked at so far.
    pub blocks_checked: u64,
    /// Blocks of the log.
    pub blocks: u64,
}

/// What a repair did, and what it could not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Tree nodes written again.
    pub nodes_rebuilt: u64,
    /// Pairs of tree nodes that do not fit their parent and could not be made again. What is below them was not looked at.
    pub nodes_unrepaired: u64,
    /// Blocks that were here and count as stored again.
    pub blocks_listed: u64,
    /// Damaged blocks of a copy that do not count as stored any more: they can be fetched again.
    pub blocks_unlisted: u64,
    /// Damaged blocks of a log that signs: nothing here can mend them.
    pub blocks_unrepaired: u64,
}

impl RepairReport {
    /// Whether nothing is left that could not be repaired.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.nodes_unrepaired == 0 && self.blocks_unrepaired == 0
    }
}

impl Log {
    /// Writes again what can be derived: tree nodes from their children and blocks, bits of blocks that are here, and with
    /// them the contiguous length. An [`audit`](Self::audit) after it tells what is left.
    ///
    /// Roots that are not stored keep a log from opening: see
    /// [`OpenOptions::rebuild_roots`](crate::OpenOptions::rebuild_roots). `progress` is called now and then; memory does not
    /// grow with the log.
    ///
    /// # Durability
    /// On stable storage on return, in either mode, and the oplog is empty then.
    ///
    /// # Errors
    /// [`LogError::ReadOnly`], [`LogError::HeaderLost`] (which only the user can settle), [`LogError::Poisoned`]: nothing was
    /// changed. [`LogError::Storage`]: the log is poisoned when writing failed.
    pub fn repair(
        &self,
        progress: &mut dyn FnMut(RepairProgress),
    ) -> Result<RepairReport, LogError> {
        let mut writer = self.lock_writer()?;
        self.read_state().nodes.forget_cache();
        let mut report = RepairReport::default();
        self.repair_nodes(&mut writer, &mut report)?;
        self.repair_bits(&mut writer, &mut report, progress)?;
        self.publish().stored_off = 0;
        self.write_checkpoint(&mut writer)?;
        Ok(report)
    }

    /// Goes down from the roots, over nodes that are proven.
    fn repair_nodes(&self, writer: &mut Writer, report: &mut RepairReport) -> Result<(), LogError> {
        let mut proven: Vec<(Node, u64)> = Vec::new();
        {
            let state = self.read_state();
            let mut offset = 0_u64;
            let mut missing = Vec::new();
            for root in state.tree.roots() {
                if state.nodes.node(root.index)? != Some(*root) {
                    missing.push(*root);
                }
                proven.push((*root, offset));
                offset = offset.saturating_add(root.size);
            }
            drop(state);
            self.write_nodes_again(writer, report, &mut missing, 0)?;
        }
        let mut found = Vec::new();
        while !proven.is_empty() {
            let state = self.read_state();
            for _ in 0..STEP {
                let Some((parent, offset)) = proven.pop() else { break };
                let Some((left, right)) = parent.index.children() else { continue };
                let stored = (state.nodes.node(left)?, state.nodes.node(right)?);
                let Some(pair) = self.fitting_pair(&state, &parent, offset, stored)? else {
                    let blocks = parent.index.first_block()..parent.index.end_block();
                    let is_used =
                        stored != (None, None) || state.bitfield.find_first(true, blocks).is_some();
                    report.nodes_unrepaired =
                        report.nodes_unrepaired.saturating_add(u64::from(is_used));
                    continue;
                };
                for (node, stored) in [(pair.0, stored.0), (pair.1, stored.1)] {
                    if stored != Some(node) {
                        found.push(node);
                    }
                }
                proven.push((pair.1, offset.saturating_add(pair.0.size)));
                proven.push((pair.0, offset));
            }
            drop(state);
            self.write_nodes_again(writer, report, &mut found, NODES_PER_ENTRY)?;
        }
        self.write_nodes_again(writer, report, &mut found, 0)
    }

    /// The children that hash into `parent`, which begins at byte `offset`: those stored, or made of what is below.
    fn fitting_pair(
        &self,
        state: &State,
        parent: &Node,
        offset: u64,
        stored: (Option<Node>, Option<Node>),
    ) -> Result<Option<(Node, Node)>, LogError> {
        let fits = |left: Option<Node>, right: Option<Node>| {
            let pair = (left?, right?);
            (Node::parent(&pair.0, &pair.1).as_ref() == Some(parent)).then_some(pair)
        };
        if let Some(pair) = fits(stored.0, stored.1) {
            return Ok(Some(pair));
        }
        let Some((left, right)) = parent.index.children() else { return Ok(None) };
        let (made_left, made_right) = if left.is_leaf() {
            let rest = |sibling: Option<Node>| parent.size.checked_sub(sibling?.size);
            let left_len = rest(stored.1);
            let right_start = stored.0.map(|left| offset.saturating_add(left.size));
            let end = offset.saturating_add(parent.size);
            (
                self.leaf_of(left, left_len.map(|len| offset..offset.saturating_add(len)))?,
                self.leaf_of(right, right_start.map(|start| start..end))?,
            )
        } else {
            (
                derive(&state.nodes, left, &mut DERIVE_EFFORT.clone())?,
                derive(&state.nodes, right, &mut DERIVE_EFFORT.clone())?,
            )
        };
        Ok(fits(made_left, stored.1)
            .or_else(|| fits(stored.0, made_right))
            .or_else(|| fits(made_left, made_right)))
    }

    /// The leaf of the block in a range of the data store.
    fn leaf_of(&self, index: Index, range: Option<Range<u64>>) -> Result<Option<Node>, LogError> {
        let Some(range) = range.filter(|range| range.start <= range.end) else { return Ok(None) };
        let bytes = read_block(&*self.stores.data, range)?;
        Ok(bytes.and_then(|bytes| Node::leaf(index.first_block(), &bytes)))
    }

    /// Writes an entry with `nodes`, if there are more than `above`.
    fn write_nodes_again(
        &self,
        writer: &mut Writer,
        report: &mut RepairReport,
        nodes: &mut Vec<Node>,
        above: usize,
    ) -> Result<(), LogError> {
        if nodes.len() <= above {
            return Ok(());
        }
        report.nodes_rebuilt = report.nodes_rebuilt.saturating_add(nodes.len() as u64);
        let tree_nodes = Some(std::mem::take(nodes));
        self.write_repair(writer, Entry { tree_nodes, ..Entry::default() })
    }

    /// Looks at every block whose leaf is stored.
    fn repair_bits(
        &self,
        writer: &mut Writer,
        report: &mut RepairReport,
        progress: &mut dyn FnMut(RepairProgress),
    ) -> Result<(), LogError> {
        let length = self.read_state().tree.length();
        let signs = self.options.signer.is_some();
        let mut next = 0;
        while next < length {
            let mut listed = Vec::new();
            let mut unlisted = Vec::new();
            {
                let state = self.read_state();
                if state.bitfield.get(next) {
                    let end = state.bitfield.find_first(false, next..length).unwrap_or(length);
                    let piece = check_piece(&state, &*self.stores.data, next..end)?;
                    unlisted.extend(piece.faults.iter().map(|(block, _)| *block));
                    next = piece.next;
                } else {
                    let end = state.bitfield.find_first(true, next..length).unwrap_or(length);
                    let Some(from) = self.next_leaf(&state, next)? else { break };
                    let end = end.min(from.saturating_add(STEP));
                    // Where the bitfield is known to have lost bits, also blocks whose bytes holes would show.
                    let lost_bits = state.stored_off != 0;
                    for block in from.max(next)..end {
                        let bytes = unlisted_bytes(&state, &*self.stores.data, block)?;
                        let is_there =
                            |bytes: Vec<u8>| lost_bits || bytes.iter().any(|byte| *byte != 0);
                        if bytes.is_some_and(is_there) {
                            listed.push(block);
                        }
                    }
                    next = end.max(from);
                }
            }
            report.blocks_listed = report.blocks_listed.saturating_add(listed.len() as u64);
            self.write_bits(writer, &listed, false)?;
            let damaged = unlisted.len() as u64;
            if signs {
                report.blocks_unrepaired = report.blocks_unrepaired.saturating_add(damaged);
            } else {
                report.blocks_unlisted = report.blocks_unlisted.saturating_add(damaged);
                self.write_bits(writer, &unlisted, true)?;
            }
            progress(RepairProgress { blocks_checked: next.min(length), blocks: length });
        }
        Ok(())
    }

    /// The first block at or after `block` whose leaf may be stored.
    fn next_leaf(&self, state: &State, block: u64) -> Result<Option<u64>, LogError> {
        let leaf = block.saturating_mul(2);
        let stored = self.stores.tree.next_stored(leaf.saturating_mul(NODE_LEN));
        let stored = stored.map_err(StorageError::in_file(FileName::Tree))?;
        let in_file = stored.map(|range| range.start / NODE_LEN / 2);
        let pending = state.nodes.next_pending(Index::new(leaf));
        Ok(in_file.into_iter().chain(pending.map(|index| index / 2)).min().map(|at| at.max(block)))
    }

    /// Lists blocks as stored, or no longer.
    fn write_bits(&self, writer: &mut Writer, blocks: &[u64], drop: bool) -> Result<(), LogError> {
        for run in blocks.chunk_by(|block, next| block.checked_add(1) == Some(*next)) {
            let Some(start) = run.first().copied() else { continue };
            let bitfield = Some(BitfieldUpdate { drop, start, length: run.len() as u64 });
            self.write_repair(writer, Entry { bitfield, ..Entry::default() })?;
        }
        Ok(())
    }

    fn write_repair(&self, writer: &mut Writer, entry: Entry) -> Result<(), LogError> {
        self.write_entry(writer, &entry)?;
        {
            let mut state = self.publish();
            let head = state.announced();
            self.apply(&mut state, entry, head)?;
            self.commit.wrote(Unsynced { data: false, tree: false, oplog: true }, head);
        }
        self.checkpoint_if_due(writer)
    }
}

/// Makes a parent of what is stored below it.
fn derive(nodes: &Nodes, index: Index, effort: &mut u32) -> Result<Option<Node>, StorageError> {
    let (Some((left, right)), Some(left_effort)) = (index.children(), effort.checked_sub(1)) else {
        return Ok(None);
    };
    *effort = left_effort;
    let mut child = |index| match nodes.node(index)? {
        Some(node) => Ok(Some(node)),
        None => derive(nodes, index, effort),
    };
    let (Some(left), Some(right)) = (child(left)?, child(right)?) else { return Ok(None) };
    Ok(Node::parent(&left, &right))
}

/// Writes roots that are missing or damaged again, where those made of their children have the tree hash of `header`.
///
/// Without them the log does not open. Nothing is written unless all of them are right.
pub(crate) fn rebuild_roots(stores: &Arc<Stores>, header: &Header) -> Result<(), OpenError> {
    let (length, Some(hash)) = (header.tree.length, header.tree.root_hash) else { return Ok(()) };
    let nodes = Nodes::new(Arc::clone(stores), length);
    let mut choices = Vec::new();
    for index in full_roots(length) {
        choices.push((nodes.node(index)?, derive(&nodes, index, &mut DERIVE_EFFORT.clone())?));
    }
    let is_right = |roots: Option<Vec<Node>>| {
        let tree = Tree::from_roots(header.tree.fork, roots?, length).ok()?;
        (tree.hash() == hash).then(|| tree.roots().to_vec())
    };
    let stored = |choice: &(Option<Node>, Option<Node>)| choice.0.or(choice.1);
    if is_right(choices.iter().map(|choice| choice.0).collect()).is_some() {
        return Ok(());
    }
    let mut right = is_right(choices.iter().map(stored).collect());
    for made in 0..choices.len() {
        let one = |(at, choice): (usize, &(Option<Node>, Option<Node>))| {
            if at == made { choice.1 } else { stored(choice) }
        };
        right = right.or_else(|| is_right(choices.iter().enumerate().map(one).collect()));
    }
    let Some(roots) = right else { return Ok(()) };
    for root in roots {
        let offset = node_offset(root.index.get());
        let written = stores.tree.write_at(offset, &encode(Some(&root)));
        written.map_err(StorageError::in_file(FileName::Tree))?;
    }
    stores.tree.sync(SyncScope::All).map_err(StorageError::in_file(FileName::Tree))?;
    Ok(())
}
