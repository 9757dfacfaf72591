//! The tree store: nodes at `40 * index`, with what has not been written there yet on top.
//!
//! Three layers answer a look-up: nodes of entries since the last checkpoint, a bounded cache, the file.
//! Nodes that reach past the visible length are never shown, so that leftovers of a truncation or of a
//! lost header can not be taken for nodes of the present tree. Knows nothing of proofs or of recovery.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flat_tree::Index;
use hypercore_crypto::Hash;
use hypercore_merkle::{Node, NodeLookup};
use random_access_storage::RandomAccess;

use crate::error::StorageError;
use crate::group::{GROUP_BYTES, GROUP_NODES, Group, Way};
use crate::stores::{FileName, Stores};

mod watch;
pub(crate) use watch::Watch;
use watch::Watches;

/// Bytes of a node in the tree store.
pub(crate) const NODE_LEN: u64 = 40;
pub(crate) const NODE_BYTES: usize = 40;

/// Groups kept, 2,560 bytes each.
const GROUPS_CACHED: usize = 256;

/// Every node of depth 5 and up has an index that is this many minus one, modulo this many.
const UPPER_EVERY: u64 = 32;

/// Nodes of depth 5 and up that are kept, one each: those above 2^20 blocks.
const UPPER_CACHED: usize = 1 << 16;

/// Depths that a node can have.
const DEPTHS: usize = 64;

/// The tree store of one core.
#[derive(Debug)]
pub(crate) struct Nodes {
    stores: Arc<Stores>,
    /// Nodes that only the oplog holds. `None` hides what the file has there.
    pending: BTreeMap<Index, Option<Node>>,
    /// File nodes that reach past this many blocks count as absent, whatever the visible length is.
    file_length: u64,
    /// Nodes that reach past this many blocks are not shown.
    visible_length: u64,
    /// Where the file must be cut at the next checkpoint.
    truncated_to: Option<u64>,
    cache: Mutex<Cache>,
    watches: Watches,
}

#[derive(Debug)]
struct Cache {
    groups: Vec<Option<Group>>,
    upper: Vec<Option<Node>>,
    /// For each depth the last node of those kept one each that was looked for and is not in the file: whoever fetches
    /// a log block by block climbs past the same ones again and again.
    absent: [Option<Index>; DEPTHS],
    /// Groups that were read so far.
    readings: u64,
}

impl Nodes {
    /// Shows the nodes of the tree store below `length` blocks.
    pub(crate) fn new(stores: Arc<Stores>, length: u64) -> Self {
        Self {
            stores,
            pending: BTreeMap::new(),
            file_length: length,
            visible_length: length,
            truncated_to: None,
            cache: Mutex::new(Cache::default()),
            watches: Watches::default(),
        }
    }

    /// Begins to note which nodes arrive.
    pub(crate) fn watch(&mut self) -> Arc<Watch> {
        self.watches.begin()
    }

    /// How many nodes (and blanks) wait for the next checkpoint.
    pub(crate) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The first index at or after `from` that is pending.
    pub(crate) fn next_pending(&self, from: Index) -> Option<u64> {
        self.pending.range(from..).next().map(|(index, _)| index.get())
    }

    /// Adds nodes that the oplog holds.
    pub(crate) fn add_pending(&mut self, nodes: Vec<Node>) {
        self.watches.add(nodes.iter().map(|node| node.index));
        self.pending.extend(nodes.into_iter().map(|node| (node.index, Some(node))));
    }

    /// Hides what the file has at `index`, if it has anything and nothing is pending there; the next checkpoint blanks it.
    pub(crate) fn hide(&mut self, index: Index) -> Result<(), StorageError> {
        if index.end_block() <= self.visible_length
            && !self.pending.contains_key(&index)
            && self.file_node(index)?.is_some()
        {
            self.pending.insert(index, None);
        }
        Ok(())
    }

    /// Shows nodes up to `length` blocks. With `in_file` the file holds those above the old length;
    /// without it they are all pending, and what the file has there is left over from another tree.
    pub(crate) fn grow(&mut self, length: u64, in_file: bool) {
        self.visible_length = length;
        if in_file {
            self.file_length = length;
        }
    }

