//! Planted bugs of SLEEP feeds, and the hunt that must catch each.

use sleep::canary::Bug;

use super::crash::FeedCase;
use crate::trials::canaries::{Bag, Hunt, crash, fail, hunt};
use crate::trials::{Case, Cases};

/// The hunts.
pub const HUNTS: [Hunt; 2] = [Hunt::Crashes, Hunt::Faults];

/// The one that must catch `bug`.
#[must_use]
pub const fn hunt_of(bug: Bug) -> Hunt {
    match bug {
        Bug::IgnoredSyncError => Hunt::Faults,
        _ => Hunt::Crashes,
    }
}

/// Hunts through the workloads of short feeds until something is found.
#[must_use]
pub fn run(kind: Hunt, seed: u64) -> Bag {
    let cases: Cases = FeedCase::all()
        .filter(|case| case.workload.wide)
        .map(|case| Box::new(case) as Box<dyn Case>)
        .collect();
    hunt(&cases, |case| match kind {
        Hunt::Faults => fail(case, seed, 3),
        _ => crash(case, case.settings(seed, false)),
    })
}
