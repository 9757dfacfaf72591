//! `loom`: the group commit of the engine under every interleaving of a few threads.
//!
//! What is built for it replaces the locks of the standard library by those of loom, so it lies in a
//! target folder of its own and only the tests named here run.

use crate::process::{Echo, capture, cargo};
use crate::report::{Figures, Outcome, miss};
use crate::tasks::test::counts;
use crate::tree;

/// Runs the explorations; none may find a bad interleaving.
pub(crate) fn run() -> Outcome {
    let mut command = cargo(["test", "--package", "hypercore-log", "--lib", "commit::explored"]);
    command.env("RUSTFLAGS", "--cfg loom");
    command.env("CARGO_TARGET_DIR", tree::target_dir()?.join("loom"));
    let text = capture(&mut command, Echo::OnFailure)?;
    let (passed, failed) = counts(&text);
    let figures = format!("{passed} models explored, {failed} failed");
    if passed == 0 || failed > 0 {
        return miss(figures);
    }
    Ok(Figures::new(figures))
}
