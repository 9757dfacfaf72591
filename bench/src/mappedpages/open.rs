//! Opening a file and taking a page: the same at any size.

use std::path::{Path, PathBuf};

use super::{OURS, Ours, PAGE_LEN, THEIRS, Theirs};
use crate::child::numbers;
use crate::logs::folder;
use crate::measure::{Contender, Nanoseconds, Table, Target, per_operation};

const TURNS: usize = 15;

/// The longest that an open may take.
const OPEN_NS_MAX: f64 = 10e6;

/// Pages that 0.2.0 has room for.
const FULL: usize = 16_000;

/// Pages of files of 1 GiB and of 1 TiB, in use. Their space is not reserved, and nothing is written to them.
const LARGE: [(&str, usize); 2] = [("1 GiB", 1 << 30), ("1 TiB", 1 << 40)];

/// How much longer an open and an alloc may take in the larger of them.
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

    let mut sizes = LARGE.map(|(size, len)| Sparse::new(folder.path(), size, len / PAGE_LEN));
    let small = ours.to_str().expect("a path");
    for _ in 0..TURNS {
        sizes.iter_mut().for_each(|file| file.turn(small));
    }
    for (case, of, most, is_same) in [
        ("open", (|file| &file.open) as fn(&Sparse) -> &[f64], Some(OPEN_NS_MAX), true),
        ("alloc, durable", |file| &file.alloc, None, true),
        ("the first alloc after an open, in memory", |file| &file.first, None, false),
        ("free, in memory", |file| &file.free, None, false),
    ] {
        for file in &sizes {
            let time = median(of(file));
            let value = Nanoseconds(time).to_string();
            let target =
                most.map_or(String::new(), |most| format!("at most {}", Nanoseconds(most)));
            let name = format!("{OURS}, {}", file.size);
            table.fact(case, &name, value, &target, most.map(|most| time <= most));
        }
        let [small, large] = &sizes;
        let ratio = median(of(large)) / median(of(small));
        let name = format!("{} to {}", large.size, small.size);
        let target = if is_same { format!("at most {SAME} x") } else { String::new() };
        let met = is_same.then_some(ratio <= SAME);
        table.fact(case, &name, format!("{ratio:.2} x"), &target, met);
    }
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

/// Opens a file of [`Sparse`] and prints how many nanoseconds that took; before it a small one, so that the code is
/// there. In a process of its own, as files are opened: one that has closed large files gets memory for the next
/// that it has to clear first.
pub fn child(small: &Path, file: &Path) {
    drop(Ours::open(small).expect("a file"));
    let mut opened = None;
    let time = per_operation(1, || opened = Some(Sparse::builder().open(file).expect("a file")));
    println!("{time}");
    opened.expect("a pager").close().expect("a close");
}

/// A file with all but a few pages in use, and what was measured on it.
struct Sparse {
    size: &'static str,
    path: PathBuf,
    open: Vec<f64>,
    /// An alloc that reads the maps on its way.
    first: Vec<f64>,
    alloc: Vec<f64>,
    free: Vec<f64>,
}

impl Sparse {
    fn new(folder: &Path, size: &'static str, pages: usize) -> Self {
        const FREE: usize = 1000;
        const AT_ONCE: usize = 1 << 20;
        let path = folder.join(size.replace(' ', "-"));
        let mut pager = Self::builder().create(&path).expect("a new file");
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
        let [open, first, alloc, free] = Default::default();
        Self { size, path, open, first, alloc, free }
    }

    fn builder() -> ::mappedpages::Builder<PAGE_LEN> {
        Ours::builder().durability(::mappedpages::Durability::Eventual).sparse()
    }

    /// Opens it, takes pages and gives them back.
    fn turn(&mut self, small: &str) {
        const IN_MEMORY: usize = 100;
        const COMMITS: usize = 20;
        let job = ["open-pages", small, &self.path.display().to_string()];
        self.open.push(numbers(&job)[0]);
        let mut pager = Self::builder().open(&self.path).expect("a file");
        let mut ids = Vec::new();
        self.first.push(per_operation(1, || ids.push(pager.alloc().expect("room"))));
        ids.extend((0..IN_MEMORY).map(|_| pager.alloc().expect("room")));
        let count = ids.len();
        self.free.push(per_operation(count, || {
            ids.drain(..).for_each(|id| pager.free(id).expect("a page"));
        }));
        pager.flush().expect("a flush");
        self.alloc.push(per_operation(COMMITS, || {
            for _ in 0..COMMITS {
                ids.push(pager.alloc().expect("room"));
                pager.flush().expect("a flush");
            }
        }));
        pager.free_bulk(ids).expect("pages");
        pager.close().expect("a close");
    }
}

fn median(samples: &[f64]) -> f64 {
    let mut samples = samples.to_vec();
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
