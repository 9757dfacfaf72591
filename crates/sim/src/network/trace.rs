//! What happened, for people: kept only where somebody will read it.

use std::fmt;
use std::time::Duration;

/// Lines that are kept: the last ones.
const LINES_MAX: usize = 4_000;

/// Lines with their times.
#[derive(Debug, Default)]
pub(super) struct Trace {
    is_kept: bool,
    lines: std::collections::VecDeque<String>,
}

impl Trace {
    /// Keeps lines, or nothing at all.
    pub(super) fn new(is_kept: bool) -> Self {
        Self { is_kept, ..Self::default() }
    }

    /// Adds a line.
    pub(super) fn add(&mut self, now: Duration, line: fmt::Arguments<'_>) {
        if !self.is_kept {
            return;
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{:>12.6} {line}", now.as_secs_f64()));
    }

    /// The lines, oldest first.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}
