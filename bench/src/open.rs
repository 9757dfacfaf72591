//! Opening a log that is there: how long it takes, and how much memory.

use std::path::Path;

use hypercore_log::Durability;

use crate::child;
use crate::javascript::JavaScript;
use crate::logs::{ENGINE, FACADE, JAVASCRIPT, Tokio, engine, folder};
use crate::measure::{Contender, Table, Target, mebibytes, per_operation};

const TURNS: usize = 9;

/// The same log, written by each.
pub struct Logs<'a> {
    pub tokio: &'a Tokio,
    pub ours: &'a Path,
    pub javascript: &'a Result<JavaScript, String>,
    pub theirs: &'a Path,
}

/// What an open may take.
pub struct Limits {
    pub time_ns: f64,
    /// Beyond what opening an empty log takes.
    pub memory_mib: u64,
}

pub fn races(table: &mut Table, case: &str, logs: &Logs<'_>, limits: Limits) {
    let facade = || {
        let mut opened = None;
        let time =
            per_operation(1, || opened = Some(logs.tokio.facade(logs.ours, Durability::Eventual)));
        logs.tokio.run(opened.expect("a log").close()).expect("a close");
        time
    };
    let own = || {
        let mut opened = None;
        let time = per_operation(1, || opened = Some(engine(logs.ours, Durability::Eventual)));
        opened.expect("a log").close().expect("a close");
        time
    };
    let theirs = |javascript: &JavaScript| {
        let time = javascript.ask(&format!("open {}", logs.theirs.display()));
        javascript.ask("close");
        time
    };
    let contenders = vec![
        Contender::new(FACADE, facade).target(Target::Nanoseconds(limits.time_ns)),
        Contender::new(ENGINE, own),
        JavaScript::contender(logs.javascript, JAVASCRIPT, theirs),
    ];
    table.race(&format!("open {case}"), TURNS, contenders);

    let empty = folder();
    drop(logs.tokio.facade(empty.path(), Durability::Immediate));
    let (base, most) = (child::open(empty.path()), child::open(logs.ours));
    let above = most.saturating_sub(base);
    table.fact(
        &format!("memory to open {case}, above {} for none", mebibytes(base)),
        FACADE,
        mebibytes(above),
        &format!("at most {} MiB", limits.memory_mib),
        Some(above <= limits.memory_mib << 20),
    );
    if logs.javascript.is_ok() {
        let empty = folder();
        let (base, most) = (javascript_memory(empty.path()), javascript_memory(logs.theirs));
        let above = mebibytes(most.saturating_sub(base));
        table.fact(
            "",
            &format!("{JAVASCRIPT}, above {} for none", mebibytes(base)),
            above,
            "",
            None,
        );
    }
}

/// The most memory in bytes that a node process had which opened the log in `folder`.
fn javascript_memory(folder: &Path) -> u64 {
    let javascript = JavaScript::start().expect("it is there");
    javascript.ask(&format!("open {}", folder.display()));
    javascript.ask("resident") as u64
}
