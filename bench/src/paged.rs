//! Lists of entries in files, against paged 0.1.1 and a slice in memory: reading at random, searching, threads,
//! scanning, writing.
//!
//! 10,000,000 sorted numbers of eight bytes on pages of 4096 bytes, in a file that the published crate has written
//! and the system has in memory; a tenth of them with `--quick`. The same numbers in a container have checksums, which
//! are verified once. The published reader keeps every page that it has decoded: it is measured after it has seen
//! them all.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::thread;

use paged::container::{Container, NO_HEAP, Writer};
use paged::{Encoder, Entries, FileSource, Heap, Map, ReadOptions, Reader, Section, Source};
use published_paged as published;

use crate::measure::{
    Contender, Table, Target, cpu_per_operation, is_quick, mebibytes, per_operation, resident,
};

const PAGE_LEN: u32 = 4096;
/// What entry `n` is: not every number is one.
const STEP: u64 = 3;

/// Ways to read that have targets.
const MAP: &str = "map";
const CHECKED: &str = "map of a container";
const FILE: &str = "file, cache of all";

/// Takes in the whole file.
const LARGE_CACHE: u64 = 256 << 20;

/// Samples of each race, one more than are counted.
fn turns() -> usize {
    if is_quick() { 5 } else { 11 }
}

pub fn table() -> Table {
    let mut table = Table::default();
    let count = if is_quick() { 1_000_000 } else { 10_000_000 };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("numbers");
    let peer = Peer::write(&path, count);
    let slice: Vec<u64> = numbers(count).collect();

    let map = Reader::new(Map::open(&path).expect("a map"), PAGE_LEN, 0).expect("a reader");
    let file = |cache_limit| {
        let options = ReadOptions::new().cache_limit(cache_limit);
        let source = FileSource::open(&path).expect("a file");
        Reader::with_options(source, PAGE_LEN, 0, options).expect("a reader")
    };
    let (large, small) = (file(LARGE_CACHE), file(paged::CACHE_LIMIT_DEFAULT));
    let container = folder.path().join("container");
    write_container(BufWriter::new(File::create(&container).expect("a file")), count);
    let container = Container::new(Map::open(&container).expect("a map")).expect("a container");
    let section = Section::<u64>::new(0, count);
    let [map, checked, large, small] =
        [&map as &dyn Lookup, container.reader(), &large, &small].map(|reader| (reader, section));
    let name = |case: &str| format!("{case} {} entries", crate::measure::spaced(count as usize));

    let order = random(count);
    for (case, (reader, section)) in
        [(MAP, map), (CHECKED, checked), (FILE, large), ("file, cache of 8 MiB", small)]
    {
        let mut contenders = vec![
            Contender::new(format!("paged, {case}"), || {
                cpu_per_operation(order.len(), || reader.get_all(section, &order))
            }),
            Contender::new("0.1.1", || cpu_per_operation(order.len(), || peer.get_all(&order)))
                .target((case != "file, cache of 8 MiB").then_some(Target::Faster(10.0))),
        ];
        if [MAP, CHECKED].contains(&case) {
            contenders.push(
                Contender::new("a slice", || {
                    cpu_per_operation(order.len(), || {
                        index_all(&slice, &order);
                    })
                })
                .target(Target::Within(3.0)),
            );
        }
        table.race(&name("get 1 of"), turns(), contenders);
    }

    let first: Vec<u32> = order.iter().take(count as usize / 500).copied().collect();
    table.race(
        &name("the first gets, 1 for each page, of"),
        turns(),
        vec![
            Contender::new("paged, file, cache of 8 MiB", || {
                let reader = file(paged::CACHE_LIMIT_DEFAULT);
                cpu_per_operation(first.len(), || reader.get_all(section, &first))
            }),
            Contender::new("paged, map", || {
                let reader = Reader::new(Map::open(&path).expect("a map"), PAGE_LEN, 0);
                let reader = reader.expect("a reader");
                cpu_per_operation(first.len(), || reader.get_all(section, &first))
            }),
            Contender::new("0.1.1", || {
                let peer = Peer::open(&path, peer.section, peer.heap);
                cpu_per_operation(first.len(), || peer.get_all(&first))
            }),
        ],
    );

    let wanted: Vec<u64> =
        order[..order.len() / 5].iter().map(|index| u64::from(*index) * STEP).collect();
    for (case, (reader, section)) in [(MAP, map), (CHECKED, checked), (FILE, large)] {
        table.race(
            &name("binary search in"),
            turns(),
            vec![
                Contender::new(format!("paged, {case}"), || {
                    cpu_per_operation(wanted.len(), || reader.search_all(section, &wanted))
                }),
                Contender::new("0.1.1", || {
                    cpu_per_operation(wanted.len(), || peer.search_all(&wanted))
                })
                .target(Target::Faster(5.0)),
                Contender::new("a slice", || {
                    cpu_per_operation(wanted.len(), || {
                        for wanted in &wanted {
                            black_box(slice.binary_search(wanted)).expect("is there");
                        }
                    })
                }),
            ],
        );
    }

    for (case, (reader, section)) in [(MAP, map), (CHECKED, checked), (FILE, large)] {
        threads(&mut table, &format!("paged, {case}"), Some(1.8), &|| {
            reader.get_all(section, &order);
        });
    }
    threads(&mut table, "0.1.1", None, &|| peer.get_all(&order));
    threads(&mut table, "a slice", None, &|| index_all(&slice, &order));

    table.race(
        &name("scan of"),
        turns(),
        vec![
            Contender::new("paged, map", || {
                cpu_per_operation(count as usize, || map.0.scan(section))
            }),
            Contender::new("paged, file", || {
                cpu_per_operation(count as usize, || small.0.scan(section))
            }),
            Contender::new("0.1.1", || cpu_per_operation(count as usize, || peer.scan())),
            Contender::new("a slice", || {
                cpu_per_operation(count as usize, || {
                    black_box(slice.iter().fold(0, |sum: u64, number| sum.wrapping_add(*number)));
                })
            }),
        ],
    );
    drop(slice);
    memory(&mut table, &path, &order, count);
    writing(&mut table, folder.path(), count);
    table.note(
        "0.1.1 keeps every decoded page for ever, so its cache holds the whole file here, and was filled before the \
         clock ran; \"cache of all\" is the same for ours. Nine of ten of 10,000,000 entries do not fit into 8 MiB and \
         are fetched anew, by a system call each: that row has no target, since no read of a file is ten times as \
         fast as a page that is in memory.",
    );
    table
}

