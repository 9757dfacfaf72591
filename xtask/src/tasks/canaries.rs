//! `canaries`: planted bugs, each of which the crash, fault and damage checks must catch.
//!
//! Builds `sim` with `--cfg canary`, which no other build has, in a target folder of its own, so that nothing
//! else is built anew because of it.

use crate::process::{Echo, cargo, try_capture};
use crate::report::{Figures, Outcome, miss};
use crate::tree;

/// Plants the bugs one by one; each must be caught, and nothing where none is planted.
pub(crate) fn run() -> Outcome {
    let mut command = cargo(["run", "--quiet", "--profile", "checked", "--package", "sim"]);
    command.arg("--target-dir").arg(tree::target_dir()?.join("canary"));
    command.args(["--", "canaries"]).env("RUSTFLAGS", "--cfg canary -D warnings");
    let (status, text) = try_capture(&mut command, Echo::Always)?;
    let closing = text.lines().rev().find(|line| line.contains(" planted bugs caught"));
    match closing {
        Some(closing) if status.success() => Ok(Figures::new(closing)),
        _ => miss(closing.unwrap_or("no bug was planted")),
    }
}
