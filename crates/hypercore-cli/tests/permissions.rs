//! Files that may be read but not written: exit 4, and reading goes on.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use common::Shell;

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
    // What may not be read either is no matter of writing.
    set_mode(&shell, "log/oplog", 0o000);
    check(&shell, &["info", "log"], 1, told);
    set_mode(&shell, "log/oplog", 0o444);
    set_mode(&shell, ".", 0o755);
    set_mode(&shell, "log", 0o755);
    assert!(shell.snapshot("log") == before);
    assert!(!shell.path("other").exists());
}
