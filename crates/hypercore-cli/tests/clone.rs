//! `clone`: fetches, verifies, resumes, follows, and says what kept it from it.

mod common;

use std::net::TcpListener;

use common::running::{Relay, Running, Server, nobody, run_limited};
use common::{SEED, Shell};

const LARGE: usize = 3_000;

fn key(shell: &Shell, name: &str) -> String {
    shell.info(name)["key"].as_str().unwrap().to_owned()
}

/// A log of blocks that are too many to come at once.
fn large_log(shell: &Shell) {
    shell.log("log", "");
    let block = |index: usize| format!("{index:0>999}\n");
    let lines: String = (0..LARGE).map(block).collect();
    shell.run_with(&["append", "log", "--lines"], lines.as_bytes()).ok();
}

#[track_caller]
fn assert_same(shell: &Shell, copy: &str) {
    assert_eq!(shell.run(&["ls", copy]).ok().text(), shell.run(&["ls", "log"]).ok().text());
    shell.run(&["verify", copy]).ok();
}

#[test]
fn copies_a_log() {
    let shell = Shell::new();
    shell.log("log", "one\ntwo\n\nthree\n");
    let info = shell.info("log");
    let server = Server::start(&shell, &["log"]);
    let done = shell
        .run(&["clone", &key(&shell, "log"), "copy", "--connect", &server.address, "--json"])
        .ok()
        .lines()
        .pop()
        .unwrap();
    assert_eq!(done["event"], "done");
    assert_eq!(done["length"], 4);
    assert_eq!(done["fork"], 0);
    assert_eq!(done["tree_hash"], info["tree_hash"]);
    assert_eq!(done["downloaded"], 4);
    assert_eq!(done["bytes"], 11);
    assert!(done["elapsed_ms"].is_u64());
    assert_same(&shell, "copy");
    assert_eq!(shell.info("copy")["writable"], false);

    // Again: nothing is left to fetch. The id does as well as the key.
    let id = info["id"].as_str().unwrap();
    let text = shell.run(&["clone", id, "copy", "--connect", &server.address]).ok().text();
    assert!(text.starts_with("done: 0 blocks, 0 bytes in "), "{text}");
    server.stop();
}

#[test]
fn a_log_without_blocks() {
    let shell = Shell::new();
    shell.log("log", "");
    let server = Server::start(&shell, &["log"]);
    shell.run(&["clone", &key(&shell, "log"), "copy", "--connect", &server.address]).ok();
    assert_eq!(shell.info("copy")["length"], 0);
}

#[test]
fn an_encrypted_log_without_its_key() {
    let shell = Shell::new();
    let encrypted = ["--encryption-key", SEED];
    shell.run_with(&[&["append", "log", "--lines"], &encrypted[..]].concat(), b"one\ntwo\n").ok();
    let server = Server::start(&shell, &["log"]);
    shell.run(&["clone", &key(&shell, "log"), "copy", "--connect", &server.address]).ok();
    assert_ne!(shell.run(&["cat", "copy"]).ok().text(), "onetwo");
    assert_eq!(shell.run(&[&["cat", "copy"], &encrypted[..]].concat()).ok().text(), "onetwo");
}

#[test]
fn parts_and_then_the_rest() {
    let shell = Shell::new();
    let lines: String = (0..100).map(|index| format!("line {index}\n")).collect();
    shell.log("log", &lines);
    let (key, server) = (key(&shell, "log"), Server::start(&shell, &["log"]));
    let clone = |more: &[&str]| {
        let args =
            [&["clone", &key, "copy", "--connect", &server.address, "--json"], more].concat();
        shell.run(&args)
    };
    let stored = || shell.run(&["ls", "copy"]).ok().text().lines().count();
    let downloaded = |more: &[&str]| clone(more).ok().lines().pop().unwrap()["downloaded"].clone();

    assert_eq!(downloaded(&["--no-blocks"]), 0);
    assert_eq!((shell.info("copy")["length"].as_u64(), stored()), (Some(100), 0));
    assert_eq!(downloaded(&["--blocks", "3..5,50..51,97.."]), 6);
    assert_eq!(stored(), 6);
    let told = clone(&["--blocks", "3..101"]).exits(3).failure();
    assert_eq!(told["index"], 101);
    assert_eq!(downloaded(&["--blocks", "..50"]), 48);
    assert_eq!(downloaded(&[]), 46);
    assert_same(&shell, "copy");
}

