//! What happens in a run, as data: who takes part, how they are connected, what they do and what befalls them.
//!
//! Everything follows from the seed. How much is cut or cleared is said in thousandths of what there is then.

use std::time::Duration;

use hypercore_log::Durability;

use super::wire::Quality;
use crate::random::Random;

/// Peers of a run at most.
pub(super) const PEERS_MAX: usize = 5;

/// What a peer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: it signs.
    Writer,
    /// Nothing: it signs as well, with the same key, from a copy of the writer's disk.
    Twin,
    /// Every block, to the end and onwards.
    Full,
    /// To know the newest head, and some blocks now and then.
    Sparse,
}

/// One peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cast {
    /// What it wants.
    pub(super) kind: Kind,
    /// How its log writes.
    pub(super) durability: Durability,
    /// Whether it answers requests of others.
    pub(super) uploads: bool,
}

/// A link between two peers.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkPlan {
    /// The peer that connects, and the one that is connected to.
    pub(super) ends: [usize; 2],
    /// What it is like.
    pub(super) quality: Quality,
    /// Whether a secret stream runs over it, or bare frames.
    pub(super) is_secret: bool,
    /// Whether it is there before the network heals.
    pub(super) is_early: bool,
}

/// A stretch of blocks, in thousandths of what there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Where it begins.
    pub(super) start: u64,
    /// How long it is.
    pub(super) length: u64,
}

impl Part {
    fn new(random: &mut Random) -> Self {
        let start = random.below(1000);
        // A few blocks or a lot.
        let length = if random.toss() { random.below(30) } else { random.below(1000 - start) };
        Self { start, length: length + 1 }
    }

    /// The blocks it means of so many.
    pub(super) fn of(self, length: u64) -> std::ops::Range<u64> {
        let start = length * self.start / 1000;
        let end = (start + (length * self.length).div_ceil(1000)).min(length);
        start..end
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A writer appends blocks of these lengths.
    Append { peer: usize, lens: Vec<usize> },
    /// A writer cuts its log to so many thousandths of it, and appends at once or never.
    Truncate { peer: usize, keep: u64, lens: Vec<usize> },
    /// A peer drops blocks.
    Clear { peer: usize, part: Part },
    /// A reader wants blocks.
    WantBlocks { peer: usize, part: Part },
    /// A reader wants to know where a byte is, in thousandths of them all.
    WantSeek { peer: usize, at: u64 },
    /// A reader gives up one of its wishes.
    Cancel { peer: usize, which: u64 },
    /// A connection breaks, and is made again after a while.
    Lose { link: usize, away: Duration },
    /// All links between these peers and the others break for a while.
    Partition { side: Vec<usize>, away: Duration },
    /// The power of a peer fails, and comes back after a while.
    Crash { peer: usize, away: Duration },
    /// A peer writes what it has to stable storage.
    Flush { peer: usize },
}

/// A run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it follows from.
    pub(super) seed: u64,
    /// Who takes part. The first is the writer, and the second the twin, if there is one.
    pub(super) peers: Vec<Cast>,
    /// How they are connected. Each pair has at most one.
    pub(super) links: Vec<LinkPlan>,
    /// Lengths of the blocks that are there from the beginning, and of those that follow where the log was cut.
    pub(super) first: Vec<Vec<usize>>,
    /// What happens, in order.
    pub(super) steps: Vec<(Duration, Step)>,
    /// When everything heals, and every pair is connected.
    pub(super) heals: Duration,
}

impl Scenario {
    /// Makes up the run of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let random = &mut Random::along(seed, &[0x6e65_7477]);
        let is_dishonest = random.below(8) == 0;
        let least = if is_dishonest { 3 } else { 2 };
        let count = least + random.place(PEERS_MAX - least + 1);
        let peers: Vec<Cast> = (0..count).map(|at| cast(at, is_dishonest, random)).collect();
        let links = links(count, random);
        let first = (0..1 + random.below(6) / 4).map(|_| lens(120, random)).collect();
        let heals = Duration::from_millis(500 + random.below(20_000));
        let steps = 1 + random.place(40);
        let mut times: Vec<u64> =
            (0..steps).map(|_| random.below(heals.as_micros() as u64)).collect();
        times.sort_unstable();
        let steps = times.into_iter().map(|micros| {
            let step = step(&peers, links.len(), is_dishonest, random);
            (Duration::from_micros(micros), step)
        });
        let steps = steps.collect();
        Self { seed, peers, links, first, steps, heals }
    }

    /// Whether somebody signs two histories.
    pub(super) fn is_dishonest(&self) -> bool {
        self.peers.iter().any(|peer| peer.kind == Kind::Twin)
    }
}

