//! Planted bugs, each of which must be caught: what shows that a clean run of the checks means something.
//!
//! A hunt is one of the checks over some workloads until it finds something, with less width than it has by
//! itself: these bugs show soon. Which bug is planted is nothing a hunt knows.

use hypercore_log::canary::Bug;
use hypercore_log::{Access, Durability, FileName, Log, OpenOptions};
use random_access_storage::RandomAccess;

use super::oracle::panicked;
use super::script::{Cast, Script, stores_on};
use super::{Player, WORKLOADS, Workload, crash, faults};
use crate::disk::{Disk, Plan};
use crate::random::Random;

/// The workloads that are hunted through: small ones that between them do everything.
const GROUNDS: [&str; 7] =
    ["appends", "clear", "checkpoints", "reopens", "truncate-append", "user-data", "downloads"];

/// A check that hunts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hunt {
    /// [`crash::run`]: power cuts, kills, failed syncs.
    Crashes,
    /// [`faults::run_workload`]: calls that fail.
    Faults,
    /// Each byte of each file changed: no block may have other bytes than were written.
    Damage,
}

impl Hunt {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Crashes, Self::Faults, Self::Damage];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crashes => "crash",
            Self::Faults => "faults",
            Self::Damage => "damage",
        }
    }

    /// The one that must catch `bug`.
    #[must_use]
    pub const fn of(bug: Bug) -> Self {
        match bug {
            Bug::IgnoredSyncError
            | Bug::RetryFailedSync
            | Bug::UncheckedShortRead
            | Bug::TailNotRewritten => Self::Faults,
            Bug::ReadNotVerified => Self::Damage,
            _ => Self::Crashes,
        }
    }
}

/// What a hunt came to.
#[derive(Clone, Debug, Default)]
pub struct Bag {
    /// Images, failed calls or changed bytes that were looked at.
    pub looked_at: u64,
    /// The workload in which something was found, and what.
    pub caught: Option<(String, String)>,
}

/// Hunts through the workloads until something is found, a few at a time.
#[must_use]
pub fn run(hunt: Hunt, seed: u64) -> Bag {
    let grounds = WORKLOADS.iter().filter(|workload| GROUNDS.contains(&workload.name));
    let grounds: Vec<(&'static Workload, Durability)> = grounds
        .flat_map(|workload| workload.modes.iter().map(move |mode| (workload, *mode)))
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut bag = Bag::default();
    for together in grounds.chunks(threads) {
        let hunted: Vec<(u64, Option<String>)> = std::thread::scope(|scope| {
            let hunts = together.iter().map(|(workload, durability)| {
                scope.spawn(move || match hunt {
                    Hunt::Crashes => crash_it(workload, *durability, seed),
                    Hunt::Faults => fail_it(workload, *durability, seed),
                    Hunt::Damage => damage_it(workload, *durability, seed),
                })
            });
            let hunts: Vec<_> = hunts.collect();
            let ended = hunts.into_iter().map(std::thread::ScopedJoinHandle::join);
            ended.map(|end| end.unwrap_or_else(|panic| (0, Some(panicked(&*panic))))).collect()
        });
        for ((workload, durability), (looked_at, caught)) in together.iter().zip(hunted) {
            bag.looked_at += looked_at;
            if let Some(what) = caught {
                let mode = faults::mode_name(*durability);
                bag.caught = Some((format!("{}-{mode}", workload.name), what));
                return bag;
            }
        }
    }
    bag
}

fn crash_it(workload: &Workload, durability: Durability, seed: u64) -> (u64, Option<String>) {
    let plan = Plan { random_subsets: 8, ..crash::quick(seed) };
    let settings =
        crash::Settings { plan, interruptions_max: 4, bad_max: 1, ..crash::Settings::new(seed) };
    let report = crash::run(workload, durability, &settings);
    (report.counts.enumerated, report.first_bad.map(|bad| bad.what))
}

fn fail_it(
    workload: &'static Workload,
    durability: Durability,
    seed: u64,
) -> (u64, Option<String>) {
    let options = faults::Options { limit: 12, stop_at_first: true, ..faults::Options::new(seed) };
    let report = faults::run_workload(workload, durability, &options);
    let wrong = report.wrong.into_iter().next();
    (report.trials, wrong.map(|wrong| format!("{}: {}", wrong.point, wrong.what)))
}

fn damage_it(workload: &Workload, durability: Durability, seed: u64) -> (u64, Option<String>) {
    let script = (workload.script)(&mut Random::new(seed));
    let (disk, blocks) = played(&script, durability);
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
