//! Work in processes of their own, because it is their memory that counts: `bench child JOB ...`.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use hypercore_log::Durability;

use crate::logs::{BATCH, Tokio, blocks};
use crate::mappedpages;
use crate::measure::{resident, resident_max};
use crate::replicate::peer;
use crate::sleep;

/// Blocks between two readings of the memory.
pub const STEP: usize = 1_000_000;

/// What an appending child did.
pub struct Grown {
    /// Nanoseconds until the last append had returned.
    pub time: f64,
    /// Resident memory in bytes after each [`STEP`].
    pub resident: Vec<u64>,
}

/// Does what the parent asks for and prints numbers.
pub fn main(job: &[String]) {
    match job {
        [name, folder] if name == "open" => {
            let tokio = Tokio::new();
            let log = tokio.facade(Path::new(folder), Durability::Eventual);
            println!("{}", resident_max());
            drop(log);
        }
        [name, folder] if name == "open-sleep" => {
            let feed =
                sleep::open(Path::new(folder), ::sleep::Access::Write, ::sleep::Durability::Lazy);
            println!("{}", resident_max());
            drop(feed);
        }
        [name, folder, block_len, count] if name == "append" => {
            append(Path::new(folder), number(block_len), number(count));
        }
        [name, small, file] if name == "open-pages" => {
            mappedpages::open_child(Path::new(small), Path::new(file));
        }
        [name, who, case, calls, folder] if name == "flushes" => {
            mappedpages::child(who, case, number(calls), Path::new(folder));
        }
        [name, mode, calls, folder] if name == "flushes-sleep" => {
            sleep::flushes_child(mode, number(calls), Path::new(folder));
        }
        [name] if name == "peer" => peer::main(),
        _ => panic!("no such job: {job:?}"),
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

fn append(folder: &Path, block_len: usize, count: usize) {
    let blocks = blocks(BATCH, block_len);
    let tokio = Tokio::new();
    let log = tokio.facade(folder, Durability::Eventual);
    let mut readings = Vec::new();
    let start = Instant::now();
    tokio.run(async {
        for batch in 1..=count / BATCH {
            log.append_batch(&blocks).await.expect("an append");
            if (batch * BATCH).is_multiple_of(STEP) {
                readings.push(resident());
            }
        }
    });
    println!("{}", start.elapsed().as_nanos());
    readings.iter().for_each(|reading| println!("{reading}"));
    tokio.run(log.close()).expect("a close");
}

/// The most memory in bytes that a process had which opened the log in `folder` by this job.
pub fn open(job: &str, folder: &Path) -> u64 {
    numbers(&[job, &folder.display().to_string()])[0] as u64
}

/// Appends blocks to a new log in `folder`, in batches.
pub fn appended(folder: &Path, block_len: usize, count: usize) -> Grown {
    let (folder, len, count) =
        (folder.display().to_string(), block_len.to_string(), count.to_string());
    let numbers = numbers(&["append", &folder, &len, &count]);
    Grown {
        time: numbers[0],
        resident: numbers[1..].iter().map(|reading| *reading as u64).collect(),
    }
}

/// What a process of its own that does a job prints.
pub fn numbers(job: &[&str]) -> Vec<f64> {
    let own = std::env::current_exe().expect("a path");
    let output = Command::new(own).arg("child").args(job).output().expect("a process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| line.parse().expect("a number")).collect()
}
