//! The workloads by name.

use super::script::{Role, Script, Step};
use crate::random::Random;
use hypercore_log::Durability;

/// Something that is done with a log, under a name.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// Makes the script; the numbers choose sizes and contents, not what is done.
    pub script: fn(&mut Random) -> Script,
    /// The modes it is run in.
    pub modes: &'static [Durability],
}

const BOTH: &[Durability] = &[Durability::Immediate, Durability::Eventual];

/// All of them.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "appends", script: appends, modes: BOTH },
    Workload { name: "batches", script: batches, modes: BOTH },
    Workload { name: "large-batches", script: large_batches, modes: BOTH },
    Workload { name: "large-batch-truncated", script: large_batch_truncated, modes: BOTH },
    Workload { name: "truncate-append", script: truncate_append, modes: BOTH },
    Workload { name: "truncate-to-nothing", script: truncate_to_nothing, modes: BOTH },
    Workload { name: "clear", script: clear, modes: BOTH },
    Workload { name: "clear-refetch", script: clear_refetch, modes: BOTH },
    Workload { name: "downloads", script: downloads, modes: BOTH },
    Workload { name: "batched-downloads", script: batched_downloads, modes: BOTH },
    Workload { name: "gaps", script: gaps, modes: BOTH },
    Workload { name: "upgrades", script: upgrades, modes: BOTH },
    Workload { name: "reorganisation", script: reorganisation, modes: BOTH },
    Workload { name: "user-data", script: user_data, modes: BOTH },
    Workload { name: "large-user-data", script: large_user_data, modes: BOTH },
    Workload { name: "wide-headers", script: wide_headers, modes: BOTH },
    Workload { name: "checkpoints", script: checkpoints, modes: BOTH },
    Workload { name: "compactions", script: compactions, modes: BOTH },
    Workload { name: "reopens", script: reopens, modes: BOTH },
    Workload { name: "empty-blocks", script: empty_blocks, modes: BOTH },
    Workload { name: "overwrite", script: overwrite, modes: BOTH },
    Workload { name: "group-commit", script: group_commit, modes: EVENTUAL },
    Workload { name: "fork-numbers", script: fork_numbers, modes: BOTH },
    Workload { name: "cold-writer", script: cold_writer, modes: BOTH },
    Workload { name: "cold-reader", script: cold_reader, modes: BOTH },
    Workload { name: "snapshots", script: snapshots, modes: BOTH },
    Workload { name: "snapshots-reorganised", script: snapshots_reorganised, modes: BOTH },
    Workload { name: "commits", script: commits, modes: BOTH },
    Workload { name: "large-commit", script: large_commit, modes: BOTH },
];

const EVENTUAL: &[Durability] = &[Durability::Eventual];

/// A batch of `count` blocks of `len` bytes, more or less.
fn append(random: &mut Random, count: usize, len: usize) -> Step {
    let less = len / 8 + 1;
    Step::Append(
        (0..count)
            .map(|_| {
                let len = len - random.place(less);
                random.bytes(len)
            })
            .collect(),
    )
}

fn set(random: &mut Random, key: &'static str, len: usize) -> Step {
    Step::SetUserData { key, value: random.bytes(len) }
}

const fn truncate(length: u64) -> Step {
    Step::Truncate { length, fork: None }
}

fn appends(random: &mut Random) -> Script {
    let mut steps: Vec<Step> = (0..4).map(|_| append(random, 1, 300)).collect();
    steps.extend([Step::Flush, append(random, 1, 700), append(random, 1, 40)]);
    Script::writer(steps)
}

fn batches(random: &mut Random) -> Script {
    let mut steps: Vec<Step> = (1..4).map(|count| append(random, count, 200)).collect();
    steps.extend([Step::Checkpoint, append(random, 5, 90), append(random, 2, 400)]);
    Script::writer(steps)
}

fn large_batches(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 3, 20),
        append(random, 260, 3),
        append(random, 2, 20),
        Step::Checkpoint,
        append(random, 260, 1),
    ])
}

fn large_batch_truncated(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 3, 20),
        append(random, 260, 3),
        truncate(100),
        append(random, 260, 2),
    ])
}

fn truncate_append(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 9, 200),
        truncate(5),
        append(random, 6, 200),
        truncate(7),
        append(random, 1, 900),
    ])
}

fn truncate_to_nothing(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 3, 300),
        truncate(0),
        append(random, 2, 200),
        Step::Checkpoint,
        truncate(0),
        Step::Reopen,
        append(random, 1, 100),
    ])
}

fn clear(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 12, 200),
        Step::Clear(3..6),
        append(random, 2, 200),
        Step::Clear(12..14),
        append(random, 2, 200),
        Step::Checkpoint,
        Step::Clear(0..3),
        Step::Clear(0..16),
    ])
}

