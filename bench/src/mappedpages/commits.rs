//! Commits, which wait for the disk: one at a time, many in one, and many threads together.

use ::mappedpages::{PageId, ProtectedPageId, SharedPager};
use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::{FORMAT_ONE, Floor, OURS, PAGE_LEN, REDB, THEIRS, format_one, ours, theirs, turns};
use crate::logs::folder;
use crate::measure::{Contender, Table, Target, per_operation};

/// Commits in a sample.
const COMMITS: usize = 100;

/// Protected pages that a transaction writes.
const TOGETHER: usize = 64;

/// Transactions in a sample.
const TRANSACTIONS: usize = 20;

/// Threads that commit together.
const THREADS: usize = 16;

pub fn races(table: &mut Table) {
    alloc_and_free(table);
    protected(table);
    transactions(table);
    threads(table);
}

/// Nanoseconds of a call, over many, on a file of its own for each sample.
macro_rules! sample {
    ($make:expr, |$pager:ident| $before:expr, |$kept:ident, $turn:ident| $call:expr) => {
        || {
            let folder = folder();
            let mut $pager = $make(&folder);
            #[allow(unused_mut, reason = "some consume what was made before")]
            let mut $kept = $before;
            per_operation(COMMITS, || {
                for $turn in 0..COMMITS {
                    $call;
                }
            })
        }
    };
}

fn alloc_and_free(table: &mut Table) {
    let alloc = vec![
        Contender::new(
            OURS,
            sample!(ours, |pager| (), |_none, _turn| pager.alloc().expect("room")),
        ),
        Contender::new(
            FORMAT_ONE,
            sample!(format_one, |pager| (), |_none, _turn| pager.alloc().expect("room")),
        ),
        Contender::new(
            THEIRS,
            sample!(theirs, |pager| (), |_none, _turn| pager.alloc().expect("room")),
        )
        .target(Target::Faster(1.5)),
        floor(),
    ];
    table.race("alloc", turns(), alloc);
    let free = vec![
        Contender::new(
            OURS,
            sample!(ours, |pager| pager.alloc_bulk(COMMITS).expect("room"), |ids, turn| pager
                .free(ids[turn])
                .expect("a page")),
        ),
        Contender::new(
            FORMAT_ONE,
            sample!(format_one, |pager| pager.alloc_bulk(COMMITS).expect("room"), |ids, turn| {
                pager.free(ids[turn]).expect("a page")
            }),
        ),
        Contender::new(
            THEIRS,
            sample!(theirs, |pager| pager.alloc_bulk(COMMITS).expect("room"), |ids, turn| pager
                .free(ids[turn])
                .expect("a page")),
        )
        .target(Target::Faster(1.5)),
        floor(),
    ];
    table.race("free", turns(), free);
}

/// One page written and synced, as often as the others commit.
fn floor<'a>() -> Contender<'a> {
    Contender::new("pwrite of a page and fdatasync", || {
        let folder = folder();
        let mut floor = Floor::new(folder.path(), 1);
        per_operation(COMMITS, || (0..COMMITS).for_each(|_| floor.commit()))
    })
}

fn protected(table: &mut Table) {
    macro_rules! write {
        ($make:expr) => {
            sample!($make, |pager| pager.alloc_protected().expect("room"), |id, turn| {
                let mut writer = id.get_mut(&mut pager).expect("a page");
                writer.page_mut().as_bytes_mut().fill(turn as u8);
                writer.commit().expect("a commit");
            })
        };
    }
    let contenders = vec![
        Contender::new(OURS, write!(ours)),
        Contender::new(FORMAT_ONE, write!(format_one)),
        Contender::new(THEIRS, write!(theirs)),
        Contender::new(format!("{REDB}, insert of a page"), || redb(1, COMMITS)),
        floor(),
    ];
    table.race("commit of one protected page", turns(), contenders);
}

