//! `import`: feeds of Dat and Hypercore 6 to 9 become logs, also in several runs, and never a log that is something else.

mod common;

use std::io::{BufRead as _, BufReader};

use common::feeds::{all, golden, make, make_with_long_block};
use common::{SEED, Shell};

/// A copy of the golden feed `name`, in `feed`.
fn with(name: &str) -> Shell {
    let shell = Shell::new();
    golden(name).copy(&shell, "feed");
    shell
}

#[test]
fn every_whole_feed_becomes_a_log() {
    for feed in all().into_iter().filter(common::feeds::Golden::is_whole) {
        let shell = Shell::new();
        feed.copy(&shell, "feed");
        let before = shell.snapshot("feed");
        let report = shell.run(&["import", "feed", "log", "--json"]).ok().json();
        let info = shell.info("log");
        for field in ["length", "byte_length", "tree_hash", "key"] {
            assert_eq!(report[field], info[field], "{field} of {}", feed.name);
        }
        for field in ["length", "byte_length"] {
            assert_eq!(report[field], feed.expected[field], "{field} of {}", feed.name);
        }
        assert_eq!(
            (&report["appended"], &report["bytes"]),
            (&report["length"], &report["byte_length"])
        );
        assert_eq!((&report["verified"], &report["missing"]), (&report["length"], &0.into()));
        assert_eq!(
            (&info["format"], &info["writable"], &info["compat"]),
            (&"hypercore-10".into(), &true.into(), &false.into())
        );
        assert_ne!(info["key"], feed.expected["key"]);
        let list = |place: &str| shell.run(&["ls", place, "--json"]).ok().text();
        assert!(list("log") == list("feed"), "{}", feed.name);
        shell.run(&["verify", "log"]).ok();
        assert!(shell.snapshot("feed") == before, "{} was changed", feed.name);
    }
}

#[test]
fn the_key_is_new_or_of_a_seed_or_kept() {
    let shell = with("v8-then-v9");
    let length = shell.info("feed")["length"].clone();
    let key = |args: &[&str]| {
        let mut all = vec!["import", "feed"];
        all.extend(args);
        shell.run(&[&all[..], &["--json"]].concat()).ok().json()["key"].clone()
    };
    assert_ne!(key(&["one"]), key(&["two"]));

    shell.run(&["new", "seeded", "--seed", SEED]).ok();
    assert_eq!(key(&["three", "--seed", SEED]), shell.info("seeded")["key"]);
    shell.run(&["new", "compat", "--seed", SEED, "--compat"]).ok();
    assert_eq!(key(&["four", "--seed", SEED, "--compat"]), shell.info("compat")["key"]);

    let feed = shell.info("feed");
    assert_eq!(key(&["five", "--keep-key"]), feed["key"]);
    let info = shell.info("five");
    assert_eq!((&info["compat"], &info["writable"]), (&true.into(), &true.into()));
    assert_eq!(info["discovery_key"], feed["discovery_key"]);
    shell.run_with(&["append", "five", "--lines"], b"more\n").ok();

    // The same command again finds its log, another one does not take it.
    assert_eq!(
        shell.run(&["import", "feed", "three", "--seed", SEED, "--json"]).ok().json()["length"],
        length
    );
    let other = "22".repeat(32);
    let before = shell.snapshot("three");
    shell.run(&["import", "feed", "three", "--seed", &other]).exits(1);
    shell.run(&["import", "feed", "three", "--keep-key"]).exits(1);
    assert!(shell.snapshot("three") == before);
    shell.run(&["import", "feed", "six", "--seed", SEED, "--keep-key"]).exits(2);
}

#[test]
fn a_key_that_is_not_there_can_not_be_kept() {
    for name in ["v9-static", "v9-len10"] {
        let shell = with(name);
        drop(std::fs::remove_file(shell.path("feed/secret_key")));
        let ran = shell.run(&["import", "feed", "log", "--keep-key"]).exits(4);
        assert!(ran.stderr.contains("without --keep-key"), "{}", ran.stderr);
        assert!(!shell.path("log").exists());
        shell.run(&["import", "feed", "log"]).ok();
    }
}