#[test]
fn goes_on_after_a_kill() {
    let shell = Shell::new();
    large_log(&shell);
    let (key, server) = (key(&shell, "log"), Server::start(&shell, &["log"]));
    let relay = Relay::start(&server.address, 1_000_000);
    let cloning = Running::start(&shell, &["clone", &key, "copy", "--connect", &relay.address]);
    relay.wait();
    cloning.kill();
    shell.run(&["verify", "copy"]).ok();
    let kept = shell.run(&["ls", "copy"]).ok().text().lines().count();
    assert!(kept < LARGE);

    let args = ["clone", &key, "copy", "--connect", &server.address, "--json"];
    let done = shell.run(&args).ok().lines().pop().unwrap();
    assert_eq!(done["downloaded"], LARGE - kept);
    assert_same(&shell, "copy");
}

#[test]
fn a_signal_ends_it_in_order() {
    let shell = Shell::new();
    large_log(&shell);
    let (key, server) = (key(&shell, "log"), Server::start(&shell, &["log"]));
    for signal in ["-INT", "-TERM"] {
        let relay = Relay::start(&server.address, 1_000_000);
        let copy = format!("copy{signal}");
        let cloning = Running::start(&shell, &["clone", &key, &copy, "--connect", &relay.address]);
        relay.wait();
        cloning.signal(signal);
        let last = cloning.end().exits(1).lines().pop().unwrap();
        assert_eq!(last["event"], "interrupted");
        let missing = last["missing"].as_u64().unwrap() as usize;
        let kept = shell.run(&["ls", &copy]).ok().text().lines().count();
        assert_eq!(missing + kept, LARGE, "{last}");
    }
}

#[test]
fn a_peer_that_comes_back() {
    let shell = Shell::new();
    large_log(&shell);
    let (key, server) = (key(&shell, "log"), Server::start(&shell, &["log"]));
    // The relay stands for a peer that stops in the middle; its address is not where the other one is.
    let relay = Relay::start(&server.address, 1_000_000);
    let address = server.address.clone();
    let connect = format!("{},{address}", relay.address);
    server.running.kill();
    let server = Server::at(&shell, &["log"], &address);
    let mut cloning = Running::start(&shell, &["clone", &key, "copy", "--connect", &connect]);
    cloning.event("connected");
    server.running.kill();
    cloning.event("disconnected");
    let _server = Server::at(&shell, &["log"], &address);
    cloning.end().exits(0);
    assert_same(&shell, "copy");
}

#[test]
fn follows_what_is_appended_and_taken_back() {
    let shell = Shell::new();
    shell.log("log", "one\ntwo\nthree\n");
    let (key, server) = (key(&shell, "log"), Server::start(&shell, &["log"]));
    let address = server.address.clone();
    let args = ["clone", &key, "copy", "--connect", &address, "--live"];
    let mut cloning = Running::start(&shell, &args);
    assert_eq!(cloning.event("done")["length"], 3);
    server.stop();
    shell.run_with(&["append", "log", "--lines"], b"four\n").ok();
    let server = Server::at(&shell, &["log"], &address);
    assert_eq!(cloning.event("done")["length"], 4);
    server.stop();
    shell.run(&["truncate", "log", "1"]).ok();
    shell.run_with(&["append", "log", "--lines"], b"other\n").ok();
    let server = Server::at(&shell, &["log"], &address);
    let truncated = cloning.event("truncated");
    assert_eq!(truncated["fork"], 1);
    let done = cloning.event("done");
    assert_eq!((done["length"].as_u64(), done["fork"].as_u64()), (Some(2), Some(1)));
    cloning.signal("-TERM");
    let last = cloning.end().exits(0).lines().pop().unwrap();
    assert_eq!((last["event"].as_str(), last["missing"].as_u64()), (Some("interrupted"), Some(0)));
    server.stop();
    assert_same(&shell, "copy");
}

#[test]
fn peers_that_are_no_use() {
    let shell = Shell::new();
    shell.log("log", "one\n");
    let key = key(&shell, "log");
    // Nobody there.
    let refused = nobody();
    let told = shell.run(&["clone", &key, "copy", "--connect", &refused, "--json"]).exits(7);
    let told = told.failure();
    assert_eq!(told["error"], "network");
    assert!(told["message"].as_str().unwrap().contains("connection refused"), "{told}");

    // Somebody else beside one who has it.
    let server = Server::start(&shell, &["log"]);
    let both = format!("{refused},{}", server.address);
    shell.run(&["clone", &key, "copy", "--connect", &both]).ok();
    assert_same(&shell, "copy");

    // A peer that speaks something else.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            drop(std::io::Write::write_all(&mut socket, b"220 mail.example.org ESMTP ready\r\n"));
        }
    });
    let told = shell.run(&["clone", &key, "copy-2", "--connect", &address, "--json"]).exits(7);
    assert_eq!(told.failure()["error"], "network");
}

