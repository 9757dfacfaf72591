//! Every golden directory opens read-only with the values that the JavaScript packages report; every
//! signature and every block in them is verified; and nothing is written.

mod common;

use common::{Golden, contains, golden, goldens, ranges, unhex};
use flat_tree::Index;
use sha2::{Digest as _, Sha256};
use sleep::{Error, Feed, FileName, NODE_LEN, SignatureForm, hashes};

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn hex(value: &serde_json::Value) -> Vec<u8> {
    unhex(value.as_str().unwrap())
}

/// What the fields of `expected.json` say of the feed as a whole.
fn check_feed(golden: &Golden, feed: &Feed) {
    let expected = &golden.expected;
    assert_eq!(feed.key().as_bytes()[..], hex(&expected["key"]));
    assert_eq!(feed.discovery_key().as_bytes()[..], hex(&expected["discovery_key"]));
    assert_eq!(feed.is_live(), expected["live"].as_bool().unwrap());
    assert_eq!(feed.page_size().bytes() as u64, golden.u64("bitfield_page_size"));
    assert_eq!(feed.length(), golden.u64("length"));
    assert_eq!(feed.byte_length(), golden.u64("byte_length"));
    let tree_hash = expected["tree_hash"].as_str().map(unhex);
    assert_eq!(feed.tree_hash().map(|hash| hash.as_bytes().to_vec()), tree_hash);
    let roots = expected["roots"].as_array().unwrap();
    assert_eq!(feed.roots().len(), roots.len());
    for (root, expected) in feed.roots().iter().zip(roots) {
        assert_eq!(root.index.get(), expected["index"].as_u64().unwrap());
        assert_eq!(root.size, expected["size"].as_u64().unwrap());
        assert_eq!(root.hash.as_bytes()[..], hex(&expected["hash"]));
    }
    assert!(feed.recovery().findings().is_empty() || golden.name == "v9-truncated");
}

/// Every slot: blank, or holding the signature that is expected, of the form that is expected.
fn check_signatures(golden: &Golden, feed: &Feed) {
    let signatures = golden.expected["signatures"].as_array().unwrap();
    let mut signatures = signatures
        .iter()
        .map(|signature| (signature["index"].as_u64().unwrap(), hex(&signature["signature"])))
        .peekable();
    for slot in 0..feed.length() {
        let next = signatures.peek().cloned();
        let covering = feed.signature(slot).unwrap();
        assert_eq!(covering.map(|(slot, found)| (slot, found.as_bytes().to_vec())), next);
        let form = feed.verify_signature(slot).unwrap();
        if next.is_some_and(|(next, _)| next == slot) {
            signatures.next();
            let is_version_9 = match golden.name.as_str() {
                "v8-then-v9" | "v6_12-then-v9" => slot >= 6,
                name => name.starts_with("v9"),
            };
            let expected =
                if is_version_9 { SignatureForm::WithLength } else { SignatureForm::TreeOnly };
            assert_eq!(form, Some(expected), "{} slot {slot}", golden.name);
        } else {
            assert_eq!(form, None);
        }
    }
    assert_eq!(signatures.next(), None);
}

/// Every block, one by one, in a row, and by each of its bytes.
fn check_blocks(golden: &Golden, feed: &Feed) {
    let mut present = golden.ranges("blocks_present");
    present.iter_mut().for_each(|range| range.end = range.end.min(feed.length()));
    assert_eq!(feed.present().collect::<Vec<_>>(), present);
    let nodes: Vec<_> = feed.present_nodes().collect();
    assert_eq!(nodes, ranges(&golden.expected["tree_nodes_present"]));

    let listed = golden.expected["blocks"].as_array();
    let mut all = Vec::new();
    let mut in_a_row = feed.blocks(0..feed.length()).unwrap();
    for block in 0..feed.length() {
        assert_eq!(feed.has(block), contains(&present, block));
        let (got, next) = (feed.get(block), in_a_row.next().unwrap());
        if !feed.has(block) {
            assert!(matches!(got, Err(Error::NotStored { block: absent }) if absent == block));
            assert!(matches!(next, Err(Error::NotStored { block: absent }) if absent == block));
            assert!(listed.is_none_or(|listed| listed[block as usize].is_null()));
            continue;
        }
        let bytes = got.unwrap();
        assert_eq!(next.unwrap(), bytes);
        all.extend(sha256(&bytes));
        if let Some(listed) = listed {
            let expected = &listed[block as usize];
            assert_eq!(sha256(&bytes), hex(&expected["sha256"]));
            assert_eq!(bytes.len() as u64, expected["length"].as_u64().unwrap());
            let offset = expected["offset"].as_u64().unwrap();
            for at in 0..bytes.len() as u64 {
                assert_eq!(feed.seek(offset + at).unwrap(), (block, at));
            }
        }
    }
    assert!(in_a_row.next().is_none());
    // Of the truncated feed the sum is over the blocks past its length too.
    if golden.name != "v9-truncated" {
        assert_eq!(sha256(&all), hex(&golden.expected["sha256_of_all_present_block_sha256"]));
    }
    assert_eq!(feed.seek(feed.byte_length()).unwrap(), (feed.length(), 0));
    assert!(matches!(feed.seek(feed.byte_length() + 1), Err(Error::BytesOutOfBounds { .. })));
    assert!(matches!(feed.get(feed.length()), Err(Error::OutOfBounds { .. })));
}

