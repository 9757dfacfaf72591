//! Every call of every workload fails once, in each way a disk can.
//!
//! A workload is played on a disk of which one call fails, or all from one on. The error must blame the storage;
//! the handle must then be poisoned, and write nothing, or be as it was before, and be able to go on. Then the
//! [`Oracle`](super::Oracle) judges what is left: after a kill, after a power cut, and after a kill, one more change and a
//! power cut. Each trial has a word ([`Point`]) that repeats it.

mod point;
mod trial;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hypercore_log::Durability;

pub use point::{KINDS, Kind, Point, mode_name};
use trial::{Outcome, Stage};

use super::oracle::Counts;
use super::{WORKLOADS, Workload};
use crate::random::Random;

/// What to try.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Chooses contents, and which calls where not all are tried.
    pub seed: u64,
    /// Calls of each workload, mode and fault that are tried at most, evenly spread; all by default.
    pub limit: u64,
    /// Whether the stores move one byte a call.
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
    /// Workloads, each mode counted.
    pub stages: usize,
    /// Images that were judged.
    pub images: Counts,
    /// What went wrong.
    pub wrong: Vec<Wrong>,
}

/// Tries all workloads, on as many threads as there are processors.
#[must_use]
pub fn run(options: &Options) -> Report {
    let stages: Vec<(&'static Workload, Durability)> = WORKLOADS
        .iter()
        .flat_map(|workload| workload.modes.iter().map(move |mode| (workload, *mode)))
        .collect();
    let next = AtomicUsize::new(0);
    let report = Mutex::new(Report::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((workload, durability)) =
                    stages.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let found = run_workload(workload, *durability, options);
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    report.add(found);
                    if options.stop_at_first && !report.wrong.is_empty() {
                        return;
                    }
                }
            });
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Tries one call.
///
/// # Errors
/// What is wrong, also when there are not that many calls.
pub fn run_point(point: &Point, options: &Options) -> Result<(), String> {
    match try_point(&mut stage(point.workload, point.durability, options), point)? {
        Outcome::Held => Ok(()),
        Outcome::NotReached { calls } => Err(format!("there are only {calls} such calls")),
    }
}

/// Tries one workload.
#[must_use]
pub fn run_workload(
    workload: &'static Workload,
    durability: Durability,
    options: &Options,
) -> Report {
    let mut stage = stage(workload, durability, options);
    let mut report = Report { stages: 1, ..Report::default() };
    for kind in KINDS {
        let at = |nth| Point { workload, durability, kind, nth };
        let calls = match try_point(&mut stage, &at(u64::MAX)) {
            Ok(Outcome::NotReached { calls }) => calls,
            Ok(Outcome::Held) => u64::MAX,
            Err(what) => {
                report.wrong.push(Wrong { point: at(u64::MAX), what });
                return report;
            }
        };
        let stride = calls.div_ceil(options.limit).max(1);
        let first = Random::along(options.seed, &[calls]).below(stride) + 1;
        for nth in (first..=calls).step_by(stride as usize) {
            report.trials += 1;
            if let Err(what) = try_point(&mut stage, &at(nth)) {
                report.wrong.push(Wrong { point: at(nth), what });
                if options.stop_at_first {
                    return report;
                }
            }
        }
    }
    report.images = stage.counts();
    report
}

fn stage(workload: &Workload, durability: Durability, options: &Options) -> Stage {
    let script = (workload.script)(&mut Random::new(options.seed));
    Stage::new(script, durability, options.one_byte, options.seed)
}

/// A panic of the log is something wrong, too.
fn try_point(stage: &mut Stage, point: &Point) -> Result<Outcome, String> {
    let tried = catch_unwind(AssertUnwindSafe(|| stage.run(point)));
    tried.unwrap_or_else(|panic| Err(super::oracle::panicked(&*panic)))
}

impl Report {
    /// Adds what other trials came to.
    pub fn add(&mut self, other: Self) {
        self.trials += other.trials;
        self.stages += other.stages;
        self.images.enumerated += other.images.enumerated;
        self.images.distinct += other.images.distinct;
        self.wrong.extend(other.wrong);
    }
}
