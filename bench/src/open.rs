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
    let most = Most {
        ours: Above::of(|path| child::open("open", path), empty.path(), logs.ours),
        theirs: logs.javascript.is_ok().then(|| {
            let most = |path: &Path| JavaScript::start().expect("it is there").opened_memory(path);
            Above::of(most, folder().path(), logs.theirs)
        }),
    };
    most.rows(table, case, [FACADE, JAVASCRIPT], Some(limits.memory_mib));
}

/// The most memory of processes that open a log, each in one of its own.
pub struct Most {
    pub ours: Above,
    /// When JavaScript takes part.
    pub theirs: Option<Above>,
}

/// Bytes, and how many of them it takes to open nothing.
pub struct Above {
    none: u64,
    all: u64,
}

impl Above {
    /// By a process each that opens the logs in these folders, of which the first is empty.
    pub fn of(most: impl Fn(&Path) -> u64, empty: &Path, full: &Path) -> Self {
        Self { none: most(empty), all: most(full) }
    }

    fn bytes(&self) -> u64 {
        self.all.saturating_sub(self.none)
    }
}

impl Most {
    /// A row for each; ours may take so many MiB.
    pub fn rows(&self, table: &mut Table, case: &str, names: [&str; 2], limit_mib: Option<u64>) {
        let Self { ours, theirs } = self;
        let case = format!("memory to open {case}, above {} for none", mebibytes(ours.none));
        let target = limit_mib.map(|most| format!("at most {most} MiB")).unwrap_or_default();
        let met = limit_mib.map(|most| ours.bytes() <= most << 20);
        let [own, other] = names;
        table.fact(&case, own, mebibytes(ours.bytes()), &target, met);
        if let Some(theirs) = theirs {
            let name = format!("{other}, above {} for none", mebibytes(theirs.none));
            table.fact("", &name, mebibytes(theirs.bytes()), "", None);
        }
    }
}