fn clear_refetch(random: &mut Random) -> Script {
    let first = append(random, 11, 150);
    Script {
        role: Role::Writer,
        sources: vec![vec![first.clone()]],
        steps: vec![
            first,
            Step::Clear(4..6),
            Step::Fetch { source: 0, block: 4 },
            append(random, 1, 150),
            Step::Fetch { source: 0, block: 5 },
            Step::Clear(4..5),
        ],
    }
}

/// A reader of a log of `count` blocks.
fn reader(random: &mut Random, count: usize, steps: Vec<Step>) -> Script {
    Script { role: Role::Reader, sources: vec![vec![append(random, count, 150)]], steps }
}

fn downloads(random: &mut Random) -> Script {
    let fetch = |block| Step::Fetch { source: 0, block };
    reader(
        random,
        11,
        vec![
            Step::Upgrade { source: 0 },
            fetch(5),
            fetch(0),
            fetch(10),
            Step::Reopen,
            Step::Clear(5..6),
            fetch(5),
            fetch(9),
        ],
    )
}

/// Proofs in batches: runs, gaps and blocks out of order, an upgrade with blocks behind it.
fn batched_downloads(random: &mut Random) -> Script {
    let (first, second) = (append(random, 13, 120), append(random, 8, 150));
    let download = |source, blocks: &[u64]| Step::Download { source, blocks: blocks.to_vec() };
    Script {
        role: Role::Reader,
        sources: vec![vec![first.clone()], vec![first, second]],
        steps: vec![
            download(0, &[0, 1, 2, 3]),
            download(0, &[9, 5, 8, 12]),
            Step::Reopen,
            Step::Clear(2..4),
            download(1, &[2, 4, 20, 19, 3, 14]),
            Step::Checkpoint,
            download(1, &[16, 17, 6]),
        ],
    }
}

/// Headers that know of blocks whose bits no page of the bitfield has yet.
fn gaps(random: &mut Random) -> Script {
    let fetch = |block| Step::Fetch { source: 0, block };
    reader(
        random,
        11,
        vec![
            Step::Upgrade { source: 0 },
            Step::Checkpoint,
            fetch(5),
            fetch(0),
            Step::Checkpoint,
            fetch(9),
        ],
    )
}

fn upgrades(random: &mut Random) -> Script {
    let batches = [append(random, 3, 150), append(random, 4, 150), append(random, 13, 100)];
    Script {
        role: Role::Reader,
        sources: (1..=3).map(|count| batches[..count].to_vec()).collect(),
        steps: vec![
            Step::Upgrade { source: 0 },
            Step::Fetch { source: 0, block: 1 },
            Step::Upgrade { source: 1 },
            Step::Fetch { source: 1, block: 6 },
            Step::Checkpoint,
            Step::Upgrade { source: 2 },
            Step::Fetch { source: 2, block: 16 },
        ],
    }
}

/// What is given back: the file of a header that was large once, and holes that are there already.
fn compactions(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 6, 200),
        set(random, "large", 5000),
        Step::Checkpoint,
        append(random, 1, 100),
        Step::Compact,
        Step::SetUserData { key: "large", value: Vec::new() },
        Step::Clear(1..4),
        append(random, 1, 100),
        Step::Compact,
        append(random, 2, 150),
        truncate(7),
        Step::Compact,
        Step::Reopen,
        append(random, 1, 90),
    ])
}

fn reorganisation(random: &mut Random) -> Script {
    let first = append(random, 11, 150);
    let fork = vec![first.clone(), truncate(6), append(random, 8, 170)];
    Script {
        role: Role::Reader,
        sources: vec![vec![first], fork],
        steps: vec![
            Step::Upgrade { source: 0 },
            Step::Fetch { source: 0, block: 2 },
            Step::Fetch { source: 0, block: 8 },
            Step::Reorganise { source: 1 },
            Step::Fetch { source: 1, block: 9 },
            Step::Fetch { source: 1, block: 13 },
        ],
    }
}

fn user_data(random: &mut Random) -> Script {
    Script::writer(vec![
        set(random, "a", 10),
        append(random, 1, 100),
        set(random, "b", 600),
        set(random, "a", 0),
        Step::Checkpoint,
        set(random, "b", 20),
        append(random, 1, 100),
    ])
}

fn large_user_data(random: &mut Random) -> Script {
    Script::writer(vec![
        set(random, "large", 4500),
        append(random, 1, 10),
        Step::Checkpoint,
        set(random, "large", 4400),
        Step::Checkpoint,
        append(random, 1, 10),
        set(random, "large", 0),
        Step::Checkpoint,
    ])
}

