//! An upgrade that is interrupted leaves the old file as it was, or the new one whole, whichever system call it
//! was that killed the process or failed.
//!
//! The test runs itself under `strace` as the process that upgrades. Where there is no `strace` nothing is
//! shown, and it says so.
#![cfg(target_os = "linux")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;

use mappedpages::{Format, MappedPageError, Pager};
use support::{Contents, P, contents};
use tempfile::TempDir;

/// The file, for the process that upgrades.
const FILE: &str = "MAPPEDPAGES_UPGRADE_FILE";
/// Calls that change or sync a file or a folder.
const CALLS: [&str; 7] =
    ["pwrite64", "fallocate", "ftruncate", "fchmod", "fsync", "fdatasync", "rename"];
/// What a killed process may leave beside the file begins so.
const UNFINISHED: &str = ".pages.new-";

/// Not a test of its own: what the traced process does.
#[test]
fn as_the_upgrader() {
    let Some(path) = std::env::var_os(FILE) else { return };
    Pager::<P>::upgrade(path).unwrap().close().unwrap();
}

/// A file in format 1, and what it holds.
struct Old {
    bytes: Vec<u8>,
    contents: (Contents, Contents),
}

impl Old {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pages");
        let mut pager = Pager::<P>::builder().format(Format::One).create(&path).unwrap();
        for (id, fill) in pager.alloc_bulk(3).unwrap().into_iter().zip(1..) {
            id.get_mut(&mut pager).unwrap().as_bytes_mut().fill(fill);
        }
        for (id, fill) in pager.alloc_protected_bulk(2).unwrap().into_iter().zip(7..) {
            let mut writer = id.get_mut(&mut pager).unwrap();
            writer.page_mut().as_bytes_mut().fill(fill);
            writer.commit().unwrap();
        }
        let contents = contents(&pager).unwrap();
        pager.close().unwrap();
        Self { bytes: fs::read(path).unwrap(), contents }
    }

    /// A folder with the file.
    fn lay_out(&self) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pages");
        fs::write(&path, &self.bytes).unwrap();
        (folder, path)
    }

    /// The file is the old one, byte for byte, or holds the same in format 2; and it can be upgraded.
    fn judge(&self, path: &Path, what: &str) {
        if fs::read(path).unwrap() != self.bytes {
            let mut pager = unlocked(|| Pager::<P>::open(path), what);
            assert_eq!(pager.format(), Format::Two, "{what}: the old file was changed");
            assert!(pager.check().unwrap().is_clean(), "{what}");
        }
        let upgraded = unlocked(|| Pager::<P>::upgrade(path), what);
        assert!(contents(&upgraded).unwrap() == self.contents, "{what}: something else is there");
    }
}

/// Opens a file. A process that was killed may have it for another moment.
fn unlocked(open: impl Fn() -> Result<Pager<P>, MappedPageError>, what: &str) -> Pager<P> {
    loop {
        match open() {
            Err(MappedPageError::Locked) => std::thread::yield_now(),
            opened => break opened.unwrap_or_else(|error| panic!("{what}: {error}")),
        }
    }
}

/// Upgrades under `strace`.
fn trace(path: &Path, options: &[&OsStr]) -> ExitStatus {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "--seccomp-bpf"]).args(options);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "as_the_upgrader", "--test-threads=1"]).env(FILE, path);
    command.output().unwrap().status
}

/// The calls of an upgrade that nothing happens to, and what each is of.
fn calls(old: &Old) -> Option<Vec<(&'static str, &'static str)>> {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: there is no strace");
        return None;
    }
    let (folder, path) = old.lay_out();
    let log = folder.path().join("strace.log");
    let filter = format!("trace={}", CALLS.join(","));
    let options = ["-y", "-e", &filter, "-o"].map(OsStr::new);
    let status = trace(&path, &[&options[..], &[log.as_os_str()]].concat());
    assert!(status.success(), "{status}");
    old.judge(&path, "nothing happened");
    let log = fs::read_to_string(log).unwrap();
    let folder = folder.path().to_str().unwrap();
    let calls = log.lines().filter(|line| line.contains(folder)).map(|line| {
        let name = CALLS.into_iter().find(|name| line.contains(&format!(" {name}("))).unwrap();
        let of = if line.contains(UNFINISHED) {
            "new"
        } else if line.contains("/pages>") {
            "named"
        } else {
            "folder"
        };
        (name, of)
    });
    Some(calls.collect())
}

#[test]
fn the_new_file_is_whole_before_it_has_the_name_and_the_old_one_is_only_read() {
    let Some(calls) = calls(&Old::new()) else { return };
    let naming = calls.iter().position(|(name, _)| *name == "rename").unwrap();
    let (before, after) = calls.split_at(naming);
    assert!(before.iter().all(|(_, of)| *of == "new"), "{before:?}");
    assert_eq!(before.last(), Some(&("fsync", "new")), "{before:?}");
    assert!(before.iter().filter(|(name, _)| *name == "pwrite64").count() > 5, "{before:?}");
    assert_eq!(after.get(1), Some(&("fsync", "folder")), "{after:?}");
}

/// Upgrades once for each call, with `harm` done to it.
fn harm_each(harm: &str, judge: impl Fn(ExitStatus, &Path, &str) + Sync) {
    let old = Old::new();
    let Some(calls) = calls(&old) else { return };
    let nth_of_its_name = calls.iter().enumerate().map(|(place, (name, _))| {
        (*name, calls[..=place].iter().filter(|(other, _)| other == name).count())
    });
    let harms = Mutex::new(nth_of_its_name);
    let next = || harms.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((name, nth)) = next() {
                    let (_folder, path) = old.lay_out();
                    let what = format!("inject={name}:{harm}:when={nth}");
                    let options = ["-o", "/dev/null", "-e", &what].map(OsStr::new);
                    judge(trace(&path, &options), &path, &what);
                    old.judge(&path, &what);
                }
            });
        }
    });
}

#[test]
fn an_upgrade_that_is_killed_at_any_call_leaves_the_old_file_or_the_new_one() {
    harm_each("signal=SIGKILL", |status, _, what| {
        assert_eq!(status.signal(), Some(9), "{what}: {status}");
    });
}

#[test]
fn an_upgrade_of_which_any_call_fails_says_so_and_leaves_no_more_than_a_file() {
    harm_each("error=EIO", |status, path, what| {
        assert!(!status.success(), "{what}");
        let names = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(names.count(), 1, "{what}: something is left");
    });
}