    /// Drops every node that does not lie inside the first `length` blocks.
    pub(crate) fn truncate(&mut self, length: u64) {
        // By place, not by looking at each: a tail may truncate as often as it has nodes.
        let cut = Index::new(length.saturating_mul(2).saturating_sub(1));
        drop(self.pending.split_off(&cut));
        for index in hypercore_merkle::removed_parents(length) {
            self.pending.insert(index, None);
        }
        self.visible_length = length;
        self.file_length = self.file_length.min(length);
        self.truncated_to = Some(self.truncated_to.map_or(length, |before| before.min(length)));
        self.forget_cache();
    }

    /// The nodes in the tree store that do not lie inside the visible length: of a batch or of a header that
    /// was lost. `None` when there are none.
    pub(crate) fn leftovers(&self) -> Result<Option<Leftovers>, StorageError> {
        let len = self.stores.tree.len().map_err(StorageError::in_file(FileName::Tree))?;
        let past_end = len > stored_len(self.visible_length);
        let mut parents = Vec::new();
        for index in hypercore_merkle::removed_parents(self.visible_length) {
            if self.file_node(index)?.is_some() {
                parents.push(index);
            }
        }
        Ok((past_end || !parents.is_empty()).then_some(Leftovers { past_end, parents }))
    }

    /// Takes them out of the tree store: those past the end at once, those above it at the next checkpoint.
    pub(crate) fn drop_leftovers(&mut self, leftovers: Leftovers) -> Result<(), StorageError> {
        if leftovers.past_end {
            let cut = self.stores.tree.truncate(stored_len(self.visible_length));
            cut.map_err(StorageError::in_file(FileName::Tree))?;
            self.forget_cache();
        }
        self.pending.extend(leftovers.parents.into_iter().map(|index| (index, None)));
        Ok(())
    }

    /// Makes the next look-ups read the store.
    pub(crate) fn forget_cache(&self) {
        let mut cache = self.lock_cache();
        *cache = Cache { readings: cache.readings, ..Cache::default() };
    }

    /// The length in blocks beyond which the file's nodes must go at the next checkpoint.
    pub(crate) const fn truncated_to(&self) -> Option<u64> {
        self.truncated_to
    }

    /// The nodes a checkpoint must write, in the order of the file. `None`: blank it.
    pub(crate) fn pending(&self) -> impl Iterator<Item = (Index, Option<&Node>)> {
        self.pending.iter().map(|(index, node)| (*index, node.as_ref()))
    }

    /// The pending nodes are in the file now.
    pub(crate) fn clear_pending(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.file_length = self.visible_length;
        if self.truncated_to.take().is_some() {
            // A look-up since the truncation may have read what the file still had behind the cut.
            self.forget_cache();
        } else {
            self.refresh(pending.into_iter());
        }
    }

    /// `nodes` were written to the file directly.
    pub(crate) fn written(&mut self, nodes: &[Node]) {
        if !self.pending.is_empty() {
            for node in nodes {
                self.pending.remove(&node.index);
            }
        }
        self.refresh(nodes.iter().map(|node| (node.index, Some(*node))));
    }

    /// All nodes that are not inside the first `length` blocks are in the file now.
    pub(crate) fn written_behind(&mut self, length: u64) {
        self.pending.retain(|index, _| index.end_block() <= length);
        self.forget_cache();
    }

    /// Brings the cache up to date with what was written.
    fn refresh(&self, nodes: impl Iterator<Item = (Index, Option<Node>)>) {
        let mut cache = self.lock_cache();
        for (index, node) in nodes {
            cache.refresh(index, node);
        }
    }

    fn file_node(&self, index: Index) -> Result<Option<Node>, StorageError> {
        let cache = self.lock_cache();
        if is_upper(index) {
            if let Some(node) = cache.upper(index) {
                return Ok(Some(node));
            }
            if cache.is_absent(index) {
                return Ok(None);
            }
            drop(cache);
            let node = read_node(&*self.stores.tree, index)?;
            match node {
                Some(node) => self.lock_cache().keep_upper(node),
                None => self.lock_cache().keep_absent(index),
            }
            return Ok(node);
        }
        drop(cache);
        self.with_group(Group::number_of(index), |group| group.node(index))
    }

