//! Proofs out: answers to requests, each proven here before it is given.
//!
//! A node that changed in the store would make a proof that accuses this side of lying, so every node of an answer is
//! led up to one that is known to belong to the signed tree. Blocks are looked up first and read together, neighbours with
//! one read, and hashed together.

use std::ops::Range;
use std::sync::RwLockReadGuard;

use bytes::Bytes;
use flat_tree::Index;
use hypercore_crypto::leaf_hashes;
use hypercore_merkle::{
    BlockProof, HashProof, Node, NodeLookup, Placed, Proof, ProveError, Request, Tree, TreeError,
    UpgradeRequest, VerifyError,
};

use crate::blocks::read_block;
use crate::error::{LogError, StorageError};
use crate::group::Way;
use crate::log::Log;
use crate::state::{State, tree_error};

/// Bytes of neighbouring blocks that are read together, unless one block has more.
///
/// What is read together is kept together, as long as one of the blocks waits to be sent.
const READ_TOGETHER_MAX: u64 = 64 * 1024;

/// A block of an answer, proven but for its own bytes.
struct Found {
    /// Which answer it belongs to.
    answer: usize,
    leaf: Node,
    offset: u64,
    /// To be remembered, once the block shows that the leaf is right.
    way: Option<Way>,
}

/// What was found for the answers so far.
#[derive(Default)]
struct Gathered {
    found: Vec<Found>,
    /// The last way that was proven, for the neighbour of its block.
    way: Vec<Placed>,
}

/// Where the way to a block may come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// From nodes that were proven before.
    Proven,
    /// The same; those of its neighbours are about to be asked for.
    ProvenTogether,
    /// From the nodes that count now.
    Nothing,
}

impl Found {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.leaf.size)
    }
}

impl Log {
    /// Answers a request, or `None` when the block asked for is not stored here.
    ///
    /// What the answer shows is on stable storage: a log that can sign settles first, so that a power cut can
    /// not make it sign something else in its place.
    ///
    /// # Errors
    /// [`LogError::Request`] when the request has no answer; [`LogError::CorruptBlock`], [`LogError::Corrupt`] rather than
    /// an answer that does not hold; [`LogError::Storage`].
    pub fn create_proof(&self, request: &Request) -> Result<Option<Proof>, LogError> {
        let mut answers = self.create_proofs(std::slice::from_ref(request), usize::MAX);
        answers.pop().unwrap_or(Ok(None))
    }

    /// Answers many requests as [`create_proof`](Self::create_proof) does, in order, each for itself.
    ///
    /// Stops when the blocks in the answers have `bytes_max` bytes or more together: what it gives is shorter than
    /// `requests` then, and the rest is to be asked for again. At least one request is answered. Blocks of neighbours
    /// share their memory.
    #[must_use]
    pub fn create_proofs(
        &self,
        requests: &[Request],
        bytes_max: usize,
    ) -> Vec<Result<Option<Proof>, LogError>> {
        let state = match self.settled_state() {
            Ok(state) => state,
            Err(error) => return vec![Err(error)],
        };
        let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let mut answers = Vec::with_capacity(requests.len());
        let mut gathered = Gathered { found: Vec::with_capacity(requests.len()), way: Vec::new() };
        let mut len = 0_u64;
        for (at, request) in requests.iter().enumerate() {
            let next = requests.get(at.saturating_add(1)).and_then(|next| next.block);
            let trust = match (request.block, next) {
                (Some(block), Some(next)) if next.index == block.index.saturating_add(1) => {
                    Trust::ProvenTogether
                }
                _ => Trust::Proven,
            };
            let before = gathered.found.len();
            answers.push(self.prove(&state, request, at, trust, &mut gathered));
            let size = gathered.found.get(before).map_or(0, |block| block.leaf.size);
            len = len.saturating_add(size);
            if len >= bytes_max {
                break;
            }
        }
        self.fill_in(&state, requests, &mut answers, gathered.found);
        answers
    }

