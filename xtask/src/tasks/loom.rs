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
    let (mut all_passed, mut all_failed) = (0, 0);
    for (package, module) in EXPLORED {
        let mut command = cargo(["test", "--package", package, "--lib", module]);
        command.env("RUSTFLAGS", "--cfg loom");
        command.env("CARGO_TARGET_DIR", tree::target_dir()?.join("loom"));
        let (passed, failed) = counts(&capture(&mut command, Echo::OnFailure)?);
        if passed == 0 {
            return miss(format!("no model of {package} was explored, {failed} failed"));
        }
        all_passed += passed;
        all_failed += failed;
    }
    let figures = format!("{all_passed} models explored, {all_failed} failed");
    if all_failed > 0 { miss(figures) } else { Ok(Figures::new(figures)) }
}
