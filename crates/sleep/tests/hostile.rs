//! Feeds whose files were changed behind their back: never a panic, never other bytes, never a shorter
//! feed that may be appended to, and nothing written by an open.

mod common;

use common::{Golden, Stores, golden};
use flat_tree::Index;
use hypercore_crypto::KeyPair;
use sleep::{Access, Error, Feed, FileName, RepairOptions, Storage as _};

fn pair() -> KeyPair {
    KeyPair::from_seed(&[0x77; 32])
}

/// What a changed feed must still be: refused, or whole as far as it goes, and not to be changed when
/// it is shorter.
fn check(golden: &Golden, stores: &Stores, what: &str) {
    let before = stores.all();
    let Ok(feed) = Feed::options().access(Access::Write).open(stores.clone()) else { return };
    let is_refused = feed.recovery().refusal().is_some();
    assert!(
        feed.length() == golden.u64("length") || is_refused,
        "{what}: {} blocks, {:?}",
        feed.length(),
        feed.recovery()
    );
    for block in 0..feed.length() {
        if let Ok(bytes) = feed.get(block) {
            assert_eq!(bytes, golden.block(block), "{what}: block {block}");
        }
        drop((feed.proof(block), feed.signature(block), feed.verify_signature(block)));
    }
    for (block, bytes) in (0..).zip(feed.blocks(0..feed.length()).unwrap()) {
        assert!(bytes.is_err() || bytes.unwrap() == golden.block(block), "{what}: block {block}");
    }
    drop((feed.seek(0), feed.seek(feed.byte_length() / 2)));
    feed.audit(&mut |_| ()).unwrap();
    drop(feed);
    assert!(stores.all() == before, "{what}: an open wrote");
}

/// Bytes of a file that are changed one by one: of the pages of zeros and of long files only some.
fn places(file: FileName, len: usize) -> impl Iterator<Item = usize> {
    let step = if file == FileName::Bitfield { 512 } else { 47 };
    (0..len).filter(move |at| at % step == 0 || (32..36).contains(at) || (1056..1059).contains(at))
}

#[test]
fn a_changed_byte_shows_or_does_no_harm() {
    for name in ["v9-len10", "v9-cleared"] {
        let golden = golden(name);
        for (file, bytes) in golden.stores.all() {
            for at in places(file, bytes.len()) {
                let stores = golden.stores.copy();
                edit(&stores, file, |bytes| bytes[at] ^= 0x81);
                check(&golden, &stores, &format!("{name}, {file}: byte {at}"));
            }
        }
    }
}

/// Blocks appended one by one, 40 of them.
fn forty() -> Stores {
    let stores = Stores::default();
    let mut feed = stores.create(&pair());
    for index in 0..40 {
        feed.append(&[format!("b{index}")]).unwrap();
    }
    stores
}

fn edit(stores: &Stores, file: FileName, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = stores.bytes(file).unwrap();
    change(&mut bytes);
    stores.set(file, &bytes);
}

/// Takes the bits of all nodes that reach past `length` blocks.
fn lose_node_bits(stores: &Stores, length: u64) {
    edit(stores, FileName::Bitfield, |bytes| {
        for node in (0..16_384).filter(|node| Index::new(*node as u64).end_block() > length) {
            bytes[32 + 1024 + node / 8] &= !(0x80 >> (node % 8));
        }
    });
}

#[test]
fn lost_bits_over_a_cleared_block_are_found_again() {
    let stores = forty();
    stores.write().clear(20..22).unwrap();
    lose_node_bits(&stores, 16);
    let mut feed = stores.write();
    assert_eq!(feed.length(), 40, "{:?}", feed.recovery());
    assert_eq!(feed.get(39).unwrap(), b"b39");
    assert!(!feed.has(20));
    feed.append(&["next"]).unwrap();
    drop(feed);
    assert_eq!(stores.read().get(40).unwrap(), b"next");
}

#[test]
fn a_bitfield_that_was_cut_takes_no_blocks_with_it() {
    for name in ["v9-cleared", "v9-len100", "v6_12-len100", "v8-len100", "v8-then-v9"] {
        let golden = golden(name);
        for len in (32..1056).step_by(64).chain(1056..1090) {
            let stores = golden.stores.copy();
            edit(&stores, FileName::Bitfield, |bytes| bytes.truncate(len));
            let feed = stores.write();
            let is_refused = feed.recovery().refusal().is_some();
            let is_whole = feed.length() == golden.u64("length");
            assert!(is_whole || is_refused, "{name}, cut to {len}: {:?}", feed.recovery());
        }
    }
}

#[test]
fn an_append_that_is_half_there_is_not_dropped_silently() {
    let stores = forty();
    stores.write().append(&["one", "two", "three"]).unwrap();
    stores.write().clear(42..43).unwrap();
    lose_node_bits(&stores, 40);
    let mut feed = stores.write();
    assert!(matches!(feed.append(&["fork"]), Err(Error::NeedsRepair { .. })));
    drop(feed);
    // Of an append that was lost nothing is there.
    edit(&stores, FileName::Data, |bytes| bytes.truncate("b0".len() * 10 + "b10".len() * 30));
    let mut feed = stores.write();
    assert_eq!(feed.length(), 40, "{:?}", feed.recovery());
    feed.append(&["other"]).unwrap();
}