    /// The state, when all of it is on stable storage or this log can not sign.
    fn settled_state(&self) -> Result<RwLockReadGuard<'_, State>, LogError> {
        let state = self.read_state();
        if !self.signs(&state) {
            return Ok(state);
        }
        drop(state);
        self.durable_state()
    }

    /// The state, all of which is on stable storage.
    pub(crate) fn durable_state(&self) -> Result<RwLockReadGuard<'_, State>, LogError> {
        // Compared under the lock that is held to the end: an append may publish between a flush and the look.
        let mut state = self.read_state();
        while self.commit.durable() != state.announced() {
            drop(state);
            self.flush()?;
            state = self.read_state();
        }
        Ok(state)
    }

    /// The nodes that lead from the tree of `range.start` blocks to that of `range.end`, which are not past the end. Each is proven.
    pub(crate) fn upgrade_nodes(
        &self,
        state: &State,
        range: Range<u64>,
    ) -> Result<Vec<Node>, LogError> {
        let nodes = upgrade_of(&state.tree, &state.nodes, range)?;
        for node in &nodes {
            self.siblings(state, *node, 0)?;
        }
        Ok(nodes)
    }

    /// An answer but for the bytes of its block, which is added to `gathered`.
    fn prove(
        &self,
        state: &State,
        request: &Request,
        answer: usize,
        trust: Trust,
        gathered: &mut Gathered,
    ) -> Result<Option<Proof>, LogError> {
        if let Some(block) = &request.block
            && !(block.index < state.tree.length() && state.bitfield.get(block.index))
        {
            return Ok(None);
        }
        let is_simple = request.seek.is_none()
            && request.upgrade.is_none()
            && !request.manifest
            && state.tree.length() > 0
            && request.fork == state.tree.fork();
        let mut proof = Proof { fork: request.fork, ..Proof::default() };
        match (&request.block, &request.hash) {
            (Some(block), _) if is_simple => {
                let levels = levels_of(state, Index::leaf(block.index), block.nodes)?;
                let nodes = self.find(state, block.index, levels, answer, trust, gathered)?;
                proof.block = Some(BlockProof { index: block.index, value: Bytes::new(), nodes });
            }
            (None, Some(hash)) if is_simple => {
                let levels = levels_of(state, Some(hash.index), hash.nodes)?;
                let node = state.nodes.node(hash.index)?;
                let missing = || ProveError::Tree(TreeError::MissingNode(hash.index));
                let node = node.ok_or_else(missing).map_err(request_error)?;
                let mut nodes = vec![node];
                nodes.extend(self.siblings(state, node, levels)?);
                proof.hash = Some(HashProof { index: hash.index, nodes });
            }
            _ => {
                proof = self.prove_any(state, request)?;
                if let Some(block) = &request.block
                    && proof.block.is_some()
                {
                    self.find(state, block.index, 0, answer, trust, gathered)?;
                }
            }
        }
        Ok(Some(proof))
    }

    /// Adds where a block stands to `gathered`, and gives the siblings on the first levels of its way up.
    fn find(
        &self,
        state: &State,
        index: u64,
        levels: usize,
        answer: usize,
        trust: Trust,
        gathered: &mut Gathered,
    ) -> Result<Vec<Node>, LogError> {
        // Where something does not fit, the slow way finds out what.
        if trust != Trust::Nothing
            && let Some(way) = state.nodes.way(index, trust == Trust::ProvenTogether)?
            && let Some(start) = self.proven.offset(state.tree.fork(), way.root())
            && let Some(offset) = way.offset(start)
        {
            let mut nodes: Vec<Node> = way.siblings().take(levels).collect();
            if levels > nodes.len() {
                let above = levels.saturating_sub(nodes.len());
                nodes.extend(self.siblings(state, *way.root(), above)?);
            }
            let leaf = way.leaf;
            let way = way.is_new().then_some(way);
            gathered.found.push(Found { answer, leaf, offset, way });
            return Ok(nodes);
        }
        let leaf = state.leaf(index)?;
        let fork = state.tree.fork();
        let is_proven = |node: &Node| {
            let kept = self.proven.offset(fork, node);
            kept.or_else(|| {
                gathered.way.iter().find(|placed| placed.node == *node).map(|at| at.offset)
            })
        };
        let path = state.tree.prove_path(&state.nodes, leaf, levels, is_proven);
        let path = path.map_err(tree_error)?;
        self.proven.keep(fork, &path.way);
        let offset = path.way.first().map_or(0, |placed| placed.offset);
        gathered.found.push(Found { answer, leaf, offset, way: None });
        gathered.way = path.way;
        Ok(path.siblings)
    }

    /// The siblings on the first levels of the way up from a node, which is proven with them.
    fn siblings(&self, state: &State, node: Node, levels: usize) -> Result<Vec<Node>, LogError> {
        let fork = state.tree.fork();
        let is_proven = |node: &Node| self.proven.offset(fork, node);
        let path = state.tree.prove_path(&state.nodes, node, levels, is_proven);
        let path = path.map_err(own_error)?;
        self.proven.keep(fork, &path.way);
        Ok(path.siblings)
    }

    /// Any kind of answer: made first, and then each of its nodes proven.
    fn prove_any(&self, state: &State, request: &Request) -> Result<Proof, LogError> {
        let signature = state.signature.as_deref();
        let manifest = state.manifest.as_ref();
        let proof = state.tree.prove(&state.nodes, request, signature, manifest);
        let proof = proof.map_err(|error| match error {
            ProveError::Tree(error) => own_error(error),
            error => request_error(error),
        })?;
        let block = proof.block.iter().flat_map(|part| &part.nodes);
        let hash = proof.hash.iter().flat_map(|part| &part.nodes);
        let seek = proof.seek.iter().flat_map(|part| &part.nodes);
        let upgrade = proof.upgrade.iter();
        let upgrade = upgrade.flat_map(|part| part.nodes.iter().chain(&part.additional_nodes));
        for node in block.chain(hash).chain(seek).chain(upgrade) {
            self.siblings(state, *node, 0)?;
        }
        Ok(proof)
    }

    /// Reads the blocks that were found, neighbours together, and puts them into their answers.
    fn fill_in(
        &self,
        state: &State,
        requests: &[Request],
        answers: &mut [Result<Option<Proof>, LogError>],
        mut found: Vec<Found>,
    ) {
        found.sort_unstable_by_key(|block| block.offset);
        let values = self.read_found(&found);
        let there: Vec<&[u8]> = values.iter().flatten().map(|value| &value[..]).collect();
        let mut hashes = leaf_hashes(&there).into_iter();
        for (block, value) in found.iter().zip(values) {
            let hash = value.as_ref().and_then(|_| hashes.next());
            let value = value.filter(|_| hash == Some(block.leaf.hash));
            if let (Some(_), Some(way)) = (&value, &block.way) {
                state.nodes.keep_proven(way);
            }
            let (Some(answer), Some(request)) =
                (answers.get_mut(block.answer), requests.get(block.answer))
            else {
                continue;
            };
            match (value, &mut *answer) {
                (Some(value), Ok(Some(Proof { block: Some(block), .. }))) => block.value = value,
                _ => *answer = self.prove_again(state, request),
            }
        }
    }

    /// Reads blocks in the order of their offsets, neighbours together; `None` stands for one that can not be read.
    fn read_found(&self, found: &[Found]) -> Vec<Option<Bytes>> {
        let mut values = Vec::with_capacity(found.len());
        let mut rest = found;
        while let Some(first) = rest.first() {
            let mut end = first.end();
            let more = rest.iter().skip(1).take_while(|block| {
                let fits = block.end().saturating_sub(first.offset) <= READ_TOGETHER_MAX;
                let is_next = block.offset == end && fits;
                end = if is_next { block.end() } else { end };
                is_next
            });
            let count = more.count().saturating_add(1);
            let (run, others) = rest.split_at(count.min(rest.len()));
            rest = others;
            let start = first.offset;
            let read = read_block(&*self.stores.data, start..end).ok().flatten();
            let read = Bytes::from(read.unwrap_or_default());
            values.extend(run.iter().map(|block| {
                let from = usize::try_from(block.offset.saturating_sub(start)).ok()?;
                let end = from.checked_add(usize::try_from(block.leaf.size).ok()?)?;
                (end <= read.len()).then(|| read.slice(from..end))
            }));
        }
        values
    }

    /// Answers a request whose block did not hold: with nothing taken for granted. Either it holds then, or this tells what is
    /// damaged.
    fn prove_again(&self, state: &State, request: &Request) -> Result<Option<Proof>, LogError> {
        let mut proof = self.prove(state, request, 0, Trust::Nothing, &mut Gathered::default())?;
        if let Some(Proof { block: Some(block), .. }) = &mut proof {
            let value = self.read_verified(state, block.index, u64::MAX)?;
            block.value = value.unwrap_or_default().into();
        }
        Ok(proof)
    }
}

