//! Every call of every workload fails once, in each way a disk can.
//!
//! A workload is played on a disk of which one call fails, or all from one on. The error must blame the disk; the
//! pager must then be closed to everything, and write nothing, or be as it was before, and be able to go on. A full disk
//! never closes it. Then the [`Oracle`] judges what is left: after a kill, after a power cut, and after a
//! kill, more commits and a power cut. Each trial has a word ([`Point`]) that repeats it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use mappedpages::MappedPageError;
use random_access_storage::testing::Faults;

use super::crash::{Case, next_steps};
use super::model::Model;
use super::oracle::Oracle;
use super::play::{Failure, Player};
use super::script::Step;
use super::timeline::{Promise, Timeline};
use crate::disk::{Disk, Plan, Recording};
use crate::log::faults::{KINDS, Kind};
use crate::log::{Counts, panicked};
use crate::random::Random;

/// The subsets of a power cut: a few, as the same power cuts follow thousands of faults.
const FEW: Plan = Plan { all_subsets_max: 1, singles_max: 1, random_subsets: 2, ..Plan::quick(0) };

/// The ways: all but a write that ends inside a sector, which is written whole or not at all, also by a call that fails.
fn kinds() -> impl Iterator<Item = Kind> {
    KINDS.into_iter().filter(|kind| kind.name != "short-write")
}

/// What to try.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Chooses contents, and which calls where not all are tried.
    pub seed: u64,
    /// Calls of each workload and fault that are tried at most, evenly spread.
    pub limit: u64,
    /// Whether to end at the first trial that goes wrong.
    pub stop_at_first: bool,
}

/// One call of one workload, and what happens to it.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// What is done, and how.
    pub case: Case,
    /// What happens.
    pub kind: Kind,
    /// Which of the calls that the fault fits, counted from 1.
    pub nth: u64,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.case.name(), self.kind.name, self.nth)
    }
}

impl FromStr for Point {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.rsplitn(3, '/');
        let nth = words.next().and_then(|word| word.parse().ok()).ok_or(())?;
        let kind = words.next().ok_or(())?;
        let name = words.next().ok_or(())?;
        let kind = kinds().find(|known| known.name == kind).ok_or(())?;
        let case = Case::all().find(|case| case.name() == name).ok_or(())?;
        Ok(Self { case, kind, nth })
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
    /// Workloads, each setting counted.
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
        self.images.enumerated += other.images.enumerated;
        self.images.distinct += other.images.distinct;
        self.wrong.extend(other.wrong);
    }
}

