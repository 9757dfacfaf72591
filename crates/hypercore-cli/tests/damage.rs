//! Damaged, truncated, foreign and newer files: exit 5 (3 when nothing is there) with file and
//! offset, no panic, and nothing changed on disk.

mod common;

use common::{Ran, Shell};

/// Every command that opens a log.
const COMMANDS: [&[&str]; 10] = [
    &["info", "log"],
    &["get", "log", "0"],
    &["cat", "log"],
    &["tail", "log"],
    &["ls", "log"],
    &["seek", "log", "0"],
    &["verify", "log"],
    &["append", "log", "--lines"],
    &["truncate", "log", "0"],
    &["clear", "log", "0..1"],
];

fn log() -> Shell {
    let shell = Shell::new();
    let lines: String = (0..100).map(|line| format!("this is line {line}\n")).collect();
    shell.log("log", &lines);
    shell
}

/// Runs `args` as JSON on the damaged log: it must exit 5, tell the file, and change nothing.
#[track_caller]
fn refused(shell: &Shell, args: &[&str], file: &str) -> Ran {
    let before = shell.snapshot("log");
    let mut words = args.to_vec();
    words.push("--json");
    let ran = shell.run_with(&words, b"x\n").exits(5);
    let failure = ran.failure();
    assert_eq!(failure["error"], "corrupt", "{args:?}");
    assert_eq!(failure["exit"], 5);
    assert_eq!(failure["file"], file, "{failure}");
    assert!(!ran.stderr.contains("panicked"));
    assert!(shell.snapshot("log") == before, "{args:?} changed the directory");
    ran
}

#[test]
fn both_headers_damaged() {
    let shell = log();
    let mut oplog = std::fs::read(shell.path("log/oplog")).unwrap();
    oplog[20] ^= 1;
    oplog[4096 + 20] ^= 1;
    shell.write("log/oplog", &oplog);
    for args in COMMANDS {
        let failure = refused(&shell, args, "oplog").failure();
        assert!(failure["offset"].is_u64());
    }
    let report = refused(&shell, &["verify", "log"], "oplog").json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["errors"][0]["file"], "oplog");
}

#[test]
fn an_oplog_of_other_bytes() {
    for bytes in [vec![0; 8192], vec![0xff; 10_000], b"text ".repeat(4000)] {
        let shell = log();
        shell.write("log/oplog", &bytes);
        for args in COMMANDS {
            refused(&shell, args, "oplog");
        }
    }
}

/// Without a whole header there is no log, whatever else is there; nor is a new one made among what
/// is left.
#[test]
fn an_oplog_cut_in_the_first_header_is_no_log() {
    for len in [0, 1, 100] {
        let shell = log();
        let oplog = std::fs::read(shell.path("log/oplog")).unwrap();
        shell.write("log/oplog", &oplog[..len]);
        let before = shell.snapshot("log");
        for args in COMMANDS {
            let code = if args[0] == "append" { 5 } else { 3 };
            shell.run_with(args, b"x\n").exits(code);
        }
        assert!(shell.snapshot("log") == before);
    }
}

/// Making a log can be cut short after its first header: the next opener goes on with that one.
#[test]
fn a_log_whose_making_was_cut_short_keeps_its_key() {
    let shell = Shell::new();
    let key = shell.run(&["new", "log", "--json"]).ok().json()["key"].clone();
    let oplog = std::fs::read(shell.path("log/oplog")).unwrap();
    shell.write("log/oplog", &oplog[..4096]);
    let result = shell.run_with(&["append", "log", "--json"], b"x").ok().json();
    assert_eq!(result["key"], key);
    shell.run(&["verify", "log"]).ok();
}

#[test]
fn a_newer_header_version() {
    let shell = log();
    let mut oplog = std::fs::read(shell.path("log/oplog")).unwrap();
    for slot in [0, 4096] {
        oplog[slot + 8] = 9;
        let info = u32::from_le_bytes(oplog[slot + 4..slot + 8].try_into().unwrap());
        let len = (info >> 2) as usize;
        let crc = crc32(&oplog[slot + 4..slot + 8 + len]);
        oplog[slot..slot + 4].copy_from_slice(&crc.to_le_bytes());
    }
    shell.write("log/oplog", &oplog);
    for args in COMMANDS {
        let ran = refused(&shell, args, "oplog");
        assert!(ran.stderr.contains("version") || ran.stderr.contains("format"), "{}", ran.stderr);
        assert!(ran.stderr.contains("at byte"), "{}", ran.stderr);
    }
}

/// The checksum of the oplog, one bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[test]
fn a_damaged_block() {
    let shell = log();
    let mut data = std::fs::read(shell.path("log/data")).unwrap();
    data[0] ^= 1;
    shell.write("log/data", &data);
    let failure = refused(&shell, &["get", "log", "0"], "data").failure();
    assert_eq!(failure["offset"], 0);
    refused(&shell, &["cat", "log"], "data");
    refused(&shell, &["ls", "log"], "data");
    shell.run(&["get", "log", "1"]).ok();
    let before = shell.snapshot("log");
    let report = shell.run(&["verify", "log", "--json"]).exits(5).json();
    assert_eq!((&report["ok"], &report["length"]), (&false.into(), &100.into()));
    assert_eq!(report["errors"].as_array().unwrap().len(), 1);
    assert_eq!(report["errors"][0]["what"], "block");
    assert_eq!(report["errors"][0]["index"], 0);
    assert!(report["errors"][0]["message"].is_string());
    let text = shell.run(&["verify", "log"]).exits(5).text();
    assert!(text.contains("block 0: ") && text.contains("DAMAGED"), "{text}");
    assert!(shell.snapshot("log") == before);
}

