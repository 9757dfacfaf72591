//! `ci`: every quick check, in order; the first miss does not hide the others.

use std::time::Instant;

use crate::interop;
use crate::process::build_once;
use crate::report::{Outcome, run_task, seconds};
use crate::tasks::{
    binary, canaries, checks, crash, deny, faults, fuzz, layers, loom, network, test, tidy,
};

/// A task's name and what it does.
type Step = (&'static str, fn() -> Outcome);

/// Runs all checks and repeats their closing lines; false when one missed.
pub(crate) fn run() -> bool {
    let start = Instant::now();
    build_once();
    let steps: &[Step] = &[
        ("fmt", checks::fmt),
        ("lint", checks::lint),
        ("test", test::run),
        ("doc", checks::doc),
        ("layers", layers::run),
        ("tidy", tidy::run),
        ("loom", loom::run),
        ("interop", interop_beside_tools),
        ("deny", deny::run),
        ("crash", || crash::run(&[])),
        ("faults", || faults::run(&[])),
        ("network", || network::run(&[])),
        ("hostile", || network::hostile(&[])),
        ("canaries", canaries::run),
        ("binary", || binary::run(&binary::Options::default())),
        ("fuzz-smoke", || fuzz::smoke(fuzz::SECONDS, fuzz::SEED)),
    ];
    let mut failed = 0_usize;
    let mut closings = Vec::new();
    for &(name, body) in steps {
        closings.push(run_task(name, body).unwrap_or_else(|closing| {
            failed += 1;
            closing
        }));
    }

    println!();
    for closing in &closings {
        println!("  {}", closing.line);
    }
    for skipped in closings.iter().flat_map(|closing| &closing.skipped) {
        println!("  SKIPPED: {skipped}");
    }
    let passed = closings.len() - failed;
    println!("ci: {passed} passed, {failed} failed, {}", seconds(start.elapsed()));
    failed == 0
}

/// `interop`, and beside it cargo's companions are built where they are missing: its programs wait for each other for
/// much of the time. What goes wrong with a companion is told by the task that needs it.
fn interop_beside_tools() -> Outcome {
    std::thread::scope(|scope| {
        scope.spawn(|| (deny::tool(), fuzz::tool()));
        interop::run(&interop::Options::default())
    })
}
