//! Manifests: every recorded one both ways, what must not decode, what must not be made.

mod common;

use common::{array, bytes, each, hash, number, text, yes};
use compact_encoding::{Decode, DecodeErrorKind, Decoder, Encode};
use hypercore_crypto::{
    CoreKey, Hash, KeyPair, Manifest, ManifestError, ManifestSigner, Namespace, Prologue,
    PublicKey, discovery_key,
};
use proptest::prelude::*;
use serde_json::Value;

fn decode(encoded: &[u8]) -> Option<Manifest> {
    Manifest::decode(&mut Decoder::new(encoded)).ok()
}

fn signer(fields: &Value) -> ManifestSigner {
    assert_eq!(text(fields, "signature"), "ed25519");
    ManifestSigner::with_namespace(
        PublicKey::from_bytes(array(fields, "public_key")),
        Namespace::from_bytes(array(fields, "namespace")),
    )
}

/// The manifest with these fields, through the builder.
fn from_fields(fields: &Value) -> Manifest {
    assert_eq!(text(fields, "hash"), "blake2b");
    let mut builder = Manifest::builder()
        .version(number(fields, "version") as u8)
        .quorum(number(fields, "quorum"))
        .signers(fields["signers"].as_array().expect("signers").iter().map(signer));
    if yes(fields, "allow_patch") {
        builder = builder.allow_patch();
    }
    if let prologue @ Value::Object(_) = &fields["prologue"] {
        let (hash, length) = (hash(prologue, "hash"), number(prologue, "length"));
        builder = builder.prologue(Prologue { hash, length });
    }
    if let Value::Array(linked) = &fields["linked"] {
        let keys = linked.iter().map(|key| common::unhex(key.as_str().expect("hex")));
        builder = builder.linked(keys.map(|key| CoreKey::try_from(key.as_slice()).expect("32")));
    }
    if let Value::String(user_data) = &fields["user_data"] {
        builder = builder.user_data(common::unhex(user_data));
    }
    builder.build().expect("recorded manifests can be made")
}

#[test]
fn recorded_manifests_both_ways() {
    each(&common::manifest(), "manifests", |case| {
        let note = text(case, "note");
        let made = from_fields(&case["manifest"]);
        let encoded = bytes(case, "encoded");
        assert_eq!(made.to_vec(), encoded, "{note}");
        assert_eq!(made.encoded_len(), encoded.len(), "{note}");
        assert_eq!(decode(&encoded).as_ref(), Some(&made), "{note}");
        assert_eq!(made.key().to_string(), text(case, "key"), "{note}");
        assert_eq!(discovery_key(&made.key()).to_string(), text(case, "discovery_key"), "{note}");
        assert_eq!(made.is_compat(&made.key()), yes(case, "is_compat_for_own_key"), "{note}");
        let signers_key = made.signers().first();
        let signers_key = signers_key.map(|s| CoreKey::from_bytes(*s.public_key.as_bytes()));
        let compat = signers_key.is_some_and(|key| made.is_compat(&key));
        assert_eq!(compat, yes(case, "is_compat_for_signer_key"), "{note}");
    });
}

#[test]
fn bytes_that_decode_and_bytes_that_do_not() {
    each(&common::manifest(), "decode", |case| {
        let found = decode(&bytes(case, "encoded"));
        assert_eq!(found.is_some(), yes(case, "decodes"), "{}", text(case, "note"));
        if let Some(found) = found {
            assert_eq!(found, from_fields(&case["manifest"]), "{}", text(case, "note"));
        }
    });
}

#[test]
fn a_decode_error_says_what_is_wrong_and_where() {
    fn check(encoded: &[u8], offset: usize, kind: DecodeErrorKind) {
        let error = Manifest::decode(&mut Decoder::new(encoded)).expect_err("must not decode");
        assert_eq!((error.offset, error.kind), (offset, kind));
    }
    check(&[], 0, DecodeErrorKind::UnexpectedEnd);
    check(&[4], 0, DecodeErrorKind::Invalid("manifest version"));
    check(&[0xfd, 1, 1, 0], 0, DecodeErrorKind::Invalid("manifest version"));
    check(&[1, 0, 7], 2, DecodeErrorKind::Invalid("hash of a manifest"));
    check(&[0, 0, 3], 2, DecodeErrorKind::Invalid("kind of version 0 manifest"));
    check(&[1, 0, 0, 1, 5], 4, DecodeErrorKind::UnexpectedEnd);
    let mut other_algorithm = Manifest::single(PublicKey::from_bytes([1; 32])).to_vec();
    other_algorithm[5] = 1;
    check(&other_algorithm, 5, DecodeErrorKind::Invalid("signature algorithm of a signer"));
    // A billion signers in nine bytes: refused at the count, before anything is allocated.
    check(&[1, 0, 0, 1, 0xfe, 0, 0, 0, 0x40], 4, DecodeErrorKind::TooManyElements);
}

