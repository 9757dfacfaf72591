//! Every crash of a workload.
//!
//! Four kinds, in this order, which numbers the images:
//! 1. The power fails after each operation.
//! 2. The process is killed after each of some operations; the next one reopens, writes, flushes, checkpoints, and the
//!    power fails after each of its operations. What the dead process had not synced is still not synced.
//! 3. The power fails, the log is reopened and written to, and the power fails again, for some images of the first
//!    kind.
//! 4. Each of some syncs fails, in both variants. The handle must be dead then; the log is reopened without a power cut,
//!    written to, flushed, and the power fails after each operation since the failure.

use std::rc::Rc;

use hypercore_log::{Durability, LogError};

use super::model::Model;
use super::oracle::{Counts, Oracle};
use super::play::{Failure, change};
use super::record::Recorder;
use super::script::{Cast, Role, Script, Step, stores_on};
use super::timeline::{Observed, Promise};
use super::workloads::Workload;
use crate::chosen::Chosen;
use crate::disk::{Disk, Fill, Image, Plan, Recording, SyncFault};
use crate::random::Random;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Chooses sizes, contents and subsets.
    pub seed: u64,
    /// Judge this image only.
    pub image: Option<u64>,
    /// Kills, second power cuts and failed syncs that are tried, each.
    pub interruptions_max: usize,
    /// How widely power cuts of the workload itself are searched.
    pub plan: Plan,
    /// Bad images after which the workload is given up.
    pub bad_max: u64,
}

impl Settings {
    /// What fits into a minute for all workloads together: pairs of small windows only are all taken.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let plan = Plan { pairs_max: 64, random_subsets: 24, ..whole(seed) };
        Self { seed, image: None, interruptions_max: 4, plan, bad_max: 100 }
    }

    /// What takes its time.
    #[must_use]
    pub const fn deep(seed: u64) -> Self {
        Self { interruptions_max: 64, plan: whole(seed), ..Self::new(seed) }
    }
}

/// What lost extents of a log's files hold besides zeros: all kinds of garbage, with one exception.
///
/// No old bytes in the oplog: an entry of a header of long ago that stands where the next entry goes has a right
/// checksum and a right bit. File systems that track unwritten extents, or that order bytes before lengths, show zeros
/// there.
#[must_use]
pub fn garbage(file: &str) -> &'static [Fill] {
    match file {
        "oplog" => &[Fill::Random],
        _ => &[Fill::Random, Fill::Stale, Fill::Returned],
    }
}

/// The whole search of a log's window.
#[must_use]
pub const fn whole(seed: u64) -> Plan {
    Plan { garbage, ..Plan::whole(seed) }
}

/// A quick look at a log's window.
#[must_use]
pub const fn quick(seed: u64) -> Plan {
    Plan { garbage, ..Plan::quick(seed) }
}

/// An image that is not right.
#[derive(Clone, Debug)]
pub struct Bad {
    /// Its number.
    pub image: u64,
    /// What is wrong with it, and how it came to be.
    pub what: String,
}

/// What became of a workload.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Images that were judged.
    pub counts: Counts,
    /// How many are bad.
    pub bad: u64,
    /// The first bad one.
    pub first_bad: Option<Bad>,
}

/// Crashes `workload` in all ways.
#[must_use]
pub fn run(workload: &Workload, durability: Durability, settings: &Settings) -> Report {
    let script = (workload.script)(&mut Random::new(settings.seed));
    let cast = Cast::of(&script);
    let mut run = Run {
        script: &script,
        cast: &cast,
        durability,
        settings,
        oracle: Oracle::new(durability),
        next_image: 0,
        report: Report::default(),
    };
    run.all();
    run.report.counts = run.oracle.counts();
    run.report
}

struct Run<'a> {
    script: &'a Script,
    cast: &'a Cast,
    durability: Durability,
    settings: &'a Settings,
    oracle: Oracle,
    next_image: u64,
    report: Report,
}