fn transactions(table: &mut Table) {
    let own = || {
        let folder = folder();
        let mut pager = ours(&folder);
        let ids = pager.alloc_protected_bulk(TOGETHER).expect("room");
        per_operation(TRANSACTIONS, || {
            for turn in 0..TRANSACTIONS {
                let mut transaction = pager.transaction().expect("a pager");
                for id in &ids {
                    let page = transaction.protected_mut(*id).expect("a page");
                    page.as_bytes_mut().fill(turn as u8);
                }
                transaction.commit().expect("a commit");
            }
        })
    };
    let other = || {
        let folder = folder();
        let mut pager = theirs(&folder);
        let ids = pager.alloc_protected_bulk(TOGETHER).expect("room");
        per_operation(1, || {
            for id in &ids {
                let mut writer = id.get_mut(&mut pager).expect("a page");
                writer.page_mut().as_bytes_mut().fill(9);
                writer.commit().expect("a commit");
            }
        })
    };
    let least = || {
        let folder = folder();
        let mut floor = Floor::new(folder.path(), TOGETHER);
        per_operation(TRANSACTIONS, || (0..TRANSACTIONS).for_each(|_| floor.commit()))
    };
    let contenders = vec![
        Contender::new(format!("{OURS}, one transaction"), own),
        Contender::new(format!("{THEIRS}, {TOGETHER} commits"), other).target(Target::Faster(20.0)),
        Contender::new(format!("{REDB}, one transaction"), || redb(TOGETHER, TRANSACTIONS)),
        Contender::new("one pwrite of the pages and fdatasync", least).target(Target::Within(2.5)),
    ];
    table.race(&format!("{TOGETHER} protected pages"), turns(), contenders);
}

/// Nanoseconds of a transaction that inserts so many pages.
fn redb(pages: usize, transactions: usize) -> f64 {
    const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("pages");
    let folder = folder();
    let database = Database::create(folder.path().join("redb")).expect("a new database");
    let page = vec![7; PAGE_LEN];
    let insert = || {
        let transaction = database.begin_write().expect("a transaction");
        {
            let mut table = transaction.open_table(TABLE).expect("a table");
            for key in 0..pages as u64 {
                table.insert(key, page.as_slice()).expect("room");
            }
        }
        transaction.commit().expect("a commit");
    };
    insert();
    let time = per_operation(transactions, || (0..transactions).for_each(|_| insert()));
    let read = database.begin_read().expect("a transaction");
    assert!(read.open_table(TABLE).is_ok());
    time
}

fn threads(table: &mut Table) {
    let contenders = vec![
        Contender::new(format!("{OURS}, {THREADS} threads"), || committing(THREADS)),
        Contender::new(format!("{OURS}, one thread"), || committing(1)).target(Target::Faster(5.0)),
    ];
    table.race("commits of a protected page through a shared handle", turns(), contenders);
    let contenders = vec![
        Contender::new(format!("{OURS}, {THREADS} threads"), || allocating(THREADS)),
        Contender::new(format!("{OURS}, one thread"), || allocating(1)).target(Target::Faster(5.0)),
    ];
    table.race("allocs through a shared handle", turns(), contenders);
}

/// Nanoseconds a commit when so many threads write a protected page each, over and over.
fn committing(threads: usize) -> f64 {
    let folder = folder();
    let mut pager = ours(&folder);
    let ids = pager.alloc_protected_bulk(threads).expect("room");
    let shared = SharedPager::new(pager);
    per_operation(threads * COMMITS, || {
        std::thread::scope(|scope| {
            for id in ids {
                let shared = shared.clone();
                scope.spawn(move || (0..COMMITS).for_each(|turn| write(&shared, id, turn as u8)));
            }
        });
    })
}

fn write(shared: &SharedPager<PAGE_LEN>, id: ProtectedPageId<PAGE_LEN>, byte: u8) {
    let written = shared.write(|transaction| {
        transaction.protected_mut(id)?.as_bytes_mut().fill(byte);
        Ok::<_, ::mappedpages::MappedPageError>(())
    });
    written.expect("a commit");
}

/// Nanoseconds an alloc when so many threads do.
fn allocating(threads: usize) -> f64 {
    let folder = folder();
    let shared = SharedPager::new(ours(&folder));
    per_operation(threads * COMMITS, || {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let shared = shared.clone();
                scope.spawn(move || {
                    for _ in 0..COMMITS {
                        let page: Result<PageId<PAGE_LEN>, _> =
                            shared.write(|transaction| transaction.alloc());
                        page.expect("room");
                    }
                });
            }
        });
    })
}
