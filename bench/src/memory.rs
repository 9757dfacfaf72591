//! The memory backend against the published one, with pages of 1 KiB both; processor time.

use std::hint::black_box;

use published_memory::RandomAccessMemory as Published;
use published_storage::RandomAccess as _;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;

use crate::measure::{Contender, Table, cpu_per_operation, shuffled};

const LEN: usize = 16 << 20;
const TURNS: usize = 15;

pub fn table() -> Table {
    let mut table = Table::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let ours = RandomAccessMemory::new();
    let mut theirs = Published::new(1024);
    let all = vec![1; LEN];
    ours.write_at(0, &all).expect("memory");
    runtime.block_on(theirs.write(0, &all)).expect("memory");
    for (size, operations) in [(40, 4096), (4096, 1024), (1 << 20, 8)] {
        let offsets: Vec<u64> = shuffled(LEN / size)
            .into_iter()
            .map(|place| (place * size) as u64)
            .cycle()
            .take(operations)
            .collect();
        let data = vec![2; size];
        let contenders = vec![
            Contender::new("random-access-memory", || {
                cpu_per_operation(operations, || {
                    for offset in &offsets {
                        black_box(ours.read_vec_at(*offset, size).expect("in bounds"));
                    }
                })
            }),
            Contender::new("published 3.0.0", || {
                cpu_per_operation(operations, || {
                    runtime.block_on(async {
                        for offset in &offsets {
                            black_box(theirs.read(*offset, size as u64).await.expect("in bounds"));
                        }
                    });
                })
            }),
        ];
        table.race(&format!("read {size} bytes"), TURNS, contenders);
        let contenders = vec![
            Contender::new("random-access-memory", || {
                cpu_per_operation(operations, || {
                    for offset in &offsets {
                        ours.write_at(*offset, &data).expect("memory");
                    }
                })
            }),
            Contender::new("published 3.0.0", || {
                cpu_per_operation(operations, || {
                    runtime.block_on(async {
                        for offset in &offsets {
                            theirs.write(*offset, &data).await.expect("memory");
                        }
                    });
                })
            }),
        ];
        table.race(&format!("write {size} bytes"), TURNS, contenders);
    }
    table
}
