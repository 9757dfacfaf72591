//! `backup` and `confirm-newest`.

use hypercore::BackupProgress;
use serde::Serialize;

use super::{close, describe, open_to_read, open_to_write, refuse_read_only};
use crate::args::{BackupArgs, Common, DirArgs};
use crate::failure::{Failure, Outcome};
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
    let report = {
        // The backup tells its progress from a blocking thread.
        let mut progress = Progress::new(out.quiet, "backing up", Unit::Blocks, None);
        let progress = move |seen: BackupProgress| {
            progress.set_total(seen.blocks_stored);
            progress.set(seen.blocks_copied);
        };
        log.backup_with(&args.target, progress).await
    };
    let report = report.map_err(|error| Failure::log(&args.target, &error))?;
    close(&log, &args.dir).await?;
    let (target, damaged) = (args.target.display(), report.blocks_damaged);
    if damaged > 0 {
        out.status(format_args!(
            "{}: {damaged} damaged blocks are left out; verify tells more",
            args.dir.display()
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
    let (blocks, bytes) = (report.blocks, report.bytes);
    out.line(format_args!("backed up {blocks} blocks to {target}, which takes {bytes} bytes"))?;
    out.line(format_args!("the log has {} blocks, tree hash {}", report.length, report.tree_hash))
}

pub(super) async fn confirm_newest(common: &Common, args: &DirArgs, out: &mut Output) -> Outcome {
    let log = open_to_write(common, &args.dir, out).await?;
    log.confirm_newest().await.map_err(|error| Failure::log(&args.dir, &error))?;
    describe::print(common, &log, &args.dir, None, out).await?;
    close(&log, &args.dir).await
}
