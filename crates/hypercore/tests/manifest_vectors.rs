//! Manifests and signatures of JavaScript, through the handle: what makes which key, and what a log takes.

#[path = "common/vectors.rs"]
mod vectors;

use hypercore::{
    AppendOptions, CoreKey, Hash, Hypercore, Manifest, ManifestSigner, Namespace, Prologue,
    PublicKey, SignatureNode, SignedTree, Storage, Verifier, decode_manifest, encode_manifest,
};
use serde_json::Value;
use vectors::{array, bytes, each, list, number, text, unhex, vectors, yes};

fn signer(fields: &Value) -> ManifestSigner {
    assert_eq!(text(fields, "signature"), "ed25519");
    let namespace = Namespace::from_bytes(array(fields, "namespace"));
    ManifestSigner::with_namespace(PublicKey::from_bytes(array(fields, "public_key")), namespace)
}

/// The manifest with these fields, through the builder.
fn from_fields(fields: &Value) -> Manifest {
    assert_eq!(text(fields, "hash"), "blake2b");
    let mut builder = Manifest::builder()
        .version(number(fields, "version") as u8)
        .quorum(number(fields, "quorum"))
        .signers(fields["signers"].as_array().unwrap().iter().map(signer));
    if yes(fields, "allow_patch") {
        builder = builder.allow_patch();
    }
    if let prologue @ Value::Object(_) = &fields["prologue"] {
        let hash = Hash::from_bytes(array(prologue, "hash"));
        builder = builder.prologue(Prologue { hash, length: number(prologue, "length") });
    }
    if fields["linked"].is_array() {
        let key = |key: Vec<u8>| CoreKey::try_from(&key[..]).unwrap();
        builder = builder.linked(list(fields, "linked").into_iter().map(key));
    }
    if let Value::String(user_data) = &fields["user_data"] {
        builder = builder.user_data(unhex(user_data));
    }
    builder.build().unwrap()
}

#[tokio::test]
async fn each_manifest_makes_the_recorded_log() {
    for case in each(&vectors("manifest"), "manifests") {
        let note = text(case, "note");
        let manifest = from_fields(&case["manifest"]);
        assert_eq!(encode_manifest(&manifest), bytes(case, "encoded"), "{note}");
        assert_eq!(decode_manifest(&bytes(case, "encoded")).as_ref(), Ok(&manifest), "{note}");
        let builder = || Hypercore::builder(Storage::memory()).manifest(manifest.clone());
        let log = builder().open().await.unwrap();
        assert_eq!(log.key().to_string(), text(case, "key"), "{note}");
        assert_eq!(log.discovery_key().to_string(), text(case, "discovery_key"), "{note}");
        let info = log.info().await.unwrap();
        assert_eq!(info.compat, yes(case, "is_compat_for_own_key"), "{note}");
        assert_eq!(info.manifest.as_ref(), Some(&manifest), "{note}");

        let Some(first) = manifest.signers().first() else { continue };
        let key = CoreKey::from_bytes(*first.public_key.as_bytes());
        let compat = builder().key(key).open().await;
        assert_eq!(compat.is_ok(), yes(case, "is_compat_for_signer_key"), "{note}");
        if let Ok(log) = compat {
            assert!(log.info().await.unwrap().compat, "{note}");
        }
    }
}

#[test]
fn bytes_that_decode_and_bytes_that_do_not() {
    for case in each(&vectors("manifest"), "decode") {
        let note = text(case, "note");
        let found = decode_manifest(&bytes(case, "encoded"));
        if note.contains("trailing bytes") {
            // A manifest by itself has nothing behind it.
            assert!(yes(case, "decodes") && found.is_err());
            continue;
        }
        assert_eq!(found.is_ok(), yes(case, "decodes"), "{note}");
        if let Ok(found) = found {
            assert_eq!(found, from_fields(&case["manifest"]), "{note}");
        }
    }
}

/// The recorded errors that the types do not make impossible.
#[test]
fn what_must_not_be_made() {
    let signer = ManifestSigner::new(PublicKey::from_bytes([1; 32]));
    let mut possible = 0;
    for case in each(&vectors("manifest"), "create_errors") {
        let builder = Manifest::builder().signer(signer);
        let built = match text(case, "note") {
            "quorum above the number of signers" => builder.quorum(2).build(),
            "user data in version 1" => builder.version(1).user_data([1]).build(),
            "linked in version 1" => {
                builder.version(1).linked([CoreKey::from_bytes([1; 32])]).build()
            }
            "prologue hash of 31 bytes" | "linked key of 31 bytes" => {
                assert!(Hash::try_from(&[0; 31][..]).is_err());
                assert!(CoreKey::try_from(&[0; 31][..]).is_err());
                continue;
            }
            // A quorum is unsigned; a signer has a key and no choice of algorithm, a manifest none of hash, and
            // a prologue has a length.
            "negative quorum"
            | "signer without a public key"
            | "unknown signature"
            | "unknown hash"
            | "prologue without a length" => continue,
            other => panic!("unknown case {other}"),
        };
        assert!(built.is_err(), "{}", text(case, "note"));
        possible += 1;
    }
    assert_eq!(possible, 3);
}

/// A tree of which nothing but this is known.
struct Recorded {
    hash: Hash,
    length: u64,
    fork: u64,
}

impl SignedTree for Recorded {
    fn length(&self) -> u64 {
        self.length
    }

    fn fork(&self) -> u64 {
        self.fork
    }

    fn hash(&self) -> Hash {
        self.hash
    }

    fn patched_hash(&self, _: u64, _: &[SignatureNode]) -> Option<Hash> {
        None
    }
}

#[test]
fn recorded_signatures() {
    for case in each(&vectors("manifest"), "signatures") {
        let manifest = decode_manifest(&bytes(case, "manifest")).unwrap();
        let hash = Hash::from_bytes(array(case, "tree_hash"));
        let tree = Recorded { hash, length: number(case, "length"), fork: number(case, "fork") };
        let key = CoreKey::from_bytes(array(case, "key"));
        let mut verifier = Verifier::new(&manifest, &key).unwrap();
        if yes(case, "legacy") {
            verifier = verifier.with_legacy_signable();
        }
        let signature = case["signature"].as_str().map(unhex).unwrap_or_default();
        let found = verifier.verify(&tree, &signature);
        assert_eq!(found.is_ok(), yes(case, "valid"), "{}: {found:?}", text(case, "note"));
    }
}

/// A log takes the recorded blocks with each signature that is valid, and with no other.
#[tokio::test]
async fn patched_signatures() {
    let vectors = vectors("manifest");
    let blocks = list(&vectors, "patched_blocks");
    for case in each(&vectors, "patched_signatures") {
        let (note, length) = (text(case, "note"), number(case, "length"));
        assert_eq!(number(case, "fork"), 0);
        let manifest = decode_manifest(&bytes(case, "manifest")).unwrap();
        let log = Hypercore::builder(Storage::memory()).manifest(manifest);
        let log = log.open().await.unwrap();
        assert_eq!(log.key().to_string(), text(case, "key"), "{note}");
        let options = AppendOptions::new().signature(bytes(case, "signature"));
        let appended = log.append_with(&blocks[..length as usize], options).await;
        assert_eq!(appended.is_ok(), yes(case, "valid"), "{note}: {appended:?}");
        assert_eq!(log.length(), if yes(case, "valid") { length } else { 0 }, "{note}");
        assert!(log.verify().await.unwrap().is_ok(), "{note}");
    }
}
