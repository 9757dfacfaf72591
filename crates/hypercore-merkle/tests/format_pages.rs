//! The format pages tell the truth: their examples are what the code makes and takes, and their
//! limits and flags are those of the code.

mod common;

use common::{Reader, Writer, decode, from_hex, leaves, to_hex};
use compact_encoding::{Decode, Encode};
use flat_tree::Index;
use hypercore_merkle::{
    BlockRequest, Data, LENGTH_MAX, Node, Request, SIZE_MAX, Tree, UpgradeRequest, removed_parents,
};

macro_rules! page {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/", $name))
    };
}

const TREE: &str = page!("tree.md");
const PROOF: &str = page!("proof.md");

/// The bytes of the block called `name`, line by line; the remark comes after two spaces.
fn lines(page: &str, name: &str) -> Vec<Vec<u8>> {
    let fence = format!("```hex {name}\n");
    let (_, rest) = page.split_once(&fence).unwrap_or_else(|| panic!("a block called {name}"));
    let (block, _) = rest.split_once("```").unwrap();
    let bytes = |line: &str| from_hex(&line.split("  ").next().unwrap().replace(' ', ""));
    block.lines().map(bytes).collect()
}

fn block(page: &str, name: &str) -> Vec<u8> {
    lines(page, name).concat()
}

fn example() -> Writer {
    let blocks = ["one", "two", "three", "four", "five"];
    Writer::new(&[7; 32], 0, blocks.iter().map(|block| block.as_bytes().to_vec()).collect())
}

#[test]
fn the_tree_page_shows_the_nodes_of_its_example() {
    let writer = example();
    let mut tree = Tree::empty(0);
    let nodes = tree.append(&leaves(&writer.blocks)).unwrap();
    let shown: Vec<Node> =
        lines(TREE, "nodes").iter().map(|line| Node::from_slice(line).unwrap()).collect();
    assert_eq!(nodes, shown);
    assert_eq!(to_hex(tree.hash().as_bytes()), to_hex(&block(TREE, "tree-hash")));
    assert_eq!(tree.roots().iter().map(|root| root.index.get()).collect::<Vec<_>>(), [3, 8]);
    let removed: Vec<u64> = removed_parents(3).map(Index::get).collect();
    assert_eq!(removed, [5, 3]);
}

#[test]
fn the_tree_page_shows_the_limits() {
    assert!(TREE.contains("| 2^52 | `LENGTH_MAX` |"));
    assert_eq!(LENGTH_MAX, 1 << 52);
    assert!(TREE.contains("| 2^53 - 1 | `SIZE_MAX` |"));
    assert_eq!(SIZE_MAX, (1 << 53) - 1);
}

#[test]
fn the_proof_page_shows_a_request_and_its_answer() {
    let writer = example();
    let request = Request {
        id: 1,
        block: Some(BlockRequest { index: 1, nodes: 0 }),
        upgrade: Some(UpgradeRequest { start: 0, length: 5 }),
        ..Request::default()
    };
    assert_eq!(to_hex(&request.to_vec()), to_hex(&block(PROOF, "request")));
    let answer = Data { request_id: 1, proof: writer.prove(&request).unwrap() };
    assert_eq!(to_hex(&answer.to_vec()), to_hex(&block(PROOF, "answer")));

    let mut reader = Reader::new(writer.key, 0);
    reader.manifest = Some(writer.manifest.clone());
    reader.take(&decode(&block(PROOF, "answer"))).unwrap();
    assert_eq!(reader.tree, writer.tree);
    assert_eq!(reader.blocks[&1], b"two");
}

#[test]
fn requests_survive_the_wire_with_every_part() {
    use hypercore_merkle::{HashRequest, SeekRequest};
    for parts in 0..64_u64 {
        let part = |bit: u64| parts & bit != 0;
        let request = Request {
            id: 300,
            fork: 2,
            block: part(1).then_some(BlockRequest { index: 70_000, nodes: 3 }),
            hash: part(2).then_some(HashRequest { index: Index::new(9), nodes: 1 }),
            seek: part(4).then_some(SeekRequest { bytes: 1 << 40, padding: 8 }),
            upgrade: part(8).then_some(UpgradeRequest { start: 7, length: 9 }),
            manifest: part(16),
            priority: if part(32) { 5 } else { 0 },
        };
        let message = request.to_vec();
        assert_eq!(u64::from(message[0]), parts, "flags");
        assert_eq!(message.len(), request.encoded_len());
        assert_eq!(Request::from_slice(&message).unwrap(), request);
        for len in 0..message.len() {
            Request::from_slice(&message[..len]).unwrap_err();
        }
    }
}
