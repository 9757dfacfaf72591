//! Proofs out and in: what replication needs of a log.

use hypercore_crypto::Manifest;
use hypercore_merkle::{
    Authority, Overlay, Proof, ProveError, Request, TreeError, Verified, VerifyError,
};

use crate::append::STORED_BLOCK_LEN_MAX;
use crate::commit::Unsynced;
use crate::entry::{BitfieldUpdate, Entry, TreeUpgrade};
use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::options::Rhythm;
use crate::state::{State, tree_error};
use crate::stores::FileName;
use crate::writer::Writer;

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

impl Log {
    /// Answers a request, or `None` when the block asked for is not stored here.
    ///
    /// What the answer shows is on stable storage: a log that can sign settles first, so that a power cut can
    /// not make it sign something else in its place.
    ///
    /// # Errors
    /// [`LogError::Request`] when the request has no answer; [`LogError::CorruptBlock`], [`LogError::Corrupt`];
    /// [`LogError::Storage`].
    pub fn create_proof(&self, request: &Request) -> Result<Option<Proof>, LogError> {
        // Compared under the lock that is held to the end: an append may publish between a flush and the look.
        let mut state = self.read_state();
        while self.is_writable() && self.commit.durable() != state.announced() {
            drop(state);
            self.flush()?;
            state = self.read_state();
        }
        if let Some(block) = &request.block
            && !(block.index < state.tree.length() && state.bitfield.get(block.index))
        {
            return Ok(None);
        }
        let signature = state.signature.as_deref();
        let mut proof = state
            .tree
            .prove(&state.nodes, request, signature, state.manifest.as_ref())
            .map_err(|error| match error {
                ProveError::Tree(error) if is_own_fault(&error) => tree_error(error),
                error => LogError::Request(Box::new(error)),
            })?;
        if let Some(block) = &mut proof.block {
            let value = self.read_verified(&state, block.index, u64::MAX)?;
            block.value = value.unwrap_or_default().into();
        }
        Ok(Some(proof))
    }

    /// Answers many requests as [`create_proof`](Self::create_proof) does, in order, each for itself.
    ///
    /// Stops when the blocks in the answers have `bytes_max` bytes or more together: what it gives is shorter than
    /// `requests` then, and the rest is to be asked for again. At least one request is answered.
    #[must_use]
    pub fn create_proofs(
        &self,
        requests: &[Request],
        bytes_max: usize,
    ) -> Vec<Result<Option<Proof>, LogError>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut len = 0_usize;
        for request in requests {
            let answer = self.create_proof(request);
            if let Ok(Some(Proof { block: Some(block), .. })) = &answer {
                len = len.saturating_add(block.value.len());
            }
            answers.push(answer);
            if len >= bytes_max {
                break;
            }
        }
        answers
    }

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
    /// leaves no room for the header; [`LogError::ReadOnly`], [`LogError::HeaderLost`], [`LogError::Poisoned`]:
    /// nothing was changed either. [`LogError::Storage`]: the log is poisoned, unless a read failed before
    /// anything was written.
    pub fn apply_proof(&self, proof: &Proof) -> Result<Applied, LogError> {
        let mut writer = self.lock_writer()?;
        let value = proof.block.as_ref().map_or(&[][..], |block| &block.value[..]);
        if value.len() > STORED_BLOCK_LEN_MAX {
            return Err(LogError::BlockTooLarge {
                len: value.len() as u64,
                max: STORED_BLOCK_LEN_MAX as u64,
            });
        }
        let (verified, old, place) = {
            let state = self.read_state();
            let authority = Authority { key: &self.key, manifest: state.manifest.as_ref() };
            let verified = state.tree.verify(&*state, proof, &authority).map_err(verify_error)?;
            let place = place_of_block(&state, &verified)?;
            (verified, state.announced(), place)
        };
        let Verified { tree, upgraded, ancestors, nodes, block, signature, manifest, .. } =
            verified;
        let applied = Applied { block, upgraded, length: tree.length() };
        if block.is_none() && !upgraded && nodes.is_empty() {
            return Ok(applied);
        }
        self.keep_manifest(&mut writer, manifest)?;
        if let Some(offset) = place {
            let write = self.stores.data.write_at(offset, value);
            self.poison_on_error(write.map_err(StorageError::in_file(FileName::Data)))?;
        }
        let entry = Entry {
            user_data: None,
            tree_nodes: Some(nodes),
            tree_upgrade: upgraded.then(|| TreeUpgrade {
                fork: tree.fork(),
                ancestors,
                length: tree.length(),
                signature,
            }),
            bitfield: block.map(|start| BitfieldUpdate { drop: false, start, length: 1 }),
        };
        self.write_entry(&mut writer, &entry)?;
        let unsynced = Unsynced { data: place.is_some(), tree: false, oplog: true };
        let sequence = {
            let mut state = self.publish();
            self.apply(&mut state, entry, old)?;
            if upgraded {
                state.set_tree(tree);
            }
            self.commit.wrote(unsynced, state.announced())
        };
        self.end_operation(writer, sequence, value.len() as u64)?;
        Ok(applied)
    }

    /// Verifies many proofs and stores what they bring, as [`apply_proof`](Self::apply_proof) would one after the other.
    /// Each has its own verdict; one that does not hold leaves the others as they are.
    ///
    /// # Durability
    /// As [`append`](Self::append), for all of them together.
    pub fn apply_proofs(&self, proofs: &[Proof]) -> Vec<Result<Applied, LogError>> {
        proofs.iter().map(|proof| self.apply_proof(proof)).collect()
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

/// A proof that does not hold accuses the peer, so a failure of the own stores must not look like one.
pub(crate) fn verify_error(error: VerifyError<StorageError>) -> LogError {
    match error {
        VerifyError::Tree(error) => tree_error(error),
        error => LogError::Proof(Box::new(error)),
    }
}

const fn is_own_fault(error: &TreeError<StorageError>) -> bool {
    matches!(
        error,
        TreeError::Lookup { .. } | TreeError::DamagedNode(_) | TreeError::SizeOverflow(_)
    )
}

/// Where the block of a verified proof goes in the data store.
fn place_of_block(state: &State, verified: &Verified) -> Result<Option<u64>, LogError> {
    let Some(block) = verified.block else { return Ok(None) };
    let nodes = Overlay::new(&verified.nodes, &state.nodes);
    match verified.tree.byte_range(&nodes, block) {
        Ok(range) => Ok(Some(range.start)),
        Err(TreeError::MissingNode(index)) => Err(LogError::NodeMissing { index: index.get() }),
        Err(error) => Err(tree_error(error)),
    }
}
