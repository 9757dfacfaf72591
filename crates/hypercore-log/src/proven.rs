//! Which inner nodes were proven to belong to the signed tree, and where their bytes begin, so that a read proves the
//! last few levels only.
//!
//! A block that hashes to its leaf is the right one only if the leaf is: sectors of the tree store that changed places are
//! nodes of this log as well. Nodes are remembered by what they are, so one that changes in the store afterwards is
//! proven anew.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hypercore_merkle::{Node, Placed};

/// Nodes that are remembered: all of depth 5 and up of 2^20 blocks.
const SLOTS: usize = 1 << 16;

/// Indexes of nodes of depth 5 and up end in so many ones.
const UPPER: u64 = 31;

/// Nodes of depth 5 and up that were proven, each with its fork.
#[derive(Debug, Default)]
pub(crate) struct Proven {
    /// By index, as far as any was kept.
    slots: Mutex<Vec<Slot>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// 0 is none.
    fingerprint: u64,
    /// Where the bytes below the node begin.
    offset: u64,
}

impl Proven {
    /// The byte offset of this very node, if it was proven under `fork`.
    pub(crate) fn offset(&self, fork: u64, node: &Node) -> Option<u64> {
        if !is_upper(node) {
            return None;
        }
        let kept = *self.lock().get(slot(node))?;
        (kept.fingerprint == fingerprint(fork, node)).then_some(kept.offset)
    }

    /// Remembers those of `nodes` that are worth it.
    pub(crate) fn keep(&self, fork: u64, nodes: &[Placed]) {
        let mut upper = nodes.iter().filter(|placed| is_upper(&placed.node)).peekable();
        if upper.peek().is_none() {
            return;
        }
        let mut slots = self.lock();
        for Placed { node, offset } in upper {
            let at = slot(node);
            if at >= slots.len() {
                // A short log takes little memory.
                slots.resize(at.saturating_add(1).next_power_of_two(), Slot::default());
            }
            if let Some(kept) = slots.get_mut(at) {
                *kept = Slot { fingerprint: fingerprint(fork, node), offset: *offset };
            }
        }
    }

    /// Nothing is half changed between two statements that hold the lock.
    fn lock(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_upper(node: &Node) -> bool {
    node.index.get() & UPPER == UPPER
}

fn slot(node: &Node) -> usize {
    usize::try_from(node.index.get() >> UPPER.count_ones()).unwrap_or_default() & (SLOTS - 1)
}

/// 64 bits over all of a node: no damage leaves them as they are by anything but chance.
fn fingerprint(fork: u64, node: &Node) -> u64 {
    let words = node.hash.as_bytes().chunks_exact(8);
    let words = words.map(|word| word.try_into().map_or(0, u64::from_le_bytes));
    let mix = |sum: u64, word: u64| {
        (sum.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1)
    };
    words.chain([node.index.get(), node.size, fork]).fold(1, mix)
}
