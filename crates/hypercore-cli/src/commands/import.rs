//! `import`: the blocks of a feed of Dat or Hypercore 6 to 9 become a log of Hypercore 10.
//!
//! Invariant: nothing is appended before everything that the log already has was found to be the feed's, block by block; so a
//! second run goes on where the first was ended. Holds two batches in memory, whatever the length of the feed.

use std::ops::Range;
use std::path::Path;

use hypercore::{BLOCK_LEN_MAX, Bytes, CoreKey, Create, Durability, Hypercore, KeyPair};
use serde::Serialize;
use sleep::{Blocks, Feed};

use super::append::STEP_LEN;
use super::stored::{feeds_within, open_feed};
use super::{
    builder, close, opened, refuse_foreign, refuse_read_only, refuse_unconfirmed,
    refuse_without_key,
};
use crate::args::{Common, DurabilityArg, ImportArgs, MissingArg};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::progress::{Progress, Unit};
use crate::sleep_dir::SleepDir;
use crate::source::{BATCH_BLOCKS_MAX, BATCH_LEN};

/// Blocks that are compared between two looks at the clock.
const PROGRESS_EVERY: u64 = 256;

#[derive(Serialize)]
struct ImportJson {
    length: u64,
    byte_length: u64,
    appended: u64,
    bytes: u64,
    tree_hash: String,
    key: String,
    /// Blocks that were read back, all of them.
    verified: u64,
    /// Blocks that are empty because the feed does not have them.
    missing: u64,
}

pub(super) async fn import(common: &Common, args: &ImportArgs, out: &mut Output) -> Outcome {
    refuse_read_only(common)?;
    let place = SleepDir::find(&args.feed).ok_or_else(|| not_a_feed(&args.feed))?;
    let feed = open_feed(&args.feed, &place, out)?;
    refuse_unproven(&feed, &args.feed)?;
    let wanted = Wanted::new(&feed, args)?;
    refuse_foreign(&args.dir)?;
    let log = open_log(common, args, &place, &feed, out).await?;

    let mut work = Work {
        wanted: &wanted,
        log: &log,
        args,
        out,
        is_synced: common.durability == DurabilityArg::Immediate,
        step: Step::default(),
        appended: 0,
        bytes: 0,
    };
    let result = work.run().await;
    // Also after a failure: what came before it counts.
    let result = result.and(work.end_step().await);
    let (appended, bytes) = (work.appended, work.bytes);
    if let Err(failure) = result {
        // The first failure is the one to tell; a second one of closing follows from it.
        drop(close(&log, &args.dir).await);
        return Err(failure.after(&format!("{appended} blocks were imported before")));
    }
    let info = log.info().await.map_err(|error| Failure::log(&args.dir, &error))?;
    close(&log, &args.dir).await?;
    let missing = wanted.missing();
    if out.json {
        return out.object(&ImportJson {
            length: info.length,
            byte_length: info.byte_length,
            appended,
            bytes,
            tree_hash: info.tree_hash.to_string(),
            key: info.key.to_string(),
            verified: info.length,
            missing,
        });
    }
    let length = info.length;
    out.line(format_args!(
        "imported {appended} blocks, {bytes} bytes; the log has {length} blocks, each compared with the feed"
    ))?;
    if missing > 0 {
        out.line(format_args!("{missing} of them are empty because the feed does not have them"))?;
    }
    out.line(format_args!("key {}", info.key))
}

fn not_a_feed(dir: &Path) -> Failure {
    feeds_within(dir).unwrap_or_else(|| {
        let dir = dir.display();
        Failure::new(
            Exit::NotFound,
            format!("{dir}: no feed of Dat or Hypercore 6 to 9 is stored there"),
        )
    })
}

/// A feed whose end is not what was signed would be taken for whole once it is a log.
fn refuse_unproven(feed: &Feed, dir: &Path) -> Outcome {
    let Some(finding) = feed.recovery().refusal() else { return Ok(()) };
    let dir = dir.display();
    Err(Failure::new(
        Exit::Corrupt,
        format!(
            "{dir}: {finding}; so what was appended last may be lost or another, and nothing was imported. Repair the feed, or a copy of \
             it, first: hypercore verify {dir} --repair, which has options for what it does not do by itself"
        ),
    ))
}

/// Opens what an import before this one left, or makes a log.
async fn open_log(
    common: &Common,
    args: &ImportArgs,
    place: &SleepDir,
    feed: &Feed,
    out: &Output,
) -> Outcome<Hypercore> {
    let mut options = builder(common, &args.dir).create(Create::IfMissing);
    // Much is synced in large steps and not batch by batch, always before it is told of.
    options = options.durability(Durability::Eventual).compat(args.compat || args.keep_key);
    if let Some(seed) = &args.seed {
        options = options.seed(seed.bytes());
    }
    if args.keep_key {
        let pair = key_pair(&args.feed, place, feed)?;
        let key = CoreKey::from_bytes(*pair.public().as_bytes());
        options = options.key_pair(pair).key(key);
    }
    let log = opened(options, &args.dir, out).await?;
    refuse_without_key(&log, &args.dir)?;
    refuse_unconfirmed(&log, &args.dir)?;
    Ok(log)
}

