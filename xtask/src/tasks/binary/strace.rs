//! strace: which system calls a run makes on a log's files, and runs in which one of them goes wrong.
//!
//! Only calls on the files of the log, its directory and the folder above are looked at and
//! counted, so neither the loader nor the terminal is in the way. strace counts for each thread.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::{is_present, program};

use super::log::{Log, Ran, run};

/// The files of a log.
const FILES: [&str; 5] = ["oplog", "header", "tree", "bitfield", "data"];

/// Calls that bring bytes, lengths, names or order to a disk.
const WRITE_CALLS: [&str; 20] = [
    "open",
    "openat",
    "mkdir",
    "mkdirat",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "fallocate",
    "ftruncate",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "link",
    "linkat",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
];

/// Calls that bring bytes from a disk.
const READ_CALLS: [&str; 3] = ["read", "pread64", "preadv"];

/// Calls that move no bytes, or only say which ones will have to be.
const OTHER_CALLS: [&str; 10] = [
    "statx",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "lseek",
    "fcntl",
    "fadvise64",
    "getdents64",
    "close",
];

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The device fails.
    Eio,
    /// The device is full.
    Enospc,
    /// The process is killed before the call.
    Kill,
}

impl Fault {
    /// What can go wrong in a call. A kill before a read is one after the write before it.
    pub(super) fn of(call: &str) -> &'static [Self] {
        if READ_CALLS.contains(&call) {
            &[Self::Eio]
        } else {
            &[Self::Eio, Self::Enospc, Self::Kill]
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eio => "EIO",
            Self::Enospc => "ENOSPC",
            Self::Kill => "SIGKILL",
        })
    }
}

/// One call that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Injection {
    pub(super) call: &'static str,
    pub(super) fault: Fault,
    /// Which of the calls of a thread, from 1.
    pub(super) when: usize,
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.call, self.when, self.fault)
    }
}

/// Installs strace where it is missing; says why there is none.
pub(super) fn ensure() -> Result<(), String> {
    if !is_present("strace") {
        println!("strace is missing: trying apt-get");
        // A list of packages that can not be brought up to date may still be good enough.
        let _ = quiet("apt-get", &["update", "-qq"]);
        let _ = quiet("apt-get", &["install", "-y", "-qq", "strace"]);
    }
    if !is_present("strace") {
        return Err("strace is missing, and apt-get could not install it".into());
    }
    // Also where it is, tracing may be forbidden, as in many containers.
    if !quiet("strace", &["-f", "-qq", "-o", "/dev/null", "strace", "--version"]) {
        return Err("strace may not trace a process here".into());
    }
    Ok(())
}

fn quiet(name: &str, arguments: &[&str]) -> bool {
    program(name, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs `hypercore WORDS` and gives how often its busiest thread made each call that
/// reads or writes.
pub(super) fn calls(
    log: &Log,
    words: &[String],
    trace: &Path,
) -> Result<BTreeMap<&'static str, usize>, String> {
    let mut command = under_strace(trace, &paths(log));
    command.arg(&log.binary).args(words);
    let ran = run(&mut command)?;
    if ran.code != Some(0) {
        return Err(ran.unexpected("a run without a fault"));
    }
    let text = std::fs::read_to_string(trace).map_err(|error| error.to_string())?;
    count(&text)
}

fn count(trace: &str) -> Result<BTreeMap<&'static str, usize>, String> {
    let mut threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in trace.lines() {
        // `PID name(arguments) = result`; a call that another thread interrupts ends on a line of
        // its own, which starts with `<...`.
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some((name, _)) = rest.split_once('(')
            && !rest.starts_with('<')
        {
            *threads.entry((thread, name)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, name), count) in threads {
        let mut moving = WRITE_CALLS.iter().chain(&READ_CALLS);
        if let Some(call) = moving.find(|call| **call == name) {
            let known: &mut usize = most.entry(*call).or_default();
            *known = count.max(*known);
        } else if !OTHER_CALLS.contains(&name) {
            return Err(format!("strace.rs does not know the call {name}"));
        }
    }
    Ok(most)
}

/// What a run with a fault gave.
#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) ran: Ran,
    /// Whether the call was reached.
    pub(super) reached: bool,
    /// The file of the log on which the call was.
    pub(super) file: Option<&'static str>,
}

/// Runs `hypercore WORDS` with `injection`.
pub(super) fn inject(
    log: &Log,
    words: &[String],
    injection: Injection,
    trace: &Path,
) -> Result<Faulty, String> {
    let mut command = under_strace(trace, &paths(log));
    let Injection { call, fault, when } = injection;
    let what = match fault {
        Fault::Kill => "signal=KILL".to_owned(),
        error => format!("error={error}"),
    };
    command.args([
        "-e",
        &format!("trace={call}"),
        "-e",
        &format!("inject={call}:{what}:when={when}"),
    ]);
    command.arg(&log.binary).args(words);
    let ran = run(&mut command)?;
    let text = std::fs::read_to_string(trace).map_err(|error| error.to_string())?;
    let failed = text.lines().find(|line| line.ends_with("(INJECTED)"));
    let reached = match fault {
        Fault::Kill => ran.signal.is_some(),
        _ => failed.is_some(),
    };
    let names = |line: &str, name: &str| {
        let path = log.dir.join(name).display().to_string();
        line.contains(&format!("<{path}>")) || line.contains(&format!("\"{path}\""))
    };
    let file = failed.and_then(|line| FILES.into_iter().find(|name| names(line, name)));
    Ok(Faulty { ran, reached, file })
}

/// strace, up to the command that it shall run.
fn under_strace(trace: &Path, paths: &[PathBuf]) -> Command {
    let mut command = program("strace", ["-f", "-qq", "-y", "-o"]);
    command.arg(trace);
    for path in paths {
        command.arg("-P").arg(path);
    }
    command
}

/// Everything that a run may write to, and the folder that names it.
fn paths(log: &Log) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = FILES.iter().map(|name| log.dir.join(name)).collect();
    // What the oplog of a backup is called before the backup is complete.
    paths.push(log.dir.join("oplog.unfinished"));
    paths.push(log.dir.clone());
    paths.extend(log.dir.parent().map(Path::to_path_buf));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_for_each_thread() {
        let trace = "10 openat(AT_FDCWD</x>, \"/x/oplog\", O_RDWR) = 3</x/oplog>\n\
                     10 pwrite64(3</x/oplog>, \"a\", 1, 0 <unfinished ...>\n\
                     11 pwrite64(3</x/oplog>, \"b\", 1, 1) = 1\n\
                     10 <... pwrite64 resumed>)         = 1\n\
                     10 pwrite64(3</x/oplog>, \"c\", 1, 2) = 1\n\
                     10 statx(3</x/oplog>, \"\") = 0\n\
                     10 pread64(3</x/oplog>, \"\", 1, 0) = 0\n\
                     10 +++ exited with 0 +++\n";
        let counted = count(trace).expect("all calls are known");
        assert_eq!(counted, BTreeMap::from([("openat", 1), ("pread64", 1), ("pwrite64", 2)]));
        assert!(count("10 splice(3</x/oplog>) = 0\n").is_err());
    }
}
