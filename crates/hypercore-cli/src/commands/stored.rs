//! What commands that only read have in hand: a log of Hypercore 10, or a feed of Dat or Hypercore 6 to 9.
//!
//! The one place that asks which of the two it is. Opens for reading; writes nothing.

use std::ops::Range;
use std::path::Path;

use hypercore::{Access, Bytes, Hypercore};
use sleep::{Blocks, Feed};

use super::{builder, open_to_read};
use crate::args::Common;
use crate::failure::{Exit, Failure, Outcome, ReadError};
use crate::output::Output;
use crate::sleep_dir::{self, SleepDir};

/// Something whose blocks can be read.
#[derive(Debug)]
pub(super) enum Stored {
    Log(Hypercore),
    Feed(Box<Feed>),
}

impl Stored {
    /// Opens what is stored in `dir`, under a shared lock.
    pub(super) async fn open(common: &Common, dir: &Path, out: &Output) -> Outcome<Self> {
        if let Some(place) = SleepDir::find(dir) {
            refuse_encryption(common, dir)?;
            return Ok(Self::Feed(Box::new(open_feed(dir, &place, out)?)));
        }
        let opened = open_to_read(common, dir, out).await;
        opened.map(Self::Log).map_err(|failure| feeds_within(dir).unwrap_or(failure))
    }

    /// Opens what is stored in `dir` without a lock, beside whoever writes to it.
    pub(super) async fn follow(common: &Common, dir: &Path) -> Outcome<Self> {
        if let Some(place) = SleepDir::find(dir) {
            refuse_encryption(common, dir)?;
            let opened = Feed::options().open(place.without_lock());
            let feed = opened.map_err(|error| Failure::feed(dir, &error))?;
            return Ok(Self::Feed(Box::new(feed)));
        }
        let opened = builder(common, dir).access(Access::Follow).open().await;
        let failed = |error| Failure::log(dir, &error).of_reading();
        opened.map(Self::Log).map_err(|error| feeds_within(dir).unwrap_or_else(|| failed(error)))
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Log(log) => log.length(),
            Self::Feed(feed) => feed.length(),
        }
    }

    pub(super) fn byte_length(&self) -> u64 {
        match self {
            Self::Log(log) => log.byte_length(),
            Self::Feed(feed) => feed.byte_length(),
        }
    }

    pub(super) fn fork(&self) -> u64 {
        match self {
            Self::Log(log) => log.fork(),
            // Feeds know of none.
            Self::Feed(_) => 0,
        }
    }

    /// A block, verified; `None` when it is not stored here.
    pub(super) async fn block(&self, index: u64) -> Result<Option<Bytes>, ReadError> {
        match self {
            Self::Log(log) => Ok(log.get_local(index).await?),
            Self::Feed(feed) => block_of(feed.get(index)),
        }
    }

    /// The blocks of `range`, which lies within the log, in order.
    pub(super) fn blocks(&self, range: Range<u64>) -> Result<Reader<'_>, ReadError> {
        Ok(match self {
            Self::Log(log) => Reader::Log(log, range),
            Self::Feed(feed) => Reader::Feed(feed.blocks(range)?),
        })
    }

    /// The blocks of `range` that are stored here.
    pub(super) async fn ranges(&self, range: Range<u64>) -> Result<Vec<Range<u64>>, ReadError> {
        match self {
            Self::Log(log) => Ok(log.stored_ranges(range, usize::MAX).await?),
            Self::Feed(feed) => Ok(feed
                .present()
                .map(|here| here.start.max(range.start)..here.end.min(range.end))
                .filter(|here| !here.is_empty())
                .collect()),
        }
    }

    /// The block that holds a byte, and where in it; `None` past the end.
    pub(super) async fn seek(&self, byte: u64) -> Result<Option<(u64, u64)>, ReadError> {
        if byte >= self.byte_length() {
            return Ok(None);
        }
        match self {
            Self::Log(log) => Ok(log.seek_local(byte).await?),
            Self::Feed(feed) => match feed.seek(byte) {
                Ok(found) => Ok(Some(found)),
                Err(error @ sleep::Error::NodeMissing { .. })
                    if feed.present_count() < feed.length() =>
                {
                    Err(ReadError::NotHere(error))
                }
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// Blocks one after the other.
#[derive(Debug)]
pub(super) enum Reader<'a> {
    Log(&'a Hypercore, Range<u64>),
    Feed(Blocks<'a>),
}

impl Reader<'_> {
    /// The next block, `None` in it when it is not stored here; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<Result<Option<Bytes>, ReadError>> {
        match self {
            Self::Log(log, left) => {
                let index = left.next()?;
                Some(log.get_local(index).await.map_err(ReadError::from))
            }
            Self::Feed(blocks) => blocks.next().map(block_of),
        }
    }
}

fn block_of(read: sleep::Result<Vec<u8>>) -> Result<Option<Bytes>, ReadError> {
    match read {
        Ok(block) => Ok(Some(block.into())),
        Err(sleep::Error::NotStored { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens a feed for reading, and says what opening found.
pub(super) fn open_feed(dir: &Path, place: &SleepDir, out: &Output) -> Outcome<Feed> {
    let opened = Feed::options().open(place.clone());
    let feed = opened.map_err(|error| Failure::feed(dir, &error))?;
    tell_recovery(dir, &feed, out);
    Ok(feed)
}

/// Blocks of feeds were never encrypted by what wrote them.
fn refuse_encryption(common: &Common, dir: &Path) -> Outcome {
    if common.encryption_key.is_none() {
        return Ok(());
    }
    let dir = dir.display();
    Err(Failure::new(
        Exit::Usage,
        format!(
            "{dir}: a feed of Dat or Hypercore 6 to 9 is not encrypted: leave --encryption-key away"
        ),
    ))
}

/// Where nothing is stored, but feeds are in it: which.
pub(super) fn feeds_within(dir: &Path) -> Option<Failure> {
    let feeds = sleep_dir::feeds_in(dir);
    let names: Vec<String> = feeds.iter().map(|feed| feed.display().to_string()).collect();
    (!names.is_empty()).then(|| {
        let (dir, names) = (dir.display(), names.join(" or "));
        Failure::new(
            Exit::NotFound,
            format!(
                "{dir}: no log is stored there itself, but feeds of Dat are in it: name {names}"
            ),
        )
    })
}

/// What opening a feed found: damage in any case, traces of cut-off writes with `-v`.
fn tell_recovery(dir: &Path, feed: &Feed, out: &Output) {
    let dir = dir.display();
    for finding in feed.recovery().findings() {
        if finding.is_damage() {
            out.status(format_args!("{dir}: {finding}; verify tells more"));
        } else {
            out.detail(format_args!("{dir}: {finding}"));
        }
    }
}