#[test]
fn a_data_file_that_was_cut() {
    let shell = log();
    let data = std::fs::read(shell.path("log/data")).unwrap();
    shell.write("log/data", &data[..data.len() - 5]);
    refused(&shell, &["get", "log", "99"], "data");
    shell.run(&["get", "log", "98"]).ok();
    shell.run(&["verify", "log"]).exits(5);
}

#[test]
fn damaged_and_missing_tree_nodes() {
    for (what, from, to) in [("a leaf", 0, 40), ("a root", 40 * 63, 40 * 64)] {
        let shell = log();
        let mut tree = std::fs::read(shell.path("log/tree")).unwrap();
        tree[from + 10] ^= 1;
        shell.write("log/tree", &tree);
        let before = shell.snapshot("log");
        shell.run(&["verify", "log"]).exits(5);
        tree[from..to].fill(0);
        shell.write("log/tree", &tree);
        let ran = shell.run(&["verify", "log"]);
        assert_eq!(ran.code, 5, "{what}: {ran:?}");
        shell.write("log/tree", &before[&shell.path("log/tree")]);
        assert!(shell.snapshot("log") == before);
    }
}

#[test]
fn missing_files() {
    for file in ["tree", "data"] {
        let shell = log();
        std::fs::remove_file(shell.path(&format!("log/{file}"))).unwrap();
        let before = shell.snapshot("log");
        shell.run(&["verify", "log"]).exits(5);
        shell.run(&["get", "log", "0"]).exits(5);
        assert!(shell.snapshot("log") == before, "{file} came back");
    }
    let shell = log();
    std::fs::remove_file(shell.path("log/oplog")).unwrap();
    let before = shell.snapshot("log");
    for args in COMMANDS {
        shell.run_with(args, b"x\n").exits(3);
    }
    assert!(shell.snapshot("log") == before);
}

#[test]
fn every_byte_of_the_oplog_flipped_never_panics() {
    let shell = log();
    let oplog = std::fs::read(shell.path("log/oplog")).unwrap();
    // The used parts of both slots; the rest of a slot is not looked at.
    for offset in (0..320).chain(4096..4416).step_by(7) {
        let mut damaged = oplog.clone();
        damaged[offset] ^= 0x55;
        shell.write("log/oplog", &damaged);
        let ran = shell.run(&["info", "log", "--json"]);
        assert!(matches!(ran.code, 0 | 5), "{offset}: {ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{offset}: {}", ran.stderr);
    }
}

#[test]
fn blocks_lost_since_the_last_checkpoint_are_told() {
    use std::io::Write as _;
    let shell = log();
    let mut child = shell.spawn(&["append", "log", "--lines"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"the last line\n").unwrap();
    // Followed beside the writer: it was acknowledged when it can be read.
    let is_there = || {
        let mut tail = shell.spawn(&["tail", "log", "-f", "-n", "1"]);
        let mut line = String::new();
        let stdout = tail.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        tail.kill().unwrap();
        tail.wait().unwrap();
        line == "the last line\n"
    };
    assert!((0..100).any(|_| is_there()));
    child.kill().unwrap();
    child.wait().unwrap();
    shell.run(&["verify", "log"]).ok();

    let mut data = std::fs::read(shell.path("log/data")).unwrap();
    *data.last_mut().unwrap() ^= 1;
    shell.write("log/data", &data);
    let before = shell.snapshot("log");
    let report = shell.run(&["verify", "log", "--json"]).exits(5).json();
    assert_eq!(report["ok"], false);
    assert_eq!((&report["length"], &report["errors"][0]["index"]), (&100.into(), &100.into()));
    assert_eq!(report["errors"][0]["what"], "recovery");
    assert!(report["errors"][0]["message"].as_str().unwrap().contains("1 blocks"));
    assert!(shell.snapshot("log") == before);
    // The next writer cuts it off, and says so.
    let ran = shell.run_with(&["append", "log", "--lines"], b"instead\n").ok();
    assert!(ran.stderr.contains("lost what was written last"), "{}", ran.stderr);
    shell.run(&["verify", "log"]).ok();
}

#[test]
fn a_file_in_place_of_the_directory_is_told() {
    let shell = Shell::new();
    shell.write("file", b"text");
    for dir in ["file", "file/below"] {
        for args in [&["info", dir][..], &["append", dir, "file"], &["new", dir]] {
            let ran = shell.run(args).exits(1);
            let told = format!("hypercore: {dir}: file is not a directory\n");
            assert_eq!(ran.stderr, told);
        }
    }
    assert_eq!(std::fs::read(shell.path("file")).unwrap(), b"text");
}

#[test]
fn a_link_that_leads_nowhere_is_told_and_nothing_is_changed() {
    for file in ["data", "bitfield", "tree"] {
        let shell = Shell::new();
        shell.run(&["new", "log"]).ok();
        std::os::unix::fs::symlink("nowhere", shell.path("log").join(file)).unwrap();
        let before = std::fs::read(shell.path("log/oplog")).unwrap();
        for args in COMMANDS {
            let mut words = args.to_vec();
            words.push("--json");
            let failure = shell.run_with(&words, b"x\n").exits(1).failure();
            assert_eq!(failure["file"], file);
            let message = failure["message"].as_str().unwrap();
            assert!(message.contains("a link to a file that is not there"), "{message}");
        }
        assert_eq!(std::fs::read(shell.path("log/oplog")).unwrap(), before);
        assert_eq!(std::fs::read_dir(shell.path("log")).unwrap().count(), 2);
    }
}
