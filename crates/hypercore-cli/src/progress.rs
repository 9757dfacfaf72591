//! Progress of long work on stderr: a bar on a terminal, a plain line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that takes less than this shows no progress.
const SHOW_AFTER: Duration = Duration::from_millis(500);

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Blocks,
}

/// Progress of one piece of work.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: Shown,
    verb: &'static str,
    unit: Unit,
    total: Option<u64>,
    note: String,
    started: Instant,
    last: Instant,
}

#[derive(Debug)]
enum Shown {
    No,
    Lines,
    /// The bar, and whether it is on the screen yet.
    Bar(ProgressBar, bool),
}

impl Progress {
    #[expect(clippy::disallowed_methods, reason = "a tool may read the clock")]
    pub(crate) fn new(quiet: bool, verb: &'static str, unit: Unit, total: Option<u64>) -> Self {
        let shown = if quiet {
            Shown::No
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
            bar.set_style(style(unit, total.is_some()));
            bar.set_message(verb);
            Shown::Bar(bar, false)
        } else {
            Shown::Lines
        };
        let now = Instant::now();
        Self { shown, verb, unit, total, note: String::new(), started: now, last: now }
    }

    /// The work turned out to be so much.
    pub(crate) fn set_total(&mut self, total: u64) {
        self.total = Some(total);
        if let Shown::Bar(bar, _) = &self.shown {
            bar.set_length(total);
            bar.set_style(style(self.unit, true));
        }
    }

    /// What is told beside the numbers.
    pub(crate) fn set_note(&mut self, note: String) {
        if let Shown::Bar(bar, _) = &self.shown {
            bar.set_prefix(note.clone());
        }
        self.note = note;
    }

    /// So much is done.
    #[expect(clippy::disallowed_methods, reason = "a tool may read the clock")]
    pub(crate) fn set(&mut self, done: u64) {
        let now = Instant::now();
        match &mut self.shown {
            Shown::No => {}
            Shown::Bar(bar, visible) => {
                if !*visible && now.duration_since(self.started) >= SHOW_AFTER {
                    *visible = true;
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                }
                bar.set_position(done);
            }
            Shown::Lines => {
                if now.duration_since(self.last) >= LINE_EVERY {
                    self.last = now;
                    let mut stderr = std::io::stderr().lock();
                    let (verb, done) = (self.verb, self.count(done));
                    let note = if self.note.is_empty() {
                        String::new()
                    } else {
                        format!(", {}", self.note)
                    };
                    drop(match self.total {
                        Some(total) => {
                            writeln!(stderr, "{verb} {done} of {}{note}", self.count(total))
                        }
                        None => writeln!(stderr, "{verb} {done}{note}"),
                    });
                }
            }
        }
    }

    /// Takes a bar off the screen.
    pub(crate) fn end(&self) {
        if let Shown::Bar(bar, _) = &self.shown {
            bar.finish_and_clear();
        }
    }

    fn count(&self, number: u64) -> String {
        match self.unit {
            Unit::Bytes => BinaryBytes(number).to_string(),
            Unit::Blocks => format!("{number} blocks"),
        }
    }
}

fn style(unit: Unit, has_end: bool) -> ProgressStyle {
    let template = match (unit, has_end) {
        (Unit::Bytes, true) => {
            "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}"
        }
        (Unit::Bytes, false) => "{msg} {spinner} {binary_bytes} {binary_bytes_per_sec}",
        (Unit::Blocks, true) => {
            "{msg} {wide_bar} {human_pos}/{human_len} blocks {per_sec} {prefix} {eta}"
        }
        (Unit::Blocks, false) => "{msg} {spinner} {human_pos} blocks {per_sec} {prefix}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
