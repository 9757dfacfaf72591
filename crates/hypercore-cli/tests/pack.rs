//! `pack` and `unpack`, and the commands that read a packed log.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};

use common::Shell;
use common::running::{Server, run_limited};

/// What lies in the scratch directory.
fn names(shell: &Shell) -> BTreeSet<String> {
    let entries = std::fs::read_dir(shell.path(".")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_packed_log_is_read_as_its_directory_is() {
    let shell = Shell::new();
    shell.log("log", "a\nbb\nccc\ndddd\n");
    shell.run(&["clear", "log", "1..2"]).ok();
    let report = shell.run(&["pack", "log", "frozen.log", "--json"]).ok().json();
    let info = shell.info("log");
    assert_eq!((&report["length"], &report["blocks"]), (&4.into(), &3.into()));
    assert_eq!((&report["key"], &report["tree_hash"]), (&info["key"], &info["tree_hash"]));
    assert_eq!(report["bytes"], std::fs::metadata(shell.path("frozen.log")).unwrap().len());

    let packed = shell.info("frozen.log");
    assert_eq!(
        (&packed["format"], &packed["writable"]),
        (&"hypercore-packed".into(), &false.into())
    );
    for field in ["key", "id", "tree_hash", "length", "byte_length", "fork", "manifest"] {
        assert_eq!(packed[field], info[field], "{field}");
    }
    assert!(shell.run(&["info", "frozen.log"]).ok().text().contains("hypercore-packed"));
    for args in [
        &["ls", "--json"][..],
        &["cat", "--blocks", "2..4"],
        &["cat", "--bytes", "4..9"],
        &["get", "3"],
        &["seek", "7", "--json"],
        &["tail", "-n", "2", "--json"],
        &["tail", "-n", "9", "--json"],
        &["verify", "--json"],
    ] {
        let on = |place: &str| {
            let mut all = vec![args[0], place];
            all.extend(&args[1..]);
            shell.run(&all).ok().text()
        };
        assert_eq!(on("frozen.log"), on("log"), "{args:?}");
    }
    shell.run(&["get", "frozen.log", "1"]).exits(3);
    // It never grows, so there is nothing to wait for.
    let all = shell.run(&["tail", "frozen.log", "-f", "-n", "2", "--json"]).ok().text();
    assert_eq!(all, shell.run(&["tail", "frozen.log", "-n", "2", "--json"]).ok().text());
}

#[test]
fn a_packed_log_is_shared_and_becomes_a_directory_again() {
    let shell = Shell::new();
    shell.log("log", "a\nbb\nccc\n");
    shell.run(&["pack", "log", "frozen.log"]).ok();
    let key = shell.info("log")["key"].as_str().unwrap().to_owned();
    let server = Server::start(&shell, &["frozen.log"]);
    shell.run(&["clone", &key, "copy", "--connect", &server.address]).ok();
    assert_eq!(shell.run(&["cat", "copy"]).ok().text(), "abbccc");

    let report = shell.run(&["unpack", "frozen.log", "again", "--json"]).ok().json();
    assert_eq!((&report["length"], &report["blocks"]), (&3.into(), &3.into()));
    assert_eq!(shell.run(&["cat", "again"]).ok().text(), "abbccc");
    shell.run(&["verify", "again"]).ok();
    shell.run(&["append", "again", "--lines"]).exits(4);
}

#[test]
fn what_can_not_be_packed_or_unpacked_is_told() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    shell.run(&["pack", "log", "frozen.log"]).ok();
    let refused = shell.run(&["pack", "log", "frozen.log", "--json"]).exits(1);
    assert!(refused.failure()["message"].as_str().unwrap().contains("exists already"));
    shell.run(&["pack", "none", "other.log"]).exits(3);
    shell.run(&["pack", "log", "other.log", "--read-only"]).exits(4);
    assert!(!shell.path("other.log").exists());
    shell.run(&["pack", "log"]).exits(2);

    shell.run(&["unpack", "none.log", "again"]).exits(3);
    shell.run(&["unpack", "log", "again"]).exits(1);
    shell.run(&["unpack", "frozen.log", "log"]).exits(1);
    shell.write("words", b"no log at all");
    shell.run(&["unpack", "words", "again"]).exits(1);
    shell.run(&["info", "words"]).exits(1);
    shell.run(&["append", "frozen.log", "--lines"]).exits(4);
    shell.run(&["clear", "frozen.log", "0..1"]).exits(4);

    let mut bytes = std::fs::read(shell.path("frozen.log")).unwrap();
    let end = bytes.len();
    bytes[end - 20] ^= 1;
    shell.write("damaged", &bytes);
    for args in [&["info", "damaged"][..], &["verify", "damaged"], &["unpack", "damaged", "again"]]
    {
        shell.run(args).exits(5);
    }
    shell.write("short", &bytes[..end / 2]);
    shell.run(&["info", "short"]).exits(5);
}

#[test]
fn an_empty_log_and_an_encrypted_one_come_back_as_they_were() {
    let shell = Shell::new();
    shell.log("empty", "");
    let key = "ab".repeat(32);
    shell.run_with(&["append", "secret", "--lines", "--encryption-key", &key], b"a\nbb\n").ok();
    for name in ["empty", "secret"] {
        let (file, again) = (format!("{name}.packed"), format!("{name}-again"));
        let report = shell.run(&["pack", name, &file, "--json"]).ok().json();
        let info = shell.info(name);
        assert_eq!(report["length"], info["length"]);
        let packed = shell.run(&["verify", &file, "--json"]).ok().json();
        assert_eq!((&packed["ok"], &packed["length"]), (&true.into(), &info["length"]));
        shell.run(&["unpack", &file, &again]).ok();
        shell.run(&["verify", &again]).ok();
        for place in [&file, &again] {
            assert_eq!(shell.info(place)["tree_hash"], info["tree_hash"], "{place}");
            let read = |options: &[&str]| {
                let ran = shell.run(&[&["cat", place.as_str()], options].concat());
                ran.ok().text()
            };
            let plain = if name == "secret" { "abb" } else { "" };
            assert_eq!(read(&["--encryption-key", &key]), plain, "{place}");
            assert_eq!(read(&[]) == plain, name == "empty", "{place}");
        }
    }
}

#[test]
fn a_log_that_is_written_to_is_not_packed() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    let mut writer = shell.spawn(&["append", "log", "--lines", "-v"]);
    let mut told = BufReader::new(writer.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("opened")));
    let before = names(&shell);
    let failure = shell.run(&["pack", "log", "frozen.log", "--json"]).exits(6).failure();
    assert_eq!(failure["error"], "locked");
    assert_eq!(names(&shell), before);
    drop(writer.stdin.take());
    writer.wait().unwrap();
    shell.run(&["pack", "log", "frozen.log"]).ok();
}

