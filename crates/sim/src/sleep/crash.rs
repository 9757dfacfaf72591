//! Every crash of a workload.
//!
//! Three kinds, in this order, which numbers the images:
//! 1. The power fails after each operation.
//! 2. The process is killed after each of some operations; the next one opens the feed, changes it, and the power fails
//!    after each of its operations. What the dead process had not synced is still not synced.
//! 3. The power fails, the feed is opened and changed, and the power fails again, for some images of the first kind.
//!
//! Besides, the oracle lets the power fail in the first change after each crash. Syncs that fail are
//! [`faults`](super::faults).

use std::ops::RangeInclusive;
use std::rc::Rc;

use random_access_storage::testing::Faults;
use sleep::{Durability, Error, FileName};

use super::begin::Cast;
use super::model::Model;
use super::oracle::Oracle;
use super::play::{Failure, Player};
use super::script::{Role, Step};
use super::timeline::{Promise, Timeline};
use super::workloads::{WORKLOADS, Workload};
use crate::chosen::Chosen;
use crate::disk::{Disk, Fill, Image, Plan, Recording};
use crate::log::crash::{Bad, Report};
use crate::random::Random;

/// What lost extents of a feed's files hold besides zeros: all kinds of garbage, but for the bits and the headers of a
/// feed that is being made. Random bits look like those of a feed that lost its tree, and a header that is wrong is never
/// overwritten.
#[must_use]
pub fn garbage(file: &str) -> &'static [Fill] {
    if file == FileName::Bitfield.as_str() {
        &[]
    } else {
        &[Fill::Random, Fill::Stale, Fill::Returned]
    }
}

/// The whole search of a feed's window.
#[must_use]
pub const fn whole(seed: u64) -> Plan {
    Plan { garbage, ..Plan::whole(seed) }
}

/// A glance at a feed's window, for crashes after crashes, of which there are many.
#[must_use]
pub const fn next_crash(seed: u64) -> Plan {
    let few = Plan { all_subsets_max: 2, singles_max: 1, random_subsets: 2, ..Plan::quick(seed) };
    Plan { garbage, ..few }
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Chooses contents and subsets.
    pub seed: u64,
    /// Judge this image only.
    pub image: Option<u64>,
    /// Kills and second power cuts that are tried, each.
    pub interruptions_max: usize,
    /// How widely power cuts of the workload itself are searched.
    pub plan: Plan,
    /// Bad images after which the workload is given up.
    pub bad_max: u64,
}

impl Settings {
    /// What fits into some seconds for all workloads together.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let plan = Plan {
            all_subsets_max: 3,
            singles_max: 3,
            pairs_max: 0,
            random_subsets: 2,
            ..whole(seed)
        };
        Self { seed, image: None, interruptions_max: 2, plan, bad_max: 100 }
    }

    /// The same for long feeds, each image of which takes long.
    const fn narrow(&self) -> Self {
        let plan = Plan {
            all_subsets_max: 1,
            singles_max: 1,
            pairs_max: 0,
            random_subsets: 1,
            ..self.plan
        };
        Self { interruptions_max: 1, plan, ..*self }
    }

    /// What takes its time.
    #[must_use]
    pub const fn deep(seed: u64) -> Self {
        Self { interruptions_max: 32, plan: whole(seed), ..Self::new(seed) }
    }
}

/// A workload in a mode.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What is done.
    pub workload: &'static Workload,
    /// When it is durable.
    pub durability: Durability,
}

impl Case {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        WORKLOADS.iter().flat_map(|workload| {
            workload.modes.iter().map(move |durability| Self { workload, durability: *durability })
        })
    }

    /// Its name, which tells it from all others.
    #[must_use]
    pub fn name(&self) -> String {
        let mode = match self.durability {
            Durability::Strict => "strict",
            Durability::Ordered => "ordered",
            _ => "lazy",
        };
        format!("sleep/{}-{mode}", self.workload.name)
    }

    /// Crashes it in all ways.
    #[must_use]
    pub fn run(&self, settings: &Settings) -> Report {
        let cast = Cast::of(self.workload.sources);
        let mut run = Run {
            case: self,
            steps: &(self.workload.script)(&mut Random::new(settings.seed)),
            cast: &cast,
            settings: if self.workload.wide { *settings } else { settings.narrow() },
            oracle: Oracle::new(self.workload, self.durability, &cast),
            next_image: 0,
            report: Report::default(),
        };
        run.all();
        run.report.counts = run.oracle.counts();
        run.report
    }
}

/// Begins a workload on the disk that it begins on.
///
/// # Errors
/// Why it cannot be begun, with the timeline until then.
pub(super) fn begin<'a>(
    case: &Case,
    disk: &Disk,
    model: Option<&Rc<Model>>,
    cast: &'a Cast,
    faults: &Faults,
) -> Result<Player<'a>, Box<(Failure, Timeline)>> {
    let (role, durability) = (case.workload.role, case.durability);
    match model {
        None => Player::create(disk, role, durability, cast, faults),
        Some(model) => {
            let timeline = Timeline::new(Some(Rc::clone(model)));
            let promise = timeline.after_power_cut(0);
            Player::resume(disk, durability, cast, &promise, &promise, faults)
                .map_err(|failure| Box::new((failure, timeline)))
        }
    }
}

struct Run<'a> {
    case: &'a Case,
    steps: &'a [Step],
    cast: &'a Cast,
    settings: Settings,
    oracle: Oracle<'a>,
    next_image: u64,
    report: Report,
}

