//! The tree store: what caches remember, after whatever happened to the nodes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use random_access_memory::RandomAccessMemory;

use super::*;

fn stores() -> Arc<Stores> {
    let file = || Box::new(RandomAccessMemory::new());
    let (oplog, header, tree, bitfield, data) = (file(), file(), file(), file(), file());
    Arc::new(Stores { oplog, header, tree, bitfield, data })
}

#[test]
fn what_is_read_between_a_truncation_and_its_cut_is_forgotten() {
    let stores = stores();
    let at = |index| Index::new(index);
    for index in 0..127 {
        let node = Node { index: at(index), size: 1, hash: Hash::from_bytes([1; 32]) };
        stores.tree.write_at(index * NODE_LEN, &encode(Some(&node))).unwrap();
    }
    let mut nodes = Nodes::new(Arc::clone(&stores), 64);
    nodes.truncate(40);
    // Beside it stands the node above blocks 32 to 63, which goes.
    assert!(nodes.node(at(70)).unwrap().is_some());
    stores.tree.truncate(stored_len(40)).unwrap();
    nodes.clear_pending();
    nodes.grow(64, true);
    assert_eq!(nodes.node(at(95)).unwrap(), None);
    assert!(nodes.lock_cache().upper.len() <= 4, "memory follows from the length");
}

#[test]
fn what_was_looked_for_in_vain_is_found_once_it_is_written() {
    let stores = stores();
    let mut nodes = Nodes::new(Arc::clone(&stores), 1024);
    for index in [31, 63, 95, 127].map(Index::new) {
        assert_eq!(nodes.node(index).unwrap(), None);
        let node = Node { index, size: 1, hash: Hash::from_bytes([1; 32]) };
        stores.tree.write_at(index.get() * NODE_LEN, &encode(Some(&node))).unwrap();
        nodes.written(&[node]);
        assert_eq!(nodes.node(index).unwrap(), Some(node));
    }
}

/// What happens to the nodes of a log; the numbers are scaled to what there is.
#[derive(Clone, Debug)]
enum Step {
    /// Nodes come with an entry, under a tree that grows by so many blocks.
    Enter(u16, Vec<u16>),
    /// A large append writes its nodes to the file.
    Append(u16),
    Truncate(u16),
    Hide(u16),
    Checkpoint,
}

fn any_step() -> impl Strategy<Value = Step> {
    let some = || prop::collection::vec(any::<u16>(), 1..20);
    prop_oneof![
        4 => (0..300_u16, some()).prop_map(|(by, which)| Step::Enter(by, which)),
        2 => (1..500_u16).prop_map(Step::Append),
        1 => any::<u16>().prop_map(Step::Truncate),
        1 => any::<u16>().prop_map(Step::Hide),
        3 => Just(Step::Checkpoint),
    ]
}

/// The nodes as they are to be seen.
#[derive(Debug, Default)]
struct Model {
    length: u64,
    nodes: BTreeMap<Index, Node>,
    /// Nodes made so far: each is another one.
    made: u64,
}

impl Model {
    fn make(&mut self, index: Index) -> Node {
        self.made += 1;
        let mut hash = [1; 32];
        hash[..8].copy_from_slice(&self.made.to_le_bytes());
        let node = Node { index, size: self.made, hash: Hash::from_bytes(hash) };
        self.nodes.insert(index, node);
        node
    }

    /// An index inside the tree. Every other time one that is kept by itself, if there is one.
    fn scaled(&self, at: u16) -> Option<Index> {
        let index = u64::from(at) % (2 * self.length).max(1);
        let index = Index::new(if at.is_multiple_of(2) { index | 31 } else { index });
        (index.end_block() <= self.length).then_some(index)
    }

    fn check(&self, nodes: &Nodes, which: &[u16]) {
        for index in which.iter().filter_map(|at| self.scaled(*at)) {
            let seen = nodes.node(index).unwrap();
            assert_eq!(seen, self.nodes.get(&index).copied(), "node {}", index.get());
        }
    }
}

fn write(stores: &Stores, index: Index, node: Option<&Node>) {
    stores.tree.write_at(index.get() * NODE_LEN, &encode(node)).unwrap();
}

proptest! {
    #[test]
    fn caches_show_what_is_there(
        steps in prop::collection::vec(
            (any_step(), prop::collection::vec(any::<u16>(), 0..60)),
            1..40,
        ),
    ) {
        let stores = stores();
        let mut nodes = Nodes::new(Arc::clone(&stores), 0);
        let mut model = Model::default();
        for (step, looked_at) in steps {
            match step {
                Step::Enter(by, which) => {
                    model.length += u64::from(by);
                    nodes.grow(model.length, false);
                    let new = which.iter().filter_map(|at| model.scaled(*at));
                    let new: Vec<Index> = new.collect();
                    nodes.add_pending(new.into_iter().map(|index| model.make(index)).collect());
                }
                // A truncation is settled before nodes are written to the file.
                Step::Append(by) if nodes.truncated_to().is_none() && nodes.pending_len() == 0 => {
                    let new = model.length + 1..=model.length + u64::from(by);
                    model.length = *new.end();
                    let all = (0..2 * model.length).map(Index::new);
                    let new: Vec<Node> = all
                        .filter(|index| new.contains(&index.end_block()))
                        .map(|index| model.make(index))
                        .collect();
                    new.iter().for_each(|node| write(&stores, node.index, Some(node)));
                    nodes.grow(model.length, true);
                    nodes.written(&new);
                }
                Step::Append(_) => {}
                Step::Truncate(to) => {
                    model.length = u64::from(to) % (model.length + 1);
                    model.nodes.retain(|index, _| index.end_block() <= model.length);
                    nodes.truncate(model.length);
                }
                Step::Hide(at) => {
                    if let Some(index) = model.scaled(at)
                        && !nodes.pending.contains_key(&index)
                        && index.end_block() <= nodes.file_length
                    {
                        nodes.hide(index).unwrap();
                        model.nodes.remove(&index);
                    }
                }
                Step::Checkpoint => {
                    if let Some(length) = nodes.truncated_to() {
                        stores.tree.truncate(stored_len(length)).unwrap();
                    }
                    model.check(&nodes, &looked_at);
                    nodes.pending().for_each(|(index, node)| write(&stores, index, node));
                    model.check(&nodes, &looked_at);
                    nodes.clear_pending();
                }
            }
            model.check(&nodes, &looked_at);
        }
        // As whoever opens it next would.
        model.check(&nodes, &(0..=u16::MAX).step_by(7).collect::<Vec<_>>());
    }
}