#[test]
fn missing_blocks_are_refused_cut_off_or_empty() {
    for name in ["v9-sparse", "v9-sparse-hashonly", "v8-sparse", "v9-cleared"] {
        let feed = golden(name);
        let shell = with(name);
        let (present, length) = (feed.present(), feed.length());
        let first = (0..length).find(|index| !present.contains(index)).unwrap();

        let told = shell.run(&["import", "feed", "log", "--json"]).exits(3).failure();
        assert_eq!(told["index"], first, "{name}");
        assert!(told["message"].as_str().unwrap().contains(&format!("block {first} ")));
        assert!(!shell.path("log").exists());

        let report =
            shell.run(&["import", "feed", "log", "--missing", "stop", "--json"]).ok().json();
        assert_eq!((&report["length"], &report["missing"]), (&first.into(), &0.into()), "{name}");

        // What was cut off goes on.
        let args = ["import", "feed", "log", "--missing", "empty", "--json"];
        let report = shell.run(&args).ok().json();
        let missing = length - present.len() as u64;
        assert_eq!((&report["length"], &report["missing"]), (&length.into(), &missing.into()));
        assert_eq!(report["appended"], length - first, "{name}");
        let again = shell.run(&args).ok().json();
        assert_eq!((&again["appended"], &again["verified"]), (&0.into(), &length.into()));
        assert_eq!(shell.run(&["get", "log", &first.to_string()]).ok().text(), "");
        for index in present {
            let at = |place: &str| shell.run(&["get", place, &index.to_string()]).ok().stdout;
            assert_eq!(at("log"), at("feed"), "block {index} of {name}");
        }
    }
}

#[test]
fn a_second_run_goes_on_where_the_first_was_ended() {
    let shell = with("v9-len10");
    let lines: String = (0..4).map(|index| format!("b{index}\n")).collect();
    shell.log("log", &lines);
    let key = shell.info("log")["key"].clone();
    let ran = shell.run(&["import", "feed", "log", "--json"]).ok();
    let report = ran.json();
    assert_eq!((&report["appended"], &report["length"]), (&6.into(), &10.into()));
    assert_eq!((&report["verified"], &report["key"]), (&10.into(), &key));
    assert!(ran.stderr.contains("4 of 10 blocks are here already"), "{}", ran.stderr);
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), shell.run(&["cat", "feed"]).ok().text());
}

#[test]
fn a_log_that_is_something_else_is_left_alone() {
    let shell = with("v9-len10");
    for (name, lines, what) in [
        ("other", "b0\nb1\nbX\n", "block 2 "),
        ("longer", "b0\nb1\nb2\nb3\nb4\nb5\nb6\nb7\nb8\nb9\nb10\n", "11 blocks"),
        ("shifted", "b1\n", "block 0 "),
        ("holes", "b0\nb1\nb2\n", "block 1 "),
    ] {
        shell.log(name, lines);
        if name == "holes" {
            shell.run(&["clear", name, "1..2"]).ok();
        }
        let before = shell.info(name);
        let ran = shell.run(&["import", "feed", name]).exits(1);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
        assert_eq!(shell.info(name), before, "{name}");
    }
    std::fs::create_dir(shell.path("files")).unwrap();
    shell.write("files/notes", b"mine");
    shell.run(&["import", "feed", "files"]).exits(3);
    shell.run(&["import", "feed", "feed"]).exits(4);
    golden("v9-len1").copy(&shell, "feed-2");
    shell.run(&["import", "feed", "feed-2"]).exits(4);
    shell.run(&["import", "feed", "log", "--read-only"]).exits(4);
    assert!(!shell.path("log").exists());
}

