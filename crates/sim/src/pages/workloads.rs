//! The workloads by name.

use mappedpages::{Durability, Format};

use super::script::{Change, End, Step, Write};
use crate::random::Random;

/// Something that is done with a page file, under a name.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// Makes the script for pages of so many bytes; the numbers choose contents, not what is done.
    pub script: fn(&mut Random, usize) -> Vec<Step>,
    /// The modes it is run in.
    pub modes: &'static [Durability],
    /// The formats it is run in.
    pub formats: &'static [Format],
    /// The page sizes it is run with.
    pub page_lens: &'static [usize],
    /// Whether its crashes are searched as widely as those of the others: not where the file is large.
    pub wide: bool,
}

const EACH: Workload = Workload {
    name: "",
    script: pages,
    modes: IMMEDIATE,
    formats: &[Format::One, Format::Two],
    page_lens: &[1024, 4096],
    wide: true,
};

const IMMEDIATE: &[Durability] = &[Durability::Immediate];
const DURABLE: &[Durability] = &[Durability::Immediate, Durability::Barriers];
const ALL: &[Durability] = &[Durability::Immediate, Durability::Barriers, Durability::Eventual];

/// All of them.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "pages", script: pages, modes: ALL, ..EACH },
    Workload { name: "bulk", script: bulk, modes: DURABLE, ..EACH },
    Workload { name: "growth", script: growth, ..EACH },
    Workload { name: "protected", script: protected, modes: ALL, ..EACH },
    Workload { name: "protected-bulk", script: protected_bulk, ..EACH },
    Workload { name: "many-protected", script: many_protected, page_lens: &[1024], ..EACH },
    Workload { name: "dropped-writer", script: dropped_writer, ..EACH },
    Workload { name: "reuse", script: reuse, modes: ALL, ..EACH },
    Workload { name: "stores", script: stores, ..EACH },
    Workload { name: "transactions", script: transactions, modes: DURABLE, ..EACH },
    Workload { name: "page-writes", script: page_writes, modes: ALL, ..EACH },
    Workload { name: "writes-and-stores", script: writes_and_stores, modes: DURABLE, ..EACH },
    Workload { name: "dropped-transactions", script: dropped_transactions, ..EACH },
    Workload { name: "eventual", script: eventual, ..EACH },
    Workload { name: "together", script: together, modes: DURABLE, ..EACH },
    Workload { name: "reopens", script: reopens, modes: ALL, ..EACH },
    Workload { name: "closes", script: closes, ..EACH },
    Workload { name: "shrink", script: shrink, ..EACH },
    Workload { name: "compact", script: compact, ..EACH },
    Workload {
        name: "second-region",
        script: second_region,
        formats: &[Format::Two],
        page_lens: &[1024],
        wide: false,
        ..EACH
    },
];

fn whole(random: &mut Random, page_len: usize, nth: usize) -> Write {
    Write { nth, offset: 0, data: random.bytes(page_len) }
}

fn part(random: &mut Random, page_len: usize, nth: usize) -> Write {
    Write { nth, offset: page_len / 2 - 100, data: random.bytes(200) }
}

const fn transaction(changes: Vec<Change>) -> Step {
    Step::Transaction { changes, end: End::Commit(Durability::Immediate) }
}

const fn eventually(changes: Vec<Change>) -> Step {
    Step::Transaction { changes, end: End::Commit(Durability::Eventual) }
}

const fn dropped(changes: Vec<Change>) -> Step {
    Step::Transaction { changes, end: End::Drop }
}

fn pages(_: &mut Random, _: usize) -> Vec<Step> {
    use Change::{Alloc, Free};
    let changes = [Alloc, Alloc, Free(0), Alloc, Alloc, Alloc, Free(2), Free(1), Alloc];
    changes.into_iter().map(Step::One).collect()
}

fn bulk(_: &mut Random, _: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(12)),
        Step::One(Change::FreeBulk { nth: 3, count: 5 }),
        Step::One(Change::AllocBulk(2)),
        Step::One(Change::AllocBulk(9)),
        Step::One(Change::FreeBulk { nth: 0, count: 18 }),
    ]
}

fn growth(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(4)),
        Step::Store(whole(random, page_len, 3)),
        Step::One(Change::AllocBulk(8)),
        Step::Flush,
        Step::Store(whole(random, page_len, 11)),
        Step::One(Change::AllocProtected),
        Step::One(Change::AllocBulk(20)),
        Step::One(Change::AllocBulk(40)),
    ]
}

fn protected(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocProtected),
        Step::One(Change::WriteProtected(whole(random, page_len, 0))),
        Step::One(Change::AllocProtected),
        Step::One(Change::WriteProtected(part(random, page_len, 0))),
        Step::One(Change::WriteProtected(part(random, page_len, 1))),
        Step::One(Change::Alloc),
        Step::One(Change::WriteProtected(whole(random, page_len, 1))),
        Step::One(Change::FreeProtected(0)),
        Step::One(Change::WriteProtected(part(random, page_len, 0))),
    ]
}

