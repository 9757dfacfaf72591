//! What a feed shows.

use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use hypercore_crypto::Hash;
use sleep::{Error, Feed};

use super::model::{Model, digest};
use super::script::Role;

/// Blocks of which all are looked at; of longer feeds some.
const ALL_LOOKED_AT: u64 = 600;

/// What an image shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The feed, or that there is none.
    pub feed: Option<Shown>,
    /// Whether its files did not agree with each other.
    pub is_recovered: bool,
}

/// What a feed shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    length: u64,
    byte_length: u64,
    /// `None` of an empty feed.
    tree_hash: Option<Hash>,
    here: Vec<Range<u64>>,
    /// What stands for the bytes of those blocks that are looked at and here.
    blocks: Vec<(u64, u128)>,
    /// Blocks that are listed and cannot be read.
    lost: Vec<u64>,
}

impl Shown {
    /// Reads everything that it shows; in long feeds some of the blocks.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn of(feed: &Feed) -> Result<Self, Error> {
        let length = feed.length();
        let here: Vec<Range<u64>> = feed.present().collect();
        let (mut blocks, mut lost) = (Vec::new(), Vec::new());
        for block in here.iter().flat_map(Clone::clone).filter(|block| is_looked_at(*block, length))
        {
            match feed.get(block) {
                Ok(bytes) => blocks.push((block, digest(&bytes))),
                Err(Error::BlockDamaged { .. } | Error::BytesMissing { .. }) => lost.push(block),
                Err(error) => return Err(error),
            }
        }
        let tree_hash = feed.tree_hash();
        Ok(Self { length, byte_length: feed.byte_length(), tree_hash, here, blocks, lost })
    }

    /// The model that it is, once the blocks `loose` are here or not as it shows.
    ///
    /// # Errors
    /// The first difference.
    pub(crate) fn compare(
        &self,
        model: &Rc<Model>,
        loose: &BTreeSet<u64>,
    ) -> Result<Rc<Model>, String> {
        let Self { length, byte_length, .. } = self;
        if (*length, *byte_length) != (model.length(), model.byte_length()) {
            let (wanted, bytes) = (model.length(), model.byte_length());
            return Err(format!(
                "it has {length} blocks, {byte_length} bytes; not {wanted} blocks, {bytes} bytes"
            ));
        }
        if self.tree_hash != (model.length() > 0).then(|| model.tree_hash()) {
            return Err(format!("of its {length} blocks the tree hash is another one"));
        }
        let mut here = vec![false; model.here.len()];
        for range in &self.here {
            if range.end > *length || range.is_empty() {
                return Err(format!("of {length} blocks {range:?} are here"));
            }
            here[range.start as usize..range.end as usize].fill(true);
        }
        // All there is to an empty block comes with the tree above it.
        let is_free = |at: usize| model.role == Role::Reader && model.blocks[at].bytes.is_empty();
        let differs = |at: &usize| here[*at] != model.here[*at];
        let mut found = Rc::clone(model);
        for at in (0..here.len()).filter(differs) {
            if !loose.contains(&(at as u64)) && !is_free(at) {
                let not = if here[at] { "" } else { "not " };
                return Err(format!("of {length} blocks block {at} is {not}here"));
            }
            Rc::make_mut(&mut found).here[at] = here[at];
        }
        if let Some(block) = self.lost.iter().find(|block| !loose.contains(block)) {
            return Err(format!("of {length} blocks block {block} cannot be read"));
        }
        let wrong = |(at, digest): &&(u64, u128)| model.blocks[*at as usize].digest != *digest;
        match self.blocks.iter().find(wrong) {
            Some((at, _)) => Err(format!("of {length} blocks block {at} has other bytes")),
            None => Ok(found),
        }
    }
}

impl Shown {
    /// Whether this is `before` and the block `more` after it.
    ///
    /// # Errors
    /// The first difference.
    pub(crate) fn follows(&self, before: &Self, more: &[u8]) -> Result<(), String> {
        let block = before.length;
        let is_right = self.length == block + 1
            && self.byte_length == before.byte_length + more.len() as u64
            && self.here.last().is_some_and(|range| range.end == self.length)
            && self.blocks.last() == Some(&(block, digest(more)))
            && self.count() == before.count() + 1;
        if is_right { Ok(()) } else { Err(format!("one block after {before:?} is {self:?}")) }
    }

    /// Whether this is a state on the way from `first` to `last`, of which the single change stores a block: the block
    /// and the tree above it have bits of their own. Blocks of `first` that have no bit on the disk yet, for which
    /// `has_bit` says so, were found by their bytes, and may be lost again.
    pub(crate) fn is_on_the_way(
        &self,
        first: &Self,
        last: &Self,
        has_bit: impl Fn(u64) -> bool,
    ) -> bool {
        let is_tree_of =
            |other: &Self| (self.length, self.tree_hash) == (other.length, other.tree_hash);
        let mut kept = first.here.iter().flat_map(Clone::clone).filter(|block| has_bit(*block));
        let mut shown = self.here.iter().flat_map(Clone::clone);
        (is_tree_of(first) || is_tree_of(last))
            && self.lost.is_empty()
            && kept.all(|block| self.has(block))
            && shown.all(|block| last.has(block))
    }

    /// Whether a block is here.
    fn has(&self, block: u64) -> bool {
        self.here.iter().any(|range| range.contains(&block))
    }

    /// How many blocks are here.
    fn count(&self) -> u64 {
        self.here.iter().map(|range| range.end - range.start).sum()
    }
}

/// In long feeds: the first, the last, those around the borders of sectors and pages of bits, and some others.
fn is_looked_at(block: u64, length: u64) -> bool {
    let is_near = |border: u64| (border.saturating_sub(3)..border + 3).contains(&(block % 8192));
    length <= ALL_LOOKED_AT
        || block < 3
        || block + 20 >= length
        || [0, 1920, 3840, 5968, 7936, 8192].into_iter().any(is_near)
        || block.is_multiple_of(1999)
}
