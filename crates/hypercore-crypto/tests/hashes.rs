//! Hashes, namespaces, discovery keys, signables and capabilities, as JavaScript computed them.

mod common;

use common::{array, bytes, each, hash, number, text, unhex};
use hypercore_crypto::{
    CoreKey, Side, capability, compat_signable, discovery_key, hash_parts, keyed_hash, leaf_hash,
    leaf_hashes, legacy_signable, namespace, namespaces, parent_hash, parent_hashes, signable,
    tree_hash,
};

#[test]
fn plain_hashes() {
    each(&common::crypto(), "hashes", |case| {
        let parts: Vec<_> = case["parts"].as_array().expect("parts").iter().collect();
        let parts: Vec<_> = parts.iter().map(|part| unhex(part.as_str().expect("hex"))).collect();
        let slices: Vec<_> = parts.iter().map(Vec::as_slice).collect();
        assert_eq!(hash_parts(&slices), hash(case, "hash"));
        assert_eq!(hypercore_crypto::hash(&parts.concat()), hash(case, "hash"));
    });
}

#[test]
fn keyed_hashes() {
    each(&common::crypto(), "keyed_hashes", |case| {
        let (key, data) = (bytes(case, "key"), bytes(case, "data"));
        assert_eq!(number(case, "out_bytes"), 32);
        let found = match key.len() {
            16 => keyed_hash::<16>(&array(case, "key"), &[&data]),
            32 => keyed_hash::<32>(&array(case, "key"), &[&data]),
            64 => keyed_hash::<64>(&array(case, "key"), &[&data]),
            other => panic!("a key of {other} bytes"),
        };
        assert_eq!(found, hash(case, "hash"));
    });
}

#[test]
fn leaves_alone_and_together() {
    let mut blocks = Vec::new();
    let mut expected = Vec::new();
    each(&common::crypto(), "leaf_hashes", |case| {
        assert_eq!(leaf_hash(&bytes(case, "data")), hash(case, "hash"));
        blocks.push(bytes(case, "data"));
        expected.push(hash(case, "hash"));
    });
    assert_eq!(leaf_hashes(&blocks), expected);
}

#[test]
fn parents_alone_and_together() {
    let mut parents = Vec::new();
    let mut expected = Vec::new();
    each(&common::crypto(), "parent_hashes", |case| {
        let (mut left, mut right) = (&case["left"], &case["right"]);
        if number(left, "index") > number(right, "index") {
            (left, right) = (right, left);
        }
        let size = number(left, "size") + number(right, "size");
        let parent = (size, hash(left, "hash"), hash(right, "hash"));
        assert_eq!(parent_hash(size, &parent.1, &parent.2), hash(case, "hash"));
        parents.push(parent);
        expected.push(hash(case, "hash"));
    });
    assert_eq!(parent_hashes(&parents), expected);
}

#[test]
fn trees() {
    each(&common::crypto(), "tree_hashes", |case| {
        let roots = case["roots"].as_array().expect("roots");
        let roots = roots.iter().map(|r| (hash(r, "hash"), number(r, "index"), number(r, "size")));
        assert_eq!(tree_hash(roots), hash(case, "hash"));
    });
}

#[test]
fn namespaces_are_derived_from_names() {
    each(&common::crypto(), "namespaces", |case| {
        let name = text(case, "name");
        let expected = case["list"].as_array().expect("list");
        let found = match case["ids"].as_array() {
            Some(ids) => {
                ids.iter().map(|id| namespace(name, id.as_u64().expect("id") as u8)).collect()
            }
            None => namespaces(name, number(case, "count") as u8),
        };
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(&found, expected);
    });
}

#[test]
fn namespace_constants_are_those_of_hypercore() {
    let vectors = common::crypto();
    let names = &vectors["hypercore_namespaces"];
    let constants = [
        (hypercore_crypto::TREE_NAMESPACE, "tree"),
        (hypercore_crypto::REPLICATE_INITIATOR_NAMESPACE, "replicate_initiator"),
        (hypercore_crypto::REPLICATE_RESPONDER_NAMESPACE, "replicate_responder"),
        (hypercore_crypto::MANIFEST_NAMESPACE, "manifest"),
        (hypercore_crypto::DEFAULT_SIGNER_NAMESPACE, "default_namespace"),
        (hypercore_crypto::DEFAULT_ENCRYPTION_NAMESPACE, "default_encryption"),
    ];
    for ((constant, name), derived) in constants.iter().zip(namespaces("hypercore", 6)) {
        assert_eq!(constant.to_string(), text(names, name));
        assert_eq!(*constant, derived);
    }
}

#[test]
fn discovery_keys() {
    each(&common::crypto(), "discovery_keys", |case| {
        let key = CoreKey::from_bytes(array(case, "key"));
        assert_eq!(discovery_key(&key).to_string(), text(case, "discovery_key"));
    });
}

#[test]
fn signables() {
    each(&common::crypto(), "signables", |case| {
        let (tree, length, fork) =
            (hash(case, "tree_hash"), number(case, "length"), number(case, "fork"));
        let context = array(case, "context");
        assert_eq!(signable(&context, &tree, length, fork), array(case, "signable"));
        assert_eq!(compat_signable(&tree, length, fork), array(case, "compat"));
        assert_eq!(legacy_signable(&tree, length, fork), array(case, "compat_no_header"));
    });
}

#[test]
fn capabilities() {
    each(&common::crypto(), "capabilities", |case| {
        let key = CoreKey::from_bytes(array(case, "key"));
        let handshake = array(case, "handshake_hash");
        assert_eq!(capability(Side::Initiator, &key, &handshake), hash(case, "initiator"));
        assert_eq!(capability(Side::Responder, &key, &handshake), hash(case, "responder"));
    });
}
