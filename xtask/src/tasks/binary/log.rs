//! One log of the real binary, and what must be true of it after anything that happened to it.
//!
//! Knows the command's JSON and exit codes, as a script would; knows nothing of how a log was
//! brought into its state.

use std::fs::File;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::process::program;

/// The exit code for a failure that has no code of its own.
pub(super) const FAILED: i32 = 1;

/// The exit code for "nothing is stored there".
pub(super) const NOT_FOUND: i32 = 3;

/// A directory, and the binary that is asked about it.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) binary: PathBuf,
    pub(super) dir: PathBuf,
}

/// What a run of the command gave.
#[derive(Debug)]
pub(super) struct Ran {
    /// `None` when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// What may be found in a log.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    /// Every block that anybody tried to store, in order.
    pub(super) attempted: &'a [Vec<u8>],
    /// How many of them must be there.
    pub(super) acknowledged: usize,
    /// Blocks that may be missing, all of them together.
    pub(super) cleared: Range<usize>,
    /// Whether those must be missing.
    pub(super) is_cleared: bool,
    /// The first block whose bytes are compared.
    pub(super) from: usize,
}

impl<'a> Wanted<'a> {
    /// Nothing was cleared, everything is compared.
    pub(super) const fn new(attempted: &'a [Vec<u8>], acknowledged: usize) -> Self {
        Self { attempted, acknowledged, cleared: 0..0, is_cleared: false, from: 0 }
    }
}

impl Log {
    /// The log in `dir`, as `binary` sees it.
    pub(super) fn new(binary: &Path, dir: impl Into<PathBuf>) -> Self {
        Self { binary: binary.to_path_buf(), dir: dir.into() }
    }

    /// `hypercore VERB DIR ARGUMENTS`, to be run.
    pub(super) fn command(&self, verb: &str, arguments: &[String]) -> Command {
        let mut command = program(&self.binary, [verb]);
        command.arg(&self.dir).args(arguments);
        command
    }

    /// Runs the command to its end.
    pub(super) fn run(&self, verb: &str, arguments: &[&str]) -> Result<Ran, String> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.into()).collect();
        run(&mut self.command(verb, &arguments))
    }

    /// Runs a command that must succeed.
    pub(super) fn done(&self, verb: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let ran = self.run(verb, arguments)?;
        if ran.code == Some(0) { Ok(ran.stdout) } else { Err(ran.unexpected(verb)) }
    }

    /// Each object of a command that must succeed.
    fn objects(&self, verb: &str, arguments: &[&str]) -> Result<Vec<Value>, String> {
        let stdout = self.done(verb, &[arguments, &["--json"]].concat())?;
        parse_lines(&String::from_utf8_lossy(&stdout))
    }

    fn object(&self, verb: &str) -> Result<Value, String> {
        let mut objects = self.objects(verb, &[])?;
        if objects.len() != 1 {
            return Err(format!("`{verb}` printed {} lines", objects.len()));
        }
        Ok(objects.swap_remove(0))
    }

    /// Whether anything is stored; a log that can not be opened counts as stored.
    pub(super) fn is_stored(&self) -> Result<bool, String> {
        Ok(self.run("info", &["--json"])?.code != Some(NOT_FOUND))
    }

    /// Verifies the log and compares it with `wanted`; gives its length.
    pub(super) fn check(&self, wanted: &Wanted<'_>) -> Result<usize, String> {
        let verified = self.object("verify")?;
        let info = self.object("info")?;
        if verified["ok"] != true || verified["length"] != info["length"] {
            return Err(format!("`verify` says {verified}, `info` {info}"));
        }
        let length = info["length"].as_u64().ok_or("`info` gives no length")? as usize;
        let Wanted { attempted, acknowledged, .. } = wanted;
        if length < *acknowledged || length > attempted.len() {
            return Err(format!(
                "{length} blocks, where {acknowledged} were acknowledged and {} attempted",
                attempted.len()
            ));
        }
        self.compare(wanted, length)?;
        Ok(length)
    }

    /// Compares lengths and bytes of the blocks.
    fn compare(&self, wanted: &Wanted<'_>, length: usize) -> Result<(), String> {
        let from = wanted.from.min(length);
        let listed = self.objects("ls", &["--blocks", &format!("{from}..{length}")])?;
        let blocks: Vec<_> = listed.iter().map(|block| (number(block, "index"), block)).collect();
        let cleared = wanted.cleared.start.max(from)..wanted.cleared.end.min(length);
        let is_gone = blocks.len() + cleared.len() == length - from;
        let is_cleared = !cleared.is_empty() && (wanted.is_cleared || is_gone);
        let gap = if is_cleared { cleared.clone() } else { length..length };
        let spans = [from..gap.start, gap.end..length];
        let expected: Vec<usize> = spans.iter().cloned().flatten().collect();
        if blocks.iter().map(|(index, _)| *index).ne(expected.iter().copied().map(Some)) {
            return Err(format!(
                "{} of {} blocks are listed; missing may be {cleared:?}, all of them or none",
                blocks.len(),
                length - from
            ));
        }
        for (index, (_, block)) in expected.iter().zip(&blocks) {
            if number(block, "bytes") != Some(wanted.attempted[*index].len()) {
                return Err(format!("block {index} has another length: {block}"));
            }
        }
        for span in spans.into_iter().filter(|span| !span.is_empty()) {
            let bytes =
                self.done("cat", &["--blocks", &format!("{}..{}", span.start, span.end)])?;
            if bytes != wanted.attempted[span.clone()].concat() {
                return Err(format!("blocks {span:?} have other bytes"));
            }
        }
        Ok(())
    }

    /// Appends one more block, which must work and stay; gives the length then.
    ///
    /// `text` is a file with one line.
    pub(super) fn go_on(&self, length: usize, text: &Path) -> Result<usize, String> {
        let line = std::fs::read(text).map_err(|error| error.to_string())?;
        self.done("append", &["--lines", &text.to_string_lossy()])?;
        let verified = self.object("verify")?;
        let last = self.done("get", &[&length.to_string()])?;
        if verified["ok"] != true || number(&verified, "length") != Some(length + 1) {
            return Err(format!("after one more block, `verify` says {verified}"));
        }
        if last != line.strip_suffix(b"\n").unwrap_or(&line) {
            return Err("one more block was appended, and has other bytes".into());
        }
        Ok(length + 1)
    }
}

