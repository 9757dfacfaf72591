//! A whole log from one process to another, which stores it.

use std::path::Path;

use hypercore_log::Durability;
use tempfile::TempDir;

use super::floor::Cipher;
use super::{Peers, Served};
use crate::javascript::JavaScript;
use crate::logs::{blocks, engine, folder};
use crate::measure::{Table, is_quick, rate, spaced};

const COLUMNS: [&str; 8] = [
    "case",
    "from, to",
    "blocks",
    "blocks/s",
    "MB/s",
    "CPU s for 100,000 blocks, both sides",
    "ratio to JavaScript, to the floor",
    "target",
];

/// Rounds, of which the first is not counted where there are several.
const ROUNDS: usize = 6;

/// Blocks of a batch that a log is filled with.
const BATCH: usize = 100;

struct Case {
    len: usize,
    count: usize,
    /// Blocks where JavaScript is on one side: it takes its time, and the rate counts.
    javascript: usize,
    /// How many times as fast as JavaScript.
    least: Option<f64>,
    /// At least this share of the floor's speed.
    floor: Option<f64>,
}

const CASES: [Case; 3] = [
    Case { len: 100, count: 200_000, javascript: 20_000, least: Some(50.0), floor: None },
    Case { len: 4096, count: 20_000, javascript: 10_000, least: Some(20.0), floor: Some(0.6) },
    Case { len: 65_536, count: 1_000, javascript: 500, least: None, floor: Some(0.6) },
];

/// One way of moving blocks.
struct Way {
    name: &'static str,
    count: usize,
    kind: Kind,
    /// Nanoseconds a block, and processor time of both sides a block.
    samples: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    RustToRust,
    JavaScriptToJavaScript,
    RustToJavaScript,
    JavaScriptToRust,
    Floor(bool),
}

pub fn table() -> Table {
    let mut table = Table::new(&COLUMNS);
    let peers = Peers::start();
    for case in &CASES {
        run(&mut table, case, &peers);
    }
    if let Err(why) = &peers.javascript {
        table.note(format!("JavaScript is missing: {why}"));
    }
    table.note(
        "Two processes, loopback TCP, stores on disk; from before the connection until the last block \
         is stored. The floor encrypts 16 blocks as one message, decrypts, hashes each block and writes \
         blocks and hashes; it asks for nothing and knows nothing of trees. Its second line does so \
         with the published crypto_secretstream.",
    );
    table
}

fn run(table: &mut Table, case: &Case, peers: &Peers) {
    let Case { count, javascript, .. } = *case;
    let logs = Logs::new(case, peers);
    let way = |name, count, kind| Way { name, count, kind, samples: Vec::new() };
    let mut ways = vec![
        way("Rust, Rust", count, Kind::RustToRust),
        way("floor", count, Kind::Floor(true)),
        way("floor, published cipher", count, Kind::Floor(false)),
    ];
    if peers.javascript.is_ok() {
        ways.extend([
            way("JavaScript, JavaScript", javascript, Kind::JavaScriptToJavaScript),
            way("Rust, JavaScript", javascript, Kind::RustToJavaScript),
            way("JavaScript, Rust", javascript, Kind::JavaScriptToRust),
        ]);
    }
    let rounds = if is_quick() { 1 } else { ROUNDS };
    for round in 0..rounds {
        for way in &mut ways {
            let sample = logs.sample(way, case, peers);
            if round > 0 || rounds == 1 {
                way.samples.push(sample);
            }
        }
    }
    report(table, case, &ways);
}

