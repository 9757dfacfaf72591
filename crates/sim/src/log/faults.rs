//! Every call of every workload fails once, in each way a disk can.
//!
//! The error must blame the storage; the handle must then be poisoned, and write nothing, or be as it was before, and be
//! able to go on. Then the [`Oracle`] judges what is left: after a kill, after a power cut, and after a kill, one more
//! change and a power cut.

use hypercore_log::{Durability, Log, LogError, OpenError, Stores};
use random_access_storage::testing::{Faults, OneByte};

use super::model::Model;
use super::oracle::Oracle;
use super::play::{Failure, change};
use super::record::Recorder;
use super::script::{Cast, Script, Step, stores_of};
use super::timeline::{NOTHING, Timeline};
use crate::disk::{Disk, Plan};
use crate::trials::Counts;
use crate::trials::crash::Judge;
use crate::trials::faults::{self, FEW, Kind, Options, Outcome, cut_power};

/// A power cut that loses nothing.
const ALL: Plan = Plan { all_subsets_max: 0, singles_max: 0, random_subsets: 0, ..FEW };

/// A workload in one mode, ready to be played, and what is known of its images.
pub(super) struct Stage {
    script: Script,
    cast: Cast,
    durability: Durability,
    one_byte: bool,
    plan: Plan,
    oracle: Oracle,
}

impl Stage {
    pub(super) fn new(script: Script, durability: Durability, options: &Options) -> Self {
        let cast = Cast::of(&script);
        let Options { seed, one_byte, .. } = *options;
        // Bytes written one by one are kept all: any subset of them is nothing a medium leaves.
        let few = if one_byte { ALL } else { FEW };
        let (plan, oracle) = (Plan { seed, ..few }, Oracle::new(durability));
        Self { script, cast, durability, one_byte, plan, oracle }
    }

    /// Cuts the power; kills the process; and kills it, opens the log, changes it, and cuts the power.
    fn judge(&mut self, disk: &Disk, timeline: &Timeline, kind: Kind) -> Result<(), String> {
        self.oracle.learn(timeline);
        let recording = disk.recording();
        let position = recording.len();
        let power_cut = timeline.after_power_cut(position);
        cut_power(&mut self.oracle, &recording, &self.plan, &power_cut)?;
        let kill = if kind.reverts() { power_cut.clone() } else { timeline.after_kill(position) };
        let observed = self.oracle.judge(&disk.shown(), &kill);
        let found = observed.map_err(|error| format!("after a kill: {error}"))?.fingerprint;
        if found == NOTHING {
            return Ok(());
        }
        let state = kill.states.iter().rfind(|state| state.fingerprint == found);
        let model = state.and_then(|state| state.model.as_deref()).ok_or("no such state")?.clone();

        // What the dead process had not synced is still not synced.
        let disk = recording.at(position);
        let open = || faulty_stores(&disk, &Faults::none(), self.one_byte);
        let (role, timeline) = (model.role, power_cut.resumed(found));
        let mut recorder =
            Recorder::resumed(&disk, model, self.durability, timeline, &self.cast, &open);
        for step in [Step::Reopen, change(role, "after a kill"), Step::Flush] {
            let done = recorder.step(&step);
            done.map_err(|failure| format!("killed and reopened: {failure:?}"))?;
        }
        let timeline = recorder.timeline().clone();
        drop(recorder);
        self.oracle.learn(&timeline);
        let recording = disk.recording();
        let power_cut = timeline.after_power_cut(recording.len());
        let judged = cut_power(&mut self.oracle, &recording, &self.plan, &power_cut);
        judged.map_err(|error| format!("killed, reopened, changed: {error}"))
    }
}

impl faults::Stage for Stage {
    fn counts(&self) -> Counts {
        self.oracle.counts()
    }

