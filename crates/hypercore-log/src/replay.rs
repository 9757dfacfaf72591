//! Replaying the entries since the last checkpoint, and finding how many of them hold.
//!
//! Only reads. Entries are applied to a state made from the header; where one turns out not to hold, the
//! replay starts again with the entries before it.

use std::ops::Range;
use std::sync::Arc;

use flat_tree::Index;
use hypercore_merkle::{Leaf, NodeLookup, Tree, TreeError};

use crate::bitfield::{Bitfield, BitfieldError, PAGE_BITS};
use crate::branch::seal;
use crate::canary::{Bug, planted};
use crate::check::check_piece;
use crate::commit::Announced;
use crate::entry::{BitfieldUpdate, Entry};
use crate::error::{Corruption, LogError, OpenError, StorageError};
use crate::header::Header;
use crate::nodes::NODE_LEN;
use crate::oplog::{ENTRIES_START, Loaded, LoadedEntry};
use crate::seal::Counts;
use crate::state::{State, node_offset};
use crate::stores::{FileName, Stores};

/// Replays at most. Each one cuts at least one entry; a crash needs two, and a tail that needs more than
/// this was made to be slow.
const REPLAYS_MAX: usize = 32;

/// Bitfield pages that the entries of a tail may touch in all, counted again for each entry.
///
/// Honest entries touch a page or two each; twenty bytes can name 65,536.
const PAGES_TOUCHED_MAX: u64 = 1 << 22;

/// What the header and those entries that hold describe.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) state: State,
    /// The entries that hold.
    pub(crate) kept: Kept,
    /// The length that all entries together would have given.
    pub(crate) length_wanted: u64,
    /// Whether an entry that holds took blocks off the log.
    pub(crate) truncated: bool,
    /// Whether blocks of entries that hold are gone, with others of the last checkpoint.
    pub(crate) blocks_gone: bool,
    /// Nodes that were computed again.
    pub(crate) nodes_rebuilt: usize,
    /// Bytes of the blocks that were hashed again.
    pub(crate) data_len: u64,
}

/// How many entries hold, and where in the oplog they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) entries: usize,
    pub(crate) end: u64,
}

impl Kept {
    /// Of the first `count` entries those that make whole atomic batches.
    fn whole_batches(entries: &[LoadedEntry], count: usize) -> Self {
        let kept = entries.get(..count).unwrap_or(entries);
        let last = kept.iter().enumerate().rev().find(|(_, entry)| !entry.partial);
        last.map_or(Self { entries: 0, end: ENTRIES_START }, |(position, entry)| Self {
            entries: position.saturating_add(1),
            end: entry.end,
        })
    }
}