fn cast(at: usize, is_dishonest: bool, random: &mut Random) -> Cast {
    let kind = match at {
        0 => Kind::Writer,
        1 if is_dishonest => Kind::Twin,
        _ if random.below(3) == 0 => Kind::Sparse,
        _ => Kind::Full,
    };
    let durability = if random.toss() { Durability::Immediate } else { Durability::Eventual };
    let uploads = !matches!(kind, Kind::Full | Kind::Sparse) || random.below(6) != 0;
    Cast { kind, durability, uploads }
}

/// A link for each pair; those of a random tree and a few more are there early.
fn links(count: usize, random: &mut Random) -> Vec<LinkPlan> {
    let mut links = Vec::new();
    for to in 1..count {
        let parent = random.place(to);
        for from in 0..to {
            let is_early = from == parent || random.below(3) == 0;
            let ends = if random.toss() { [from, to] } else { [to, from] };
            let is_secret = random.below(3) == 0;
            links.push(LinkPlan { ends, quality: quality(random), is_secret, is_early });
        }
    }
    links
}

fn quality(random: &mut Random) -> Quality {
    let latency = [100, 2_000, 20_000, 200_000][random.place(4)];
    Quality {
        latency: Duration::from_micros(latency + random.below(latency)),
        bytes_per_second: [30_000, 1_000_000, 100_000_000][random.place(3)],
        window_len: [4_096, 65_536, 1 << 20][random.place(3)],
        piece_len_max: [1, 100, 1_460, 65_536][random.place(4)].max(if random.toss() {
            64
        } else {
            7
        }),
    }
}

/// Lengths of up to `count_max` blocks: mostly small, now and then a large one.
fn lens(count_max: u64, random: &mut Random) -> Vec<usize> {
    let count = random.below(count_max + 1);
    let large = random.below(40) == 0;
    (0..count)
        .map(|_| match random.below(20) {
            0 => 0,
            1 if large => random.place(70_000),
            2 => random.place(2_000),
            _ => random.place(60),
        })
        .collect()
}

fn step(peers: &[Cast], links: usize, is_dishonest: bool, random: &mut Random) -> Step {
    let away = Duration::from_micros(random.below(3_000_000));
    let anybody = random.place(peers.len());
    let readers: Vec<usize> = (0..peers.len())
        .filter(|at| matches!(peers[*at].kind, Kind::Full | Kind::Sparse))
        .collect();
    let reader = readers[random.place(readers.len())];
    let writer = if is_dishonest { random.place(2) } else { 0 };
    match random.below(20) {
        0..=5 => Step::Append { peer: writer, lens: lens(40, random) },
        // Where two sign, a higher fork of one would hide that.
        6 | 7 if !is_dishonest => {
            let keep = if random.below(4) == 0 { 1000 } else { random.below(1000) };
            let lens = if random.toss() { lens(60, random) } else { Vec::new() };
            Step::Truncate { peer: writer, keep, lens }
        }
        8 => Step::Clear { peer: anybody, part: Part::new(random) },
        9..=11 => Step::WantBlocks { peer: reader, part: Part::new(random) },
        12 => Step::WantSeek { peer: reader, at: random.below(1000) },
        13 => Step::Cancel { peer: reader, which: random.next() },
        14 | 15 => Step::Lose { link: random.place(links), away },
        16 => {
            let side = (0..peers.len()).filter(|_| random.toss()).collect();
            Step::Partition { side, away }
        }
        17 | 18 => Step::Crash { peer: anybody, away },
        _ => Step::Flush { peer: anybody },
    }
}