#[test]
fn lost_bits_over_a_lost_node_take_no_blocks_with_them() {
    let stores = forty();
    lose_node_bits(&stores, 16);
    edit(&stores, FileName::Tree, |bytes| bytes[32 + 40 * 50..32 + 40 * 51].fill(0));
    let before = stores.all();
    let mut feed = stores.write();
    assert!(matches!(feed.append(&["fork"]), Err(Error::NeedsRepair { .. })));
    assert!(stores.all() == before);
    drop(feed);
    // The node is made again, and with it the feed.
    let report = RepairOptions::new().repair(stores.clone()).unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(stores.read().length(), 40);
}

#[test]
fn blocks_that_lost_roots_and_signatures_are_not_given_up_silently() {
    let stores = forty();
    edit(&stores, FileName::Tree, |bytes| bytes.truncate(32 + 40 * 31));
    edit(&stores, FileName::Signatures, |bytes| bytes.truncate(32 + 64 * 16));
    let before = stores.all();
    let mut feed = stores.write();
    assert_eq!(feed.length(), 16);
    assert!(matches!(feed.append(&["fork"]), Err(Error::NeedsRepair { .. })));
    assert!(stores.all() == before);
    drop(feed);
    RepairOptions::new().accept_loss().repair(stores.clone()).unwrap();
    assert_eq!(stores.write().append(&["other"]).unwrap().length, 17);
}

#[test]
fn a_block_of_zeros_may_lie_in_a_hole() {
    let stores = Stores::default();
    stores.create(&pair()).append(&[vec![0_u8; 1024 * 1024]]).unwrap();
    let data = stores.open(FileName::Data, Access::Write).unwrap().unwrap();
    data.truncate(0).unwrap();
    data.truncate(1024 * 1024).unwrap();
    let feed = stores.read();
    assert_eq!(feed.get(0).unwrap().len(), 1024 * 1024);
    assert!(feed.audit(&mut |_| ()).unwrap().is_ok());
}

#[test]
fn a_new_feed_is_not_made_beside_what_is_of_another() {
    let stores = Stores::default();
    drop(stores.create(&pair()));
    stores.remove(FileName::Key);
    let other = KeyPair::from_seed(&[1; 32]);
    let options = || Feed::options().access(Access::Create);
    let before = stores.all();
    for refused in [
        options().key(other.public()).open(stores.clone()),
        options().key_pair(other.clone()).open(stores.clone()),
        options().key_pair(other.clone()).secret_key_elsewhere().open(stores.clone()),
    ] {
        assert!(matches!(refused, Err(Error::SecretKeyMismatch { .. })));
        assert!(stores.all() == before);
    }
    stores.remove(FileName::SecretKey);
    edit(&stores, FileName::Tree, |bytes| bytes[0] = 1);
    let before = stores.all();
    assert!(matches!(options().key_pair(other).open(stores.clone()), Err(Error::Header(_))));
    assert!(stores.all() == before);
}

#[test]
fn no_feed_is_longer_than_one_can_be() {
    // A bit of a root of 2^33 blocks, with its page alone in a hole.
    let stores = Stores::default();
    drop(stores.create(&pair()));
    let bits = stores.open(FileName::Bitfield, Access::Write).unwrap().unwrap();
    let pages = (1_u64 << 32) / 8192;
    let root = sleep::Node {
        index: Index::new((1 << 33) - 1),
        hash: hypercore_crypto::Hash::from_bytes([1; 32]),
        size: 1,
    };
    bits.truncate(32 + pages * 3584).unwrap();
    bits.write_at(32 + (pages - 1) * 3584 + 3071, &[1]).unwrap();
    let tree = stores.open(FileName::Tree, Access::Write).unwrap().unwrap();
    sleep::TreeFile::new(tree).write(&root).unwrap();
    let signature = pair().sign(&sleep::hashes::signable(&sleep::hashes::tree(&[root]), 1 << 33));
    let signatures = stores.open(FileName::Signatures, Access::Write).unwrap().unwrap();
    sleep::SignatureFile::new(signatures).write((1 << 33) - 1, &signature).unwrap();
    let opened = Feed::options().open(stores);
    assert!(matches!(opened, Err(Error::TooLong { file: FileName::Tree, .. })));
}

#[test]
fn a_hash_with_another_size_does_not_keep_its_block_out() {
    let author = forty().read();
    let stores = Stores::default();
    let options = Feed::options().access(Access::Create).key(pair().public());
    let mut reader = options.open(stores.clone()).unwrap();
    // The sum of the sizes of two siblings is proven; which of them has how much only a block tells.
    let mut forged = author.hash_proof(8).unwrap();
    forged.nodes[0].size -= 1;
    forged.nodes[1].size += 1;
    reader.put_hash(8, &forged).unwrap();
    for block in [9, 8] {
        let bytes = author.get(block).unwrap();
        reader.put(block, &bytes, &author.proof(block).unwrap()).unwrap();
        assert_eq!(reader.get(block).unwrap(), bytes);
    }
    assert_eq!(stores.read().get(8).unwrap(), b"b8");
}
