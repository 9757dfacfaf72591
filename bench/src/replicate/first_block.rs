//! One block of a long log for a reader that has nothing.

use std::path::Path;
use std::time::Duration;

use hypercore_log::Durability;

use super::proxy::Proxy;
use super::{Peers, Served};
use crate::javascript::JavaScript;
use crate::logs::{BATCH, Random, blocks, engine, folder};
use crate::measure::{Nanoseconds, Table, is_quick, spaced};

const COLUMNS: [&str; 6] = [
    "case",
    "from, to",
    "time",
    "bytes received in all, at most",
    "round trips after the handshake, at most",
    "target",
];

const STORED: usize = 1_000_000;
const BLOCK_LEN: usize = 100;
const ROUNDS: usize = 21;

/// There and back, through the link that counts round trips: long against all that is done between.
const ROUND_TRIP: Duration = Duration::from_millis(200);

const TIME_MAX: f64 = 5e6;
const BYTES_MAX: u64 = 1800;
const ROUND_TRIPS_MAX: f64 = 2.0;

/// What one pair did, by round.
#[derive(Default)]
struct Samples {
    times: Vec<f64>,
    bytes: Vec<u64>,
    round_trips: Vec<f64>,
}

pub fn table() -> Table {
    let mut table = Table::new(&COLUMNS);
    let peers = Peers::start();
    let stored = if is_quick() { STORED / 10 } else { STORED };
    let ours = folder();
    let log = engine(ours.path(), Durability::Eventual);
    let batch = blocks(BATCH, BLOCK_LEN);
    (0..stored / BATCH).for_each(|_| _ = log.append(&batch).expect("an append"));
    log.close().expect("a close");

    let [server, reader] = &peers.rust;
    let rust = samples(server, reader, ours.path(), stored);
    let case = format!("one of {} blocks of {BLOCK_LEN} bytes", spaced(stored));
    let mut held = vec![
        table.judge(&format!("at most {}", Nanoseconds(TIME_MAX)), rust.time() <= TIME_MAX),
        table.judge(
            &format!("at most {} bytes", spaced(BYTES_MAX as usize)),
            rust.most() <= BYTES_MAX,
        ),
    ];
    let target = format!("at most {ROUND_TRIPS_MAX:.0} round trips");
    held.push(table.judge(&target, rust.trips().round() <= ROUND_TRIPS_MAX));
    row(&mut table, &case, "Rust, Rust", &rust, &held.join("; "));
    if let Ok([server, reader]) = &peers.javascript {
        let theirs = folder();
        let batches = stored / BATCH;
        server.ask(&format!("append {} {BLOCK_LEN} {BATCH} {batches}", theirs.path().display()));
        let javascript = samples(server, reader, theirs.path(), stored);
        row(&mut table, "", "JavaScript, JavaScript", &javascript, "");
        let mixed = samples(&peers.rust[0], reader, ours.path(), stored);
        row(&mut table, "", "Rust, JavaScript", &mixed, "");
        let mixed = samples(server, &peers.rust[1], theirs.path(), stored);
        row(&mut table, "", "JavaScript, Rust", &mixed, "");
    }
    table.note(format!(
        "From before the connection until the block is here, its reader on disk. Round trips: what the \
         same takes longer over a link of {} ms, in units of that, less one for the handshake.",
        ROUND_TRIP.as_millis()
    ));
    table
}

fn row(table: &mut Table, case: &str, pair: &str, samples: &Samples, held: &str) {
    table.row([
        case.to_owned(),
        pair.to_owned(),
        Nanoseconds(samples.time()).to_string(),
        spaced(samples.most() as usize),
        format!("{:.2}", samples.trips()),
        held.to_owned(),
    ]);
}

fn samples(server: &JavaScript, reader: &JavaScript, log: &Path, stored: usize) -> Samples {
    let served = Served::by(server, log);
    let far = Proxy::start(served.port, ROUND_TRIP / 2);
    let random = Random::new();
    let rounds = if is_quick() { 3 } else { ROUNDS };
    let mut samples = Samples::default();
    for (round, index) in random.below(stored as u64, rounds + 1).enumerate() {
        let first = |port: u16| {
            let copy = folder();
            let (key, copy) = (&served.key, copy.path().display());
            reader.ask(&format!("first {key} {copy} {port} {index}"))
        };
        let time = first(served.port);
        let late = first(far.port);
        let bytes = far.received();
        // The first is not counted: processes get warm.
        if round > 0 {
            samples.times.push(time);
            samples.bytes.push(bytes);
            samples.round_trips.push((late - time) / ROUND_TRIP.as_nanos() as f64 - 1.0);
        }
    }
    server.ask("close");
    samples.times.sort_by(f64::total_cmp);
    samples
}

impl Samples {
    fn time(&self) -> f64 {
        self.times[self.times.len() / 2]
    }

    fn most(&self) -> u64 {
        self.bytes.iter().copied().max().unwrap_or_default()
    }

    fn trips(&self) -> f64 {
        self.round_trips.iter().copied().fold(0.0, f64::max)
    }
}
