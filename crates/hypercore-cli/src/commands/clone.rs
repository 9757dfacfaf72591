//! `clone`: fetches a log from peers into a directory.
//!
//! The peers are dialled and dialled again by tasks of their own; this looks at the log a few times a
//! tenth of a second, and tells what it sees.

use std::time::{Duration, Instant};

use hypercore::{Create, Durability, EndReason, Hypercore};
use indicatif::BinaryBytes;
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use super::dial::{Dialler, Turn};
use super::fetch::{Fetch, PastTheEnd, Standing};
use super::signals::Signals;
use super::{builder, close, opened, refuse_foreign, refuse_read_only};
use crate::args::{CloneArgs, Common};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::parse::BlockRange;
use crate::progress::{Progress, Unit};

/// Time between two looks at the log.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) async fn clone(common: &Common, args: &CloneArgs, out: &mut Output) -> Outcome {
    refuse_read_only(common)?;
    refuse_foreign(&args.dir)?;
    let signals = Signals::new()?;
    // Synced before it is told of, not block by block.
    let options = builder(common, &args.dir)
        .create(Create::IfMissing)
        .key(args.key)
        .durability(Durability::Eventual);
    let log = opened(options, &args.dir, out).await?;
    let blocks = match (args.no_blocks, args.blocks.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => vec![BlockRange::ALL],
        (false, false) => args.blocks.clone(),
    };
    let dialler = Dialler::start(&log, &args.connect, args.live);
    let mut work = Work {
        args,
        log: &log,
        out,
        fetch: Fetch::new(&log, blocks, args.live),
        lines: args.connect.iter().map(|_| Line::Dialled).collect(),
        signals,
        seen: Standing { length: log.length(), fork: log.fork(), ..Standing::default() },
        told: None,
        began: now(),
        progress: None,
    };
    let result = work.run(dialler).await;
    drop(work);
    let closed = close(&log, &args.dir).await;
    // The first failure is the one to tell.
    result.and(closed)
}

/// What is known of an address.
enum Line {
    Dialled,
    GivenUp(String),
}

/// What ends the wait for the next look.
enum Woken {
    Look,
    Turn(usize, Turn),
    Signal,
    Late,
}

/// Why the work is over.
enum End {
    Done,
    Signal,
}

struct Work<'a> {
    args: &'a CloneArgs,
    log: &'a Hypercore,
    out: &'a mut Output,
    fetch: Fetch,
    lines: Vec<Line>,
    signals: Signals,
    seen: Standing,
    /// Fork, length and blocks of which the last `done` told.
    told: Option<(u64, u64, u64)>,
    began: Instant,
    progress: Option<Progress>,
}