impl Run<'_> {
    fn all(&mut self) {
        let prepared = self.case.workload.begin.prepare();
        let disk = prepared.as_ref().map_or_else(Disk::new, |(image, _)| Disk::of(image.clone()));
        let model = prepared.as_ref().map(|(_, model)| model);
        let played = begin(self.case, &disk, model, self.cast, &Faults::none());
        let made = disk.position();
        let played = played.map_err(|ended| ended.0).and_then(|mut player| {
            for (at, step) in self.steps.iter().enumerate() {
                player.step(step).map_err(|failure| failure.at(at, step))?;
            }
            Ok(player.kill())
        });
        let timeline = match played {
            Ok(timeline) => timeline,
            Err(failure) => return self.bad(format!("without any fault: {failure}")),
        };
        let recording = disk.recording();
        let mut chosen = Chosen::new(self.settings.seed, self.settings.interruptions_max);
        let plan = self.settings.plan;
        let making = Plan { garbage: |_| &[], ..plan };
        self.cut_power(&recording, 0..=made, &making, &timeline, &mut chosen);
        self.cut_power(&recording, made + 1..=recording.len(), &plan, &timeline, &mut chosen);

        for position in some(recording.len() + 1, self.settings.interruptions_max) {
            let (shown, kept) = (timeline.after_kill(position), timeline.after_power_cut(position));
            self.go_on(&recording.at(position), &shown, &kept, "killed");
        }
        for (image, promise) in chosen.images {
            self.go_on(&Disk::of(image), &promise, &promise, "after a power cut");
        }
    }

    /// Cuts the power after each operation of `positions`.
    fn cut_power(
        &mut self,
        recording: &Recording,
        positions: RangeInclusive<usize>,
        plan: &Plan,
        timeline: &Timeline,
        chosen: &mut Chosen<Promise>,
    ) {
        let mut promised: Option<(usize, Rc<Promise>)> = None;
        recording.crashes(positions, plan, &mut |crash| {
            let promise = match &promised {
                Some((position, promise)) if *position == crash.position => Rc::clone(promise),
                _ => {
                    let promise = Rc::new(timeline.after_power_cut(crash.position));
                    promised = Some((crash.position, Rc::clone(&promise)));
                    promise
                }
            };
            chosen.offer(&crash, &promise);
            self.judge(&crash.image, &promise, || crash.describe());
        });
    }

    /// Judges an image, unless another one is asked for.
    fn judge(&mut self, image: &Image, promise: &Promise, describe: impl FnOnce() -> String) {
        let number = self.next_image;
        self.next_image += 1;
        let is_wanted = self.settings.image.is_none_or(|only| only == number);
        if self.report.bad >= self.settings.bad_max || !is_wanted {
            return;
        }
        if let Err(what) = self.oracle.judge(image, promise) {
            self.note_bad(number, format!("{what}\n  {}", describe()));
        }
    }

    fn note_bad(&mut self, image: u64, what: String) {
        self.report.bad += 1;
        self.report.first_bad.get_or_insert(Bad { image, what });
    }

    /// Something that is wrong and is no image: it has a number as if it were one.
    fn bad(&mut self, what: String) {
        let number = self.next_image;
        self.next_image += 1;
        if self.settings.image.is_none_or(|only| only == number) {
            self.note_bad(number, what);
        }
    }

    /// Lets the next process open what `disk` shows, which is one of the states of `shown`, and go on; then cuts the
    /// power after each of its operations. `kept` is what a power cut leaves at first.
    fn go_on(&mut self, disk: &Disk, shown: &Promise, kept: &Promise, how: &str) {
        if self.report.bad >= self.settings.bad_max {
            return;
        }
        let Case { workload, durability } = self.case;
        let none = &Faults::none();
        let mut is_new = false;
        let begun = match Player::resume(disk, *durability, self.cast, shown, kept, none) {
            Err(Failure::Refused(Error::NotFound)) if shown.may_be_nothing() => {
                is_new = true;
                Player::create(disk, workload.role, *durability, self.cast, none)
                    .map_err(|ended| ended.0)
            }
            resumed => resumed,
        };
        let done = begun.and_then(|mut player| {
            for (at, step) in next_steps(workload.role, self.cast).iter().enumerate() {
                player.step(step).map_err(|failure| failure.at(at, step))?;
            }
            Ok(player.kill())
        });
        match done {
            Err(failure) => self.bad(format!("{how}, without any fault: {failure}")),
            Ok(timeline) => {
                let mut plan = next_crash(self.settings.seed);
                if is_new {
                    plan.garbage = |_| &[];
                }
                let recording = disk.recording();
                let positions = 1..=recording.len();
                self.cut_power(&recording, positions, &plan, &timeline, &mut Chosen::none());
            }
        }
    }
}

/// What a process does that comes after another one: other batches than any script has.
pub(super) fn next_steps(role: Role, cast: &Cast) -> Vec<Step> {
    let block = |len: usize| vec![0x5a; len];
    match role {
        Role::Writer => vec![
            Step::Append(vec![block(2)]),
            Step::Append(vec![block(30), block(0), block(7)]),
            Step::Reopen,
            Step::Append(vec![block(1)]),
        ],
        Role::Reader => {
            let source = cast.feeds.len() - 1;
            let last = cast.models[source].length() - 1;
            [2, last, 3].map(|block| Step::Put { source, block }).into()
        }
    }
}

/// At most `max` numbers below `end`, evenly spread.
fn some(end: usize, max: usize) -> impl Iterator<Item = usize> {
    (0..end.min(max)).map(move |at| at * end / end.min(max))
}
