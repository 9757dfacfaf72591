//! Proofs from one log applied to another: sparse copies, upgrades, reorganisations, very long logs.

mod support;

use std::convert::Infallible;

use flat_tree::{Index, full_roots};
use hypercore_crypto::{Hash, KeyPair, Manifest, leaf_hash, parent_hash};
use hypercore_log::{Create, Durability, Log, LogError, OpenOptions};
use hypercore_merkle::{
    BlockRequest, HashRequest, Node, NodeLookup, Proof, Request, Seek, Tree, UpgradeRequest,
};
use random_access_storage::RandomAccess as _;
use support::{Disk, FILES, assert_sound, block, create, key_pair, reopen};

fn reader(disk: &Disk, writer: &Log) -> Log {
    let options = OpenOptions::new().create(Create::New).key(writer.key());
    Log::open(disk.stores(), options).unwrap()
}

fn upgrade(start: u64, to: u64) -> Option<UpgradeRequest> {
    (to > start).then(|| UpgradeRequest { start, length: to - start })
}

/// What `reader` must ask for to get block `index`, upgrading where it is behind.
fn request(reader: &Log, writer: &Log, index: Option<u64>) -> Request {
    let head = reader.head();
    Request {
        fork: head.fork,
        block: index
            .map(|index| BlockRequest { index, nodes: reader.missing_nodes(index).unwrap() }),
        upgrade: upgrade(head.length, writer.length()),
        manifest: reader.manifest().is_none(),
        ..Request::default()
    }
}

fn fetch(reader: &Log, writer: &Log, index: Option<u64>) {
    let request = request(reader, writer, index);
    let proof = writer.create_proof(&request).unwrap().unwrap();
    let applied = reader.apply_proof(&proof).unwrap();
    assert_eq!(applied.block, index);
}

#[test]
fn a_reader_gets_any_block_and_keeps_it() {
    let (there, here) = (Disk::new(), Disk::new());
    let writer = create(&there);
    let all: Vec<Vec<u8>> = (0..23).map(|index| block(index, index as usize * 7)).collect();
    writer.append(&all[..9]).unwrap();
    let copy = reader(&here, &writer);
    fetch(&copy, &writer, Some(4));
    writer.append(&all[9..]).unwrap();
    for index in [20, 0, 8, 9, 22] {
        fetch(&copy, &writer, Some(index));
    }
    assert_eq!(copy.head(), writer.head());
    assert!(!copy.is_writable());
    assert!(matches!(copy.append(&[b"no"]), Err(LogError::NotWritable)));
    drop(copy);
    let copy = reopen(&here);
    assert_eq!(copy.stored_count(0..23), 6);
    for index in [4, 20, 0, 8, 9, 22] {
        assert_eq!(copy.get(index).unwrap().unwrap(), all[index as usize]);
    }
    assert_eq!(copy.get(1).unwrap(), None);
    assert_sound(&copy);
    // What was fetched can be passed on.
    let third = Disk::new();
    let second_hand = reader(&third, &copy);
    fetch(&second_hand, &copy, Some(22));
    assert_eq!(second_hand.get(22).unwrap().unwrap(), all[22]);
    assert!(copy.create_proof(&request(&second_hand, &copy, Some(1))).unwrap().is_none());
}

#[test]
fn what_a_proof_shows_is_durable() {
    let disk = Disk::new();
    drop(create(&disk));
    let options = OpenOptions::new().durability(Durability::Eventual);
    let writer = Log::open(disk.stores(), options).unwrap();
    writer.append(&[block(0, 10)]).unwrap();
    assert_eq!(writer.durable_length(), 0);
    let request = Request { upgrade: upgrade(0, 1), manifest: true, ..Request::default() };
    writer.create_proof(&request).unwrap().unwrap();
    assert_eq!(writer.durable_length(), 1);
}

#[test]
fn a_tampered_proof_changes_nothing() {
    let (there, here) = (Disk::new(), Disk::new());
    let writer = create(&there);
    writer.append(&[b"a", b"b", b"c"]).unwrap();
    let copy = reader(&here, &writer);
    let mut proof = writer.create_proof(&request(&copy, &writer, Some(1))).unwrap().unwrap();
    proof.block.as_mut().unwrap().value = b"x".as_slice().into();
    let before = FILES.map(|name| here.bytes(name));
    assert!(matches!(copy.apply_proof(&proof), Err(LogError::Proof(_))));
    assert!(before == FILES.map(|name| here.bytes(name)));
    assert_eq!(copy.length(), 0);
    fetch(&copy, &writer, Some(1));
}

