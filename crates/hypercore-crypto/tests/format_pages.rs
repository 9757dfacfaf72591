//! The format pages tell the truth: their examples are what the code makes, what they say is
//! refused is refused, and their constants are those of the code.

mod common;

use common::tree::Opaque;
use common::{hex, unhex};
use compact_encoding::{Decode, DecodeErrorKind, Decoder, Encode};
use hypercore_crypto::{
    BlockEncryption, CoreKey, DefaultEncryption, Hash, KeyIdEncryption, KeyPair, Manifest,
    ManifestSigner, Namespace, Prologue, Verifier, discovery_key, id, leaf_hash, namespaces,
    parent_hash, signable, tree_hash,
};

macro_rules! page {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/", $name))
    };
}

const HASHES: &str = page!("signatures-and-hashes.md");
const MANIFEST: &str = page!("manifest.md");
const ENCRYPTION: &str = page!("block-encryption.md");

/// The lines of the block called `name`: bytes, and the remark after two spaces.
fn lines(page: &'static str, name: &str) -> Vec<(Vec<u8>, &'static str)> {
    let fence = format!("```hex {name}\n");
    let (_, rest) = page.split_once(&fence).unwrap_or_else(|| panic!("a block called {name}"));
    let (block, _) = rest.split_once("```").expect("blocks end");
    let split = |line: &'static str| line.split_once("  ").unwrap_or((line, ""));
    block
        .lines()
        .map(split)
        .map(|(bytes, remark)| (unhex(&bytes.replace(' ', "")), remark))
        .collect()
}

/// The bytes of the block called `name`.
fn block(page: &'static str, name: &str) -> Vec<u8> {
    lines(page, name).into_iter().flat_map(|(bytes, _)| bytes).collect()
}

fn check(page: &'static str, name: &str, found: impl AsRef<[u8]>) {
    assert_eq!(hex(found), hex(block(page, name)), "{name}");
}

fn writer() -> KeyPair {
    KeyPair::from_seed(&[1; 32])
}

fn tree() -> Hash {
    let root = parent_hash(11, &leaf_hash(b"hello"), &leaf_hash(b"world!"));
    tree_hash([(root, 1, 11)])
}

#[test]
fn hashes_and_signatures() {
    let (left, right) = (leaf_hash(b"hello"), leaf_hash(b"world!"));
    check(HASHES, "leaf-0", left);
    check(HASHES, "leaf-1", right);
    check(HASHES, "parent", parent_hash(11, &left, &right));
    check(HASHES, "tree", tree());
    check(HASHES, "public-key", writer().public());

    let manifest = Manifest::single(writer().public());
    let key = manifest.key();
    check(HASHES, "core-key", key);
    assert!(HASHES.contains(&format!("`{}`", id::encode(key.as_bytes()))));
    check(HASHES, "discovery-key", discovery_key(&key));
    check(HASHES, "signable", signable(key.as_bytes(), &tree(), 2, 0));
    let verifier = Verifier::new(&manifest, &key).expect("own key");
    let part = verifier.sign_partial(&writer(), &tree(), 2, 0).expect("a signer");
    check(HASHES, "part", part.to_vec());
    let signed = Opaque { hash: tree(), length: 2, fork: 0 };
    let compat = CoreKey::from_bytes(*writer().public().as_bytes());
    for (name, key) in [("signature", key), ("compat-signature", compat)] {
        check(HASHES, name, manifest.sign(&key, &writer(), &tree(), 2, 0).expect("can sign"));
        assert_eq!(manifest.verify(&key, &signed, &block(HASHES, name)), Ok(()));
    }
}

#[test]
fn namespaces_in_the_table() {
    let rows = HASHES.lines().filter(|line| line.contains("_NAMESPACE` |"));
    let values: Vec<_> = rows.map(|row| row.split('`').nth(3).expect("a value")).collect();
    let found = namespaces("hypercore", 6);
    assert_eq!(values, found.iter().map(Namespace::to_string).collect::<Vec<_>>());
}

#[test]
fn manifests() {
    let check_both_ways = |name: &str, manifest: &Manifest| {
        check(MANIFEST, name, manifest.to_vec());
        assert_eq!(Manifest::from_slice(&block(MANIFEST, name)).as_ref(), Ok(manifest));
        check(MANIFEST, &format!("{name}-key"), manifest.key());
    };
    let default = Manifest::single(writer().public());
    check_both_ways("default", &default);
    let signers = [1, 2].map(|seed| ManifestSigner::new(KeyPair::from_seed(&[seed; 32]).public()));
    let full = Manifest::builder()
        .allow_patch()
        .quorum(1)
        .signers(signers)
        .prologue(Prologue { hash: tree(), length: 2 })
        .linked([default.key()])
        .user_data(*b"notes");
    check_both_ways("full", &full.build().expect("valid"));
    let version_0 = Manifest::builder().version(0).signer(signers[0]);
    check_both_ways("version-0", &version_0.build().expect("valid"));
}

#[test]
fn refused_manifests() {
    for (bytes, remark) in lines(MANIFEST, "refused") {
        let error = Manifest::decode(&mut Decoder::new(&bytes)).expect_err("must not decode");
        let DecodeErrorKind::Invalid(what) = error.kind else { panic!("{error}") };
        assert_eq!(format!("{} {what}", error.offset), remark);
    }
}

#[test]
fn limits_in_the_table() {
    for (name, value) in [
        ("MANIFEST_VERSION_MAX", usize::from(hypercore_crypto::MANIFEST_VERSION_MAX)),
        ("MANIFEST_LIST_LEN_MAX", hypercore_crypto::MANIFEST_LIST_LEN_MAX),
    ] {
        assert!(MANIFEST.contains(&format!("| `{name}` | {value} |")), "{name}");
    }
}

#[test]
fn encrypted_blocks() {
    let check_both_ways = |name: &str, scheme: &dyn BlockEncryption| {
        check(ENCRYPTION, name, scheme.encrypt(5, 1, b"hello"));
        let plain = scheme.decrypt(5, &block(ENCRYPTION, name));
        assert_eq!(plain.as_deref(), Ok(&b"hello"[..]), "{name}");
    };
    let key = Manifest::single(writer().public()).key();
    let default = DefaultEncryption::new(&key, false, &[3; 32]);
    check(ENCRYPTION, "block-key", default.block_key().as_bytes());
    check(ENCRYPTION, "blinding-key", default.blinding_key().as_bytes());
    check_both_ways("stored", &default);
    check(ENCRYPTION, "draft-stored", default.encrypt_draft(5, b"hello"));
    let plain = default.decrypt(5, &block(ENCRYPTION, "draft-stored"));
    assert_eq!(plain.as_deref(), Ok(&b"hello"[..]));
    let compat = CoreKey::from_bytes(*writer().public().as_bytes());
    let compat = DefaultEncryption::new(&compat, true, &[3; 32]);
    check(ENCRYPTION, "compat-block-key", compat.block_key().as_bytes());
    check_both_ways("compat-stored", &compat);
    check_both_ways("key-id-stored", &KeyIdEncryption::new(300, &[4; 32]));
}
