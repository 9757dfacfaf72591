//! Snapshots and branches against the dullest model of them: a list of blocks each.
//!
//! Random operations on a log, its snapshots and its branches, closing and dropping in between.

mod support;

use hypercore_log::{
    Branch, BranchOptions, BranchSnapshot, CommitOptions, Create, Durability, Log, LogError,
    OpenOptions, Overlay, Snapshot,
};
use hypercore_merkle::{Leaf, Tree};
use proptest::prelude::*;
use random_access_memory::RandomAccessMemory;
use support::{Disk, assert_sound, block, key_pair};

#[derive(Clone, Debug)]
enum Operation {
    Append(Vec<u16>),
    Truncate(u8),
    Clear(u8, u8),
    Checkpoint,
    Reopen,
    Snapshot,
    DropSnapshot(usize),
    Branch(u8),
    BranchAppend(usize, Vec<u16>),
    BranchTruncate(usize, u8),
    BranchClear(usize, u8, u8),
    BranchReopen(usize, bool),
    /// What happens to the log while a branch is closed.
    BranchAway(usize, Option<u8>, Vec<u16>),
    Commit(usize, u8),
    BranchSnapshot(usize),
    BranchDropSnapshots(usize),
    /// A branch gives up what the log has as well.
    Rebase(usize, u8),
    /// The log takes the next blocks of a branch by itself.
    Take(usize, u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    let len = prop_oneof![Just(0_u16), 1..40_u16, Just(3000)];
    let lens = || prop::collection::vec(len.clone(), 1..6);
    let which = || any::<prop::sample::Index>().prop_map(|index| index.index(4));
    prop_oneof![
        6 => lens().prop_map(Operation::Append),
        1 => prop::collection::vec(len.clone(), 260..300).prop_map(Operation::Append),
        3 => any::<u8>().prop_map(Operation::Truncate),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Operation::Clear(from, to)),
        1 => Just(Operation::Checkpoint),
        1 => Just(Operation::Reopen),
        4 => Just(Operation::Snapshot),
        2 => which().prop_map(Operation::DropSnapshot),
        4 => prop_oneof![Just(255_u8), any::<u8>()].prop_map(Operation::Branch),
        6 => (which(), lens()).prop_map(|(at, lens)| Operation::BranchAppend(at, lens)),
        1 => (which(), prop::collection::vec(len.clone(), 260..300))
            .prop_map(|(at, lens)| Operation::BranchAppend(at, lens)),
        2 => (which(), any::<u8>()).prop_map(|(at, to)| Operation::BranchTruncate(at, to)),
        1 => (which(), any::<u8>(), any::<u8>())
            .prop_map(|(at, from, to)| Operation::BranchClear(at, from, to)),
        2 => (which(), any::<bool>()).prop_map(|(at, close)| Operation::BranchReopen(at, close)),
        2 => (which(), any::<Option<u8>>(), lens())
            .prop_map(|(at, to, lens)| Operation::BranchAway(at, to, lens)),
        3 => (which(), prop_oneof![Just(255_u8), any::<u8>()])
            .prop_map(|(at, to)| Operation::Commit(at, to)),
        2 => (which(), prop_oneof![Just(255_u8), any::<u8>()])
            .prop_map(|(at, to)| Operation::Rebase(at, to)),
        2 => which().prop_map(Operation::BranchSnapshot),
        2 => which().prop_map(Operation::BranchDropSnapshots),
        1 => (which(), any::<u8>()).prop_map(|(at, to)| Operation::Take(at, to)),
    ]
}

/// Blocks, and whether each is stored.
#[derive(Clone, Debug, Default)]
struct Blocks {
    all: Vec<Vec<u8>>,
    stored: Vec<bool>,
}

impl Blocks {
    fn len(&self) -> usize {
        self.all.len()
    }

    fn scale(&self, part: u8) -> usize {
        self.len() * usize::from(part) / 255
    }

    fn extend(&mut self, blocks: &[Vec<u8>]) {
        self.all.extend_from_slice(blocks);
        self.stored.resize(self.all.len(), true);
    }

    fn truncate(&mut self, length: usize) {
        self.all.truncate(length);
        self.stored.truncate(length);
    }

