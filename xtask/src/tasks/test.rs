//! `test`: unit and integration tests by cargo-nextest, those of the log once more on stores that move one byte a
//! call, then the doctests and the examples.
//!
//! All of it is the whole workspace with all features: whatever named one crate would build what it needs anew, since
//! cargo then settles the features of what is shared for that crate alone.

use std::process::{Command, ExitStatus};

use crate::process::{Echo, capture, cargo, is_present, output, program, try_capture};
use crate::report::{Figures, Miss, Outcome, miss};
use crate::tree;

/// Tests that move so many bytes that one at a time takes half a minute or more: a batch of a million blocks, and
/// the tree and bitfield pages of a log of three billion, large commits, random lives of branches, and a log that is
/// read once for each of thousands of damages. Damage is found by what is read, not by how: smaller logs show that.
const SLOW_BY_THE_BYTE: [&str; 7] = [
    "a_batch_of_a_million_blocks_is_one_append",
    "a_sparse_copy_of_a_very_long_log_stays_small",
    "a_huge_batch_of_200_000",
    "a_damaged_branch_leaves_the_log_as_it_was",
    "they_are_lists_of_blocks",
    "logs_of_javascript",
    "sectors_of_larger_logs",
];

/// Tests that failed, of which the closing line gives the names; the output has all.
const FAILURES_NAMED: usize = 5;

/// Counts over every test binary that ran.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Runs tests, doctests and examples; the output of the tests is passed through.
pub(crate) fn run() -> Outcome {
    let has_nextest = is_present("cargo-nextest");
    let (mut tests, runner) = if has_nextest {
        (nextest(), "cargo-nextest")
    } else {
        let mut command = cargo(["test", "--workspace", "--all-features", "--no-fail-fast"]);
        command.args(["--lib", "--bins", "--tests"]);
        (command, "cargo test, cargo-nextest is missing")
    };
    let (tests_end, text) = try_capture(&mut tests, Echo::Always)?;
    let (passed, failed) = counts(&text);

    let mut failures = failures(&text);

    let (one_byte_end, text) = try_capture(&mut one_byte(has_nextest), Echo::Always)?;
    let (one_byte_passed, one_byte_failed) = counts(&text);
    failures.extend(self::failures(&text));

    let mut doctests = cargo(["test", "--workspace", "--all-features", "--doc"]);
    doctests.arg("--no-fail-fast");
    let (doctests_end, text) = try_capture(&mut doctests, Echo::Always)?;
    failures.extend(self::failures(&text));
    let doctests = libtest_counts(&text);

    let figures = format!(
        "{passed} passed, {} failed ({runner}), {one_byte_passed} on one-byte stores, {} doctests",
        failed + one_byte_failed + doctests.failed,
        doctests.passed
    );
    // A test that does not compile has no figures, so the exit codes count as well.
    let ended_well = [tests_end, one_byte_end, doctests_end].iter().all(ExitStatus::success);
    if !ended_well || passed == 0 || one_byte_passed == 0 {
        failures.truncate(FAILURES_NAMED);
        return miss(format!("{figures}: {}", failures.join(", ")));
    }
    let figures = Figures::new(format!("{figures}, {} examples", run_examples()?));
    Ok(figures
        .skip(format!("on one-byte stores, where they take long: {}", SLOW_BY_THE_BYTE.join(", "))))
}

/// The behaviour tests of the log on stores that move one byte a call.
fn one_byte(has_nextest: bool) -> Command {
    let mut command = if has_nextest {
        let mut command = nextest();
        let slow = SLOW_BY_THE_BYTE.map(|test| format!(" - test({test})")).concat();
        let filter = format!("package(hypercore-log) & kind(test){slow}");
        command.args(["--filterset", &filter]);
        command
    } else {
        let mut command = cargo(["test", "--tests", "--no-fail-fast", "--all-features"]);
        command.args(["--package", "hypercore-log", "--"]);
        command.args(SLOW_BY_THE_BYTE.iter().flat_map(|test| ["--skip", test]));
        command
    };
    command.env("HYPERCORE_LOG_ONE_BYTE", "1");
    command
}

