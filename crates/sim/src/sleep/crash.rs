//! Every crash of a workload.
//!
//! Three kinds, in this order, which numbers the images:
//! 1. The power fails after each operation.
//! 2. The process is killed after each of some operations; the next one opens the feed, changes it, and the power fails
//!    after each of its operations. What the dead process had not synced is still not synced.
//! 3. The power fails, the feed is opened and changed, and the power fails again, for some images of the first kind.
//!
//! Besides, the oracle lets the power fail in the first change after each crash. Syncs that fail are
//! `faults`.

use std::rc::Rc;

use random_access_storage::testing::Faults;
use sleep::{Durability, Error, FileName};

use super::begin::Cast;
use super::faults::Stage;
use super::model::Model;
use super::oracle::Oracle;
use super::play::{Failure, Player};
use super::script::{Role, Step};
use super::timeline::{Promise, Timeline};
use super::workloads::{WORKLOADS, Workload};
use crate::chosen::Chosen;
use crate::disk::{Disk, Fill, Plan};
use crate::random::Random;
use crate::trials::Case;
use crate::trials::crash::{self, Report, Settings, some};
use crate::trials::faults::{self, Options};

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
    let few = Plan { all_subsets_max: 2, singles_max: 1, random_subsets: 1, ..Plan::quick(seed) };
    Plan { garbage, ..few }
}

/// A workload in a mode.
#[derive(Clone, Copy, Debug)]
pub struct FeedCase {
    /// What is done.
    pub workload: &'static Workload,
    /// When it is durable.
    pub durability: Durability,
}

impl FeedCase {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        WORKLOADS.iter().flat_map(|workload| {
            workload.modes.iter().map(move |durability| Self { workload, durability: *durability })
        })
    }
}

/// What fits into some seconds for all workloads together, with less for long feeds, each image of which takes long.
fn settings(seed: u64, wide: bool) -> Settings {
    let some =
        Plan { all_subsets_max: 2, singles_max: 2, pairs_max: 0, random_subsets: 1, ..whole(seed) };
    let few = Plan { all_subsets_max: 1, singles_max: 1, ..some };
    Settings::new(if wide { some } else { few }, 1)
}

impl Case for FeedCase {
    fn name(&self) -> String {
        let mode = match self.durability {
            Durability::Strict => "strict",
            Durability::Ordered => "ordered",
            _ => "lazy",
        };
        format!("{}-{mode}", self.workload())
    }

    fn workload(&self) -> String {
        format!("sleep/{}", self.workload.name)
    }

    fn subject(&self) -> &'static str {
        "SLEEP feeds"
    }

    fn settings(&self, seed: u64, deep: bool) -> Settings {
        match (deep, self.workload.wide) {
            (true, true) => Settings::new(whole(seed), 32),
            (deep, wide) => settings(seed, deep || wide),
        }
    }

    fn crash(&self, settings: &Settings) -> Report {
        let cast = Rc::new(Cast::of(self.workload.sources));
        let steps = (self.workload.script)(&mut Random::new(settings.seed));
        let oracle = Oracle::new(self.workload, self.durability, &cast);
        let run = crash::Run::new(*settings, oracle);
        let mut run = Run { case: self, steps: &steps, cast: &cast, run };
        run.all();
        run.run.report()
    }

    fn stage(&self, options: &Options) -> Result<Option<Box<dyn faults::Stage>>, String> {
        Ok(Some(Box::new(Stage::new(self, options.seed))))
    }
}

/// Begins a workload on the disk that it begins on.
///
/// # Errors
/// Why it cannot be begun, with the timeline until then.
pub(super) fn begin(
    case: &FeedCase,
    disk: &Disk,
    model: Option<&Rc<Model>>,
    cast: &Rc<Cast>,
    faults: &Faults,
) -> Result<Player, Box<(Failure, Timeline)>> {
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
    case: &'a FeedCase,
    steps: &'a [Step],
    cast: &'a Rc<Cast>,
    run: crash::Run<Oracle>,
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
            Err(failure) => return self.run.bad(format!("without any fault: {failure}")),
        };
        let recording = disk.recording();
        let Settings { plan, interruptions_max, seed, .. } = self.run.settings;
        let mut chosen = Chosen::new(seed, interruptions_max);
        let promise_at = |position| timeline.after_power_cut(position);
        let making = Plan { garbage: |_| &[], ..plan };
        self.run.cut_power(&recording, 0..=made, &making, promise_at, &mut chosen);
        let used = made + 1..=recording.len();
        self.run.cut_power(&recording, used, &plan, promise_at, &mut chosen);

        for position in some(0, recording.len() + 1, interruptions_max) {
            let (shown, kept) = (timeline.after_kill(position), timeline.after_power_cut(position));
            self.go_on(&recording.at(position), &shown, &kept, "killed");
        }
        for (image, promise) in chosen.images {
            self.go_on(&Disk::of(image), &promise, &promise, "after a power cut");
        }
    }

    /// Lets the next process open what `disk` shows, which is one of the states of `shown`, and go on; then cuts the
    /// power after each of its operations. `kept` is what a power cut leaves at first.
    fn go_on(&mut self, disk: &Disk, shown: &Promise, kept: &Promise, how: &str) {
        if self.run.is_over() {
            return;
        }
        match go_on(self.case, disk, shown, kept, self.cast) {
            Err(failure) => self.run.bad(format!("{how}, without any fault: {failure}")),
            Ok((timeline, is_new)) => {
                let mut plan = next_crash(self.run.settings.seed);
                if is_new {
                    plan.garbage = |_| &[];
                }
                let recording = disk.recording();
                let (positions, none) = (1..=recording.len(), &mut Chosen::none());
                let promise_at = |position| timeline.after_power_cut(position);
                self.run.cut_power(&recording, positions, &plan, promise_at, none);
            }
        }
    }
}

/// Lets the next process open what `disk` shows, which is one of the states of `shown`, or make a feed where there is none,
/// and go on. `kept` is what a power cut leaves at first.
///
/// Gives what it went through, and whether it made the feed.
///
/// # Errors
/// See [`Failure`].
pub(super) fn go_on(
    case: &FeedCase,
    disk: &Disk,
    shown: &Promise,
    kept: &Promise,
    cast: &Rc<Cast>,
) -> Result<(Timeline, bool), Failure> {
    let FeedCase { workload, durability } = *case;
    let none = &Faults::none();
    let resumed = Player::resume(disk, durability, cast, shown, kept, none);
    let is_new =
        matches!(resumed, Err(Failure::Refused(Error::NotFound))) && shown.may_be_nothing();
    let mut player = match is_new {
        true => {
            Player::create(disk, workload.role, durability, cast, none).map_err(|ended| ended.0)?
        }
        false => resumed?,
    };
    for (at, step) in next_steps(workload.role, cast).iter().enumerate() {
        player.step(step).map_err(|failure| failure.at(at, step))?;
    }
    player.step(&Step::Sync)?;
    Ok((player.kill(), is_new))
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
