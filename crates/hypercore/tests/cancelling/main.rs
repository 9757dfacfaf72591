//! Futures, streams and handles that are dropped while they wait: nothing is left behind, and the next call works.
//!
//! Every future of the API is dropped at every point where it waits (`dropping`), on stores that stall (`gate`). The
//! tables of futures are in modules by theme; `coverage` reads the source and finds what no table names.

mod batches;
#[path = "../common/mod.rs"]
mod common;
mod coverage;
mod dropping;
mod gate;
mod lives;
mod peers;
mod proofs;
mod reads;
mod stage;
mod streams;
mod told;
mod typed;
mod waits;
mod writes;

use dropping::{Case, at_every_point};
use hypercore::Durability;

/// All tables.
fn tables() -> Vec<Case> {
    let tables = [
        writes::table(),
        reads::table(),
        waits::table(),
        streams::table(),
        proofs::table(),
        batches::table(),
        typed::table(),
        lives::table(),
    ];
    tables.into_iter().flatten().collect()
}

/// Drops each future of a table at every point, under both durabilities.
fn drop_all(table: &[Case]) {
    for case in table {
        for durability in [Durability::Immediate, Durability::Eventual] {
            let points = at_every_point(case, durability);
            println!("{:?}, {durability:?}: {points} points", case.covers);
        }
    }
}
