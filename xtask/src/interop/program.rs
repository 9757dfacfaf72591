//! The `hypercore` binary: run as a user would, its answers read as a script would.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use serde_json::Value;

use crate::process::program;

/// The binary, and what it was asked so far, to be read when a step goes wrong.
#[derive(Debug)]
pub(super) struct Program {
    binary: PathBuf,
    /// Given to every command.
    common: Vec<String>,
    pub(super) log: String,
    pub(super) runs: u64,
}

/// A run that waits for its stdin.
#[derive(Debug)]
pub(super) struct Waiting {
    child: Child,
    /// Kept open until the end: a command must not fail because nobody reads its status.
    stderr: BufReader<ChildStderr>,
}

impl Program {
    pub(super) fn new(binary: &Path, common: Vec<String>) -> Self {
        Self { binary: binary.to_path_buf(), common, log: String::new(), runs: 0 }
    }

    /// Runs the command and gives its stdout; any exit code but 0 is a failure.
    pub(super) fn run(&mut self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        self.run_with(arguments, None)
    }

    /// The same, with what it reads from a pipe.
    pub(super) fn run_with(
        &mut self,
        arguments: &[&str],
        stdin: Option<&Path>,
    ) -> Result<Vec<u8>, String> {
        let output = self.output(arguments, stdin)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let error = String::from_utf8_lossy(&output.stderr);
        Err(format!("`hypercore {}` ended with {}: {error}", arguments[0], output.status))
    }

    /// Runs the command with `--json` and gives each line of stdout.
    pub(super) fn json(&mut self, arguments: &[&str]) -> Result<Vec<Value>, String> {
        let stdout = self.run(&[arguments, &["--json"]].concat())?;
        json_lines(&stdout)
    }

    /// The same for a command that prints one object.
    pub(super) fn object(&mut self, arguments: &[&str]) -> Result<Value, String> {
        let mut lines = self.json(arguments)?;
        if lines.len() != 1 {
            return Err(format!("`hypercore {}` printed {} lines", arguments[0], lines.len()));
        }
        Ok(lines.swap_remove(0))
    }

    /// Runs a command that must end with `code` and say so in JSON, and print nothing else.
    pub(super) fn refused(&mut self, arguments: &[&str], code: i32) -> Result<(), String> {
        let output = self.output(&[arguments, &["--json"]].concat(), None)?;
        let told = json_lines(&output.stderr).unwrap_or_default();
        let is_told = told.last().is_some_and(|line| line["exit"].as_i64() == Some(code.into()));
        if output.status.code() == Some(code) && is_told && output.stdout.is_empty() {
            return Ok(());
        }
        let error = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "`hypercore {}` ended with {}, not {code}: {error}",
            arguments[0], output.status
        ))
    }

    /// Starts a command and returns when it has the log open and waits for its stdin.
    pub(super) fn start(&mut self, arguments: &[&str]) -> Result<Waiting, String> {
        let mut command = self.command(arguments, None);
        command.arg("--verbose").stdin(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let stderr = child.stderr.take().ok_or("no pipe")?;
        let mut waiting = Waiting { child, stderr: BufReader::new(stderr) };
        let mut line = String::new();
        while waiting.stderr.read_line(&mut line).is_ok_and(|len| len > 0) {
            if line.contains(": opened: ") {
                return Ok(waiting);
            }
            self.log.push_str(&format!("  {line}"));
            line.clear();
        }
        Err("the command ended before it had the log open".into())
    }

    fn output(&mut self, arguments: &[&str], stdin: Option<&Path>) -> Result<Output, String> {
        let text = stdin.map(std::fs::read).transpose().map_err(|error| error.to_string())?;
        let mut command = self.command(arguments, stdin);
        if text.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let pipe = child.stdin.take();
        let writer = std::thread::spawn(move || {
            if let (Some(mut pipe), Some(text)) = (pipe, text) {
                // A command that ends early does not read all: its exit code tells.
                let _ = pipe.write_all(&text);
            }
        });
        let output = child.wait_with_output().map_err(|error| error.to_string());
        let _ = writer.join();
        output
    }

    fn command(&mut self, arguments: &[&str], stdin: Option<&Path>) -> Command {
        let mut command = program(&self.binary, arguments);
        command.args(&self.common).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.runs += 1;
        let all = arguments.iter().copied().chain(self.common.iter().map(String::as_str));
        self.log.push_str("hypercore");
        for argument in all {
            self.log.push(' ');
            self.log.push_str(argument);
        }
        if let Some(path) = stdin {
            self.log.push_str(&format!(" < {}", path.display()));
        }
        self.log.push('\n');
        command
    }
}

impl Waiting {
    /// Writes its stdin, closes it, and waits for a good end.
    pub(super) fn finish(mut self, stdin: &[u8]) -> Result<(), String> {
        let mut pipe = self.child.stdin.take().ok_or("no pipe")?;
        pipe.write_all(stdin).map_err(|error| error.to_string())?;
        drop(pipe);
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(());
        }
        let mut error = String::new();
        let _ = self.stderr.read_to_string(&mut error);
        Err(format!("`hypercore append` with a pipe ended with {status}: {error}"))
    }
}

impl Drop for Waiting {
    /// Ends the process by its own id when a step before went wrong.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Each line of an output.
pub(super) fn json_lines(text: &[u8]) -> Result<Vec<Value>, String> {
    let parse = |line: &str| {
        serde_json::from_str(line).map_err(|error| format!("{error} in the output: {line}"))
    };
    String::from_utf8_lossy(text).lines().map(parse).collect()
}
