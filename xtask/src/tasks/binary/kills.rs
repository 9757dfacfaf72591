//! One log that lives through many killed processes.
//!
//! Each round starts `hypercore append --lines` on the same directory and writes lines into its
//! pipe in groups, sometimes waiting until a group is told as stored, sometimes not. At a moment
//! that the seed chooses by progress, not by time, the process is killed with signal 9: while it
//! opens, when a file of the log has another length, when the lines are told as stored, while it
//! closes. How far it got by then is up to the machine; what must be true of it is not.

use std::hint::black_box;
use std::path::Path;

use crate::report::{Miss, miss};
use crate::rng::Rng;

use super::blocks::{SEED_HEX, blocks};
use super::log::{Log, Wanted};
use super::writer::Writer;

/// Groups of lines that a round may write.
const GROUPS_MAX: u64 = 4;

/// Turns of the longest loop between the last progress and the kill, as a power of two: some
/// milliseconds.
const TURNS_MAX_LOG2: u64 = 18;

/// How often a file's length is looked at before the kill comes anyway.
const LOOKS_MAX: u64 = 1 << 18;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rounds: u64,
    acknowledged: usize,
    /// Blocks that were found although nobody had been told of them.
    beyond: usize,
    /// Rounds that ended with lines on their way.
    interrupted: u64,
    /// Rounds that had closed the log before the kill came.
    closed: u64,
    length: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rounds, acknowledged, beyond, interrupted, closed, length } = self;
        write!(
            f,
            "{rounds} rounds of kill -9 on one log of {length} blocks ({acknowledged} acknowledged, \
             {beyond} more found, {interrupted} rounds with lines on their way, {closed} over \
             before the kill)"
        )
    }
}

/// Plays the rounds of `seed`.
pub(super) fn run(binary: &Path, work: &Path, seed: u64, rounds: u64) -> Result<Tally, Miss> {
    std::fs::create_dir_all(work)?;
    let log = Log::new(binary, work.join("log"));
    log.done("new", &["--seed", SEED_HEX]).map_err(Miss)?;
    let one_line = work.join("one-line");
    std::fs::write(&one_line, "and on it goes\n")?;

    let mut stored: Vec<Vec<u8>> = Vec::new();
    let mut tally = Tally::default();
    for round in 0..rounds {
        let result = play(&log, &mut stored, Rng::new(seed ^ (round << 32)), &mut tally);
        if let Err(what) = result {
            eprintln!("  round {round}: {what}");
            eprintln!("  the files are kept in {}", work.display());
            return miss(format!(
                "round {round}; replay with `cargo xtask binary --part kill --seed {seed}`"
            ));
        }
    }
    // Each round has compared what it added; now everything at once.
    let whole = || {
        let length = log.check(&Wanted::new(&stored, stored.len()))?;
        log.go_on(length, &one_line)
    };
    tally.length = whole().map_err(Miss)?;
    Ok(tally)
}

/// One round: append, kill, and look.
fn play(
    log: &Log,
    stored: &mut Vec<Vec<u8>>,
    mut rng: Rng,
    tally: &mut Tally,
) -> Result<(), String> {
    let before = stored.len();
    let durability = if rng.chance(50) { "immediate" } else { "eventual" };
    let mut writer = Writer::start(log, durability)?;
    let groups = rng.below(GROUPS_MAX + 1);
    if groups > 0 || rng.chance(50) {
        writer.wait_until_open()?;
    }
    for _ in 1..groups {
        writer.write(&group(&mut rng))?;
        if rng.chance(60) {
            writer.wait_until_stored()?;
        }
    }
    let closes = rng.chance(15);
    if groups > 0 {
        if rng.chance(60) {
            writer.wait_until_stored()?;
        }
        // Blocks come before their entry, and this one comes last.
        let file = if rng.chance(50) { "data" } else { "oplog" };
        let before = len(log, file);
        writer.write(&group(&mut rng))?;
        match rng.below(4) {
            0 => {}
            1 => writer.wait_until_stored()?,
            _ => wait_until_changed(log, file, before),
        }
    }
    if closes {
        // The end of its input: the last that closing does is to empty the oplog.
        let before = len(log, "oplog");
        writer.close_input();
        if rng.chance(50) {
            wait_until_changed(log, "oplog", before);
        }
    }
    // Short ones as often as long ones.
    let turns_max = 1 << rng.below(TURNS_MAX_LOG2 + 1);
    for turn in 0..rng.below(turns_max) {
        black_box(turn);
    }
    let killed = writer.kill()?;
    let is_whole = killed.acknowledged == killed.attempted.len();
    let is_finished = closes && is_whole;
    if !killed.by_signal && !is_finished {
        return Err(format!("it ended before it was killed, and said: {}", killed.said));
    }

    stored.extend(killed.attempted);
    let wanted = Wanted { from: before, ..Wanted::new(stored, before + killed.acknowledged) };
    let length = log.check(&wanted)?;
    tally.rounds += 1;
    tally.acknowledged += killed.acknowledged;
    tally.beyond += length - before - killed.acknowledged;
    tally.interrupted += u64::from(length < stored.len() || length > before + killed.acknowledged);
    tally.closed += u64::from(!killed.by_signal);
    stored.truncate(length);
    Ok(())
}

/// Lines for one write: mostly few, at times enough for a batch that writes its nodes at once, at
/// times long.
fn group(rng: &mut Rng) -> Vec<Vec<u8>> {
    let (count, len_max) = match rng.below(25) {
        0 => (260 + rng.below(100), 60),
        1 | 2 => (1 + rng.below(4), 30_000),
        _ => (1 + rng.below(20), 200),
    };
    blocks(rng.next(), count as usize, len_max)
}

/// The length of a file of the log; a file that is missing is empty.
fn len(log: &Log, file: &str) -> u64 {
    std::fs::metadata(log.dir.join(file)).map_or(0, |found| found.len())
}

/// Looks until a file has another length than `len`.
fn wait_until_changed(log: &Log, file: &str, before: u64) {
    let mut looks = 0;
    while len(log, file) == before && looks < LOOKS_MAX {
        looks += 1;
        std::thread::yield_now();
    }
}
