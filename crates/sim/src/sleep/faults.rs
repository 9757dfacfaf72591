//! Every call of every workload fails once, in each way a disk can.
//!
//! The error must blame the storage; the feed must then be closed to changes, and write nothing, or be as it was before,
//! and be able to go on. Then the [`Oracle`] judges what is left: after a kill, after a power cut, and after a kill, more
//! changes and a power cut.

use std::rc::Rc;

use random_access_storage::testing::Faults;
use sleep::Error;

use super::begin::Cast;
use super::crash::{FeedCase, begin, go_on};
use super::model::Model;
use super::oracle::Oracle;
use super::play::{Failure, Player};
use super::script::Step;
use super::timeline::Timeline;
use crate::disk::{Disk, Image, Plan};
use crate::random::Random;
use crate::trials::Counts;
use crate::trials::crash::Judge;
use crate::trials::faults::{self, FEW, Kind, Outcome, cut_power};

/// A workload, ready to be played, and what is known of its images.
pub(super) struct Stage {
    case: FeedCase,
    cast: Rc<Cast>,
    prepared: Option<(Image, Rc<Model>)>,
    steps: Vec<Step>,
    plan: Plan,
    oracle: Oracle,
}

impl Stage {
    pub(super) fn new(case: &FeedCase, seed: u64) -> Self {
        let FeedCase { workload, durability } = *case;
        let cast = Rc::new(Cast::of(workload.sources));
        Self {
            case: *case,
            prepared: workload.begin.prepare(),
            steps: (workload.script)(&mut Random::new(seed)),
            plan: Plan { seed, ..FEW },
            oracle: Oracle::new(workload, durability, &cast),
            cast,
        }
    }

    /// Cuts the power; kills the process; and kills it, opens the feed, goes on, and cuts the power.
    fn judge(&mut self, disk: &Disk, timeline: &Timeline, kind: Kind) -> Result<(), String> {
        let recording = disk.recording();
        let position = recording.len();
        let power_cut = timeline.after_power_cut(position + 1);
        cut_power(&mut self.oracle, &recording, &self.plan, &power_cut)?;
        // Reads show no more than a power cut leaves where a failed sync has taken it away.
        let kill =
            if kind.reverts() { power_cut.clone() } else { timeline.after_kill(position + 1) };
        let killed = self.oracle.judge(&disk.shown(), &kill);
        killed.map_err(|error| format!("after a kill: {error}"))?;

        // What the dead process had not synced is still not synced.
        let disk = recording.at(position);
        let gone_on = go_on(&self.case, &disk, &kill, &power_cut, &self.cast);
        let (timeline, _) =
            gone_on.map_err(|failure| format!("killed and opened again: {failure}"))?;
        let recording = disk.recording();
        let power_cut = timeline.after_power_cut(recording.len());
        let judged = cut_power(&mut self.oracle, &recording, &self.plan, &power_cut);
        judged.map_err(|error| format!("killed, opened again, changed: {error}"))
    }
}

impl faults::Stage for Stage {
    fn counts(&self) -> Counts {
        self.oracle.counts()
    }

    fn play(&mut self, kind: Kind, nth: u64) -> Result<Outcome, String> {
        let disk = match &self.prepared {
            None => Disk::new(),
            Some((image, _)) => Disk::of(image.clone()),
        };
        let faults = Faults::none();
        kind.plan(&faults, nth);
        let model = self.prepared.as_ref().map(|(_, model)| model);
        let mut player = match begin(&self.case, &disk, model, &self.cast, &faults) {
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
fn is_healthy(player: &mut Player, disk: &Disk) -> Result<bool, String> {
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
