//! Leaf and parent hashes, one at a time and many at once, against the RustCrypto crate; processor time.

use std::hint::black_box;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use hypercore_crypto::{Hash, leaf_hash, leaf_hashes, parent_hash, parent_hashes};

use crate::measure::{Contender, Table, Target, cpu_per_operation};

const TURNS: usize = 15;

/// The leaf hash as the `blake2` crate makes it.
fn blake2_leaf(block: &[u8]) -> [u8; 32] {
    let mut hasher = Blake2b::<U32>::new();
    hasher.update([0]);
    hasher.update((block.len() as u64).to_le_bytes());
    hasher.update(block);
    hasher.finalize().into()
}

pub fn table() -> Table {
    let mut table = Table::default();
    for (len, count, most) in
        [(100, 4096, Some(79.0)), (1024, 1024, None), (4096, 512, Some(1600.0))]
    {
        let blocks: Vec<Vec<u8>> = (0..count).map(|index| vec![index as u8; len]).collect();
        assert_eq!(blake2_leaf(&blocks[1]), *leaf_hash(&blocks[1]).as_bytes());
        let contenders = vec![
            Contender::new("leaf_hashes", || {
                cpu_per_operation(count, || {
                    black_box(leaf_hashes(&blocks));
                })
            })
            .target(most.map(Target::Nanoseconds)),
            Contender::new("leaf_hash", || {
                cpu_per_operation(count, || {
                    blocks.iter().for_each(|block| _ = black_box(leaf_hash(block)));
                })
            }),
            Contender::new("blake2 crate", || {
                cpu_per_operation(count, || {
                    blocks.iter().for_each(|block| _ = black_box(blake2_leaf(block)));
                })
            }),
        ];
        table.race(&format!("leaf of {len} bytes"), TURNS, contenders);
    }
    let pairs: Vec<(u64, Hash, Hash)> =
        (0..4096_u64).map(|size| (size, leaf_hash(&[1]), leaf_hash(&[2]))).collect();
    let contenders = vec![
        Contender::new("parent_hashes", || {
            cpu_per_operation(pairs.len(), || {
                black_box(parent_hashes(&pairs));
            })
        }),
        Contender::new("parent_hash", || {
            cpu_per_operation(pairs.len(), || {
                for (size, left, right) in &pairs {
                    black_box(parent_hash(*size, left, right));
                }
            })
        }),
    ];
    table.race("parent", TURNS, contenders);
    table
}
