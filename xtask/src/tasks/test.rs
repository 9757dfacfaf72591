//! `test`: unit and integration tests by cargo-nextest, then the doctests.

use crate::process::{Echo, cargo, is_present, output, try_capture};
use crate::report::{Figures, Miss, Outcome, miss};
use crate::tree;

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
        let command = ["nextest", "run", "--workspace", "--profile", "ci", "--no-fail-fast"];
        (cargo(command), "cargo-nextest")
    } else {
        let command = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
        (cargo(command), "cargo test, cargo-nextest is missing")
    };
    let (tests_end, text) = try_capture(&mut tests, Echo::Always)?;
    let (passed, failed) = counts(&text);

    let mut doctests = cargo(["test", "--workspace", "--doc", "--no-fail-fast"]);
    let (doctests_end, text) = try_capture(&mut doctests, Echo::Always)?;
    let doctests = libtest_counts(&text);

    let figures = format!(
        "{} passed, {} failed ({runner}), {} doctests",
        passed,
        failed + doctests.failed,
        doctests.passed
    );
    // A test that does not compile has no figures, so the exit codes count as well.
    if !tests_end.success() || !doctests_end.success() || passed == 0 {
        return miss(figures);
    }
    Ok(Figures::new(format!("{figures}, {} examples", run_examples()?)))
}

/// Runs every example of the workspace; each must end well and show something.
fn run_examples() -> Result<usize, Miss> {
    let metadata = tree::metadata(&["--no-deps"])?;
    // What they leave behind lies here, not in the folder of the whole machine.
    let scratch = tree::target_dir()?.join("examples-scratch");
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
            let run = ["run", "--quiet", "--package", name, "--example", example];
            if output(cargo(run).env("TMPDIR", &scratch))?.is_empty() {
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
}
