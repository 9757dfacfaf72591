//! Processes that open one directory at the same moment: one gets to write, all others exit 6, and
//! what is stored afterwards is a whole log with the winner's blocks.

mod common;

use std::io::Write as _;
use std::process::Child;
use std::time::{Duration, Instant};

use common::Shell;

const RACES: usize = 25;

/// How long a process may take before the test gives it up as hung.
const HUNG_AFTER: Duration = Duration::from_secs(60);

/// Waits until one of two writers has ended, and gives its place; the other holds the lock until its
/// stdin ends.
fn first_to_end(children: &mut [Child; 2]) -> usize {
    let begun = Instant::now();
    loop {
        for (place, child) in children.iter_mut().enumerate() {
            if child.try_wait().unwrap().is_some() {
                return place;
            }
        }
        assert!(begun.elapsed() < HUNG_AFTER, "neither writer ended: both hold the lock");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Two `append` that keep their stdin open: exactly one is told of the lock. Gives the one that was not.
fn race_of_writers(shell: &Shell) -> usize {
    let mut children = [0, 1].map(|_| shell.spawn(&["append", "log", "--lines"]));
    for (place, child) in children.iter_mut().enumerate() {
        // Who has lost the race already does not read it.
        let _ = child.stdin.as_mut().unwrap().write_all(format!("{place}\n").as_bytes());
    }
    let loser = first_to_end(&mut children);
    for (place, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        let expected = if place == loser { 6 } else { 0 };
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(expected), "{stderr}");
    }
    1 - loser
}

#[test]
fn two_writers_that_create() {
    for round in 0..RACES {
        let shell = Shell::new();
        let winner = race_of_writers(&shell);
        assert_eq!(shell.run(&["cat", "log"]).ok().text(), winner.to_string(), "round {round}");
        shell.run(&["verify", "log"]).ok();
    }
}

#[test]
fn two_writers_of_one_log() {
    let shell = Shell::new();
    shell.log("log", "before\n");
    let key = shell.info("log")["key"].clone();
    let mut expected = "before".to_owned();
    for _ in 0..RACES {
        expected += &race_of_writers(&shell).to_string();
    }
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), expected);
    shell.run(&["verify", "log"]).ok();
    assert_eq!(shell.info("log")["key"], key);
}

/// Both are done at once, so the second may find the lock, or the log of the first.
#[test]
fn two_that_make_a_log() {
    for round in 0..RACES {
        let shell = Shell::new();
        let children = [0, 1].map(|_| shell.spawn(&["new", "log", "--json"]));
        let outputs = children.map(|child| child.wait_with_output().unwrap());
        let made: Vec<_> = outputs.iter().filter(|output| output.status.success()).collect();
        assert_eq!(made.len(), 1, "round {round}: {outputs:?}");
        for output in &outputs {
            assert!(matches!(output.status.code(), Some(0 | 1 | 6)), "round {round}: {output:?}");
            if output.status.code() == Some(1) {
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert!(stderr.contains("already"), "round {round}: {stderr}");
            }
        }
        let told: serde_json::Value = serde_json::from_slice(&made[0].stdout).unwrap();
        assert_eq!(shell.info("log")["key"], told["key"], "round {round}");
        shell.run(&["verify", "log"]).ok();
    }
}

/// A reader beside a writer sees the log before the append, after it, or a lock; so does the writer.
#[test]
fn a_reader_and_a_writer() {
    let shell = Shell::new();
    shell.log("log", "before\n");
    let mut expected = "before".to_owned();
    for round in 0..RACES {
        let reader = shell.spawn(&["cat", "log"]);
        let ran = shell.run_with(&["append", "log", "--lines"], format!("{round}\n").as_bytes());
        let output = reader.wait_with_output().unwrap();
        let before = expected.clone();
        match ran.code {
            0 => expected += &round.to_string(),
            code => assert_eq!(code, 6, "{}", ran.stderr),
        }
        match output.status.code() {
            Some(0) => {
                let read = String::from_utf8(output.stdout).unwrap();
                assert!(read == before || read == expected, "round {round}: {read}");
            }
            code => assert_eq!(code, Some(6), "round {round}"),
        }
    }
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), expected);
    shell.run(&["verify", "log"]).ok();
}