fn index_all(slice: &[u64], order: &[u32]) {
    for index in order {
        black_box(slice[*index as usize]);
    }
}

/// A reader of any source.
trait Lookup: Sync {
    fn get_all(&self, section: Section<u64>, order: &[u32]);
    fn search_all(&self, section: Section<u64>, wanted: &[u64]);
    fn scan(&self, section: Section<u64>);
}

impl<S: Source> Lookup for Reader<S> {
    fn get_all(&self, section: Section<u64>, order: &[u32]) {
        let entries: Entries<'_, S, u64> = self.entries(section, None).expect("lies in the file");
        for index in order {
            black_box(entries.get(*index).expect("is read").expect("is there"));
        }
    }

    fn search_all(&self, section: Section<u64>, wanted: &[u64]) {
        let entries = self.entries(section, None).expect("lies in the file");
        for wanted in wanted {
            let found = entries.binary_search_by(|entry| entry.cmp(wanted)).expect("is read");
            black_box(found).expect("is there");
        }
    }

    fn scan(&self, section: Section<u64>) {
        let entries = self.entries(section, None).expect("lies in the file");
        let sum = |sum: u64, entry: Result<u64, _>| sum.wrapping_add(entry.expect("is read"));
        black_box(entries.iter().fold(0, sum));
    }
}

/// The published reader, with its cache.
struct Peer {
    reader: published::Reader<BufReader<File>>,
    cache: published::Cache<u64>,
    section: published::Section<u64>,
    heap: published::HeapSection,
}

impl Peer {
    fn write(path: &Path, count: u32) -> Self {
        let output = BufWriter::new(File::create(path).expect("a file"));
        let mut encoder = published::Encoder::new(output, PAGE_LEN);
        let mut heap = published::Heap::new();
        let mut section = encoder.begin_section(&mut heap);
        for index in 0..u64::from(count) {
            section.push(&(), &(index * STEP)).expect("is written");
        }
        let section = section.end().expect("is written");
        let heap = encoder.add_heap(heap).expect("is written");
        encoder.end().flush().expect("is written");
        Self::open(path, section, heap)
    }

    fn open(path: &Path, section: published::Section<u64>, heap: published::HeapSection) -> Self {
        let input = BufReader::new(File::open(path).expect("a file"));
        let reader = published::Reader::new(input, PAGE_LEN, 0);
        Self { reader, cache: published::Cache::default(), section, heap }
    }

    fn get_all(&self, order: &[u32]) {
        let context = published::no_context_mut();
        for index in order {
            let entry = self.reader.get(self.section, &self.cache, context, self.heap, *index);
            black_box(*entry.expect("is read").expect("is there"));
        }
    }

    fn search_all(&self, wanted: &[u64]) {
        let context = published::no_context_mut();
        for wanted in wanted {
            let compare = |entry: &u64, (): &()| entry.cmp(wanted);
            let (section, heap) = (self.section, self.heap);
            let found =
                self.reader.binary_search_by_key(section, &self.cache, context, heap, compare);
            black_box(*found.expect("is read").expect("is there"));
        }
    }

    fn scan(&self) {
        let entries = self.reader.iter(self.section, &self.cache, self.heap);
        let sum = entries.fold(0_u64, |sum, entry| sum.wrapping_add(*entry.expect("is read")));
        black_box(sum);
    }
}

