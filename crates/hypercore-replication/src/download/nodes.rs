//! How many nodes a request has to ask for, where others in flight to the same peer will bring some.
//!
//! A block is proven by climbing from its leaf to a node that is known. Nodes that an earlier request to the same peer
//! brings count as known: the two answers come one after the other, or the second is held until the first is there.

use std::collections::BTreeMap;

use flat_tree::Index;
use hypercore_log::{Log, LogError};

use super::requests::Name;

/// Levels that are looked for among the nodes to come before the log is asked what it has.
const NEAR: u64 = 2;

/// Nodes that requests in flight to one peer will bring.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    nodes: BTreeMap<Index, Name>,
}

/// Where a proof of a block may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    /// Levels to climb.
    pub(crate) nodes: u64,
    /// The request that brings the node there; `None` when it is stored.
    pub(crate) leans_on: Option<Name>,
    /// Blocks that a tree must have for the node to be in it.
    pub(crate) end: u64,
}

impl Expected {
    /// What a request for `block` of a log of `length` blocks has to ask for.
    ///
    /// # Errors
    /// The own tree can not be read.
    pub(crate) fn levels(&self, log: &Log, block: u64, length: u64) -> Result<Levels, LogError> {
        let stored = |stored| {
            let top = way(block).nth(usize::try_from(stored).unwrap_or(usize::MAX));
            let end = top.map_or(u64::MAX, Index::end_block);
            Levels { nodes: stored, leans_on: None, end }
        };
        if self.nodes.is_empty() {
            return log.missing_nodes(block).map(stored);
        }
        let way = way(block).take_while(|index| index.end_block() <= length).zip(0..);
        let mut missing = None;
        for (index, nodes) in way {
            if nodes >= NEAR {
                let missing = match missing {
                    Some(missing) => missing,
                    None => *missing.insert(log.missing_nodes(block)?),
                };
                if nodes >= missing {
                    return Ok(stored(missing));
                }
            }
            if let Some(name) = self.nodes.get(&index) {
                return Ok(Levels { nodes, leans_on: Some(*name), end: index.end_block() });
            }
        }
        log.missing_nodes(block).map(stored)
    }

    /// Notes what a request will bring.
    pub(crate) fn add(&mut self, block: u64, nodes: u64, name: Name) {
        for index in brought(block, nodes) {
            self.nodes.entry(index).or_insert(name);
        }
    }

    /// Forgets what a request was to bring: it was answered, or comes to nothing.
    pub(crate) fn remove(&mut self, block: u64, nodes: u64, name: Name) {
        for index in brought(block, nodes) {
            if self.nodes.get(&index) == Some(&name) {
                self.nodes.remove(&index);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
    }
}

/// A leaf and all above it.
fn way(block: u64) -> impl Iterator<Item = Index> {
    std::iter::successors(Index::leaf(block), |index| index.parent())
}

/// The nodes that a proof of a block over so many levels brings, without the one it ends at.
fn brought(block: u64, nodes: u64) -> impl Iterator<Item = Index> {
    let levels = usize::try_from(nodes).unwrap_or(usize::MAX);
    // Each level brings the sibling, and the parent that follows from both: the next on the way.
    way(block).take(levels).flat_map(|index| [Some(index), index.sibling()]).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_brings_its_way_and_the_siblings() {
        let indexes =
            |block, nodes| -> Vec<u64> { brought(block, nodes).map(Index::get).collect() };
        assert_eq!(indexes(2, 0), [0; 0]);
        assert_eq!(indexes(2, 1), [4, 6]);
        assert_eq!(indexes(2, 2), [4, 6, 5, 1]);
    }
}