    fn play(&mut self, kind: Kind, nth: u64) -> Result<Outcome, String> {
        let (disk, faults) = (Disk::new(), Faults::none());
        kind.plan(&faults, nth);
        let open = || faulty_stores(&disk, &faults, self.one_byte);
        let role = self.script.role;
        let mut recorder = Recorder::new(&disk, role, self.durability, &self.cast, &open);

        recorder.player().may_lose_snapshots();
        let mut steps = self.script.steps.iter();
        let mut step = None;
        let mut before = recorder.player().model().clone();
        let mut result = recorder.create();
        while result.is_ok() && !faults.fired() {
            step = steps.next();
            let Some(step) = step else {
                return Ok(Outcome::NotReached { calls: faults.passed() });
            };
            before = recorder.player().model().clone();
            result = recorder.attempt(step);
        }
        if !faults.fired() {
            return Err(format!("fails without a fault: {result:?}"));
        }
        let mut again = None;
        let healthy = match result {
            Ok(()) => true,
            Err(failure) => {
                blames_the_storage(&failure)?;
                again = step;
                is_healthy(&mut recorder, &before, kind, &disk)?
            }
        };
        faults.clear();
        if healthy {
            if let (Some(step), Some(log)) = (again, recorder.player().log()) {
                if let Some(difference) = before.difference(log) {
                    return Err(format!("neither poisoned nor unchanged: {difference}"));
                }
                let done = recorder.again(step);
                done.map_err(|failure| format!("tried once more: {failure:?}"))?;
            }
            let compared = recorder.player().compare();
            let rest = compared.and_then(|()| steps.try_for_each(|step| recorder.step(step)));
            rest.map_err(|failure| format!("after the fault: {failure:?}"))?;
        }
        recorder.player().kill();
        let timeline = recorder.timeline().clone();
        drop(recorder);
        self.judge(&disk, &timeline, kind)?;
        Ok(Outcome::Held)
    }
}

/// Whether the error says that a store failed.
fn blames_the_storage(failure: &Failure) -> Result<(), String> {
    match failure {
        Failure::Open(OpenError::Storage(_)) | Failure::Log(LogError::Storage(_)) => Ok(()),
        other => Err(format!("a call to a store failed, and it was told as {other:?}")),
    }
}

/// Whether the log that met a fault takes writes. If not it is gone or poisoned, and must behave so.
fn is_healthy(
    recorder: &mut Recorder<'_>,
    before: &Model,
    kind: Kind,
    disk: &Disk,
) -> Result<bool, String> {
    let player = recorder.player();
    if let Some(log) = player.log() {
        // Removing what is not there writes nothing, and tells whether writing is possible.
        match log.set_user_data("not there", None) {
            Ok(()) => return Ok(true),
            Err(LogError::Poisoned) => {}
            Err(error) => return Err(format!("a log that met a fault says {error:?}")),
        }
        let position = disk.position();
        refuses_to_write(log)?;
        if disk.position() != position {
            return Err("a poisoned log wrote".to_owned());
        }
        shows_no_wrong_bytes(log, before, player.model())?;
    }
    if kind.lasting {
        // The disk is no better yet.
        match player.act(&Step::Reopen) {
            Ok(()) | Err(Failure::Open(OpenError::Storage(_) | OpenError::NotFound)) => {}
            other => return Err(format!("reopened on a disk that still fails: {other:?}")),
        }
    }
    Ok(false)
}

fn refuses_to_write(log: &Log) -> Result<(), String> {
    let results = [
        ("append", log.append(&[b"no"]).map(drop)),
        ("truncate", log.truncate(0, None).map(drop)),
        ("clear", log.clear(0..1).map(drop)),
        ("checkpoint", log.checkpoint()),
        ("flush", log.flush()),
    ];
    for (name, result) in results {
        if !matches!(result, Err(LogError::Poisoned | LogError::NotWritable)) {
            return Err(format!("{name} on a poisoned log gives {result:?}"));
        }
    }
    Ok(())
}

/// What a poisoned log shows is an error, or of the state before or after the step that failed.
fn shows_no_wrong_bytes(log: &Log, before: &Model, after: &Model) -> Result<(), String> {
    for index in 0..log.length() {
        let Ok(Some(found)) = log.get(index) else { continue };
        let right =
            |model: &Model| model.blocks.get(index as usize).is_some_and(|block| **block == *found);
        if !right(before) && !right(after) {
            return Err(format!("a poisoned log gives wrong bytes for block {index}"));
        }
    }
    Ok(())
}

/// The stores of a log on `disk`, with the calls that `faults` plan failing.
fn faulty_stores(disk: &Disk, faults: &Faults, one_byte: bool) -> Stores {
    stores_of(|name| {
        let file = disk.faulty_file(name.as_str(), faults);
        if one_byte { Box::new(OneByte::new(file)) } else { Box::new(file) }
    })
}
