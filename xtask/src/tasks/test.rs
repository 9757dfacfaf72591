//! `test`: unit and integration tests by cargo-nextest, then the doctests.

use crate::process::{Echo, capture, cargo, is_present, output};
use crate::report::{Figures, Miss, Outcome, miss};
use crate::tree;

/// Counts over every test binary that ran.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Runs every test of the workspace.
fn run_tests() -> Result<(Counts, &'static str), Miss> {
    if is_present("cargo-nextest") {
        let command = ["nextest", "run", "--workspace", "--profile", "ci", "--no-fail-fast"];
        let text = capture(&mut cargo(command), Echo::Always)?;
        return Ok((nextest_counts(&text), "cargo-nextest"));
    }
    let command = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
    let text = capture(&mut cargo(command), Echo::Always)?;
    Ok((libtest_counts(&text), "cargo test, cargo-nextest is missing"))
}

/// Runs tests and doctests; their own output is passed through.
pub(crate) fn run() -> Outcome {
    let (tests, runner) = run_tests()?;
    let text = capture(&mut cargo(["test", "--workspace", "--doc"]), Echo::Always)?;
    let doctests = libtest_counts(&text);
    if tests.passed == 0 {
        return miss("no test ran");
    }
    let examples = run_examples()?;
    Ok(Figures::new(format!(
        "{} passed, {} failed ({runner}), {} doctests, {examples} examples",
        tests.passed,
        tests.failed + doctests.failed,
        doctests.passed
    )))
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
