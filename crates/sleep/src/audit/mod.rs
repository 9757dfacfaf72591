//! Looks at everything that is stored, and says what is wrong with it.
//!
//! From the signatures down: what they sign are roots, roots prove nodes, leaves prove blocks. Nothing
//! that was verified earlier is believed, and a finding does not end the search. Reads only. This
//! module must not know how damage is mended.

mod blocks;
mod finding;
mod report;
mod walk;

use std::sync::Arc;

use flat_tree::Index;
use random_access_storage::RandomAccess;

pub(crate) use self::blocks::{BlockReader, Compared};
pub use self::finding::{Finding, Subject};
pub use self::report::{AuditProgress, AuditReport, FINDINGS_MAX};
pub(crate) use self::walk::{Step, Walk};
use crate::bitfield::Bitfield;
use crate::error::Result;
use crate::files::FileName;
use crate::hashes;
use crate::node::Node;
use crate::recovery::{Recovery, Search, stored_roots};
use crate::signatures::SignatureFile;
use crate::tree::TreeFile;
use hypercore_crypto::PublicKey;

/// What is looked at: an open feed.
pub(crate) struct Audited<'a> {
    pub(crate) key: &'a PublicKey,
    pub(crate) data: Option<&'a Arc<dyn RandomAccess>>,
    pub(crate) tree: Option<&'a TreeFile>,
    pub(crate) signatures: Option<&'a SignatureFile>,
    pub(crate) bitfield: &'a Bitfield,
    pub(crate) length: u64,
    pub(crate) roots: &'a [Node],
    pub(crate) recovery: &'a Recovery,
}

/// Hashes every stored block and every stored node again, up to the signatures.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage). Damage is no error: it is in the report.
pub(crate) fn audit(
    feed: &Audited<'_>,
    progress: &mut dyn FnMut(AuditProgress),
) -> Result<AuditReport> {
    let blocks_stored = feed.bitfield.count_blocks(0..feed.length);
    let report = AuditReport {
        length: feed.length,
        blocks_checked: blocks_stored,
        blocks_missing: feed.length.saturating_sub(blocks_stored),
        findings: feed.recovery.findings().to_vec(),
        ..AuditReport::default()
    };
    let mut audit = Audit {
        feed,
        reader: BlockReader::new(feed.data)?,
        unproven: feed.bitfield.clone(),
        proven: Bitfield::new(feed.bitfield.page_size()),
        seen: AuditProgress { blocks_stored, ..AuditProgress::default() },
        progress,
        report,
    };
    if feed.data.is_none() && blocks_stored > 0 {
        audit.report.find(Finding::FileMissing { file: FileName::Data });
    }
    audit.tree_below(feed.roots)?;
    audit.signatures()?;
    audit.left_over()?;
    Ok(audit.report)
}

struct Audit<'a> {
    feed: &'a Audited<'a>,
    reader: BlockReader,
    /// Stored blocks that nothing has been found to prove.
    unproven: Bitfield,
    /// Nodes that were proven.
    proven: Bitfield,
    seen: AuditProgress,
    progress: &'a mut dyn FnMut(AuditProgress),
    report: AuditReport,
}

