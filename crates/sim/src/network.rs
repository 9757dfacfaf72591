//! Logs that replicate on a simulated network, in virtual time.
//!
//! A [`Scenario`] follows from its seed: two to five peers, each a log on a simulated disk with a replicator; links
//! with latency, bandwidth and a window, some of them under a secret stream; what the peers do, and which connections,
//! peers and disks fail. [`run`] plays it, looks at everything that is stored and sent on the way, and judges the
//! end. The same seed gives the same run, on every machine.

mod checks;
mod describe;
mod history;
mod ledger;
mod link;
mod node;
mod scenario;
mod schedule;
mod steps;
mod totals;
mod trace;
mod verdict;
mod wire;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use scenario::Scenario;
pub use totals::Totals;

use crate::trials::panicked;
use world::World;

/// What became of a run.
#[derive(Debug)]
pub struct Ended {
    /// What was wrong, if anything.
    pub result: Result<(), String>,
    /// What it came to.
    pub totals: Totals,
    /// The last lines of what happened, if they were asked for.
    pub trace: Vec<String>,
}

/// Plays a scenario.
#[must_use]
pub fn run(scenario: &Scenario, is_traced: bool) -> Ended {
    let mut world = World::new(scenario, is_traced);
    let played = catch_unwind(AssertUnwindSafe(|| world.play()));
    let result = played.unwrap_or_else(|panic| Err(panicked(&*panic)));
    Ended { result, totals: world.totals, trace: world.trace.into_lines() }
}
