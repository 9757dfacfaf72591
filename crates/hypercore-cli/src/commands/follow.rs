//! `tail`: the last blocks, then those that another process appends.
//!
//! Following takes no lock, so it never stands in a writer's way. It looks at the file that every append changes
//! a few times a second and opens the log again when that changed; every block is verified as on any read.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hypercore::Bytes;

use super::read::BlockJson;
use super::stored::Stored;
use crate::args::{Common, TailArgs};
use crate::failure::{Failure, Outcome, ReadError};
use crate::output::Output;
use crate::sleep_dir::SleepDir;

/// Time between two looks at the file.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// The log is opened again after this time even if the file looks the same: two changes within one
/// tick of the file system's clock look like one.
const REOPEN_EVERY: Duration = Duration::from_secs(2);

/// How often in a row a read that a writer disturbed is tried again before it counts as damage.
const DISTURBED_MAX: u32 = 20;

pub(super) async fn tail(common: &Common, args: &TailArgs, out: &mut Output) -> Outcome {
    // A packed log never grows.
    if !args.follow || args.dir.is_file() {
        let log = Stored::open(common, &args.dir, out).await?;
        let length = log.length();
        for index in length.saturating_sub(args.count)..length {
            let block = log.block(index).await.map_err(|error| Failure::read(&args.dir, &error))?;
            print(index, block, out)?;
        }
        return Ok(());
    }
    let watched = watched(&args.dir);
    let mut follower = Follower { dir: &args.dir, next: None, fork: 0, disturbed: 0 };
    loop {
        let seen = look(&watched);
        let log = match Stored::follow(common, &args.dir).await {
            Ok(log) => log,
            // A writer may be replacing the files. They were there before.
            Err(failure) if follower.next.is_none() => return Err(failure),
            Err(failure) => {
                follower.wait_or_give_up(failure).await?;
                continue;
            }
        };
        match follower.print_new(&log, args.count, out).await {
            Ok(()) => follower.disturbed = 0,
            Err(Disturbed::Out(failure)) => return Err(failure),
            Err(Disturbed::Log(error)) => {
                let failure = Failure::read(&args.dir, &error);
                if !error.is_disturbance() {
                    return Err(failure);
                }
                follower.wait_or_give_up(failure).await?;
                continue;
            }
        }
        drop(log);
        out.flush()?;
        wait_for_change(&watched, seen, out).await?;
    }
}

struct Follower<'a> {
    dir: &'a Path,
    /// The block to print next; `None` before the first look.
    next: Option<u64>,
    fork: u64,
    disturbed: u32,
}

/// Why printing stopped.
enum Disturbed {
    Log(ReadError),
    Out(Failure),
}

impl From<Failure> for Disturbed {
    fn from(failure: Failure) -> Self {
        Self::Out(failure)
    }
}

impl Follower<'_> {
    /// Prints from where the last look ended.
    async fn print_new(
        &mut self,
        log: &Stored,
        count: u64,
        out: &mut Output,
    ) -> Result<(), Disturbed> {
        let (length, fork) = (log.length(), log.fork());
        let mut next = self.next.unwrap_or_else(|| length.saturating_sub(count));
        if self.next.is_some() && (fork != self.fork || length < next) {
            next = next.min(length);
            out.status(format_args!(
                "{}: the log was rewritten (fork {fork}, {length} blocks): going on at block {next}",
                self.dir.display()
            ));
        }
        self.fork = fork;
        self.next = Some(next);
        for index in next..length {
            let block = log.block(index).await.map_err(Disturbed::Log)?;
            print(index, block, out)?;
            self.next = Some(index.saturating_add(1));
        }
        Ok(())
    }

    async fn wait_or_give_up(&mut self, failure: Failure) -> Outcome {
        self.disturbed = self.disturbed.saturating_add(1);
        if self.disturbed > DISTURBED_MAX {
            return Err(failure);
        }
        tokio::time::sleep(POLL_EVERY).await;
        Ok(())
    }
}

fn print(index: u64, block: Option<Bytes>, out: &mut Output) -> Outcome {
    let Some(block) = block else {
        out.status(format_args!("block {index} is not stored here"));
        return Ok(());
    };
    if out.json {
        return out.object(&BlockJson::of(index, &block));
    }
    out.raw(&block)?;
    if block.ends_with(b"\n") { Ok(()) } else { out.raw(b"\n") }
}

/// The file that changes with every append.
fn watched(dir: &Path) -> PathBuf {
    match SleepDir::find(dir) {
        Some(feed) => feed.path(sleep::FileName::Bitfield),
        None => dir.join("oplog"),
    }
}

/// What that file looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

fn look(watched: &Path) -> Option<Look> {
    let found = std::fs::metadata(watched).ok()?;
    Some(Look {
        inode: found.ino(),
        len: found.len(),
        modified: (found.mtime(), found.mtime_nsec()),
    })
}

#[expect(clippy::disallowed_methods, reason = "a tool may read the clock")]
async fn wait_for_change(watched: &Path, seen: Option<Look>, out: &Output) -> Outcome {
    let began = Instant::now();
    loop {
        tokio::time::sleep(POLL_EVERY).await;
        if out.nobody_reads() {
            return Err(Failure::NobodyReads);
        }
        if look(watched) != seen || began.elapsed() >= REOPEN_EVERY {
            return Ok(());
        }
    }
}
