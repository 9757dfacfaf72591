//! The workloads by name.

use std::ops::Range;

use sleep::Durability;

use super::begin::Begin;
use super::script::{Role, Step};
use crate::random::Random;

/// Something that is done with a feed, under a name.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// Who has the feed.
    pub role: Role,
    /// What is there at first.
    pub begin: Begin,
    /// Blocks of the feeds that proofs come from.
    pub sources: &'static [u64],
    /// Makes the script; the numbers choose contents, not what is done.
    pub script: fn(&mut Random) -> Vec<Step>,
    /// The modes it is run in.
    pub modes: &'static [Durability],
    /// Whether its crashes are searched as widely as those of the others: not where the feed is long.
    pub wide: bool,
}

/// In these a power cut leaves a feed that goes on; a lazy one may need repair.
const DURABLE: &[Durability] = &[Durability::Strict, Durability::Ordered];

/// A writer's small feed.
const WRITER: Workload = Workload {
    name: "",
    role: Role::Writer,
    begin: Begin::Nothing,
    sources: &[],
    script: singles,
    modes: DURABLE,
    wide: true,
};

/// A writer's long feed.
const LONG: Workload = Workload { wide: false, ..WRITER };

/// A feed that is downloaded.
const READER: Workload = Workload { role: Role::Reader, sources: &[5, 12, 40], ..WRITER };

/// All of them.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "singles", ..WRITER },
    Workload { name: "batches", script: batches, ..WRITER },
    Workload { name: "growing-batches", script: growing_batches, ..WRITER },
    Workload { name: "large-blocks", script: large_blocks, ..WRITER },
    Workload { name: "empty-blocks", script: empty_blocks, ..WRITER },
    Workload { name: "reopens", script: reopens, ..WRITER },
    Workload { name: "syncs", script: syncs, ..WRITER },
    Workload { name: "clears", script: clears, ..WRITER },
    Workload { name: "pages-of-3328", begin: Begin::Narrow(0), script: batches, ..WRITER },
    Workload { name: "after-8", begin: Begin::Vector("v8-len10"), script: go_on, ..WRITER },
    Workload { name: "after-6.12", begin: Begin::Vector("v6_12-len10"), script: go_on, ..WRITER },
    Workload { name: "after-6.3", begin: Begin::Vector("v6_3-len8"), script: go_on, ..WRITER },
    Workload { name: "truncated", begin: Begin::Vector("v9-truncated"), script: go_on, ..WRITER },
    Workload {
        name: "truncated-batch",
        begin: Begin::Vector("v9-truncated"),
        script: growing_batches,
        ..WRITER
    },
    Workload { name: "cleared", begin: Begin::Vector("v9-cleared"), script: go_on, ..WRITER },
    Workload { name: "ghost", begin: Begin::Ghost, script: go_on, ..WRITER },
    Workload { name: "ghost-batches", begin: Begin::Ghost, script: growing_batches, ..WRITER },
    Workload { name: "data-bits-border", begin: Begin::Wide(3836), script: border, ..LONG },
    Workload { name: "tree-bits-border", begin: Begin::Wide(1916), script: border, ..LONG },
    Workload { name: "page-border", begin: Begin::Wide(8188), script: border, ..LONG },
    Workload { name: "page-border-3328", begin: Begin::Narrow(8188), script: border, ..LONG },
    Workload { name: "page-batches", begin: Begin::Wide(8100), script: page_batches, ..LONG },
    Workload {
        name: "page-batches-3328",
        begin: Begin::Narrow(8100),
        script: page_batches,
        ..LONG
    },
    Workload { name: "wide-clears", begin: Begin::Wide(9000), script: wide_clears, ..LONG },
    Workload { name: "downloads", script: downloads, ..READER },
    Workload { name: "downloads-in-order", script: downloads_in_order, ..READER },
    Workload {
        name: "far-downloads",
        script: far_downloads,
        sources: &[3, 8300, 17000],
        wide: false,
        ..READER
    },
];

fn append(random: &mut Random, lens: impl IntoIterator<Item = usize>) -> Step {
    Step::Append(lens.into_iter().map(|len| random.bytes(len)).collect())
}

