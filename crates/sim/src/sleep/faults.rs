//! Every call of every workload fails once, in each way a disk can.
//!
//! A workload is played on a disk of which one call fails, or all from one on. The error must blame the storage; the
//! feed must then be closed to changes, and write nothing, or be as it was before, and be able to go on. Then the
//! [`Oracle`] judges what is left: after a kill, after a power cut, and after a kill, more changes and a power cut. Each
//! trial has a word ([`Point`]) that repeats it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use random_access_storage::testing::{Fault, Faults};
use sleep::Error;

use super::begin::Cast;
use super::crash::{Case, begin, next_steps};
use super::model::Model;
use super::oracle::Oracle;
use super::play::{Failure, Player};
use super::script::Step;
use super::timeline::{Promise, Timeline};
use crate::disk::{Disk, Image, Plan, Recording};
use crate::log::faults::{KINDS, Kind};
use crate::log::{Counts, panicked};
use crate::random::Random;

/// The subsets of a power cut: a few, as the same power cuts follow thousands of faults.
const FEW: Plan = Plan {
    all_subsets_max: 1,
    singles_max: 1,
    random_subsets: 2,
    garbage: |_| &[],
    ..Plan::quick(0)
};

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
        let kind = KINDS.into_iter().find(|known| known.name == kind).ok_or(())?;
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
    /// Workloads, each mode counted.
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
    let cast = Cast::of(point.case.workload.sources);
    match Stage::new(&point.case, &cast, options.seed).try_call(point.kind, point.nth)? {
        Outcome::Held => Ok(()),
        Outcome::NotReached { calls } => Err(format!("there are only {calls} such calls")),
    }
}

/// Tries one workload.
#[must_use]
pub fn run_case(case: &Case, options: &Options) -> Report {
    let mut report = Report { cases: 1, ..Report::default() };
    let at = |kind, nth| Point { case: *case, kind, nth };
    let cast = Cast::of(case.workload.sources);
    let mut stage = Stage::new(case, &cast, options.seed);
    for kind in KINDS {
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
    /// The call failed, and the feed took it well.
    Held,
    /// There are fewer calls that the fault fits.
    NotReached {
        /// So many.
        calls: u64,
    },
}

/// A workload, ready to be played, and what is known of its images.
struct Stage<'a> {
    case: Case,
    cast: &'a Cast,
    prepared: Option<(Image, Rc<Model>)>,
    steps: Vec<Step>,
    plan: Plan,
    oracle: Oracle<'a>,
}

impl<'a> Stage<'a> {
    fn new(case: &Case, cast: &'a Cast, seed: u64) -> Self {
        let Case { workload, durability } = *case;
        Self {
            case: *case,
            cast,
            prepared: workload.begin.prepare(),
            steps: (workload.script)(&mut Random::new(seed)),
            plan: Plan { seed, ..FEW },
            oracle: Oracle::new(workload, durability, cast),
        }
    }

    /// A panic is something wrong, too.
    fn try_call(&mut self, kind: Kind, nth: u64) -> Result<Outcome, String> {
        let tried = catch_unwind(AssertUnwindSafe(|| self.play(kind, nth)));
        tried.unwrap_or_else(|panic| Err(panicked(&*panic)))
    }

