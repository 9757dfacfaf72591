//! The `hypercore` crate that crates.io has, in its own words.

use std::hint::black_box;
use std::path::Path;

use hypercore_schema::RequestBlock;
use published_hypercore::{CacheOptionsBuilder, Hypercore, HypercoreBuilder, Storage};
use tokio::runtime::Runtime;

use crate::measure::per_operation;

/// A log of the published crate.
pub struct Log {
    runtime: Runtime,
    log: Hypercore,
}

impl Log {
    /// A new one in `folder`.
    pub fn new(folder: &Path) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let log = runtime.block_on(async {
            let storage = Storage::new_disk(&folder.to_path_buf(), true).await.expect("storage");
            let builder = HypercoreBuilder::new(storage);
            builder.node_cache_options(CacheOptionsBuilder::new()).build().await.expect("a log")
        });
        Self { runtime, log }
    }

    pub fn length(&self) -> u64 {
        self.log.info().length
    }

    pub fn append(&self, blocks: &[Vec<u8>]) {
        self.runtime.block_on(self.log.append_batch(blocks)).expect("an append");
    }

    pub fn get(&self, index: u64) {
        let block = self.runtime.block_on(self.log.get(index)).expect("a read");
        black_box(block.expect("a block"));
    }

    pub fn prove(&self, index: u64, nodes: u64) {
        let block = Some(RequestBlock { index, nodes });
        let proof = self.runtime.block_on(self.log.create_proof(block, None, None, None));
        black_box(proof.expect("a proof").expect("a stored block"));
    }
}

/// Nanoseconds a block to append `blocks` so many times to a new log.
pub fn append(folder: &Path, blocks: &[Vec<u8>], batches: usize) -> f64 {
    let log = Log::new(folder);
    per_operation(blocks.len() * batches, || (0..batches).for_each(|_| log.append(blocks)))
}
