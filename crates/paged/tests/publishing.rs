//! When a container has its name: after its bytes are synced, and at no moment before, whatever
//! system call the writer is killed at.
//!
//! The test runs itself under `strace` as the writer. Where there is no `strace` nothing is shown,
//! and it says so.
#![cfg(target_os = "linux")]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use paged::container::{Container, NO_HEAP, Writer};

/// Names the path to write to in the process that writes.
const WRITE_TO: &str = "PAGED_TEST_WRITE_TO";
const REPLACE: &str = "PAGED_TEST_REPLACE";
const COUNT: u64 = 50_000;

/// Not a test of its own: what the traced process does.
#[test]
fn as_the_writer() {
    let Some(path) = env::var_os(WRITE_TO) else { return };
    let writer = if env::var_os(REPLACE).is_some() {
        Writer::create_or_replace(path, 4096)
    } else {
        Writer::create(path, 4096)
    };
    let mut writer = writer.unwrap();
    let mut section = writer.begin_section::<u64>("numbers", NO_HEAP).unwrap();
    for number in 0..COUNT {
        section.push(&(), &number).unwrap();
    }
    section.end().unwrap();
    writer.publish().unwrap();
}

/// Runs the writer under `strace`; `None` when there is none.
fn trace(path: &Path, replace: bool, options: &[&OsStr]) -> Option<ExitStatus> {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: there is no strace");
        return None;
    }
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(options).arg(env::current_exe().unwrap());
    command.args(["--exact", "as_the_writer", "--test-threads=1"]).env(WRITE_TO, path);
    if replace {
        command.env(REPLACE, "1");
    }
    Some(command.output().unwrap().status)
}

/// Calls that change a file or a folder, or sync one, with the file in place of its number.
const CALLS: &str = "trace=write,pwrite64,writev,ftruncate,fsync,fdatasync,link,linkat,rename,\
                     renameat,renameat2,unlink,unlinkat,openat";

/// The calls on files below `folder`, in order, as words.
fn calls(folder: &Path, replace: bool) -> Option<Vec<String>> {
    let log = folder.join("strace.log");
    let path = folder.join("numbers");
    let options: [&OsStr; 4] = ["-y".as_ref(), "-e".as_ref(), CALLS.as_ref(), "-o".as_ref()];
    let status = trace(&path, replace, &[&options[..], &[log.as_os_str()]].concat())?;
    assert!(status.success(), "{status}");
    let log = fs::read_to_string(log).unwrap();
    let folder = folder.to_str().unwrap();
    let named = log.lines().filter(|line| line.contains(folder) && !line.contains("ENOENT"));
    let calls = named.map(|line| {
        // "PID name(arguments) = result", the arguments with paths in them.
        let call = line.split_once(' ').unwrap().1.trim_start();
        let (name, arguments) = call.split_once('(').unwrap();
        let of = if arguments.contains(".partial") {
            "pending"
        } else if call.contains("O_CREAT") {
            "other"
        } else {
            "folder"
        };
        format!("{name} {of}")
    });
    Some(calls.collect())
}

#[test]
fn the_name_comes_after_the_sync_of_the_bytes_and_before_that_of_the_folder() {
    for (replace, naming) in
        [(false, &["linkat pending", "unlink pending"][..]), (true, &["rename pending"])]
    {
        let folder = tempfile::tempdir().unwrap();
        let Some(mut calls) = calls(folder.path(), replace) else { return };
        calls.dedup();
        let mut expected = vec!["openat pending"];
        if !replace {
            // Whether there are links at all is tried before anything is written.
            expected.extend(naming);
        }
        expected.extend(["write pending", "fsync pending"]);
        expected.extend(naming);
        expected.extend(["openat folder", "fsync folder"]);
        // Dropping the handle looks once more whether something of that name is left.
        calls.retain(|call| !(call == "unlink pending" && replace));
        calls.dedup();
        assert_eq!(calls, expected);
    }
}

#[test]
fn a_writer_that_is_killed_at_any_call_leaves_nothing_or_all() {
    for replace in [false, true] {
        let mut killed = 0;
        let calls = ["openat", "write", "fsync", "linkat", "rename", "unlink"];
        for call in calls {
            for occurrence in 1.. {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("numbers");
                if replace {
                    fs::write(&path, "older").unwrap();
                }
                let inject = format!("inject={call}:signal=SIGKILL:when={occurrence}");
                let options: [&OsStr; 4] =
                    ["-o".as_ref(), "/dev/null".as_ref(), "-e".as_ref(), inject.as_ref()];
                let Some(status) = trace(&path, replace, &options) else { return };
                match fs::read(&path) {
                    Err(_) => assert!(!replace, "what was there is gone"),
                    Ok(bytes) if bytes == b"older" => assert!(replace),
                    Ok(_) => {
                        let container = Container::open(&path).unwrap();
                        container.verify().unwrap();
                        let numbers = container.section::<u64>("numbers").unwrap();
                        assert_eq!(u64::from(numbers.len()), COUNT);
                    }
                }
                if status.success() {
                    break;
                }
                assert_eq!(status.signal(), Some(9), "{status}");
                killed += 1;
                assert!(occurrence < 100);
            }
        }
        // Each call is made at least once, but for the one that the other way of naming makes.
        assert!(killed >= calls.len() - 1, "{killed}");
    }
}

#[test]
fn the_name_of_a_folder_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers/");
    assert!(Writer::create(&path, 4096).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
