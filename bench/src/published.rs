//! The `hypercore` crate that crates.io has, in its own words.

use std::path::Path;

use published_hypercore::{CacheOptionsBuilder, Hypercore, HypercoreBuilder, Storage};
use tokio::runtime::Runtime;

use crate::measure::per_operation;

/// Opens the log in `folder`; a new one with `overwrite`.
pub async fn open(folder: &Path, overwrite: bool) -> Hypercore {
    let storage = Storage::new_disk(&folder.to_path_buf(), overwrite).await.expect("storage");
    let builder = HypercoreBuilder::new(storage).open(!overwrite);
    builder.node_cache_options(CacheOptionsBuilder::new()).build().await.expect("a log")
}

/// Nanoseconds a block to append `blocks` so many times to a new log.
pub fn append(folder: &Path, blocks: &[Vec<u8>], batches: usize) -> f64 {
    let runtime = Runtime::new().expect("a runtime");
    let log = runtime.block_on(open(folder, true));
    per_operation(blocks.len() * batches, || {
        runtime.block_on(async {
            for _ in 0..batches {
                log.append_batch(blocks).await.expect("an append");
            }
        });
    })
}