/// Headers of two sectors, which can tear.
fn wide_headers(random: &mut Random) -> Script {
    Script::writer(vec![
        set(random, "wide", 600),
        append(random, 2, 100),
        Step::Checkpoint,
        truncate(1),
        append(random, 2, 100),
        Step::Checkpoint,
        Step::Clear(0..1),
        Step::Close,
        append(random, 1, 100),
    ])
}

fn checkpoints(random: &mut Random) -> Script {
    let mut steps = Vec::new();
    for _ in 0..4 {
        steps.extend([append(random, 2, 120), Step::Checkpoint]);
    }
    Script::writer(steps)
}

fn reopens(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 2, 200),
        Step::Reopen,
        append(random, 1, 300),
        append(random, 1, 100),
        Step::Reopen,
        Step::Close,
        append(random, 1, 500),
        Step::Reopen,
        append(random, 1, 50),
    ])
}

fn empty_blocks(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 1, 0),
        append(random, 3, 0),
        append(random, 1, 300),
        append(random, 2, 0),
        Step::Clear(1..3),
        append(random, 1, 0),
        truncate(6),
        append(random, 1, 0),
    ])
}

fn overwrite(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 3, 200),
        Step::Checkpoint,
        append(random, 1, 200),
        Step::Overwrite,
        append(random, 2, 300),
    ])
}

fn group_commit(random: &mut Random) -> Script {
    let mut steps = Vec::new();
    for _ in 0..2 {
        steps.extend((0..4).map(|_| append(random, 1, 120)));
        steps.push(Step::Flush);
    }
    Script::writer(steps)
}

fn fork_numbers(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 5, 100),
        Step::Truncate { length: 5, fork: Some(4) },
        append(random, 1, 100),
        Step::Truncate { length: 6, fork: Some(1 << 40) },
        Step::Truncate { length: 2, fork: None },
        append(random, 3, 100),
    ])
}

/// Nothing is cached: each step reads the nodes it needs from the tree store, of which opening reads only the last.
fn cold_writer(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 70, 10),
        Step::Close,
        truncate(45),
        Step::Close,
        append(random, 2, 100),
        Step::Close,
        Step::Clear(1..4),
        Step::Close,
        truncate(9),
    ])
}

/// As [`cold_writer`], for proofs.
fn cold_reader(random: &mut Random) -> Script {
    let (first, second) = (append(random, 70, 10), append(random, 30, 10));
    let fork = vec![first.clone(), truncate(40), append(random, 35, 10)];
    Script {
        role: Role::Reader,
        sources: vec![vec![first.clone()], vec![first, second], fork],
        steps: vec![
            Step::Upgrade { source: 0 },
            Step::Fetch { source: 0, block: 4 },
            Step::Close,
            Step::Fetch { source: 0, block: 6 },
            Step::Close,
            Step::Upgrade { source: 1 },
            Step::Close,
            Step::Fetch { source: 1, block: 80 },
            Step::Close,
            Step::Reorganise { source: 2 },
            Step::Close,
            Step::Fetch { source: 2, block: 20 },
        ],
    }
}

/// Truncated twice and cleared while snapshots are open, which must keep what they show.
fn snapshots(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 9, 200),
        Step::Snapshot,
        truncate(6),
        append(random, 2, 200),
        Step::Snapshot,
        Step::Clear(1..3),
        truncate(3),
        append(random, 4, 100),
    ])
}

fn snapshots_reorganised(random: &mut Random) -> Script {
    let first = append(random, 11, 150);
    let fork = vec![first.clone(), truncate(6), append(random, 8, 170)];
    Script {
        role: Role::Reader,
        sources: vec![vec![first], fork],
        steps: vec![
            Step::Upgrade { source: 0 },
            Step::Fetch { source: 0, block: 8 },
            Step::Snapshot,
            Step::Fetch { source: 0, block: 2 },
            Step::Reorganise { source: 1 },
            Step::Fetch { source: 1, block: 9 },
        ],
    }
}

/// Batches of blocks for a branch.
fn commit(random: &mut Random, counts: &[usize], len: usize) -> Step {
    let batches = counts.iter().map(|count| match append(random, *count, len) {
        Step::Append(blocks) => blocks,
        _ => Vec::new(),
    });
    Step::Commit(batches.collect())
}

fn commits(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 2, 200),
        commit(random, &[2, 1], 150),
        append(random, 1, 100),
        commit(random, &[3], 300),
        truncate(4),
        commit(random, &[1, 1], 200),
    ])
}

/// Commits whose nodes the oplog does not name.
fn large_commit(random: &mut Random) -> Script {
    Script::writer(vec![
        append(random, 3, 20),
        commit(random, &[100, 160], 3),
        append(random, 2, 20),
    ])
}