/// Moves a byte between the lowest two nodes of an answer: their parent's hash does not show it.
fn shift(mut proof: Proof) -> Proof {
    let nodes = &mut proof.hash.as_mut().unwrap().nodes;
    nodes[0].size += 1;
    nodes[1].size -= 1;
    proof
}

#[test]
fn a_liar_stops_no_reader() {
    let (there, here) = (Disk::new(), Disk::new());
    let writer = create(&there);
    let all: Vec<Vec<u8>> = (0..32).map(|index| block(index, 40)).collect();
    writer.append(&all).unwrap();
    let copy = reader(&here, &writer);
    fetch(&copy, &writer, None);
    // Node 15 is above blocks 0 to 15.
    let hash = Some(HashRequest { index: Index::new(15), nodes: 1 });
    let lie = shift(writer.create_proof(&Request { hash, ..Request::default() }).unwrap().unwrap());
    copy.apply_proof(&lie).unwrap();
    for index in [20, 7] {
        fetch(&copy, &writer, Some(index));
        assert_eq!(copy.get(index).unwrap().unwrap(), all[index as usize]);
    }
    assert!(matches!(copy.apply_proof(&lie), Err(LogError::Proof(_))));
    // A leaf is certain as long as its block is stored.
    let hash = Some(HashRequest { index: Index::new(14), nodes: 1 });
    let lie = shift(writer.create_proof(&Request { hash, ..Request::default() }).unwrap().unwrap());
    assert!(matches!(copy.apply_proof(&lie), Err(LogError::Proof(_))));
    copy.clear(7..8).unwrap();
    copy.apply_proof(&lie).unwrap();
    fetch(&copy, &writer, Some(6));
    fetch(&copy, &writer, Some(7));
    assert_sound(&copy);
    drop(copy);
    let copy = reopen(&here);
    assert_eq!(copy.get(7).unwrap().unwrap(), all[7]);
    assert_sound(&copy);
}

/// A lie about a node and its sibling.
fn lie_about(copy: &Log, writer: &Log, index: u64) -> Proof {
    let index = Index::new(index);
    let nodes = copy.missing_nodes_of(index).unwrap().max(1);
    let hash = Some(HashRequest { index, nodes });
    shift(writer.create_proof(&Request { hash, ..Request::default() }).unwrap().unwrap())
}

#[test]
fn who_signs_signs_no_claimed_size() {
    let there = Disk::new();
    let writer = create(&there);
    let all: Vec<Vec<u8>> = (0..32).map(|index| block(index, 40)).collect();
    writer.append(&all).unwrap();
    for (claimed, length, block) in [(15, 16, 20), (7, 8, 6), (8, 5, 5), (8, 5, 4)] {
        for signs_from_the_start in [false, true] {
            let here = Disk::new();
            let options = OpenOptions::new().create(Create::New).key(writer.key());
            let signing = options.clone().key_pair(key_pair());
            let options = if signs_from_the_start { signing } else { options };
            let copy = Log::open(here.stores(), options).unwrap();
            fetch(&copy, &writer, None);
            copy.apply_proof(&lie_about(&copy, &writer, claimed)).unwrap();
            drop(copy);
            let signing = || OpenOptions::new().key_pair(key_pair());
            let copy = Log::open(here.stores(), signing()).unwrap();
            let refused = copy.truncate(length, None);
            assert!(matches!(refused, Err(LogError::NodeMissing { .. })), "{length} {refused:?}");
            let refused = copy.to_sign_at(&key_pair().public(), length);
            assert!(matches!(refused, Err(LogError::NodeMissing { .. })), "{length} {refused:?}");
            let refused = copy.partial_signature(&key_pair(), length, length);
            assert!(matches!(refused, Err(LogError::NodeMissing { .. })), "{length} {refused:?}");
            // A block below it, or beside it, puts the sizes right.
            fetch(&copy, &writer, Some(block));
            let to_sign = copy.to_sign_at(&key_pair().public(), length).unwrap();
            assert_eq!(to_sign.tree_hash, writer.tree_hash_at(length).unwrap());
            let head = copy.truncate(length, None).unwrap();
            assert_eq!(head.tree_hash, writer.tree_hash_at(length).unwrap(), "{length} blocks");
            drop(copy);
            assert_eq!(Log::open(here.stores(), signing()).unwrap().head(), head);
        }
    }
}

