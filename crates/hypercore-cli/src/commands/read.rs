//! `get`, `cat`, `seek` and `ls`: one block in memory at a time.

use std::path::Path;

use hypercore::{Bytes, Hypercore};
use serde::Serialize;

use super::open_to_read;
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
    let log = open_to_read(common, &args.dir, out).await?;
    let block = present(&log, &args.dir, args.index).await?;
    out.raw(&block)
}

/// Reads a block that must be there.
async fn present(log: &Hypercore, dir: &Path, index: u64) -> Outcome<Bytes> {
    match log.get_local(index).await {
        Ok(Some(block)) => Ok(block),
        Ok(None) => Err(Failure::missing(
            index,
            format!("{}: block {index} is not stored here", dir.display()),
        )),
        Err(error) => Err(Failure::log(dir, &error)),
    }
}

pub(super) async fn cat(common: &Common, args: &CatArgs, out: &mut Output) -> Outcome {
    let log = open_to_read(common, &args.dir, out).await?;
    if let Some(bytes) = args.bytes {
        return cat_bytes(&log, &args.dir, bytes, out).await;
    }
    let blocks = args.blocks.unwrap_or(BlockRange::ALL);
    let length = log.length();
    let blocks = blocks.within(length).map_err(|end| past_blocks(&args.dir, end, length))?;
    for index in blocks {
        let block = present(&log, &args.dir, index).await?;
        out.raw(&block)?;
    }
    Ok(())
}

async fn cat_bytes(log: &Hypercore, dir: &Path, bytes: BlockRange, out: &mut Output) -> Outcome {
    let end = log.byte_length();
    let bytes = bytes.within(end).map_err(|byte| past_bytes(dir, byte, end))?;
    let mut left = bytes.end.saturating_sub(bytes.start);
    if left == 0 {
        return Ok(());
    }
    let found = log.seek_local(bytes.start).await.map_err(|error| Failure::log(dir, &error))?;
    let Some((first, mut offset)) = found else {
        return Err(past_bytes(dir, bytes.start, end));
    };
    for index in first..log.length() {
        let block = present(log, dir, index).await?;
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
    let log = open_to_read(common, &args.dir, out).await?;
    let found = log.seek_local(args.byte).await.map_err(|error| Failure::log(&args.dir, &error))?;
    let found = found.filter(|(index, _)| *index < log.length());
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
    let log = open_to_read(common, &args.dir, out).await?;
    let length = log.length();
    let asked = args.blocks.unwrap_or(BlockRange::ALL);
    let asked = asked.within(length).map_err(|end| past_blocks(&args.dir, end, length))?;
    let count = asked.end.saturating_sub(asked.start);
    let mut progress = Progress::new(out.quiet, "listing", Unit::Blocks, Some(count));
    let mut start = asked.start;
    while start < asked.end {
        let end = start.saturating_add(WINDOW).min(asked.end);
        let here = log.stored_ranges(start..end, usize::MAX).await;
        for index in here.map_err(|error| Failure::log(&args.dir, &error))?.into_iter().flatten() {
            let block = present(&log, &args.dir, index).await?;
            let listed = BlockJson::of(index, &block);
            if out.json {
                out.object(&listed)?;
            } else {
                out.line(format_args!("{index}\t{}\t{}", listed.bytes, listed.sha256))?;
            }
            progress.set(index.saturating_sub(asked.start));
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
