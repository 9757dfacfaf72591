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

use hypercore_log::{Durability, LogError};

use super::faults::Stage;
use super::model::Model;
use super::oracle::Oracle;
use super::play::{Failure, change};
use super::record::Recorder;
use super::script::{Cast, Role, Script, Step, stores_on};
use super::timeline::{Promise, Timeline};
use super::workloads::{WORKLOADS, Workload};
use crate::chosen::Chosen;
use crate::disk::{Disk, Fill, Plan, Recording, SyncFault};
use crate::random::Random;
use crate::trials::Case;
use crate::trials::crash::{self, Judge, Report, Settings, some};
use crate::trials::faults::{self, Options};

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

/// Something that is done with a log in a mode.
#[derive(Clone, Copy, Debug)]
pub struct LogCase {
    /// What is done.
    pub workload: &'static Workload,
    /// In which mode.
    pub durability: Durability,
}

impl LogCase {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        WORKLOADS.iter().flat_map(|workload| {
            workload.modes.iter().map(move |durability| Self { workload, durability: *durability })
        })
    }
}

/// The word for a mode.
pub(super) const fn mode_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Immediate => "immediate",
        _ => "eventual",
    }
}

/// What fits into a minute for all workloads together: pairs of small windows only are all taken. Or what takes its
/// time.
pub(super) const fn settings(seed: u64, deep: bool) -> Settings {
    match deep {
        true => Settings::new(whole(seed), 64),
        false => Settings::new(Plan { pairs_max: 32, random_subsets: 12, ..whole(seed) }, 4),
    }
}

impl Case for LogCase {
    fn name(&self) -> String {
        format!("{}-{}", self.workload.name, mode_name(self.durability))
    }

    fn workload(&self) -> String {
        self.workload.name.to_owned()
    }

    fn subject(&self) -> &'static str {
        "logs"
    }

    fn settings(&self, seed: u64, deep: bool) -> Settings {
        settings(seed, deep)
    }

    fn crash(&self, settings: &Settings) -> Report {
        let script = (self.workload.script)(&mut Random::new(settings.seed));
        let cast = Cast::of(&script);
        let (durability, judge) = (self.durability, Oracle::new(self.durability));
        let run = crash::Run::new(*settings, judge);
        let mut run = Run { script: &script, cast: &cast, durability, run };
        run.all();
        run.run.report()
    }

    fn stage(&self, options: &Options) -> Result<Option<Box<dyn faults::Stage>>, String> {
        let script = (self.workload.script)(&mut Random::new(options.seed));
        Ok(Some(Box::new(Stage::new(script, self.durability, options))))
    }
}

struct Run<'a> {
    script: &'a Script,
    cast: &'a Cast,
    durability: Durability,
    run: crash::Run<Oracle>,
}

impl Run<'_> {
    fn all(&mut self) {
        let disk = Disk::new();
        let open = || stores_on(&disk);
        let mut recorder =
            Recorder::new(&disk, self.script.role, self.durability, self.cast, &open);
        let played = self.play(&mut recorder);
        if let Err(failure) = played {
            self.run.bad(format!("without any fault: {failure:?}"));
            return;
        }
        let timeline = recorder.timeline().clone();
        let (recording, syncs) = (disk.recording(), disk.syncs());
        self.run.judge.learn(&timeline);
        let Settings { plan, interruptions_max, seed, .. } = self.run.settings;
        let mut chosen = Chosen::new(seed, interruptions_max);
        let promise_at = |position| timeline.after_power_cut(position);
        self.run.cut_power(&recording, 0..=recording.len(), &plan, promise_at, &mut chosen);

        for position in some(0, recording.len() + 1, interruptions_max) {
            let promise = timeline.after_power_cut(position);
            self.kill(&recording.at(position), &timeline.after_kill(position), &promise);
        }
        for (image, promise) in chosen.images {
            self.kill(&Disk::of(image), &promise, &promise);
        }
        for nth in some(0, syncs as usize, interruptions_max) {
            for fault in [SyncFault::Reverts, SyncFault::Lingers] {
                self.fail_sync(nth as u64 + 1, fault);
            }
        }
    }

    fn play(&self, recorder: &mut Recorder<'_>) -> Result<(), Failure> {
        recorder.create()?;
        self.script.steps.iter().try_for_each(|step| recorder.step(step))
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
        self.run.judge.learn(&timeline);
        if let Err(failure) = done {
            self.run.bad(format!("after a kill or a power cut, without any fault: {failure:?}"));
        }
        self.cut_power(&disk.recording(), 1, &timeline);
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
        let is_skipped = self.run.skips_next();
        let describe = || format!("{how} after {position} operations");
        let found = match self.run.judge(&image, shown, describe) {
            Some(observed) => observed.fingerprint,
            // Another image is asked for, and what comes next still has to happen.
            None if is_skipped => self.run.judge.judge(&image, shown).ok()?.fingerprint,
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
            other => return self.run.bad(format!("{how}, and the step said {other:?}")),
        }
        let failed_at = disk.position();
        let timeline = recorder.timeline().clone();
        if let Some(log) = recorder.player().log() {
            match super::oracle::make_change(log, self.script.role) {
                Err(LogError::Poisoned) if disk.position() == failed_at => {}
                other => return self.run.bad(format!("{how}, and the next write said {other:?}")),
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
        self.run.judge.learn(&timeline);
        if let Err(failure) = done {
            self.run.bad(format!("{how}, reopened: {failure:?}"));
        }
        self.cut_power(&disk.recording(), failed_at, &timeline);
    }

    /// Cuts the power after each operation from `from` on, with a quick look at what is left.
    fn cut_power(&mut self, recording: &Recording, from: usize, timeline: &Timeline) {
        let plan = quick(self.run.settings.seed);
        let promise_at = |position| timeline.after_power_cut(position);
        let positions = from..=recording.len();
        self.run.cut_power(recording, positions, &plan, promise_at, &mut Chosen::none());
    }
}
