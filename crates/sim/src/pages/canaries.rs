//! Planted bugs of the page file, each of which must be caught: what shows that a clean run of the checks means
//! something.
//!
//! A hunt is one of the checks over all workloads until it finds something. Which bug is planted is nothing a hunt
//! knows.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mappedpages::canary::Bug;

use super::crash::{Case, Settings};
use super::faults::{self, Options};
use crate::disk::Plan;
use crate::log::canaries::Bag;
use crate::log::panicked;

/// A check that hunts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hunt {
    /// [`Case::run`]: power cuts and kills.
    Crashes,
    /// [`faults::run_case`]: calls that fail.
    Faults,
}

impl Hunt {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Crashes, Self::Faults];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crashes => "crash",
            Self::Faults => "faults",
        }
    }

    /// The one that must catch `bug`.
    #[must_use]
    pub const fn of(bug: Bug) -> Self {
        match bug {
            Bug::IgnoredSyncError | Bug::NotWrittenAgain => Self::Faults,
            _ => Self::Crashes,
        }
    }

    /// What was looked at, and what was found.
    fn look(self, case: &Case, seed: u64) -> (u64, Option<String>) {
        match self {
            Self::Crashes => {
                let settings = Settings::new(seed);
                let plan = Plan { all_subsets_max: 4, pairs_max: 4, ..settings.plan };
                let report = case.run(&Settings { bad_max: 1, plan, ..settings });
                (report.counts.enumerated, report.first_bad.map(|bad| bad.what))
            }
            Self::Faults => {
                let report =
                    faults::run_case(case, &Options { seed, limit: 8, stop_at_first: true });
                (report.trials, report.wrong.into_iter().next().map(|wrong| wrong.what))
            }
        }
    }
}

/// Hunts through the workloads with small pages until something is found.
#[must_use]
pub fn run(hunt: Hunt, seed: u64) -> Bag {
    let cases: Vec<Case> = Case::all().filter(|case| case.page_len == 1024).collect();
    let (next, found) = (AtomicUsize::new(0), AtomicBool::new(false));
    let bag = Mutex::new(Bag::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed))
                    && !found.load(Ordering::Relaxed)
                {
                    let looked = std::panic::catch_unwind(|| hunt.look(case, seed));
                    let (count, what) = looked.unwrap_or_else(|panic| (0, Some(panicked(&*panic))));
                    let mut bag = bag.lock().expect("no panic");
                    bag.looked_at += count;
                    if let Some(what) = what {
                        found.store(true, Ordering::Relaxed);
                        bag.caught.get_or_insert((case.name(), what));
                    }
                }
            });
        }
    });
    bag.into_inner().expect("no panic")
}
