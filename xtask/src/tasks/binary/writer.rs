//! A process that appends lines from a pipe until it is killed.
//!
//! Knows what was handed to it and what it said it had stored; nothing of what is in the log.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, Stdio};

use super::blocks::lines;
use super::log::{Log, acknowledged};

/// The signal of `kill -9`.
const SIGKILL: i32 = 9;

/// `hypercore append --lines`, waiting for lines.
pub(super) struct Writer {
    child: Child,
    stdin: Option<ChildStdin>,
    stderr: BufReader<ChildStderr>,
    attempted: Vec<Vec<u8>>,
    acknowledged: usize,
    said: String,
}

/// How a writer ended.
pub(super) struct Killed {
    /// Whether it was the kill that ended it: otherwise it had succeeded before.
    pub(super) by_signal: bool,
    /// The lines that were handed over.
    pub(super) attempted: Vec<Vec<u8>>,
    /// How many of them it said were stored.
    pub(super) acknowledged: usize,
    /// Everything it said.
    pub(super) said: String,
}

impl Writer {
    /// Starts the command on a log.
    pub(super) fn start(log: &Log, durability: &str) -> Result<Self, String> {
        let arguments = ["--lines", "--verbose", "--durability", durability];
        let mut command = log.command("append", &arguments.map(str::to_owned));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let stdin = child.stdin.take();
        let stderr = BufReader::new(child.stderr.take().ok_or("no pipe")?);
        Ok(Self { child, stdin, stderr, attempted: vec![], acknowledged: 0, said: String::new() })
    }

    /// Hands lines over; they may be stored from now on.
    pub(super) fn write(&mut self, group: &[Vec<u8>]) -> Result<(), String> {
        self.attempted.extend_from_slice(group);
        let stdin = self.stdin.as_mut().ok_or("its input is closed")?;
        let written = stdin.write_all(&lines(group));
        written.map_err(|error| format!("its pipe: {error}; it said: {}", self.said))
    }

    /// Returns when it has the log open.
    pub(super) fn wait_until_open(&mut self) -> Result<(), String> {
        while !self.read_line()?.contains(": opened: ") {}
        Ok(())
    }

    /// Ends its input.
    pub(super) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Returns when it has said that all lines are stored.
    pub(super) fn wait_until_stored(&mut self) -> Result<(), String> {
        while self.acknowledged < self.attempted.len() {
            self.read_line()?;
        }
        Ok(())
    }

    /// Reads one line of status; its end is a failure.
    fn read_line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let len = self.stderr.read_line(&mut line).map_err(|error| error.to_string())?;
        if len == 0 {
            return Err(format!("it ended by itself, and said: {}", self.said));
        }
        self.take_line(&line);
        Ok(line)
    }

    fn take_line(&mut self, line: &str) {
        self.said.push_str(line);
        // A line that the kill cut short tells nothing.
        if let Some(count) = line.strip_suffix('\n').and_then(acknowledged) {
            self.acknowledged = count;
        }
    }

    /// Kills the process, and reads what it had told before.
    pub(super) fn kill(mut self) -> Result<Killed, String> {
        let failed = |error: std::io::Error| error.to_string();
        self.child.kill().map_err(failed)?;
        let status = self.child.wait().map_err(failed)?;
        let mut line = String::new();
        while self.stderr.read_line(&mut line).map_err(failed)? > 0 {
            self.take_line(&line);
            line.clear();
        }
        let by_signal = status.signal() == Some(SIGKILL);
        if !by_signal && status.code() != Some(0) {
            return Err(format!("it ended with {status}, and said: {}", self.said));
        }
        let Self { attempted, acknowledged, said, .. } = &mut self;
        Ok(Killed {
            by_signal,
            attempted: std::mem::take(attempted),
            acknowledged: *acknowledged,
            said: std::mem::take(said),
        })
    }
}

impl Drop for Writer {
    /// Ends the process by its own id when a step before went wrong.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
