//! How far back the history of an open log was rewritten: for readers that have seen a part of it.
//!
//! Kept in memory, from the opening on, and changed together with the tree: whoever reads before and after a truncation
//! can tell which of the blocks it has read are still those of the log. Knows nothing of what is stored.

use crate::log::Log;
use crate::state::Head;

/// The most truncations that are told apart. Beyond it the two oldest count as one, which kept as little as the
/// lower of them.
const CUTS_MAX: usize = 256;

/// What became of a log since it had an earlier fork; see [`Log::moved_since`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// The head now.
    pub head: Head,
    /// Blocks, counted from the first, that all forks since then have in common. `None` while the fork is the same.
    pub kept: Option<u64>,
}

/// The truncations of a log since it was opened, as far as a later one did not reach below them: forks and lengths both
/// rise from each to the next.
#[derive(Debug, Default)]
pub(crate) struct Cuts(Vec<Cut>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    fork: u64,
    /// Blocks that stayed.
    kept: u64,
}

impl Cuts {
    /// The log was cut to `kept` blocks, and has `fork` from then on.
    pub(crate) fn add(&mut self, fork: u64, kept: u64) {
        while self.0.pop_if(|cut| cut.kept >= kept).is_some() {}
        self.0.push(Cut { fork, kept });
        if self.0.len() > CUTS_MAX {
            let oldest = self.0.remove(0);
            if let Some(cut) = self.0.first_mut() {
                cut.kept = oldest.kept;
            }
        }
    }

    /// Blocks that all forks after `fork` have in common with it.
    fn kept_since(&self, fork: u64) -> Option<u64> {
        self.0.iter().find(|cut| cut.fork > fork).map(|cut| cut.kept)
    }
}

impl Log {
    /// The head, and how much of the history is still what it was when the log had `fork`, at one moment. It must have had
    /// that fork since it was opened.
    #[must_use]
    pub fn moved_since(&self, fork: u64) -> Moved {
        let state = self.read_state();
        Moved { head: state.head(), kept: state.cuts.kept_since(fork) }
    }

    /// What [`moved_since`](Self::moved_since) tells of the history, without the head.
    #[must_use]
    pub fn kept_since(&self, fork: u64) -> Option<u64> {
        self.read_state().cuts.kept_since(fork)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_truncations_since_a_fork_count(
            steps in proptest::collection::vec((1_u64..4, 0_u64..20), 0..60),
        ) {
            let mut cuts = Cuts::default();
            let mut all = Vec::new();
            let mut fork = 0;
            for (rise, kept) in steps {
                fork += rise;
                cuts.add(fork, kept);
                all.push((fork, kept));
                for since in 0..=fork {
                    let later = all.iter().filter(|(fork, _)| *fork > since);
                    prop_assert_eq!(cuts.kept_since(since), later.map(|(_, kept)| *kept).min());
                }
            }
        }
    }

    #[test]
    fn of_very_many_truncations_the_oldest_count_as_one() {
        let mut cuts = Cuts::default();
        for fork in 1..10_000 {
            cuts.add(fork, fork);
        }
        assert_eq!(cuts.0.len(), CUTS_MAX);
        assert_eq!(cuts.kept_since(0), Some(1));
        assert_eq!(cuts.kept_since(5_000), Some(1), "less than it was, never more");
        assert_eq!(cuts.kept_since(9_998), Some(9_999));
        assert_eq!(cuts.kept_since(9_999), None);
    }
}