    fn clear(&mut self, range: std::ops::Range<usize>) {
        let range = range.start.min(self.len())..range.end.min(self.len());
        if !range.is_empty() {
            self.stored[range].fill(false);
        }
    }

    fn get(&self, index: usize) -> Option<&[u8]> {
        self.stored[index].then_some(&self.all[index])
    }
}

/// What a snapshot and a branch can both be asked.
trait View {
    fn head(&self) -> hypercore_log::Head;
    fn get(&self, log: &Log, index: u64) -> Result<Option<Vec<u8>>, LogError>;
    fn has(&self, log: &Log, index: u64) -> bool;
    fn stored_ranges(&self, log: &Log) -> Vec<std::ops::Range<u64>>;
    fn contiguous_length(&self, log: &Log) -> u64;
    fn block_range(&self, log: &Log, index: u64) -> Result<std::ops::Range<u64>, LogError>;
    fn seek(&self, log: &Log, bytes: u64) -> Result<Option<(u64, u64)>, LogError>;
    fn tree_hash_at(&self, log: &Log, length: u64) -> Result<hypercore_crypto::Hash, LogError>;
}

macro_rules! view {
    ($type:ty) => {
        impl View for $type {
            fn head(&self) -> hypercore_log::Head {
                self.head()
            }
            fn get(&self, log: &Log, index: u64) -> Result<Option<Vec<u8>>, LogError> {
                self.get(log, index)
            }
            fn has(&self, log: &Log, index: u64) -> bool {
                self.has(log, index)
            }
            fn stored_ranges(&self, log: &Log) -> Vec<std::ops::Range<u64>> {
                self.stored_ranges(log, 0..u64::MAX, usize::MAX)
            }
            fn contiguous_length(&self, log: &Log) -> u64 {
                self.contiguous_length(log)
            }
            fn block_range(&self, log: &Log, index: u64) -> Result<std::ops::Range<u64>, LogError> {
                self.block_range(log, index)
            }
            fn seek(&self, log: &Log, bytes: u64) -> Result<Option<(u64, u64)>, LogError> {
                self.seek(log, bytes, 0)
            }
            fn tree_hash_at(
                &self,
                log: &Log,
                length: u64,
            ) -> Result<hypercore_crypto::Hash, LogError> {
                self.tree_hash_at(log, length)
            }
        }
    };
}

struct FrozenBranch<'a> {
    branch: &'a Branch,
    snapshot: &'a BranchSnapshot,
}

impl View for FrozenBranch<'_> {
    fn head(&self) -> hypercore_log::Head {
        self.snapshot.head()
    }
    fn get(&self, log: &Log, index: u64) -> Result<Option<Vec<u8>>, LogError> {
        self.snapshot.get(self.branch, log, index)
    }
    fn has(&self, log: &Log, index: u64) -> bool {
        self.snapshot.has(self.branch, log, index)
    }
    fn stored_ranges(&self, log: &Log) -> Vec<std::ops::Range<u64>> {
        self.snapshot.stored_ranges(self.branch, log, 0..u64::MAX, usize::MAX)
    }
    fn contiguous_length(&self, log: &Log) -> u64 {
        let all = self.stored_ranges(log);
        all.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }
    fn block_range(&self, log: &Log, index: u64) -> Result<std::ops::Range<u64>, LogError> {
        self.snapshot.block_range(self.branch, log, index)
    }
    fn seek(&self, log: &Log, bytes: u64) -> Result<Option<(u64, u64)>, LogError> {
        self.snapshot.seek(self.branch, log, bytes, 0)
    }
    fn tree_hash_at(&self, log: &Log, length: u64) -> Result<hypercore_crypto::Hash, LogError> {
        self.snapshot.tree_hash_at(self.branch, log, length)
    }
}

view!(Snapshot);
view!(Branch);

