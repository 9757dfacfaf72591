//! Files that may be read but not written: exit 4, and reading goes on.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use common::Shell;
use common::feeds::golden;

fn set_mode(shell: &Shell, name: &str, mode: u32) {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(shell.path(name), mode).unwrap();
}

/// Runs as somebody who does not own the files: root is refused nothing, so it becomes nobody.
#[track_caller]
fn check(shell: &Shell, args: &[&str], code: i32, told: &str) {
    let is_root = std::fs::metadata(shell.path(".")).unwrap().uid() == 0;
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--clear-groups", "./hypercore"]);
        command
    } else {
        Command::new("./hypercore")
    };
    let output = command.args(args).current_dir(shell.path(".")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(told), "{stderr}");
}

#[test]
fn what_may_not_be_written_exits_4() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    shell.write("input", b"x");
    std::fs::copy(env!("CARGO_BIN_EXE_hypercore"), shell.path("hypercore")).unwrap();
    for file in ["oplog", "tree", "bitfield", "data"] {
        set_mode(&shell, &format!("log/{file}"), 0o444);
    }
    for (name, mode) in [("hypercore", 0o755), ("log", 0o555), ("input", 0o444), (".", 0o555)] {
        set_mode(&shell, name, mode);
    }
    let before = shell.snapshot("log");
    check(&shell, &["info", "log"], 0, "");
    check(&shell, &["verify", "log"], 0, "");
    let told = "the oplog file could not be used: open failed: permission denied";
    check(&shell, &["append", "log", "input"], 4, told);
    check(&shell, &["truncate", "log", "0"], 4, told);
    check(&shell, &["new", "other"], 4, told);
    check(&shell, &["pack", "log", "frozen"], 4, "frozen could not be written");
    check(&shell, &["backup", "log", "copy"], 4, "permission denied");
    // What may not be read either is no matter of writing.
    set_mode(&shell, "log/oplog", 0o000);
    check(&shell, &["info", "log"], 1, told);
    set_mode(&shell, "log/oplog", 0o444);
    set_mode(&shell, ".", 0o755);
    set_mode(&shell, "log", 0o755);
    assert!(shell.snapshot("log") == before);
    assert!(!shell.path("other").exists());
}

#[test]
fn a_feed_is_read_where_it_may_not_be_written_and_not_repaired() {
    let shell = Shell::new();
    golden("v9-len10").copy(&shell, "feed");
    std::fs::copy(env!("CARGO_BIN_EXE_hypercore"), shell.path("hypercore")).unwrap();
    for file in ["key", "data", "tree", "signatures", "bitfield"] {
        set_mode(&shell, &format!("feed/{file}"), 0o444);
    }
    // Who may not read the secret may read the feed.
    set_mode(&shell, "feed/secret_key", 0o000);
    for (name, mode) in [("hypercore", 0o755), ("feed", 0o555), (".", 0o555)] {
        set_mode(&shell, name, mode);
    }
    for command in ["info", "cat", "verify", "ls"] {
        check(&shell, &[command, "feed"], 0, "");
    }
    check(&shell, &["verify", "feed", "--repair"], 4, "permission denied");
    check(&shell, &["import", "feed", "log"], 4, "permission denied");
    set_mode(&shell, "feed/tree", 0o000);
    for args in [&["info", "feed"][..], &["verify", "feed"], &["import", "feed", "log"]] {
        check(&shell, args, 1, "permission denied");
    }
    set_mode(&shell, ".", 0o755);
    set_mode(&shell, "feed", 0o755);
}