/// Versions up to 8 took blocks of any length.
#[test]
fn a_block_that_no_log_takes_is_told_before_anything_is_written() {
    const LEN_MAX: u64 = 15 * 1024 * 1024;
    let shell = Shell::new();
    make_with_long_block(&shell, "feed", LEN_MAX + 1);
    assert_eq!(shell.info("feed")["byte_length"], LEN_MAX + 11);
    for missing in ["refuse", "stop", "empty"] {
        let args = ["import", "feed", "log", "--missing", missing, "--json"];
        let told = shell.run(&args).exits(1).failure();
        assert_eq!((&told["error"], &told["index"]), (&"failed".into(), &1.into()));
        assert!(told["message"].as_str().unwrap().contains("block 1 has 15728641 bytes"), "{told}");
        assert!(!shell.path("log").exists());
    }
    // Where it is not stored it is not imported either.
    make(&shell, "feed").clear(1..2).unwrap();
    let args = ["import", "feed", "log", "--missing", "empty", "--json"];
    assert_eq!(shell.run(&args).ok().json()["length"], 3);
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), "firstthird");

    make_with_long_block(&shell, "just", LEN_MAX);
    // Not refused for its length, but for its bytes.
    let told = shell.run(&["import", "just", "other", "--json"]).exits(5).failure();
    assert_eq!((&told["index"], &told["file"]), (&1.into(), &"data".into()));
}

#[test]
fn another_writer_is_told_and_stays_alone() {
    let shell = with("v9-len10");
    shell.log("log", "b0\n");
    let mut writer = shell.spawn(&["append", "log", "--lines", "-v"]);
    let mut told = BufReader::new(writer.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("opened")));
    shell.run(&["import", "feed", "log"]).exits(6);
    drop(writer.stdin.take());
    writer.wait().unwrap();
    shell.run(&["import", "feed", "log"]).ok();
    assert_eq!(shell.info("log")["length"], 10);
}

#[test]
fn blocks_are_encrypted_on_the_way() {
    let shell = with("v9-len100");
    let key = "ab".repeat(32);
    let args = ["import", "feed", "log", "--encryption-key", &key];
    shell.run(&args).ok();
    shell.run(&args).ok();
    let plain = shell.run(&["cat", "feed"]).ok().stdout;
    assert_eq!(shell.run(&["cat", "log", "--encryption-key", &key]).ok().stdout, plain);
    assert_ne!(shell.run(&["cat", "log"]).ok().stdout, plain);
    // Without the key the log looks like something else.
    shell.run(&["import", "feed", "log"]).exits(1);
}

/// Killed again and again, at any moment, it ends with the whole feed and each block once.
#[test]
fn killed_imports_go_on() {
    const BLOCKS: u64 = 200;
    let shell = Shell::new();
    let mut feed = make(&shell, "feed");
    let block = |index: u64| [index.to_be_bytes(); 8 * 1024].concat();
    feed.append(&(0..BLOCKS).map(block).collect::<Vec<_>>()).unwrap();
    drop(feed);
    let mut lengths = Vec::new();
    // Most runs get one batch of some 32 blocks further.
    for _ in 0..BLOCKS {
        let mut child = shell.spawn(&["import", "feed", "log", "-q", "--durability", "eventual"]);
        let data = shell.path("log/data");
        let size = || std::fs::metadata(&data).map_or(0, |found| found.len());
        let before = size();
        // Until it has appended something, or has ended.
        while child.try_wait().unwrap().is_none() && size() == before {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
        lengths.push(shell.info("log")["length"].as_u64().unwrap());
    }
    assert!(lengths.is_sorted(), "{lengths:?}");
    assert!(lengths.iter().any(|length| (1..BLOCKS).contains(length)), "{lengths:?}");
    let report = shell.run(&["import", "feed", "log", "--json"]).ok().json();
    assert_eq!((&report["length"], &report["verified"]), (&BLOCKS.into(), &BLOCKS.into()));
    let list = |place: &str| shell.run(&["ls", place, "--json"]).ok().text();
    assert!(list("log") == list("feed"));
    shell.run(&["verify", "log"]).ok();
}