fn tiny(random: &mut Random, count: usize) -> Step {
    append(random, std::iter::repeat_n(1, count))
}

fn singles(random: &mut Random) -> Vec<Step> {
    [1, 100, 511, 1, 512, 700, 3, 40, 1500, 9].map(|len| append(random, [len])).into()
}

fn batches(random: &mut Random) -> Vec<Step> {
    [1, 2, 3, 7, 8, 9, 16, 33, 64]
        .map(|count| append(random, (0..count).map(|at| 1 + at * 7 % 60)))
        .into()
}

/// Batches that merge more and more of what was there.
fn growing_batches(random: &mut Random) -> Vec<Step> {
    [3, 1, 4, 1, 7, 1, 15].map(|count| append(random, (0..count).map(|at| 5 + at))).into()
}

fn large_blocks(random: &mut Random) -> Vec<Step> {
    vec![
        append(random, [5000]),
        append(random, [1, 9000, 1]),
        append(random, [4096, 4096]),
        append(random, [1]),
    ]
}

fn empty_blocks(random: &mut Random) -> Vec<Step> {
    vec![
        append(random, [0]),
        append(random, [0, 0, 0]),
        append(random, [3, 0]),
        Step::Reopen,
        append(random, [0]),
        append(random, [0, 2, 0]),
    ]
}

fn reopens(random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::new();
    for count in [1, 3, 2, 8, 1] {
        steps.push(append(random, (0..count).map(|at| at * 30)));
        steps.push(Step::Reopen);
    }
    steps
}

fn syncs(random: &mut Random) -> Vec<Step> {
    vec![
        append(random, [10]),
        Step::Sync,
        append(random, [20, 30]),
        append(random, [600]),
        Step::Sync,
        Step::Reopen,
        append(random, [5]),
        append(random, [1, 2, 3, 4]),
        Step::Sync,
    ]
}

fn clears(random: &mut Random) -> Vec<Step> {
    vec![
        append(random, (0..10).map(|at| 100 + at)),
        Step::Clear(2..5),
        Step::Clear(0..1),
        append(random, [50, 60]),
        Step::Clear(10..12),
        append(random, [70]),
        Step::Reopen,
        Step::Clear(4..9),
        Step::Clear(12..13),
        Step::Reopen,
        append(random, [1, 2]),
    ]
}

fn go_on(random: &mut Random) -> Vec<Step> {
    vec![
        append(random, [4]),
        append(random, [2, 300, 5]),
        Step::Reopen,
        append(random, (0..12).map(|at| at * 3)),
        append(random, [1]),
    ]
}

fn border(random: &mut Random) -> Vec<Step> {
    vec![
        tiny(random, 3),
        tiny(random, 1),
        tiny(random, 1),
        Step::Reopen,
        tiny(random, 6),
        tiny(random, 1),
    ]
}

fn page_batches(random: &mut Random) -> Vec<Step> {
    vec![tiny(random, 300), tiny(random, 8192), Step::Reopen, tiny(random, 1)]
}

fn wide_clears(random: &mut Random) -> Vec<Step> {
    vec![
        Step::Clear(100..7000),
        Step::Clear(8190..8195),
        tiny(random, 2),
        Step::Clear(8999..9002),
        tiny(random, 1),
    ]
}

fn put(source: usize, blocks: impl IntoIterator<Item = u64>) -> Vec<Step> {
    blocks.into_iter().map(|block| Step::Put { source, block }).collect()
}

fn downloads(_: &mut Random) -> Vec<Step> {
    [put(0, [4, 1]), put(1, [11, 4, 5]), vec![Step::Reopen], put(2, [0, 39, 7, 12])].concat()
}

fn downloads_in_order(_: &mut Random) -> Vec<Step> {
    let all = |range: Range<u64>| range;
    [
        put(0, all(0..5)),
        put(1, all(5..12)),
        vec![Step::Clear(3..7), Step::Sync],
        put(2, all(12..16)),
    ]
    .concat()
}

fn far_downloads(_: &mut Random) -> Vec<Step> {
    [put(0, [1]), put(1, [8299, 8191, 8192, 5]), vec![Step::Reopen], put(2, [16_999, 100])].concat()
}
