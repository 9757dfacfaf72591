//! The disk backend against the raw system calls (processor time, the kernel's included) and the
//! published backend (on the clock, since it has helpers), all in the page cache.

use std::fs::File;
use std::hint::black_box;
use std::io::IoSlice;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use published_disk::RandomAccessDisk as Published;
use published_storage::RandomAccess as _;
use random_access_disk::RandomAccessDisk;
use random_access_storage::RandomAccess;

use crate::measure::{Contender, Table, Target, cpu_per_operation, per_operation, shuffled};

const LEN: usize = 16 << 20;
const TURNS: usize = 41;
/// Operations in a sample; fewer of the published backend, which takes long.
const OPERATIONS: usize = 2000;
const OPERATIONS_PUBLISHED: usize = 100;

pub fn table() -> Table {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut table = Table::default();
    races(directory.path(), &mut table);
    sparse(directory.path(), &mut table);
    exact(directory.path(), &mut table);
    table
}

fn races(directory: &Path, table: &mut Table) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let path = directory.join("races");
    let ours = RandomAccessDisk::open(&path).expect("a file");
    ours.write_at(0, &vec![1; LEN]).expect("space");
    let raw = File::options().read(true).write(true).open(&path).expect("the file");
    let mut theirs = runtime.block_on(Published::open(path.clone())).expect("the file");
    for size in [40, 4096] {
        let offsets: Vec<u64> = shuffled(LEN / 4096)
            .into_iter()
            .map(|place| (place * 4096) as u64)
            .cycle()
            .take(OPERATIONS)
            .collect();
        let some = &offsets[..OPERATIONS_PUBLISHED];
        let mut buffers = [vec![0; size], vec![0; size]];
        let [one, two] = &mut buffers;
        let contenders = vec![
            Contender::new("read_at", || {
                cpu_per_operation(OPERATIONS, || {
                    for offset in &offsets {
                        ours.read_at(*offset, black_box(one)).expect("in bounds");
                    }
                })
            }),
            Contender::new("read_vec_at", || {
                cpu_per_operation(OPERATIONS, || {
                    for offset in &offsets {
                        black_box(ours.read_vec_at(*offset, size).expect("in bounds"));
                    }
                })
            }),
            Contender::new("raw pread", || {
                cpu_per_operation(OPERATIONS, || {
                    for offset in &offsets {
                        black_box(raw.read_at(black_box(two), *offset).expect("in bounds"));
                    }
                })
            })
            .target(Target::Within(1.3)),
        ];
        table.race(&format!("cached read of {size} bytes"), TURNS, contenders);
        let contenders = vec![
            Contender::new("read_vec_at", || {
                per_operation(OPERATIONS, || {
                    for offset in &offsets {
                        black_box(ours.read_vec_at(*offset, size).expect("in bounds"));
                    }
                })
            }),
            Contender::new("published 3.0.1 (tokio)", || {
                per_operation(OPERATIONS_PUBLISHED, || {
                    runtime.block_on(async {
                        for offset in some {
                            black_box(theirs.read(*offset, size as u64).await.expect("in bounds"));
                        }
                    });
                })
            }),
        ];
        table.race("the same, on the clock", TURNS, contenders);
        let data = vec![3; size];
        let (front, back) = data.split_at(size / 2);
        let contenders = vec![
            Contender::new("write_at", || {
                cpu_per_operation(OPERATIONS, || {
                    for offset in &offsets {
                        ours.write_at(*offset, black_box(&data)).expect("space");
                    }
                })
            }),
            Contender::new("write_vectored_at, two halves", || {
                cpu_per_operation(OPERATIONS, || {
                    for offset in &offsets {
                        let halves = [IoSlice::new(front), IoSlice::new(back)];
                        ours.write_vectored_at(*offset, &halves).expect("space");
                    }
                })
            }),
            Contender::new("raw pwrite", || {
                cpu_per_operation(OPERATIONS, || {
                    for offset in &offsets {
                        black_box(raw.write_at(black_box(&data), *offset).expect("space"));
                    }
                })
            })
            .target(Target::Within(1.3)),
        ];
        table.race(&format!("cached write of {size} bytes"), TURNS, contenders);
        // Apart: with tokio it syncs every write and cannot be told not to, which would disturb
        // the others.
        let contenders = vec![Contender::new("published 3.0.1 (tokio), synced", || {
            per_operation(5, || {
                runtime.block_on(async {
                    for offset in &offsets[..5] {
                        theirs.write(*offset, &data).await.expect("space");
                    }
                });
            })
        })];
        table.race(&format!("published write of {size} bytes"), 11, contenders);
    }
}

fn sparse(directory: &Path, table: &mut Table) {
    let path = directory.join("sparse");
    let store = RandomAccessDisk::open(&path).expect("a file");
    store.write_at(0, &[1; 10]).expect("space");
    store.write_at(9877, &[2; 1123]).expect("space");
    let near = disk_use(&path);
    store.write_at(1 << 40, &[3; 10]).expect("space");
    let far = disk_use(&path);
    table.fact(
        "du after 0..10 and 9877..11000",
        "",
        format!("{near} KiB"),
        "at most 12",
        Some(near <= 12),
    );
    table.fact(
        "du after 10 bytes at 1 TiB as well",
        "",
        format!("{far} KiB"),
        "at most 24",
        Some(far <= 24),
    );
}

/// What `du` says, in KiB.
fn disk_use(path: &Path) -> u64 {
    let output = Command::new("du").arg("-k").arg(path).output().expect("du");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().next().and_then(|size| size.parse().ok()).expect("a size")
}

fn exact(directory: &Path, table: &mut Table) {
    let store = RandomAccessDisk::open(directory.join("exact")).expect("a file");
    for (name, len) in [("2 MiB + 1", (2 << 20) + 1), ("20 MiB", 20 << 20), ("1 GiB", 1 << 30)] {
        let mut data = vec![0; len];
        for (place, bytes) in data.chunks_mut(8).enumerate() {
            let word = (place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            bytes.copy_from_slice(&word[..bytes.len()]);
        }
        store.write_at(5, &data).expect("space");
        let same = store.read_vec_at(5, len).expect("in bounds") == data;
        let value = if same { "exact" } else { "differs" };
        table.fact("read of all in one call", name, value.to_owned(), "right", Some(same));
        store.truncate(0).expect("a file");
    }
}
