//! Proofs in: each verified on what those before it brought, all stored together.
//!
//! Nothing is written before the last one is verified, and then with as few writes as the blocks have gaps between
//! them: the blocks, one run of entries, one round of syncs. A proof that does not hold leaves nothing behind.

use std::collections::HashMap;
use std::sync::MutexGuard;

use flat_tree::Index;
use hypercore_crypto::Manifest;
use hypercore_merkle::{Authority, Leaf, Node, NodeLookup, Overlay, Part, Proof, Tree, Verified};

use crate::append::STORED_BLOCK_LEN_MAX;
use crate::blocks::write_blocks;
use crate::commit::Unsynced;
use crate::entry::{BitfieldUpdate, Entry, TreeUpgrade};
use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::options::Rhythm;
use crate::proofs::verify_error;
use crate::state::{State, tree_error};
use crate::stores::FileName;
use crate::writer::Writer;

/// The key of the user data that says that a log which signs has sizes that were only claimed.
const CLAIMS: &str = "hypercore-log/claims";

/// What a proof brought.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// The block that is stored now.
    pub block: Option<u64>,
    /// Whether the log grew.
    pub upgraded: bool,
    /// Blocks in the log now.
    pub length: u64,
}

/// What the proofs of a batch brought so far, verified and not stored.
#[derive(Default)]
struct Incoming<'a> {
    /// The tree, where it grew, and its signature.
    grown: Option<(Tree, Option<Vec<u8>>)>,
    /// In the order they came; of two with one index the last counts.
    nodes: Vec<Node>,
    by_index: HashMap<Index, Node>,
    blocks: Vec<Block<'a>>,
    /// Whether among the nodes of a log that signs are some whose sizes are claimed.
    claims: bool,
}

/// A block and where it goes.
struct Block<'a> {
    index: u64,
    offset: u64,
    value: &'a [u8],
}

/// What is stored, below what is about to be.
struct Known<'a> {
    state: &'a State,
    incoming: &'a Incoming<'a>,
}

impl NodeLookup for Known<'_> {
    type Error = StorageError;

    fn node(&self, index: Index) -> Result<Option<Node>, StorageError> {
        match self.incoming.by_index.get(&index) {
            Some(node) => Ok(Some(*node)),
            None => self.state.nodes.node(index),
        }
    }

    fn has_block(&self, block: u64) -> Result<bool, StorageError> {
        let comes = self.incoming.blocks.iter().any(|incoming| incoming.index == block);
        Ok(comes || self.state.bitfield.get(block))
    }
}

impl<'a> Incoming<'a> {
    fn add(&mut self, nodes: Vec<Node>, block: Option<Block<'a>>) {
        self.by_index.extend(nodes.iter().map(|node| (node.index, *node)));
        if self.nodes.is_empty() {
            self.nodes = nodes;
        } else {
            self.nodes.extend(nodes);
        }
        self.blocks.extend(block);
    }

    /// Where block `index` goes, if it is the one after the last.
    fn next_offset(&self, index: u64) -> Option<u64> {
        let last = self.blocks.last().filter(|last| last.index.checked_add(1) == Some(index))?;
        last.offset.checked_add(last.value.len() as u64)
    }

    fn is_empty(&self) -> bool {
        self.grown.is_none() && self.nodes.is_empty() && self.blocks.is_empty()
    }
}

impl Log {
    /// Verifies a proof and stores what it brings: nodes, a longer head, a block.
    ///
    /// # Durability
    /// As [`append`](Self::append).
    ///
    /// # Errors
    /// [`LogError::Proof`]: it does not hold, and nothing was changed. Its
    /// [`is_other_fork`](hypercore_merkle::VerifyError::is_other_fork) tells a proof of another fork, which
    /// accuses nobody. [`LogError::BlockTooLarge`]; [`LogError::NodeMissing`] when the place of the block is not
    /// known; [`LogError::Corrupt`] when the own tree is damaged; [`LogError::UserDataTooLarge`] when the manifest
    /// leaves no room for the header; [`LogError::ReadOnly`], [`LogError::HeaderLost`], [`LogError::Frozen`],
    /// [`LogError::Poisoned`]: nothing was changed either. [`LogError::Storage`]: the log is poisoned, unless a read failed before
    /// anything was written.
    pub fn apply_proof(&self, proof: &Proof) -> Result<Applied, LogError> {
        let mut verdicts = self.apply_batch(std::slice::from_ref(proof));
        verdicts.pop().unwrap_or(Err(LogError::Poisoned))
    }

