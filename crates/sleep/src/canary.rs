//! Bugs that can be planted, so that the crash and fault checks show that they would find one.
//!
//! Only a build with `--cfg canary` can plant any. In all others [`planted`] is `false` at compile time and the
//! places that ask it are what they would be without. A bug is planted for the whole process; nothing here knows
//! what it does, only the line that asks for it.
#![cfg_attr(not(canary), expect(unreachable_pub, reason = "public where bugs can be planted"))]

/// A mistake that such a feed could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bug {
    /// An append is signed before its blocks and nodes are on stable storage.
    SignedBeforeSync,
    /// The bits of a batch's nodes are written with those of its blocks, before it is signed.
    NodeBitsBeforeSignature,
    /// Nodes and blocks past the length stay where the next append may be shorter.
    TailNotCut,
    /// The bits of a download are written before what they are of is on stable storage.
    BitsBeforeDownload,
    /// A sync that failed is taken for one that did not.
    IgnoredSyncError,
}

/// Whether feeds have this bug.
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
        pub const ALL: [Self; 5] = [
            Self::SignedBeforeSync,
            Self::NodeBitsBeforeSignature,
            Self::TailNotCut,
            Self::BitsBeforeDownload,
            Self::IgnoredSyncError,
        ];
    }

    /// Gives feeds this bug, in place of the one they had, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(NONE, |bug| bug as u8), Ordering::SeqCst);
    }

    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as u8
    }
}