fn nextest() -> Command {
    let mut command = cargo(["nextest", "run", "--workspace", "--all-features"]);
    command.args(["--profile", "ci", "--no-fail-fast"]);
    command
}

/// Runs every example of the workspace; each must end well and show something.
fn run_examples() -> Result<usize, Miss> {
    let build = ["build", "--workspace", "--all-features", "--examples"];
    capture(&mut cargo(build), Echo::OnFailure)?;
    let metadata = tree::metadata(&["--no-deps"])?;
    let built = tree::target_dir()?;
    // What they leave behind lies here, not in the folder of the whole machine.
    let scratch = built.join("examples-scratch");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)?;
    }
    std::fs::create_dir_all(&scratch)?;
    let mut count = 0;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        for target in package["targets"].as_array().into_iter().flatten() {
            if target["kind"][0] != "example" {
                continue;
            }
            let example = target["name"].as_str().unwrap_or_default();
            let binary = built.join("debug").join("examples").join(example);
            let mut run = program(binary, [""; 0]);
            if output(run.env("TMPDIR", &scratch))?.is_empty() {
                return miss(format!("the example {example} of {name} shows nothing"));
            }
            count += 1;
        }
    }
    Ok(count)
}

/// Tests that passed and that failed, by the summary of either runner.
pub(crate) fn counts(text: &str) -> (u64, u64) {
    let (nextest, libtest) = (nextest_counts(text), libtest_counts(text));
    (nextest.passed.max(libtest.passed), nextest.failed.max(libtest.failed))
}

/// The tests that failed, by the line that either runner has for each.
fn failures(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text.lines().filter_map(failure).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// `FAIL [   0.1s] (3/9) crate::binary test` or `test module::test ... FAILED`.
fn failure(line: &str) -> Option<&str> {
    let line = line.trim();
    match line.strip_prefix("FAIL [") {
        Some(rest) => rest.rsplit("] ").next().map(|name| name.rsplit(") ").next().unwrap_or(name)),
        None => line.strip_prefix("test ")?.strip_suffix(" ... FAILED"),
    }
}

/// The figures of nextest's summary: `Summary [ 1.2s] 5 tests run: 5 passed, 0 skipped`.
fn nextest_counts(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines().filter(|line| line.trim_start().starts_with("Summary [")) {
        counts.passed += number_before(line, " passed").unwrap_or(0);
        counts.failed += number_before(line, " failed").unwrap_or(0);
    }
    counts
}

/// The figures of libtest: `test result: ok. 5 passed; 0 failed; ...`, one line a binary.
fn libtest_counts(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines().filter(|line| line.starts_with("test result:")) {
        counts.passed += number_before(line, " passed").unwrap_or(0);
        counts.failed += number_before(line, " failed").unwrap_or(0);
    }
    counts
}

fn number_before(line: &str, word: &str) -> Option<u64> {
    let (before, _) = line.split_once(word)?;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_counted() {
        let nextest =
            "     Summary [   0.004s] 12 tests run: 11 passed (1 slow), 1 failed, 3 skipped";
        assert_eq!(nextest_counts(nextest), Counts { passed: 11, failed: 1 });
        let libtest = "test result: ok. 5 passed; 0 failed; 0 ignored\n\
                       test result: FAILED. 7 passed; 2 failed; 0 ignored\n";
        assert_eq!(libtest_counts(libtest), Counts { passed: 12, failed: 2 });
    }

    #[test]
    fn tests_that_failed_are_named_once() {
        let nextest = "        FAIL [   0.004s] ( 3/12) paged::ui derive\n\
                       \x20       PASS [   0.004s] ( 4/12) paged::ui other\n\
                       \x20 FAIL [   0.004s] paged::ui derive\n";
        assert_eq!(failures(nextest), ["paged::ui derive"]);
        assert_eq!(failures("test a::b ... FAILED\ntest a::c ... ok\n"), ["a::b"]);
    }
}