    /// Verifies many proofs and stores what they bring, as [`apply_proof`](Self::apply_proof) would one after the other:
    /// each may lean on those before it. Each has its own verdict; one that does not hold leaves the others as they are.
    ///
    /// # Durability
    /// As [`append`](Self::append), for all of them together: a crash takes all or none of them.
    pub fn apply_proofs(&self, proofs: &[Proof]) -> Vec<Result<Applied, LogError>> {
        let at_once = match self.options.rhythm {
            Rhythm::Bounded => proofs.len().max(1),
            Rhythm::Version10 => 1,
        };
        proofs.chunks(at_once).flat_map(|proofs| self.apply_batch(proofs)).collect()
    }

    fn apply_batch(&self, proofs: &[Proof]) -> Vec<Result<Applied, LogError>> {
        let values: Vec<&[u8]> = proofs.iter().filter_map(|proof| value(proof).ok()?).collect();
        let mut leaves = Leaf::hash_all(&values).into_iter();
        let mut incoming = Incoming::default();
        let mut verdicts = Vec::with_capacity(proofs.len());
        let mut writer = match self.lock_to_apply() {
            Ok(writer) => writer,
            Err(error) => {
                let again = || self.lock_to_apply().err().unwrap_or(LogError::Poisoned);
                verdicts.push(Err(error));
                verdicts.resize_with(proofs.len(), || Err(again()));
                return verdicts;
            }
        };
        for proof in proofs {
            let verdict = value(proof).and_then(|value| {
                let leaf = value.and_then(|_| leaves.next());
                self.take_in(&mut writer, &mut incoming, proof, leaf.as_ref())
            });
            verdicts.push(verdict);
        }
        if let Err(error) = self.store(writer, incoming) {
            let mut error = Some(error);
            for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_ok()) {
                *verdict = Err(error.take().unwrap_or(LogError::Poisoned));
            }
        }
        verdicts
    }

    fn lock_to_apply(&self) -> Result<MutexGuard<'_, Writer>, LogError> {
        let writer = self.lock_writer()?;
        if self.is_frozen() { Err(LogError::Frozen) } else { Ok(writer) }
    }

    /// Verifies one proof and adds what it brings to `incoming`. Of all that, only a manifest is stored at once.
    fn take_in<'a>(
        &self,
        writer: &mut Writer,
        incoming: &mut Incoming<'a>,
        proof: &'a Proof,
        leaf: Option<&Leaf>,
    ) -> Result<Applied, LogError> {
        let state = self.read_state();
        let known = Known { state: &state, incoming };
        let tree = incoming.grown.as_ref().map_or(&state.tree, |(tree, _)| tree);
        if proof.upgrade.is_none() {
            let part = tree.verify_part(&known, proof, leaf).map_err(verify_error)?;
            let Part { mut nodes, unconfirmed, top_is_stored, .. } = part;
            let block = place(&known, tree, &nodes, proof)?;
            if top_is_stored && self.options.rhythm == Rhythm::Bounded {
                nodes.pop();
            }
            let claims = self.keep_own_sizes(&known, &mut nodes, &unconfirmed)?;
            let applied = Applied {
                block: block.as_ref().map(|block| block.index),
                upgraded: false,
                length: tree.length(),
            };
            incoming.add(nodes, block);
            incoming.claims |= claims;
            return Ok(applied);
        }
        let authority = Authority { key: &self.key, manifest: state.manifest.as_ref() };
        let verified = tree.verify(&known, proof, &authority).map_err(verify_error)?;
        let Verified { tree, upgraded, mut nodes, unconfirmed, signature, manifest, .. } = verified;
        let block = place(&known, &tree, &nodes, proof)?;
        let claims = self.keep_own_sizes(&known, &mut nodes, &unconfirmed)?;
        drop(state);
        self.keep_manifest(writer, manifest)?;
        let applied = Applied {
            block: block.as_ref().map(|block| block.index),
            upgraded,
            length: tree.length(),
        };
        incoming.add(nodes, block);
        incoming.claims |= claims;
        if upgraded {
            incoming.grown = Some((tree, signature));
        }
        Ok(applied)
    }

    /// Stores what was verified.
    fn store(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        incoming: Incoming<'_>,
    ) -> Result<(), LogError> {
        if incoming.is_empty() {
            return Ok(());
        }
        // Keeping a manifest may have failed.
        if self.commit.has_failed() {
            return Err(LogError::Poisoned);
        }
        let Incoming { grown, nodes, mut blocks, claims, .. } = incoming;
        blocks.sort_by_key(|block| block.index);
        blocks.dedup_by_key(|block| block.index);
        let mut data_len = 0_u64;
        let mut values: Vec<&[u8]> = Vec::new();
        let runs = blocks.chunk_by(|one, next| one.index.checked_add(1) == Some(next.index));
        let mut ranges = Vec::new();
        for run in runs {
            let Some(Block { index, offset, .. }) = run.first() else { continue };
            values.clear();
            values.extend(run.iter().map(|block| block.value));
            let written = write_blocks(&*self.stores.data, *offset, &values, &mut writer.buffer);
            self.poison_on_error(written)?;
            let len =
                values.iter().fold(0_u64, |len, value| len.saturating_add(value.len() as u64));
            self.begin_sync(FileName::Data, *offset, len);
            data_len = data_len.saturating_add(len);
            ranges.push(BitfieldUpdate { drop: false, start: *index, length: run.len() as u64 });
        }
        let old = self.read_state().announced();
        let (tree, upgrade) = match grown {
            Some((tree, signature)) => {
                let upgrade = TreeUpgrade {
                    fork: tree.fork(),
                    ancestors: old.length,
                    length: tree.length(),
                    signature,
                };
                (Some(tree), Some(upgrade))
            }
            None => (None, None),
        };
        let mut ranges = ranges.into_iter();
        let first = Entry {
            user_data: claims.then(|| (CLAIMS.to_owned(), Some(vec![1]))),
            tree_nodes: Some(nodes),
            tree_upgrade: upgrade,
            bitfield: ranges.next(),
        };
        let others = ranges.map(|range| Entry { bitfield: Some(range), ..Entry::default() });
        let entries: Vec<Entry> = std::iter::once(first).chain(others).collect();
        self.write_entries(&mut writer, &entries)?;
        let unsynced = Unsynced { data: !blocks.is_empty(), tree: false, oplog: true };
        let sequence = {
            let mut state = self.publish();
            for entry in entries {
                self.apply(&mut state, entry, old)?;
            }
            if let Some(tree) = tree {
                state.set_tree(tree);
            }
            self.commit.wrote(unsynced, state.announced())
        };
        self.end_operation(writer, sequence, data_len)
    }

    /// Where this log signs, takes those `unconfirmed` pairs out of the nodes of a proof that contradict stored ones: its
    /// sizes are its own, also of blocks it cleared. Whether one is left that was not known.
    fn keep_own_sizes(
        &self,
        known: &Known<'_>,
        nodes: &mut Vec<Node>,
        unconfirmed: &[Index],
    ) -> Result<bool, LogError> {
        let mut learned = false;
        for pair in unconfirmed.as_chunks::<2>().0.iter().filter(|_| self.options.signer.is_some())
        {
            let stored = [known.node(pair[0])?, known.node(pair[1])?];
            let is_other = |node: &Node| {
                stored.iter().flatten().any(|stored| stored.index == node.index && stored != node)
            };
            if nodes.iter().any(is_other) {
                nodes.retain(|node| !pair.contains(&node.index));
            } else {
                learned |= stored.iter().all(Option::is_none);
            }
        }
        Ok(learned)
    }

    /// Keeps a manifest that was learned, before anything that only it can vouch for: entries have no room
    /// for it, only the header has.
    pub(crate) fn keep_manifest(
        &self,
        writer: &mut Writer,
        manifest: Option<Manifest>,
    ) -> Result<(), LogError> {
        let Some(manifest) = manifest.filter(|_| self.read_state().manifest.is_none()) else {
            return Ok(());
        };
        let mut header = writer.header(self.key, &self.read_state());
        header.manifest = Some(manifest.clone());
        header.check_len()?;
        self.publish().manifest = Some(manifest);
        if self.options.rhythm == Rhythm::Bounded { self.write_checkpoint(writer) } else { Ok(()) }
    }
}