/// Compares all that `view` shows with `blocks`.
fn compare(log: &Log, view: &dyn View, blocks: &Blocks) {
    let head = view.head();
    assert_eq!(head.length, blocks.len() as u64);
    assert_eq!(head.byte_length, blocks.all.iter().map(Vec::len).sum::<usize>() as u64);
    let mut tree = Tree::empty(0);
    let mut runs: Vec<std::ops::Range<u64>> = Vec::new();
    let mut offset = 0;
    for (index, block) in (0..).zip(&blocks.all) {
        assert_eq!(view.tree_hash_at(log, index).unwrap(), tree.hash(), "at {index}");
        let stored = blocks.get(index as usize);
        assert_eq!(view.get(log, index).unwrap().as_deref(), stored, "block {index}");
        assert_eq!(view.has(log, index), stored.is_some());
        match runs.last_mut() {
            _ if stored.is_none() => {}
            Some(last) if last.end == index => last.end += 1,
            _ => runs.push(index..index + 1),
        }
        let size = block.len() as u64;
        assert_eq!(view.block_range(log, index).unwrap(), offset..offset + size);
        if size > 0 {
            let (found, rest) = view.seek(log, offset + size - 1).unwrap().unwrap();
            // As in JavaScript, an empty block right before the byte may be named in its place.
            let between = blocks.all[found as usize..index as usize].iter().map(Vec::len);
            assert_eq!((between.sum(), found <= index, rest), (0_usize, true, size - 1));
        }
        offset += size;
        tree.append(&[Leaf::new(block)]).unwrap();
    }
    assert_eq!(head.tree_hash, tree.hash());
    assert_eq!(view.seek(log, offset + 1).unwrap(), None);
    let first = runs.first().filter(|run| run.start == 0).map_or(0, |run| run.end);
    assert_eq!(view.contiguous_length(log), first);
    assert_eq!(view.stored_ranges(log), runs);
    let length = blocks.len() as u64;
    assert!(matches!(view.get(log, length), Err(LogError::OutOfBounds { .. })));
}

struct OpenBranch {
    disk: Disk,
    branch: Branch,
    blocks: Blocks,
    snapshots: Vec<(BranchSnapshot, Blocks)>,
    /// The first of them are the log's.
    ancestors: usize,
    /// The log has other blocks there, and the branch was not open when it took them.
    missed: bool,
}

impl OpenBranch {
    fn compare(&self, log: &Log, base: &Blocks) {
        for (snapshot, blocks) in &self.snapshots {
            let branch = &self.branch;
            compare(log, &FrozenBranch { branch, snapshot }, blocks);
        }
        if !self.missed {
            return compare(log, &self.branch, &self.blocks);
        }
        for (index, block) in (0..).zip(&self.blocks.all) {
            match self.branch.get(log, index) {
                Ok(Some(found)) => assert_eq!(found, *block),
                Ok(None) => {
                    let of_base = (index as usize) < self.ancestors;
                    assert!(!if of_base {
                        base.stored[index as usize]
                    } else {
                        self.blocks.stored[index as usize]
                    });
                }
                Err(LogError::BaseRewritten { shared }) => {
                    assert!(shared <= index && (index as usize) < self.ancestors);
                }
                Err(error) => panic!("block {index}: {error}"),
            }
        }
    }
}

struct World {
    disk: Disk,
    log: Log,
    blocks: Blocks,
    made: u64,
    snapshots: Vec<(Snapshot, Blocks)>,
    branches: Vec<OpenBranch>,
    durability: Durability,
}

fn overlay() -> Overlay {
    Overlay { tree: Box::new(RandomAccessMemory::new()), data: Box::new(RandomAccessMemory::new()) }
}

impl World {
    fn new(durability: Durability) -> Self {
        let disk = Disk::new();
        let options = OpenOptions::new().create(Create::New).key_pair(key_pair());
        let log = Log::open(disk.stores(), options.durability(durability)).unwrap();
        let (blocks, snapshots, branches) = (Blocks::default(), Vec::new(), Vec::new());
        Self { disk, log, blocks, made: 0, snapshots, branches, durability }
    }

    fn make(&mut self, lens: &[u16]) -> Vec<Vec<u8>> {
        let mut next = || {
            self.made += 1;
            self.made
        };
        lens.iter().map(|len| block(next(), usize::from(*len))).collect()
    }

    fn options(&self) -> BranchOptions {
        BranchOptions::new().durability(self.durability)
    }

    fn resume(&self, disk: &Disk) -> Branch {
        Branch::open(&self.log, disk.stores(), overlay(), self.options()).unwrap()
    }