fn protected_bulk(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocProtectedBulk(5)),
        Step::One(Change::WriteProtected(whole(random, page_len, 3))),
        Step::One(Change::FreeProtectedBulk { nth: 1, count: 3 }),
        Step::One(Change::AllocProtectedBulk(4)),
        Step::One(Change::WriteProtected(part(random, page_len, 2))),
        Step::One(Change::FreeProtectedBulk { nth: 0, count: 6 }),
    ]
}

/// More protected pages than one page of the directory describes.
fn many_protected(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocProtectedBulk(30)),
        Step::One(Change::AllocProtectedBulk(15)),
        Step::One(Change::WriteProtected(whole(random, page_len, 44))),
        Step::One(Change::WriteProtected(part(random, page_len, 2))),
        Step::One(Change::FreeProtectedBulk { nth: 25, count: 10 }),
        Step::One(Change::AllocProtected),
    ]
}

fn dropped_writer(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocProtected),
        Step::DropWriter(whole(random, page_len, 0)),
        Step::One(Change::WriteProtected(whole(random, page_len, 0))),
        Step::DropWriter(whole(random, page_len, 0)),
        Step::One(Change::WriteProtected(part(random, page_len, 0))),
        Step::DropWriter(part(random, page_len, 0)),
        Step::Reopen,
        Step::DropWriter(whole(random, page_len, 0)),
        Step::One(Change::WriteProtected(part(random, page_len, 0))),
    ]
}

/// Pages that others had before: zeros, and nobody else's bytes.
fn reuse(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(3)),
        Step::Store(whole(random, page_len, 1)),
        Step::Flush,
        Step::One(Change::Free(1)),
        Step::One(Change::Alloc),
        Step::Store(part(random, page_len, 1)),
        Step::One(Change::Free(1)),
        Step::One(Change::AllocProtected),
        Step::One(Change::WriteProtected(whole(random, page_len, 0))),
        Step::One(Change::FreeProtected(0)),
        Step::One(Change::AllocBulk(3)),
        Step::One(Change::AllocProtected),
        Step::Store(part(random, page_len, 4)),
        Step::One(Change::Alloc),
    ]
}

fn stores(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(3)),
        Step::Store(whole(random, page_len, 0)),
        Step::Store(part(random, page_len, 1)),
        Step::Flush,
        Step::Store(part(random, page_len, 0)),
        Step::One(Change::Alloc),
        Step::Store(part(random, page_len, 0)),
        Step::Flush,
        Step::Store(whole(random, page_len, 2)),
        Step::One(Change::Free(2)),
    ]
}

fn transactions(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        transaction(vec![Change::AllocBulk(3), Change::AllocProtectedBulk(2)]),
        transaction(vec![
            Change::WriteProtected(whole(random, page_len, 0)),
            Change::WriteProtected(part(random, page_len, 1)),
        ]),
        transaction(vec![
            Change::Free(1),
            Change::Alloc,
            Change::WriteProtected(part(random, page_len, 0)),
            Change::FreeProtected(1),
            Change::AllocProtected,
            Change::WriteProtected(part(random, page_len, 1)),
        ]),
        transaction(vec![
            Change::AllocBulk(6),
            Change::WritePage(whole(random, page_len, 8)),
            Change::WritePage(part(random, page_len, 0)),
            Change::Free(2),
            Change::AllocProtected,
        ]),
        transaction(vec![
            Change::FreeBulk { nth: 0, count: 4 },
            Change::FreeProtectedBulk { nth: 0, count: 2 },
        ]),
    ]
}

/// The same regular pages in commits that follow each other, beside new ones.
fn page_writes(random: &mut Random, page_len: usize) -> Vec<Step> {
    let mut write = |nth| Change::WritePage(part(random, page_len, nth));
    let steps = vec![
        Step::One(Change::AllocBulk(4)),
        transaction(vec![write(0), write(1)]),
        transaction(vec![write(0)]),
        transaction(vec![write(0), write(1), write(2)]),
        eventually(vec![write(1), write(3)]),
        eventually(vec![write(1)]),
        transaction(vec![Change::Alloc, write(4), write(3)]),
        transaction(vec![Change::Free(1), write(0)]),
        Step::One(Change::Alloc),
    ];
    steps
}

/// Stores into pages that a commit has just written, and the other way round.
fn writes_and_stores(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(3)),
        transaction(vec![Change::WritePage(part(random, page_len, 0))]),
        Step::Store(part(random, page_len, 0)),
        Step::Flush,
        transaction(vec![Change::WritePage(whole(random, page_len, 1))]),
        Step::Store(part(random, page_len, 1)),
        Step::Store(part(random, page_len, 2)),
        transaction(vec![Change::WritePage(part(random, page_len, 2))]),
        Step::Flush,
        eventually(vec![Change::WritePage(part(random, page_len, 2))]),
        Step::Store(part(random, page_len, 2)),
        transaction(vec![Change::WritePage(part(random, page_len, 0))]),
        Step::One(Change::Free(0)),
        Step::One(Change::Alloc),
        Step::Store(part(random, page_len, 0)),
    ]
}

