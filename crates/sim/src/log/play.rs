//! Doing a script's steps on a real log, and comparing it with the model after each.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use flat_tree::{Index, full_roots};
use hypercore_log::{
    Branch, BranchOptions, CommitOptions, Create, Durability, Log, LogError, OpenError,
    OpenOptions, Overlay, Snapshot, Stores,
};
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};

use super::model::Model;
use super::script::{Cast, Role, Step, options, stores_on};
use super::timeline::Claim;
use crate::disk::Disk;

/// Why a step did not end well.
#[derive(Debug)]
pub enum Failure {
    /// The log did not open.
    Open(OpenError),
    /// The log refused, or its disk failed.
    Log(LogError),
    /// The log did it and shows something else than the model: a bug, whatever the disk did.
    Wrong(String),
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Base(error) => Self::Log(*error),
            error => Self::Open(error),
        }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// Looks at the log that a player has open, from wherever.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Weak<Log>>>);

impl Watch {
    /// What the log says may be announced; `None` while no log is open.
    #[must_use]
    pub fn announced(&self) -> Option<Claim> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()?;
        Some(Claim { key: log.key(), fork: log.fork(), length: log.durable_length() })
    }

    fn set(&self, log: &Weak<Log>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(log);
    }
}

/// Plays steps on a log.
pub struct Player<'a> {
    cast: &'a Cast,
    open: &'a dyn Fn() -> Stores,
    durability: Durability,
    /// Absent after a step failed that ends the log.
    log: Option<Arc<Log>>,
    model: Model,
    /// Of the open log, and what it was.
    snapshots: Vec<(Snapshot, Model)>,
    /// Whether a call on the disk may have failed, so that they could not be kept.
    may_lose_snapshots: bool,
    watch: Watch,
}

impl std::fmt::Debug for Player<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Player").field("log", &self.log).finish_non_exhaustive()
    }
}

impl<'a> Player<'a> {
    /// Makes a new log in the stores that `open` gives.
    ///
    /// # Errors
    /// [`Failure::Open`]; [`Failure::Wrong`] when the new log is not an empty one.
    pub fn create(
        role: Role,
        durability: Durability,
        cast: &'a Cast,
        open: &'a dyn Fn() -> Stores,
    ) -> Result<Self, Failure> {
        let mut player = Self::absent(Model::new(role), durability, cast, open);
        player.make(Create::New)?;
        player.compare()?;
        Ok(player)
    }

    /// Opens a log that is there, which must be what `model` says.
    ///
    /// # Errors
    /// [`Failure::Open`]; [`Failure::Wrong`].
    pub fn resume(
        model: Model,
        durability: Durability,
        cast: &'a Cast,
        open: &'a dyn Fn() -> Stores,
    ) -> Result<Self, Failure> {
        let mut player = Self::absent(model, durability, cast, open);
        player.reopen()?;
        player.compare()?;
        Ok(player)
    }

    /// No log yet.
    pub(crate) fn absent(
        model: Model,
        durability: Durability,
        cast: &'a Cast,
        open: &'a dyn Fn() -> Stores,
    ) -> Self {
        let (log, snapshots, watch) = (None, Vec::new(), Watch::default());
        let may_lose_snapshots = false;
        Self { cast, open, durability, log, model, snapshots, may_lose_snapshots, watch }
    }

    /// Makes the log.
    pub(crate) fn make_new(&mut self) -> Result<(), Failure> {
        self.make(Create::New)
    }

    /// What the log must be after `step`.
    pub(crate) fn after(&self, step: &Step) -> Model {
        let mut model = self.model.clone();
        model.apply(step, &self.cast.models);
        model
    }

