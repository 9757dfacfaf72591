//! Block encryption: the stored bytes of JavaScript, both ways, and blocks that were never made
//! by it.

mod common;

use common::{array, bytes, each, hash, hex, number, text, unhex, yes};
use hypercore_crypto::{
    BlockEncryption, BlockKey, CoreKey, DecryptError, DefaultEncryption, KeyIdEncryption,
    SignedTree as _,
};
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn derived_keys() {
    each(&common::encryption(), "keys", |case| {
        let core_key = CoreKey::from_bytes(array(case, "core_key"));
        let encryption_key = array(case, "encryption_key");
        let check = |name: &str, found: &DefaultEncryption| {
            assert_eq!(hex(found.block_key().as_bytes()), text(&case[name], "block_key"));
            assert_eq!(hex(found.blinding_key().as_bytes()), text(&case[name], "blinding_key"));
        };
        check("default", &DefaultEncryption::new(&core_key, false, &encryption_key));
        check("compat", &DefaultEncryption::new(&core_key, true, &encryption_key));
        let given = BlockKey::from_bytes(&encryption_key);
        check("is_block_key", &DefaultEncryption::with_block_key(given));
        let derived = BlockKey::derive(&core_key, &encryption_key);
        assert_eq!(hex(derived.as_bytes()), text(case, "block_encryption_key"));
    });
}

#[test]
fn single_blocks_both_ways() {
    each(&common::encryption(), "blocks", |case| {
        let scheme =
            DefaultEncryption::with_block_key(BlockKey::from_bytes(&array(case, "block_key")));
        assert_eq!(*scheme.blinding_key().as_bytes(), array(case, "blinding_key"));
        let (index, plain, stored) =
            (number(case, "index"), bytes(case, "plain"), bytes(case, "stored"));
        assert_eq!(scheme.encrypt(index, number(case, "fork"), &plain), stored);
        assert_eq!(scheme.decrypt(index, &stored), Ok(plain));
    });
}

fn list(case: &Value, name: &str) -> Vec<Vec<u8>> {
    let list = case[name].as_array().unwrap_or_else(|| panic!("{name} is a list"));
    list.iter().map(|block| unhex(block.as_str().expect("hex"))).collect()
}

#[test]
fn whole_cores() {
    each(&common::encryption(), "cores", |case| {
        let key = CoreKey::from_bytes(array(case, "key"));
        let encryption_key = array(case, "encryption_key");
        let scheme = if yes(case, "is_block_key") {
            DefaultEncryption::with_block_key(BlockKey::from_bytes(&encryption_key))
        } else {
            DefaultEncryption::new(&key, yes(case, "compat"), &encryption_key)
        };
        assert_eq!(scheme.padding() as u64, number(case, "padding"));
        let (stored, plain) = (list(case, "stored"), list(case, "plain"));
        let forks = case["forks_of_blocks"].as_array().expect("forks");
        for (index, (stored, plain)) in stored.iter().zip(&plain).enumerate() {
            let fork = forks[index].as_u64().expect("a fork");
            assert_eq!(&scheme.encrypt(index as u64, fork, plain), stored);
            assert_eq!(scheme.decrypt(index as u64, stored).as_ref(), Ok(plain));
        }
        assert_eq!(plain.len() as u64, number(case, "length"));
        assert_eq!(plain.iter().map(Vec::len).sum::<usize>() as u64, number(case, "byte_length"));
        let sum = stored.iter().map(Vec::len).sum::<usize>() as u64;
        assert_eq!(sum, number(case, "tree_byte_length"));
        let tree =
            common::tree::SlowTree::new(&stored, number(case, "length"), number(case, "fork"));
        assert_eq!(tree.hash(), hash(case, "tree_hash"));
    });
}

#[test]
fn the_key_id_scheme() {
    let vectors = common::encryption();
    let case = &vectors["key_id_provider"];
    let entropy = |id: u64| -> [u8; 32] {
        let list = case["entropies"].as_array().expect("entropies");
        array(list.iter().find(|e| number(e, "id") == id).expect("known id"), "encryption_key")
    };
    let reader = KeyIdEncryption::new(1, &entropy(1)).with_key(300, &entropy(300));
    let ids = case["ids_of_blocks"].as_array().expect("ids");
    let blocks = list(case, "stored").into_iter().zip(list(case, "plain"));
    for (index, (stored, plain)) in blocks.enumerate() {
        let id = ids[index].as_u64().expect("an id");
        let writer = KeyIdEncryption::new(id as u32, &entropy(id));
        assert_eq!(writer.padding(), 8);
        assert_eq!(writer.encrypt(index as u64, 0, &plain), stored);
        assert_eq!(reader.decrypt(index as u64, &stored), Ok(plain));
    }
    let shown = format!("{reader:?}");
    assert!(shown.contains("300") && !shown.contains(&hex(entropy(1))));
}

