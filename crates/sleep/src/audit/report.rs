//! What an audit tells.

use crate::audit::Finding;

/// Findings that are kept. A feed with more is damaged beyond listing; the rest is counted.
pub const FINDINGS_MAX: usize = 1000;

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
    /// Blocks in the feed.
    pub length: u64,
    /// Blocks that count as stored, all of which were looked at.
    pub blocks_checked: u64,
    /// Blocks among them that are the ones that were signed.
    pub blocks_valid: u64,
    /// Blocks that are not stored here, which is no fault.
    pub blocks_missing: u64,
    /// Nodes that lead to a signature.
    pub nodes_valid: u64,
    /// Signatures that hold.
    pub signatures_valid: u64,
    /// What the open noted, and the first of what the audit found: [`FINDINGS_MAX`] in all.
    pub findings: Vec<Finding>,
    /// Further ones.
    pub findings_omitted: u64,
}

impl AuditReport {
    /// Whether nothing is lost or wrong. Traces that do no harm may be among the findings all the same:
    /// see [`Finding::is_damage`].
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.findings_omitted == 0 && !self.findings.iter().any(Finding::is_damage)
    }

    /// Keeps a finding, once.
    pub(super) fn find(&mut self, finding: Finding) {
        if self.findings.len() >= FINDINGS_MAX {
            self.findings_omitted = self.findings_omitted.saturating_add(1);
        } else if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}