#[test]
fn the_time_is_over() {
    let shell = Shell::new();
    shell.log("log", "one\ntwo\nthree\n");
    shell.run(&["clear", "log", "1..2"]).ok();
    let key = key(&shell, "log");
    // One who never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let args = ["clone", &key, "none", "--connect", &address, "--timeout", "300", "--json"];
    let told = shell.run(&args).exits(8).failure();
    assert_eq!(told["error"], "timed-out");
    assert!(told["message"].as_str().unwrap().contains("no peer has told"), "{told}");

    // One who lacks a block.
    let server = Server::start(&shell, &["log"]);
    let args = ["clone", &key, "copy", "--connect", &server.address, "--timeout", "1000", "--json"];
    let told = shell.run(&args).exits(8).failure();
    assert!(told["message"].as_str().unwrap().contains("1 of 3 blocks are missing"), "{told}");
    assert_eq!(shell.run(&["get", "copy", "2"]).ok().text(), "three");
}

#[test]
fn two_histories() {
    let shell = Shell::new();
    shell.log("log", "one\ntwo\n");
    shell.log("false", "one\nTWO\nthree\n");
    let key = key(&shell, "log");
    assert_eq!(shell.info("false")["key"], key);
    let server = Server::start(&shell, &["log"]);
    shell.run(&["clone", &key, "copy", "--connect", &server.address]).ok();
    let liar = Server::start(&shell, &["false"]);
    let ran = shell.run(&["clone", &key, "copy", "--connect", &liar.address, "--json"]).exits(5);
    assert!(ran.failure()["message"].as_str().unwrap().contains("another history"), "{ran:?}");
    assert_same(&shell, "copy");
}

#[test]
fn a_disk_that_is_full() {
    let shell = Shell::new();
    large_log(&shell);
    let (key, server) = (key(&shell, "log"), Server::start(&shell, &["log"]));
    let args = ["clone", &key, "copy", "--connect", &server.address];
    for limit_kib in [1_000, 2_000] {
        let ran = run_limited(&shell, limit_kib, &args).exits(1);
        let told = &ran.stderr;
        assert!(
            told.contains("the data store failed") && told.contains("file too large"),
            "{told}"
        );
        shell.run(&["verify", "copy"]).ok();
    }
    let args = [&args[..], &["--json"]].concat();
    let told = run_limited(&shell, 2_000, &args).exits(1).failure();
    assert_eq!((told["error"].as_str(), told["file"].as_str()), (Some("failed"), Some("data")));
    shell.run(&args).ok();
    assert_same(&shell, "copy");

    // Also when only the head is wanted: there is room for a new log, and not for its tree.
    let head = [&args[..2], &["head"], &args[3..], &["--no-blocks"]].concat();
    let told = run_limited(&shell, 8, &head).exits(1).failure();
    assert!(told["message"].as_str().unwrap().contains("file too large"), "{told}");
}

#[test]
fn directories_that_will_not_do() {
    let shell = Shell::new();
    shell.log("log", "one\n");
    let (key, server) = (key(&shell, "log"), Server::start(&shell, &["log"]));
    let clone = |dir: &str, more: &[&str]| {
        let args = [&["clone", &key, dir, "--connect", &server.address, "--json"], more].concat();
        shell.run(&args)
    };
    clone("copy", &["--read-only"]).exits(4);
    assert!(!shell.path("copy").exists());
    std::fs::create_dir(shell.path("foreign")).unwrap();
    shell.write("foreign/file", b"something");
    clone("foreign", &[]).exits(3);
    // Another log.
    shell.run_with(&["append", "other", "--lines"], b"one\n").ok();
    let before = shell.snapshot("other");
    clone("other", &[]).exits(1);
    assert_eq!(shell.snapshot("other"), before);
    // One that is in use.
    let args = ["clone", &key, "copy", "--connect", &server.address, "--live"];
    let mut cloning = Running::start(&shell, &args);
    cloning.event("done");
    clone("copy", &[]).exits(6);
}

#[test]
fn what_can_not_be_meant() {
    let shell = Shell::new();
    let key = "0f".repeat(32);
    let full: [&[&str]; 9] = [
        &["clone", &key, "copy"],
        &["clone", &key, "--connect", "127.0.0.1:1"],
        &["clone", "0f", "copy", "--connect", "127.0.0.1:1"],
        &["clone", &key, "copy", "--connect", "127.0.0.1"],
        &["clone", &key, "copy", "--connect", "127.0.0.1:1,"],
        &["clone", &key, "copy", "--connect", "127.0.0.1:1", "--blocks", "5..3"],
        &["clone", &key, "copy", "--connect", "127.0.0.1:1", "--blocks", "1..2", "--no-blocks"],
        &["clone", &key, "copy", "--connect", "127.0.0.1:1", "--timeout", "0"],
        &["clone", &key, "copy", "--connect", "127.0.0.1:1", "--timeout", "soon"],
    ];
    for args in full {
        shell.run(args).exits(2);
        assert!(!shell.path("copy").exists(), "{args:?}");
    }
}
