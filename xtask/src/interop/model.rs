//! The dullest possible log: what each step should have left.

use serde_json::Value;

use super::driver::Side;

/// A block as the drivers make it: `seed` and `len` of generated content.
pub(super) type Spec = (u32, u32);

/// One block: its length stays known when its bytes are gone.
#[derive(Debug, Clone)]
struct Block {
    len: u64,
    hash: Option<String>,
}

/// What the core should look like.
#[derive(Debug, Default)]
pub(super) struct Model {
    blocks: Vec<Block>,
    pub(super) fork: u64,
    /// Learned from the first side that tells, until the next change.
    tree_hash: Option<String>,
    key: Option<String>,
    /// Whether anything was ever cleared: then JavaScript's hint may be wrong.
    was_cleared: bool,
}

/// Figures of a comparison.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) blocks: u64,
    pub(super) hints_off: u64,
}

impl Model {
    pub(super) fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// A batch that was acknowledged, or found after a kill.
    pub(super) fn append(&mut self, specs: &[Spec], hashes: &[String]) {
        self.tree_hash = None;
        let new = specs.iter().zip(hashes);
        self.blocks.extend(
            new.map(|((_, len), hash)| Block { len: u64::from(*len), hash: Some(hash.clone()) }),
        );
    }

    pub(super) fn truncate(&mut self, length: u64, fork: u64) {
        self.tree_hash = None;
        self.blocks.truncate(length as usize);
        self.fork = fork;
    }

    pub(super) fn clear(&mut self, start: u64, end: u64) {
        self.was_cleared = true;
        for block in &mut self.blocks[start as usize..end as usize] {
            block.hash = None;
        }
    }

    /// Bytes between the blocks that remain around a cleared range.
    pub(super) fn hole_len(&self, start: u64, end: u64) -> u64 {
        let (before, after) = (&self.blocks[..start as usize], &self.blocks[end as usize..]);
        let missing = |block: &&Block| block.hash.is_none();
        let cleared = &self.blocks[start as usize..end as usize];
        let hole = before.iter().rev().take_while(missing).chain(cleared);
        hole.chain(after.iter().take_while(missing)).map(|block| block.len).sum()
    }

    /// The first block that is missing, or the length.
    fn contiguous_length(&self) -> u64 {
        self.blocks.iter().position(|block| block.hash.is_none()).unwrap_or(self.blocks.len())
            as u64
    }

    /// Compares what `side` says, with the blocks when it names them.
    pub(super) fn compare(&mut self, side: Side, state: &Value) -> Result<Compared, String> {
        let byte_length: u64 = self.blocks.iter().map(|block| block.len).sum();
        same("length", self.length(), state)?;
        same("byteLength", byte_length, state)?;
        same("fork", self.fork, state)?;
        learned("treeHash", &mut self.tree_hash, state)?;
        learned("key", &mut self.key, state)?;

        let mut compared = Compared::default();
        let contiguous = state["contiguousLength"].as_u64().unwrap_or(u64::MAX);
        if contiguous != self.contiguous_length() {
            // Replaying a clear leaves this hint too high in JavaScript 10.
            let is_known_defect = side == Side::JavaScript
                && self.was_cleared
                && (self.contiguous_length()..=self.length()).contains(&contiguous);
            if !is_known_defect {
                return Err(format!(
                    "contiguousLength is {contiguous}, not {}",
                    self.contiguous_length()
                ));
            }
            compared.hints_off = 1;
        }

        let Some(blocks) = state["blocks"].as_array() else { return Ok(compared) };
        if blocks.len() != self.blocks.len() {
            return Err(format!("{} blocks were read, not {}", blocks.len(), self.blocks.len()));
        }
        for (index, (said, block)) in blocks.iter().zip(&self.blocks).enumerate() {
            if said.as_str() != block.hash.as_deref() {
                return Err(format!("block {index} is {said}, not {:?}", block.hash));
            }
        }
        compared.blocks = blocks.len() as u64;
        Ok(compared)
    }
}

fn same(name: &str, wanted: u64, state: &Value) -> Result<(), String> {
    let said = &state[name];
    if said.as_u64() == Some(wanted) {
        Ok(())
    } else {
        Err(format!("{name} is {said}, not {wanted}"))
    }
}

fn learned(name: &str, known: &mut Option<String>, state: &Value) -> Result<(), String> {
    let said = state[name].as_str().ok_or_else(|| format!("{name} is missing"))?;
    let wanted = known.get_or_insert_with(|| said.to_owned());
    if wanted == said { Ok(()) } else { Err(format!("{name} is {said}, not {wanted}")) }
}