fn report(table: &mut Table, case: &Case, ways: &[Way]) {
    let time = |kind| ways.iter().find(|way| way.kind == kind).map(Way::time);
    let (javascript, floor) = (time(Kind::JavaScriptToJavaScript), time(Kind::Floor(true)));
    for (place, way) in ways.iter().enumerate() {
        let own = way.time();
        let to_javascript = javascript.map(|javascript| javascript / own);
        let to_floor = floor.map(|floor| floor / own);
        let mut held = Vec::new();
        match way.kind {
            Kind::RustToRust => {
                match (case.least, to_javascript) {
                    (Some(least), Some(ratio)) => held.push(
                        table.judge(&format!("at least {least} x JavaScript"), ratio >= least),
                    ),
                    (Some(_), None) => table.not_compared(),
                    (None, _) => {}
                }
                if let (Some(least), Some(ratio)) = (case.floor, to_floor) {
                    let target = format!("at least {:.0} % of the floor", least * 100.0);
                    held.push(table.judge(&target, ratio >= least));
                }
            }
            Kind::RustToJavaScript | Kind::JavaScriptToRust => {
                let met = to_javascript.is_some_and(|ratio| ratio >= 1.0);
                held.push(table.judge("not slower than JavaScript", met));
            }
            _ => {}
        }
        let ratio = |ratio: Option<f64>| {
            ratio.map_or_else(|| "n/a".to_owned(), |ratio| format!("{ratio:.2}"))
        };
        table.row([
            if place == 0 { format!("{} bytes", spaced(case.len)) } else { String::new() },
            way.name.to_owned(),
            spaced(way.count),
            rate(1e9 / own),
            format!("{:.1}", case.len as f64 * 1e3 / own),
            format!("{:.2}", way.processor_time() / 1e4),
            format!("{}, {}", ratio(to_javascript), ratio(to_floor)),
            held.join("; "),
        ]);
    }
}

impl Way {
    fn time(&self) -> f64 {
        median(self.samples.iter().map(|sample| sample.0).collect())
    }

    fn processor_time(&self) -> f64 {
        median(self.samples.iter().map(|sample| sample.1).collect())
    }
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// The logs of a case, as each side wrote them.
struct Logs {
    rust: TempDir,
    /// A shorter one, for readers who are slow.
    short: TempDir,
    javascript: TempDir,
}

impl Logs {
    fn new(case: &Case, peers: &Peers) -> Self {
        let logs = Self { rust: folder(), short: folder(), javascript: folder() };
        fill(logs.rust.path(), case.len, case.count);
        fill(logs.short.path(), case.len, case.javascript);
        if let Ok([server, _]) = &peers.javascript {
            let batches = case.javascript / BATCH;
            let folder = logs.javascript.path().display();
            server.ask(&format!("append {folder} {} {BATCH} {batches}", case.len));
        }
        logs
    }

    /// Nanoseconds and processor time for each block.
    fn sample(&self, way: &Way, case: &Case, peers: &Peers) -> (f64, f64) {
        let [server, reader] = &peers.rust;
        let javascript = || peers.javascript.as_ref().expect("it is there");
        match way.kind {
            Kind::RustToRust => transfer(server, reader, self.rust.path(), way.count),
            Kind::JavaScriptToJavaScript => {
                let [server, reader] = javascript();
                transfer(server, reader, self.javascript.path(), way.count)
            }
            Kind::RustToJavaScript => {
                transfer(server, &javascript()[1], self.short.path(), way.count)
            }
            Kind::JavaScriptToRust => {
                transfer(&javascript()[0], reader, self.javascript.path(), way.count)
            }
            Kind::Floor(own) => {
                let cipher = if own { Cipher::Own } else { Cipher::Published }.word();
                let (len, count, folder) = (case.len, way.count, folder());
                let port = server.ask(&format!("floor-serve {cipher} {len} {count}"));
                measured(server, reader, count, || {
                    let folder = folder.path().display();
                    reader.ask(&format!("floor-fetch {cipher} {folder} {port} {len} {count}"))
                })
            }
        }
    }
}

fn fill(folder: &Path, len: usize, count: usize) {
    let log = engine(folder, Durability::Eventual);
    let blocks = blocks(BATCH, len);
    (0..count / BATCH).for_each(|_| _ = log.append(&blocks).expect("an append"));
    log.close().expect("a close");
}

fn transfer(server: &JavaScript, reader: &JavaScript, log: &Path, count: usize) -> (f64, f64) {
    let served = Served::by(server, log);
    let copy = folder();
    let sample = measured(server, reader, count, || {
        let Served { key, port } = &served;
        reader.ask(&format!("fetch {key} {} {port} {count}", copy.path().display()))
    });
    server.ask("close");
    sample
}

/// What `run` says it took, and the processor time of both sides, for each block.
fn measured(
    server: &JavaScript,
    reader: &JavaScript,
    count: usize,
    run: impl FnOnce() -> f64,
) -> (f64, f64) {
    let processor_time = || server.ask("cpu") + reader.ask("cpu");
    let before = processor_time();
    let time = run();
    let spent = processor_time() - before;
    (time / count as f64, spent / count as f64)
}
