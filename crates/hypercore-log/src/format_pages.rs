//! The worked examples of `docs/format/{oplog,bitfield,tree-file,data-file,batch}.md`, read by the code they
//! document.

use compact_encoding::{Decode as _, Decoder, Encode as _};
use flat_tree::Index;
use hypercore_crypto::KeyPair;
use hypercore_merkle::{Leaf, Node, Tree};
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess as _;

use crate::bitfield::Bitfield;
use crate::branch::origin::{ORIGIN, Origin};
use crate::branch::seal;
use crate::entry::{BitfieldUpdate, Entry, TreeUpgrade};
use crate::fixture::{Fixture, hex};
use crate::frame::parse_frame;
use crate::header::{ExternalHeader, SlotContent};
use crate::nodes;
use crate::oplog::{ENTRIES_START, encode_entries};
use crate::user_data::BACKUP;
use crate::{Branch, BranchOptions, Create, Log, OpenOptions, Overlay, Stores};

const OPLOG: &str = include_str!("../../../docs/format/oplog.md");
const BITFIELD: &str = include_str!("../../../docs/format/bitfield.md");
const TREE: &str = include_str!("../../../docs/format/tree-file.md");
const DATA: &str = include_str!("../../../docs/format/data-file.md");
const BATCH: &str = include_str!("../../../docs/format/batch.md");

/// The bytes of the block marked `hex` with that name.
fn example(page: &str, name: &str) -> Vec<u8> {
    let opening = format!("```hex {name}\n");
    let (_, rest) = page.split_once(&opening).unwrap_or_else(|| panic!("no example {name}"));
    let (block, _) = rest.split_once("```").expect("it ends");
    let bytes = block.lines().map(|line| line.split_once("  ").map_or(line, |(hex, _)| hex));
    bytes.flat_map(|line| hex(line.trim())).collect()
}

/// The content of a frame that fills `bytes`.
fn content(bytes: &[u8]) -> &[u8] {
    let frame = parse_frame(bytes, 0).expect("a valid frame");
    assert_eq!((frame.content.end, frame.bit, frame.partial), (bytes.len(), false, false));
    &bytes[frame.content]
}

#[test]
fn the_entry_is_read_and_written() {
    let bytes = example(OPLOG, "entry");
    let entry = Entry::decode(&mut Decoder::new(content(&bytes))).unwrap();
    let update = BitfieldUpdate { drop: false, start: 22, length: 1 };
    assert_eq!(entry.bitfield, Some(update));
    assert_eq!(entry.tree_nodes.as_ref().unwrap()[0].index, Index::leaf(22).unwrap());
    assert_eq!(encode_entries(&[entry], false).unwrap(), bytes);
    assert_eq!(Fixture::load("reader-reorged").file("oplog")[8192..], bytes);
}

#[test]
fn the_confirmation_of_a_backup_is_read_and_written() {
    let bytes = example(OPLOG, "confirmation");
    let entry = Entry::decode(&mut Decoder::new(content(&bytes))).unwrap();
    assert_eq!(entry, Entry { user_data: Some((BACKUP.to_owned(), None)), ..Entry::default() });
    assert_eq!(encode_entries(&[entry], false).unwrap(), bytes);
}

#[test]
fn the_slots_are_read() {
    let bytes = example(OPLOG, "external-slot");
    let Ok(SlotContent::External(place)) = SlotContent::from_bytes(content(&bytes)) else {
        panic!("an external header");
    };
    assert_eq!(place, ExternalHeader { start: 0, len: 5758 });
    assert!(Fixture::load("big-header").file("oplog").starts_with(&bytes));

    let bytes = example(OPLOG, "version-0-slot");
    let Ok(SlotContent::Inline(header)) = SlotContent::from_bytes(content(&bytes)) else {
        panic!("a header");
    };
    assert!(header.manifest.as_ref().is_some_and(|manifest| manifest.is_compat(&header.key)));
    assert!(Fixture::load("legacy-reader-empty").file("oplog").starts_with(&bytes));
    // Written back as version 1.
    assert_eq!(header.to_vec()[0], 1);
}