impl State {
    /// Whether sizes of nodes may be a peer's word, in a log that signs: some were kept, or it was made by who could not sign.
    pub(crate) fn has_claims(&self, writer: &Writer) -> bool {
        writer.stored_key_pair.is_none() || self.user_data.get(CLAIMS).is_some()
    }
}

/// The block of a proof, if it has one.
fn value(proof: &Proof) -> Result<Option<&[u8]>, LogError> {
    let value = proof.block.as_ref().map(|block| &block.value[..]);
    match value {
        Some(value) if value.len() > STORED_BLOCK_LEN_MAX => Err(LogError::BlockTooLarge {
            len: value.len() as u64,
            max: STORED_BLOCK_LEN_MAX as u64,
        }),
        value => Ok(value),
    }
}

/// Where the block of a verified proof goes in the data store; `nodes` are those that the proof brought.
fn place<'a>(
    known: &Known<'_>,
    tree: &Tree,
    nodes: &[Node],
    proof: &'a Proof,
) -> Result<Option<Block<'a>>, LogError> {
    let Some(block) = &proof.block else { return Ok(None) };
    let (index, value) = (block.index, &block.value[..]);
    if let Some(offset) = known.incoming.next_offset(index) {
        return Ok(Some(Block { index, offset, value }));
    }
    let nodes = Overlay::new(nodes, known);
    let range = tree.byte_range(&nodes, index).map_err(tree_error)?;
    Ok(Some(Block { index, offset: range.start, value }))
}
