//! The dullest possible log: a vector of blocks, and which of them are here.
//!
//! It knows nothing of the engine. Roots and hash are computed from the blocks alone.

use std::sync::Arc;

use hypercore_crypto::CoreKey;
use hypercore_log::{Log, LogError, Snapshot};
use hypercore_merkle::{Leaf, Tree};

use super::script::{OWNER, Role, Step, key, key_pair};
use crate::hash::Hasher128;

/// 128 bits that stand for everything a log shows.
pub type Fingerprint = u128;

/// What a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Who has it.
    pub role: Role,
    /// Whose it is: the seed of the key pair.
    pub owner: u8,
    /// The fork.
    pub fork: u64,
    /// Every block that was signed, here or not.
    pub blocks: Vec<Arc<[u8]>>,
    /// Which blocks are here.
    pub here: Vec<bool>,
    /// Values beside the log, by their keys. None is empty.
    pub user_data: Vec<(String, Vec<u8>)>,
}

impl Model {
    /// A new log.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            owner: OWNER,
            fork: 0,
            blocks: Vec::new(),
            here: Vec::new(),
            user_data: Vec::new(),
        }
    }

    /// Blocks in the log.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Does `step`.
    ///
    /// # Panics
    /// When the step is none that a log of this kind takes: the script is wrong.
    pub fn apply(&mut self, step: &Step, sources: &[Self]) {
        match step {
            Step::Append(blocks) => {
                self.blocks.extend(blocks.iter().map(|block| Arc::from(block.as_slice())));
                self.here.resize(self.blocks.len(), true);
            }
            Step::Commit(batches) => {
                for blocks in batches {
                    self.apply(&Step::Append(blocks.clone()), sources);
                }
            }
            Step::Truncate { length, fork } => {
                self.keep(*length as usize);
                self.fork = fork.unwrap_or(self.fork + 1);
            }
            Step::Clear(range) => {
                let end = range.end.min(self.length());
                for here in &mut self.here[range.start as usize..end as usize] {
                    *here = false;
                }
            }
            Step::SetUserData { key, value } => {
                self.user_data.retain(|(other, _)| other != key);
                if !value.is_empty() {
                    self.user_data.push(((*key).to_owned(), value.clone()));
                }
                self.user_data.sort();
            }
            Step::Snapshot
            | Step::Flush
            | Step::Checkpoint
            | Step::Compact
            | Step::Reopen
            | Step::Close => {}
            Step::Overwrite => {
                *self = Self { owner: self.owner + 1, ..Self::new(self.role) };
            }
            Step::Upgrade { source } => {
                let source = &sources[*source];
                assert_eq!(self.fork, source.fork, "an upgrade is of the same fork");
                let new = &source.blocks[self.blocks.len()..];
                self.blocks.extend_from_slice(new);
                self.here.resize(self.blocks.len(), false);
            }
            Step::Fetch { source, block } => {
                let at = *block as usize;
                assert_eq!(self.blocks[at], sources[*source].blocks[at], "the same block");
                self.here[at] = true;
            }
            Step::Download { source, blocks } => {
                if sources[*source].length() > self.length() {
                    self.apply(&Step::Upgrade { source: *source }, sources);
                }
                for block in blocks {
                    self.apply(&Step::Fetch { source: *source, block: *block }, sources);
                }
            }
            Step::Reorganise { source } => {
                let source = &sources[*source];
                let both = self.blocks.iter().zip(&source.blocks);
                self.keep(both.take_while(|(ours, theirs)| ours == theirs).count());
                self.blocks.clone_from(&source.blocks);
                self.here.resize(self.blocks.len(), false);
                self.fork = source.fork;
            }
        }
    }

    fn keep(&mut self, length: usize) {
        self.blocks.truncate(length);
        self.here.truncate(length);
    }

    /// The tree over all blocks, here or not.
    ///
    /// # Panics
    /// Never: no script appends 2^52 blocks.
    #[must_use]
    pub fn tree(&self) -> Tree {
        let blocks: Vec<&[u8]> = self.blocks.iter().map(AsRef::as_ref).collect();
        let mut tree = Tree::empty(self.fork);
        tree.append(&Leaf::hash_all(&blocks)).expect("few blocks");
        tree
    }

    /// The key of the log.
    #[must_use]
    pub fn key(&self) -> CoreKey {
        key(self.owner)
    }

    /// What is different in a snapshot of `log`, or nothing. With `may_be_lost` it may say that it could not be kept.
    #[must_use]
    pub fn difference_in(
        &self,
        log: &Log,
        snapshot: &Snapshot,
        may_be_lost: bool,
    ) -> Option<String> {
        let (head, tree) = (snapshot.head(), self.tree());
        let right = (head.fork, head.length) == (self.fork, self.length())
            && (head.byte_length, head.tree_hash) == (tree.byte_length(), tree.hash());
        if !right {
            return Some(format!("the head of a snapshot is {head:?}, not {tree:?}"));
        }
        for (index, (block, here)) in (0..).zip(self.blocks.iter().zip(&self.here)) {
            match snapshot.get(log, index) {
                Ok(Some(found)) if found == **block => {}
                // It can still arrive.
                Ok(None) if !here => {}
                Err(LogError::BaseRewritten { shared }) if may_be_lost && shared <= index => {}
                found => return Some(format!("block {index} of a snapshot is {found:?}")),
            }
        }
        None
    }

    /// What stands for this state.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let blocks = self.blocks.iter().zip(&self.here);
        let here = blocks.map(|(block, here)| here.then_some(&**block));
        fingerprint(self.key(), self.fork, here, &self.user_data)
    }

    /// What is different in `log`, or nothing.
    ///
    /// Everything is compared: key, key pair, head, roots, signature, every block, user data.
    #[must_use]
    pub fn difference(&self, log: &Log) -> Option<String> {
        let wrong = |what: &str, found: &dyn std::fmt::Debug, wanted: &dyn std::fmt::Debug| {
            Some(format!("{what} is {found:?}, not {wanted:?}"))
        };
        if log.key() != self.key() {
            return wrong("key", &log.key(), &self.key());
        }
        let signer = (self.role == Role::Writer).then(|| key_pair(self.owner).public());
        if log.signer() != signer {
            return wrong("signer", &log.signer(), &signer);
        }
        let head = log.head();
        if (head.fork, head.length) != (self.fork, self.length()) {
            return wrong("head", &head, &(self.fork, self.length()));
        }
        let tree = self.tree();
        if head.tree_hash != tree.hash() || head.byte_length != tree.byte_length() {
            return wrong("head", &head, &tree);
        }
        if head.length > 0 {
            let signature = log.signature().unwrap_or_default();
            let manifest = log.manifest();
            let signed = manifest.map(|manifest| manifest.verify(&self.key(), &tree, &signature));
            if !matches!(signed, Some(Ok(()))) {
                return wrong("signature", &signed, &"one of this tree");
            }
        }
        for (index, (block, here)) in (0..).zip(self.blocks.iter().zip(&self.here)) {
            match log.get(index) {
                Ok(found) if found.as_deref() == here.then_some(&**block) => {}
                found => return wrong(&format!("block {index}"), &found, &here.then_some(block)),
            }
        }
        let contiguous = self.here.iter().take_while(|here| **here).count() as u64;
        if log.contiguous_length() != contiguous {
            return wrong("contiguous length", &log.contiguous_length(), &contiguous);
        }
        let mut user_data = log.user_data_entries();
        user_data.sort();
        if user_data != self.user_data {
            return Some("the user data is another one".to_owned());
        }
        None
    }
}

/// What stands for everything that `log` shows.
///
/// # Errors
/// A block that can not be read.
pub(crate) fn fingerprint_of(log: &Log) -> Result<Fingerprint, LogError> {
    let head = log.head();
    let blocks = (0..head.length).map(|index| log.get(index)).collect::<Result<Vec<_>, _>>()?;
    let mut user_data = log.user_data_entries();
    user_data.sort();
    Ok(fingerprint(log.key(), head.fork, blocks.iter().map(Option::as_deref), &user_data))
}

fn fingerprint<'a>(
    key: CoreKey,
    fork: u64,
    blocks: impl Iterator<Item = Option<&'a [u8]>>,
    user_data: &[(String, Vec<u8>)],
) -> Fingerprint {
    let mut hasher = Hasher128::default();
    hasher.write(key.as_bytes());
    hasher.write_u64(fork);
    for block in blocks {
        match block {
            Some(block) => hasher.write_sized(block),
            None => hasher.write_u64(u64::MAX),
        }
    }
    hasher.write_u64(user_data.len() as u64);
    for (key, value) in user_data {
        hasher.write_sized(key.as_bytes());
        hasher.write_sized(value);
    }
    hasher.finish()
}