#[test]
fn the_bitfield_is_read_and_written() {
    let bytes = example(BITFIELD, "first-bytes");
    let mut bitfield = Bitfield::new();
    for range in [0..4, 33..34, 40..41] {
        bitfield.set_range(range, true).unwrap();
    }
    let (offset, page) = bitfield.dirty_pages().next().unwrap();
    assert_eq!((offset, &page[..8]), (0, &bytes[..]));
    assert!(page[8..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_nodes_are_those_of_the_blocks() {
    let bytes = example(TREE, "nodes");
    let block = example(TREE, "block-0");
    let leaf = Node::leaf(0, &block).unwrap();
    let first: &[u8; 40] = bytes.first_chunk().unwrap();
    assert_eq!(nodes::decode(Index::new(0), first), Some(leaf));
    assert_eq!(nodes::encode(Some(&leaf)), *first);
    let fixture = Fixture::load("small");
    assert!(fixture.file("tree").starts_with(&bytes));
    assert!(fixture.file("data").starts_with(&block));
    // Node 1 hashes node 0 and the leaf of block 1.
    let sibling = Node::leaf(1, &fixture.file("data")[26..38]).unwrap();
    let parent = Node::parent(&leaf, &sibling).unwrap();
    assert_eq!(nodes::encode(Some(&parent)), bytes[40..]);
}

#[test]
fn the_block_stands_where_the_sizes_say() {
    let fixture = Fixture::load("small");
    let block = example(DATA, "block-2");
    assert_eq!(fixture.file("data")[38..41], block);
    assert_eq!(fixture.file("data").len(), 26 + 12 + 3 + 18 + 37);
    let leaf = Node::leaf(2, &block).unwrap();
    assert_eq!(nodes::encode(Some(&leaf)), fixture.file("tree")[160..200]);
}

#[test]
fn the_record_and_the_seed_of_a_branch_are_read_and_written() {
    let mut tree = Tree::empty(0);
    let nodes = tree.append(&Leaf::hash_all(&[b"hello", b"world"])).unwrap();
    let origin = Origin { fork: 0, length: 2, tree_hash: tree.hash() };
    let record = example(BATCH, "record");
    assert_eq!(Origin::from_slice(&record), Ok(origin.clone()));
    assert_eq!(origin.to_vec(), record);

    let seed = example(BATCH, "seed");
    let entry = Entry::decode(&mut Decoder::new(content(&seed))).unwrap();
    let upgrade =
        TreeUpgrade { fork: 0, ancestors: 0, length: 2, signature: Some(seal(&tree.hash())) };
    let expected = Entry {
        user_data: Some((ORIGIN.to_owned(), Some(record))),
        tree_nodes: Some(nodes.into_iter().filter(|node| node.index == Index::new(1)).collect()),
        tree_upgrade: Some(upgrade),
        bitfield: None,
    };
    assert_eq!(entry, expected);
    assert_eq!(encode_entries(&[entry], false).unwrap(), seed);

    // It is what a branch begins with.
    let oplog = RandomAccessMemory::new();
    let pair = KeyPair::from_seed(&[7; 32]);
    let options = OpenOptions::new().create(Create::New).key_pair(pair);
    let log = Log::open(stores(RandomAccessMemory::new()), options).unwrap();
    log.append(&["hello", "world"]).unwrap();
    let options = BranchOptions::new().create(Create::New);
    let memory = || Box::new(RandomAccessMemory::new());
    let overlay = Overlay { tree: memory(), data: memory() };
    drop(Branch::open(&log, stores(oplog.clone()), overlay, options).unwrap());
    assert_eq!(oplog.read_vec_at(ENTRIES_START, seed.len()).unwrap(), seed);
    assert_eq!(oplog.len().unwrap(), ENTRIES_START + seed.len() as u64);
}

fn stores(oplog: RandomAccessMemory) -> Stores {
    let memory = || Box::new(RandomAccessMemory::new());
    let [header, tree, bitfield, data] = [memory(), memory(), memory(), memory()];
    Stores { oplog: Box::new(oplog), header, tree, bitfield, data }
}
