//! `get`, `cat`, `seek` and `ls`: one block in memory at a time.

use std::ops::Range;
use std::path::Path;

use hypercore::Bytes;
use serde::Serialize;

use super::stored::{Reader, Stored};
use crate::args::{CatArgs, Common, GetArgs, LsArgs, SeekArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::parse::{BlockRange, to_hex};
use crate::progress::{Progress, Unit};

/// Blocks whose presence is asked for at once: bounds what a log full of gaps needs of memory.
const WINDOW: u64 = 32 * 1024;

/// A block in a listing.
#[derive(Serialize)]
pub(super) struct BlockJson {
    index: u64,
    bytes: u64,
    sha256: String,
}

impl BlockJson {
    pub(super) fn of(index: u64, block: &[u8]) -> Self {
        use sha2::Digest as _;
        let sha256 = to_hex(&sha2::Sha256::digest(block));
        Self { index, bytes: block.len() as u64, sha256 }
    }
}

pub(super) async fn get(common: &Common, args: &GetArgs, out: &mut Output) -> Outcome {
    let log = Stored::open(common, &args.dir, out).await?;
    let block = if args.index < log.length() { log.block(args.index).await } else { Ok(None) };
    let block = block.map_err(|error| Failure::read(&args.dir, &error))?;
    out.raw(&block.ok_or_else(|| missing(&args.dir, args.index))?)
}

/// Blocks that must be there, one after the other.
struct Blocks<'a> {
    reader: Reader<'a>,
    dir: &'a Path,
    next: u64,
}

impl<'a> Blocks<'a> {
    fn new(log: &'a Stored, dir: &'a Path, range: Range<u64>) -> Outcome<Self> {
        let next = range.start;
        let reader = log.blocks(range).map_err(|error| Failure::read(dir, &error))?;
        Ok(Self { reader, dir, next })
    }

    /// The next one, with its index.
    async fn next(&mut self) -> Outcome<Option<(u64, Bytes)>> {
        let Some(block) = self.reader.next().await else { return Ok(None) };
        let index = self.next;
        self.next = index.saturating_add(1);
        let block = block.map_err(|error| Failure::read(self.dir, &error))?;
        block.map(|block| Some((index, block))).ok_or_else(|| missing(self.dir, index))
    }
}

fn missing(dir: &Path, index: u64) -> Failure {
    Failure::missing(index, format!("{}: block {index} is not stored here", dir.display()))
}

pub(super) async fn cat(common: &Common, args: &CatArgs, out: &mut Output) -> Outcome {
    let log = Stored::open(common, &args.dir, out).await?;
    if let Some(bytes) = args.bytes {
        return cat_bytes(&log, &args.dir, bytes, out).await;
    }
    let blocks = args.blocks.unwrap_or(BlockRange::ALL);
    let length = log.length();
    let blocks = blocks.within(length).map_err(|end| past_blocks(&args.dir, end, length))?;
    let mut reader = Blocks::new(&log, &args.dir, blocks)?;
    while let Some((_, block)) = reader.next().await? {
        out.raw(&block)?;
    }
    Ok(())
}

async fn cat_bytes(log: &Stored, dir: &Path, bytes: BlockRange, out: &mut Output) -> Outcome {
    let end = log.byte_length();
    let bytes = bytes.within(end).map_err(|byte| past_bytes(dir, byte, end))?;
    let mut left = bytes.end.saturating_sub(bytes.start);
    if left == 0 {
        return Ok(());
    }
    let found = log.seek(bytes.start).await.map_err(|error| Failure::read(dir, &error))?;
    let Some((first, mut offset)) = found else {
        return Err(past_bytes(dir, bytes.start, end));
    };
    let mut reader = Blocks::new(log, dir, first..log.length())?;
    while let Some((_, block)) = reader.next().await? {
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = block.get(skip..).unwrap_or_default();
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(part.len());
        out.raw(part.get(..take).unwrap_or_default())?;
        left = left.saturating_sub(take as u64);
        offset = 0;
        if left == 0 {
            break;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct SeekJson {
    index: u64,
    offset: u64,
}

pub(super) async fn seek(common: &Common, args: &SeekArgs, out: &mut Output) -> Outcome {
    let log = Stored::open(common, &args.dir, out).await?;
    let found = log.seek(args.byte).await.map_err(|error| Failure::read(&args.dir, &error))?;
    let Some((index, offset)) = found else {
        return Err(past_bytes(&args.dir, args.byte, log.byte_length()));
    };
    if out.json {
        out.object(&SeekJson { index, offset })
    } else {
        out.line(format_args!("block {index}, offset {offset}"))
    }
}

pub(super) async fn ls(common: &Common, args: &LsArgs, out: &mut Output) -> Outcome {
    let log = Stored::open(common, &args.dir, out).await?;
    let length = log.length();
    let asked = args.blocks.unwrap_or(BlockRange::ALL);
    let asked = asked.within(length).map_err(|end| past_blocks(&args.dir, end, length))?;
    let count = asked.end.saturating_sub(asked.start);
    let mut progress = Progress::new(out.quiet, "listing", Unit::Blocks, Some(count));
    let mut start = asked.start;
    while start < asked.end {
        let end = start.saturating_add(WINDOW).min(asked.end);
        let here = log.ranges(start..end).await;
        for range in here.map_err(|error| Failure::read(&args.dir, &error))? {
            let mut reader = Blocks::new(&log, &args.dir, range)?;
            while let Some((index, block)) = reader.next().await? {
                let listed = BlockJson::of(index, &block);
                if out.json {
                    out.object(&listed)?;
                } else {
                    out.line(format_args!("{index}\t{}\t{}", listed.bytes, listed.sha256))?;
                }
                progress.set(index.saturating_sub(asked.start));
            }
        }
        start = end;
    }
    Ok(())
}

fn past_blocks(dir: &Path, index: u64, length: u64) -> Failure {
    let message =
        format!("{}: {index} is past the end: the log has {length} blocks", dir.display());
    Failure::missing(index, message)
}

fn past_bytes(dir: &Path, byte: u64, byte_length: u64) -> Failure {
    let message =
        format!("{}: byte {byte} is past the end: the log has {byte_length} bytes", dir.display());
    Failure::missing(byte, message)
}
