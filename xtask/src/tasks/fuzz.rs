//! `fuzz` and `fuzz-smoke`: the targets of `fuzz/`, one until it is stopped, or each for a short while.
//!
//! Built without a sanitizer, and so by the stable compiler: what is fuzzed has no unsafe code but two memory maps,
//! `asan` and `valgrind` run their tests, and the targets count what is allocated themselves. What a run finds goes
//! below the target directory, so that the committed corpus stays small; an input that fails goes to `fuzz/artifacts`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::process::{Echo, capture, cargo, program, run_in_front, try_capture};
use crate::report::{Figures, Miss, Outcome, fail_on, miss};
use crate::tasks::test::counts;
use crate::{tool, tree};

/// The version that is installed where there is none.
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// Seconds for each target, unless others are asked for.
pub(crate) const SECONDS: u64 = 5;

/// Inputs after which a short run of a target ends early: the fast ones, of small formats, find nothing new with more.
const RUNS_MAX: u32 = 1_000_000;

/// What the short runs draw from: the same inputs each time, as far as the time goes.
pub(crate) const SEED: u32 = 1;

/// Targets that run beside each other.
const AT_ONCE: usize = 2;

/// Seconds for one input. The slowest honest one takes a tenth of one.
const INPUT_SECONDS_MAX: u32 = 10;

/// MiB of memory for one target.
const MEMORY_MIB_MAX: u32 = 1024;

/// The tests of the targets' own seeds, then every target for `seconds`; no crash.
pub(crate) fn smoke(seconds: u64, seed: u32) -> Outcome {
    let targets = targets()?;
    // The targets are built one crate after the other for most of the time: the tests take the other core.
    let mut build = cargo_fuzz(&["build"])?;
    let (passed, built) = std::thread::scope(|scope| {
        let tests = scope.spawn(test_seeds);
        let built = capture(&mut build, Echo::OnFailure);
        (tests.join().expect("no panic"), built)
    });
    let (passed, _) = (passed?, built?);
    let waiting = Mutex::new(targets.iter().rev());
    let (runs, problems) = (Mutex::new(0_u64), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(target) = { waiting.lock().expect("no panic").next() } {
                    match run_for(target, seconds, seed) {
                        Ok(done) => *runs.lock().expect("no panic") += done,
                        Err(Miss(what)) => problems.lock().expect("no panic").push(what),
                    }
                }
            });
        }
    });
    fail_on(&problems.into_inner().expect("no panic"), "fuzz targets failed")?;
    let runs = runs.into_inner().expect("no panic");
    let count = targets.len();
    Ok(Figures::new(format!(
        "{passed} tests, {count} targets, {seconds} s or {RUNS_MAX} runs each, seed {seed}, {runs} runs, no crash"
    )))
}

/// One target until it is stopped or crashes.
pub(crate) fn one(target: &str) -> Outcome {
    if !targets()?.iter().any(|known| known == target) {
        return miss(format!("there is no fuzz target {target}"));
    }
    capture(&mut cargo_fuzz(&["build", target])?, Echo::OnFailure)?;
    run_in_front(&mut command(target, &target_dir()?.join("corpus"))?)?;
    Ok(Figures::new(format!("{target}: no crash")))
}

/// Runs a target from its committed corpus on and gives the number of inputs it tried.
fn run_for(target: &str, seconds: u64, seed: u32) -> Result<u64, Miss> {
    let fresh = target_dir()?.join("smoke");
    match std::fs::remove_dir_all(fresh.join(target)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut command = command(target, &fresh)?;
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-runs={RUNS_MAX}"));
    command.arg(format!("-seed={seed}"));
    let (status, text) = try_capture(&mut command, Echo::OnFailure)?;
    if !status.success() {
        return miss(format!("{target}: {status} with seed {seed}, see above and fuzz/artifacts"));
    }
    // `Done 1234 runs in 16 second(s)`
    let done = text.lines().rev().find_map(|line| line.strip_prefix("Done ")?.split(' ').next());
    let done = done.and_then(|runs| runs.parse().ok());
    let Some(runs) = done else { return miss(format!("{target}: it does not say how many runs")) };
    println!("  {target}: {runs} runs");
    Ok(runs)
}

/// The tests in `fuzz/`: its seeds reach what they are for, and allocation is bounded.
fn test_seeds() -> Result<u64, Miss> {
    let mut command = cargo(["test", "--target-dir"]);
    command.arg(target_dir()?).current_dir(tree::root().join("fuzz"));
    let text = capture(&mut command, Echo::OnFailure)?;
    match counts(&text) {
        (0, _) => miss("fuzz/ has no test"),
        (passed, _) => Ok(passed),
    }
}

/// A built target with the limits that all runs have. What it finds goes below `corpus`.
fn command(target: &str, corpus: &Path) -> Result<Command, Miss> {
    let found = corpus.join(target);
    let artifacts = tree::root().join("fuzz").join("artifacts").join(target);
    std::fs::create_dir_all(&found)?;
    std::fs::create_dir_all(&artifacts)?;
    let mut command = program(binary(target)?, [&found]);
    let committed = tree::root().join("fuzz").join("corpus").join(target);
    if committed.exists() {
        command.arg(committed);
    }
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
    Ok(command)
}

/// Where cargo-fuzz puts a target: it always builds for a named platform.
fn binary(target: &str) -> Result<PathBuf, Miss> {
    let platforms = std::fs::read_dir(target_dir()?)?.flatten().map(|entry| entry.path());
    let mut binaries = platforms.map(|platform| platform.join("release").join(target));
    let found = binaries.find(|path| path.exists());
    found.ok_or_else(|| Miss(format!("cargo-fuzz built no {target}")))
}

fn target_dir() -> Result<PathBuf, Miss> {
    Ok(tree::target_dir()?.join("fuzz"))
}

/// cargo-fuzz, built where it is missing.
pub(crate) fn tool() -> Result<PathBuf, Miss> {
    tool::cargo_tool("cargo-fuzz", CARGO_FUZZ_VERSION)
}

fn targets() -> Result<Vec<String>, Miss> {
    let mut command = program(tool()?, ["list"]);
    let text = crate::process::output(&mut command)?;
    let targets: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if targets.is_empty() { miss("there is no fuzz target") } else { Ok(targets) }
}

fn cargo_fuzz(arguments: &[&str]) -> Result<Command, Miss> {
    let mut command = program(tool()?, arguments);
    command.args(["--sanitizer", "none", "--target-dir"]).arg(target_dir()?);
    Ok(command)
}