/// The key pair of the feed.
fn key_pair(dir: &Path, place: &SleepDir, feed: &Feed) -> Outcome<KeyPair> {
    place.key_pair(dir, feed.key())?.ok_or_else(|| {
        let dir = dir.display();
        Failure::new(
            Exit::NotWritable,
            format!(
                "{dir}: the feed's secret key is not stored there, so its key can not be kept; nothing was changed. Import it \
                 under a new key, without --keep-key"
            ),
        )
    })
}

/// What the log is to hold.
struct Wanted<'a> {
    feed: &'a Feed,
    dir: &'a Path,
    end: u64,
    /// The blocks below `end` that the feed has, in order.
    present: Vec<Range<u64>>,
}

impl<'a> Wanted<'a> {
    fn new(feed: &'a Feed, args: &'a ImportArgs) -> Outcome<Self> {
        let dir = args.feed.as_path();
        let length = feed.length();
        let present: Vec<Range<u64>> = feed.present().collect();
        let first = present.first().filter(|range| range.start == 0);
        let first_missing = first.map_or(0, |range| range.end);
        let end = match args.missing {
            MissingArg::Stop => first_missing,
            MissingArg::Empty => length,
            MissingArg::Refuse if first_missing == length => length,
            MissingArg::Refuse => {
                let dir = dir.display();
                return Err(Failure::missing(
                    first_missing,
                    format!(
                        "{dir}: block {first_missing} is not stored there; nothing was imported. With --missing stop the import ends before it, with \
                         --missing empty an empty block stands in the place of each that is missing"
                    ),
                ));
            }
        };
        let wanted = Self { feed, dir, end, present };
        wanted.refuse_long_blocks()?;
        Ok(wanted)
    }

    /// Says before any work that a block is longer than one of a log may be.
    ///
    /// Looks from above: below a node that holds no more than one block may, there is no such block.
    fn refuse_long_blocks(&self) -> Outcome {
        let mut nodes: Vec<_> = self.feed.roots().iter().rev().map(|root| root.index).collect();
        while let Some(index) = nodes.pop() {
            if !self.wants_any(index.first_block()..index.end_block()) {
                continue;
            }
            let node = self.feed.node(index).map_err(|error| Failure::feed(self.dir, &error))?;
            if node.is_some_and(|node| node.size <= BLOCK_LEN_MAX as u64) {
                continue;
            }
            match (index.children(), node) {
                (Some((left, right)), _) => nodes.extend([right, left]),
                (None, Some(leaf)) => return Err(self.too_long(index.first_block(), leaf.size)),
                // Reading the block tells what is wrong.
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Whether one of these blocks is there and to be imported.
    fn wants_any(&self, blocks: Range<u64>) -> bool {
        let after = self.present.partition_point(|here| here.end <= blocks.start);
        let first = self.present.get(after).map(|here| here.start.max(blocks.start));
        first.is_some_and(|first| first < blocks.end.min(self.end))
    }

    fn too_long(&self, index: u64, len: u64) -> Failure {
        let dir = self.dir.display();
        let message = format!(
            "{dir}: block {index} has {len} bytes, and a block of a log has at most {BLOCK_LEN_MAX}; nothing was changed"
        );
        Failure::new(Exit::Failed, message).at(index)
    }

    /// Blocks that are empty in place of missing ones.
    fn missing(&self) -> u64 {
        let present = self.present.iter().fold(0_u64, |sum, range| {
            let end = range.end.min(self.end);
            sum.saturating_add(end.saturating_sub(range.start))
        });
        self.end.saturating_sub(present)
    }

    /// These blocks, in batches.
    fn batches(&self, range: Range<u64>) -> Outcome<Batches<'a>> {
        let next = range.start;
        let blocks = self.feed.blocks(range).map_err(|error| Failure::feed(self.dir, &error))?;
        Ok(Batches { blocks, dir: self.dir, next })
    }
}

/// Blocks of the feed, read and verified in order.
struct Batches<'a> {
    blocks: Blocks<'a>,
    dir: &'a Path,
    next: u64,
}

impl Batches<'_> {
    /// As many of the next blocks as make a batch; none at the end.
    fn next(&mut self) -> Outcome<Vec<Bytes>> {
        let mut batch = Vec::new();
        let mut len = 0_usize;
        while batch.len() < BATCH_BLOCKS_MAX && len < BATCH_LEN {
            let Some(block) = self.block()? else { break };
            len = len.saturating_add(block.len());
            batch.push(block);
        }
        Ok(batch)
    }