#[test]
fn what_is_not_complete_has_no_name() {
    let shell = Shell::new();
    shell.run_with(&["append", "log", "--chunk", "64k"], &[7; 300 * 1024]).ok();
    let before = names(&shell);
    for limit_kib in [0, 1, 8, 100, 299] {
        let ran = run_limited(&shell, limit_kib, &["pack", "log", "frozen.log", "--json"]).exits(1);
        let message = ran.failure()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("file too large"), "{message}");
        assert_eq!(names(&shell), before, "limit {limit_kib}");
    }
    shell.run(&["pack", "log", "frozen.log"]).ok();
    let before = names(&shell);
    for limit_kib in [0, 1, 8, 100, 299] {
        run_limited(&shell, limit_kib, &["unpack", "frozen.log", "again", "--json"]).exits(1);
        assert_eq!(shell.run(&["info", "again"]).code, 3, "limit {limit_kib}");
        drop(std::fs::remove_dir_all(shell.path("again")));
        assert_eq!(names(&shell), before);
    }
}

#[test]
fn targets_that_can_not_be_are_told_and_not_made() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    shell.run(&["pack", "log", "frozen.log"]).ok();
    let (before, log) = (names(&shell), shell.snapshot("log"));
    for target in ["log", "log/oplog", "none/frozen", "frozen.log/inside", "new/"] {
        shell.run(&["pack", "log", target]).exits(1);
        shell.run(&["pack", "frozen.log", target]).exits(1);
    }
    for target in ["log", "frozen.log", "frozen.log/inside"] {
        shell.run(&["unpack", "frozen.log", target]).exits(1);
    }
    assert_eq!(names(&shell), before);
    assert!(shell.snapshot("log") == log);
    // Inside the log it is in nobody's way.
    shell.run(&["pack", "log", "log/frozen"]).ok();
    shell.run(&["verify", "log"]).ok();
    shell.run(&["verify", "log/frozen"]).ok();
    // A packed log is packed again as any log is.
    shell.run(&["pack", "frozen.log", "other.log"]).ok();
    assert_eq!(shell.info("other.log")["tree_hash"], shell.info("log")["tree_hash"]);
}
