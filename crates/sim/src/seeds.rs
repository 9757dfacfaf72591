//! `sim network`: many seeds on all cores; what fails is run again with a trace, and told with the command that
//! shows it again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sim::network::{Scenario, Totals, run as run_seed};

use crate::crash::number;

/// Seeds of a run without arguments.
const SEEDS: u64 = 500;

/// Seeds that `--deep` runs.
const DEEP_SEEDS: u64 = 50_000;

/// Failing seeds that are told; the rest is counted.
const TOLD_MAX: usize = 20;

/// Failing seeds that are told with a trace.
const TRACED_MAX: usize = 1;

/// Lines of a trace that are shown, unless one seed was asked for.
const LINES_MAX: usize = 60;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    seed: u64,
    seeds: u64,
}

impl Arguments {
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let (mut seed, mut seeds) = (None, None);
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            match name.as_str() {
                "--seed" => seed = Some(number(rest.next()?)?),
                "--seeds" => seeds = Some(number(rest.next()?)?),
                "--deep" => seeds = Some(DEEP_SEEDS),
                _ => return None,
            }
        }
        let alone = seed.map_or(SEEDS, |_| 1);
        Some(Self { seed: seed.unwrap_or(1), seeds: seeds.unwrap_or(alone).max(1) })
    }
}

/// Runs what is asked for; false when a seed fails.
pub(crate) fn run(arguments: Arguments) -> bool {
    let Arguments { seed: first, seeds } = arguments;
    let start = Instant::now();
    let next = AtomicU64::new(0);
    let totals = Mutex::new(Totals::default());
    let failed = Mutex::new(Vec::new());
    // Panics are caught and told with their seeds.
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= seeds {
                        return;
                    }
                    let seed = first.wrapping_add(at);
                    let outcome = run_seed(&Scenario::new(seed), false);
                    totals.lock().expect("no panic").add(&outcome.totals);
                    if let Err(what) = outcome.result {
                        failed.lock().expect("no panic").push((seed, what));
                    }
                }
            });
        }
    });
    let totals = totals.into_inner().expect("no panic");
    let mut failed = failed.into_inner().expect("no panic");
    failed.sort_unstable();
    for (at, (seed, what)) in failed.iter().take(TOLD_MAX).enumerate() {
        println!("FAILED: seed {seed}: {what}");
        if at < TRACED_MAX {
            show_trace(*seed, if seeds == 1 { usize::MAX } else { LINES_MAX });
        }
        println!("  cargo xtask network --seed {seed}");
    }
    println!(
        "{seeds} seeds from {first}: {} converged, {} stopped with proof of a fork, {} failed; {totals}, {:.1} s",
        totals.converged,
        totals.proven_forks,
        failed.len(),
        start.elapsed().as_secs_f64(),
    );
    failed.is_empty()
}

/// Runs a failing seed again, for its trace.
fn show_trace(seed: u64, lines_max: usize) {
    let trace = run_seed(&Scenario::new(seed), true).trace;
    let skipped = trace.len().saturating_sub(lines_max);
    if skipped > 0 {
        println!("  ... {skipped} lines before");
    }
    for line in trace.iter().skip(skipped) {
        println!("  {line}");
    }
}
