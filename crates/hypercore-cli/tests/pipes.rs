//! Streams: a reader that goes away, what goes to stdout and what to stderr, quiet and JSON.

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use common::Shell;

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let shell = Shell::new();
    shell.run_with(&["append", "log", "--chunk", "64k"], &vec![b'x'; 8 * 1024 * 1024]).ok();
    shell.run(&["pack", "log", "frozen"]).ok();
    for args in [
        &["cat", "log"][..],
        &["cat", "frozen"],
        &["tail", "log", "-n", "128"],
        &["get", "log", "0"],
    ] {
        let mut child =
            shell.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut some = [0; 10];
        stdout.read_exact(&mut some).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn a_full_stdout_is_told() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = shell.command(&["cat", "log"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(told, "hypercore: stdout could not be written: no space left on device\n");
}

#[test]
fn failures_are_on_stderr_also_when_quiet() {
    let shell = Shell::new();
    let ran = shell.run(&["info", "none", "-q"]).exits(3);
    assert_eq!(ran.stderr, "hypercore: none: nothing is stored there\n");
    assert!(ran.stdout.is_empty());
    let ran = shell.run(&["info", "none", "--json", "-q"]).exits(3);
    assert!(ran.stdout.is_empty());
    assert_eq!(ran.failure()["error"], "not-found");
    assert_eq!(ran.failure()["exit"], 3);
}

#[test]
fn usage_is_json_when_asked() {
    let shell = Shell::new();
    let ran = shell.run(&["get", "log", "--json"]).exits(2);
    assert_eq!(ran.failure()["error"], "usage");
    let message = ran.failure()["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("were not provided: <INDEX>"), "{message}");
    shell.run(&["frobnicate"]).exits(2);
    shell.run::<&str>(&[]).exits(2);
    shell.run(&["info", "log", "-q", "-v"]).exits(2);
    assert!(shell.run(&["--help"]).ok().text().contains("Exit codes: 0 done"));
    assert!(shell.run(&["--version"]).ok().text().starts_with("hypercore "));
}

#[test]
fn verbose_tells_what_opening_found() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    let ran = shell.run(&["info", "log", "-v", "--json"]).ok();
    assert!(ran.stderr.contains("opened"), "{}", ran.stderr);
    ran.json();
    assert_eq!(shell.run(&["info", "log"]).ok().stderr, "");
}

#[test]
fn what_verbose_told_is_there_after_a_kill() {
    let shell = Shell::new();
    for (durability, before) in [("immediate", 0), ("eventual", 2)] {
        let mut child =
            shell.spawn(&["append", "log", "--lines", "-v", "--durability", durability]);
        let mut stdin = child.stdin.take().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        for count in 1..=2 {
            stdin.write_all(b"line\n").unwrap();
            let told = format!("log: {count} blocks appended so far");
            assert!(stderr.any(|line| line.unwrap() == told), "{told}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(shell.info("log")["length"], before + 2);
    }
}
