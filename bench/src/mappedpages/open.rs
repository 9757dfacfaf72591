//! Opening a file and taking a page: the same at any size.

use std::path::Path;

use super::{OURS, Ours, PAGE_LEN, THEIRS, Theirs};
use crate::logs::folder;
use crate::measure::{Contender, Nanoseconds, Table, Target, per_operation};

const TURNS: usize = 15;

/// The longest that an open may take.
const OPEN_NS_MAX: f64 = 10e6;

/// Pages that 0.2.0 has room for.
const FULL: usize = 16_000;

/// Pages of files of 1 GiB and of 1 TiB, in use. Their space is not reserved, and nothing is written to them.
const LARGE: [(&str, usize); 2] = [("1 GiB", 1 << 30), ("1 TiB", 1 << 40)];

/// How much longer an alloc may take in the larger of them.
const SAME: f64 = 1.5;

pub fn races(table: &mut Table) {
    let folder = folder();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    let mut pager = Ours::create(&ours).expect("a new file");
    pager.alloc_bulk(FULL).expect("room");
    pager.close().expect("a close");
    Theirs::create(&theirs).expect("a new file").alloc_bulk(FULL).expect("room");
    let contenders = vec![
        Contender::new(OURS, || opened(&ours)).target(Target::Nanoseconds(OPEN_NS_MAX)),
        Contender::new(THEIRS, || {
            let mut opened = None;
            let time = per_operation(1, || opened = Some(Theirs::open(&theirs).expect("a file")));
            drop(opened);
            time
        }),
    ];
    table.race(&format!("open, {} MiB", (FULL * PAGE_LEN) >> 20), TURNS, contenders);

    let sizes = LARGE.map(|(size, len)| (size, sparse(folder.path(), size, len / PAGE_LEN)));
    for (case, of, most) in [
        ("open", (|times| times.open) as fn(&Times) -> f64, Some(OPEN_NS_MAX)),
        ("alloc, durable", |times| times.alloc, None),
        ("the first alloc after an open, in memory", |times| times.first, None),
        ("free, in memory", |times| times.free, None),
    ] {
        for (size, times) in &sizes {
            let time = of(times);
            let value = Nanoseconds(time).to_string();
            let target =
                most.map_or(String::new(), |most| format!("at most {}", Nanoseconds(most)));
            let name = format!("{OURS}, {size}");
            table.fact(case, &name, value, &target, most.map(|most| time <= most));
        }
    }
    let ratio = sizes[1].1.alloc / sizes[0].1.alloc;
    let target = format!("at most {SAME} x");
    let name = format!("{} to {}", sizes[1].0, sizes[0].0);
    table.fact("alloc, durable", &name, format!("{ratio:.2} x"), &target, Some(ratio <= SAME));
    table.note(
        "The files of 1 GiB and 1 TiB are full but for some pages, and sparse. Before an alloc the maps above its page \
         are read once and verified: two pages in the smaller file, three in the larger.",
    );
}

fn opened(path: &Path) -> f64 {
    let mut opened = None;
    let time = per_operation(1, || opened = Some(Ours::open(path).expect("a file")));
    opened.expect("a pager").close().expect("a close");
    time
}

/// Medians.
struct Times {
    open: f64,
    /// One that reads the maps on its way.
    first: f64,
    alloc: f64,
    free: f64,
}

/// A file with all but a few pages in use, opened, and a page taken and given back.
fn sparse(folder: &Path, name: &str, pages: usize) -> Times {
    const FREE: usize = 1000;
    const AT_ONCE: usize = 1 << 20;
    const COMMITS: usize = 20;
    let path = folder.join(name.replace(' ', "-"));
    let builder = || Ours::builder().durability(::mappedpages::Durability::Eventual).sparse();
    let mut pager = builder().create(&path).expect("a new file");
    // Their numbers together would fill gigabytes.
    let mut some = Vec::new();
    for begun in (0..pages).step_by(AT_ONCE) {
        let ids = pager.alloc_bulk_uninit(AT_ONCE.min(pages - begun)).expect("room");
        if begun <= pages / 2 {
            some = ids.into_iter().take(FREE).collect();
        }
    }
    pager.free_bulk(some).expect("pages");
    pager.close().expect("a close");
    let mut samples: [Vec<f64>; 4] = Default::default();
    for _ in 0..TURNS {
        let mut opened = None;
        samples[0].push(per_operation(1, || opened = Some(builder().open(&path).expect("a file"))));
        let mut pager = opened.expect("a pager");
        let mut ids = Vec::new();
        samples[1].push(per_operation(1, || ids.push(pager.alloc().expect("room"))));
        let more: Vec<_> = (0..100).map(|_| pager.alloc().expect("room")).collect();
        ids.extend(more);
        let count = ids.len();
        samples[3].push(per_operation(count, || {
            ids.drain(..).for_each(|id| pager.free(id).expect("a page"));
        }));
        pager.flush().expect("a flush");
        samples[2].push(per_operation(COMMITS, || {
            for _ in 0..COMMITS {
                ids.push(pager.alloc().expect("room"));
                pager.flush().expect("a flush");
            }
        }));
        pager.free_bulk(ids).expect("pages");
        pager.close().expect("a close");
    }
    let [open, first, alloc, free] = samples.map(|mut sample| {
        sample.sort_by(f64::total_cmp);
        sample[sample.len() / 2]
    });
    Times { open, first, alloc, free }
}
