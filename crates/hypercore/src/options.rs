//! Who else may have a log open.

/// Whether a handle writes, and who else may have the log open meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Reads and writes, under an exclusive lock: no other handle anywhere has the log open,
    /// followers aside.
    #[default]
    ReadWrite,
    /// Reads, under a shared lock: other readers may have it open, a writer may not. Nothing on
    /// disk is created or changed.
    ReadOnly,
    /// Reads without any lock, beside a writer: a view of the log as it was when it was opened.
    ///
    /// Everything read is verified against the signed tree, so a writer that truncates or clears
    /// meanwhile makes reads fail, never wrong. To see what was appended since, open again.
    Follow,
}
