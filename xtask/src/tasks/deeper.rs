//! `bench`, `asan` and `valgrind`: the tiers that `ci` leaves out.
//!
//! `bench/` is a workspace of its own, so an ordinary build never sees what it depends on.

use std::process::Command;

use crate::process::{Echo, cargo, is_present, run_in_front, try_capture};
use crate::report::{Figures, Outcome, miss};
use crate::tasks::test::counts;
use crate::{npm, tree};

const ASAN_TARGET: &str = "x86_64-unknown-linux-gnu";
/// What cargo reads the program from that runs the tests.
const RUNNER: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";
/// Tests leak on purpose what a user may leak, so leaks are no errors.
const VALGRIND: &str = "valgrind --quiet --error-exitcode=99 --leak-check=no";
/// Crates with unsafe code.
const UNSAFE_PACKAGES: [&str; 2] = ["mappedpages", "paged"];

/// Runs the benchmarks in release, with JavaScript where node is; `tables` chooses among them.
///
/// A missed target is in the table and no failure: the figures are the machine's as much as ours.
pub(crate) fn bench(tables: &[String]) -> Outcome {
    let folder = tree::root().join("bench");
    let has_node = is_present("node") && is_present("npm");
    if has_node {
        npm::install(&folder.join("javascript"))?;
        npm::install(&folder.join("javascript").join("sleep"))?;
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

/// The tests of `packages` under AddressSanitizer, those with unsafe code for example; of all without any.
pub(crate) fn asan(packages: &[String]) -> Outcome {
    let (mut command, left_out) = if packages.is_empty() {
        whole_workspace()
    } else {
        let mut some = cargo(["test", "--all-features", "--lib", "--bins", "--tests"]);
        some.args(packages.iter().flat_map(|package| ["--package", package]));
        (some, None)
    };
    command.args(["--no-fail-fast", "--target", ASAN_TARGET]);
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    // Tests leak on purpose what a user may leak.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    let (status, text) = try_capture(&mut command, Echo::Always)?;
    let (passed, failed) = counts(&text);
    let which = if packages.is_empty() { "all crates".to_owned() } else { packages.join(", ") };
    let figures = format!("{which}: {passed} passed, {failed} failed");
    if !status.success() || passed == 0 {
        return miss(figures);
    }
    let figures = Figures::new(figures);
    Ok(match left_out {
        Some(left_out) => figures.skip(left_out),
        None => figures,
    })
}

/// The tests of all crates, but for those that bound memory: the sanitizer's own would be counted.
fn whole_workspace() -> (Command, Option<&'static str>) {
    if is_present("cargo-nextest") {
        let mut nextest =
            cargo(["nextest", "run", "--workspace", "--all-features", "--profile", "ci"]);
        nextest.args(["--filterset", "not binary(memory)"]);
        return (nextest, Some("tests of hypercore-cli that bound its memory"));
    }
    // cargo test can not leave out one test binary.
    let tests = ["test", "--workspace", "--all-features", "--exclude", "hypercore-cli"];
    let mut libtest = cargo(tests);
    libtest.args(["--lib", "--bins", "--tests"]);
    (libtest, Some("all tests of hypercore-cli: only cargo-nextest can leave out those of memory"))
}

/// The tests of the crates with unsafe code under valgrind, with fewer cases of each that has many.
pub(crate) fn valgrind() -> Outcome {
    if !is_present("valgrind") {
        return Ok(Figures::new("nothing was run").skip("everything: valgrind is missing here"));
    }
    // Optimized, with all assertions: what is not takes valgrind several times as long.
    let mut command = cargo(["test", "--profile", "checked", "--all-features"]);
    command.args(["--lib", "--tests", "--no-fail-fast"]);
    command.args(UNSAFE_PACKAGES.iter().flat_map(|package| ["--package", package]));
    // Its own tables of memory end far below a tebibyte; enumerations take it hours, and look at the
    // same code again and again.
    command.args(["--", "--skip", "larger_than_the_disk", "--skip", "power_cut"]);
    command.env(RUNNER, VALGRIND).env("PROPTEST_CASES", "8");
    let (status, text) = try_capture(&mut command, Echo::Always)?;
    let (passed, failed) = counts(&text);
    let figures = format!("{passed} passed, {failed} failed");
    if !status.success() || passed == 0 {
        return miss(figures);
    }
    Ok(Figures::new(figures)
        .skip("files larger than the disk, which valgrind can not map; power cuts"))
}
