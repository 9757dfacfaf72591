//! `bench`, `fuzz`, `fuzz-smoke` and `asan`: the tiers that `ci` leaves out.
//!
//! `bench/` and `fuzz/` are workspaces of their own, so an ordinary build
//! never sees what they depend on.

use std::process::Command;

use crate::process::{Echo, capture, cargo, is_present, program, run_in_front, try_capture};
use crate::report::{Figures, Miss, Outcome, miss};
use crate::tasks::test::counts;
use crate::{npm, tool, tree};

/// The version that is installed where there is none.
const CARGO_FUZZ_VERSION: &str = "0.13.2";

const ASAN_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs the benchmarks in release, with JavaScript where node is; `tables` chooses among them.
///
/// A missed target is in the table and no failure: the figures are the machine's as much as ours.
pub(crate) fn bench(tables: &[String]) -> Outcome {
    let folder = tree::root().join("bench");
    let has_node = is_present("node") && is_present("npm");
    if has_node {
        npm::install(&folder.join("javascript"))?;
    }
    run_in_front(&mut cargo(["build", "--release", "--quiet", "--package", "hypercore-cli"]))?;
    let mut command = cargo(["run", "--release", "--quiet", "--manifest-path"]);
    command.arg(folder.join("Cargo.toml")).arg("--").args(tables);
    command.env("HYPERCORE_COMMAND", tree::target_dir()?.join("release").join("hypercore"));
    run_in_front(&mut command)?;
    let which = if tables.is_empty() { "all tables".to_owned() } else { tables.join(", ") };
    let figures = Figures::new(which);
    Ok(if has_node { figures } else { figures.skip("JavaScript: node or npm is missing here") })
}

/// Every fuzz target for `seconds`; no crash.
pub(crate) fn fuzz_smoke(seconds: u64) -> Outcome {
    let targets = fuzz_targets()?;
    if targets.is_empty() {
        return miss("there is no fuzz target");
    }
    for target in &targets {
        let mut command = fuzz_command(target)?;
        command.arg("--").arg(format!("-max_total_time={seconds}"));
        let text = capture(&mut command, Echo::OnFailure)?;
        let done = text.lines().rev().find(|line| line.starts_with("Done ")).unwrap_or("done");
        println!("  {target}: {done}");
    }
    Ok(Figures::new(format!("{} targets, {seconds} s each, no crash", targets.len())))
}

/// One fuzz target until it is stopped or crashes.
pub(crate) fn fuzz(target: &str) -> Outcome {
    if !fuzz_targets()?.iter().any(|known| known == target) {
        return miss(format!("there is no fuzz target {target}"));
    }
    run_in_front(&mut fuzz_command(target)?)?;
    Ok(Figures::new(format!("{target}: no crash")))
}

/// The tests under AddressSanitizer, but for those that bound memory: the
/// sanitizer's own would be counted.
pub(crate) fn asan() -> Outcome {
    let (mut command, left_out) = if is_present("cargo-nextest") {
        let mut nextest = cargo(["nextest", "run", "--workspace", "--profile", "ci"]);
        nextest.args(["--filterset", "not binary(memory)"]);
        (nextest, "tests of hypercore-cli that bound its memory")
    } else {
        // cargo test can not leave out one test binary.
        let tests = ["test", "--workspace", "--exclude", "hypercore-cli"];
        let mut libtest = cargo(tests);
        libtest.args(["--lib", "--bins", "--tests"]);
        (libtest, "all tests of hypercore-cli: only cargo-nextest can leave out those of memory")
    };
    command.args(["--no-fail-fast", "--target", ASAN_TARGET]);
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    let (status, text) = try_capture(&mut command, Echo::Always)?;
    let (passed, failed) = counts(&text);
    let figures = format!("{passed} passed, {failed} failed");
    if !status.success() || passed == 0 {
        return miss(figures);
    }
    Ok(Figures::new(figures).skip(left_out))
}

/// `cargo fuzz run TARGET`: what it finds goes below the target directory, so
/// that the committed corpus stays small.
fn fuzz_command(target: &str) -> Result<Command, Miss> {
    let found = tree::target_dir()?.join("fuzz-corpus").join(target);
    std::fs::create_dir_all(&found)?;
    let mut command = cargo_fuzz(["run", target])?;
    command.arg(found);
    let committed = tree::root().join("fuzz").join("corpus").join(target);
    if committed.exists() {
        command.arg(committed);
    }
    Ok(command)
}

fn fuzz_targets() -> Result<Vec<String>, Miss> {
    if !tree::root().join("fuzz").join("Cargo.toml").exists() {
        return miss("there is no fuzz/Cargo.toml");
    }
    let text = crate::process::output(&mut cargo_fuzz(["list"])?)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// cargo-fuzz on the stable compiler.
fn cargo_fuzz<const N: usize>(arguments: [&str; N]) -> Result<Command, Miss> {
    let binary = tool::cargo_tool("cargo-fuzz", CARGO_FUZZ_VERSION)?;
    let mut command = program(binary, arguments);
    command.env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}
