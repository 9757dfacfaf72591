//! What the scripts on SLEEP feeds came to.

use std::fmt;

/// Counters over all scripts.
#[derive(Debug, Default)]
pub(in crate::interop) struct Tally {
    pub(super) scripts: u64,
    /// Scripts on feeds that began in an older form.
    pub(super) old: u64,
    pub(super) operations: u64,
    pub(super) openings: u64,
    pub(super) kills: u64,
    pub(super) readers: u64,
    /// Blocks that came with a proof from the other side.
    pub(super) proofs: u64,
    pub(super) blocks: u64,
    /// Pairs of files that both sides wrote and that are equal.
    pub(super) files: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scripts, old, operations, openings, kills, readers, proofs, blocks, files } =
            self;
        write!(
            f,
            "{scripts} SLEEP scripts ({old} on feeds of older releases), {operations} operations, {openings} openings, \
             {kills} kills, {readers} readers with {proofs} proofs, {blocks} blocks compared, {files} equal files"
        )
    }
}