/// How many levels a request may climb from a node.
fn levels_of(state: &State, index: Option<Index>, levels: u64) -> Result<usize, LogError> {
    let out_of_bounds = || request_error(ProveError::OutOfBounds(index.unwrap_or(Index::MAX)));
    let index = index.ok_or_else(out_of_bounds)?;
    let mut top = Some(index).filter(|index| state.tree.contains(*index));
    let mut climbed = 0_usize;
    while climbed as u64 != levels {
        let parent = top.and_then(Index::parent).ok_or_else(out_of_bounds)?;
        top = Some(parent).filter(|parent| state.tree.contains(*parent));
        climbed = climbed.saturating_add(1);
    }
    top.map(|_| climbed).ok_or_else(out_of_bounds)
}

/// The nodes that lead from the tree of `range.start` blocks to that of `range.end`, as they are stored.
pub(crate) fn upgrade_of<L: NodeLookup<Error = StorageError>>(
    tree: &Tree,
    nodes: &L,
    range: Range<u64>,
) -> Result<Vec<Node>, LogError> {
    let length = range.end.saturating_sub(range.start);
    if length == 0 {
        return Ok(Vec::new());
    }
    let upgrade = Some(UpgradeRequest { start: range.start, length });
    let request = Request { fork: tree.fork(), upgrade, ..Request::default() };
    // Without a manifest: its prologue would begin the upgrade elsewhere.
    let proof = tree.prove(nodes, &request, None, None).map_err(|error| match error {
        ProveError::Tree(error) => tree_error(error),
        error => request_error(error),
    })?;
    Ok(proof.upgrade.map(|upgrade| upgrade.nodes).unwrap_or_default())
}

fn request_error(error: ProveError<StorageError>) -> LogError {
    LogError::Request(Box::new(error))
}

/// An own node that is damaged or can not be read is the own fault, one that is not stored makes a request without an
/// answer.
fn own_error(error: TreeError<StorageError>) -> LogError {
    match error {
        TreeError::Lookup { .. } | TreeError::DamagedNode(_) | TreeError::SizeOverflow(_) => {
            tree_error(error)
        }
        error => request_error(ProveError::Tree(error)),
    }
}

/// A proof that does not hold accuses the peer, so a failure of the own stores must not look like one.
pub(crate) fn verify_error(error: VerifyError<StorageError>) -> LogError {
    match error {
        VerifyError::Tree(error) => tree_error(error),
        error => LogError::Proof(Box::new(error)),
    }
}
