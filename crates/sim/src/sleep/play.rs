//! Doing a script's steps on a real feed, comparing it with the model after each, and keeping the timeline.

use std::fmt;
use std::rc::Rc;

use random_access_storage::testing::Faults;
use sleep::{Access, Durability, Error, Feed};

use super::begin::{Cast, key_pair};
use super::model::Model;
use super::observe::{Observed, Shown};
use super::script::{Role, Step};
use super::storage::FeedFiles;
use super::timeline::{Promise, Timeline};
use crate::disk::Disk;

/// Why a step did not end well.
#[derive(Debug)]
pub enum Failure {
    /// The feed refused, or its disk failed.
    Refused(Error),
    /// The feed did it and shows something else than the model: a bug, whatever the disk did.
    Wrong(String),
}

impl Failure {
    /// The same, with the step in which it came.
    #[must_use]
    pub fn at(self, number: usize, step: &Step) -> Self {
        Self::Wrong(format!("step {number}, {}: {self}", step.name()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(formatter, "{error:?}"),
            Self::Wrong(what) => formatter.write_str(what),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

type Result<T> = std::result::Result<T, Failure>;

/// Opens the feed of `disk` for writing.
///
/// # Errors
/// What the feed says.
pub(crate) fn open(disk: &Disk, durability: Durability, faults: &Faults) -> sleep::Result<Feed> {
    let options = Feed::options().access(Access::Write).durability(durability);
    options.open(FeedFiles::failing(disk, faults))
}

/// Makes a feed on `disk`, or goes on with the making of one that was cut short.
///
/// # Errors
/// What the feed says.
pub(crate) fn create(
    disk: &Disk,
    role: Role,
    durability: Durability,
    faults: &Faults,
) -> sleep::Result<Feed> {
    let options = Feed::options().access(Access::Create).durability(durability);
    let options = match role {
        Role::Writer => options.key_pair(key_pair()),
        Role::Reader => options.key(key_pair().public()),
    };
    options.open(FeedFiles::failing(disk, faults))
}

/// Does `step` with `feed`; there is nothing to do for [`Step::Reopen`].
///
/// # Errors
/// What the feed says.
pub(crate) fn act(feed: &mut Feed, step: &Step, cast: &Cast) -> sleep::Result<()> {
    match step {
        Step::Append(blocks) => feed.append(blocks).map(drop),
        Step::Clear(range) => feed.clear(range.clone()),
        Step::Put { source, block } => {
            let source = &cast.feeds[*source];
            feed.put(*block, &source.get(*block)?, &source.proof(*block)?)
        }
        Step::Sync => feed.sync(),
        Step::Reopen => Ok(()),
    }
}

/// Plays steps on a feed.
#[derive(Debug)]
pub struct Player {
    disk: Disk,
    durability: Durability,
    cast: Rc<Cast>,
    faults: Faults,
    /// Absent after a step failed that ends the feed.
    feed: Option<Feed>,
    model: Rc<Model>,
    timeline: Timeline,
}

impl Player {
    /// Makes a feed on a disk where none is, with the calls on the disk failing that `faults` plan.
    ///
    /// # Errors
    /// See [`Failure`]; and the timeline until then.
    pub fn create(
        disk: &Disk,
        role: Role,
        durability: Durability,
        cast: &Rc<Cast>,
        faults: &Faults,
    ) -> std::result::Result<Self, Box<(Failure, Timeline)>> {
        let model = Rc::new(Model::new(role));
        let mut timeline = Timeline::new(None);
        timeline.attempt(disk.position(), Rc::clone(&model), Vec::new());
        match create(disk, role, durability, faults) {
            Err(error) => Err(Box::new((error.into(), timeline))),
            Ok(feed) => {
                timeline.returned(disk.position(), true);
                Ok(Self {
                    disk: disk.clone(),
                    durability,
                    cast: Rc::clone(cast),
                    faults: faults.clone(),
                    feed: Some(feed),
                    model,
                    timeline,
                })
            }
        }
    }

    /// Opens a feed that shows what `shown` says, and of which a power cut leaves what `kept` says.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn resume(
        disk: &Disk,
        durability: Durability,
        cast: &Rc<Cast>,
        shown: &Promise,
        kept: &Promise,
        faults: &Faults,
    ) -> Result<Self> {
        let feed = open(disk, durability, faults)?;
        let is_recovered = !feed.recovery().is_clean();
        let observed = Observed { feed: Some(Shown::of(&feed)?), is_recovered };
        let found = shown.check(&observed)?.ok_or_else(|| "there is no feed".to_owned())?;
        Ok(Self {
            disk: disk.clone(),
            durability,
            cast: Rc::clone(cast),
            faults: faults.clone(),
            feed: Some(feed),
            timeline: kept.resumed(&found),
            model: found.model,
        })
    }

    /// Does `step`, and compares the feed with the model.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn step(&mut self, step: &Step) -> Result<()> {
        self.attempt(step)?;
        self.compare()
    }

    /// As [`step`](Self::step), without the comparison, which reads from the disk.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn attempt(&mut self, step: &Step) -> Result<()> {
        if matches!(step, Step::Reopen) {
            self.feed = None;
            self.feed = Some(open(&self.disk, self.durability, &self.faults)?);
            return Ok(());
        }
        let begun = self.disk.position();
        let mut after = Model::clone(&self.model);
        after.apply(step, &self.cast.models);
        let changes = after.length() != self.model.length() || after.here != self.model.here;
        let after = Rc::new(after);
        if changes {
            self.timeline.attempt(begun, Rc::clone(&after), self.loose(step, after.length()));
        }
        let feed = self.feed.as_mut().ok_or_else(|| "there is no open feed".to_owned())?;
        act(feed, step, &self.cast)?;
        self.model = after;
        let is_durable = match self.durability {
            Durability::Strict => true,
            // Blocks that are downloaded once can be downloaded again.
            Durability::Ordered => !matches!(step, Step::Put { .. }),
            _ => matches!(step, Step::Sync),
        };
        self.timeline.returned(self.disk.position(), is_durable);
        if changes && self.durability == Durability::Strict {
            self.timeline.agrees(self.disk.position());
        }
        Ok(())
    }

    /// Compares the feed with the model.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn compare(&self) -> Result<()> {
        let feed = self.feed.as_ref().ok_or_else(|| "there is no open feed".to_owned())?;
        let shown = Shown::of(feed)?;
        shown.compare(&self.model, &Default::default())?;
        Ok(())
    }

    /// Ends as a killed process does. What is left is what it went through.
    #[must_use]
    pub fn kill(self) -> Timeline {
        self.timeline
    }

    /// The open feed.
    pub(crate) const fn feed(&mut self) -> Option<&mut Feed> {
        self.feed.as_mut()
    }

    /// Blocks whose bits `step` changes one by one, or that it may lose one by one.
    fn loose(&self, step: &Step, length: u64) -> Vec<u64> {
        match step {
            Step::Clear(range) => (range.start..range.end.min(length)).collect(),
            Step::Put { block, .. } => vec![*block],
            Step::Append(_) if self.durability == Durability::Lazy => {
                (self.model.length()..length).collect()
            }
            _ => Vec::new(),
        }
    }
}