    /// The way from the leaf of a block to the top of its group, as the file has it: where newer nodes are pending it
    /// leads to none that was proven. `None` when not all of the group is in the file, or not all of the way. With
    /// `and_others` the ways to the other blocks of the group are to be asked for, too.
    pub(crate) fn way(&self, block: u64, and_others: bool) -> Result<Option<Way>, StorageError> {
        let Some(leaf) = Index::leaf(block) else { return Ok(None) };
        let number = Group::number_of(leaf);
        let end_block = number.saturating_add(1).saturating_mul(GROUP_NODES / 2);
        if end_block > self.visible_length.min(self.file_length) {
            return Ok(None);
        }
        self.with_group(number, |group| {
            if and_others {
                group.prove_whole();
            }
            group.way(leaf)
        })
    }

    /// Remembers that a way was proven.
    pub(crate) fn keep_proven(&self, way: &Way) {
        if way.is_new()
            && let Some(group) = self.lock_cache().group_mut(way.number())
        {
            group.keep_proven(way);
        }
    }

    fn with_group<T>(
        &self,
        number: u64,
        look: impl FnOnce(&mut Group) -> T,
    ) -> Result<T, StorageError> {
        let mut cache = self.lock_cache();
        if let Some(group) = cache.group_mut(number) {
            return Ok(look(group));
        }
        let buffer = cache.take_buffer(number);
        cache.readings = cache.readings.wrapping_add(1);
        let reading = cache.readings;
        drop(cache);
        let mut group = Group::new(number, reading, self.read_group(number, buffer)?);
        let seen = look(&mut group);
        self.lock_cache().keep_group(group);
        Ok(seen)
    }

    /// Nothing is half changed between two statements that hold the lock.
    fn lock_cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_group(&self, number: u64, mut bytes: Vec<u8>) -> Result<Vec<u8>, StorageError> {
        bytes.resize(GROUP_BYTES, 0);
        let len = match number.checked_mul(GROUP_NODES * NODE_LEN) {
            Some(offset) => read_up_to(&*self.stores.tree, offset, &mut bytes)?,
            None => 0,
        };
        // A node that is only partly there is not there.
        bytes.truncate(len.saturating_sub(len % NODE_BYTES));
        Ok(bytes)
    }
}

impl NodeLookup for Nodes {
    type Error = StorageError;

    fn node(&self, index: Index) -> Result<Option<Node>, StorageError> {
        if index.end_block() > self.visible_length {
            return Ok(None);
        }
        if let Some(node) = self.pending.get(&index) {
            return Ok(*node);
        }
        if index.end_block() > self.file_length {
            return Ok(None);
        }
        self.file_node(index)
    }
}

/// What [`Nodes::leftovers`] found.
#[derive(Debug)]
pub(crate) struct Leftovers {
    /// The tree store goes on behind the last node that counts.
    past_end: bool,
    /// Parents before it that reach past the visible length. At most one a level.
    parents: Vec<Index>,
}

/// Bytes of a tree store with all nodes of `length` blocks.
pub(crate) const fn stored_len(length: u64) -> u64 {
    length.saturating_mul(2).saturating_sub(1).saturating_mul(NODE_LEN)
}

/// Whether a node is kept by itself rather than with its neighbours. Among these is the root of each group:
/// the way to a block in one group passes the root of the group beside it, which is not read for that.
fn is_upper(index: Index) -> bool {
    index.get() % UPPER_EVERY == UPPER_EVERY - 1
}

impl Default for Cache {
    fn default() -> Self {
        Self { groups: Vec::new(), upper: Vec::new(), absent: [None; DEPTHS], readings: 0 }
    }
}

impl Cache {
    fn is_absent(&self, index: Index) -> bool {
        self.absent.get(depth_slot(index)).is_some_and(|absent| *absent == Some(index))
    }

    fn keep_absent(&mut self, index: Index) {
        if let Some(slot) = self.absent.get_mut(depth_slot(index)) {
            *slot = Some(index);
        }
    }

    fn upper(&self, index: Index) -> Option<Node> {
        let node = (*self.upper.get(upper_slot(index))?)?;
        (node.index == index).then_some(node)
    }

    fn keep_upper(&mut self, node: Node) {
        let at = upper_slot(node.index);
        if at >= self.upper.len() {
            // A short log takes little memory.
            self.upper.resize(at.saturating_add(1).next_power_of_two(), None);
        }
        if let Some(slot) = self.upper.get_mut(at) {
            *slot = Some(node);
        }
    }

