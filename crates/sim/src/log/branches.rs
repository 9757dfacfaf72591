//! Crashes of a branch and of the log it is of, both on one disk.
//!
//! The power fails after each operation, and the process is killed after each. Then the log must be a state that it was
//! allowed to be in, the branch one of its own, every block of both the right one; what the log rewrote below a branch that
//! was not open is told and never shown; and the branch goes on, and is committed exactly where the log has the same
//! blocks.

use std::collections::HashMap;

use hypercore_log::{
    Branch, BranchOptions, CommitOptions, Create, Durability, Log, LogError, OpenError,
    OpenOptions, Stores,
};

use super::crash::{garbage, mode_name, settings};
use super::model::{Fingerprint, Model, fingerprint_of};
use super::play::{Failure, overlay};
use super::script::{OWNER, Role, Step, options, stores_of};
use super::timeline::{NOTHING, Observed, Promise, Timeline};
use crate::chosen::Chosen;
use crate::disk::{Disk, Image, Plan};
use crate::random::Random;
use crate::trials::crash::{Judge, Report, Run, Settings};
use crate::trials::{Case, Counts, Verdicts, caught};

/// One thing that is done with a log or its branch.
#[derive(Clone, Debug)]
pub enum BranchStep {
    /// Something that is done with the log: an append, a truncation, a flush, a checkpoint.
    Log(Step),
    /// Begins the branch with the first blocks of the log, or all.
    Begin(Option<u64>),
    /// Something that is done with the branch: an append, a truncation, a clear, user data, a flush, a checkpoint.
    Branch(Step),
    /// Ends the branch as a killed process does, does something with the log, and resumes it.
    Away(Step),
    /// Appends the first blocks of the branch, or all, to the log.
    Commit(Option<u64>),
    /// Gives up what the log has of the branch.
    Rebase(u64),
}

/// Something that is done with a log and a branch, under a name.
#[derive(Clone, Copy, Debug)]
pub struct BranchWorkload {
    /// Its name.
    pub name: &'static str,
    /// Makes the steps; the numbers choose sizes and contents.
    pub steps: fn(&mut Random) -> Vec<BranchStep>,
}

/// All of them. Each is run in both modes.
pub const BRANCH_WORKLOADS: &[BranchWorkload] = &[
    BranchWorkload { name: "branch", steps: branch },
    BranchWorkload { name: "branch-large", steps: branch_large },
    BranchWorkload { name: "branch-truncated", steps: branch_truncated },
    BranchWorkload { name: "branch-rewritten", steps: branch_rewritten },
    BranchWorkload { name: "branch-commits", steps: branch_commits },
];

fn append(random: &mut Random, count: usize, len: usize) -> Step {
    let block = |random: &mut Random| {
        let less = random.place(len / 8 + 1);
        random.bytes(len - less)
    };
    Step::Append((0..count).map(|_| block(random)).collect())
}

const fn truncate(length: u64) -> Step {
    Step::Truncate { length, fork: None }
}

fn branch(random: &mut Random) -> Vec<BranchStep> {
    use BranchStep::{Begin, Branch, Log};
    vec![
        Log(append(random, 5, 150)),
        Begin(None),
        Branch(append(random, 2, 200)),
        Log(append(random, 2, 150)),
        Branch(Step::SetUserData { key: "mine", value: random.bytes(40) }),
        Branch(Step::Checkpoint),
        Branch(append(random, 3, 100)),
        Branch(Step::Clear(5..7)),
        Branch(Step::Reopen),
        Branch(append(random, 1, 100)),
    ]
}

fn branch_large(random: &mut Random) -> Vec<BranchStep> {
    use BranchStep::{Begin, Branch, Commit, Log};
    vec![
        Log(append(random, 3, 20)),
        Begin(Some(2)),
        Branch(append(random, 260, 2)),
        Branch(truncate(3)),
        Log(truncate(2)),
        Branch(append(random, 2, 10)),
        Commit(None),
    ]
}

fn branch_truncated(random: &mut Random) -> Vec<BranchStep> {
    use BranchStep::{Begin, Branch, Log};
    vec![
        Log(append(random, 7, 120)),
        Begin(None),
        Branch(append(random, 4, 120)),
        Branch(truncate(9)),
        Branch(append(random, 1, 200)),
        Branch(truncate(6)),
        Branch(append(random, 2, 150)),
        Branch(truncate(2)),
        Branch(append(random, 1, 90)),
    ]
}

