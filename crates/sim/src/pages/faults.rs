//! Every call of every workload fails once, in each way a disk can.
//!
//! The error must blame the disk; the pager must then be closed to everything, and write nothing, or be as it was
//! before, and be able to go on. A full disk never closes it. Then the [`Oracle`] judges what is left: after a kill, after
//! a power cut, and after a kill, more commits and a power cut.

use std::rc::Rc;

use mappedpages::MappedPageError;
use random_access_storage::testing::Faults;

use super::crash::{PageCase, next_steps};
use super::model::Model;
use super::oracle::Oracle;
use super::play::{Failure, Player, Setting};
use super::script::Step;
use super::timeline::Timeline;
use crate::disk::{Disk, Plan};
use crate::random::Random;
use crate::trials::Counts;
use crate::trials::crash::Judge;
use crate::trials::faults::{self, FEW, Kind, Outcome, cut_power};

/// As few subsets as elsewhere, with garbage.
const PLAN: Plan = Plan { garbage: Plan::quick(0).garbage, ..FEW };

/// A workload, ready to be played, and what is known of its images.
pub(super) struct Stage<const P: usize> {
    setting: Setting,
    steps: Vec<Step>,
    /// The states that each step sets out for, without faults.
    wanted: Vec<Vec<Rc<Model>>>,
    plan: Plan,
    oracle: Oracle<P>,
}

impl<const P: usize> Stage<P> {
    pub(super) fn new(case: &PageCase, seed: u64) -> Result<Self, String> {
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
        let (plan, oracle) = (Plan { seed, ..PLAN }, Oracle::new(case.setting));
        Ok(Self { setting: case.setting, steps, wanted, plan, oracle })
    }

    /// Cuts the power; kills the process; and kills it, opens the file, goes on, and cuts the power.
    fn judge(&mut self, disk: &Disk, timeline: &Timeline) -> Result<(), String> {
        let recording = disk.recording();
        let position = recording.len();
        let promise = timeline.after(position);
        cut_power(&mut self.oracle, &recording, &self.plan, &promise)?;
        let killed = self.oracle.judge(&disk.shown(), &promise);
        killed.map_err(|error| format!("after a kill: {error}"))?;

        // What the dead process had not synced is still not synced.
        let disk = recording.at(position);
        let go_on = || {
            let mut player = Player::<P>::resume(&disk, self.setting, &promise)?;
            next_steps(P).iter().try_for_each(|step| player.step(step))?;
            Ok::<_, Failure>(player.kill())
        };
        let timeline = go_on().map_err(|failure| format!("killed and opened again: {failure}"))?;
        let recording = disk.recording();
        let promise = timeline.after(recording.len());
        let judged = cut_power(&mut self.oracle, &recording, &self.plan, &promise);
        judged.map_err(|error| format!("killed, opened again, changed: {error}"))
    }
}

impl<const P: usize> faults::Stage for Stage<P> {
    /// A sector is written whole or not at all, also by a call that fails.
    fn fits(&self, kind: Kind) -> bool {
        kind.name != "short-write"
    }

    fn counts(&self) -> Counts {
        self.oracle.counts()
    }

    fn play(&mut self, kind: Kind, nth: u64) -> Result<Outcome, String> {
        let (disk, faults) = (Disk::new(), Faults::none());
        let created = Player::<P>::create_with(&disk, self.setting, &faults);
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
