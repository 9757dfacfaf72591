//! A `hypercore` process that runs beside the others: its events, its signals, its end.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::interop::driver::{Said, gather, lines};
use crate::process::{Echo, capture, program};

/// An event that does not come in this time never comes.
const EVENT_SECONDS_MAX: u64 = 200;

/// A process that prints one JSON object a line.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    child: Child,
    events: Receiver<String>,
    said: Said,
}

impl Running {
    /// Starts `hypercore` with these arguments and `--json`.
    pub(super) fn start(binary: &Path, arguments: &[String], said: &Said) -> Result<Self, String> {
        let mut command = program(binary, arguments);
        let mut child = command
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let stdout = child.stdout.take().ok_or("no pipe")?;
        if let Some(stderr) = child.stderr.take() {
            gather(stderr, Said::clone(said));
        }
        let events = lines(stdout);
        let name = arguments.first().cloned().unwrap_or_default();
        Ok(Self { name, child, events, said: Said::clone(said) })
    }

    /// The next event that `is_wanted`, in words `what`; others are read over.
    pub(super) fn event(
        &mut self,
        what: &str,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let limit = Duration::from_secs(EVENT_SECONDS_MAX);
        let started = Instant::now();
        loop {
            let left = limit.saturating_sub(started.elapsed());
            let line = self.events.recv_timeout(left).map_err(|error| match error {
                RecvTimeoutError::Timeout => {
                    format!(
                        "`hypercore {}` did not tell {what} within {EVENT_SECONDS_MAX} s",
                        self.name
                    )
                }
                RecvTimeoutError::Disconnected => {
                    format!("`hypercore {}` has ended, and did not tell {what}", self.name)
                }
            })?;
            let event = self.parse(&line)?;
            if is_wanted(&event) {
                return Ok(event);
            }
        }
    }

    /// Waits for the end, and gives the exit code with the last event.
    pub(super) fn end(mut self) -> Result<(Option<i32>, Value), String> {
        let limit = Duration::from_secs(EVENT_SECONDS_MAX);
        let started = Instant::now();
        let mut last = Value::Null;
        while let Ok(line) = self.events.recv_timeout(limit.saturating_sub(started.elapsed())) {
            last = self.parse(&line)?;
        }
        // Its stdout is closed, or it had its time.
        while started.elapsed() < limit {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Ok((status.code(), last));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("`hypercore {}` did not end within {EVENT_SECONDS_MAX} s", self.name))
    }

    /// Asks it to end, as `kill` does.
    pub(super) fn terminate(&self) -> Result<(), String> {
        let id = self.child.id().to_string();
        capture(&mut program("kill", ["-TERM", &id]), Echo::OnFailure).map_err(|miss| miss.0)?;
        Ok(())
    }

    fn parse(&self, line: &str) -> Result<Value, String> {
        self.said.lock().expect("no reader panicked").push_str(&format!("    {line}\n"));
        serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))
    }
}

impl Drop for Running {
    /// Ends the process by its own id.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
