//! The audit: everything that is stored is hashed again and compared with what was signed.
//!
//! Reads only, and goes on after a finding, so that one damaged block does not hide another. Holds the read
//! lock for a piece at a time; a truncation in between ends it early at the new length.

use flat_tree::Index;
use hypercore_merkle::{Node, NodeLookup, Tree, TreeError};

use crate::check::{Fault, check_piece, unlisted_bytes};
use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::nodes::NODE_LEN;
use crate::state::{State, node_offset, tree_error};
use crate::stores::FileName;

/// Findings that are kept. A log with more is damaged beyond listing; the rest is counted.
pub const FINDINGS_MAX: usize = 1000;

/// Nodes checked under one read lock.
const NODES_PER_STEP: u64 = 64 * 1024;

/// What part of the log a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Audited {
    /// A block: its bytes do not hash to its leaf, or are not there.
    Block,
    /// A tree node: it is missing, or not the hash of its children. The index is a tree index.
    Node,
    /// The signature of the head. The index is the length.
    Signature,
}

impl Audited {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Node => "node",
            Self::Signature => "signature",
        }
    }
}

/// Something that is not what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub what: Audited,
    /// Which one: a block index, a tree index, or the length.
    pub index: u64,
    /// Where its bytes are.
    pub file: FileName,
    /// Byte offset in that store.
    pub offset: u64,
    /// What is wrong.
    pub message: &'static str,
}

/// How far an audit is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditProgress {
    /// Stored blocks hashed so far.
    pub blocks_checked: u64,
    /// Stored blocks there are.
    pub blocks_stored: u64,
    /// Bytes of blocks read so far.
    pub bytes_checked: u64,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditReport {
    /// Blocks in the log.
    pub length: u64,
    /// Blocks that were hashed.
    pub blocks_checked: u64,
    /// Blocks that are not stored here, which is no fault.
    pub blocks_missing: u64,
    /// Blocks among the missing ones whose bytes are here all the same: a crash between a block and its entry leaves
    /// some, as does a bitfield that lost bits. Nothing wrong is read on their account; a
    /// [repair](crate::Log::repair) lists them.
    pub blocks_unlisted: u64,
    /// Tree nodes that were compared with their children.
    pub nodes_checked: u64,
    /// The first [`FINDINGS_MAX`] things that are wrong.
    pub findings: Vec<Finding>,
    /// Further ones.
    pub findings_omitted: u64,
}

impl AuditReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_omitted = self.findings_omitted.saturating_add(1);
        }
    }

    fn find_node(&mut self, index: Index, message: &'static str) {
        let offset = node_offset(index.get());
        let (what, file) = (Audited::Node, FileName::Tree);
        self.find(Finding { what, index: index.get(), file, offset, message });
    }

    fn find_fault(&mut self, index: u64, fault: Fault) {
        let (what, file) = (Audited::Block, FileName::Data);
        let (offset, message) = match fault {
            Fault::NoPlace => (0, "its place is not known, for lack of tree nodes"),
            Fault::Absent { offset } => (offset, "its bytes are not there"),
            Fault::Differs { offset } => (offset, "it does not hash to its leaf in the tree"),
        };
        self.find(Finding { what, index, file, offset, message });
    }
}

impl Log {
    /// Hashes every stored block and every stored node again, up to the signature. Writes nothing.
    ///
    /// `progress` is called now and then. Memory does not grow with the log.
    ///
    /// # Errors
    /// [`LogError::Storage`] when a store can not be read. Damage is no error: it is in the report.
    pub fn audit(&self, progress: &mut dyn FnMut(AuditProgress)) -> Result<AuditReport, LogError> {
        // What is on the medium counts, not what was read from it before.
        self.read_state().nodes.forget_cache();
        let mut report = AuditReport::default();
        self.audit_blocks(&mut report, progress)?;
        self.audit_nodes(&mut report)?;
        self.audit_signature(&mut report)?;
        Ok(report)
    }

    fn audit_blocks(
        &self,
        report: &mut AuditReport,
        progress: &mut dyn FnMut(AuditProgress),
    ) -> Result<(), LogError> {
        let mut seen = AuditProgress::default();
        let mut next = 0;
        let mut previous: Option<u64> = None;
        loop {
            let state = self.read_state();
            let length = state.tree.length();
            report.length = length;
            seen.blocks_stored = state.bitfield.count_set(0..length);
            report.blocks_missing = length.saturating_sub(seen.blocks_stored);
            let Some(run) = state.bitfield.set_ranges(next..length).next() else {
                report.blocks_checked = seen.blocks_checked;
                return Ok(());
            };
            let piece = check_piece(&state, &*self.stores.data, run.clone())?;
            for block in run.start..piece.next {
                audit_path(&state, block, previous, report)?;
                previous = Some(block);
            }
            for (block, fault) in piece.faults {
                report.find_fault(block, fault);
            }
            let checked = piece.next.saturating_sub(run.start);
            seen.blocks_checked = seen.blocks_checked.saturating_add(checked);
            seen.bytes_checked = seen.bytes_checked.saturating_add(piece.len);
            next = piece.next;
            drop(state);
            progress(seen);
        }
    }