/// What four threads do on two cores, in the time of one. Something else at work on the machine takes
/// its share of the second core: the row of a slice, which nothing is shared by, says what there was to be had.
fn threads(table: &mut Table, name: &str, least: Option<f64>, work: &(dyn Fn() + Sync)) {
    let per_thread = |count: usize| {
        per_operation(count, || {
            thread::scope(|scope| {
                for _ in 0..count {
                    scope.spawn(|| (0..4).for_each(|_| work()));
                }
            });
        })
    };
    work();
    let mut ratios: Vec<f64> = (0..7).map(|_| per_thread(1) / per_thread(4)).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[ratios.len() / 2];
    let target = least.map(|least| format!("at least {least} x")).unwrap_or_default();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let case = format!("get by 4 threads on {cores} cores, to one thread");
    table.fact(&case, name, format!("{ratio:.2} x"), &target, least.map(|least| ratio >= least));
}

/// What stays in memory after entries all over the file were read.
fn memory(table: &mut Table, path: &Path, order: &[u32], count: u32) {
    let before = resident();
    let reader = Reader::open(path, PAGE_LEN, 0).expect("a reader");
    reader.get_all(Section::new(0, count), order);
    let taken = resident().saturating_sub(before);
    let held = taken <= paged::CACHE_LIMIT_DEFAULT * 3 / 2;
    let case = "memory after random gets";
    table.fact(case, "paged, file", mebibytes(taken), "at most half more than 8 MiB", Some(held));
    drop(reader);
    let before = resident();
    let peer = Peer::write(&path.with_extension("peer"), count);
    peer.get_all(order);
    table.fact(case, "0.1.1", mebibytes(resident().saturating_sub(before)), "", None);
}

/// A container with the numbers.
fn write_container(output: impl Write, count: u32) {
    let mut writer = Writer::new(output, PAGE_LEN).expect("a writer");
    push_all(&mut writer, count);
    writer.finish().expect("is written").flush().expect("is written");
}

fn push_all(writer: &mut Writer<impl Write>, count: u32) {
    let mut section = writer.begin_section("numbers", NO_HEAP).expect("a section");
    for number in numbers(count) {
        section.push(&(), &number).expect("is written");
    }
    section.end().expect("is written");
}

fn numbers(count: u32) -> impl Iterator<Item = u64> {
    (0..u64::from(count)).map(|index| index * STEP)
}

/// Nanoseconds for a byte, to be told as a speed.
fn writing(table: &mut Table, folder: &Path, count: u32) {
    let path = folder.join("written");
    let bytes = count as usize * 8;
    let content: Vec<u8> = numbers(count).flat_map(u64::to_be_bytes).collect();
    let output = || BufWriter::new(File::create(&path).expect("a file"));
    table.race(
        "write, for a byte",
        turns(),
        vec![
            Contender::new("paged, plain", || {
                per_operation(bytes, || {
                    let mut encoder = Encoder::new(output(), PAGE_LEN);
                    let mut heap = Heap::new();
                    let mut section = encoder.begin_section(&mut heap).expect("a section");
                    for number in numbers(count) {
                        section.push(&(), &number).expect("is written");
                    }
                    section.end().expect("is written");
                    encoder.end().expect("is written").flush().expect("is written");
                })
            })
            .target(Target::Nanoseconds(2.0)),
            Contender::new("paged, container", || {
                per_operation(bytes, || {
                    write_container(output(), count);
                })
            })
            .target(Target::Nanoseconds(2.0)),
            Contender::new("0.1.1", || {
                per_operation(bytes, || drop(black_box(Peer::write(&path, count))))
            }),
            Contender::new("the bytes at once", || {
                per_operation(bytes, || std::fs::write(&path, &content).expect("is written"))
            })
            .target(Target::Faster(0.5)),
        ],
    );
    table.race(
        "write and sync, for a byte",
        turns(),
        vec![
            Contender::new("paged, container in the place of an older one", || {
                per_operation(bytes, || {
                    let mut writer = Writer::create_or_replace(&path, PAGE_LEN).expect("a writer");
                    push_all(&mut writer, count);
                    writer.publish().expect("is written");
                })
            }),
            Contender::new("the bytes at once and fdatasync", || {
                per_operation(bytes, || {
                    let mut file = File::create(&path).expect("a file");
                    file.write_all(&content).expect("is written");
                    file.sync_data().expect("is written");
                })
            })
            .target(Target::Faster(0.5)),
        ],
    );
    table.note(
        "A nanosecond for a byte is 1000 MB/s; of the two targets of writing without a sync one is enough.",
    );
}

/// As many indices as a sample has, in no order.
fn random(count: u32) -> Vec<u32> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 32) * u64::from(count) >> 32) as u32
    };
    (0..1_000_000).map(|_| next()).collect()
}
