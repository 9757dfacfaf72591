//! `backup`, and what a restored backup needs before it is written to.

mod common;

use common::Shell;
use common::running::Server;

#[test]
fn a_backup_is_the_log() {
    let shell = Shell::new();
    shell.log("log", "a\nbb\nccc\n");
    let report = shell.run(&["backup", "log", "safe/place", "--json"]).ok().json();
    let info = shell.info("log");
    assert_eq!((&report["length"], &report["fork"]), (&3.into(), &0.into()));
    assert_eq!((&report["blocks"], &report["blocks_damaged"]), (&3.into(), &0.into()));
    assert!(report["bytes"].as_u64().unwrap() > 6);
    assert_eq!((&report["key"], &report["tree_hash"]), (&info["key"], &info["tree_hash"]));
    let copy = shell.info("safe/place");
    assert_eq!((&copy["writable"], &copy["needs_confirmation"]), (&false.into(), &true.into()));
    assert_eq!(info["needs_confirmation"], false);
    for field in ["key", "tree_hash", "length", "byte_length", "fork", "manifest"] {
        assert_eq!(copy[field], info[field], "{field}");
    }
    assert_eq!(shell.run(&["cat", "safe/place"]).ok().text(), "abbccc");
    shell.run(&["verify", "safe/place"]).ok();
    let text = shell.run(&["backup", "log", "other"]).ok().text();
    assert!(text.contains("3 blocks to other"), "{text}");
    assert!(shell.run(&["info", "other"]).ok().text().contains("not confirmed"));
}

#[test]
fn a_backup_goes_to_an_empty_directory_only() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    shell.run(&["backup", "log", "safe"]).ok();
    let before = shell.snapshot("safe");
    let refused = shell.run(&["backup", "log", "safe", "--json"]).exits(1);
    assert!(refused.failure()["message"].as_str().unwrap().contains("not empty"));
    assert_eq!(shell.snapshot("safe"), before);
    shell.run(&["backup", "none", "elsewhere"]).exits(3);
    assert!(!shell.path("elsewhere").exists());
    shell.run(&["backup", "log", "elsewhere", "--read-only"]).exits(4);
    shell.run(&["backup", "log"]).exits(2);
    shell.write("file", b"in the way");
    shell.run(&["backup", "log", "file"]).exits(1);
}

#[test]
fn a_backup_that_was_cut_short_is_no_log() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    shell.run(&["backup", "log", "safe"]).ok();
    std::fs::rename(shell.path("safe/oplog"), shell.path("safe/oplog.unfinished")).unwrap();
    for args in [&["info", "safe"][..], &["append", "safe", "--lines"]] {
        shell.run(args).exits(3);
    }
    let told = shell.run(&["info", "safe"]).exits(3).stderr;
    assert!(told.contains("cut short"), "{told}");
}

#[test]
fn a_restored_backup_is_written_to_once_it_is_confirmed() {
    let shell = Shell::new();
    shell.log("log", "a\nb\n");
    shell.run(&["backup", "log", "safe"]).ok();
    let before = shell.snapshot("safe");
    for args in [&["append", "safe", "--lines"][..], &["truncate", "safe", "1"]] {
        let refused = shell.run_with(&[args, &["--json"]].concat(), b"c\n").exits(4);
        let failure = refused.failure();
        assert_eq!(failure["error"], "not-writable");
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains("hypercore confirm-newest safe"), "{message}");
    }
    assert_eq!(shell.snapshot("safe"), before);
    shell.run(&["confirm-newest", "safe", "--read-only"]).exits(4);
    shell.run(&["confirm-newest", "none"]).exits(3);
    let info = shell.run(&["confirm-newest", "safe", "--json"]).ok().json();
    assert_eq!((&info["writable"], &info["needs_confirmation"]), (&true.into(), &false.into()));
    shell.run_with(&["append", "safe", "--lines"], b"c\n").ok();
    assert_eq!(shell.run(&["cat", "safe"]).ok().text(), "abc");
    shell.run(&["confirm-newest", "safe"]).ok();
}

/// The way that the message of `append` names: what a reader has is taken over, and the log goes on without a fork.
#[test]
fn what_a_reader_has_is_taken_over_first() {
    let shell = Shell::new();
    shell.log("log", "a\nb\n");
    shell.run(&["backup", "log", "safe"]).ok();
    shell.run_with(&["append", "log", "--lines"], b"c\nd\n").ok();
    let key = shell.info("log")["key"].as_str().unwrap().to_owned();
    let server = Server::start(&shell, &["log"]);
    shell.run(&["clone", &key, "reader", "--connect", &server.address]).ok();
    server.stop();
    std::fs::remove_dir_all(shell.path("log")).unwrap();

    let server = Server::start(&shell, &["reader"]);
    shell.run(&["clone", &key, "safe", "--connect", &server.address]).ok();
    server.stop();
    assert_eq!(shell.run(&["cat", "safe"]).ok().text(), "abcd");
    shell.run_with(&["append", "safe", "--lines"], b"e\n").exits(4);
    shell.run(&["confirm-newest", "safe"]).ok();
    shell.run_with(&["append", "safe", "--lines"], b"e\n").ok();

    let server = Server::start(&shell, &["safe"]);
    shell.run(&["clone", &key, "reader", "--connect", &server.address]).ok();
    server.stop();
    assert_eq!(shell.run(&["cat", "reader"]).ok().text(), "abcde");
}

/// Killed early, in the middle, or too late: what is left is no log, or the whole backup.
#[test]
fn a_killed_backup_is_none_or_whole() {
    let shell = Shell::new();
    let bytes: Vec<u8> = (0..24_u32 << 20).map(|at| (at >> 12) as u8).collect();
    shell.run_with(&["append", "log", "--chunk", "64k"], &bytes).ok();
    let hash = shell.info("log")["tree_hash"].clone();
    for (round, wanted) in [0, 1, 3 << 20, 12 << 20, 20 << 20, u64::MAX].into_iter().enumerate() {
        let target = format!("target-{round}");
        let mut backup = shell.spawn(&["backup", "log", &target]);
        let data = shell.path(&target).join("data");
        let len = || std::fs::metadata(&data).map_or(0, |file| file.len());
        while len() < wanted && backup.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        drop(backup.kill());
        backup.wait().unwrap();
        let told = shell.run(&["info", &target, "--json"]);
        if told.code == 0 {
            assert_eq!(told.json()["tree_hash"], hash);
            assert_eq!(told.json()["contiguous_length"], 24 * 16);
            shell.run(&["verify", &target]).ok();
        } else {
            let told = told.exits(3);
            let is_there = std::fs::read_dir(shell.path(&target)).is_ok_and(|dir| dir.count() > 0);
            assert!(!is_there || told.stderr.contains("cut short"), "{}", told.stderr);
            if is_there {
                shell.run_with(&["append", &target], b"no").exits(3);
                std::fs::remove_dir_all(shell.path(&target)).unwrap();
            }
            shell.run(&["backup", "log", &target]).ok();
        }
        shell.run_with(&["append", &target], b"no").exits(4);
    }
}