fn branch_rewritten(random: &mut Random) -> Vec<BranchStep> {
    use BranchStep::{Away, Begin, Branch, Log};
    vec![
        Log(append(random, 7, 120)),
        Begin(None),
        Branch(append(random, 2, 120)),
        Branch(Step::Flush),
        Log(truncate(5)),
        Log(append(random, 3, 120)),
        Branch(append(random, 1, 200)),
        Away(truncate(4)),
    ]
}

fn branch_commits(random: &mut Random) -> Vec<BranchStep> {
    use BranchStep::{Begin, Branch, Commit, Log, Rebase};
    vec![
        Log(append(random, 3, 120)),
        Begin(None),
        Branch(append(random, 4, 150)),
        Commit(Some(5)),
        Rebase(5),
        Branch(append(random, 2, 100)),
        Commit(None),
        Log(append(random, 1, 100)),
        Rebase(9),
        Branch(append(random, 1, 100)),
    ]
}

/// Something that is done with a log and a branch, in a mode.
#[derive(Clone, Copy, Debug)]
pub struct BranchCase {
    /// What is done.
    pub workload: &'static BranchWorkload,
    /// In which mode.
    pub durability: Durability,
}

impl BranchCase {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        let modes = [Durability::Immediate, Durability::Eventual];
        BRANCH_WORKLOADS
            .iter()
            .flat_map(move |workload| modes.map(|durability| Self { workload, durability }))
    }
}

impl Case for BranchCase {
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
        let steps = (self.workload.steps)(&mut Random::new(settings.seed));
        let disk = Disk::new();
        let mut pair = Pair::new(&disk, self.durability);
        let played = pair.play(&steps);
        let Pair { states, of_log, of_branch, .. } = pair;
        let judge = Both { durability: self.durability, verdicts: Verdicts::new(), states };
        let mut run = Run::new(*settings, judge);
        if let Err(failure) = played {
            run.bad(format!("without any fault: {failure:?}"));
            return run.report();
        }
        let recording = disk.recording();
        let plan = Plan { garbage: garbage_of, ..settings.plan };
        let positions = 0..=recording.len();
        let promise_at = |at| (of_log.after_power_cut(at), of_branch.after_power_cut(at));
        run.cut_power(&recording, positions.clone(), &plan, promise_at, &mut Chosen::none());
        for position in positions {
            let image = recording.at(position).shown();
            let promised = (of_log.after_kill(position), of_branch.after_kill(position));
            run.judge(&image, &promised, || format!("killed after {position} operations"));
        }
        run.report()
    }
}

/// What a state of a branch is, and how much of it may be the log's.
#[derive(Clone, Debug)]
struct BranchState {
    model: Model,
    ancestors: u64,
}

/// A log and its branch, and what they went through.
struct Pair<'a> {
    disk: &'a Disk,
    durability: Durability,
    log: Option<Log>,
    branch: Option<Branch>,
    log_model: Model,
    branch_state: Option<BranchState>,
    of_log: Timeline,
    of_branch: Timeline,
    states: HashMap<Fingerprint, BranchState>,
}

fn stores(disk: &Disk, prefix: &str) -> Stores {
    stores_of(|name| Box::new(disk.file(&format!("{prefix}{name}"))))
}

fn log_stores(disk: &Disk) -> Stores {
    stores(disk, "")
}

fn branch_stores(disk: &Disk) -> Stores {
    stores(disk, "branch-")
}

impl<'a> Pair<'a> {
    fn new(disk: &'a Disk, durability: Durability) -> Self {
        Self {
            disk,
            durability,
            log: None,
            branch: None,
            log_model: Model::new(Role::Writer),
            branch_state: None,
            of_log: Timeline::new(),
            of_branch: Timeline::new(),
            states: HashMap::new(),
        }
    }

    fn play(&mut self, steps: &[BranchStep]) -> Result<(), Failure> {
        self.of_log.attempt(self.disk.position(), Some(&self.log_model));
        let options = options(Role::Writer, OWNER, self.durability);
        self.log = Some(Log::open(log_stores(self.disk), options)?);
        self.of_log.returned(self.disk.position(), true);
        for step in steps {
            self.step(step)?;
            self.compare()?;
        }
        Ok(())
    }

