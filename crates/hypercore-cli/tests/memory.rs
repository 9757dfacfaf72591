//! Appending and reading take bounded memory, whatever the length of the log and however it is cut.
#![cfg(target_os = "linux")]

mod common;

use std::io::{Read as _, Write as _};
use std::process::Child;

use common::Shell;

/// What the command may take at most, in KiB.
const LIMIT_KIB: u64 = 64 * 1024;

/// What a running process took at most so far, in KiB.
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    // One that has ended and was not waited for has no such line.
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.map_or(0, |line| line.split_whitespace().nth(1).unwrap().parse().unwrap())
}

/// Appends 48 MiB of `pattern` from a pipe and asks the kernel what the process took at most.
#[track_caller]
fn check(options: &[&str], pattern: &[u8]) {
    let shell = Shell::new();
    let mut args = vec!["append", "log", "--durability", "eventual"];
    args.extend(options);
    let mut child = shell.spawn(&args);
    let mut stdin = child.stdin.take().unwrap();
    let piece = pattern.repeat(1024 * 1024 / pattern.len());
    for _ in 0..48 {
        stdin.write_all(&piece).unwrap();
    }
    let peak = peak(&child);
    assert!(peak > 0 && peak < LIMIT_KIB, "{options:?} took {peak} KiB");
    drop(stdin);
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn whole() {
    check(&[], b"0123456789abcdef");
}

#[test]
fn encrypted() {
    check(&["--encryption-key", &"ab".repeat(32)], b"0123456789abcdef");
}

#[test]
fn lines() {
    check(&["--lines"], b"a line of text, and not a long one, which is what logs hold mostly\n");
}

#[test]
fn chunks() {
    check(&["--chunk", "64k"], b"0123456789abcdef");
    check(&["--chunk", "15MiB"], b"0123456789abcdef");
}

#[test]
fn reading_large_encrypted_blocks() {
    let shell = Shell::new();
    let mib = 1024 * 1024;
    shell.write("file", &vec![b'x'; 90 * mib]);
    let key = "ab".repeat(32);
    shell.run(&["append", "log", "file", "--encryption-key", &key]).ok();
    let mut child = shell.spawn(&["cat", "log", "--encryption-key", &key]);
    // What is left of the last block keeps it waiting.
    child.stdout.as_mut().unwrap().read_exact(&mut vec![0; 80 * mib]).unwrap();
    let peak = peak(&child);
    assert!(peak < LIMIT_KIB, "it took {peak} KiB");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A feed of Dat or Hypercore 6 to 9 is copied a batch at a time.
#[test]
fn importing() {
    let shell = Shell::new();
    let block = vec![b'x'; 1024 * 1024];
    common::feeds::make(&shell, "feed").append(&vec![&block; 90]).unwrap();
    let mut child = shell.spawn(&["import", "feed", "log", "--durability", "eventual"]);
    let mut highest = 0;
    // A process that has ended tells nothing more.
    while child.try_wait().unwrap().is_none() {
        highest = peak(&child).max(highest);
        std::thread::yield_now();
    }
    assert!(child.wait().unwrap().success());
    assert!(highest > 0 && highest < LIMIT_KIB, "it took {highest} KiB");
}