#[test]
fn every_golden_directory_reads_as_the_packages_say() {
    let goldens = goldens();
    assert_eq!(goldens.len(), 25);
    for golden in goldens {
        let before = golden.stores.all();
        for (name, bytes) in &before {
            let file = &golden.expected["files"][name.as_str()];
            assert_eq!(bytes.len() as u64, file["size"].as_u64().unwrap());
            assert_eq!(sha256(bytes), hex(&file["sha256"]));
        }
        let feed = golden.stores.read();
        assert!(!feed.is_writable());
        check_feed(&golden, &feed);
        check_signatures(&golden, &feed);
        check_blocks(&golden, &feed);
        drop(feed);

        let feed = golden.stores.write();
        assert_eq!(feed.is_writable(), golden.expected["writable"].as_bool().unwrap());
        check_feed(&golden, &feed);
        drop(feed);
        assert!(golden.stores.all() == before, "{}: opening and reading wrote", golden.name);
    }
}

#[test]
fn a_feed_can_be_read_from_many_threads() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    let golden = golden("v9-len5000");
    let feed = golden.stores.read();
    is_shared(&feed);
    std::thread::scope(|scope| {
        for first in 0..4 {
            let (feed, golden) = (&feed, &golden);
            scope.spawn(move || {
                for block in (first..5000).step_by(61) {
                    assert_eq!(feed.get(block).unwrap(), golden.block(block));
                }
            });
        }
    });
}

#[test]
fn a_truncated_feed_hides_the_blocks_that_were_cut() {
    let feed = golden("v9-truncated").stores.read();
    assert_eq!(feed.length(), 12);
    assert!(!feed.has(12));
    assert_eq!(feed.present().collect::<Vec<_>>(), vec![0..12]);
}

#[test]
fn a_block_that_was_changed_is_not_returned() {
    let golden = golden("v9-len100");
    let data = golden.stores.bytes(FileName::Data).unwrap();
    for at in [0, data.len() / 2, data.len() - 1] {
        let stores = golden.stores.copy();
        let mut data = data.clone();
        data[at] ^= 1;
        stores.set(FileName::Data, &data);
        let feed = stores.read();
        let (damaged, _) = feed.seek(at as u64).unwrap();
        for (block, next) in (0..).zip(feed.blocks(0..100).unwrap()) {
            if block == damaged {
                assert!(matches!(next, Err(Error::BlockDamaged { block }) if block == damaged));
                assert!(matches!(feed.get(block), Err(Error::BlockDamaged { .. })));
            } else {
                assert_eq!(next.unwrap(), golden.block(block));
            }
        }
    }
}

/// Another block with the nodes that it would have, up to but without the root.
#[test]
fn a_block_that_was_forged_with_its_nodes_is_not_returned() {
    let golden = golden("v9-len10");
    let mut data = golden.stores.bytes(FileName::Data).unwrap();
    data[6..8].copy_from_slice(b"xx");
    golden.stores.set(FileName::Data, &data);
    let siblings = [4, 1, 11].map(|index| {
        let node = golden.stores.read().node(Index::new(index)).unwrap();
        node.unwrap()
    });
    let mut tree = golden.stores.bytes(FileName::Tree).unwrap();
    let mut node = hashes::leaf(Index::new(6), b"xx");
    for sibling in siblings {
        let at = 32 + node.index.get() as usize * NODE_LEN;
        tree[at..at + NODE_LEN].copy_from_slice(&node.encode());
        golden.stores.set(FileName::Tree, &tree);
        let feed = golden.stores.read();
        assert!(matches!(feed.get(3), Err(Error::TreeDamaged { .. })), "up to {}", node.index);
        let mut in_a_row = feed.blocks(3..10).unwrap();
        assert!(matches!(in_a_row.next(), Some(Err(Error::TreeDamaged { .. }))));
        assert_eq!(feed.get(8).unwrap(), golden.block(8));
        node = hashes::parent(&node, &sibling).unwrap();
    }
    assert_eq!(node.index, Index::new(7));
}

/// Each byte of each node that is below a root, changed.
#[test]
fn a_node_that_was_changed_gives_no_wrong_block() {
    let golden = golden("v9-len10");
    let tree = golden.stores.bytes(FileName::Tree).unwrap();
    let roots = golden.stores.read().roots();
    for at in 32..tree.len() {
        let node = Index::new((at as u64 - 32) / 40);
        if roots.iter().any(|root| root.index == node) || node.get() == 15 {
            continue;
        }
        let stores = golden.stores.copy();
        let mut tree = tree.clone();
        tree[at] ^= 0x55;
        stores.set(FileName::Tree, &tree);
        let feed = stores.read();
        let mut failed = 0;
        for block in 0..10 {
            match feed.get(block) {
                Ok(bytes) => assert_eq!(bytes, golden.block(block)),
                Err(Error::TreeDamaged { .. } | Error::BlockDamaged { .. }) => failed += 1,
                Err(Error::BytesMissing { .. } | Error::BlockTooLong { .. }) => failed += 1,
                Err(error) => panic!("byte {at}: {error}"),
            }
        }
        // A parent is made again from its children, so only changed leaves and siblings show.
        assert!(failed > 0 || node.depth().get() > 0, "byte {at} of node {node} went unnoticed");
    }
}