    /// Plays the workload until the call fails, and judges what comes of it.
    fn play(&mut self, kind: Kind, nth: u64) -> Result<Outcome, String> {
        let disk = match &self.prepared {
            None => Disk::new(),
            Some((image, _)) => Disk::of(image.clone()),
        };
        let (faults, cast) = (Faults::none(), self.cast);
        kind.plan(&faults, nth);
        let model = self.prepared.as_ref().map(|(_, model)| model);
        let mut player = match begin(&self.case, &disk, model, cast, &faults) {
            Ok(player) => player,
            Err(ended) => {
                let (failure, timeline) = *ended;
                blames_the_storage(&failure, &faults)?;
                self.judge(&disk, &timeline, kind)?;
                return Ok(Outcome::Held);
            }
        };
        let steps = self.steps.clone();
        let mut steps = steps.iter();
        let mut failed = None;
        while !faults.fired() {
            let Some(step) = steps.next() else {
                return Ok(Outcome::NotReached { calls: faults.passed() });
            };
            if let Err(failure) = player.attempt(step) {
                blames_the_storage(&failure, &faults)?;
                failed = Some(step);
            }
        }
        faults.clear();
        if failed.is_none() || is_healthy(&mut player, &disk)? {
            let compared = player.compare();
            compared.map_err(|failure| format!("neither closed nor unchanged: {failure}"))?;
            let rest = failed.into_iter().chain(steps).try_for_each(|step| player.step(step));
            rest.map_err(|failure| format!("after the fault: {failure}"))?;
        }
        self.judge(&disk, &player.kill(), kind)?;
        Ok(Outcome::Held)
    }

    /// Cuts the power; kills the process; and kills it, opens the feed, goes on, and cuts the power.
    fn judge(&mut self, disk: &Disk, timeline: &Timeline, kind: Kind) -> Result<(), String> {
        let recording = disk.recording();
        let position = recording.len();
        let power_cut = timeline.after_power_cut(position + 1);
        self.cut_power(&recording, &power_cut)?;
        // Reads show no more than a power cut leaves where a failed sync has taken it away.
        let reverts = matches!(kind.fault, Fault::SyncLoses);
        let kill = if reverts { power_cut.clone() } else { timeline.after_kill(position + 1) };
        let killed = self.oracle.judge(&disk.shown(), &kill);
        if killed.map_err(|error| format!("after a kill: {error}"))?.is_none() {
            return Ok(());
        }

        // What the dead process had not synced is still not synced.
        let disk = recording.at(position);
        let (durability, cast) = (self.case.durability, self.cast);
        let go_on = || {
            let none = &Faults::none();
            let mut player = Player::resume(&disk, durability, cast, &kill, &power_cut, none)?;
            let steps = next_steps(self.case.workload.role, cast);
            steps.iter().try_for_each(|step| player.step(step))?;
            player.step(&Step::Sync)?;
            Ok::<_, Failure>(player.kill())
        };
        let timeline = go_on().map_err(|failure| format!("killed and opened again: {failure}"))?;
        let recording = disk.recording();
        let judged = self.cut_power(&recording, &timeline.after_power_cut(recording.len()));
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

/// Whether a call failed, and the error says so.
fn blames_the_storage(failure: &Failure, faults: &Faults) -> Result<(), String> {
    match failure {
        _ if !faults.fired() => Err(format!("fails without a fault: {failure}")),
        Failure::Refused(Error::Storage { .. }) => Ok(()),
        other => Err(format!("a call to a store failed, and it was told as {other}")),
    }
}

/// Whether the feed that met a fault takes changes. If not it is gone or closed to all of them, and must behave so.
fn is_healthy(player: &mut Player<'_>, disk: &Disk) -> Result<bool, String> {
    let Some(feed) = player.feed() else { return Ok(false) };
    let position = disk.position();
    // Nothing is appended, and yet it tells whether anything could be.
    let nothing: [&[u8]; 0] = [];
    match feed.append(&nothing) {
        Err(Error::Poisoned) => {}
        Ok(_) | Err(Error::SecretKeyMissing) => return Ok(true),
        Err(error) => return Err(format!("a feed that met a fault says {error:?}")),
    }
    let results = [
        ("append", feed.append(&[b"no"]).map(drop)),
        ("clear", feed.clear(0..1)),
        ("sync", feed.sync()),
    ];
    for (name, result) in results {
        if !matches!(result, Err(Error::Poisoned)) {
            return Err(format!("{name} on a feed that failed gives {result:?}"));
        }
    }
    if disk.position() != position {
        return Err("a feed that failed wrote".to_owned());
    }
    Ok(false)
}
