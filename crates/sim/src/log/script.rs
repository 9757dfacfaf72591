//! What is done with a log, as data.

use std::ops::Range;

use hypercore_crypto::{CoreKey, KeyPair, Manifest};
use hypercore_log::{Create, Durability, FileName, Log, OpenOptions, Stores};
use random_access_storage::RandomAccess;

use super::model::Model;
use super::play::Player;
use crate::disk::Disk;

/// The seed of the key pair that a script's log has at first; [`Step::Overwrite`] takes the next one.
pub(crate) const OWNER: u8 = 7;

/// Who has the log of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that signs.
    Writer,
    /// One that only knows the key, and is filled by proofs.
    Reader,
}

/// One thing that is done with a log.
#[derive(Clone, Debug)]
pub enum Step {
    /// Appends blocks as one batch.
    Append(Vec<Vec<u8>>),
    /// Cuts the log, under the next fork or a given one.
    Truncate {
        /// Blocks that stay.
        length: u64,
        /// The new fork.
        fork: Option<u64>,
    },
    /// Drops blocks.
    Clear(Range<u64>),
    /// Sets a value beside the log. An empty one removes it.
    SetUserData {
        /// Its key.
        key: &'static str,
        /// The value.
        value: Vec<u8>,
    },
    /// Takes a snapshot, which must show what it shows now until the log is closed.
    Snapshot,
    /// Makes a branch elsewhere of blocks in batches, and commits it.
    Commit(Vec<Vec<Vec<u8>>>),
    /// Waits for stable storage.
    Flush,
    /// Empties the oplog.
    Checkpoint,
    /// Gives back what nothing needs.
    Compact,
    /// Ends as a killed process does, and opens again.
    Reopen,
    /// Closes and opens again.
    Close,
    /// Makes a new log, of another key pair, in the place of this one.
    Overwrite,
    /// Fetches the head of a source.
    Upgrade {
        /// Which of the script's sources.
        source: usize,
    },
    /// Fetches a block.
    Fetch {
        /// Which of the script's sources.
        source: usize,
        /// The block.
        block: u64,
    },
    /// Fetches the head of a source, if it is a longer one, and blocks, all in one batch of proofs that lean on each
    /// other.
    Download {
        /// Which of the script's sources.
        source: usize,
        /// The blocks, in the order they arrive.
        blocks: Vec<u64>,
    },
    /// Takes over the fork of a source.
    Reorganise {
        /// Which of the script's sources.
        source: usize,
    },
}

impl Step {
    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Append(_) => "append",
            Self::Truncate { .. } => "truncate",
            Self::Clear(_) => "clear",
            Self::SetUserData { .. } => "set user data",
            Self::Snapshot => "snapshot",
            Self::Commit(_) => "commit",
            Self::Flush => "flush",
            Self::Checkpoint => "checkpoint",
            Self::Compact => "compact",
            Self::Reopen => "reopen",
            Self::Close => "close",
            Self::Overwrite => "overwrite",
            Self::Upgrade { .. } => "upgrade",
            Self::Fetch { .. } => "fetch",
            Self::Download { .. } => "download",
            Self::Reorganise { .. } => "reorganise",
        }
    }

    /// Whether everything done so far is on stable storage once the step has returned.
    #[must_use]
    pub fn settles(&self, durability: Durability) -> bool {
        match self {
            Self::Append(_)
            | Self::Commit(_)
            | Self::SetUserData { .. }
            | Self::Upgrade { .. }
            | Self::Fetch { .. }
            | Self::Download { .. } => durability == Durability::Immediate,
            Self::Snapshot => false,
            _ => true,
        }
    }
}

/// A log's life: who has it, where its proofs come from, and what is done.
#[derive(Clone, Debug)]
pub struct Script {
    /// Who has the log.
    pub role: Role,
    /// The lives of the logs that proofs come from, all of the same key.
    pub sources: Vec<Vec<Step>>,
    /// What is done, after the log was made.
    pub steps: Vec<Step>,
}

impl Script {
    /// A writer's script without sources.
    #[must_use]
    pub const fn writer(steps: Vec<Step>) -> Self {
        Self { role: Role::Writer, sources: Vec::new(), steps }
    }

    /// What the log is after each step, beginning with the new one: one more than there are steps.
    #[must_use]
    pub fn models(&self) -> Vec<Model> {
        let sources = self.source_models();
        let mut models = vec![Model::new(self.role)];
        for step in &self.steps {
            let mut next = models[models.len() - 1].clone();
            next.apply(step, &sources);
            models.push(next);
        }
        models
    }

    fn source_models(&self) -> Vec<Model> {
        self.sources.iter().map(|steps| source_model(steps)).collect()
    }
}

fn source_model(steps: &[Step]) -> Model {
    let mut model = Model::new(Role::Writer);
    for step in steps {
        model.apply(step, &[]);
    }
    model
}

/// The logs that a script's proofs come from, ready to answer.
#[derive(Debug, Default)]
pub struct Cast {
    pub(crate) logs: Vec<Log>,
    pub(crate) models: Vec<Model>,
}

impl Cast {
    /// Plays the lives of the sources, each on a disk of its own.
    ///
    /// # Panics
    /// When the log engine does not do what the script says on a disk that works.
    #[must_use]
    pub fn of(script: &Script) -> Self {
        let logs = script.sources.iter().map(|steps| {
            let disk = Disk::new();
            let open = || stores_on(&disk);
            let alone = Self::default();
            let mut player =
                Player::create(Role::Writer, Durability::Immediate, &alone, &open).expect("a log");
            for step in steps {
                player.step(step).expect("a source's life has no faults");
            }
            player.into_log().expect("an open log")
        });
        Self { logs: logs.collect(), models: script.source_models() }
    }
}

/// The stores of a log on `disk`, each in the file of its name.
#[must_use]
pub fn stores_on(disk: &Disk) -> Stores {
    stores_of(|name| Box::new(disk.file(name.as_str())))
}

/// The stores of a log, each as `file` gives it.
pub(super) fn stores_of(file: impl Fn(FileName) -> Box<dyn RandomAccess>) -> Stores {
    Stores {
        oplog: file(FileName::Oplog),
        header: file(FileName::Header),
        tree: file(FileName::Tree),
        bitfield: file(FileName::Bitfield),
        data: file(FileName::Data),
    }
}

/// The key pair number `owner`.
pub(crate) fn key_pair(owner: u8) -> KeyPair {
    KeyPair::from_seed(&[owner; 32])
}

/// The key of the log of key pair `owner`.
pub(crate) fn key(owner: u8) -> CoreKey {
    Manifest::single(key_pair(owner).public()).key()
}

/// How a new log is made.
pub(crate) fn options(role: Role, owner: u8, durability: Durability) -> OpenOptions {
    let options = OpenOptions::new().create(Create::New).durability(durability);
    match role {
        Role::Writer => options.key_pair(key_pair(owner)),
        Role::Reader => options.key(key(owner)),
    }
}