    /// Compares every stored parent with its children, skipping the holes of a sparse tree.
    fn audit_nodes(&self, report: &mut AuditReport) -> Result<(), LogError> {
        let mut next = 0;
        loop {
            let state = self.read_state();
            let end = state.tree.length().saturating_mul(2).saturating_sub(1);
            let Some(start) = self.next_node(&state, next)?.filter(|start| *start < end) else {
                return Ok(());
            };
            let step_end = start.saturating_add(NODES_PER_STEP).min(end);
            for index in (start | 1..step_end).step_by(2) {
                audit_parent(&state, Index::new(index), report)?;
            }
            // Blocks that count as stored were compared with their leaves already.
            for block in start.div_ceil(2)..step_end.div_ceil(2) {
                let unlisted = self.is_unlisted(&state, block)?;
                report.blocks_unlisted = report.blocks_unlisted.saturating_add(u64::from(unlisted));
            }
            next = step_end;
        }
    }

    /// The first tree index at or after `from` that may be stored.
    pub(crate) fn next_node(&self, state: &State, from: u64) -> Result<Option<u64>, LogError> {
        let stored = self
            .stores
            .tree
            .next_stored(from.saturating_mul(NODE_LEN))
            .map_err(StorageError::in_file(FileName::Tree))?
            .map(|range| (range.start / NODE_LEN).max(from));
        Ok(stored.into_iter().chain(state.nodes.next_pending(Index::new(from))).min())
    }

    /// Whether the bytes of a block are here and it does not count as stored. Zeros tell nothing: holes are zeros.
    fn is_unlisted(&self, state: &State, block: u64) -> Result<bool, LogError> {
        if state.bitfield.get(block) {
            return Ok(false);
        }
        let bytes = unlisted_bytes(state, &*self.stores.data, block)?;
        Ok(bytes.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)))
    }

    fn audit_signature(&self, report: &mut AuditReport) -> Result<(), LogError> {
        let state = self.read_state();
        let length = state.tree.length();
        let mut find = |message| {
            let (what, file) = (Audited::Signature, FileName::Oplog);
            report.find(Finding { what, index: length, file, offset: 0, message });
        };
        if length == 0 {
            return Ok(());
        }
        match Tree::load(&state.nodes, state.tree.fork(), length) {
            Ok(tree) if tree == state.tree => {}
            Ok(_) => find("the stored roots are not those of the head"),
            Err(error @ TreeError::Lookup { .. }) => return Err(tree_error(error)),
            Err(_) => find("the roots of the head are not all stored"),
        }
        let Some(manifest) = &state.manifest else {
            find("no manifest is known, so nobody can have signed");
            return Ok(());
        };
        let signature = state.signature.as_deref().unwrap_or_default();
        if manifest.verify(&self.key, &state.tree, signature).is_err() {
            find("the signature is not valid for the tree");
        }
        Ok(())
    }
}

/// Climbs from the leaf of `block` until a node that the previous block had as well, or a root.
fn audit_path(
    state: &State,
    block: u64,
    previous: Option<u64>,
    report: &mut AuditReport,
) -> Result<(), LogError> {
    let previous = previous.and_then(Index::leaf);
    let mut node = Index::leaf(block);
    while let Some(index) = node {
        if previous.is_some_and(|previous| index.contains(previous)) {
            break;
        }
        if state.nodes.node(index)?.is_none() {
            report.find_node(index, "a node above a stored block is missing");
        }
        if index.is_root_of(state.tree.length()) {
            break;
        }
        node = index.parent();
    }
    Ok(())
}

fn audit_parent(state: &State, index: Index, report: &mut AuditReport) -> Result<(), LogError> {
    let length = state.tree.length();
    let Some((left, right)) = index.children() else { return Ok(()) };
    let (parent, left, right) =
        (state.nodes.node(index)?, state.nodes.node(left)?, state.nodes.node(right)?);
    let (parent, left, right) = match (parent, left, right) {
        (Some(parent), Some(left), Some(right)) => (parent, left, right),
        (None, None, None) | (Some(_), None, None) => return Ok(()),
        // Nodes come with their siblings and with all parents up to a root.
        (None, Some(child), _) | (None, _, Some(child)) if index.end_block() <= length => {
            report.find_node(child.index, "the node has no parent");
            return Ok(());
        }
        (Some(_), Some(child), None) | (Some(_), None, Some(child)) => {
            report.find_node(child.index, "the node has no sibling");
            return Ok(());
        }
        _ => return Ok(()),
    };
    report.nodes_checked = report.nodes_checked.saturating_add(1);
    if Node::parent(&left, &right) != Some(parent) {
        report.find_node(index, "the node is not the hash of its children");
    }
    Ok(())
}