#[test]
fn who_signs_keeps_its_own_sizes() {
    let (there, here) = (Disk::new(), Disk::new());
    let all: Vec<Vec<u8>> = (0..8).map(|index| block(index, 40)).collect();
    let (writer, copy) = (create(&there), create(&here));
    for log in [&writer, &copy] {
        log.append(&all).unwrap();
    }
    copy.clear(0..8).unwrap();
    copy.apply_proof(&lie_about(&copy, &writer, 8)).unwrap();
    assert_eq!(copy.node(Index::new(8)).unwrap(), writer.node(Index::new(8)).unwrap());
    let head = copy.truncate(5, None).unwrap();
    assert_eq!(head.tree_hash, writer.tree_hash_at(5).unwrap());
}

#[test]
fn two_histories_of_one_fork_prove_each_other_false() {
    let (here, there, reading) = (Disk::new(), Disk::new(), Disk::new());
    let one = create(&here);
    one.append(&[b"a", b"b", b"c"]).unwrap();
    let other = create(&there);
    other.append(&[b"a", b"b", b"x", b"y"]).unwrap();
    let copy = reader(&reading, &one);
    fetch(&copy, &one, Some(2));
    let proof = |log: &Log, to: u64| {
        let upgrade = upgrade(0, to);
        log.create_proof(&Request { upgrade, ..Request::default() }).unwrap().unwrap()
    };
    for log in [&one, &copy] {
        let own = log.check_conflict(&proof(&other, 3)).unwrap().expect("another block 2");
        assert!(other.check_conflict(&own).unwrap().is_some());
        assert_eq!(log.check_conflict(&proof(&other, 2)).unwrap(), None);
        assert_eq!(
            log.check_conflict(&proof(&other, 4)).unwrap(),
            None,
            "longer than what is here"
        );
        assert_eq!(log.check_conflict(&proof(&one, 3)).unwrap(), None);
        assert_eq!(log.length(), 3);
    }
}

#[test]
fn a_log_with_two_histories_is_frozen_until_its_next_fork() {
    let (here, there) = (Disk::new(), Disk::new());
    let one = create(&here);
    one.append(&[b"a", b"b", b"c"]).unwrap();
    let other = create(&there);
    other.append(&[b"a", b"b", b"x"]).unwrap();
    let request = Request { upgrade: upgrade(0, 3), ..Request::default() };
    let proof = other.create_proof(&request).unwrap().unwrap();
    assert_eq!(one.freeze(&one.create_proof(&request).unwrap().unwrap()).unwrap(), None);
    assert!(!one.is_frozen());
    let conflict = one.freeze(&proof).unwrap().unwrap();
    assert_eq!(conflict.other, proof);
    drop(one);
    let one = reopen(&here);
    assert!(one.is_frozen() && one.conflict() == Some(conflict.clone()));
    assert!(matches!(one.append(&[b"d"]), Err(LogError::Frozen)));
    let block = Some(BlockRequest { index: 0, nodes: 1 });
    let own = one.create_proof(&Request { block, ..Request::default() });
    assert!(matches!(one.apply_proof(&own.unwrap().unwrap()), Err(LogError::Frozen)));
    assert_eq!(one.get(2).unwrap().as_deref(), Some(&b"c"[..]));
    // What convinces this side convinces the other one too, and who takes over a new fork goes on.
    assert!(other.freeze(&conflict.own).unwrap().is_some());
    one.truncate(2, None).unwrap();
    assert!(!one.is_frozen() && one.conflict() == Some(conflict));
    one.append(&[b"e"]).unwrap();
    let all = Request { fork: 1, upgrade: upgrade(0, 3), ..Request::default() };
    let mut reorg = other.start_reorganisation(&one.create_proof(&all).unwrap().unwrap()).unwrap();
    while let Some(want) = reorg.want() {
        let answer = one.create_proof(&want.request(want.blocks.start)).unwrap().unwrap();
        other.feed_reorganisation(&mut reorg, &answer).unwrap();
    }
    other.apply_reorganisation(reorg).unwrap();
    assert!(!other.is_frozen());
    assert_eq!(other.head(), one.head());
}

