//! What a long log takes of both sides' memory.

use hypercore_log::Durability;

use super::{Served, peer};
use crate::logs::{BATCH, blocks, engine, folder};
use crate::measure::{Table, is_quick, mebibytes, spaced};

const COLUMNS: [&str; 4] =
    ["blocks of 100 bytes", "memory of who serves", "of who fetches", "target"];

const LENGTHS: [usize; 2] = [1_000_000, 10_000_000];

/// How much more memory ten times the blocks may take.
const GROWTH_MAX: u64 = 4 << 20;

pub fn table() -> Table {
    let mut table = Table::new(&COLUMNS);
    let ours = folder();
    let batch = blocks(BATCH, 100);
    let mut filled = 0;
    let mut first: Option<[u64; 2]> = None;
    for length in LENGTHS.map(|length| if is_quick() { length / 10 } else { length }) {
        let log = engine(ours.path(), Durability::Eventual);
        while filled < length {
            log.append(&batch).expect("an append");
            filled += BATCH;
        }
        log.close().expect("a close");
        let most = fetched(ours.path(), length);
        let held = first.map_or_else(String::new, |first| {
            let grown =
                most.iter().zip(first).map(|(most, first)| most.saturating_sub(first)).max();
            let met = grown.is_some_and(|grown| grown <= GROWTH_MAX);
            table.judge(&format!("grows by at most {}", mebibytes(GROWTH_MAX)), met)
        });
        table.row([spaced(length), mebibytes(most[0]), mebibytes(most[1]), held]);
        first.get_or_insert(most);
    }
    table.note("The most that each process ever had resident, of processes made for each row.");
    table
}

/// The most memory of both sides while a log is fetched.
fn fetched(log: &std::path::Path, length: usize) -> [u64; 2] {
    let (server, reader) = (peer::start(), peer::start());
    let Served { key, port } = Served::by(&server, log);
    let copy = folder();
    reader.ask(&format!("fetch {key} {} {port} {length}", copy.path().display()));
    [server.ask("resident") as u64, reader.ask("resident") as u64]
}