impl Work<'_> {
    async fn run(&mut self, mut dialler: Dialler) -> Outcome {
        let ended = self.fetch(&mut dialler).await;
        self.progress = None;
        dialler.end().await;
        match ended? {
            End::Done => Ok(()),
            End::Signal => self.interrupted().await,
        }
    }

    async fn fetch(&mut self, dialler: &mut Dialler) -> Outcome<End> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let late = deadline(self.args.timeout);
        tokio::pin!(late);
        loop {
            let woken = tokio::select! {
                biased;
                () = self.signals.next() => Woken::Signal,
                () = &mut late, if self.told.is_none() => Woken::Late,
                (at, turn) = dialler.next() => Woken::Turn(at, turn),
                _ = looks.tick() => Woken::Look,
            };
            match woken {
                Woken::Signal => return Ok(End::Signal),
                Woken::Late => return Err(self.late()),
                Woken::Turn(at, turn) => self.take(at, turn)?,
                Woken::Look => {}
            }
            let standing = self.look().await?;
            if standing.is_complete && self.told != Some(standing.news()) {
                // What is stored is counted a moment later: in the round that the next look waits for.
                let standing = self.look().await?;
                self.done(standing).await?;
                if !self.args.live {
                    return Ok(End::Done);
                }
            }
            if self.out.nobody_reads() {
                return Err(Failure::NobodyReads);
            }
            // Only now: the last peer may have brought the last block before it went.
            if !standing.is_complete
                && self.lines.iter().all(|line| matches!(line, Line::GivenUp(_)))
            {
                return Err(self.nobody_left());
            }
        }
    }

    /// Takes in what happened at an address.
    fn take(&mut self, at: usize, turn: Turn) -> Outcome {
        let address = self.args.connect.get(at).map(ToString::to_string).unwrap_or_default();
        match turn {
            Turn::Connected => {
                self.out.detail(format_args!("{address}: connected"));
                self.event("connected", &address, None)
            }
            Turn::Lost(why) => {
                self.out.status(format_args!("{address}: {why}; dialling again"));
                self.event("disconnected", &address, Some(&why))
            }
            Turn::GivenUp(why) => {
                self.out.status(format_args!("{address}: {why}"));
                self.event("disconnected", &address, Some(&why))?;
                if let Some(line) = self.lines.get_mut(at) {
                    *line = Line::GivenUp(why);
                }
                Ok(())
            }
            Turn::Failed(EndReason::Failed(error)) => Err(Failure::log(&self.args.dir, &error)),
            Turn::Failed(EndReason::Conflict) => Err(self.conflict()),
            Turn::Failed(why) => {
                Err(Failure::new(Exit::Failed, format!("{}: {why}", self.args.dir.display())))
            }
        }
    }

    fn event(&mut self, event: &'static str, address: &str, reason: Option<&str>) -> Outcome {
        if !self.out.json {
            return Ok(());
        }
        self.out.object(&LineJson { event, address, reason })?;
        self.out.flush()
    }

    /// Looks at the log, and tells what has changed.
    async fn look(&mut self) -> Outcome<Standing> {
        let lines = self.lines.iter().filter(|line| matches!(line, Line::Dialled)).count();
        let looked = self.fetch.look(lines).await;
        let looked = looked.map_err(|error| {
            if error.is_conflict() {
                return self.conflict();
            }
            Failure::log(&self.args.dir, &error)
        })?;
        let standing = looked.map_err(|PastTheEnd(index)| {
            let length = self.log.length();
            Failure::missing(index, format!("{index} is past the end: the log has {length} blocks"))
        })?;
        let before = std::mem::replace(&mut self.seen, standing);
        let Standing { length, fork, .. } = standing;
        if (length, fork) != (before.length, before.fork) {
            let event = if fork == before.fork { "upgraded" } else { "truncated" };
            self.out.detail(format_args!("the log has {length} blocks, fork {fork}"));
            if self.out.json {
                self.out.object(&HeadJson { event, length, fork })?;
                self.out.flush()?;
            }
        }
        self.show(standing);
        Ok(standing)
    }

    fn show(&mut self, standing: Standing) {
        if standing.wanted == 0 {
            return;
        }
        let quiet = self.out.quiet;
        let progress = self
            .progress
            .get_or_insert_with(|| Progress::new(quiet, "fetching", Unit::Blocks, None));
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let missing = standing.wanted.saturating_sub(standing.stored);
        progress.set_total(standing.wanted);
        progress.set_note(format!(
            "{}/s, {missing} missing, peers: {}",
            BinaryBytes(per_second(standing.bytes, seconds)),
            standing.peers
        ));
        progress.set(standing.stored);
    }

    /// Everything is here: makes it durable, then tells.
    async fn done(&mut self, standing: Standing) -> Outcome {
        self.log.flush().await.map_err(|error| Failure::log(&self.args.dir, &error))?;
        self.told = Some(standing.news());
        self.progress = None;
        self.print("done", standing).await
    }

    /// A signal came, and nothing comes any more: what is here stays.
    async fn interrupted(&mut self) -> Outcome {
        let standing = self.look().await?;
        self.log.flush().await.map_err(|error| Failure::log(&self.args.dir, &error))?;
        self.progress = None;
        self.print("interrupted", standing).await?;
        let is_complete = self.told.is_some() && standing.stored >= standing.wanted;
        if is_complete { Ok(()) } else { Err(Failure::Reported(Exit::Failed)) }
    }

    async fn print(&mut self, event: &'static str, standing: Standing) -> Outcome {
        let info = self.log.info().await.map_err(|error| Failure::log(&self.args.dir, &error))?;
        let Standing { downloaded, bytes, wanted, stored, .. } = standing;
        let (length, fork) = (info.length, info.fork);
        let missing = wanted.saturating_sub(stored);
        let elapsed = self.began.elapsed();
        if self.out.json {
            let tree_hash = info.tree_hash.to_string();
            let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            self.out.object(&EndJson {
                event,
                length,
                fork,
                tree_hash,
                downloaded,
                bytes,
                missing,
                elapsed_ms,
            })?;
        } else {
            let seconds = elapsed.as_secs_f64();
            let missing =
                if missing == 0 { String::new() } else { format!("; {missing} are missing") };
            self.out.line(format_args!(
                "{event}: {downloaded} blocks, {bytes} bytes in {seconds:.1} s; the log has {length} blocks, fork {fork}{missing}"
            ))?;
        }
        self.out.flush()
    }

    fn late(&self) -> Failure {
        let missing = self.seen.wanted.saturating_sub(self.seen.stored);
        let what = if self.seen.peers == 0 {
            format!("no peer has told what it has{}", self.given_up())
        } else if missing == 0 {
            "the head of the log is not proven".to_owned()
        } else {
            format!("{missing} of {} blocks are missing", self.seen.wanted)
        };
        Failure::new(Exit::TimedOut, format!("the time is over: {what}; what came stays"))
    }

    fn nobody_left(&self) -> Failure {
        let missing = self.seen.wanted.saturating_sub(self.seen.stored);
        let missing =
            if missing == 0 { String::new() } else { format!(" and {missing} blocks are missing") };
        Failure::new(Exit::Network, format!("no peer is left{missing}{}", self.given_up()))
    }

    /// Why addresses were given up.
    fn given_up(&self) -> String {
        let mut text = String::new();
        for (line, address) in self.lines.iter().zip(&self.args.connect) {
            if let Line::GivenUp(why) = line {
                text.push_str(&format!("; {address}: {why}"));
            }
        }
        text
    }

    fn conflict(&self) -> Failure {
        Failure::new(
            Exit::Corrupt,
            format!(
                "{}: a peer has another history of this log, signed with the same key: the log can not \
                 be trusted any more",
                self.args.dir.display()
            ),
        )
    }
}

#[derive(Serialize)]
struct LineJson<'a> {
    event: &'static str,
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct HeadJson {
    event: &'static str,
    length: u64,
    fork: u64,
}

#[derive(Serialize)]
struct EndJson {
    event: &'static str,
    length: u64,
    fork: u64,
    tree_hash: String,
    downloaded: u64,
    bytes: u64,
    missing: u64,
    elapsed_ms: u64,
}

#[expect(clippy::disallowed_methods, reason = "a tool may read the clock")]
fn now() -> Instant {
    Instant::now()
}

async fn deadline(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate for people"
)]
fn per_second(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds) as u64
}