impl Ran {
    /// How many blocks the run said it had stored, with `-v`.
    pub(super) fn acknowledged(&self) -> usize {
        self.stderr.lines().filter_map(acknowledged).max().unwrap_or(0)
    }

    /// How many blocks it stored: `None` is all, as it succeeded.
    pub(super) fn stored(&self) -> Option<usize> {
        (self.code != Some(0)).then(|| self.acknowledged())
    }

    /// Whether it failed because the disk is full, and said what to do about it.
    pub(super) fn is_disk_full(&self) -> bool {
        self.failure().is_ok_and(|told| {
            let message = told["message"].as_str().unwrap_or_default();
            message.contains("no space left on device") && message.contains("make room")
        })
    }

    /// The failure as a typed object, with exit code 1 and without a panic.
    pub(super) fn failure(&self) -> Result<Value, String> {
        let last = self.stderr.lines().last().unwrap_or_default();
        let told: Value = serde_json::from_str(last).unwrap_or_default();
        let is_typed = told["error"] == "failed" && told["exit"] == 1;
        let is_whole = told["message"].as_str().is_some_and(|text| !text.is_empty());
        if self.code == Some(1) && is_typed && is_whole && !self.stderr.contains("panicked") {
            return Ok(told);
        }
        Err(self.unexpected("the command"))
    }

    /// A sentence about a run that ended otherwise than it should.
    pub(super) fn unexpected(&self, what: &str) -> String {
        let Self { code, signal, stderr, .. } = self;
        format!("{what} ended with code {code:?}, signal {signal:?}, and said: {stderr}")
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs any command to its end; what it reads is empty.
pub(super) fn run(command: &mut Command) -> Result<Ran, String> {
    let output = command.stdin(Stdio::null()).output();
    output.map(Ran::from).map_err(|error| format!("{command:?}: {error}"))
}

/// Reads a line that `append -v` and `import -v` print once a batch is stored.
pub(super) fn acknowledged(line: &str) -> Option<usize> {
    let line = line.strip_suffix(" so far")?;
    let line = line.strip_suffix(" appended").or_else(|| line.strip_suffix(" imported"))?;
    line.strip_suffix(" blocks")?.rsplit(' ').next()?.parse().ok()
}

/// Copies the files of a log, one by one; `from` may be missing.
pub(super) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let mut target = File::create(to.join(entry.file_name()))?;
        std::io::copy(&mut File::open(entry.path())?, &mut target)?;
    }
    Ok(())
}

fn number(object: &Value, name: &str) -> Option<usize> {
    object[name].as_u64().map(|number| number as usize)
}

fn parse_lines(text: &str) -> Result<Vec<Value>, String> {
    let parse = |line: &str| {
        serde_json::from_str(line).map_err(|error| format!("{error} in the output: {line}"))
    };
    text.lines().map(parse).collect()
}