fn dropped_transactions(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(2)),
        dropped(vec![Change::AllocBulk(5), Change::AllocProtected, Change::Free(0)]),
        Step::One(Change::AllocProtected),
        dropped(vec![
            Change::WriteProtected(whole(random, page_len, 0)),
            Change::WritePage(whole(random, page_len, 0)),
            Change::FreeProtected(0),
        ]),
        transaction(vec![Change::WriteProtected(part(random, page_len, 0)), Change::Alloc]),
        dropped(vec![Change::AllocBulk(20), Change::FreeBulk { nth: 0, count: 2 }]),
        Step::One(Change::Alloc),
    ]
}

fn eventual(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        eventually(vec![Change::AllocBulk(2), Change::AllocProtected]),
        eventually(vec![Change::WriteProtected(whole(random, page_len, 0))]),
        Step::Flush,
        eventually(vec![Change::WriteProtected(part(random, page_len, 0)), Change::Free(0)]),
        eventually(vec![Change::Alloc, Change::AllocProtected]),
        Step::One(Change::Alloc),
        eventually(vec![Change::FreeProtected(0), Change::AllocBulk(7)]),
        Step::Reopen,
        eventually(vec![Change::WriteProtected(part(random, page_len, 1)), Change::Free(1)]),
        Step::Close,
        eventually(vec![Change::Alloc]),
    ]
}

fn together(random: &mut Random, page_len: usize) -> Vec<Step> {
    let first = vec![Change::AllocBulk(2), Change::AllocProtected];
    let second = vec![Change::Alloc, Change::WriteProtected(whole(random, page_len, 0))];
    vec![
        Step::One(Change::Alloc),
        Step::Store(whole(random, page_len, 0)),
        Step::Together { first, second },
        // The second must not get the page that the first gives back.
        Step::Together {
            first: vec![Change::WriteProtected(part(random, page_len, 0)), Change::Free(0)],
            second: vec![Change::WriteProtected(part(random, page_len, 0)), Change::Alloc],
        },
        Step::Together {
            first: vec![Change::WritePage(part(random, page_len, 0))],
            second: vec![Change::WritePage(part(random, page_len, 0)), Change::Free(1)],
        },
    ]
}

fn reopens(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(3)),
        Step::Reopen,
        Step::One(Change::AllocProtected),
        Step::Store(whole(random, page_len, 1)),
        transaction(vec![Change::WritePage(whole(random, page_len, 0))]),
        Step::Reopen,
        Step::One(Change::WriteProtected(part(random, page_len, 0))),
        Step::One(Change::Free(1)),
        Step::Reopen,
        Step::Reopen,
        Step::One(Change::Alloc),
    ]
}

fn closes(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(2)),
        Step::Close,
        Step::One(Change::AllocProtected),
        Step::Store(whole(random, page_len, 1)),
        Step::Close,
        transaction(vec![Change::WritePage(part(random, page_len, 1)), Change::Alloc]),
        Step::Close,
        Step::One(Change::WriteProtected(part(random, page_len, 0))),
        Step::Close,
        Step::Close,
    ]
}

fn shrink(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(25)),
        Step::Store(whole(random, page_len, 20)),
        Step::One(Change::AllocProtected),
        Step::One(Change::FreeBulk { nth: 10, count: 15 }),
        Step::Shrink,
        Step::One(Change::AllocBulk(20)),
        Step::One(Change::FreeBulk { nth: 5, count: 25 }),
        Step::Shrink,
        Step::One(Change::AllocProtected),
    ]
}

fn compact(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(12)),
        Step::One(Change::AllocProtectedBulk(3)),
        Step::One(Change::WriteProtected(whole(random, page_len, 1))),
        Step::Store(whole(random, page_len, 0)),
        Step::Flush,
        Step::One(Change::FreeBulk { nth: 1, count: 11 }),
        Step::Compact,
        Step::One(Change::WriteProtected(part(random, page_len, 1))),
        Step::One(Change::AllocBulk(6)),
        Step::Compact,
    ]
}

/// More pages than the metadata pages can tell of by themselves.
fn second_region(random: &mut Random, page_len: usize) -> Vec<Step> {
    vec![
        Step::One(Change::AllocBulk(2040)),
        Step::One(Change::AllocBulk(20)),
        transaction(vec![Change::AllocProtected, Change::Free(2050)]),
        Step::One(Change::WriteProtected(part(random, page_len, 0))),
        Step::One(Change::FreeBulk { nth: 5, count: 2050 }),
        Step::Shrink,
    ]
}
