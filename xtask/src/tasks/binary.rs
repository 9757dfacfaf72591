//! `binary`: the real `hypercore` command while its system calls fail, while it is killed, and on
//! a full disk.
//!
//! Three parts. `inject` lets strace fail each call that writes, or kill the process before it.
//! `kill` appends to one log from processes that are killed with signal 9, one after the other.
//! `full` fills a file system of 1 MiB. After each step the log must verify, hold what was
//! acknowledged and nothing that was not attempted, and go on.

mod blocks;
mod full;
mod inject;
mod kills;
mod log;
mod scenario;
mod strace;
mod writer;

use crate::process::{BUILD_BINARIES, Echo, capture, cargo};
use crate::report::{Figures, Outcome};
use crate::tree;

/// Points of the part `inject`, unless told otherwise: what `ci` has the time for.
const POINTS: usize = 250;

/// Rounds of the part `kill`, unless told otherwise.
const ROUNDS: u64 = 200;

/// Where to begin, unless told otherwise: the same run on every machine.
const SEED: u64 = 1;

/// What to run.
#[derive(Debug)]
pub(crate) struct Options {
    part: Option<String>,
    points: usize,
    rounds: u64,
    seed: u64,
    only: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { part: None, points: POINTS, rounds: ROUNDS, seed: SEED, only: None }
    }
}

impl Options {
    /// `--part NAME`, `--points N` or `--points all`, `--rounds N`, `--seed S`, and `--only POINT`.
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = rest.next()?;
            match (name.as_str(), value.as_str()) {
                ("--part", "inject" | "kill" | "full" | "full-inside") => {
                    options.part = Some(value.clone())
                }
                ("--points", "all") => options.points = usize::MAX,
                ("--points", _) => options.points = value.parse().ok()?,
                ("--rounds", _) => options.rounds = value.parse().ok()?,
                ("--seed", _) => options.seed = value.parse().ok()?,
                ("--only", _) => options.only = Some(value.clone()),
                _ => return None,
            }
        }
        Some(options)
    }

    fn includes(&self, part: &str) -> bool {
        self.part.as_deref().is_none_or(|only| only == part)
    }
}

/// Runs the parts; the first step that goes wrong ends the run.
pub(crate) fn run(options: &Options) -> Outcome {
    let target = tree::target_dir()?;
    let (binary, work) = (target.join("debug").join("hypercore"), target.join("binary"));
    if options.part.as_deref() == Some("full-inside") {
        full::inside(&binary, &work.join("full"))?;
        return Ok(Figures::new("done"));
    }
    capture(&mut cargo(BUILD_BINARIES), Echo::OnFailure)?;
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    std::fs::create_dir_all(&work)?;
    // strace names files as the kernel does.
    let work = work.canonicalize()?;
    let mut figures = Vec::new();
    let mut skipped = Vec::new();
    if options.includes("inject") {
        match strace::ensure() {
            Ok(()) => {
                let Options { seed, points, only, .. } = options;
                let tally =
                    inject::run(&binary, &work.join("inject"), *seed, *points, only.as_deref())?;
                figures.push(tally.to_string());
            }
            Err(why) => skipped.push(format!("failing system calls: {why}")),
        }
    }
    if options.includes("kill") && options.only.is_none() {
        let tally = kills::run(&binary, &work.join("kill"), options.seed, options.rounds)?;
        figures.push(tally.to_string());
    }
    if options.includes("full") && options.only.is_none() {
        match full::run(&work.join("full"))? {
            Ok(text) => figures.push(text),
            Err(why) => skipped.push(format!("a full disk: {why}")),
        }
    }
    figures.push(format!("seed {}", options.seed));
    let figures = Figures::new(figures.join("; "));
    Ok(skipped.into_iter().fold(figures, Figures::skip))
}
