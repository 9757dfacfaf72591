//! What a task says at its end: figures, what it skipped, or what it missed.

use std::time::{Duration, Instant};

/// What a task found, as one closing line of figures.
#[derive(Debug)]
pub(crate) struct Figures {
    /// The figures, without the task's name and without the time.
    pub(crate) line: String,
    /// What was not checked, and why. Empty when everything was.
    pub(crate) skipped: Vec<String>,
}

impl Figures {
    /// Figures of a task that skipped nothing.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), skipped: Vec::new() }
    }

    /// Adds something that was not checked.
    pub(crate) fn skip(mut self, what: impl Into<String>) -> Self {
        self.skipped.push(what.into());
        self
    }
}

/// What a task missed: a summary for the closing line; details were printed.
#[derive(Debug)]
pub(crate) struct Miss(pub(crate) String);

impl From<std::io::Error> for Miss {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// The end of a task.
pub(crate) type Outcome = Result<Figures, Miss>;

/// Fails with a summary.
pub(crate) fn miss<T>(what: impl Into<String>) -> Result<T, Miss> {
    Err(Miss(what.into()))
}

/// Prints each problem and fails with their number and the first of them, if there is any.
///
/// The first is repeated since what `ci` prints last is often all that is kept of a run.
pub(crate) fn fail_on(problems: &[String], noun: &str) -> Result<(), Miss> {
    for problem in problems {
        eprintln!("  {problem}");
    }
    let Some(first) = problems.first() else { return Ok(()) };
    let first_line = first.lines().next().unwrap_or_default();
    miss(format!("{} {noun}, the first: {first_line}", problems.len()))
}

/// What `ci` repeats at its end.
#[derive(Debug)]
pub(crate) struct Closing {
    /// The closing line, with name and time.
    pub(crate) line: String,
    /// What was skipped, with the task's name.
    pub(crate) skipped: Vec<String>,
}

/// Runs one task and prints its closing line.
pub(crate) fn run_task(name: &str, body: impl FnOnce() -> Outcome) -> Result<Closing, Closing> {
    let start = Instant::now();
    let outcome = body();
    let seconds = seconds(start.elapsed());
    match outcome {
        Ok(figures) => {
            for skipped in &figures.skipped {
                println!("{name}: SKIPPED: {skipped}");
            }
            let line = format!("{name}: {}, {seconds}", figures.line);
            println!("{line}");
            let skipped =
                figures.skipped.into_iter().map(|what| format!("{name}: {what}")).collect();
            Ok(Closing { line, skipped })
        }
        Err(Miss(what)) => {
            let line = format!("{name}: FAILED: {what}, {seconds}");
            println!("{line}");
            Err(Closing { line, skipped: Vec::new() })
        }
    }
}

/// Seconds with one decimal.
pub(crate) fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}
