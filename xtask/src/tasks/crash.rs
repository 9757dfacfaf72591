//! `crash`: every image a crash may leave of the workloads of the log and of the page file, judged.
//!
//! Runs `sim crash` and `sim pages crash`, and hands arguments on to the one whose workload they name, or to the log's;
//! their closing lines are this task's.

use crate::process::{Echo, cargo, try_capture};
use crate::report::{Figures, Miss, Outcome, miss};

/// Images of the log that a run without arguments must judge.
const IMAGES_MIN: u64 = 50_000;

/// Images of page files in format 2 that a run without arguments must judge.
const PAGE_IMAGES_MIN: u64 = 20_000;

/// What the workloads of the page file begin with.
pub(crate) const PAGES: &str = "pages/";

/// Crashes the workloads as `arguments` say.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if arguments.iter().any(|argument| argument.starts_with(PAGES)) {
        return Ok(Figures::new(sim(&["pages", "crash"], arguments)?));
    }
    let log = sim(&["crash"], arguments)?;
    if !arguments.is_empty() {
        return Ok(Figures::new(log));
    }
    let pages = sim(&["pages", "crash"], arguments)?;
    let of_log = log.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
    let of_pages = pages.split_once("format 2: ").and_then(|(_, rest)| rest.split(' ').next());
    let of_pages = of_pages.and_then(|count| count.parse().ok()).unwrap_or(0);
    for (images, least) in [(of_log, IMAGES_MIN), (of_pages, PAGE_IMAGES_MIN)] {
        if images < least {
            return miss(format!("only {images} images, at least {least} are wanted"));
        }
    }
    Ok(Figures::new(format!("{log}; {pages}")))
}

/// Runs a task of `sim`, and gives its closing line.
fn sim(task: &[&str], arguments: &[String]) -> Result<String, Miss> {
    let mut command = cargo(["run", "--quiet", "--profile", "checked", "--package", "sim", "--"]);
    command.args(task).args(arguments);
    let (status, text) = try_capture(&mut command, Echo::Always)?;
    let closing = text.lines().rev().find(|line| line.contains(" images"));
    match closing.filter(|_| status.success()) {
        Some(closing) => Ok(closing.to_owned()),
        None => miss(closing.unwrap_or("no images were judged")),
    }
}
