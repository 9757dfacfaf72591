//! `crash`: every image a crash may leave of the workloads of the log, of the page file and of the SLEEP feed, judged.
//!
//! Runs `sim crash`, `sim pages crash` and `sim sleep crash`, and hands arguments on to the one whose workload they name,
//! or to the log's; their closing lines are this task's.

use crate::process::{Echo, cargo, try_capture};
use crate::report::{Figures, Miss, Outcome, miss};

/// Images of the log that a run without arguments must judge.
const IMAGES_MIN: u64 = 50_000;

/// Images of page files in format 2 that a run without arguments must judge.
const PAGE_IMAGES_MIN: u64 = 20_000;

/// Images of SLEEP feeds that a run without arguments must judge.
const SLEEP_IMAGES_MIN: u64 = 5_000;

/// What is not the log: a task of `sim` by itself, whose workloads are called so and then a slash.
const OTHERS: [&str; 2] = ["pages", "sleep"];

/// The task of `sim` whose workload or point `arguments` name, when it is not the log's.
pub(crate) fn other_named_by(arguments: &[String]) -> Option<&'static str> {
    let names = |other: &&str, argument: &String| {
        argument.strip_prefix(*other).is_some_and(|rest| rest.starts_with('/'))
    };
    OTHERS.into_iter().find(|other| arguments.iter().any(|argument| names(other, argument)))
}

/// Crashes the workloads as `arguments` say.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(other) = other_named_by(arguments) {
        return Ok(Figures::new(sim(&[other, "crash"], arguments)?));
    }
    let log = sim(&["crash"], arguments)?;
    if !arguments.is_empty() {
        return Ok(Figures::new(log));
    }
    let pages = sim(&["pages", "crash"], arguments)?;
    let sleep = sim(&["sleep", "crash"], arguments)?;
    for (closing, subject, least) in [
        (&log, "logs", IMAGES_MIN),
        (&pages, "pages in format 2", PAGE_IMAGES_MIN),
        (&sleep, "SLEEP feeds", SLEEP_IMAGES_MIN),
    ] {
        let images = images_of(subject, closing);
        if images < least {
            return miss(format!("only {images} images of {subject}, at least {least} are wanted"));
        }
    }
    Ok(Figures::new(format!("{log}; {pages}; {sleep}")))
}

/// How many images of `subject` were judged, as a closing line says it.
fn images_of(subject: &str, closing: &str) -> u64 {
    let before = closing.split_once(&format!(" images of {subject},")).map(|(before, _)| before);
    let count = before.and_then(|before| before.rsplit(' ').next());
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Runs a task of `sim`, and gives its closing line.
pub(crate) fn sim(task: &[&str], arguments: &[String]) -> Result<String, Miss> {
    let mut command = cargo(["run", "--quiet", "--profile", "checked", "--package", "sim", "--"]);
    command.args(task).args(arguments);
    let (status, text) = try_capture(&mut command, Echo::Always)?;
    let last = text.lines().rev().find(|line| !line.is_empty()).unwrap_or("nothing was judged");
    if status.success() { Ok(last.to_owned()) } else { miss(last) }
}
