//! `crash`: every image a crash may leave of the log's workloads, judged.
//!
//! Runs `sim crash` and hands its arguments on; its closing line is this task's.

use crate::process::{Echo, cargo, try_capture};
use crate::report::{Figures, Outcome, miss};

/// Images that a run without arguments must judge.
const IMAGES_MIN: u64 = 50_000;

/// Crashes the workloads as `arguments` say.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo(["run", "--quiet", "--profile", "checked", "--package", "sim"]);
    command.args(["--", "crash"]).args(arguments);
    let (status, text) = try_capture(&mut command, Echo::Always)?;
    let closing = text.lines().rev().find(|line| line.contains(" images, "));
    let Some(closing) = closing.filter(|_| status.success()) else {
        return miss(closing.unwrap_or("no images were judged"));
    };
    let images = closing.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
    if arguments.is_empty() && images < IMAGES_MIN {
        return miss(format!("only {images} images, at least {IMAGES_MIN} are wanted"));
    }
    Ok(Figures::new(closing))
}