    fn step(&mut self, step: &BranchStep) -> Result<(), Failure> {
        self.attempt(step);
        let log = self.log.as_ref().expect("the log is open");
        let settled = self.durability == Durability::Immediate;
        let (log_settled, branch_settled) = match step {
            BranchStep::Log(step) => {
                act(log, step)?;
                (Some(step.settles(self.durability)), None)
            }
            BranchStep::Begin(length) => {
                let options = BranchOptions::new().create(Create::New).durability(self.durability);
                let options = length.map_or(options.clone(), |length| options.checkout(length));
                let stores = branch_stores(self.disk);
                self.branch = Some(Branch::open(log, stores, overlay(), options)?);
                (Some(true), Some(true))
            }
            BranchStep::Branch(Step::Reopen) => {
                self.branch = None;
                self.branch = Some(resume(log, self.disk, self.durability)?);
                (None, Some(true))
            }
            BranchStep::Branch(step) => {
                let branch = self.branch.as_ref().expect("the branch is open");
                act_on_branch(log, branch, step)?;
                (None, Some(step.settles(self.durability)))
            }
            BranchStep::Away(step) => {
                self.branch = None;
                act(log, step)?;
                self.branch = Some(resume(log, self.disk, self.durability)?);
                (Some(step.settles(self.durability)), Some(true))
            }
            BranchStep::Commit(length) => {
                let options = CommitOptions::new();
                let options = length.map_or(options.clone(), |length| options.length(length));
                log.commit(self.branch.as_ref().expect("the branch is open"), &options)?;
                (Some(settled), None)
            }
            BranchStep::Rebase(length) => {
                self.branch.as_ref().expect("the branch is open").rebase(log, *length)?;
                (Some(true), Some(true))
            }
        };
        let position = self.disk.position();
        if let Some(settled) = log_settled {
            self.of_log.returned(position, settled);
        }
        if let Some(settled) = branch_settled {
            self.of_branch.returned(position, settled);
        }
        Ok(())
    }

    /// Changes the models, and notes what they are about to be.
    fn attempt(&mut self, step: &BranchStep) {
        match step {
            BranchStep::Log(step) | BranchStep::Away(step) => self.log_model.apply(step, &[]),
            BranchStep::Begin(length) => {
                let mut model = self.log_model.clone();
                let ancestors = length.unwrap_or(model.length());
                model.blocks.truncate(ancestors as usize);
                model.here.truncate(ancestors as usize);
                self.branch_state = Some(BranchState { model, ancestors });
            }
            BranchStep::Branch(step) => {
                let state = self.branch_state.as_mut().expect("a branch");
                state.model.apply(step, &[]);
                state.ancestors = state.ancestors.min(state.model.length());
            }
            BranchStep::Commit(length) => {
                let branch = &self.branch_state.as_ref().expect("a branch").model;
                let (from, to) = (self.log_model.blocks.len(), length.unwrap_or(branch.length()));
                self.log_model.blocks.extend_from_slice(&branch.blocks[from..to as usize]);
                self.log_model.here.extend_from_slice(&branch.here[from..to as usize]);
            }
            BranchStep::Rebase(length) => {
                self.branch_state.as_mut().expect("a branch").ancestors = *length;
            }
        }
        let position = self.disk.position();
        self.of_log.attempt(position, Some(&self.log_model));
        if let Some(state) = &self.branch_state {
            self.of_branch.attempt(position, Some(&state.model));
            let known = self.states.entry(state.model.fingerprint());
            let known = known.or_insert_with(|| state.clone());
            known.ancestors = known.ancestors.max(state.ancestors);
        }
    }

    fn compare(&self) -> Result<(), Failure> {
        let log = self.log.as_ref().expect("the log is open");
        if let Some(difference) = self.log_model.difference(log) {
            return Err(Failure::Wrong(difference));
        }
        if let (Some(branch), Some(state)) = (&self.branch, &self.branch_state) {
            difference(log, &self.log_model, branch, state).map_err(Failure::Wrong)?;
        }
        Ok(())
    }
}

