//! Driver processes: one JSON command a line in, one answer a line out.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::process::program;
use crate::report::Miss;

/// A driver that says nothing for so long has hung.
const ANSWER_SECONDS_MAX: u64 = 200;

/// Which implementation a driver runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The published package, by driver.js.
    JavaScript,
    /// This project, by interop-driver.
    Rust,
}

impl Side {
    /// The other one.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::JavaScript => Self::Rust,
            Self::Rust => Self::JavaScript,
        }
    }
}

/// Both processes, kept alive over all scripts.
#[derive(Debug)]
pub(super) struct Sides {
    javascript: Driver,
    rust: Driver,
    said: Said,
}

impl Sides {
    /// Starts both.
    pub(super) fn start(script: &Path, binary: &Path) -> Result<Self, Miss> {
        let said = Said::default();
        let start = |program, arguments| Driver::start(program, arguments, Said::clone(&said));
        Ok(Self {
            javascript: start("node".into(), vec![script.to_path_buf()])?,
            rust: start(binary.to_path_buf(), Vec::new())?,
            said,
        })
    }

    /// What both have said on stderr so far.
    pub(super) fn said(&self) -> String {
        self.said.lock().expect("no reader panicked").clone()
    }

    /// A command for one side; what goes wrong is told with both.
    pub(super) fn call(&mut self, side: Side, command: &Value) -> Result<Value, String> {
        self.of(side).call(command).map_err(|what| format!("{side}, {}: {what}", command["op"]))
    }

    /// The driver of one side.
    pub(super) const fn of(&mut self, side: Side) -> &mut Driver {
        match side {
            Side::JavaScript => &mut self.javascript,
            Side::Rust => &mut self.rust,
        }
    }

    /// Ends both, and waits for them.
    pub(super) fn stop(mut self) -> Result<(), Miss> {
        for side in [Side::JavaScript, Side::Rust] {
            let driver = self.of(side);
            driver.stdin = None;
            let status = driver.child.wait()?;
            if !status.success() {
                return Err(Miss(format!("the {side} driver ended with {status}")));
            }
        }
        Ok(())
    }
}

/// What a process says on stderr, gathered.
pub(super) type Said = Arc<Mutex<String>>;

/// One process and its two pipes.
#[derive(Debug)]
pub(super) struct Driver {
    binary: PathBuf,
    arguments: Vec<PathBuf>,
    said: Said,
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Driver {
    /// Starts a process. Its stderr is gathered in `said`: node makes one that it shares with this process
    /// non-blocking, and what is then told of a failure may not be taken.
    pub(super) fn start(
        binary: PathBuf,
        arguments: Vec<PathBuf>,
        said: Said,
    ) -> Result<Self, Miss> {
        let mut command: Command = program(&binary, &arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Miss(format!("{}: {error}", binary.display())))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| Miss("no pipe".into()))?;
        let answers = lines(stdout);
        if let Some(stderr) = child.stderr.take() {
            gather(stderr, Said::clone(&said));
        }
        Ok(Self { binary, arguments, said, child, stdin, answers })
    }

    /// Sends a command and waits for its answer; an error is the driver's own words.
    pub(super) fn call(&mut self, command: &Value) -> Result<Value, String> {
        self.send(command)?;
        self.answer()
    }

    /// Sends a command without waiting.
    pub(super) fn send(&mut self, command: &Value) -> Result<(), String> {
        let stdin = self.stdin.as_mut().ok_or("stopped")?;
        let line = format!("{command}\n");
        stdin.write_all(line.as_bytes()).map_err(|error| format!("cannot be told: {error}"))
    }

    /// Waits for the next answer.
    pub(super) fn answer(&mut self) -> Result<Value, String> {
        match self.answers.recv_timeout(Duration::from_secs(ANSWER_SECONDS_MAX)) {
            Ok(line) => parse(&line),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("no answer within {ANSWER_SECONDS_MAX} s"))
            }
            Err(RecvTimeoutError::Disconnected) => Err("the driver has ended".to_owned()),
        }
    }

    /// Kills the process, starts another, and gives the answers that had
    /// already been on their way: they are acknowledgements too.
    pub(super) fn kill(&mut self) -> Result<Vec<Value>, String> {
        self.child.kill().map_err(|error| error.to_string())?;
        self.child.wait().map_err(|error| error.to_string())?;
        let late: Vec<String> = self.answers.iter().collect();
        let fresh =
            Self::start(self.binary.clone(), self.arguments.clone(), Said::clone(&self.said))
                .map_err(|Miss(what)| what)?;
        *self = fresh;
        // A line cut in two by the kill was never read by anyone: no acknowledgement.
        Ok(late.iter().map_while(|line| parse(line).ok()).collect())
    }
}

impl Drop for Driver {
    /// Ends the process by its own id when a run stops early.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of `stream` as they come; no more when it has ended.
pub(super) fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Adds each line of `stream` to `said`.
pub(super) fn gather(stream: impl Read + Send + 'static, said: Said) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = said.lock().expect("no reader panicked");
            text.push_str("    ");
            text.push_str(&line);
            text.push('\n');
        }
    });
}

/// What a driver says that it was asked to append.
pub(super) fn hashes(answer: &Value) -> Result<Vec<String>, String> {
    serde_json::from_value(answer["hashes"].clone()).map_err(|error| format!("hashes: {error}"))
}

fn parse(line: &str) -> Result<Value, String> {
    let answer: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
    if answer["ok"] == true {
        return Ok(answer);
    }
    Err(answer["error"].as_str().unwrap_or(line).to_owned())
}
