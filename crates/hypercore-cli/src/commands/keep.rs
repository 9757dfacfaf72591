//! Copies of a log: `backup` and `confirm-newest`, `pack` and `unpack`.

use std::path::Path;

use hypercore::{BackupProgress, BackupReport, Error, Hypercore};
use serde::Serialize;

use super::{close, describe, open_to_read, open_to_write, refuse_read_only};
use crate::args::{BackupArgs, Common, DirArgs, PackArgs, UnpackArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::progress::{Progress, Unit};

#[derive(Serialize)]
struct BackupJson {
    length: u64,
    fork: u64,
    tree_hash: String,
    key: String,
    blocks: u64,
    bytes: u64,
    blocks_damaged: u64,
}

pub(super) async fn backup(common: &Common, args: &BackupArgs, out: &mut Output) -> Outcome {
    refuse_read_only(common)?;
    let log = open_to_read(common, &args.dir, out).await?;
    let report = log.backup_with(&args.target, progress("backing up", out)).await;
    tell(&log, &args.dir, &args.target, "backed up", report, out).await
}

pub(super) async fn pack(common: &Common, args: &PackArgs, out: &mut Output) -> Outcome {
    refuse_read_only(common)?;
    let log = open_to_read(common, &args.dir, out).await?;
    let report = log.pack_with(&args.file, progress("packing", out)).await;
    tell(&log, &args.dir, &args.file, "packed", report, out).await
}

pub(super) async fn unpack(common: &Common, args: &UnpackArgs, out: &mut Output) -> Outcome {
    refuse_read_only(common)?;
    if args.file.is_dir() {
        let file = args.file.display();
        return Err(Failure::new(Exit::Failed, format!("{file} is a directory, not a packed log")));
    }
    let log = open_to_read(common, &args.file, out).await?;
    let report = log.backup_with(&args.dir, progress("unpacking", out)).await;
    tell(&log, &args.file, &args.dir, "unpacked", report, out).await
}

/// Shows how far a copy is; told from a blocking thread.
fn progress(what: &'static str, out: &Output) -> impl FnMut(BackupProgress) + Send + 'static {
    let mut progress = Progress::new(out.quiet, what, Unit::Blocks, None);
    move |seen: BackupProgress| {
        progress.set_total(seen.blocks_stored);
        progress.set(seen.blocks_copied);
    }
}

/// Closes the log and tells what was copied.
async fn tell(
    log: &Hypercore,
    source: &Path,
    target: &Path,
    done: &str,
    report: Result<BackupReport, Error>,
    out: &mut Output,
) -> Outcome {
    let report = report.map_err(|error| Failure::log(target, &error))?;
    close(log, source).await?;
    let damaged = report.blocks_damaged;
    if damaged > 0 {
        let source = source.display();
        out.status(format_args!(
            "{source}: {damaged} damaged blocks are left out; verify tells more"
        ));
    }
    if out.json {
        return out.object(&BackupJson {
            length: report.length,
            fork: report.fork,
            tree_hash: report.tree_hash.to_string(),
            key: log.key().to_string(),
            blocks: report.blocks,
            bytes: report.bytes,
            blocks_damaged: damaged,
        });
    }
    let (blocks, bytes, target) = (report.blocks, report.bytes, target.display());
    out.line(format_args!("{done} {blocks} blocks to {target}, which takes {bytes} bytes"))?;
    out.line(format_args!("the log has {} blocks, tree hash {}", report.length, report.tree_hash))
}

pub(super) async fn confirm_newest(common: &Common, args: &DirArgs, out: &mut Output) -> Outcome {
    let log = open_to_write(common, &args.dir, out).await?;
    log.confirm_newest().await.map_err(|error| Failure::log(&args.dir, &error))?;
    describe::print(common, &log, &args.dir, None, out).await?;
    close(&log, &args.dir).await
}
