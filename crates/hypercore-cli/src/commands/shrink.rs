//! `truncate` and `clear`.

use std::path::Path;

use hypercore::Hypercore;

use super::{close, describe, open_to_write, refuse_unconfirmed};
use crate::args::{ClearArgs, Common, TruncateArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Output;

pub(super) async fn truncate(common: &Common, args: &TruncateArgs, out: &mut Output) -> Outcome {
    let log = open_to_write(common, &args.dir, out).await?;
    refuse_unconfirmed(&log, &args.dir)?;
    let before = stored(&log, &args.dir).await?;
    let result = log.truncate(args.length, args.fork).await;
    result.map_err(|error| Failure::log(&args.dir, &error))?;
    let freed = before.saturating_sub(stored(&log, &args.dir).await?);
    describe::print(common, &log, &args.dir, Some(freed), out).await?;
    close(&log, &args.dir).await
}

pub(super) async fn clear(common: &Common, args: &ClearArgs, out: &mut Output) -> Outcome {
    let log = open_to_write(common, &args.dir, out).await?;
    let length = log.length();
    let blocks = args.blocks.within(length).map_err(|index| {
        let dir = args.dir.display();
        Failure::missing(
            index,
            format!("{dir}: {index} is past the end: the log has {length} blocks"),
        )
    })?;
    let cleared = log.clear(blocks).await.map_err(|error| Failure::log(&args.dir, &error))?;
    describe::print(common, &log, &args.dir, Some(cleared.bytes_freed), out).await?;
    close(&log, &args.dir).await
}

/// Bytes that the log takes in its storage now.
async fn stored(log: &Hypercore, dir: &Path) -> Outcome<u64> {
    let info = log.info().await.map_err(|error| Failure::log(dir, &error))?;
    Ok(info.storage.total())
}
