//! Feeds filled from the proofs of others: sparse, hash only, growing, and what is refused.

mod common;

use common::{Golden, Stores, calls, golden, recorded};
use flat_tree::Index;
use hypercore_crypto::KeyPair;
use random_access_storage::testing::Journal;
use sleep::{Access, Error, Feed, FileName, Proof, ProofFault, SignatureForm};

fn pair() -> KeyPair {
    KeyPair::from_seed(&[21; 32])
}

/// The feed that a golden reader downloaded from.
fn source(golden: &Golden, seed_of_source: KeyPair) -> Feed {
    let mut feed = Stores::default().create(&seed_of_source);
    let blocks: Vec<_> =
        (0..golden.u64("source_length")).map(|index| golden.block(index)).collect();
    feed.append(&blocks).unwrap();
    feed
}

fn reader(stores: &Stores, author: &KeyPair) -> Feed {
    let options = Feed::options().access(Access::Create).key(author.public());
    options.open(stores.clone()).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

/// Downloads what a golden reader downloaded, in its order, and compares all files.
fn check_golden(name: &str, sign: impl Fn(&Golden, &mut Proof)) {
    let golden = golden(name);
    let author = golden.pair().unwrap();
    let source = source(&golden, author.clone());
    let stores = Stores::default();
    let mut feed = reader(&stores, &author);
    let hash_only = numbers(&golden.expected["hash_only"]);
    for block in numbers(&golden.expected["put_order"]) {
        let is_hash_only = hash_only.contains(&block);
        let proof = if is_hash_only { source.hash_proof(block) } else { source.proof(block) };
        let mut proof = proof.unwrap();
        sign(&golden, &mut proof);
        if is_hash_only {
            feed.put_hash(block, &proof).unwrap();
        } else {
            feed.put(block, &golden.block(block), &proof).unwrap();
        }
    }
    for file in FileName::ALL {
        assert!(stores.bytes(file) == golden.stores.bytes(file), "{name}: {file}");
    }
}

#[test]
fn the_same_downloads_give_the_same_bytes() {
    check_golden("v9-sparse", |_, _| {});
    check_golden("v9-sparse-hashonly", |_, _| {});
    // Signed by version 8, which our source can not do.
    check_golden("v8-sparse", |golden, proof| {
        let signature = golden.expected["signatures"][0]["signature"].as_str().unwrap();
        proof.signature = Some(signature.parse().unwrap());
    });
}

#[test]
fn a_golden_reader_gives_its_blocks_on() {
    for name in ["v9-sparse", "v8-sparse", "v9-static"] {
        let golden = golden(name);
        let source = golden.stores.read();
        let stores = Stores::default();
        let options = Feed::options().access(Access::Create).key(source.key());
        let mut feed = options.open(stores.clone()).unwrap();
        for block in source.present().flatten() {
            feed.put(block, &golden.block(block), &source.proof(block).unwrap()).unwrap();
        }
        for feed in [feed, stores.read()] {
            assert_eq!(feed.length(), source.length());
            assert_eq!(feed.tree_hash(), source.tree_hash());
            assert_eq!(feed.is_live(), source.is_live());
            assert!(feed.present().eq(source.present()));
            for block in feed.present().flatten() {
                assert_eq!(feed.get(block).unwrap(), golden.block(block));
            }
        }
    }
}

/// Whatever has a leaf is proven to others, whether its block is stored or not.
#[test]
fn every_leaf_of_a_golden_directory_is_given_on() {
    let mut given = 0;
    for golden in common::goldens() {
        let source = golden.stores.read();
        let nodes: Vec<_> = source.present_nodes().collect();
        for block in (0..source.length()).filter(|block| common::contains(&nodes, 2 * block)) {
            if golden.u64("length") > 200 && !block.is_multiple_of(97) {
                continue;
            }
            let options = || Feed::options().access(Access::Create).key(source.key());
            let mut feed = options().open(Stores::default()).unwrap();
            feed.put_hash(block, &source.hash_proof(block).unwrap()).unwrap();
            assert_eq!(feed.length(), source.length(), "{}: {block}", golden.name);
            assert_eq!(feed.tree_hash(), source.tree_hash());
            let mut feed = options().open(Stores::default()).unwrap();
            let bytes = source.get(block).unwrap_or_else(|_| golden.block(block));
            feed.put(block, &bytes, &source.proof(block).unwrap()).unwrap();
            assert_eq!(feed.get(block).unwrap(), bytes);
            given += 1;
        }
    }
    assert!(given > 500, "{given}");
}

fn blocks(from: u64, to: u64) -> Vec<Vec<u8>> {
    (from..to).map(|index| common::block("square", index)).collect()
}

/// A reader that never gets the nodes between the older and the newer tree still verifies what it has
/// from the older one, by its signature, and gives it on.
#[test]
fn a_reader_keeps_what_it_proved_against_an_older_length() {
    let mut author = Stores::default().create(&pair());
    let stores = Stores::default();
    let mut feed = reader(&stores, &pair());
    author.append(&blocks(0, 37)).unwrap();
    feed.put(5, &blocks(5, 6)[0], &author.proof(5).unwrap()).unwrap();
    assert_eq!(feed.length(), 37);
    author.append(&blocks(37, 200)).unwrap();
    // Root 127 with nothing below, and of the block only what leads to its own root.
    feed.put(199, &blocks(199, 200)[0], &author.proof(199).unwrap()).unwrap();
    assert_eq!(feed.length(), 200);
    for mut feed in [feed, stores.copy().write()] {
        assert!(feed.recovery().is_clean());
        assert_eq!(feed.get(5).unwrap(), blocks(5, 6)[0]);
        assert_eq!(feed.get(199).unwrap(), blocks(199, 200)[0]);
        assert!(matches!(feed.get(6), Err(Error::NotStored { block: 6 })));
        assert_eq!(feed.verify_signature(36).unwrap(), Some(SignatureForm::WithLength));
        let third = Stores::default();
        let mut third = reader(&third, &pair());
        let proof = feed.proof(5).unwrap();
        third.put(5, &blocks(5, 6)[0], &proof).unwrap();
        assert_eq!(third.length(), 37);
        // The nodes between come with another block, and join the trees.
        feed.put(40, &blocks(40, 41)[0], &author.proof(40).unwrap()).unwrap();
        assert_eq!(feed.proof(5).unwrap().signature, author.proof(5).unwrap().signature);
        let before: usize = blocks(0, 5).iter().map(Vec::len).sum();
        assert_eq!(feed.seek(before as u64).unwrap(), (5, 0));
    }
}

/// Of several older lengths the newest, which is the one that the packages give out.
#[test]
fn a_proof_against_an_older_length_is_against_the_newest_of_them() {
    let mut author = Stores::default().create(&pair());
    let stores = Stores::default();
    let mut feed = reader(&stores, &pair());
    for (length, block) in [(37, 5), (40, 39), (45, 44), (200, 199)] {
        author.append(&blocks(author.length(), length)).unwrap();
        let proof = author.proof(block).unwrap();
        feed.put(block, &blocks(block, block + 1)[0], &proof).unwrap();
    }
    let mut third = reader(&Stores::default(), &pair());
    third.put(5, &blocks(5, 6)[0], &feed.proof(5).unwrap()).unwrap();
    assert_eq!(third.length(), 45);
    // One of its roots is lost: the next best is.
    let tree = stores.bytes(FileName::Tree).unwrap();
    let root = third.roots()[2].index.get() as usize;
    let mut cut = tree.clone();
    cut[32 + 40 * root..][..40].fill(0);
    stores.set(FileName::Tree, &cut);
    let mut third = reader(&Stores::default(), &pair());
    third.put(5, &blocks(5, 6)[0], &stores.read().proof(5).unwrap()).unwrap();
    assert_eq!(third.length(), 37);
}

#[test]
fn a_proof_may_end_where_the_receiver_knows_better() {
    let mut author = Stores::default().create(&pair());
    author.append(&blocks(0, 64)).unwrap();
    let stores = Stores::default();
    let mut feed = reader(&stores, &pair());
    feed.put(0, &blocks(0, 1)[0], &author.proof(0).unwrap()).unwrap();
    // Leaf 2 is known: it came as the sibling of the first block.
    feed.put(1, &blocks(1, 2)[0], &Proof::default()).unwrap();
    // Of block 3 node 5, the parent of its leaf, is.
    let sibling = author.node(Index::new(4)).unwrap().unwrap();
    let proof = Proof { nodes: vec![sibling], signature: None };
    feed.put(3, &blocks(3, 4)[0], &proof).unwrap();
    assert_eq!(feed.present().collect::<Vec<_>>(), vec![0..2, 3..4]);
    assert_eq!(stores.read().blocks(0..2).unwrap().filter(Result::is_ok).count(), 2);
}

#[test]
fn a_whole_feed_that_was_downloaded_has_the_files_of_its_source() {
    let stores = Stores::default();
    let mut author = stores.create(&pair());
    author.append(&blocks(0, 50)).unwrap();
    let copy = Stores::default();
    let mut feed = reader(&copy, &pair());
    for block in (0..50).rev() {
        let bytes = author.get(block).unwrap();
        feed.put(block, &bytes, &author.proof(block).unwrap()).unwrap();
    }
    for name in FileName::ALL.into_iter().filter(|name| *name != FileName::SecretKey) {
        assert!(copy.bytes(name) == stores.bytes(name), "{name}");
    }
}

/// Every change of a proof that matters is refused, and nothing is written.
#[test]
fn a_wrong_proof_is_refused_and_nothing_written() {
    let mut author = Stores::default().create(&pair());
    author.append(&blocks(0, 21)).unwrap();
    let stores = Stores::default();
    let mut feed = reader(&stores, &pair());
    feed.put(20, &blocks(20, 21)[0], &author.proof(20).unwrap()).unwrap();
    let before = stores.all();
    let proof = author.proof(9).unwrap();
    let block = &blocks(9, 10)[0];
    let check = |feed: &mut Feed, block: &[u8], proof: &Proof| {
        let refused = feed.put(9, block, proof);
        assert!(matches!(refused, Err(Error::ProofRefused { block: 9, .. })), "{refused:?}");
        assert!(stores.all() == before);
    };
    check(&mut feed, b"another block", &proof);
    for place in 0..4 {
        let mut changed = proof.clone();
        let mut hash = *changed.nodes[place].hash.as_bytes();
        hash[31] ^= 1;
        changed.nodes[place].hash = hash.into();
        check(&mut feed, block, &changed);
        let mut changed = proof.clone();
        changed.nodes[place].size += 1;
        check(&mut feed, block, &changed);
        let mut changed = proof.clone();
        changed.nodes[place].size = u64::MAX;
        check(&mut feed, block, &changed);
        let mut changed = proof.clone();
        changed.nodes.remove(place);
        check(&mut feed, block, &changed);
    }
    assert!(matches!(
        feed.put_hash(9, &proof),
        Err(Error::ProofRefused { fault: ProofFault::LeafMissing, .. })
    ));
    feed.put(9, block, &proof).unwrap();

    // A newer length needs its signature, and that of the author.
    let mut newer = author;
    newer.append(&blocks(21, 23)).unwrap();
    let before = stores.all();
    let proof = newer.proof(22).unwrap();
    let mut changed = proof.clone();
    changed.signature = None;
    let refused = feed.put(22, &blocks(22, 23)[0], &changed);
    assert!(matches!(
        refused,
        Err(Error::ProofRefused { fault: ProofFault::SignatureMissing, .. })
    ));
    let mut other = Stores::default().create(&KeyPair::from_seed(&[22; 32]));
    other.append(&blocks(0, 23)).unwrap();
    changed.signature = other.proof(22).unwrap().signature;
    let refused = feed.put(22, &blocks(22, 23)[0], &changed);
    assert!(matches!(
        refused,
        Err(Error::ProofRefused { fault: ProofFault::SignatureInvalid, .. })
    ));
    assert!(stores.all() == before);
    feed.put(22, &blocks(22, 23)[0], &proof).unwrap();
    assert_eq!(feed.length(), 23);
}

/// An author who signed two different feeds of one length, and of two.
#[test]
fn a_fork_of_the_author_is_refused() {
    let mut author = Stores::default().create(&pair());
    author.append(&blocks(0, 8)).unwrap();
    let mut twin = Stores::default().create(&pair());
    twin.append(&blocks(100, 108)).unwrap();
    let mut feed = reader(&Stores::default(), &pair());
    feed.put(7, &blocks(7, 8)[0], &author.proof(7).unwrap()).unwrap();
    let check = |feed: &mut Feed, twin: &Feed, block: u64| {
        let refused = feed.put(block, &twin.get(block).unwrap(), &twin.proof(block).unwrap());
        assert!(matches!(refused, Err(Error::ProofRefused { .. })), "{refused:?}");
    };
    check(&mut feed, &twin, 7);
    check(&mut feed, &twin, 1);
    twin.append(&blocks(108, 120)).unwrap();
    check(&mut feed, &twin, 7);
    // Its nodes meet one that is proven, far above.
    check(&mut feed, &twin, 12);
}

/// The bits of a download are written when all that they stand for is durable; a page that is new to the
/// file, before.
#[test]
fn a_download_is_synced_before_its_bits_are_written() {
    let mut author = Stores::default().create(&pair());
    author.append(&["block"; 100]).unwrap();
    let journal = Journal::new();
    let options = Feed::options().access(Access::Create).key(pair().public());
    let mut feed = options.open(recorded(&journal)).unwrap();
    feed.put(0, b"block", &author.proof(0).unwrap()).unwrap();
    author.append(&["block"; 9900]).unwrap();
    drop(journal.take());
    feed.put(9999, b"block", &author.proof(9999).unwrap()).unwrap();
    let calls = calls(&journal);
    let nodes = calls.iter().filter(|call| *call == "write tree").count();
    let before = ["write data"].into_iter().chain(vec!["write tree"; nodes]);
    // With the page that is new, with zeros in it.
    let after = ["write bitfield", "sync data", "sync tree", "sync bitfield"];
    let signature = ["write signatures", "sync signatures"];
    let bits = ["write bitfield", "sync bitfield"];
    let expected: Vec<_> = before.chain(after).chain(signature).chain(bits).collect();
    assert_eq!(calls, expected);
}

#[test]
fn a_seek_in_a_sparse_feed_needs_the_nodes() {
    let feed = golden("v9-sparse").stores.read();
    assert_eq!(feed.seek(0).unwrap(), (0, 0));
    assert_eq!(feed.seek(7).unwrap(), (3, 1));
    assert_eq!(feed.seek(289).unwrap(), (99, 2));
    assert!(matches!(feed.seek(100), Err(Error::NodeMissing { .. })));
}