/// Why a replay ended early.
enum Stop {
    /// This entry does not hold: keep those before it.
    Cut(usize),
    Failed(OpenError),
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Corruption> for Stop {
    fn from(corruption: Corruption) -> Self {
        Self::Failed(corruption.into())
    }
}

/// Replays the entries of `loaded` on `header`.
pub(crate) fn replay(
    stores: &Arc<Stores>,
    header: &Header,
    loaded: &Loaded,
    unsigned: bool,
) -> Result<Replayed, OpenError> {
    let entries = loaded.entries.as_slice();
    let mut upgrades = entries.iter().rev().filter_map(|entry| entry.entry.tree_upgrade.as_ref());
    let length_wanted = upgrades.next().map_or(header.tree.length, |upgrade| upgrade.length);
    let mut kept = Kept::whole_batches(entries, entries.len());
    for _ in 0..REPLAYS_MAX {
        let tail = entries.get(..kept.entries).unwrap_or_default();
        let bitfield = Bitfield::load(&*stores.bitfield);
        let bitfield = bitfield.map_err(|error| bitfield_error(error, 0))?;
        let mut replay = Replay::new(stores, header, bitfield, unsigned);
        replay.state.stored_off = stored_off(header, entries, &replay.state.bitfield);
        match replay.run(tail).and_then(|()| replay.finish(tail)) {
            Ok(()) => {
                let Replay { state, truncated, blocks_gone, nodes_rebuilt, data_len, .. } = replay;
                return Ok(Replayed {
                    state,
                    kept,
                    length_wanted,
                    truncated,
                    blocks_gone,
                    nodes_rebuilt,
                    data_len,
                });
            }
            Err(Stop::Cut(entry)) => kept = Kept::whole_batches(entries, entry),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    let what = "its entries contradict the blocks in too many places";
    Err(Corruption::new(FileName::Oplog, ENTRIES_START, what).into())
}

/// By how much the count of stored blocks in `header` is above that of the bitfield file, modulo 2^64; 0 without one.
///
/// Blocks that the entries name may be in the file or not: a checkpoint may have begun to write them.
fn stored_off(header: &Header, entries: &[LoadedEntry], bitfield: &Bitfield) -> u64 {
    let Some(Counts { stored, .. }) = header.counts else { return 0 };
    let length = header.tree.length;
    let below = |range: Range<u64>| range.start.min(length)..range.end.min(length);
    let changed = |loaded: &LoadedEntry| {
        let cut =
            loaded.entry.tree_upgrade.as_ref().map(|upgrade| below(upgrade.ancestors..length));
        cut.into_iter().chain(loaded.entry.bitfield.map(|update| below(update.range())))
    };
    let mut named = Bitfield::new();
    for range in entries.iter().flat_map(changed) {
        // A range that is refused here is refused again where it is applied.
        let _ = named.set_range(range, true);
    }
    let mut sure = bitfield.count_set(0..length);
    for range in named.set_ranges(0..length) {
        sure = sure.saturating_sub(bitfield.count_set(range));
    }
    let most = sure.saturating_add(named.count_set(0..length));
    let whole = named.page_count() > 0
        || bitfield.contiguous_from(0).min(length) == header.contiguous_length.min(length);
    match () {
        () if stored < sure => stored.wrapping_sub(sure),
        () if stored > most => stored.wrapping_sub(most),
        // As many blocks, and others.
        () if !whole => length.wrapping_add(1),
        () => 0,
    }
}

struct Replay<'a> {
    stores: &'a Stores,
    header: &'a Header,
    /// A branch: the tree hash stands in the place of signatures.
    unsigned: bool,
    state: State,
    /// Fork and length after the entries so far.
    head: Announced,
    truncated: bool,
    blocks_gone: bool,
    nodes_rebuilt: usize,
    data_len: u64,
    pages_touched: u64,
}

impl<'a> Replay<'a> {
    fn new(
        stores: &'a Arc<Stores>,
        header: &'a Header,
        mut bitfield: Bitfield,
        unsigned: bool,
    ) -> Self {
        let length = header.tree.length;
        bitfield.truncate(length);
        let mut state = State::from_header(header, Arc::clone(stores), bitfield);
        state.contiguous_length = state.bitfield.contiguous_from(0);
        let head = Announced { fork: header.tree.fork, length };
        Self {
            stores,
            header,
            unsigned,
            state,
            head,
            truncated: false,
            blocks_gone: false,
            nodes_rebuilt: 0,
            data_len: 0,
            pages_touched: 0,
        }
    }

    fn run(&mut self, entries: &[LoadedEntry]) -> Result<(), Stop> {
        for (position, loaded) in entries.iter().enumerate() {
            let entry = &loaded.entry;
            if !self.follows(entry) {
                return Err(Stop::Cut(position));
            }
            let old = self.head;
            if let Some(upgrade) = &entry.tree_upgrade {
                self.head = Announced { fork: upgrade.fork, length: upgrade.length };
                self.truncated |= upgrade.ancestors < old.length;
            }
            let nodes_in_file = self.head.length > old.length
                && entry.tree_nodes.as_ref().is_none_or(Vec::is_empty);
            if let Some(update) = &entry.bitfield {
                let pages = (update.length / PAGE_BITS).saturating_add(1);
                self.pages_touched = self.pages_touched.saturating_add(pages);
            }
            if self.pages_touched > PAGES_TOUCHED_MAX {
                let error = bitfield_error(BitfieldError::TooManyPages, loaded.start);
                return Err(Stop::Failed(error));
            }
            let old_tree = if nodes_in_file { self.load_tree(old)? } else { None };
            self.state
                .apply(entry.clone(), old)
                .map_err(|error| Stop::Failed(bitfield_error(error, loaded.start)))?;
            if nodes_in_file {
                let Some(old_tree) = old_tree else { return Err(Stop::Cut(position)) };
                self.rebuild_nodes(old_tree, position)?;
            }
        }
        Ok(())
    }

    /// Whether `entry` can come after what was replayed so far.
    fn follows(&self, entry: &Entry) -> bool {
        let upgrade = entry.tree_upgrade.as_ref();
        let length = upgrade.map_or(self.head.length, |upgrade| upgrade.length);
        let heads_agree = upgrade.is_none_or(|upgrade| {
            upgrade.ancestors <= self.head.length
                && upgrade.ancestors <= upgrade.length
                && upgrade.fork >= self.head.fork
        });
        let blocks_exist = entry.bitfield.is_none_or(|update| {
            update.drop || update.start.saturating_add(update.length) <= length
        });
        // Nodes that only the tree store has end with a truncation: what cuts the log brings those it needs.
        let has_nodes = entry.tree_nodes.as_ref().is_some_and(|nodes| !nodes.is_empty());
        let nodes_stay = upgrade.is_none_or(|upgrade| {
            let (cut, new) = (upgrade.ancestors, upgrade.length);
            cut == self.head.length || cut == new || has_nodes
        });
        heads_agree && blocks_exist && nodes_stay
    }

    fn load_tree(&self, head: Announced) -> Result<Option<Tree>, Stop> {
        match Tree::load(&self.state.nodes, head.fork, head.length) {
            Ok(tree) => Ok(Some(tree)),
            Err(TreeError::Lookup { source, .. }) => Err(source.into()),
            Err(_) => Ok(None),
        }
    }

    /// The entry at `position` named no nodes: they were written straight to the tree store, which the power
    /// may have cut short. The leaves are proven by the signature over the tree they make; parents that are
    /// missing are put right.
    fn rebuild_nodes(&mut self, mut tree: Tree, position: usize) -> Result<(), Stop> {
        let mut leaves = Vec::new();
        for block in tree.length()..self.head.length {
            let Some(index) = Index::leaf(block) else { return Err(Stop::Cut(position)) };
            match self.state.nodes.node(index)? {
                Some(node) => leaves.push(Leaf { size: node.size, hash: node.hash }),
                None => return Err(Stop::Cut(position)),
            }
        }
        let Ok(nodes) = tree.append(&leaves) else { return Err(Stop::Cut(position)) };
        let signature = self.state.signature.as_deref().unwrap_or_default();
        let manifest = self.state.manifest.as_ref();
        let signed = match manifest {
            _ if self.unsigned => signature == seal(&tree.hash()),
            Some(manifest) => manifest.verify(&self.header.key, &tree, signature).is_ok(),
            None => false,
        };
        if !signed {
            return Err(Stop::Cut(position));
        }
        let mut torn = Vec::new();
        for node in nodes {
            if self.state.nodes.node(node.index)? != Some(node) {
                torn.push(node);
            }
        }
        self.nodes_rebuilt = self.nodes_rebuilt.saturating_add(torn.len());
        self.state.nodes.add_pending(torn);
        Ok(())
    }

    /// Hides what the tree store has past the end it had at the last checkpoint, but for what the entries say is there.
    ///
    /// A store that grew with gaps before a power cut may show anything in them.
    fn hide_unknown_nodes(&mut self, entries: &[LoadedEntry]) -> Result<(), Stop> {
        let Some(Counts { tree_len, .. }) = self.header.counts else { return Ok(()) };
        let mut written = Vec::new();
        let mut length = self.header.tree.length;
        for upgrade in entries.iter().map(|loaded| &loaded.entry) {
            let has_nodes = upgrade.tree_nodes.as_ref().is_some_and(|nodes| !nodes.is_empty());
            let Some(upgrade) = &upgrade.tree_upgrade else { continue };
            if upgrade.length > length && !has_nodes {
                written.push(length..upgrade.length);
            }
            length = upgrade.length;
        }
        let end = self.head.length.saturating_mul(2);
        let mut next = tree_len / NODE_LEN;
        while let Some(stored) = self
            .stores
            .tree
            .next_stored(next.saturating_mul(NODE_LEN))
            .map_err(StorageError::in_file(FileName::Tree))?
        {
            let stored_end = stored.end.div_ceil(NODE_LEN).min(end);
            next = next.max(stored.start / NODE_LEN);
            if next >= stored_end {
                return Ok(());
            }
            while next < stored_end {
                let index = Index::new(next);
                let range = index.first_block()..index.end_block();
                let batch = written
                    .iter()
                    .find(|blocks| range.end <= blocks.end && range.end > blocks.start);
                if let Some(batch) = batch.filter(|batch| range.start >= batch.start) {
                    // All that stands between its leaves is its own, or not complete and hidden by the length.
                    next =
                        batch.end.saturating_mul(2).saturating_sub(1).max(next.saturating_add(1));
                    continue;
                }
                if batch.is_none() {
                    self.state.nodes.hide(index)?;
                }
                next = next.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Loads the tree and checks the blocks that the entries brought and that are still there.
    fn finish(&mut self, entries: &[LoadedEntry]) -> Result<(), Stop> {
        self.hide_unknown_nodes(entries)?;
        let tree = Tree::load(&self.state.nodes, self.head.fork, self.head.length);
        let tree = tree.map_err(|error| tree_damage(error, self.head.length))?;
        if entries.iter().any(|loaded| loaded.entry.tree_upgrade.is_some()) {
            self.state.set_tree(tree);
        } else {
            self.state.tree = tree;
        }
        let length = self.head.length;
        self.state.bitfield.truncate(length);
        self.state.contiguous_length = self.state.bitfield.contiguous_from(0).min(length);
        self.check_blocks(entries)
    }

    /// Hashes the blocks that the entries brought and that are still there.
    ///
    /// Each counts for the *last* entry that brought it: of a block that was cleared and fetched again the
    /// first entry holds, whatever became of the second. So the entries are gone through backwards.
    fn check_blocks(&mut self, entries: &[LoadedEntry]) -> Result<(), Stop> {
        let mut seen = Bitfield::new();
        let mut first_bad = None;
        for (position, loaded) in entries.iter().enumerate().rev() {
            let Some(update @ BitfieldUpdate { drop: false, .. }) = &loaded.entry.bitfield else {
                continue;
            };
            match self.blocks_hold(update.range(), &seen)? {
                Some(len) => self.data_len = self.data_len.saturating_add(len),
                None => first_bad = Some(position),
            }
            seen.set_range(update.range(), true)
                .map_err(|error| Stop::Failed(bitfield_error(error, loaded.start)))?;
        }
        match first_bad.filter(|_| !planted(Bug::BlocksNotVerifiedOnRecovery)) {
            Some(position) if !self.checkpointed_data_is_gone(&seen)? => Err(Stop::Cut(position)),
            gone => {
                self.blocks_gone = gone.is_some();
                Ok(())
            }
        }
    }

    /// Bytes of the stored blocks of a range that are not `seen`, if they all hold.
    fn blocks_hold(&self, range: Range<u64>, seen: &Bitfield) -> Result<Option<u64>, Stop> {
        let mut len = 0_u64;
        let mut rest = range;
        // What was seen is passed over first: it becomes one run, however many there are in what is stored.
        while let Some(unseen) = seen.find_first(false, rest.clone()) {
            let unseen = unseen..seen.find_first(true, unseen..rest.end).unwrap_or(rest.end);
            let Some(run) = self.state.bitfield.set_ranges(unseen.clone()).next() else {
                rest.start = unseen.end;
                continue;
            };
            let piece = check_piece(&self.state, &*self.stores.data, run);
            let piece = match piece {
                Ok(piece) => piece,
                Err(LogError::Storage(error)) => return Err(error.into()),
                Err(_) => return Ok(None),
            };
            if !piece.faults.is_empty() {
                return Ok(None);
            }
            len = len.saturating_add(piece.len);
            rest.start = piece.next;
        }
        Ok(Some(len))
    }

    /// Whether the data store ends before the blocks of the last checkpoint do.
    ///
    /// Those were on stable storage, so this is damage and no power cut: a cut of the log would add to the
    /// loss, and reading the blocks reports it.
    fn checkpointed_data_is_gone(&self, brought: &Bitfield) -> Result<bool, Stop> {
        let end = self.header.tree.length.min(self.head.length);
        // What the entries brought may be below that length, in a log with gaps, and gone with the power.
        let mut checkpointed = self.state.bitfield.clone();
        for blocks in brought.set_ranges(0..end) {
            checkpointed.clear(blocks);
        }
        let Some(block) = checkpointed.find_last_set(end) else { return Ok(false) };
        let len = self.stores.data.len().map_err(StorageError::in_file(FileName::Data))?;
        match self.state.tree.byte_range(&self.state.nodes, block) {
            Ok(range) => Ok(len < range.end),
            Err(TreeError::Lookup { source, .. }) => Err(source.into()),
            Err(_) => Ok(false),
        }
    }
}

fn bitfield_error(error: BitfieldError, offset: u64) -> OpenError {
    match error {
        BitfieldError::Storage(error) => error.into(),
        _ if offset == 0 => {
            Corruption::new(FileName::Bitfield, 0, "it says more than a core can hold").into()
        }
        _ => Corruption::new(FileName::Oplog, offset, "an entry names too many blocks").into(),
    }
}

fn tree_damage(error: TreeError<StorageError>, length: u64) -> Stop {
    match error {
        TreeError::Lookup { source, .. } => source.into(),
        TreeError::MissingNode(index) | TreeError::DamagedNode(index) => {
            let offset = node_offset(index.get());
            Corruption::new(FileName::Tree, offset, "a root of the tree is not stored here").into()
        }
        _ => {
            let offset = node_offset(length.saturating_mul(2));
            Corruption::new(FileName::Tree, offset, "the roots are not those of a tree").into()
        }
    }
}