fn act(log: &Log, step: &Step) -> Result<(), LogError> {
    match step {
        Step::Append(blocks) => log.append(blocks).map(drop),
        Step::Truncate { length, fork } => log.truncate(*length, *fork).map(drop),
        Step::Flush => log.flush(),
        Step::Checkpoint => log.checkpoint(),
        other => panic!("no step of these workloads: {other:?}"),
    }
}

fn act_on_branch(log: &Log, branch: &Branch, step: &Step) -> Result<(), LogError> {
    match step {
        Step::Append(blocks) => branch.append(blocks).map(drop),
        Step::Truncate { length, .. } => branch.truncate(log, *length).map(drop),
        Step::Clear(range) => branch.clear(range.clone()).map(drop),
        Step::SetUserData { key, value } => branch.set_user_data(key, Some(value)),
        Step::Flush => branch.flush(),
        Step::Checkpoint => branch.checkpoint(),
        other => panic!("no step of these workloads: {other:?}"),
    }
}

fn resume(log: &Log, disk: &Disk, durability: Durability) -> Result<Branch, OpenError> {
    let options = BranchOptions::new().durability(durability);
    Branch::open(log, branch_stores(disk), overlay(), options)
}

/// What is different in a branch of a log that is as `log_model` says.
fn difference(
    log: &Log,
    log_model: &Model,
    branch: &Branch,
    state: &BranchState,
) -> Result<(), String> {
    let BranchState { model, ancestors } = state;
    let (head, tree) = (branch.head(), model.tree());
    if (head.fork, head.length, head.tree_hash) != (model.fork, model.length(), tree.hash()) {
        return Err(format!("the head of the branch is {head:?}, not that of {tree:?}"));
    }
    let mut user_data = branch.user_data_entries();
    user_data.sort();
    if user_data != model.user_data {
        return Err("the user data of the branch is another one".to_owned());
    }
    let begun_with = &model.blocks[..*ancestors as usize];
    let is_rewritten = !log_model.blocks.starts_with(begun_with);
    for (index, (block, here)) in (0..).zip(model.blocks.iter().zip(&model.here)) {
        match branch.get(log, index) {
            Ok(found) if found.as_deref() == here.then_some(&**block) => {}
            Err(LogError::BaseRewritten { shared })
                if is_rewritten && shared <= index && index < *ancestors => {}
            found => return Err(format!("block {index} of the branch is {found:?}")),
        }
    }
    Ok(())
}

/// What a log and its branch are, each with what a crash may leave of it.
type Promises = (Promise, Promise);

/// Judges the images of a log and its branch.
struct Both {
    durability: Durability,
    verdicts: Verdicts<(Fingerprint, Fingerprint)>,
    /// All that the branch ever was.
    states: HashMap<Fingerprint, BranchState>,
}

/// Of a file that is one of a log or of a branch.
fn garbage_of(file: &str) -> &'static [crate::disk::Fill] {
    garbage(file.trim_start_matches("branch-"))
}

impl Judge for Both {
    type Promise = Promises;
    type Found = ();

    fn judge(&mut self, image: &Image, promised: &Promises) -> Result<(), String> {
        self.observe(image, promised, true)
    }

    fn counts(&self) -> Counts {
        self.verdicts.counts()
    }
}

impl Both {
    /// What an image shows, which must be among what is promised.
    fn observe(
        &mut self,
        image: &Image,
        promised: &Promises,
        recoveries: bool,
    ) -> Result<(), String> {
        let digest = image.digest();
        let shown = match self.verdicts.meet(digest, recoveries) {
            Some(known) => known?,
            None => {
                let looked = caught(|| self.look(image, promised, recoveries));
                self.verdicts.note(digest, recoveries, looked)?
            }
        };
        let (of_log, of_branch) = promised;
        for (what, found, promise) in [("log", shown.0, of_log), ("branch", shown.1, of_branch)] {
            if !promise.states.iter().any(|state| state.fingerprint == found) {
                return Err(format!("the {what} is in a state that it must not be in any more"));
            }
        }
        Ok(())
    }