/// Tries `cases`, on as many threads as there are processors.
#[must_use]
pub fn run(cases: &[Case], options: &Options) -> Report {
    let (next, report) = (AtomicUsize::new(0), Mutex::new(Report::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = run_case(case, options);
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
    fn of<const P: usize>(point: &Point, options: &Options) -> Result<(), String> {
        match Stage::<P>::new(&point.case, options.seed)?.try_call(point.kind, point.nth)? {
            Outcome::Held => Ok(()),
            Outcome::NotReached { calls } => Err(format!("there are only {calls} such calls")),
        }
    }
    match point.case.page_len {
        1024 => of::<1024>(point, options),
        _ => of::<4096>(point, options),
    }
}

/// Tries one workload.
#[must_use]
pub fn run_case(case: &Case, options: &Options) -> Report {
    match case.page_len {
        1024 => run_sized::<1024>(case, options),
        _ => run_sized::<4096>(case, options),
    }
}

fn run_sized<const P: usize>(case: &Case, options: &Options) -> Report {
    let mut report = Report { cases: 1, ..Report::default() };
    let at = |kind, nth| Point { case: *case, kind, nth };
    let mut stage = match Stage::<P>::new(case, options.seed) {
        Ok(stage) => stage,
        Err(what) => {
            report.wrong.push(Wrong { point: at(KINDS[0], 0), what });
            return report;
        }
    };
    for kind in kinds() {
        let calls = match stage.try_call(kind, u64::MAX) {
            Ok(Outcome::NotReached { calls }) => calls,
            Ok(Outcome::Held) => u64::MAX,
            Err(what) => {
                report.wrong.push(Wrong { point: at(kind, u64::MAX), what });
                return report;
            }
        };
        let stride = calls.div_ceil(options.limit).max(1);
        let first = Random::along(options.seed, &[calls]).below(stride) + 1;
        for nth in (first..=calls).step_by(stride as usize) {
            report.trials += 1;
            if let Err(what) = stage.try_call(kind, nth) {
                report.wrong.push(Wrong { point: at(kind, nth), what });
                if options.stop_at_first {
                    return report;
                }
            }
        }
    }
    report.images = stage.oracle.counts();
    report
}

/// What a trial came to.
enum Outcome {
    /// The call failed, and the pager took it well.
    Held,
    /// There are fewer calls that the fault fits.
    NotReached {
        /// So many.
        calls: u64,
    },
}

/// A workload, ready to be played, and what is known of its images.
struct Stage<const P: usize> {
    case: Case,
    steps: Vec<Step>,
    /// The states that each step sets out for, without faults.
    wanted: Vec<Vec<Rc<Model>>>,
    plan: Plan,
    oracle: Oracle<P>,
}

impl<const P: usize> Stage<P> {
    fn new(case: &Case, seed: u64) -> Result<Self, String> {
        let steps = (case.workload.script)(&mut Random::new(seed), P);
        let (disk, mut wanted) = (Disk::new(), Vec::new());
        let mut play = || {
            let mut player = Player::<P>::create(&disk, case.setting)?;
            for (at, step) in steps.iter().enumerate() {
                let before = player.timeline().states().len();
                player.step(step).map_err(|failure| failure.at(at, step))?;
                wanted.push(player.timeline().states().skip(before).map(Rc::clone).collect());
            }
            player.kill();
            Ok::<_, Failure>(())
        };
        play().map_err(|failure| format!("without any fault: {failure}"))?;
        let (plan, oracle) = (Plan { seed, ..FEW }, Oracle::new(case.setting));
        Ok(Self { case: *case, steps, wanted, plan, oracle })
    }

    /// A panic is something wrong, too.
    fn try_call(&mut self, kind: Kind, nth: u64) -> Result<Outcome, String> {
        let tried = catch_unwind(AssertUnwindSafe(|| self.play(kind, nth)));
        tried.unwrap_or_else(|panic| Err(panicked(&*panic)))
    }

    /// Plays the workload until the call fails, and judges what comes of it.
    fn play(&mut self, kind: Kind, nth: u64) -> Result<Outcome, String> {
        let (disk, faults) = (Disk::new(), Faults::none());
        let created = Player::<P>::create_with(&disk, self.case.setting, &faults);
        let mut player = created.map_err(|failure| format!("no new file: {failure}"))?;
        kind.plan(&faults, nth);
        let mut steps = self.steps.iter().zip(&self.wanted);
        let (begun, step, wanted, failure) = loop {
            let Some((step, wanted)) = steps.next() else {
                return Ok(Outcome::NotReached { calls: faults.passed() });
            };
            let begun = disk.position();
            match player.attempt(step) {
                Err(failure) => break (begun, step, wanted, Some(failure)),
                Ok(()) if faults.fired() => break (begun, step, wanted, None),
                Ok(()) => {}
            }
        };
        if !faults.fired() {
            let failure = failure.map(|failure| failure.to_string()).unwrap_or_default();
            return Err(format!("fails without a fault: {failure}"));
        }
        let mut healthy = true;
        if let Some(failure) = &failure {
            let is_full = blames_the_disk(failure)?;
            if is_full {
                // The next commit would fail for reasons of its own.
                faults.clear();
            }
            player.failed(begun, wanted);
            healthy = is_healthy(&mut player, &disk, &faults)?;
            if is_full && !healthy && player.open_pager().is_some() {
                return Err("a full disk closed the pager".to_owned());
            }
        }
        faults.clear();
        if healthy {
            let compared = player.compare();
            compared.map_err(|failure| format!("neither closed nor unchanged: {failure}"))?;
            if failure.is_some() {
                let done = player.step(step);
                done.map_err(|failure| format!("tried once more: {failure}"))?;
            }
            let rest = steps.try_for_each(|(step, _)| player.step(step));
            rest.map_err(|failure| format!("after the fault: {failure}"))?;
        }
        let timeline = player.kill();
        self.judge(&disk, &timeline)?;
        Ok(Outcome::Held)
    }

    /// Cuts the power; kills the process; and kills it, opens the file, goes on, and cuts the power.
    fn judge(&mut self, disk: &Disk, timeline: &Timeline) -> Result<(), String> {
        let recording = disk.recording();
        let position = recording.len();
        let promise = timeline.after(position);
        self.cut_power(&recording, &promise)?;
        let killed = self.oracle.judge(&disk.shown(), &promise);
        killed.map_err(|error| format!("after a kill: {error}"))?;

        // What the dead process had not synced is still not synced.
        let disk = recording.at(position);
        let go_on = || {
            let mut player = Player::<P>::resume(&disk, self.case.setting, &promise)?;
            next_steps(P).iter().try_for_each(|step| player.step(step))?;
            Ok::<_, Failure>(player.kill())
        };
        let timeline = go_on().map_err(|failure| format!("killed and opened again: {failure}"))?;
        let recording = disk.recording();
        let judged = self.cut_power(&recording, &timeline.after(recording.len()));
        judged.map_err(|error| format!("killed, opened again, changed: {error}"))
    }

    /// Cuts the power after everything in `recording`.
    fn cut_power(&mut self, recording: &Recording, promise: &Promise) -> Result<(), String> {
        let position = recording.len();
        let mut result = Ok(());
        recording.crashes(position..=position, &self.plan, &mut |crash| {
            if result.is_ok() {
                let judged = self.oracle.judge(&crash.image, promise);
                result =
                    judged.map(drop).map_err(|error| format!("{error}\n  {}", crash.describe()));
            }
        });
        result
    }
}

/// Whether the error says that the disk is full; the others must say that it failed.
fn blames_the_disk(failure: &Failure) -> Result<bool, String> {
    match failure {
        Failure::Refused(MappedPageError::Full) => Ok(true),
        Failure::Refused(MappedPageError::Io(_)) => Ok(false),
        other => Err(format!("a call to the disk failed, and it was told as {other}")),
    }
}

/// Whether the pager that met a fault takes commits. If not it is gone or closed to everything, and must behave so.
fn is_healthy<const P: usize>(
    player: &mut Player<P>,
    disk: &Disk,
    faults: &Faults,
) -> Result<bool, String> {
    let Some(pager) = player.open_pager() else { return Ok(false) };
    // With no pages there is nothing to commit, and yet it tells whether anything could be.
    let mut probe = pager.alloc_bulk(0);
    if matches!(probe, Err(MappedPageError::Io(_))) {
        // The disk still fails.
        faults.clear();
        probe = pager.alloc_bulk(0);
    }
    match probe {
        Ok(_) => return Ok(true),
        Err(MappedPageError::Unavailable) => {}
        Err(error) => return Err(format!("a pager that met a fault says {error:?}")),
    }
    let position = disk.position();
    let results = [
        ("alloc", pager.alloc().map(drop)),
        ("alloc_protected", pager.alloc_protected().map(drop)),
        ("flush", pager.flush()),
        ("transaction", pager.transaction().map(drop)),
    ];
    for (name, result) in results {
        if !matches!(result, Err(MappedPageError::Unavailable)) {
            return Err(format!("{name} on a pager that failed gives {result:?}"));
        }
    }
    if disk.position() != position {
        return Err("a pager that failed wrote".to_owned());
    }
    Ok(false)
}
