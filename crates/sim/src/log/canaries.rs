//! Planted bugs of the log, and the hunt that must catch each, with less width than the checks have by themselves: these
//! bugs show soon.

use hypercore_log::canary::Bug;
use hypercore_log::{Access, Durability, FileName, Log, OpenOptions};
use random_access_storage::RandomAccess;

use super::Player;
use super::crash::{LogCase, quick};
use super::script::{Cast, Script, stores_on};
use crate::disk::{Disk, Plan};
use crate::random::Random;
use crate::trials::canaries::{Bag, Hunt, Look, crash, fail, hunt};
use crate::trials::crash::Settings;
use crate::trials::{Case, Cases};

/// The workloads that are hunted through: small ones that between them do everything.
const GROUNDS: [&str; 7] =
    ["appends", "clear", "checkpoints", "reopens", "truncate-append", "user-data", "downloads"];

/// The hunts.
pub const HUNTS: [Hunt; 3] = [Hunt::Crashes, Hunt::Faults, Hunt::Damage];

/// The one that must catch `bug`.
#[must_use]
pub const fn hunt_of(bug: Bug) -> Hunt {
    match bug {
        Bug::IgnoredSyncError
        | Bug::RetryFailedSync
        | Bug::UncheckedShortRead
        | Bug::TailNotRewritten => Hunt::Faults,
        Bug::ReadNotVerified => Hunt::Damage,
        _ => Hunt::Crashes,
    }
}

/// Hunts through the workloads until something is found.
#[must_use]
pub fn run(kind: Hunt, seed: u64) -> Bag {
    let cases: Vec<LogCase> =
        LogCase::all().filter(|case| GROUNDS.contains(&case.workload.name)).collect();
    let grounds: Cases = cases.iter().map(|case| Box::new(*case) as Box<dyn Case>).collect();
    hunt(&grounds, |case| match kind {
        Hunt::Crashes => {
            let plan = Plan { random_subsets: 8, ..quick(seed) };
            crash(case, Settings::new(plan, 4))
        }
        Hunt::Faults => fail(case, seed, 12),
        Hunt::Damage => {
            let case = cases.iter().find(|known| known.name() == case.name());
            damage_it(case.expect("one of these"), seed)
        }
    })
}

fn damage_it(case: &LogCase, seed: u64) -> Look {
    let script = (case.workload.script)(&mut Random::new(seed));
    let (disk, blocks) = played(&script, case.durability);
    let mut looked_at = 0;
    for name in [FileName::Data, FileName::Tree, FileName::Bitfield, FileName::Oplog] {
        let len = disk.shown().bytes(name.as_str()).map_or(0, |bytes| bytes.len());
        // Every byte of a small file, some of a large one.
        for offset in (0..len).step_by(len.div_ceil(64).max(1)) {
            looked_at += 1;
            let damaged = Disk::of(disk.shown());
            let file = damaged.file(name.as_str());
            let mut byte = [0];
            let offset = offset as u64;
            file.read_at(offset, &mut byte).expect("inside the file");
            file.write_at(offset, &[byte[0] ^ 4]).expect("a disk that works");
            let read_only = OpenOptions::new().access(Access::ReadOnly);
            let Ok(log) = Log::open(stores_on(&damaged), read_only) else { continue };
            for (index, block) in (0..log.length()).zip(&blocks) {
                if let Ok(Some(found)) = log.get(index)
                    && found != **block
                {
                    let what =
                        format!("byte {offset} of {name} damaged: wrong bytes in block {index}");
                    return (looked_at, Some(what));
                }
            }
        }
    }
    (looked_at, None)
}

/// A disk on which `script` was played and the log closed, and the blocks it has then.
fn played(script: &Script, durability: Durability) -> (Disk, Vec<std::sync::Arc<[u8]>>) {
    let cast = Cast::of(script);
    let disk = Disk::new();
    let open = || stores_on(&disk);
    let mut player = Player::create(script.role, durability, &cast, &open).expect("a new log");
    for step in &script.steps {
        player.step(step).expect("a step without faults");
    }
    let blocks = player.model().blocks.clone();
    player.into_log().expect("an open log").close().expect("a disk that works");
    (disk, blocks)
}
