//! Neighbouring blocks, read together: one look at the state, one read of the data store, all hashes side by side.
//!
//! Each block is proven as a single one is. Whatever is not as it mostly is ends the run, so that nothing has to be explained
//! here: a read of that block alone finds out what is the matter.

use std::ops::Range;

use hypercore_crypto::{Hash, leaf_hashes};

use crate::blocks::read_block;
use crate::group::Way;
use crate::log::Log;
use crate::state::State;

/// Blocks whose places are known, one after the other.
#[derive(Default)]
struct Places {
    /// In the data store.
    bytes: Range<u64>,
    leaves: Vec<(Hash, usize)>,
}

impl Places {
    /// Adds the block that begins at `offset`, if it is the next one and all together have at most `len_max` bytes.
    fn add(&mut self, hash: Hash, offset: u64, len: u64, len_max: u64) -> Option<()> {
        if self.leaves.is_empty() {
            self.bytes = offset..offset;
        }
        let end = offset.checked_add(len)?;
        if offset != self.bytes.end || end.checked_sub(self.bytes.start)? > len_max {
            return None;
        }
        self.bytes.end = end;
        self.leaves.push((hash, usize::try_from(len).ok()?));
        Some(())
    }
}

impl Log {
    /// The first blocks of a range, as they are stored, as far as they can be read and proven at once: at most `len_max` bytes
    /// together. None, or not all, is no error, but left to [`get`](Self::get).
    #[must_use]
    pub fn get_run(&self, blocks: Range<u64>, len_max: u64) -> Vec<Vec<u8>> {
        let state = self.read_state();
        self.read_run(&state, blocks, len_max)
    }

    /// Finds the place of the block after those in `places`, if it is here. Ways that are not known to be proven go into
    /// `ways`.
    fn add_place(
        &self,
        state: &State,
        index: u64,
        len_max: u64,
        places: &mut Places,
        ways: &mut Vec<Way>,
    ) -> Option<()> {
        if !state.bitfield.get(index) {
            return None;
        }
        let way = state.nodes.way(index, true).ok()??;
        let fork = state.tree.fork();
        let start = self.proven.offset(fork, way.root()).or_else(|| {
            self.prove_leaf(state, index).ok()?;
            self.proven.offset(fork, way.root())
        });
        places.add(way.leaf.hash, way.offset(start?)?, way.leaf.size, len_max)?;
        if way.is_new() {
            ways.push(way);
        }
        Some(())
    }

    /// Reads a run of blocks that are here.
    pub(crate) fn read_run(&self, state: &State, blocks: Range<u64>, len_max: u64) -> Vec<Vec<u8>> {
        if !self.options.verify_reads {
            return Vec::new();
        }
        let mut places = Places::default();
        let mut ways = Vec::new();
        for index in blocks.start..blocks.end.min(state.tree.length()) {
            if self.add_place(state, index, len_max, &mut places, &mut ways).is_none() {
                break;
            }
        }
        let Ok(Some(bytes)) = read_block(&*self.stores.data, places.bytes) else {
            return Vec::new();
        };
        let mut rest = &bytes[..];
        let mut run = Vec::with_capacity(places.leaves.len());
        for (_, len) in &places.leaves {
            let Some((block, after)) = rest.split_at_checked(*len) else { break };
            run.push(block);
            rest = after;
        }
        let hashes = leaf_hashes(&run).into_iter().zip(&places.leaves);
        let good = hashes.take_while(|(hash, (leaf, _))| hash == leaf).count();
        run.truncate(good);
        if good == places.leaves.len() {
            ways.iter().for_each(|way| state.nodes.keep_proven(way));
        }
        run.into_iter().map(<[u8]>::to_vec).collect()
    }
}