    fn block(&mut self) -> Outcome<Option<Bytes>> {
        let block = match self.blocks.next() {
            None => return Ok(None),
            Some(Ok(block)) => block.into(),
            // Only met where an empty one was asked for in its place.
            Some(Err(sleep::Error::NotStored { .. })) => Bytes::new(),
            Some(Err(error)) => return Err(Failure::feed(self.dir, &error)),
        };
        self.next = self.next.saturating_add(1);
        Ok(Some(block))
    }
}

/// An import on its way.
struct Work<'a> {
    wanted: &'a Wanted<'a>,
    log: &'a Hypercore,
    args: &'a ImportArgs,
    out: &'a Output,
    /// Whether what is appended is synced before it is told of.
    is_synced: bool,
    step: Step,
    /// What anybody may be told of.
    appended: u64,
    bytes: u64,
}

/// What was appended and not told of yet.
#[derive(Default)]
struct Step {
    blocks: u64,
    bytes: u64,
}

impl Work<'_> {
    async fn run(&mut self) -> Outcome {
        let (start, end) = (self.log.length(), self.wanted.end);
        if start > end {
            let dir = self.args.dir.display();
            return Err(Failure::new(
                Exit::Failed,
                format!(
                    "{dir}: the log has {start} blocks, and the feed has {end} to import: it is another log, or went on since; nothing was changed"
                ),
            ));
        }
        self.compare(0..start, Look::Before).await?;
        if start > 0 {
            let dir = self.args.dir.display();
            self.out.status(format_args!("{dir}: {start} of {end} blocks are here already"));
        }
        self.copy(start..end).await?;
        self.compare(start..end, Look::After).await
    }

    /// Appends these blocks.
    async fn copy(&mut self, blocks: Range<u64>) -> Outcome {
        let count = blocks.end.saturating_sub(blocks.start);
        let mut progress = Progress::new(self.out.quiet, "importing", Unit::Blocks, Some(count));
        let mut batches = self.wanted.batches(blocks)?;
        let mut next = batches.next()?;
        while !next.is_empty() {
            let batch = std::mem::take(&mut next);
            let (count, len) = size_of(&batch);
            // A thread appends; meanwhile this one reads and verifies.
            let (done, read) = tokio::join!(self.log.append_owned(batch), async { batches.next() });
            done.map_err(|error| Failure::log(&self.args.dir, &error))?;
            self.step.blocks = self.step.blocks.saturating_add(count);
            self.step.bytes = self.step.bytes.saturating_add(len);
            progress.set(self.appended.saturating_add(self.step.blocks));
            if self.step.bytes >= STEP_LEN {
                self.end_step().await?;
            }
            next = read?;
        }
        self.end_step().await
    }

    /// Counts what was appended, once it is as durable as was asked for.
    async fn end_step(&mut self) -> Outcome {
        let Step { blocks, bytes } = std::mem::take(&mut self.step);
        if blocks == 0 {
            return Ok(());
        }
        if self.is_synced {
            self.log.flush().await.map_err(|error| Failure::log(&self.args.dir, &error))?;
        }
        self.appended = self.appended.saturating_add(blocks);
        self.bytes = self.bytes.saturating_add(bytes);
        let (dir, appended) = (self.args.dir.display(), self.appended);
        self.out.detail(format_args!("{dir}: {appended} blocks imported so far"));
        Ok(())
    }

    /// Reads these blocks from both sides. What differs is not touched.
    async fn compare(&self, blocks: Range<u64>, look: Look) -> Outcome {
        let count = blocks.end.saturating_sub(blocks.start);
        let verb = if look == Look::Before { "comparing" } else { "verifying" };
        let mut progress = Progress::new(self.out.quiet, verb, Unit::Blocks, Some(count));
        let start = blocks.start;
        let mut batches = self.wanted.batches(blocks)?;
        while let Some(wanted) = batches.block()? {
            let index = batches.next.saturating_sub(1);
            let found = self.log.get_local(index).await;
            let found = found.map_err(|error| Failure::log(&self.args.dir, &error))?;
            if found.as_ref() != Some(&wanted) {
                return Err(self.differs(index, found.is_some(), look));
            }
            if index.is_multiple_of(PROGRESS_EVERY) {
                progress.set(index.saturating_sub(start));
            }
        }
        Ok(())
    }

    fn differs(&self, index: u64, is_stored: bool, look: Look) -> Failure {
        let dir = self.args.dir.display();
        let what = if is_stored { "is not the feed's" } else { "is not stored there" };
        let (exit, so) = match look {
            Look::Before => {
                (Exit::Failed, "it is no log that an import of the feed left; nothing was changed")
            }
            Look::After => (Exit::Corrupt, "what was written is not what is read"),
        };
        Failure::new(exit, format!("{dir}: block {index} {what}: {so}")).at(index)
    }
}

/// When the two are compared: before anything is appended, or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Before,
    After,
}

fn size_of(blocks: &[Bytes]) -> (u64, u64) {
    let len = blocks.iter().fold(0_u64, |sum, block| sum.saturating_add(block.len() as u64));
    (blocks.len() as u64, len)
}
