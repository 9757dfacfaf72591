//! Downloads: blocks that are fetched without anybody reading them yet.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo};

use hypercore_log::Log;
use hypercore_replication::RangeWish;

use super::wish::{Pending, Wish};
use crate::error::Result;
use crate::handle::Hypercore;

/// What is downloaded: blocks of a range, from a block on for ever, or of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct DownloadRange {
    blocks: Blocks,
    linear: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Blocks {
    Range(Range<u64>),
    /// From a block on, and all that is appended later.
    From(u64),
    /// Up to where the log ends when the download starts.
    Whole,
    List(Vec<u64>),
}

impl DownloadRange {
    /// All blocks that the log has when the download starts. [Update](Hypercore::update) it before.
    pub fn all() -> Self {
        Self::new(Blocks::Whole)
    }

    /// These blocks, in this order.
    pub fn blocks(list: impl IntoIterator<Item = u64>) -> Self {
        Self::new(Blocks::List(list.into_iter().collect()))
    }

    /// From the first to the last. Without it the first one asked for is any, so that several readers
    /// who start together soon have something for each other.
    pub fn linear(mut self) -> Self {
        self.linear = true;
        self
    }

    fn new(blocks: Blocks) -> Self {
        Self { blocks, linear: false }
    }
}

impl From<Range<u64>> for DownloadRange {
    fn from(range: Range<u64>) -> Self {
        Self::new(Blocks::Range(range))
    }
}

impl From<RangeInclusive<u64>> for DownloadRange {
    fn from(range: RangeInclusive<u64>) -> Self {
        let end = range.end().saturating_add(1);
        Self::new(Blocks::Range(*range.start()..end))
    }
}

impl From<RangeTo<u64>> for DownloadRange {
    fn from(range: RangeTo<u64>) -> Self {
        Self::new(Blocks::Range(0..range.end))
    }
}

impl From<RangeFrom<u64>> for DownloadRange {
    /// From a block on, and all that is appended later: such a download is never done.
    fn from(range: RangeFrom<u64>) -> Self {
        Self::new(Blocks::From(range.start))
    }
}

impl From<RangeFull> for DownloadRange {
    /// All there is, and all that is appended later: such a download is never done.
    fn from(_: RangeFull) -> Self {
        Self::new(Blocks::From(0))
    }
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadProgress {
    /// Blocks that are to be here in the end; of a download without an end, those of the log so far.
    pub wanted: u64,
    /// Those of them that are here.
    pub stored: u64,
}

/// Blocks on their way here; see [`Hypercore::download`]. Dropping it stops asking for them.
#[derive(Debug)]
#[must_use = "dropping it stops the download"]
pub struct Download {
    log: Hypercore,
    blocks: Blocks,
    /// Gone once it has ended.
    wish: Option<Pending>,
    ended: Result<()>,
}

impl Download {
    pub(crate) fn start(log: &Hypercore, range: DownloadRange) -> Result<Self> {
        let blocks = match range.blocks {
            Blocks::Whole => Blocks::Range(0..log.length()),
            blocks => blocks,
        };
        let wish = match &blocks {
            Blocks::Range(range) => RangeWish::new(range.clone()),
            Blocks::From(start) => RangeWish::new(*start..),
            Blocks::List(list) => RangeWish::list(list.clone()),
            Blocks::Whole => RangeWish::new(..),
        };
        let wish = if range.linear { wish.linear() } else { wish };
        let wish = Some(log.wish(Wish::Range(wish))?);
        Ok(Self { log: log.clone(), blocks, wish, ended: Ok(()) })
    }

    /// Waits until all blocks are here; for ever, if the download has no end. Dropping the future does
    /// not stop the download; dropping the handle does.
    ///
    /// # Errors
    /// `Closed` when the log was closed before.
    pub async fn done(&mut self) -> Result<()> {
        if let Some(wish) = &mut self.wish {
            let session = self.log.session_ref();
            self.ended = session.until_end(wish.outcome()).await.map(drop);
            self.wish = None;
        }
        self.ended.clone()
    }

    /// How far it is.
    ///
    /// # Errors
    /// `Closed` when the log was closed.
    pub fn progress(&self) -> Result<DownloadProgress> {
        self.log.session_ref().inline(|view, _| Ok(progress(view.log(), &self.blocks)))
    }
}

fn progress(log: &Log, blocks: &Blocks) -> DownloadProgress {
    let of_range = |range: Range<u64>| DownloadProgress {
        wanted: range.end.saturating_sub(range.start),
        stored: log.stored_count(range),
    };
    match blocks {
        Blocks::Range(range) => of_range(range.clone()),
        Blocks::From(start) => of_range(*start..log.length().max(*start)),
        Blocks::Whole => of_range(0..log.length()),
        Blocks::List(list) => DownloadProgress {
            wanted: u64::try_from(list.len()).unwrap_or(u64::MAX),
            stored: list.iter().map(|index| u64::from(log.has(*index))).sum(),
        },
    }
}
