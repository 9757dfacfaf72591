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
    tree_hash: Option<Value>,
    key: Option<Value>,
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

        compared.blocks =
            same_blocks(self.blocks.iter().map(|block| block.hash.as_deref()), state)?;
        Ok(compared)
    }
}

/// Compares one field of what a driver said.
pub(super) fn same(name: &str, wanted: impl Into<Value>, state: &Value) -> Result<(), String> {
    equal(name, &state[name], &wanted.into())
}

/// Compares what was said of something.
pub(super) fn equal(what: &str, said: &Value, wanted: &Value) -> Result<(), String> {
    if said == wanted { Ok(()) } else { Err(format!("{what} is {said}, not {wanted}")) }
}

/// Compares a field with what the first who told it said.
pub(super) fn learned(name: &str, known: &mut Option<Value>, state: &Value) -> Result<(), String> {
    let said = &state[name];
    if said.is_null() {
        return Err(format!("{name} is missing"));
    }
    equal(name, said, known.get_or_insert_with(|| said.clone()))
}

/// Compares each block by its hash, which is `None` where it is missing. Gives their number; 0 when none were told.
pub(super) fn same_blocks<'a>(
    wanted: impl ExactSizeIterator<Item = Option<&'a str>>,
    state: &Value,
) -> Result<u64, String> {
    let Some(blocks) = state["blocks"].as_array() else { return Ok(0) };
    if blocks.len() != wanted.len() {
        return Err(format!("{} blocks were read, not {}", blocks.len(), wanted.len()));
    }
    for (index, (said, wanted)) in blocks.iter().zip(wanted).enumerate() {
        if said.as_str() != wanted {
            return Err(format!("block {index} is {said}, not {wanted:?}"));
        }
    }
    Ok(blocks.len() as u64)
}
