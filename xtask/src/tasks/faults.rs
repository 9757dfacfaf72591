//! `faults`: every call to a store fails once in each way, in all workloads of the log and of the page file; in those of
//! the SLEEP feed some calls do.
//!
//! Runs `sim faults`, `sim pages faults` and `sim sleep faults`, and hands arguments on to the one whose point they name,
//! or to the log's; their closing lines are this task's. Without arguments also on stores that move one byte a call, where
//! only some of the calls can be tried.

use crate::report::{Figures, Outcome, miss};
use crate::tasks::crash::{other_named_by, sim};

/// Calls that a run without arguments must let fail.
const CALLS_MIN: u64 = 20_000;

/// Calls of each workload, mode and fault that fail on one-byte stores, evenly spread: there are a hundred
/// times as many as on others.
const ONE_BYTE_LIMIT: u64 = 2;

/// Lets calls fail as `arguments` say.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(other) = other_named_by(arguments) {
        return Ok(Figures::new(sim(&[other, "faults"], arguments)?));
    }
    if !arguments.is_empty() {
        return Ok(Figures::new(sim(&["faults"], arguments)?));
    }
    let closing = sim(&["faults"], &["--calls".to_owned(), CALLS_MIN.to_string()])?;
    let calls = closing.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
    if calls < CALLS_MIN {
        return miss(format!("only {calls} failed calls, at least {CALLS_MIN} are wanted"));
    }
    let limit = ONE_BYTE_LIMIT.to_string();
    let one_byte = ["--one-byte".to_owned(), "--limit".to_owned(), limit];
    let one_byte = sim(&["faults"], &one_byte)?;
    let pages = sim(&["pages", "faults"], &[])?;
    let sleep = sim(&["sleep", "faults"], &[])?;
    Ok(Figures::new(format!("{closing}; {one_byte}; {pages}; {sleep}")))
}
