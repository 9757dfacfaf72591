//! `hypercore append --lines` of a large file: whole processes, from start to end.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::javascript;
use crate::logs::{JAVASCRIPT, PUBLISHED, blocks, folder};
use crate::measure::{Contender, Table, Target, per_operation, spaced};

const TURNS: usize = 4;
const LINES: usize = 1_000_000;

/// Bytes of a line, the newline aside.
const LINE_LEN: usize = 100;

/// Names the command, which `cargo xtask bench` builds.
const COMMAND: &str = "HYPERCORE_COMMAND";

pub fn table() -> Table {
    let mut table = Table::default();
    let inputs = folder();
    let file = inputs.path().join("lines");
    std::fs::write(&file, lines()).expect("space");
    let command = |options: &'static [&'static str]| match std::env::var_os(COMMAND) {
        Some(path) => {
            let file = &file;
            let name = ["hypercore append --lines", options.join(" ").as_str()].join(" ");
            Contender::new(name.trim_end(), move || {
                whole(|folder| {
                    let mut command = Command::new(&path);
                    command.args(["append", "--quiet", "--lines"]).args(options);
                    command.arg(folder.join("log")).arg(file);
                    command
                })
            })
        }
        None => Contender::absent("hypercore append --lines", format!("{COMMAND} is not set")),
    };
    let theirs = || {
        whole(|folder| {
            let mut command = Command::new("node");
            command.arg(javascript::folder().join("append-lines.js"));
            command.arg(folder.join("log")).arg(&file);
            command
        })
    };
    let theirs = match javascript::absence() {
        None => Contender::new(JAVASCRIPT, theirs),
        Some(why) => Contender::absent(JAVASCRIPT, why),
    };
    let contenders = vec![
        command(&[]),
        command(&["--durability", "eventual"]),
        theirs.target(Target::Faster(20.0)),
        Contender::absent(PUBLISHED, "it has no command"),
    ];
    let case = format!("append {} lines of {LINE_LEN} bytes, whole process", spaced(LINES));
    table.race(&case, TURNS, contenders);
    table.note("JavaScript appends in batches of 1,000 and syncs nothing; the command syncs unless told otherwise.");
    table
}

fn lines() -> String {
    let some = blocks(1000, LINE_LEN / 2);
    let mut text = String::with_capacity(LINES * (LINE_LEN + 1));
    for line in some.iter().cycle().take(LINES) {
        line.iter().for_each(|byte| _ = write!(text, "{byte:02x}"));
        text.push('\n');
    }
    text
}

/// Nanoseconds that a process takes.
fn whole(command: impl FnOnce(&Path) -> Command) -> f64 {
    let folder = folder();
    let mut command = command(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    per_operation(1, || {
        let status = command.status().expect("a process");
        assert!(status.success(), "{command:?}: {status}");
    })
}