    fn group_mut(&mut self, number: u64) -> Option<&mut Group> {
        self.groups.get_mut(group_slot(number))?.as_mut().filter(|group| group.number == number)
    }

    /// Makes room for a group, and gives the memory of the one that was there.
    fn take_buffer(&mut self, number: u64) -> Vec<u8> {
        let slot = self.groups.get_mut(group_slot(number)).and_then(Option::take);
        slot.map(|group| group.bytes).unwrap_or_default()
    }

    fn keep_group(&mut self, group: Group) {
        group.upper().into_iter().flatten().for_each(|node| self.keep_upper(node));
        if self.groups.is_empty() {
            self.groups.resize_with(GROUPS_CACHED, || None);
        }
        if let Some(slot) = self.groups.get_mut(group_slot(group.number)) {
            *slot = Some(group);
        }
    }

    fn refresh(&mut self, index: Index, node: Option<Node>) {
        if is_upper(index)
            && let Some(slot) = self.absent.get_mut(depth_slot(index))
        {
            slot.take_if(|absent| *absent == index);
        }
        if is_upper(index)
            && let Some(slot) = self.upper.get_mut(upper_slot(index))
            && slot.is_some_and(|kept| kept.index == index)
        {
            *slot = node;
        }
        let number = Group::number_of(index);
        if let Some(slot) = self.groups.get_mut(group_slot(number))
            && slot.as_ref().is_some_and(|group| group.number == number)
        {
            *slot = None;
        }
    }
}

fn depth_slot(index: Index) -> usize {
    usize::try_from(index.get().trailing_ones()).unwrap_or_default()
}

fn upper_slot(index: Index) -> usize {
    slot(index.get() / UPPER_EVERY, UPPER_CACHED)
}

fn group_slot(number: u64) -> usize {
    slot(number, GROUPS_CACHED)
}

fn slot(number: u64, slots: usize) -> usize {
    usize::try_from(number.checked_rem(slots as u64).unwrap_or_default()).unwrap_or_default()
}

/// Reads what the store has of `buffer.len()` bytes at `offset`.
fn read_up_to(
    store: &dyn RandomAccess,
    offset: u64,
    buffer: &mut [u8],
) -> Result<usize, StorageError> {
    let in_tree = StorageError::in_file(FileName::Tree);
    let mut len = buffer.len();
    // Nearly always all of it is there: asking for the length first would double the system calls. The end
    // can move down in between, so each try is shorter than the one before.
    while let Some(part) = buffer.get_mut(..len).filter(|part| !part.is_empty()) {
        match store.read_at(offset, part) {
            Ok(()) => return Ok(len),
            Err(random_access_storage::Error::OutOfBounds { end, .. }) => {
                let there = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
                len = there.min(len.saturating_sub(1));
            }
            Err(error) => return Err(in_tree(error)),
        }
    }
    Ok(0)
}

/// The node that a store has at `index`. One that is only partly there is not there.
pub(crate) fn read_node(
    store: &dyn RandomAccess,
    index: Index,
) -> Result<Option<Node>, StorageError> {
    let Some(offset) = index.get().checked_mul(NODE_LEN) else { return Ok(None) };
    let mut bytes = [0; NODE_BYTES];
    let len = read_up_to(store, offset, &mut bytes)?;
    Ok(if len < NODE_BYTES { None } else { decode(index, &bytes) })
}

/// A node as it is stored; 40 zero bytes stand for none.
pub(crate) fn decode(index: Index, bytes: &[u8; NODE_BYTES]) -> Option<Node> {
    if *bytes == [0; NODE_BYTES] {
        return None;
    }
    let (size, hash) = bytes.split_first_chunk::<8>()?;
    Some(Node {
        index,
        size: u64::from_le_bytes(*size),
        hash: Hash::from_bytes(*hash.first_chunk()?),
    })
}

/// The 40 bytes of a node; zeros blank it.
pub(crate) fn encode(node: Option<&Node>) -> [u8; NODE_BYTES] {
    let mut bytes = [0; NODE_BYTES];
    if let Some(node) = node {
        let (size, hash) = bytes.split_at_mut(8);
        size.copy_from_slice(&node.size.to_le_bytes());
        hash.copy_from_slice(node.hash.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
