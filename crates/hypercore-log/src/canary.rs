//! Bugs that can be planted, so that the crash and fault tests show that they would find one.
//!
//! Only a build with `--cfg canary` can plant any. In all others [`planted`] is `false` at compile time and the
//! places that ask it are what they would be without. A bug is planted for the whole process; nothing here knows
//! what it does, only the line that asks for it.
#![cfg_attr(not(canary), expect(unreachable_pub, reason = "public where bugs can be planted"))]

/// A mistake that such an engine could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bug {
    /// Waiting for stable storage leaves the blocks out.
    SkipDataSync,
    /// Waiting for stable storage leaves the entries out.
    SkipOplogSync,
    /// A sync that failed is taken for one that did not.
    IgnoredSyncError,
    /// After a failed sync the log goes on, and a later sync counts for what was lost.
    RetryFailedSync,
    /// What is written counts as durable.
    AnnounceBeforeSync,
    /// The header that forgets the entries is written before the tree and the bitfield they went to.
    HeaderBeforeTree,
    /// The header is written over the live one.
    WrongHeaderSlot,
    /// Entries of an older header are taken for those of the live one.
    EntryBitNotChecked,
    /// A frame counts whatever its checksum is.
    ChecksumNotChecked,
    /// A read of the oplog that ended early is taken for a whole one.
    UncheckedShortRead,
    /// Blocks that replayed entries speak of are not hashed again.
    BlocksNotVerifiedOnRecovery,
    /// New entries go where the replayed ones are.
    ReplayedEntriesOverwritten,
    /// What is behind the last entry that holds stays there, and new entries go before it.
    TailNotCut,
    /// What an unclean open relies on is not written once more, though a sync of it may have failed.
    TailNotRewritten,
    /// A clear destroys the blocks before its entry is durable.
    HoleBeforeSync,
    /// A block is handed out without a look at its hash.
    ReadNotVerified,
}

/// Whether the log has this bug.
#[cfg(not(canary))]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}

#[cfg(canary)]
pub use planting::plant;
#[cfg(canary)]
pub(crate) use planting::planted;

#[cfg(canary)]
mod planting {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Bug;

    const NONE: u8 = u8::MAX;

    static PLANTED: AtomicU8 = AtomicU8::new(NONE);

    impl Bug {
        /// Every bug there is.
        pub const ALL: [Self; 16] = [
            Self::SkipDataSync,
            Self::SkipOplogSync,
            Self::IgnoredSyncError,
            Self::RetryFailedSync,
            Self::AnnounceBeforeSync,
            Self::HeaderBeforeTree,
            Self::WrongHeaderSlot,
            Self::EntryBitNotChecked,
            Self::ChecksumNotChecked,
            Self::UncheckedShortRead,
            Self::BlocksNotVerifiedOnRecovery,
            Self::ReplayedEntriesOverwritten,
            Self::TailNotCut,
            Self::TailNotRewritten,
            Self::HoleBeforeSync,
            Self::ReadNotVerified,
        ];
    }

    /// Gives the log this bug, in place of the one it had, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(NONE, |bug| bug as u8), Ordering::SeqCst);
    }

    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as u8
    }
}
