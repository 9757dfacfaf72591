//! What no log of this format can do without: the hashes, one signature and the writes of a batch.
//!
//! It knows nothing afterwards: no roots, no bitfield, no checkpoint, no sync.

use std::fs::File;
use std::hint::black_box;
use std::io::IoSlice;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use hypercore_crypto::{Hash, KeyPair, hash, leaf_hashes, parent_hash, parent_hashes};

/// Bytes of a node in the tree file.
const NODE_LEN: usize = 40;

/// Bytes of the entry of a batch: frame, lengths and signature.
const ENTRY_LEN: usize = 140;

/// Bytes of the roots that a signature covers, of some 10 roots.
const ROOTS_LEN: usize = 480;

/// Blocks of this many bytes are handed to the system where they are, shorter ones joined.
const JOINED_BELOW: usize = 4096;

pub struct Floor {
    key_pair: KeyPair,
    data: File,
    tree: File,
    oplog: File,
    data_len: u64,
    tree_len: u64,
    oplog_len: u64,
    joined: Vec<u8>,
    nodes: Vec<u8>,
}

impl Floor {
    pub fn new(folder: &Path) -> Self {
        let create = |name| File::create(folder.join(name)).expect("a file");
        Self {
            key_pair: KeyPair::from_seed(&[7; 32]),
            data: create("data"),
            tree: create("tree"),
            oplog: create("oplog"),
            data_len: 0,
            tree_len: 0,
            oplog_len: 0,
            joined: Vec::new(),
            nodes: Vec::new(),
        }
    }

    pub fn append(&mut self, blocks: &[Vec<u8>]) {
        let mut level = leaf_hashes(blocks);
        while level.len() > 1 {
            let pairs: Vec<(u64, Hash, Hash)> =
                level.chunks_exact(2).map(|pair| (1, pair[0], pair[1])).collect();
            level = parent_hashes(&pairs);
        }
        // Each block completes one parent on average.
        black_box(parent_hash(1, &level[0], &level[0]));
        let root = hash(&[0; ROOTS_LEN]);
        black_box(self.key_pair.sign(root.as_bytes()));
        self.write_blocks(blocks);
        let nodes = 2 * blocks.len() * NODE_LEN;
        if blocks.len() > 1 {
            self.nodes.resize(nodes, 1);
            self.tree.write_all_at(&self.nodes, self.tree_len).expect("a write");
            self.tree_len += nodes as u64;
        }
        // A short batch has its nodes in its entry.
        let entry = ENTRY_LEN + if blocks.len() > 1 { 0 } else { nodes };
        self.oplog
            .write_all_at(&[1; ENTRY_LEN + 2 * NODE_LEN][..entry], self.oplog_len)
            .expect("a write");
        self.oplog_len += entry as u64;
    }

    fn write_blocks(&mut self, blocks: &[Vec<u8>]) {
        if blocks[0].len() < JOINED_BELOW {
            self.joined.clear();
            blocks.iter().for_each(|block| self.joined.extend_from_slice(block));
            self.data.write_all_at(&self.joined, self.data_len).expect("a write");
            self.data_len += self.joined.len() as u64;
            return;
        }
        for group in blocks.chunks(512) {
            let mut slices: Vec<IoSlice<'_>> =
                group.iter().map(|block| IoSlice::new(block)).collect();
            let mut rest = slices.as_mut_slice();
            while !rest.is_empty() {
                let written =
                    rustix::io::pwritev(&self.data, rest, self.data_len).expect("a write");
                self.data_len += written as u64;
                IoSlice::advance_slices(&mut rest, written);
            }
        }
    }
}
