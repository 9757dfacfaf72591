//! Progress of long work on stderr: a bar on a terminal, a plain line now and then elsewhere.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{
    BinaryBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

/// Work that takes less than this shows no progress.
const SHOW_AFTER: Duration = Duration::from_millis(500);

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Blocks,
    /// Sizes that a block may have.
    Sizes,
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
            Unit::Sizes => number.to_string(),
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
            "{msg} {wide_bar} {human_pos}/{human_len} blocks {rate} {prefix} {eta}"
        }
        (Unit::Sizes, _) => "{msg} {wide_bar} {human_pos}/{human_len} {rate} {prefix} {eta}",
        (Unit::Blocks, false) => "{msg} {spinner} {human_pos} blocks {rate} {prefix}",
    };
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", write_rate)
}

/// Whole units in a second: nobody reads fractions of them.
fn write_rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    // There is no better place to tell a failure than the bar.
    let _ = write!(out, "{}/s", rate(state.per_sec()));
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people; what is out of range is cut off"
)]
fn rate(per_second: f64) -> HumanCount {
    HumanCount(per_second.round() as u64)
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps what was written to it last.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            120
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().unwrap().clear();
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn rates_are_whole_numbers() {
        assert_eq!(rate(0.2).to_string(), "0");
        assert_eq!(rate(1_234_567.891_2).to_string(), "1,234,568");
        assert_eq!(rate(-1.0).to_string(), "0");
    }

    #[test]
    fn a_bar_of_blocks_shows_a_rate_without_fractions() {
        for has_end in [true, false] {
            let screen = Screen::default();
            let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
            let bar = ProgressBar::with_draw_target(Some(4_000_000), target);
            bar.set_style(style(Unit::Blocks, has_end));
            bar.set_position(1_234_567);
            bar.tick();
            let line = screen.0.lock().unwrap().clone();
            let rate = line.split_whitespace().find_map(|word| word.strip_suffix("/s"));
            let rate = rate.unwrap_or_else(|| panic!("no rate: {line}"));
            assert!(rate.chars().all(|c| c.is_ascii_digit() || c == ','), "{line}");
        }
    }
}
