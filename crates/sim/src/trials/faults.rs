//! Every call of a case fails once, in each way a disk can.
//!
//! A case is played on a disk of which one call fails, or all from one on; how it must take that is known to its
//! [`Stage`]. Each trial has a word ([`Point`]) that repeats it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use random_access_storage::testing::{Fault, Faults};

use super::{Case, Counts, caught, on_all_cores};
use crate::disk::{Plan, Recording};
use crate::random::Random;
use crate::trials::crash::Judge;

/// The subsets of a power cut: a few, as the same power cuts follow thousands of faults. What lost extents hold is a
/// matter of the crashes themselves.
pub(crate) const FEW: Plan = Plan {
    all_subsets_max: 1,
    singles_max: 1,
    random_subsets: 2,
    garbage: |_| &[],
    ..Plan::quick(0)
};

/// A way for a disk to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The word for it.
    pub name: &'static str,
    /// What happens to a call.
    pub fault: Fault,
    /// Whether it happens to all later ones as well.
    pub lasting: bool,
}

/// All of them.
pub const KINDS: [Kind; 12] = [
    once("io", Fault::Io),
    once("full", Fault::StorageFull),
    once("short-read", Fault::ShortRead),
    once("short-write", Fault::ShortWrite { kept: 7 }),
    once("torn-write", Fault::ShortWrite { kept: 700 }),
    once("sync-keeps", Fault::SyncKeeps),
    once("sync-loses", Fault::SyncLoses),
    once("sync-lingers", Fault::SyncLingers),
    lasting("io-lasts", Fault::Io),
    lasting("full-lasts", Fault::StorageFull),
    lasting("sync-loses-lasts", Fault::SyncLoses),
    lasting("sync-lingers-lasts", Fault::SyncLingers),
];

const fn once(name: &'static str, fault: Fault) -> Kind {
    Kind { name, fault, lasting: false }
}

const fn lasting(name: &'static str, fault: Fault) -> Kind {
    Kind { name, fault, lasting: true }
}

impl Kind {
    /// Plans it for the `nth` call from now that it fits.
    pub(crate) fn plan(&self, faults: &Faults, nth: u64) {
        if self.lasting { faults.set_from(nth, self.fault) } else { faults.set(nth, self.fault) }
    }

    /// Whether a failed call takes bytes away that could be read before.
    pub(crate) const fn reverts(&self) -> bool {
        matches!(self.fault, Fault::SyncLoses)
    }
}

/// What to try.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Chooses contents, and which calls where not all are tried.
    pub seed: u64,
    /// Calls of each case and fault that are tried at most, evenly spread; all by default.
    pub limit: u64,
    /// Whether the stores move one byte a call, where a case has such stores.
    pub one_byte: bool,
    /// Whether to end at the first trial that goes wrong.
    pub stop_at_first: bool,
}

impl Options {
    /// Every call.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, limit: u64::MAX, one_byte: false, stop_at_first: false }
    }
}

/// One call of one case, and what happens to it.
#[derive(Clone, Debug)]
pub struct Point {
    /// The name of the case.
    pub case: String,
    /// What happens.
    pub kind: Kind,
    /// Which of the calls that the fault fits, counted from 1 over all files.
    pub nth: u64,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.case, self.kind.name, self.nth)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.rsplit_once('/').and_then(|(rest, nth)| Some((rest.rsplit_once('/')?, nth)));
        let ((case, kind), nth) = parts.ok_or_else(|| format!("{text} is not CASE/FAULT/CALL"))?;
        let kind = KINDS.into_iter().find(|known| known.name == kind);
        Ok(Self {
            case: case.to_owned(),
            kind: kind.ok_or_else(|| format!("{text} names no fault"))?,
            nth: nth.parse().map_err(|_| format!("{text} names no call"))?,
        })
    }
}

/// A trial that went wrong.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// The trial.
    pub point: Point,
    /// What is wrong.
    pub what: String,
}