    /// Does `step`, and compares the log with the model.
    ///
    /// The model has done the step afterwards in any case: a step that failed was attempted.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn step(&mut self, step: &Step) -> Result<(), Failure> {
        self.attempt(step)?;
        self.compare()
    }

    /// As [`step`](Self::step), without the comparison, which reads from the disk.
    ///
    /// # Errors
    /// [`Failure::Open`], [`Failure::Log`].
    pub fn attempt(&mut self, step: &Step) -> Result<(), Failure> {
        self.model = self.after(step);
        self.act(step)
    }

    /// The open log.
    #[must_use]
    pub fn log(&self) -> Option<&Log> {
        self.log.as_deref()
    }

    /// What the log must be now.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// For looking at the log while a step is under way.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Ends as a killed process does.
    pub fn kill(&mut self) {
        self.snapshots.clear();
        self.log = None;
    }

    /// Calls on the disk fail from now on: a snapshot that can not be kept may say so.
    pub(crate) const fn may_lose_snapshots(&mut self) {
        self.may_lose_snapshots = true;
    }

    /// The open log, and nothing else.
    #[must_use]
    pub fn into_log(self) -> Option<Log> {
        self.log.and_then(Arc::into_inner)
    }

    /// Does `step` and leaves the model as it is: for one more try.
    pub(crate) fn act(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Reopen => {
                self.kill();
                return self.reopen();
            }
            Step::Close => {
                self.snapshots.clear();
                let log = self.log.take().and_then(Arc::into_inner);
                log.expect("nobody else holds it").close()?;
                return self.reopen();
            }
            Step::Overwrite => {
                self.kill();
                return self.make(Create::Overwrite);
            }
            _ => {}
        }
        let log = self.log.as_deref().expect("a step before left the log open");
        match step {
            Step::Append(blocks) => _ = log.append(blocks)?,
            Step::Snapshot => {
                let snapshot = log.snapshot(overlay());
                self.snapshots.push((snapshot, self.model.clone()));
            }
            Step::Commit(batches) => {
                let options = BranchOptions::new().create(Create::New).durability(self.durability);
                let branch = Branch::open(log, stores_on(&Disk::new()), overlay(), options)?;
                for blocks in batches {
                    branch.append(blocks)?;
                }
                log.commit(&branch, &CommitOptions::new())?;
            }
            Step::Truncate { length, fork } => _ = log.truncate(*length, *fork)?,
            Step::Clear(range) => _ = log.clear(range.clone())?,
            Step::SetUserData { key, value } => log.set_user_data(key, Some(value))?,
            Step::Flush => log.flush()?,
            Step::Checkpoint => log.checkpoint()?,
            Step::Compact => _ = log.compact()?,
            Step::Upgrade { source } => {
                let start = log.length();
                let length = self.cast.logs[*source].length() - start;
                let more = UpgradeRequest { start, length };
                log.apply_proof(&self.proof(*source, log, |request| {
                    request.upgrade = Some(more);
                    request.manifest = log.manifest().is_none();
                }))?;
            }
            Step::Fetch { source, block } => {
                let nodes = log.missing_nodes(*block)?;
                log.apply_proof(&self.proof(*source, log, |request| {
                    request.block = Some(BlockRequest { index: *block, nodes });
                }))?;
            }
            Step::Download { source, blocks } => {
                let proofs = self.proofs(*source, log, blocks)?;
                for verdict in log.apply_proofs(&proofs) {
                    verdict?;
                }
            }
            Step::Reorganise { source } => self.reorganise(*source, log)?,
            Step::Reopen | Step::Close | Step::Overwrite => {}
        }
        Ok(())
    }

    /// The answer of a source to a request of `log`.
    fn proof(
        &self,
        source: usize,
        log: &Log,
        ask: impl FnOnce(&mut Request),
    ) -> hypercore_merkle::Proof {
        let mut request = Request { fork: log.fork(), ..Request::default() };
        ask(&mut request);
        let proof = self.cast.logs[source].create_proof(&request);
        proof.expect("a request that has an answer").expect("a source has its blocks")
    }

    /// The answers of a source to a reader that asks for all at once, each time for what the answers before do not bring.
    fn proofs(
        &self,
        source: usize,
        log: &Log,
        blocks: &[u64],
    ) -> Result<Vec<hypercore_merkle::Proof>, Failure> {
        let (start, length) = (log.length(), self.cast.logs[source].length());
        let mut proofs = Vec::new();
        let mut coming = BTreeSet::new();
        if length > start {
            proofs.push(self.proof(source, log, |request| {
                request.upgrade = Some(UpgradeRequest { start, length: length - start });
                request.manifest = log.manifest().is_none();
            }));
            coming.extend(full_roots(length));
        }
        for block in blocks {
            let mut nodes = 0;
            let mut at = Index::leaf(*block).expect("few blocks");
            while !coming.contains(&at) && log.node(at)?.is_none() {
                let (sibling, parent) = (at.sibling(), at.parent());
                coming.extend([Some(at), sibling].into_iter().flatten());
                at = parent.expect("below a root");
                nodes += 1;
            }
            let block = Some(BlockRequest { index: *block, nodes });
            proofs.push(self.proof(source, log, |request| request.block = block));
        }
        Ok(proofs)
    }

    fn reorganise(&self, source: usize, log: &Log) -> Result<(), Failure> {
        let source = &self.cast.logs[source];
        let answer = |request: &Request| {
            source.create_proof(request).expect("an answer").expect("a source has its blocks")
        };
        let all = UpgradeRequest { start: 0, length: source.length() };
        let request = Request {
            fork: source.fork(),
            upgrade: Some(all),
            manifest: true,
            ..Request::default()
        };
        let mut reorganisation = log.start_reorganisation(&answer(&request))?;
        while let Some(want) = reorganisation.want().cloned() {
            let proof = answer(&want.request(want.blocks.start));
            log.feed_reorganisation(&mut reorganisation, &proof)?;
        }
        log.apply_reorganisation(reorganisation)?;
        Ok(())
    }

    pub(crate) fn make(&mut self, create: Create) -> Result<(), Failure> {
        let options = options(self.model.role, self.model.owner, self.durability);
        self.open_with(options.create(create))
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        // The key pair is not given: the stored one must be there.
        self.open_with(OpenOptions::new().durability(self.durability))
    }

    fn open_with(&mut self, options: OpenOptions) -> Result<(), Failure> {
        let log = Arc::new(Log::open((self.open)(), options)?);
        self.watch.set(&Arc::downgrade(&log));
        self.log = Some(log);
        Ok(())
    }

    /// Compares the open log with the model.
    ///
    /// # Errors
    /// [`Failure::Wrong`].
    pub fn compare(&self) -> Result<(), Failure> {
        let log = self.log.as_deref().expect("a step that returned left the log open");
        let difference = self.model.difference(log).or_else(|| {
            let mut of_snapshots = self.snapshots.iter();
            let may_be_lost = self.may_lose_snapshots;
            of_snapshots
                .find_map(|(snapshot, model)| model.difference_in(log, snapshot, may_be_lost))
        });
        difference.map_or(Ok(()), |difference| Err(Failure::Wrong(difference)))
    }
}

/// A step that any log of the role takes: a block for a writer, a value beside the log for a reader.
#[must_use]
pub fn change(role: Role, what: &str) -> Step {
    match role {
        Role::Writer => Step::Append(vec![what.as_bytes().to_vec()]),
        Role::Reader => Step::SetUserData { key: "change", value: what.as_bytes().to_vec() },
    }
}

/// Where a snapshot or a branch keeps what its log destroys: on a disk of its own, which nobody crashes.
pub(crate) fn overlay() -> Overlay {
    let disk = Disk::new();
    Overlay { tree: Box::new(disk.file("tree")), data: Box::new(disk.file("data")) }
}