#[test]
fn evidence_is_small_whatever_comes_with_it() {
    let (here, there) = (Disk::new(), Disk::new());
    let one = create(&here);
    one.append(&[b"a", b"b"]).unwrap();
    let other = create(&there);
    let large = vec![7; 1 << 20];
    other.append(&[&large[..], b"b"]).unwrap();
    let block = Some(BlockRequest { index: 0, nodes: 0 });
    let request = Request { block, upgrade: upgrade(0, 2), ..Request::default() };
    let mut proof = other.create_proof(&request).unwrap().unwrap();
    let signer = KeyPair::from_seed(&[9; 32]).public();
    proof.manifest = Some(Manifest::single(signer));
    let conflict = one.freeze(&proof).unwrap().unwrap();
    let kept: usize = one.user_data_entries().iter().map(|(_, value)| value.len()).sum();
    assert!(kept < 1000, "{kept} bytes");
    assert_eq!(one.conflict(), Some(conflict.clone()));
    assert!(one.check_conflict(&conflict.other).unwrap().is_some());
    assert!(other.check_conflict(&conflict.own).unwrap().is_some());
}

#[test]
fn an_empty_log_answers_with_nothing() {
    let empty = create(&Disk::new());
    let upgrade = upgrade(0, 3);
    let hash = Some(HashRequest { index: Index::new(0), nodes: 0 });
    let whole = Request { upgrade, hash, manifest: true, ..Request::default() };
    for request in [Request { hash, ..Request::default() }, whole] {
        assert_eq!(empty.create_proof(&request).unwrap(), Some(Proof::default()));
    }
    let block = Some(BlockRequest { index: 0, nodes: 0 });
    assert_eq!(empty.create_proof(&Request { block, ..Request::default() }).unwrap(), None);
}

#[test]
fn what_is_known_is_told_without_asking_anybody() {
    let (there, here) = (Disk::new(), Disk::new());
    let writer = create(&there);
    let all: Vec<Vec<u8>> = (0..23).map(|index| block(index, 10)).collect();
    writer.append(&all).unwrap();
    let copy = reader(&here, &writer);
    fetch(&copy, &writer, Some(4));
    let known = |length| copy.has_roots(length).unwrap();
    assert!((0..=23).all(|length| writer.has_roots(length).unwrap()));
    let lengths: Vec<u64> = (0..=24).filter(|length| known(*length)).collect();
    assert_eq!(lengths, [0, 4, 5, 6, 8, 16, 20, 22, 23]);
    assert_eq!(copy.missing_nodes_of(Index::new(1)).unwrap(), 1);
    assert_eq!(copy.node(Index::new(8)).unwrap(), writer.node(Index::new(8)).unwrap());
    assert_eq!(copy.node(Index::new(2)).unwrap(), None);
    assert_eq!(copy.seek_within(100, 0).unwrap(), Seek::Narrowed { blocks: 8..16 });
    let extent = copy.extent();
    assert_eq!((extent.fork, extent.length, extent.contiguous_length), (0, 23, 0));
    assert_eq!(extent.durable_length, copy.durable_length());
}

#[test]
fn cleared_blocks_can_be_fetched_again() {
    let (there, here) = (Disk::new(), Disk::new());
    let writer = create(&there);
    let all: Vec<Vec<u8>> = (0..40).map(|index| block(index, 900)).collect();
    writer.append(&all).unwrap();
    let copy = reader(&here, &writer);
    (0..40).for_each(|index| fetch(&copy, &writer, Some(index)));
    copy.clear(3..30).unwrap();
    assert_eq!(copy.contiguous_length(), 3);
    fetch(&copy, &writer, Some(17));
    assert_eq!(copy.get(17).unwrap().unwrap(), all[17]);
    assert_sound(&copy);
}

