//! What a command prints: data to stdout, status to stderr.

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use crate::args::Common;
use crate::failure::{Outcome, Told};

/// The two streams, and what may go to them.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

impl Output {
    pub(crate) fn new(common: &Common) -> Self {
        Self {
            stdout: BufWriter::with_capacity(64 * 1024, io::stdout().lock()),
            json: common.json,
            quiet: common.quiet,
            verbose: common.verbose,
        }
    }

    /// Data as it is.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Outcome {
        Ok(self.stdout.write_all(bytes)?)
    }

    /// One JSON object on a line.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> Outcome {
        serde_json::to_writer(&mut self.stdout, value).map_err(io::Error::from)?;
        self.raw(b"\n")
    }

    /// A line of text for people.
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) -> Outcome {
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// Hands everything over.
    pub(crate) fn flush(&mut self) -> Outcome {
        Ok(self.stdout.flush()?)
    }

    /// Whether whoever read stdout is gone, so that nothing that is still to come will be read.
    pub(crate) fn nobody_reads(&self) -> bool {
        let stdout = io::stdout();
        // Nothing is asked for: that the other end was closed is told all the same.
        let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let told = poll(&mut asked, Some(&at_once)).is_ok_and(|ready| ready > 0);
        told && asked.iter().any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP))
    }

    /// A line of status on stderr, unless `-q`.
    pub(crate) fn status(&self, text: fmt::Arguments<'_>) {
        if !self.quiet {
            to_stderr(format_args!("{text}"));
        }
    }

    /// A line of status that only `-v` asks for.
    pub(crate) fn detail(&self, text: fmt::Arguments<'_>) {
        if self.verbose {
            to_stderr(format_args!("{text}"));
        }
    }
}

/// Prints a failure on stderr, which is where it goes whatever was asked to be quiet.
pub(crate) fn print_failure(told: &Told, json: bool) {
    if json {
        to_stderr(format_args!("{}", told.to_json()));
    } else {
        to_stderr(format_args!("hypercore: {}", told.message));
    }
}

/// If stderr is gone there is nobody left to tell.
fn to_stderr(text: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}