#[test]
fn blocks_that_no_scheme_made_are_refused() {
    let default = DefaultEncryption::with_block_key(BlockKey::from_bytes(&[1; 32]));
    let key_id = KeyIdEncryption::new(7, &[1; 32]);
    for len in 0..8 {
        let expected = Err(DecryptError::TooShort { found: len, padding: 8 });
        assert_eq!(default.decrypt(0, &vec![0; len]), expected);
        assert_eq!(key_id.decrypt(0, &vec![0; len]), expected);
    }
    let check = |stored: [u8; 9], expected| assert_eq!(key_id.decrypt(0, &stored), expected);
    check([0, 1, 2, 3, 4, 5, 6, 7, 8], Ok(vec![8]));
    check([1, 0, 0, 0, 8, 0, 0, 0, 0], Err(DecryptError::UnknownKey { id: 8 }));
    check([2, 0, 0, 0, 7, 0, 0, 0, 0], Err(DecryptError::UnknownScheme { scheme: 2 }));
}

/// Of a draft any version may be the one that is signed: all are told apart, and none looks like a block of a
/// fork.
#[test]
fn drafts_of_one_index_never_share_a_stream() {
    let key = BlockKey::from_bytes(&[1; 32]);
    let schemes: [Box<dyn BlockEncryption>; 2] = [
        Box::new(DefaultEncryption::with_block_key(key)),
        Box::new(KeyIdEncryption::new(7, &[1; 32])),
    ];
    for scheme in schemes {
        let one = scheme.encrypt_draft(3, b"one version");
        assert_eq!(scheme.encrypt_draft(3, b"one version"), one, "all signers make the same");
        assert_eq!(scheme.decrypt(3, &one).as_deref(), Ok(&b"one version"[..]));
        let other = scheme.encrypt_draft(3, b"two version");
        assert_ne!(one[..8], other[..8], "the padding is part of the nonce");
        // A shared stream would leave what they have in common.
        assert_ne!(one[12..], other[12..]);
        assert_ne!(scheme.encrypt_draft(4, b"one version")[8..], one[8..]);
    }
    let default = DefaultEncryption::with_block_key(BlockKey::from_bytes(&[1; 32]));
    for plain in [&b"one"[..], b"two", b""] {
        let drafted = default.encrypt_draft(3, plain);
        let fork_0 = default.encrypt(3, 0, plain);
        // Both are blinded with the same bytes; what is left is the number, with its highest bit.
        assert_eq!((drafted[7] ^ fork_0[7]) & 0x80, 0x80);
    }
}

/// One's own scheme is a trait object like the ones here.
#[test]
fn schemes_are_objects() {
    let schemes: [Box<dyn BlockEncryption>; 2] = [
        Box::new(DefaultEncryption::with_block_key(BlockKey::from_bytes(&[1; 32]))),
        Box::new(KeyIdEncryption::new(7, &[1; 32])),
    ];
    for scheme in schemes {
        let stored = scheme.encrypt(3, 1, b"block");
        assert_eq!(stored.len(), 5 + scheme.padding());
        assert_eq!(scheme.decrypt(3, &stored).as_deref(), Ok(&b"block"[..]));
        assert_ne!(scheme.decrypt(4, &stored).as_deref(), Ok(&b"block"[..]));
    }
}

proptest! {
    #[test]
    fn every_block_comes_back(key: [u8; 32], index: u64, fork: u64, plain in prop::collection::vec(any::<u8>(), 0..200)) {
        let default = DefaultEncryption::with_block_key(BlockKey::from_bytes(&key));
        let stored = default.encrypt(index, fork, &plain);
        prop_assert_eq!(stored.len(), plain.len() + 8);
        prop_assert_eq!(default.decrypt(index, &stored), Ok(plain));
    }
}