#[test]
fn a_reader_follows_a_writer_to_a_new_fork() {
    let (there, here) = (Disk::new(), Disk::new());
    let writer = create(&there);
    let old: Vec<Vec<u8>> = (0..20).map(|index| block(index, 50)).collect();
    writer.append(&old).unwrap();
    let copy = reader(&here, &writer);
    (0..20).for_each(|index| fetch(&copy, &writer, Some(index)));
    writer.truncate(13, None).unwrap();
    let new: Vec<Vec<u8>> = (100..119).map(|index| block(index, 60)).collect();
    writer.append(&new).unwrap();

    let other_fork =
        writer.create_proof(&Request { fork: 1, upgrade: upgrade(0, 32), ..Request::default() });
    let proof = other_fork.unwrap().unwrap();
    let LogError::Proof(error) = copy.apply_proof(&proof).unwrap_err() else { panic!("a proof") };
    assert!(error.is_other_fork());

    let mut reorg = copy.start_reorganisation(&proof).unwrap();
    while let Some(want) = reorg.want() {
        let request = want.request(want.blocks.start);
        let answer = writer.create_proof(&request).unwrap().unwrap();
        copy.feed_reorganisation(&mut reorg, &answer).unwrap();
    }
    assert_eq!(reorg.ancestors(), 13);
    let head = copy.apply_reorganisation(reorg).unwrap();
    assert_eq!(head, writer.head());
    assert!(copy.has_range(0..13) && copy.stored_count(0..99) == 13);
    (13..32).for_each(|index| fetch(&copy, &writer, Some(index)));
    assert_sound(&copy);
    drop(copy);
    let copy = reopen(&here);
    assert_eq!(copy.get(12).unwrap().unwrap(), old[12]);
    assert_eq!(copy.get(13).unwrap().unwrap(), new[0]);
    assert_sound(&copy);
}

/// The nodes of a log of `length` equal blocks: all subtrees of one depth have the same hash.
struct EqualBlocks {
    hashes: Vec<Hash>,
    length: u64,
}

const EQUAL_BLOCK: &[u8; 8] = b"the same";

impl EqualBlocks {
    fn new(length: u64) -> Self {
        let mut hashes = vec![leaf_hash(EQUAL_BLOCK)];
        for depth in 1..60_u32 {
            let below = hashes[hashes.len() - 1];
            hashes.push(parent_hash(8 << depth, &below, &below));
        }
        Self { hashes, length }
    }
}

impl NodeLookup for EqualBlocks {
    type Error = Infallible;

    fn node(&self, index: Index) -> Result<Option<Node>, Infallible> {
        let depth = index.depth().get();
        let there = index.end_block() <= self.length;
        let hash = self.hashes[depth as usize];
        Ok(there.then_some(Node { index, size: 8 << depth, hash }))
    }
}

#[test]
fn a_sparse_copy_of_a_very_long_log_stays_small() {
    const LENGTH: u64 = 3_000_000_011;
    let nodes = EqualBlocks::new(LENGTH);
    let roots = full_roots(LENGTH).map(|index| nodes.node(index).unwrap().unwrap()).collect();
    let tree = Tree::from_roots(0, roots, LENGTH).unwrap();
    let manifest = Manifest::single(key_pair().public());
    let key = manifest.key();
    let signature =
        manifest.sign(&key, &key_pair(), &tree.hash(), LENGTH, 0).expect("it signs alone");

    let disk = Disk::new();
    let options = OpenOptions::new().create(Create::New).key(key);
    let log = Log::open(disk.stores(), options).unwrap();
    for index in [0, 1_000_000_000, 2_000_000_000, LENGTH - 1] {
        let request = Request {
            block: Some(BlockRequest { index, nodes: log.missing_nodes(index).unwrap() }),
            upgrade: upgrade(log.length(), LENGTH),
            manifest: true,
            ..Request::default()
        };
        let proof = tree.prove(&nodes, &request, Some(&signature), Some(&manifest)).unwrap();
        let mut proof: Proof = proof;
        proof.block.as_mut().unwrap().value = EQUAL_BLOCK.as_slice().into();
        log.apply_proof(&proof).unwrap();
    }
    log.close().unwrap();
    let stored: u64 = FILES.iter().map(|name| disk.file(*name).stored_len().unwrap()).sum();
    assert!(stored < 512 * 1024, "{stored} bytes for four blocks");

    let log = reopen(&disk);
    assert_eq!((log.length(), log.contiguous_length()), (LENGTH, 1));
    assert_eq!(log.stored_count(0..LENGTH), 4);
    assert_eq!(log.get(2_000_000_000).unwrap().unwrap(), EQUAL_BLOCK);
    assert_eq!(log.get(2_000_000_001).unwrap(), None);
    assert_sound_sparse(&log);
}

fn assert_sound_sparse(log: &Log) {
    let report = log.audit(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{report:#?}");
    assert_eq!((report.blocks_checked, report.blocks_missing), (4, log.length() - 4));
}
