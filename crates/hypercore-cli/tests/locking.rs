//! One writer: a second opener exits 6 and changes nothing; readers share.

mod common;

use std::io::Write as _;
use std::process::Child;
use std::time::{Duration, Instant};

use common::Shell;

/// An `append` that waits for its stdin, and so holds the lock.
fn writer(shell: &Shell) -> Child {
    let mut child = shell.spawn(&["append", "log", "--lines"]);
    child.stdin.as_mut().unwrap().write_all(b"held\n").unwrap();
    let begun = Instant::now();
    let data = shell.path("log/data");
    while std::fs::read(&data).unwrap_or_default()
        != b"ab\nheld".split(|b| *b == b'\n').collect::<Vec<_>>().concat()
    {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

#[test]
fn a_second_opener_is_told() {
    let shell = Shell::new();
    shell.log("log", "a\nb\n");
    let held = writer(&shell);
    let before = shell.snapshot("log");
    for args in [
        &["append", "log"][..],
        &["truncate", "log", "0"],
        &["clear", "log", "0..1"],
        &["info", "log"],
        &["cat", "log"],
        &["verify", "log"],
        &["new", "log"],
        &["serve", "log"],
    ] {
        let ran = shell.run_with(args, b"x").exits(6);
        assert!(ran.stderr.contains("one process writes to a log"), "{}", ran.stderr);
        assert!(ran.stderr.contains("wait for it to finish"), "{}", ran.stderr);
    }
    let failure = shell.run(&["info", "log", "--json"]).exits(6).failure();
    assert_eq!(failure["error"], "locked");
    assert!(shell.snapshot("log") == before);
    let ended = held.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), "abheld");
}

#[test]
fn a_killed_writer_leaves_no_lock_and_what_it_appended() {
    let shell = Shell::new();
    shell.log("log", "a\nb\n");
    let mut held = writer(&shell);
    held.kill().unwrap();
    held.wait().unwrap();
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), "abheld");
    shell.run(&["verify", "log"]).ok();
    shell.run_with(&["append", "log"], b"more").ok();
}
