//! What a core should hold: a hash for each block that its writer was asked to append.

use serde_json::Value;

use crate::interop::model::{Spec, learned, same};

/// A log as its writer made it.
#[derive(Debug, Default, Clone)]
pub(super) struct Model {
    blocks: Vec<(u64, String)>,
    pub(super) fork: u64,
    /// What the writer says of its tree, until its next change.
    tree_hash: Option<Value>,
}

impl Model {
    pub(super) fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    pub(super) fn byte_length(&self) -> u64 {
        self.blocks.iter().map(|(len, _)| len).sum()
    }

    /// The hash of a block.
    pub(super) fn hash(&self, index: u64) -> Option<&str> {
        self.blocks.get(index as usize).map(|(_, hash)| hash.as_str())
    }

    /// The block that holds `byte`, and where in it.
    pub(super) fn find(&self, byte: u64) -> (u64, u64) {
        let mut left = byte;
        for (index, (len, _)) in self.blocks.iter().enumerate() {
            if left < *len {
                return (index as u64, left);
            }
            left -= len;
        }
        (self.length(), left)
    }

    pub(super) fn append(&mut self, specs: &[Spec], hashes: &[String]) {
        self.tree_hash = None;
        let new = specs.iter().zip(hashes);
        self.blocks.extend(new.map(|((_, len), hash)| (u64::from(*len), hash.clone())));
    }

    pub(super) fn truncate(&mut self, length: u64, fork: u64) {
        self.tree_hash = None;
        self.blocks.truncate(length as usize);
        self.fork = fork;
    }

    /// Compares a state with all of it. Blocks in `held` must be there; others may be missing, but
    /// not different. The byte length is that of the tree, which counts the padding of encryption.
    pub(super) fn compare(&mut self, state: &Value, held: &[(u64, u64)]) -> Result<u64, String> {
        same("length", self.length(), state)?;
        same("fork", self.fork, state)?;
        learned("treeHash", &mut self.tree_hash, state)?;
        let blocks = state["blocks"].as_array().ok_or("no blocks were told")?;
        if blocks.len() != self.blocks.len() {
            return Err(format!("{} blocks were told, not {}", blocks.len(), self.blocks.len()));
        }
        let mut compared = 0;
        for (index, (said, (_, wanted))) in blocks.iter().zip(&self.blocks).enumerate() {
            match said.as_str() {
                Some(hash) if hash == wanted => compared += 1,
                None if !held
                    .iter()
                    .any(|(start, end)| (*start..*end).contains(&(index as u64))) => {}
                _ => return Err(format!("block {index} is {said}, not {wanted}")),
            }
        }
        Ok(compared)
    }
}
