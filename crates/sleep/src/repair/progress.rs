//! How far a repair is, and how many sizes it may still try.

/// Sizes of lost leaves that a repair tries, all in all. Each costs a verification and the hash of a block.
pub const SIZES_TRIED_MAX: u64 = 1_000_000;

/// Sizes that are tried between two reports.
const SIZES_PER_REPORT: u64 = 256;

/// How far a repair is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairProgress {
    /// Sizes of lost leaves that were tried so far, of at most [`SIZES_TRIED_MAX`].
    pub sizes_tried: u64,
    /// Stored blocks that were hashed so far by the audit at the end. It begins anew where a loss was
    /// accepted.
    pub blocks_checked: u64,
}

/// Where a repair stands, and whom it tells.
pub(super) struct Progress<'a> {
    seen: RepairProgress,
    sizes_max: u64,
    tell: &'a mut dyn FnMut(RepairProgress),
}

impl<'a> Progress<'a> {
    /// At the beginning, of a repair that tries so many sizes.
    pub(super) fn new(sizes_max: u64, tell: &'a mut dyn FnMut(RepairProgress)) -> Self {
        Self { seen: RepairProgress::default(), sizes_max, tell }
    }

    /// Whether one more size may be tried; it counts as tried.
    pub(super) fn may_try_size(&mut self) -> bool {
        if self.seen.sizes_tried >= self.sizes_max {
            return false;
        }
        self.seen.sizes_tried = self.seen.sizes_tried.saturating_add(1);
        if self.seen.sizes_tried.is_multiple_of(SIZES_PER_REPORT) {
            (self.tell)(self.seen);
        }
        true
    }

    /// So many blocks were hashed.
    pub(super) fn at_block(&mut self, blocks_checked: u64) {
        self.seen.blocks_checked = blocks_checked;
        (self.tell)(self.seen);
    }
}