fn key(number: u8) -> ManifestSigner {
    ManifestSigner::new(KeyPair::from_seed(&[number; 32]).public())
}

/// The recorded create errors that the types do not already make impossible.
#[test]
fn what_must_not_be_made() {
    let notes: Vec<_> = {
        let vectors = common::manifest();
        let cases = vectors["create_errors"].as_array().expect("a list").clone();
        cases.iter().map(|case| text(case, "note").to_owned()).collect()
    };
    for note in &notes {
        let builder = Manifest::builder().signer(key(1));
        let error = match note.as_str() {
            "quorum above the number of signers" => builder.quorum(2).build().err(),
            "user data in version 1" => builder.version(1).user_data([1]).build().err(),
            "linked in version 1" => {
                builder.version(1).linked([CoreKey::from_bytes([1; 32])]).build().err()
            }
            "prologue hash of 31 bytes" => {
                assert!(Hash::try_from([0; 31].as_slice()).is_err());
                continue;
            }
            "linked key of 31 bytes" => {
                assert!(CoreKey::try_from([0; 31].as_slice()).is_err());
                continue;
            }
            // A quorum is unsigned; a signer has a key and no choice of algorithm, a manifest none
            // of hash, and a prologue has a length.
            "negative quorum"
            | "signer without a public key"
            | "unknown signature"
            | "unknown hash"
            | "prologue without a length" => continue,
            other => panic!("unknown case {other}"),
        };
        assert!(error.is_some(), "{note}");
    }
}

#[test]
fn fields_left_alone_are_filled_in() {
    let build = |signers: u8| {
        let signers = (0..signers).map(key);
        Manifest::builder().signers(signers).build().expect("valid")
    };
    for (signers, quorum) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
        assert_eq!(build(signers).quorum(), quorum);
        assert_eq!(build(signers).version(), 1);
    }
    assert_eq!(build(1), Manifest::single(key(0).public_key));
    let linked = Manifest::builder().linked([CoreKey::from_bytes([1; 32])]).build();
    assert_eq!(linked.map(|manifest| manifest.version()), Ok(2));
    let user_data = Manifest::builder().user_data([]).build().expect("valid");
    assert_eq!((user_data.version(), user_data.user_data()), (2, Some(&[][..])));
    let none = Manifest::builder().linked([]).build().expect("valid");
    assert_eq!((none.version(), none.linked()), (1, None));
}

#[test]
fn other_versions_and_what_version_0_cannot_hold_are_refused() {
    let builder = Manifest::builder;
    assert_eq!(builder().version(4).build(), Err(ManifestError::UnknownVersion { version: 4 }));
    let prologue = |length| Prologue { hash: Hash::from_bytes([1; 32]), length };
    for lossy in [
        builder().signer(key(1)).prologue(prologue(0)),
        builder().prologue(prologue(1)),
        builder().prologue(prologue(0)).allow_patch(),
    ] {
        assert_eq!(lossy.version(0).build(), Err(ManifestError::PrologueInVersion0));
    }
    let long = builder().prologue(prologue(1 << 53)).build();
    assert!(matches!(long, Err(ManifestError::TooMany { .. })));
}

fn manifests() -> impl Strategy<Value = Manifest> {
    let signers = prop::collection::vec(any::<([u8; 32], [u8; 32])>(), 0..4);
    let prologue = prop::option::of((any::<[u8; 32]>(), 0_u64..1 << 53));
    let linked = prop::collection::vec(any::<[u8; 32]>(), 0..3);
    let user_data = prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    (0_u8..=3, any::<bool>(), signers, prologue, linked, user_data).prop_filter_map(
        "fields that fit the version",
        |(version, patch, signers, prologue, linked, user_data)| {
            let mut builder = Manifest::builder().version(version).signers(signers.iter().map(
                |(key, namespace)| {
                    ManifestSigner::with_namespace(
                        PublicKey::from_bytes(*key),
                        Namespace::from_bytes(*namespace),
                    )
                },
            ));
            if patch {
                builder = builder.allow_patch();
            }
            if let Some((hash, length)) = prologue {
                builder = builder.prologue(Prologue { hash: Hash::from_bytes(hash), length });
            }
            if version >= 2 {
                builder = builder.linked(linked.into_iter().map(CoreKey::from_bytes));
                builder = user_data.into_iter().fold(builder, |b, data| b.user_data(data));
            }
            builder.build().ok()
        },
    )
}

proptest! {
    #[test]
    fn what_is_made_comes_back(manifest in manifests()) {
        let encoded = manifest.to_vec();
        prop_assert_eq!(encoded.len(), manifest.encoded_len());
        prop_assert_eq!(Manifest::from_slice(&encoded), Ok(manifest));
    }

    #[test]
    fn no_bytes_panic(manifest in manifests(), bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), cut: prop::sample::Index) {
        let mut bytes = manifest.to_vec();
        for (at, value) in bends {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Some(found) = decode(&bytes) {
            prop_assert_eq!(decode(&found.to_vec()), Some(found));
        }
    }
}