impl Run<'_> {
    fn all(&mut self) {
        let disk = Disk::new();
        let open = || stores_on(&disk);
        let mut recorder =
            Recorder::new(&disk, self.script.role, self.durability, self.cast, &open);
        let played = self.play(&mut recorder);
        if let Err(failure) = played {
            self.bad(format!("without any fault: {failure:?}"));
            return;
        }
        let timeline = recorder.timeline().clone();
        let (recording, syncs) = (disk.recording(), disk.syncs());
        self.oracle.learn(&timeline);
        let plan = self.settings.plan;
        let mut chosen = Chosen::new(self.settings.seed, self.settings.interruptions_max);
        self.cut_power(
            &recording,
            0,
            &plan,
            |position| timeline.after_power_cut(position),
            &mut chosen,
        );

        for position in some(recording.len() + 1, self.settings.interruptions_max) {
            let promise = timeline.after_power_cut(position);
            self.kill(&recording.at(position), &timeline.after_kill(position), &promise);
        }
        for (image, promise) in chosen.images {
            self.kill(&Disk::of(image), &promise, &promise);
        }
        for nth in some(syncs as usize, self.settings.interruptions_max) {
            for fault in [SyncFault::Reverts, SyncFault::Lingers] {
                self.fail_sync(nth as u64 + 1, fault);
            }
        }
    }

    fn play(&self, recorder: &mut Recorder<'_>) -> Result<(), Failure> {
        recorder.create()?;
        self.script.steps.iter().try_for_each(|step| recorder.step(step))
    }

    /// Cuts the power after each operation from `from` on.
    fn cut_power(
        &mut self,
        recording: &Recording,
        from: usize,
        plan: &Plan,
        promise_at: impl Fn(usize) -> Promise,
        chosen: &mut Chosen<Promise>,
    ) {
        let mut promised: Option<(usize, Rc<Promise>)> = None;
        recording.crashes(from..=recording.len(), plan, &mut |crash| {
            let promise = match &promised {
                Some((position, promise)) if *position == crash.position => Rc::clone(promise),
                _ => {
                    let promise = Rc::new(promise_at(crash.position));
                    promised = Some((crash.position, Rc::clone(&promise)));
                    promise
                }
            };
            chosen.offer(&crash, &promise);
            self.judge(&crash.image, &promise, || crash.describe());
        });
    }

    /// Judges an image, unless another one is asked for.
    fn judge(
        &mut self,
        image: &Image,
        promise: &Promise,
        describe: impl FnOnce() -> String,
    ) -> Option<Rc<Observed>> {
        let number = self.next_image;
        self.next_image += 1;
        if self.report.bad >= self.settings.bad_max
            || self.settings.image.is_some_and(|only| only != number)
        {
            return None;
        }
        match self.oracle.judge(image, promise) {
            Ok(observed) => Some(observed),
            Err(what) => {
                self.note_bad(number, format!("{what}\n  {}", describe()));
                None
            }
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

    /// Lets the next process open what `disk` shows, which is one of the states of `shown`, and write; then cuts the
    /// power after each of its operations. `kept` is what a power cut leaves at first.
    fn kill(&mut self, disk: &Disk, shown: &Promise, kept: &Promise) {
        let open = || stores_on(disk);
        let Some(found) = self.recognise(disk, shown, "killed") else { return };
        let Some(model) = found else { return };
        let timeline = kept.resumed(model.fingerprint());
        let mut recorder =
            Recorder::resumed(disk, model.clone(), self.durability, timeline, self.cast, &open);
        let done = self.go_on(&mut recorder, model.role);
        let timeline = recorder.timeline().clone();
        self.oracle.learn(&timeline);
        if let Err(failure) = done {
            self.bad(format!("after a kill or a power cut, without any fault: {failure:?}"));
        }
        let plan = quick(self.settings.seed);
        let none = &mut Chosen::none();
        self.cut_power(&disk.recording(), 1, &plan, |at| timeline.after_power_cut(at), none);
    }

    /// What a process does that comes after another one.
    fn go_on(&self, recorder: &mut Recorder<'_>, role: Role) -> Result<(), Failure> {
        let steps = [
            Step::Reopen,
            change(role, "the next"),
            Step::Flush,
            change(role, "the one after"),
            Step::Checkpoint,
            change(role, "the last"),
        ];
        steps.iter().try_for_each(|step| recorder.step(step))
    }

    /// Looks at what `disk` shows: a state of `shown`, or no log at all (`Some(None)`).
    fn recognise(&mut self, disk: &Disk, shown: &Promise, how: &str) -> Option<Option<Model>> {
        let position = disk.position();
        let image = disk.shown();
        let only = self.settings.image.filter(|only| *only != self.next_image);
        let found = match self.judge(&image, shown, || format!("{how} after {position} operations"))
        {
            Some(observed) => observed.fingerprint,
            // Another image is asked for, and what comes next still has to happen.
            None if only.is_some() => self.oracle.judge(&image, shown).ok()?.fingerprint,
            None => return None,
        };
        let state = shown.states.iter().find(|state| state.fingerprint == found)?;
        Some(state.model.as_deref().cloned())
    }

    /// Plays the script again with a sync that fails.
    fn fail_sync(&mut self, nth: u64, fault: SyncFault) {
        let disk = Disk::new();
        let open = || stores_on(&disk);
        disk.fail_sync(nth, fault);
        let how = format!("sync {nth} failed, {fault:?}");
        let mut recorder =
            Recorder::new(&disk, self.script.role, self.durability, self.cast, &open);
        match self.play(&mut recorder) {
            Err(Failure::Open(_) | Failure::Log(LogError::Storage(_))) => {}
            other => return self.bad(format!("{how}, and the step said {other:?}")),
        }
        let failed_at = disk.position();
        let timeline = recorder.timeline().clone();
        if let Some(log) = recorder.player().log() {
            match super::oracle::make_change(log, self.script.role) {
                Err(LogError::Poisoned) if disk.position() == failed_at => {}
                other => return self.bad(format!("{how}, and the next write said {other:?}")),
            }
        }
        recorder.player().kill();
        drop(recorder);

        let shown = timeline.after_power_cut(failed_at + 1);
        let Some(found) = self.recognise(&disk, &shown, &how) else { return };
        let Some(model) = found else { return };
        // From here on the timeline of before holds, and goes on.
        let role = model.role;
        let mut recorder =
            Recorder::resumed(&disk, model, self.durability, timeline, self.cast, &open);
        let done = self.go_on(&mut recorder, role);
        let timeline = recorder.timeline().clone();
        self.oracle.learn(&timeline);
        if let Err(failure) = done {
            self.bad(format!("{how}, reopened: {failure:?}"));
        }
        let plan = quick(self.settings.seed);
        let none = &mut Chosen::none();
        let recording = disk.recording();
        self.cut_power(&recording, failed_at, &plan, |at| timeline.after_power_cut(at), none);
    }
}

/// At most `max` numbers below `end`, evenly spread.
fn some(end: usize, max: usize) -> impl Iterator<Item = usize> {
    (0..end.min(max)).map(move |at| at * end / end.min(max))
}
