//! Hashing many leaves or parents at once.
//!
//! The same hashes as one by one, about twice as fast: SIMD lanes work on different inputs. A
//! lane wants its input in one piece, so small blocks are copied behind their prefix into a
//! scratch buffer; large ones are streamed, where a copy would cost more than it gains. Memory
//! beside the result is bounded, however many and however large the inputs are.

use std::ops::Range;

use blake2b_simd::many::{HashManyJob, MAX_DEGREE, hash_many, update_many};
use blake2b_simd::{Params, State};

use crate::fixed::Hash;
use crate::hash::{
    PARENT_INPUT_LEN, finished, hash, hash_parts, leaf_prefix, params, parent_hash, parent_input,
};

/// Inputs hashed together. More of them keep the lanes busy when their lengths differ.
const GROUP_LEN: usize = 32;

/// Few parents are hashed together in less space, which need not be cleared then.
const SMALL_GROUP_LEN: usize = 8;

/// Blocks of more bytes are streamed, not copied: measured with AVX2, the two meet at 3 to 4 KiB.
const COPIED_LEN_MAX: usize = 3 * 1024;

/// Bytes of the scratch buffer that blocks are copied into: it stays in the processor's cache.
const SCRATCH_LEN_MAX: usize = 64 * 1024;

/// Large blocks streamed together.
const STREAMED_GROUP_LEN: usize = 2 * MAX_DEGREE;

/// Bytes that may stand before a block.
const PREFIX_LEN_MAX: usize = 1024;

const _: () = assert!(PREFIX_LEN_MAX + COPIED_LEN_MAX <= SCRATCH_LEN_MAX);

/// The hashes of many blocks, as stored: leaves of the tree.
///
/// Needs less than 80 KiB beside the result and the blocks.
///
/// # Source
/// formats.md section 3.1.
#[must_use]
pub fn leaf_hashes<B: AsRef<[u8]>>(blocks: &[B]) -> Vec<Hash> {
    prefixed_hashes(blocks, leaf_prefix)
}

/// The hashes of many blocks, each behind the prefix that `prefix` makes of its length.
///
/// For trees whose leaves differ from those of [`leaf_hashes`] in what comes first. Needs less than
/// 80 KiB beside the result and the blocks. A prefix of more than 1024 bytes does not compile.
#[must_use]
pub fn prefixed_hashes<B: AsRef<[u8]>, const N: usize>(
    blocks: &[B],
    prefix: impl Fn(usize) -> [u8; N],
) -> Vec<Hash> {
    const { assert!(N <= PREFIX_LEN_MAX, "a prefix has 1024 bytes at most") };
    let mut hashes = vec![Hash::from_bytes([0; 32]); blocks.len()];
    if let ([block], [hash]) = (blocks, hashes.as_mut_slice()) {
        let block = block.as_ref();
        *hash = hash_parts(&[&prefix(block.len()), block]);
        return hashes;
    }
    let params = params();
    let mut copied = Copied::new(&params);
    let mut streamed = Vec::with_capacity(STREAMED_GROUP_LEN);
    for (block, hash) in blocks.iter().zip(&mut hashes) {
        let block = block.as_ref();
        if block.len() <= COPIED_LEN_MAX {
            copied.push(&prefix(block.len()), block, hash);
            continue;
        }
        streamed.push((block, hash));
        if streamed.len() == STREAMED_GROUP_LEN {
            stream(&params, &prefix, &mut streamed);
        }
    }
    copied.hash_all();
    stream(&params, &prefix, &mut streamed);
    hashes
}

/// Puts the hashes of inputs of one length into `hashes`, as many as both have.
pub fn hashes_into<const N: usize>(inputs: &[[u8; N]], hashes: &mut [Hash]) {
    for (inputs, hashes) in inputs.chunks(GROUP_LEN).zip(hashes.chunks_mut(GROUP_LEN)) {
        if let ([input], [place, ..]) = (inputs, &mut *hashes) {
            *place = hash(input);
        } else if inputs.len() <= SMALL_GROUP_LEN {
            group::<SMALL_GROUP_LEN, N>(inputs, hashes);
        } else {
            group::<GROUP_LEN, N>(inputs, hashes);
        }
    }
}

/// The hashes of many parents, given as (size, left child, right child).
///
/// # Source
/// formats.md section 3.1.
#[must_use]
pub fn parent_hashes(parents: &[(u64, Hash, Hash)]) -> Vec<Hash> {
    let mut hashes = vec![Hash::from_bytes([0; 32]); parents.len()];
    parent_hashes_into(parents, &mut hashes);
    hashes
}

