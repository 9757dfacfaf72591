//! Planted bugs of the page file, and the hunt that must catch each.

use mappedpages::canary::Bug;

use super::crash::PageCase;
use crate::disk::Plan;
use crate::trials::canaries::{Bag, Hunt, crash, fail, hunt};
use crate::trials::crash::Settings;
use crate::trials::{Case, Cases};

/// The hunts.
pub const HUNTS: [Hunt; 2] = [Hunt::Crashes, Hunt::Faults];

/// The one that must catch `bug`.
#[must_use]
pub const fn hunt_of(bug: Bug) -> Hunt {
    match bug {
        Bug::IgnoredSyncError | Bug::NotWrittenAgain => Hunt::Faults,
        _ => Hunt::Crashes,
    }
}

/// Hunts through the workloads with small pages until something is found.
#[must_use]
pub fn run(kind: Hunt, seed: u64) -> Bag {
    let cases: Cases = PageCase::all()
        .filter(|case| case.page_len == 1024)
        .map(|case| Box::new(case) as Box<dyn Case>)
        .collect();
    hunt(&cases, |case| {
        if kind == Hunt::Faults {
            return fail(case, seed, 8);
        }
        let settings = case.settings(seed, false);
        let plan = Plan { all_subsets_max: 4, pairs_max: 4, ..settings.plan };
        crash(case, Settings { plan, ..settings })
    })
}
