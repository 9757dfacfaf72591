//! Hunts for planted bugs, each of which must be caught: what shows that a clean run of the checks means something.
//!
//! A hunt is one of the checks over some cases until it finds something. Which bug is planted is nothing a hunt knows.

use std::sync::{Mutex, PoisonError};

use super::crash::Settings;
use super::faults::{self, Options};
use super::{Case, Cases, caught, on_all_cores};

/// A check that hunts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hunt {
    /// Power cuts, kills, failed syncs.
    Crashes,
    /// Calls that fail.
    Faults,
    /// Each byte of each file changed: no block may have other bytes than were written.
    Damage,
}

impl Hunt {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crashes => "crash",
            Self::Faults => "faults",
            Self::Damage => "damage",
        }
    }
}

/// What a hunt came to.
#[derive(Clone, Debug, Default)]
pub struct Bag {
    /// Images, failed calls or changed bytes that were looked at.
    pub looked_at: u64,
    /// The case in which something was found, and what.
    pub caught: Option<(String, String)>,
}

/// What a look at one case came to: how much was looked at, and what was found.
pub(crate) type Look = (u64, Option<String>);

/// Looks at `cases` until something is found.
pub(crate) fn hunt(cases: &Cases, look: impl Fn(&dyn Case) -> Look + Sync) -> Bag {
    let bag = Mutex::new(Bag::default());
    on_all_cores(cases, |case| {
        let (looked_at, found) = caught(|| Ok(look(case))).unwrap_or_else(|what| (0, Some(what)));
        let mut bag = bag.lock().unwrap_or_else(PoisonError::into_inner);
        bag.looked_at += looked_at;
        if let Some(what) = found {
            bag.caught.get_or_insert_with(|| (case.name(), what));
        }
        bag.caught.is_some()
    });
    bag.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Crashes a case up to the first bad image.
pub(crate) fn crash(case: &dyn Case, settings: Settings) -> Look {
    let report = case.crash(&Settings { bad_max: 1, ..settings });
    (report.counts.enumerated, report.first_bad.map(|bad| bad.what))
}

/// Lets calls of a case fail, `limit` for each fault, up to the first trial that goes wrong.
pub(crate) fn fail(case: &dyn Case, seed: u64, limit: u64) -> Look {
    let options = Options { limit, stop_at_first: true, ..Options::new(seed) };
    let report = faults::run_case(case, &options);
    let wrong = report.wrong.into_iter().next();
    (report.trials, wrong.map(|wrong| format!("{}: {}", wrong.point, wrong.what)))
}