    /// What a branch has after it was closed.
    fn resumed(&self, mut open: OpenBranch) -> OpenBranch {
        let base = &self.blocks;
        open.missed = base.all.get(..open.ancestors) != Some(&open.blocks.all[..open.ancestors]);
        if !open.missed {
            // What the log cleared meanwhile is not here any more.
            open.blocks.stored[..open.ancestors].copy_from_slice(&base.stored[..open.ancestors]);
        }
        open
    }

    fn append(&mut self, lens: &[u16]) {
        let blocks = self.make(lens);
        self.log.append(&blocks).unwrap();
        self.blocks.extend(&blocks);
    }

    fn truncate(&mut self, part: u8) {
        let length = self.blocks.scale(part);
        self.log.truncate(length as u64, None).unwrap();
        self.blocks.truncate(length);
    }

    fn run(&mut self, operation: &Operation) {
        match operation {
            Operation::Append(lens) => self.append(lens),
            Operation::Truncate(part) => self.truncate(*part),
            Operation::Clear(from, to) => {
                let range = self.blocks.scale(*from)..self.blocks.scale(*to);
                self.log.clear(range.start as u64..range.end as u64).unwrap();
                self.blocks.clear(range);
            }
            Operation::Checkpoint => self.log.checkpoint().unwrap(),
            Operation::Reopen => self.reopen(),
            Operation::Snapshot => {
                self.snapshots.push((self.log.snapshot(overlay()), self.blocks.clone()));
            }
            Operation::DropSnapshot(at) if *at < self.snapshots.len() => {
                drop(self.snapshots.remove(*at));
            }
            Operation::Branch(part) if self.branches.len() < 4 => {
                let length = self.blocks.scale(*part);
                let disk = Disk::new();
                let options = self.options().create(Create::New).checkout(length as u64);
                let branch = Branch::open(&self.log, disk.stores(), overlay(), options).unwrap();
                let mut blocks = self.blocks.clone();
                blocks.truncate(length);
                let (snapshots, ancestors, missed) = (Vec::new(), length, false);
                let open = OpenBranch { disk, branch, blocks, snapshots, ancestors, missed };
                self.branches.push(open);
            }
            Operation::BranchAppend(at, lens) if *at < self.branches.len() => {
                let blocks = self.make(lens);
                let open = &mut self.branches[*at];
                open.branch.append(&blocks).unwrap();
                open.blocks.extend(&blocks);
            }
            Operation::BranchTruncate(at, part) if *at < self.branches.len() => {
                let open = &mut self.branches[*at];
                let length = open.blocks.scale(*part);
                match open.branch.truncate(&self.log, length as u64) {
                    Ok(_) => {
                        open.blocks.truncate(length);
                        open.ancestors = open.ancestors.min(length);
                    }
                    Err(LogError::BaseRewritten { .. }) if open.missed => {
                        assert!(length < open.ancestors);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            Operation::BranchClear(at, from, to) if *at < self.branches.len() => {
                let open = &mut self.branches[*at];
                let range = open.blocks.scale(*from)..open.blocks.scale(*to);
                open.branch.clear(range.start as u64..range.end as u64).unwrap();
                open.blocks.clear(range.start.max(open.ancestors)..range.end);
            }
            Operation::BranchReopen(at, close) if *at < self.branches.len() => {
                let mut open = self.branches.remove(*at);
                open.snapshots.clear();
                if *close {
                    open.branch.close().unwrap();
                } else {
                    drop(open.branch);
                }
                open.branch = self.resume(&open.disk);
                let open = self.resumed(open);
                self.branches.push(open);
            }
            Operation::BranchAway(at, part, lens) if *at < self.branches.len() => {
                let mut open = self.branches.remove(*at);
                open.snapshots.clear();
                drop(open.branch);
                if let Some(part) = part {
                    self.truncate(*part);
                }
                self.append(lens);
                open.branch = self.resume(&open.disk);
                let open = self.resumed(open);
                self.branches.push(open);
            }
            Operation::Commit(at, part) if *at < self.branches.len() => self.commit(*at, *part),
            Operation::BranchSnapshot(at) if *at < self.branches.len() => {
                let open = &mut self.branches[*at];
                if !open.missed {
                    open.snapshots.push((open.branch.snapshot(overlay()), open.blocks.clone()));
                }
            }
            Operation::BranchDropSnapshots(at) if *at < self.branches.len() => {
                self.branches[*at].snapshots.clear();
            }
            Operation::Rebase(at, part) if *at < self.branches.len() => self.rebase(*at, *part),
            Operation::Take(at, part) if *at < self.branches.len() => {
                let theirs = &self.branches[*at].blocks;
                let to = theirs.scale(*part);
                let next = theirs.all.get(self.blocks.len()..to).unwrap_or_default().to_vec();
                self.log.append(&next).unwrap();
                self.blocks.extend(&next);
            }
            _ => {}
        }
    }

    fn commit(&mut self, at: usize, part: u8) {
        let open = &self.branches[at];
        let length = open.blocks.scale(part);
        let common = length.min(self.blocks.len());
        let fits = self.blocks.len() >= open.ancestors
            && open.blocks.all[..common] == self.blocks.all[..common];
        let options = CommitOptions::new().length(length as u64);
        match self.log.commit(&open.branch, &options) {
            Ok(appended) => {
                assert!(fits, "other blocks were taken for the same");
                let from = self.blocks.len();
                if length > from {
                    self.blocks.all.extend_from_slice(&open.blocks.all[from..length]);
                    self.blocks.stored.extend_from_slice(&open.blocks.stored[from..length]);
                }
                assert_eq!(appended.length, self.blocks.len() as u64);
            }
            Err(LogError::BranchConflict { .. }) => assert!(!fits, "the same was taken for other"),
            // Where the branch is shorter than what it lost, nobody knows.
            Err(LogError::Branch(_)) => assert!(open.missed && length < open.ancestors),
            Err(error) => panic!("{error}"),
        }
    }

    fn rebase(&mut self, at: usize, part: u8) {
        let open = &mut self.branches[at];
        let length = open.blocks.scale(part);
        let fits = self.blocks.all.get(..length) == Some(&open.blocks.all[..length]);
        match open.branch.rebase(&self.log, length as u64) {
            Ok(_) => {
                assert!(fits, "other blocks were taken for the same");
                if length <= open.ancestors || !open.snapshots.is_empty() {
                    return;
                }
                let kept = if open.missed { 0 } else { open.ancestors };
                open.blocks.stored[kept..length].copy_from_slice(&self.blocks.stored[kept..length]);
                open.ancestors = length;
                open.missed = false;
            }
            Err(LogError::BranchConflict { .. }) => assert!(!fits, "the same was taken for other"),
            Err(LogError::BaseRewritten { .. }) => assert!(open.missed),
            Err(error) => panic!("{error}"),
        }
    }

    /// All that is of the open log goes with it.
    fn reopen(&mut self) {
        self.snapshots.clear();
        let branches = std::mem::take(&mut self.branches);
        let closed: Vec<_> = branches
            .into_iter()
            .map(|open| (open.disk, open.blocks, open.ancestors, drop(open.branch)))
            .collect();
        let options = OpenOptions::new().durability(self.durability);
        self.log = Log::open(self.disk.stores(), options).unwrap();
        for (disk, blocks, ancestors, ()) in closed {
            let branch = self.resume(&disk);
            let (snapshots, missed) = (Vec::new(), false);
            let open = OpenBranch { disk, branch, blocks, snapshots, ancestors, missed };
            let open = self.resumed(open);
            self.branches.push(open);
        }
    }

    fn compare(&self) {
        assert_eq!(self.log.length(), self.blocks.len() as u64);
        for index in 0..self.blocks.len() {
            let found = self.log.get(index as u64).unwrap();
            assert_eq!(found.as_deref(), self.blocks.get(index));
        }
        for (snapshot, blocks) in &self.snapshots {
            compare(&self.log, snapshot, blocks);
        }
        for open in &self.branches {
            open.compare(&self.log, &self.blocks);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn they_are_lists_of_blocks(
        operations in prop::collection::vec(operation(), 1..40),
        eventual in any::<bool>(),
    ) {
        let durability = if eventual { Durability::Eventual } else { Durability::Immediate };
        let mut world = World::new(durability);
        for operation in &operations {
            world.run(operation);
            world.compare();
        }
        for open in &world.branches {
            prop_assert_eq!(open.branch.ancestors(), open.ancestors as u64);
        }
        assert_sound(&world.log);
    }
}