impl Audit<'_> {
    /// Looks at everything below roots that are signed, once, however many signatures lead there.
    fn tree_below(&mut self, roots: &[Node]) -> Result<()> {
        let Some(tree) = self.feed.tree else { return Ok(()) };
        Walk::new(tree, 0).roots(roots, &mut |step| {
            match step {
                Step::Proven { node, .. } if self.proven.has_node(node.index) => return Ok(false),
                Step::Proven { node, offset } => {
                    self.proven.set_node(node.index, true)?;
                    if let Some(block) = node.index.block() {
                        self.block(block, &node, offset)?;
                    }
                }
                Step::Broken { parent, left, right, offset } => {
                    self.broken(&parent, [left, right], offset)?;
                }
                Step::Bare { .. } => {}
            }
            Ok(true)
        })
    }

    fn block(&mut self, block: u64, leaf: &Node, offset: u64) -> Result<()> {
        if block >= self.feed.length || !self.unproven.has_block(block) {
            return Ok(());
        }
        self.unproven.set_blocks(block..block.saturating_add(1), false)?;
        match self.reader.compare(leaf, offset)? {
            Compared::Same => {
                self.report.blocks_valid = self.report.blocks_valid.saturating_add(1);
            }
            Compared::Differs => self.report.find(Finding::BlockWrong { index: block }),
            Compared::Absent => self.report.find(Finding::BlockMissing { index: block }),
        }
        self.seen.blocks_checked = self.seen.blocks_checked.saturating_add(1);
        self.seen.bytes_checked = self.seen.bytes_checked.saturating_add(leaf.size);
        (self.progress)(self.seen);
        Ok(())
    }

    /// Names the node that is missing or wrong below a proven parent, as far as that can be told.
    fn broken(&mut self, parent: &Node, children: [Option<Node>; 2], offset: u64) -> Result<()> {
        let Some((left, right)) = parent.index.children() else { return Ok(()) };
        // A reader may have one of two that was proven to an older root, and never been sent the other.
        for (index, child) in [left, right].into_iter().zip(children) {
            if child.is_none() && self.feed.bitfield.has_node(index) {
                self.report.find(Finding::NodeMissing { index });
            }
        }
        // One that has no bit was being stored when a crash came, and counts as not stored.
        let is_listed = |index: Index| self.feed.bitfield.has_node(index);
        let mut is_told = children.contains(&None) || !is_listed(left) || !is_listed(right);
        if let [Some(left), Some(right)] = children {
            let fitting = fitting_leaves(&mut self.reader, parent, [left, right], offset)?;
            for (stored, fitting) in [left, right].into_iter().zip(fitting.into_iter().flatten()) {
                if stored != fitting {
                    self.report.find(Finding::NodeWrong { index: stored.index });
                    is_told = true;
                }
            }
        }
        if !is_told {
            self.report.find(Finding::ChildrenWrong { index: parent.index });
        }
        Ok(())
    }

    /// Verifies every signature, and goes down from those of older trees that the newest does not
    /// include: a reader may never have been sent what joins them.
    fn signatures(&mut self) -> Result<()> {
        let Some(signatures) = self.feed.signatures else { return Ok(()) };
        let mut search = Search::new(self.feed.key, self.feed.tree, Some(signatures), u64::MAX);
        let mut end = signatures.slot_count()?;
        while let Some(signed) = search.next()? {
            self.bad_signatures(signatures, signed.length, end)?;
            end = signed.length.saturating_sub(1);
            if signed.length > self.feed.length {
                continue;
            }
            self.report.signatures_valid = self.report.signatures_valid.saturating_add(1);
            if signed.length < self.feed.length {
                self.tree_below(&signed.roots)?;
            }
        }
        self.bad_signatures(signatures, 0, end)
    }

    /// Reports the slots `first..end` that are not blank: none of them holds.
    fn bad_signatures(&mut self, file: &SignatureFile, first: u64, end: u64) -> Result<()> {
        let mut slot = first;
        while let Some((found, _)) = file.at_or_after(slot)?.filter(|(slot, _)| *slot < end) {
            slot = found.saturating_add(1);
            // Where the roots are not known for certain the signature may be right.
            let is_past = slot > self.feed.length;
            let roots = stored_roots(self.feed.tree, slot)?.unwrap_or_default();
            let is_known = |root: &Node| self.proven.has_node(root.index);
            if is_past || (!roots.is_empty() && roots.iter().all(is_known)) {
                self.report.find(Finding::SignatureStale { slot: found });
            }
        }
        Ok(())
    }

    /// Reports what nothing was found to prove.
    fn left_over(&mut self) -> Result<()> {
        let feed = self.feed;
        let runs = self.proven.nodes(0..u64::MAX);
        self.report.nodes_valid = runs.map(|run| run.end.saturating_sub(run.start)).sum();
        for index in feed.bitfield.nodes(0..feed.length.saturating_mul(2)).flatten() {
            let index = Index::new(index);
            if !self.proven.has_node(index)
                && feed.tree.map_or(Ok(None), |tree| tree.node(index))?.is_none()
            {
                self.report.find(Finding::NodeMissing { index });
            }
        }
        for index in self.unproven.blocks(0..feed.length).flatten() {
            self.report.find(Finding::BlockUnproven { index });
        }
        Ok(())
    }
}

/// The two leaves as the stored blocks make them, if they hash to their parent.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage).
pub(crate) fn fitting_leaves(
    reader: &mut BlockReader,
    parent: &Node,
    stored: [Node; 2],
    offset: u64,
) -> Result<Option<[Node; 2]>> {
    let [left, right] = stored;
    if !left.index.is_leaf() {
        return Ok(None);
    }
    // The sum of both sizes is proven, each of them is not.
    let sizes = [left.size, parent.size.saturating_sub(right.size)];
    for left_size in sizes.into_iter().filter(|size| *size <= parent.size) {
        let bytes = reader.bytes(offset, left_size)?;
        let Some(left) = bytes.map(|bytes| hashes::leaf(left.index, bytes)) else { continue };
        let right_offset = offset.saturating_add(left_size);
        let bytes = reader.bytes(right_offset, parent.size.saturating_sub(left_size))?;
        let Some(right) = bytes.map(|bytes| hashes::leaf(right.index, bytes)) else { continue };
        if hashes::parent(&left, &right).as_ref() == Some(parent) {
            return Ok(Some([left, right]));
        }
    }
    Ok(None)
}