/// What the trials came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Calls that failed.
    pub trials: u64,
    /// Cases whose calls failed.
    pub cases: usize,
    /// Images that were judged.
    pub images: Counts,
    /// What went wrong.
    pub wrong: Vec<Wrong>,
}

impl Report {
    /// Adds what other trials came to.
    pub fn add(&mut self, other: Self) {
        self.trials += other.trials;
        self.cases += other.cases;
        self.images.add(other.images);
        self.wrong.extend(other.wrong);
    }
}

/// What a trial came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The call failed, and it was taken well.
    Held,
    /// There are fewer calls that the fault fits.
    NotReached {
        /// So many.
        calls: u64,
    },
}

/// A case, ready to be played again and again, and what is known of its images.
pub trait Stage {
    /// Whether a disk below it may fail so.
    fn fits(&self, _kind: Kind) -> bool {
        true
    }

    /// Plays the case until the `nth` call that the fault fits, and judges what comes of it.
    ///
    /// # Errors
    /// What is wrong.
    fn play(&mut self, kind: Kind, nth: u64) -> Result<Outcome, String>;

    /// Images that were judged.
    fn counts(&self) -> Counts;
}

/// Tries `cases`, on as many threads as there are processors.
#[must_use]
pub fn run(cases: &[Box<dyn Case>], options: &Options) -> Report {
    let report = Mutex::new(Report::default());
    on_all_cores(cases, |case| {
        let found = run_case(case, options);
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
        report.add(found);
        options.stop_at_first && !report.wrong.is_empty()
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Tries one call.
///
/// # Errors
/// What is wrong, also when there is no such case, or not that many calls.
pub fn run_point(cases: &[Box<dyn Case>], point: &Point, options: &Options) -> Result<(), String> {
    let case = cases.iter().find(|case| case.name() == point.case);
    let stage = case.map(|case| case.stage(options)).transpose()?.flatten();
    let mut stage = stage.ok_or_else(|| format!("no calls fail in {}", point.case))?;
    match caught(|| stage.play(point.kind, point.nth))? {
        Outcome::Held => Ok(()),
        Outcome::NotReached { calls } => Err(format!("there are only {calls} such calls")),
    }
}

/// Tries one case.
#[must_use]
pub fn run_case(case: &dyn Case, options: &Options) -> Report {
    let mut report = Report::default();
    let wrong = |kind, nth, what| Wrong { point: Point { case: case.name(), kind, nth }, what };
    let mut stage = match caught(|| case.stage(options)) {
        Ok(Some(stage)) => stage,
        Ok(None) => return report,
        Err(what) => {
            report.wrong.push(wrong(KINDS[0], 0, what));
            return report;
        }
    };
    report.cases = 1;
    for kind in KINDS {
        if !stage.fits(kind) {
            continue;
        }
        let calls = match caught(|| stage.play(kind, u64::MAX)) {
            Ok(Outcome::NotReached { calls }) => calls,
            Ok(Outcome::Held) => u64::MAX,
            Err(what) => {
                report.wrong.push(wrong(kind, u64::MAX, what));
                break;
            }
        };
        let stride = calls.div_ceil(options.limit).max(1);
        let first = Random::along(options.seed, &[calls]).below(stride) + 1;
        for nth in (first..=calls).step_by(stride as usize) {
            report.trials += 1;
            if let Err(what) = caught(|| stage.play(kind, nth)) {
                report.wrong.push(wrong(kind, nth, what));
                if options.stop_at_first {
                    return report;
                }
            }
        }
    }
    report.images = stage.counts();
    report
}

/// Cuts the power after everything in `recording`.
///
/// # Errors
/// What is wrong with the first image that is.
pub(crate) fn cut_power<J: Judge>(
    judge: &mut J,
    recording: &Recording,
    plan: &Plan,
    promise: &J::Promise,
) -> Result<(), String> {
    let end = recording.len();
    recording
        .try_crashes(end..=end, plan, &mut |crash| judge.judge(&crash.image, promise).map(drop))
}
