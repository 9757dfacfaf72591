//! Signatures against manifests: what JavaScript accepts and refuses, in every mode.

mod common;

use common::tree::{Opaque, SlowTree};
use common::{array, bytes, each, hash, number, text, unhex, yes};
use compact_encoding::{Decode, Decoder, Encode};
use hypercore_crypto::{
    CoreKey, Hash, KeyPair, Manifest, ManifestSigner, MultiSignature, SignError, SignedTree,
    Verifier, VerifyError,
};
use proptest::prelude::*;
use serde_json::Value;

fn manifest_of(case: &Value) -> (Manifest, CoreKey) {
    let manifest = Manifest::decode(&mut Decoder::new(&bytes(case, "manifest"))).expect("decodes");
    (manifest, CoreKey::from_bytes(array(case, "key")))
}

#[test]
fn recorded_signatures() {
    each(&common::manifest(), "signatures", |case| {
        let (manifest, key) = manifest_of(case);
        let tree = Opaque {
            hash: hash(case, "tree_hash"),
            length: number(case, "length"),
            fork: number(case, "fork"),
        };
        let signature = case["signature"].as_str().map(unhex).unwrap_or_default();
        let mut verifier = Verifier::new(&manifest, &key).expect("the manifest is that core's");
        if yes(case, "legacy") {
            verifier = verifier.with_legacy_signable();
        } else {
            assert_eq!(
                manifest.verify(&key, &tree, &signature),
                verifier.verify(&tree, &signature)
            );
        }
        let found = verifier.verify(&tree, &signature);
        assert_eq!(found.is_ok(), yes(case, "valid"), "{}: {found:?}", text(case, "note"));
    });
}

#[test]
fn recorded_patched_signatures() {
    let vectors = common::manifest();
    let blocks = vectors["patched_blocks"].as_array().expect("blocks").iter();
    let blocks: Vec<_> = blocks.map(|block| unhex(block.as_str().expect("hex"))).collect();
    each(&vectors, "patched_signatures", |case| {
        let (manifest, key) = manifest_of(case);
        let tree = SlowTree::new(&blocks, number(case, "length"), number(case, "fork"));
        let found = manifest.verify(&key, &tree, &bytes(case, "signature"));
        assert_eq!(found.is_ok(), yes(case, "valid"), "{}: {found:?}", text(case, "note"));
    });
}

#[test]
fn version_1_signatures_are_written_as_they_were_read() {
    let vectors = common::manifest();
    let mut checked = 0;
    for list in ["signatures", "patched_signatures"] {
        each(&vectors, list, |case| {
            let bytes = case["signature"].as_str().map(unhex).unwrap_or_default();
            let (manifest, key) = manifest_of(case);
            if yes(case, "valid") && manifest.version() > 0 && !manifest.is_compat(&key) {
                let mut input = Decoder::new(&bytes);
                if let Ok(multi) = MultiSignature::decode(&mut input) {
                    let read = input.position();
                    assert_eq!(multi.to_vec(), bytes[..read], "{}", text(case, "note"));
                    assert_eq!(multi.encoded_len(), read);
                    checked += 1;
                }
            }
        });
    }
    assert!(checked > 10);
}

fn pair(number: u8) -> KeyPair {
    KeyPair::from_seed(&[number; 32])
}

fn tree(length: u64) -> Opaque {
    Opaque { hash: Hash::from_bytes([6; 32]), length, fork: 2 }
}

fn sign(manifest: &Manifest, key: &CoreKey, by: u8) -> Result<Vec<u8>, SignError> {
    let tree = tree(10);
    manifest.sign(key, &pair(by), &tree.hash(), tree.length(), tree.fork())
}

/// What one key pair signs verifies, in the form of section 5.4, or is refused.
#[test]
fn one_signer_signs_for_every_kind_of_core() {
    let check = |manifest: &Manifest, key: &CoreKey, len: usize| {
        let signature = sign(manifest, key, 1).expect("can sign");
        assert_eq!(signature.len(), len);
        assert_eq!(manifest.verify(key, &tree(10), &signature), Ok(()));
        assert!(manifest.verify(key, &tree(11), &signature).is_err());
        assert_eq!(sign(manifest, key, 9), Err(SignError::NotASigner));
    };
    let single = Manifest::single(pair(1).public());
    check(&single, &single.key(), 68);
    check(&single, &CoreKey::from_bytes(*pair(1).public().as_bytes()), 64);

    let signer = |number| ManifestSigner::new(pair(number).public());
    let version_0 = Manifest::builder().version(0).signer(signer(1)).build().expect("valid");
    check(&version_0, &version_0.key(), 64);
    let patched = Manifest::builder().version(0).allow_patch().signer(signer(1)).build();
    let patched = patched.expect("valid");
    check(&patched, &patched.key(), 68);
    let any_of = Manifest::builder().signers([signer(2), signer(1)]).quorum(1).build();
    let any_of = any_of.expect("valid");
    check(&any_of, &any_of.key(), 68);
}

