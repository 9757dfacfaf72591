//! `loom`: the group commits of the log and of the pager under every interleaving of a few threads.
//!
//! What is built for it replaces the locks of the standard library by those of loom, so it lies in a
//! target folder of its own and only the tests named here run.

use crate::process::{Echo, capture, cargo};
use crate::report::{Figures, Outcome, miss};
use crate::tasks::test::counts;
use crate::tree;

/// The crates that have explorations, and where those are.
const EXPLORED: [(&str, &str); 3] = [
    ("hypercore-log", "commit::explored"),
    ("mappedpages", "group::explored"),
    ("paged", "cache::explored"),
];

/// Runs the explorations; none may find a bad interleaving.
pub(crate) fn run() -> Outcome {
    // One call, so that what the crates share is built once.
    let mut command = cargo(["test", "--lib"]);
    command.args(EXPLORED.iter().flat_map(|(package, _)| ["--package", package]));
    command.arg("--").args(EXPLORED.map(|(_, module)| module));
    command.env("RUSTFLAGS", "--cfg loom");
    command.env("CARGO_TARGET_DIR", tree::target_dir()?.join("loom"));
    let text = capture(&mut command, Echo::OnFailure)?;
    let of_each: Vec<u64> =
        text.lines().filter(|line| is_end_of_crate(line)).map(|line| counts(line).0).collect();
    if of_each.len() != EXPLORED.len() || of_each.contains(&0) {
        return miss(format!("a crate without a model that was explored: {of_each:?}"));
    }
    let (passed, failed) = counts(&text);
    Ok(Figures::new(format!("{passed} models explored, {failed} failed")))
}

/// libtest's line after all tests of a crate.
fn is_end_of_crate(line: &str) -> bool {
    line.starts_with("test result:")
}
