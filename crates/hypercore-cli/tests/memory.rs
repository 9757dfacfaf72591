//! Appending takes bounded memory, whatever the length of the input and however it is cut.
#![cfg(target_os = "linux")]

mod common;

use std::io::Write as _;

use common::Shell;

/// What the command may take at most, in KiB.
const LIMIT_KIB: u64 = 64 * 1024;

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
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let peak: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < LIMIT_KIB, "{options:?} took {peak} KiB");
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