/// Puts the hashes of parents, given as (size, left child, right child), into `hashes`, as many as both have.
///
/// # Source
/// formats.md section 3.1.
pub fn parent_hashes_into(parents: &[(u64, Hash, Hash)], hashes: &mut [Hash]) {
    for (parents, hashes) in parents.chunks(GROUP_LEN).zip(hashes.chunks_mut(GROUP_LEN)) {
        if let ([(size, left, right)], [hash, ..]) = (parents, &mut *hashes) {
            *hash = parent_hash(*size, left, right);
        } else if parents.len() <= SMALL_GROUP_LEN {
            parent_group::<SMALL_GROUP_LEN>(parents, hashes);
        } else {
            parent_group::<GROUP_LEN>(parents, hashes);
        }
    }
}

/// Hashes at most `N` parents.
fn parent_group<const N: usize>(parents: &[(u64, Hash, Hash)], hashes: &mut [Hash]) {
    let mut inputs = [[0; PARENT_INPUT_LEN]; N];
    for (input, (size, left, right)) in inputs.iter_mut().zip(parents) {
        *input = parent_input(*size, left, right);
    }
    group::<N, PARENT_INPUT_LEN>(inputs.get(..parents.len()).unwrap_or_default(), hashes);
}

/// Hashes at most `N` inputs of one length.
fn group<const N: usize, const LEN: usize>(inputs: &[[u8; LEN]], hashes: &mut [Hash]) {
    let params = params();
    let mut rest = inputs.iter();
    let mut jobs: [_; N] = std::array::from_fn(|_| {
        HashManyJob::new(&params, rest.next().map_or(&[][..], |input| input.as_slice()))
    });
    let jobs = jobs.get_mut(..inputs.len()).unwrap_or_default();
    hash_many(jobs.iter_mut());
    for (hash, job) in hashes.iter_mut().zip(jobs) {
        *hash = finished(&job.to_hash());
    }
}

/// Small blocks waiting to be hashed together, each behind its prefix.
struct Copied<'a> {
    params: &'a Params,
    scratch: Vec<u8>,
    group: Vec<(Range<usize>, &'a mut Hash)>,
}

impl<'a> Copied<'a> {
    fn new(params: &'a Params) -> Self {
        Self { params, scratch: Vec::new(), group: Vec::with_capacity(GROUP_LEN) }
    }

    fn push(&mut self, prefix: &[u8], block: &[u8], hash: &'a mut Hash) {
        let start = self.scratch.len();
        let len = prefix.len().saturating_add(block.len());
        if self.group.len() == GROUP_LEN || start.saturating_add(len) > SCRATCH_LEN_MAX {
            self.hash_all();
        }
        let start = self.scratch.len();
        self.scratch.extend_from_slice(prefix);
        self.scratch.extend_from_slice(block);
        self.group.push((start..self.scratch.len(), hash));
    }

    /// Hashes what waits; nothing waits then.
    fn hash_all(&mut self) {
        let mut ranges = self.group.iter().map(|(range, _)| range.clone());
        let mut jobs: [_; GROUP_LEN] = std::array::from_fn(|_| {
            let input = ranges.next().and_then(|range| self.scratch.get(range));
            HashManyJob::new(self.params, input.unwrap_or_default())
        });
        let jobs = jobs.get_mut(..self.group.len()).unwrap_or_default();
        hash_many(jobs.iter_mut());
        for (job, (_, hash)) in jobs.iter().zip(&mut self.group) {
            **hash = finished(&job.to_hash());
        }
        self.group.clear();
        self.scratch.clear();
    }
}

/// Hashes large blocks side by side without copying them.
fn stream<const N: usize>(
    params: &Params,
    prefix: impl Fn(usize) -> [u8; N],
    blocks: &mut Vec<(&[u8], &mut Hash)>,
) {
    let mut states: [State; STREAMED_GROUP_LEN] = std::array::from_fn(|_| params.to_state());
    for (state, (block, _)) in states.iter_mut().zip(blocks.iter()) {
        state.update(&prefix(block.len()));
    }
    update_many(states.iter_mut().zip(blocks.iter().map(|(block, _)| *block)));
    for (state, (_, hash)) in states.iter().zip(blocks.drain(..)) {
        *hash = finished(&state.finalize());
    }
}
