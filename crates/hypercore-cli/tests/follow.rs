//! `tail -f`: follows the appends of another process, and is in no writer's way.

mod common;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::Shell;

struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(shell: &Shell, args: &[&str]) -> Self {
        let mut child = shell.spawn(args);
        let stdout: ChildStdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    #[track_caller]
    fn next(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).expect("no line came")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn follows_appends_of_other_processes() {
    let shell = Shell::new();
    shell.log("log", "one\ntwo\n");
    let follower = Follower::start(&shell, &["tail", "log", "-f", "-n", "1"]);
    assert_eq!(follower.next(), "two");
    for text in ["three", "four", "five"] {
        shell.run_with(&["append", "log", "--lines"], text.as_bytes()).ok();
        assert_eq!(follower.next(), text);
    }
}

#[test]
fn follows_a_writer_that_stays_open() {
    use std::io::Write as _;
    let shell = Shell::new();
    shell.log("log", "one\n");
    let follower = Follower::start(&shell, &["tail", "log", "-f", "--json"]);
    assert!(follower.next().contains("\"index\":0,\"bytes\":3"));
    let mut writer = shell.spawn(&["append", "log", "--lines"]);
    let mut stdin = writer.stdin.take().unwrap();
    for index in 1..200 {
        writeln!(stdin, "block {index}").unwrap();
        if index % 20 == 0 {
            std::thread::sleep(Duration::from_millis(30));
        }
    }
    for index in 1..200 {
        let line = follower.next();
        assert!(line.starts_with(&format!("{{\"index\":{index},")), "{line}");
    }
    drop(stdin);
    assert!(writer.wait_with_output().unwrap().status.success());
}

#[test]
fn goes_on_after_a_truncation() {
    let shell = Shell::new();
    shell.log("log", "one\ntwo\nthree\n");
    let follower = Follower::start(&shell, &["tail", "log", "-f", "-n", "1"]);
    assert_eq!(follower.next(), "three");
    shell.run(&["truncate", "log", "1"]).ok();
    // Give the follower a look at the shorter log.
    std::thread::sleep(Duration::from_millis(500));
    shell.run_with(&["append", "log", "--lines"], b"other\n").ok();
    assert_eq!(follower.next(), "other");
}

#[test]
fn ends_when_nobody_reads_any_more() {
    use std::io::Read as _;
    let shell = Shell::new();
    shell.log("log", "one\ntwo\n");
    let mut child = shell.spawn(&["tail", "log", "-f"]);
    let mut stdout = child.stdout.take().unwrap();
    let mut some = [0; 8];
    stdout.read_exact(&mut some).unwrap();
    // Nothing is appended from here on: it has to notice without writing.
    drop(stdout);
    for _ in 0..200 {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    panic!("it waits for ever");
}