    fn look(
        &mut self,
        image: &Image,
        promised: &Promises,
        recoveries: bool,
    ) -> Result<(Fingerprint, Fingerprint), String> {
        let disk = Disk::of(image.clone());
        let log = match Log::open(log_stores(&disk), OpenOptions::new().durability(self.durability))
        {
            Ok(log) => log,
            Err(OpenError::NotFound) => return Ok((NOTHING, NOTHING)),
            Err(error) => return Err(format!("the log does not open: {error:?}")),
        };
        let found = fingerprint_of(&log).map_err(|error| format!("the log: {error:?}"))?;
        let of_log = promised.0.states.iter().find(|state| state.fingerprint == found);
        let Some(log_model) = of_log.and_then(|state| state.model.clone()) else {
            return Err(format!("the log is no state that may be: {:?}", log.head()));
        };
        let seen = Observed {
            fingerprint: found,
            key: Some(log.key()),
            fork: log.fork(),
            length: log.length(),
            tells_loss: log.recovery().lost_something(),
        };
        promised.0.check(&seen)?;
        let branch = match resume(&log, &disk, self.durability) {
            Ok(branch) => branch,
            Err(OpenError::NotFound) => {
                let options = BranchOptions::new().create(Create::New);
                return match Branch::open(&log, branch_stores(&disk), overlay(), options) {
                    Ok(branch) if branch.head() == log.head() => Ok((found, NOTHING)),
                    other => Err(format!("no branch can be begun where none is: {other:?}")),
                };
            }
            Err(error) => return Err(format!("the branch does not open: {error:?}")),
        };
        let mut why = "there is none".to_owned();
        let found_branch = self.states.iter().find(|(_, state)| {
            let same = difference(&log, &log_model, &branch, state);
            same.map_err(|error| why = error).is_ok()
        });
        let Some((found_branch, state)) = found_branch else {
            let head = branch.head();
            return Err(format!("the branch is no state that ever was: {head:?}: {why}"));
        };
        let (found_branch, state) = (*found_branch, state.clone());
        let recovery = disk.recording();
        self.go_on(&disk, log, branch, &log_model, state)?;
        if recoveries && !recovery.is_empty() {
            let plan = Plan { garbage: garbage_of, ..Plan::quick(recovery.len() as u64) };
            recovery.try_crashes(1..=recovery.len(), &plan, &mut |crash| {
                let judged = self.observe(&crash.image, promised, false);
                judged.map_err(|error| format!("a second crash, in the recovery: {error}"))
            })?;
        }
        Ok((found, found_branch))
    }

    /// Appends to the branch, commits it, and looks at both once more.
    fn go_on(
        &self,
        disk: &Disk,
        log: Log,
        branch: Branch,
        log_model: &Model,
        mut state: BranchState,
    ) -> Result<(), String> {
        let one_more = Step::Append(vec![b"one more".to_vec()]);
        act_on_branch(&log, &branch, &one_more)
            .map_err(|error| format!("the branch takes no block: {error:?}"))?;
        state.model.apply(&one_more, &[]);
        difference(&log, log_model, &branch, &state)?;
        let mut log_model = log_model.clone();
        let fits = log_model.length() >= state.ancestors
            && state.model.blocks.starts_with(&log_model.blocks);
        match log.commit(&branch, &CommitOptions::new()) {
            Ok(_) if fits => {
                let from = log_model.blocks.len();
                log_model.blocks.extend_from_slice(&state.model.blocks[from..]);
                log_model.here.extend_from_slice(&state.model.here[from..]);
            }
            Err(LogError::BranchConflict { .. }) if !fits => {}
            // What a rebase that was lost had gained is not known here.
            Ok(_) | Err(LogError::BranchConflict { .. })
                if log_model.length() < state.ancestors =>
            {
                return Ok(());
            }
            result => return Err(format!("the commit says {result:?}")),
        }
        drop(branch);
        drop(log);
        let options = OpenOptions::new().durability(self.durability);
        let log = Log::open(log_stores(disk), options)
            .map_err(|error| format!("the log does not open after a commit: {error:?}"))?;
        if let Some(difference) = log_model.difference(&log) {
            return Err(format!("after a commit: {difference}"));
        }
        let branch = resume(&log, disk, self.durability)
            .map_err(|error| format!("the branch does not open after a commit: {error:?}"))?;
        difference(&log, &log_model, &branch, &state)?;
        match log.audit(&mut |_| {}) {
            Ok(report) if report.is_ok() => Ok(()),
            other => Err(format!("the audit after a commit says {other:?}")),
        }
    }
}
