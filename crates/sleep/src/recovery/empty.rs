//! Feeds of which no bit and no signature makes a length: empty ones, and those that lost both.

use std::ops::Range;

use crate::audit::Finding;
use crate::error::{Error, Result};
use crate::files::FileName;
use crate::recovery::{Case, RecoveryError, Search, Verdict, stored_roots};
use crate::tree::TreeFile;

/// Slots in which a signature that a crash cut short leaves anything: those in a sector of 4 KiB, and its own.
const SLOTS_TORN_MAX: u64 = 4096 / crate::SIGNATURE_LEN as u64 + 1;

impl Case<'_> {
    /// Rule 4: no bit makes a length, and nothing is signed.
    pub(super) fn judge_without_bits(&mut self, search: &Search<'_>) -> Result<Verdict> {
        let nodes = self.found.tree.map_or(Ok(0), TreeFile::node_count)?;
        let bytes = self.data().map_or(Ok(0), |store| store.len());
        let bytes = bytes.map_err(Error::in_file(FileName::Data))?;
        if nodes == 0 && bytes == 0 && search.newest_slot.is_none() {
            // A feed is made with all three. One may be lost where the others say that it was empty.
            let is_said = self.lacking.len() < 2;
            let files = std::mem::take(&mut self.lacking);
            return if is_said {
                Ok(Verdict::empty())
            } else {
                Err(RecoveryError::FilesMissing { files }.into())
            };
        }
        if let Some(verdict) = self.static_by_nodes()? {
            return Ok(verdict);
        }
        let tail = Finding::TailUnsigned { nodes, bytes };
        if self.found.accepts_loss {
            self.check_key(None, search)?;
            self.report.note(tail);
        } else if self.is_first_change_cut_short(search)? {
            self.report.note(tail);
        } else if self.looks_truncated()? {
            self.report.refuse(tail);
        } else {
            self.check_key(None, search)?;
            return Err(RecoveryError::NothingProven { nodes, bytes }.into());
        }
        Ok(Verdict::empty())
    }

    /// Whether the files are as a crash in the first change of a feed leaves them: see the module of feeds.
    fn is_first_change_cut_short(&self, search: &Search<'_>) -> Result<bool> {
        let (bitfield, tree) = (&self.found.bitfield, self.found.tree);
        let Some(signatures) = self.found.signatures else { return Ok(false) };
        let slots = signatures.slot_count()?;
        if bitfield.page_count() == 0 || slots == 0 {
            return Ok(false);
        }
        // Of an append the data bits are durable before the signature is; of a download they are not.
        let has_bits = |blocks: Range<u64>| {
            !self.found.has_secret_key || bitfield.first_missing(blocks).is_none()
        };
        if search.newest_slot.is_none() {
            return Ok(slots == 1 || has_bits(0..slots));
        }
        // One signature is torn, and what is new in its sector may be anything; the nodes are all there.
        let blank = slots.saturating_sub(SLOTS_TORN_MAX);
        Ok(signatures.last_before(blank)?.is_none()
            && stored_roots(tree, slots)?.is_ok()
            && has_bits(0..slots))
    }

    /// Whether the files are as version 9 leaves a feed that it truncated to nothing. So they would be if tree
    /// bits and signatures were lost.
    fn looks_truncated(&self) -> Result<bool> {
        let Some(signatures) = self.found.signatures else { return Ok(false) };
        let has_data_bits = self.found.bitfield.count_blocks(0..u64::MAX) > 0;
        Ok(has_data_bits && signatures.slot_count()? == 0)
    }
}