/// Whoever keeps the key gets the exact bytes, and only a signature of these is taken.
#[test]
fn a_signature_made_elsewhere_serves_like_one_made_here() {
    let check = |manifest: &Manifest, key: &CoreKey, message_len: usize| {
        let verifier = Verifier::new(manifest, key).expect("own key");
        let hash = tree(10).hash();
        let to_sign = verifier.to_sign(&pair(1).public(), &hash, 10, 2).expect("a signer");
        assert_eq!((to_sign.key, to_sign.tree_hash), (*key, hash));
        assert_eq!((to_sign.length, to_sign.fork), (10, 2));
        assert_eq!(to_sign.message().len(), message_len);
        let part = to_sign.signed(pair(1).sign(to_sign.message())).expect("signed");
        assert_eq!(verifier.assemble(10, &[part]), Ok(sign(manifest, key, 1).expect("can sign")));
        let bad = Err(VerifyError::BadSignature { signer: to_sign.signer });
        assert_eq!(to_sign.signed(pair(2).sign(to_sign.message())), bad);
        assert_eq!(to_sign.signed(pair(1).sign(b"something else")), bad);
        let stranger = verifier.to_sign(&pair(9).public(), &hash, 10, 2);
        assert!(matches!(stranger, Err(SignError::NotASigner)));
    };
    let single = Manifest::single(pair(1).public());
    check(&single, &single.key(), 112);
    check(&single, &CoreKey::from_bytes(*pair(1).public().as_bytes()), 80);
    let signers = [2, 1].map(|number| ManifestSigner::new(pair(number).public()));
    for version in [0, 1, 3] {
        let builder = Manifest::builder().version(version).signers(signers).quorum(1);
        let any_of = builder.build().expect("valid");
        check(&any_of, &any_of.key(), 112);
    }
}

#[test]
fn what_one_signer_cannot_sign_is_an_error() {
    let signers = [1, 2].map(|number| ManifestSigner::new(pair(number).public()));
    let both = Manifest::builder().signers(signers).build().expect("valid");
    assert_eq!(sign(&both, &both.key(), 1), Err(SignError::QuorumNotOne { quorum: 2 }));
    let nobody = Manifest::builder().build().expect("valid");
    assert_eq!(sign(&nobody, &nobody.key(), 1), Err(SignError::QuorumNotOne { quorum: 0 }));
    let foreign = CoreKey::from_bytes([1; 32]);
    assert_eq!(sign(&both, &foreign, 1), Err(SignError::ForeignKey));
}

#[test]
fn a_manifest_of_another_core_convinces_nobody() {
    let manifest = Manifest::single(pair(1).public());
    let signature = sign(&manifest, &manifest.key(), 1).expect("can sign");
    let other = Manifest::single(pair(2).public()).key();
    assert_eq!(manifest.verify(&other, &tree(10), &signature), Err(VerifyError::ForeignKey));
}

/// A decoded manifest may ask for more signers than there are; repeating one must not help.
#[test]
fn a_quorum_larger_than_the_signers_is_never_met() {
    let mut encoded = Manifest::single(pair(1).public()).to_vec();
    encoded[3] = 2;
    let manifest = Manifest::from_slice(&encoded).expect("decodes");
    let key = manifest.key();
    assert_eq!(sign(&manifest, &key, 1), Err(SignError::QuorumNotOne { quorum: 2 }));
    let part = Verifier::new(&manifest, &key)
        .expect("own key")
        .sign_partial(&pair(1), &tree(10).hash(), 10, 2)
        .expect("a signer");
    let proof = hypercore_crypto::SignatureProof { signer: 0, signature: part.signature, patch: 0 };
    let twice = MultiSignature { proofs: vec![proof, proof], nodes: Vec::new() }.to_vec();
    let found = manifest.verify(&key, &tree(10), &twice);
    assert_eq!(found, Err(VerifyError::RepeatedSigner { signer: 0 }));
    // The largest quorum there is costs no more than the signature's own proofs.
    encoded.splice(3..4, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0]);
    let manifest = Manifest::from_slice(&encoded).expect("decodes");
    let found = manifest.verify(&manifest.key(), &tree(10), &twice);
    assert!(matches!(found, Err(VerifyError::TooFew { found: 2, .. })), "{found:?}");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), version in 0_u8..=3, patch: bool) {
        let signers = [1, 2, 3].map(|number| ManifestSigner::new(pair(number).public()));
        let mut builder = Manifest::builder().version(version).signers(signers);
        if patch {
            builder = builder.allow_patch();
        }
        let manifest = builder.build().expect("valid");
        prop_assert!(manifest.verify(&manifest.key(), &tree(10), &bytes).is_err());
        let _ = MultiSignature::decode(&mut Decoder::new(&bytes));
        let _ = MultiSignature::decode_v0(&mut Decoder::new(&bytes));
    }
}
