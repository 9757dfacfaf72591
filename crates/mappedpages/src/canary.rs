//! Bugs that can be planted, so that the crash and fault checks show that they would find one.
//!
//! Only a build with `--cfg canary` can plant any. In all others [`planted`] is `false` at compile time and the
//! places that ask it are what they would be without. A bug is planted for the whole process; nothing here knows
//! what it does, only the line that asks for it.
#![cfg_attr(not(canary), expect(unreachable_pub, reason = "public where bugs can be planted"))]

/// A mistake that such a pager could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bug {
    /// Format 2: a commit is called durable before it was flushed.
    SealBeforeFlush,
    /// Format 2: a record counts without a look at the pages that came with it.
    DigestNotChecked,
    /// Format 2: a page is given out again while the commit that freed it may still be lost.
    FreedPageTooEarly,
    /// Format 2: what a journal holds goes to its places before the commit is durable.
    JournalAppliedTooEarly,
    /// Format 2: a journal is given up while an open may need it.
    JournalFreedTooEarly,
    /// Format 2: an open puts a journal's content in place while the commit may still be lost.
    ReplayBeforeSync,
    /// Format 2: a page whose zeros were lost is left as it is.
    LostZerosNotRestored,
    /// Format 2: what an unclean open relies on is not written once more, though a sync of it may have failed.
    NotWrittenAgain,
    /// Format 1: page 0 names what was not flushed yet.
    FlipBeforeFlush,
    /// A sync that failed is taken for one that did not.
    IgnoredSyncError,
}

/// Whether the pager has this bug.
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
        pub const ALL: [Self; 10] = [
            Self::SealBeforeFlush,
            Self::DigestNotChecked,
            Self::FreedPageTooEarly,
            Self::JournalAppliedTooEarly,
            Self::JournalFreedTooEarly,
            Self::ReplayBeforeSync,
            Self::LostZerosNotRestored,
            Self::NotWrittenAgain,
            Self::FlipBeforeFlush,
            Self::IgnoredSyncError,
        ];
    }

    /// Gives the pager this bug, in place of the one it had, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(NONE, |bug| bug as u8), Ordering::SeqCst);
    }

    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as u8
    }
}
