//! Many peers that are connected to one log, and do nothing.

use std::time::Duration;

use hypercore_log::Durability;

use super::{Served, peer};
use crate::logs::{BATCH, blocks, engine, folder};
use crate::measure::{Table, is_quick, mebibytes, spaced};

const COLUMNS: [&str; 4] = ["case", "what", "value", "target"];

const PEERS: usize = 1_000;
const MEMORY_MAX: u64 = 64 << 20;

/// Share of one processor that counts as none: keep-alives are sent and received.
const PROCESSOR_MAX: f64 = 0.01;

pub fn table() -> Table {
    let mut table = Table::new(&COLUMNS);
    let (server, readers) = (peer::start(), peer::start());
    let ours = folder();
    let log = engine(ours.path(), Durability::Eventual);
    let batch = blocks(BATCH, 100);
    (0..10).for_each(|_| _ = log.append(&batch).expect("an append"));
    log.close().expect("a close");

    let Served { key, port } = Served::by(&server, ours.path());
    let alone = server.ask("resident-now") as u64;
    readers.ask(&format!("connect {key} {port} {PEERS}"));
    let connected = server.ask("resident") as u64;
    let pause = Duration::from_secs(if is_quick() { 10 } else { 30 });
    let before = server.ask("cpu");
    std::thread::sleep(pause);
    let share = (server.ask("cpu") - before) / pause.as_nanos() as f64;
    let settled = server.ask("resident-now") as u64;

    let case = format!("{} idle peers", spaced(PEERS));
    let memory = format!(
        "{} at most, {} later, {} before any",
        mebibytes(connected),
        mebibytes(settled),
        mebibytes(alone)
    );
    let held = table.judge(&format!("at most {}", mebibytes(MEMORY_MAX)), connected <= MEMORY_MAX);
    table.row([case, "memory of the server".to_owned(), memory, held]);
    let target = format!("at most {:.0} %", PROCESSOR_MAX * 100.0);
    let held = table.judge(&target, share <= PROCESSOR_MAX);
    table.row([
        String::new(),
        format!("processor time of the server in {} s", pause.as_secs()),
        format!("{:.2} % of one processor", share * 100.0),
        held,
    ]);
    table
}
