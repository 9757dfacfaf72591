//! Prints tables of measurements: `bench [--quick] [TABLE...]`, all tables without an argument.
//!
//! With `--quick` the tables of replication are shorter runs, and say less.
//!
//! Each table is one run: contenders take turns within it, so that all see the same machine.
//! Figures are medians. A row with a target says whether it was met.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and opens files")]

mod append;
mod child;
mod disk;
mod facade;
mod floor;
mod flushes;
mod hash;
mod immediate;
mod javascript;
mod lines;
mod logs;
mod mappedpages;
mod measure;
mod memory;
mod memory_pager;
mod million;
mod open;
mod paged;
mod proofs;
mod published;
mod replicate;
mod sleep;
mod ten_million;

use measure::{Table, Tally};

/// A table's name, and what makes it.
type Entry = (&'static str, fn() -> Table);

const TABLES: [Entry; 17] = [
    ("mappedpages", mappedpages::table),
    ("memory-pager", memory_pager::table),
    ("paged", paged::table),
    ("memory", memory::table),
    ("disk", disk::table),
    ("hash", hash::table),
    ("append", append::table),
    ("immediate", immediate::table),
    ("lines", lines::table),
    ("facade", facade::table),
    ("million", million::table),
    ("ten-million", ten_million::table),
    ("replicate", replicate::transfer),
    ("replicate-first-block", replicate::first_block),
    ("replicate-idle", replicate::idle),
    ("replicate-memory", replicate::memory),
    ("sleep", sleep::table),
];

fn main() -> std::process::ExitCode {
    let arguments = std::env::args().skip(1);
    let wanted: Vec<String> = arguments.filter(|argument| argument != measure::QUICK).collect();
    if let Some((first, job)) = wanted.split_first()
        && first == "child"
    {
        child::main(job);
        return std::process::ExitCode::SUCCESS;
    }
    if let Some(unknown) = wanted.iter().find(|name| TABLES.iter().all(|(table, _)| table != name))
    {
        let names = TABLES.map(|(name, _)| name).join(", ");
        eprintln!("no table {unknown}; there are: {names}");
        return std::process::ExitCode::from(2);
    }
    let mut tally = Tally::default();
    for (name, table) in TABLES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            let table = table();
            println!("## {name}\n\n{table}");
            tally.add(table.tally());
        }
    }
    println!("{tally}");
    std::process::ExitCode::SUCCESS
}
