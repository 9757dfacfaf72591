//! A disk that takes no more: a clear error, what was acknowledged stays, reopening works.
//!
//! Without root no small file system can be made, so a limit on the size of files stands in: the
//! kernel refuses the write half way, as a full disk does.

mod common;

use std::process::Stdio;

use common::Shell;

/// Appends `file` in a shell that lets no file grow beyond `limit` blocks of 1 KiB.
fn append_limited(shell: &Shell, limit: u32) -> (i32, String) {
    let script = format!(
        "trap '' XFSZ; ulimit -f {limit}; exec '{}' append log --chunk 4k file",
        env!("CARGO_BIN_EXE_hypercore")
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(shell.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_write_that_does_not_fit() {
    let shell = Shell::new();
    shell.log("log", "before\n");
    shell.write("file", &vec![3; 12 * 1024 * 1024]);
    for limit in [1, 8, 16, 64, 4096, 8192, 10_000] {
        let (code, told) = append_limited(&shell, limit);
        assert_eq!(code, 1, "limit {limit}: {told}");
        assert!(told.starts_with("hypercore: log: the "), "limit {limit}: {told}");
        assert!(told.contains("failed: file too large"), "limit {limit}: {told}");
        assert!(told.contains("blocks were appended before"), "limit {limit}: {told}");
        assert!(!told.contains("panicked"), "limit {limit}: {told}");
        // What was acknowledged is there, whole, and the log goes on.
        assert_eq!(shell.run(&["get", "log", "0"]).ok().text(), "before");
        shell.run(&["verify", "log"]).ok();
        shell.run_with(&["append", "log", "--lines"], b"after\n").ok();
        let last = shell.run(&["tail", "log", "-n", "1"]).ok().text();
        assert_eq!(last, "after\n");
    }
}
