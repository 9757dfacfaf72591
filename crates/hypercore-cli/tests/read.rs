//! `get`, `cat`, `seek`, `ls` and `tail` without following.

mod common;

use common::Shell;

#[test]
fn get_is_raw() {
    let shell = Shell::new();
    let bytes: Vec<u8> = (0..=255).collect();
    shell.run_with(&["append", "log"], &bytes).ok();
    assert_eq!(shell.run(&["get", "log", "0"]).ok().stdout, bytes);
    shell.run(&["get", "log", "-1"]).exits(2);
    shell.run(&["get", "log"]).exits(2);
}

#[test]
fn what_is_not_there_exits_3() {
    let shell = Shell::new();
    shell.log("log", "a\nb\nc\n");
    shell.run(&["clear", "log", "1..2"]).ok();
    for args in [["get", "log", "3"], ["get", "log", "1"], ["get", "none", "0"]] {
        let ran = shell.run(&args).exits(3);
        assert!(ran.stdout.is_empty());
    }
    shell.run(&["seek", "log", "3"]).exits(3);
    shell.run(&["cat", "log", "--blocks", "0..4"]).exits(3);
    shell.run(&["cat", "log", "--bytes", "0..4"]).exits(3);
    shell.run(&["ls", "log", "--blocks", "4..5"]).exits(3);
    assert!(!shell.path("none").exists());
    // The blocks before the gap are data all the same.
    assert_eq!(shell.run(&["cat", "log"]).exits(3).text(), "a");
}

#[test]
fn cat_takes_ranges() {
    let shell = Shell::new();
    shell.log("log", "hello\n\nworld\n!");
    #[track_caller]
    fn check(shell: &Shell, options: &[&str], expected: &str) {
        let mut args = vec!["cat", "log"];
        args.extend(options);
        assert_eq!(shell.run(&args).ok().text(), expected);
    }
    check(&shell, &[], "helloworld!");
    check(&shell, &["--blocks", "1..3"], "world");
    check(&shell, &["--blocks", "2.."], "world!");
    check(&shell, &["--blocks", "..1"], "hello");
    check(&shell, &["--blocks", "4..4"], "");
    check(&shell, &["--bytes", "3..7"], "lowo");
    check(&shell, &["--bytes", "5..6"], "w");
    check(&shell, &["--bytes", "..11"], "helloworld!");
    check(&shell, &["--bytes", "10.."], "!");
    check(&shell, &["--bytes", "11.."], "");
    check(&shell, &["--bytes", "4..4"], "");
    shell.run(&["cat", "log", "--blocks", "3..2"]).exits(2);
    shell.run(&["cat", "log", "--blocks", "x"]).exits(2);
    shell.run(&["cat", "log", "--blocks", "0..1", "--bytes", "0..1"]).exits(2);
}

#[test]
fn seek_tells_block_and_offset() {
    let shell = Shell::new();
    shell.log("log", "hello\n\nworld\n!");
    for (byte, index, offset) in [("0", 0, 0), ("4", 0, 4), ("5", 2, 0), ("9", 2, 4), ("10", 3, 0)]
    {
        let found = shell.run(&["seek", "log", byte, "--json"]).ok().json();
        assert_eq!((&found["index"], &found["offset"]), (&index.into(), &offset.into()));
    }
    assert_eq!(shell.run(&["seek", "log", "6"]).ok().text(), "block 2, offset 1\n");
    let failure = shell.run(&["seek", "log", "11", "--json"]).exits(3).failure();
    assert_eq!(failure["index"], 11);
}

#[test]
fn ls_lists_what_is_here_with_hashes() {
    let shell = Shell::new();
    shell.log("log", "abc\n\nx\n");
    let listed = shell.run(&["ls", "log", "--json"]).ok().lines();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[0]["index"], 0);
    assert_eq!(listed[0]["bytes"], 3);
    // The test vector of FIPS 180-2, and the hash of nothing.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(listed[0]["sha256"], abc);
    assert_eq!(listed[1]["sha256"], nothing);
    shell.run(&["clear", "log", "1..2"]).ok();
    let listed = shell.run(&["ls", "log", "--json", "--blocks", "1.."]).ok().lines();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["index"], 2);
    assert!(shell.run(&["ls", "log"]).ok().text().starts_with(&format!("0\t3\t{abc}\n2\t1\t")));
}

#[test]
fn tail_prints_the_last_blocks() {
    let shell = Shell::new();
    shell.log("log", "a\nb\nc\n");
    assert_eq!(shell.run(&["tail", "log", "-n", "2"]).ok().text(), "b\nc\n");
    assert_eq!(shell.run(&["tail", "log"]).ok().text(), "a\nb\nc\n");
    assert_eq!(shell.run(&["tail", "log", "-n", "0"]).ok().text(), "");
    let lines = shell.run(&["tail", "log", "-n", "1", "--json"]).ok().lines();
    assert_eq!(lines[0]["index"], 2);
    assert_eq!(lines[0]["bytes"], 1);
    assert_eq!(lines[0]["sha256"].as_str().unwrap().len(), 64);
    shell.run(&["tail", "none"]).exits(3);
    shell.run(&["tail", "none", "-f"]).exits(3);
}

#[test]
fn reading_changes_nothing_on_disk() {
    let shell = Shell::new();
    shell.log("log", "a\nb\nc\n");
    let before = shell.snapshot("log");
    for args in [
        &["info", "log"][..],
        &["cat", "log"],
        &["get", "log", "0"],
        &["ls", "log"],
        &["tail", "log"],
        &["seek", "log", "1"],
        &["verify", "log"],
    ] {
        shell.run(args).ok();
    }
    assert_eq!(shell.snapshot("log"), before);
}

/// A directory with files of such names is neither a log nor a feed.
#[test]
fn other_directories_are_told_apart() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("other")).unwrap();
    for name in ["key", "tree", "data", "bitfield"] {
        shell.write(&format!("other/{name}"), b"mine");
    }
    let before = shell.snapshot("other");
    for command in ["info", "verify", "cat", "ls", "tail"] {
        let ran = shell.run(&[command, "other"]).exits(3);
        assert!(ran.stderr.contains("not a log of this format"), "{}", ran.stderr);
    }
    assert_eq!(shell.snapshot("other"), before);
}
