//! What serde reads and writes: for people, for programs, and what it refuses.
#![cfg(feature = "serde")]

mod common;

use common::{bytes, each, text};
use compact_encoding::{Decode as _, Encode as _};
use hypercore_crypto::{
    CoreKey, DiscoveryKey, Hash, HexBytes, Manifest, Namespace, PartialSignature, PublicKey,
    Signature, SignatureNode,
};
use serde_json::{Value, from_value, json, to_value};
use serde_test::{Configure as _, Token, assert_de_tokens_error, assert_tokens};

#[test]
fn keys_are_hex_digits_for_people_and_bytes_for_programs() {
    let digits = "07".repeat(32);
    let digits: &'static str = digits.leak();
    macro_rules! check {
        ($($name:ident),*) => {$(
            let value = $name::from_bytes([7; 32]);
            assert_tokens(&value.readable(), &[Token::Str(digits)]);
            assert_tokens(&value.compact(), &[Token::Bytes(&[7; 32])]);
            assert!(from_value::<$name>(json!(&digits[2..])).is_err());
            assert!(from_value::<$name>(json!(format!("{digits}07"))).is_err());
            assert!(from_value::<$name>(json!(7)).is_err());
        )*};
    }
    check!(CoreKey, DiscoveryKey, Hash, Namespace, PublicKey);
    let signature = Signature::from_bytes([7; 64]);
    assert_tokens(&signature.compact(), &[Token::Bytes(&[7; 64])]);
    assert_eq!(to_value(signature).unwrap(), json!("07".repeat(64)));
}

#[test]
fn digits_of_either_case_are_read_and_nothing_else() {
    assert_eq!(from_value::<HexBytes>(json!("0aBcfF")).unwrap().0, [0x0a, 0xbc, 0xff]);
    assert_eq!(from_value::<HexBytes>(json!("")).unwrap(), HexBytes::default());
    for wrong in
        [json!("0"), json!("0g"), json!("\u{e9}a"), json!("+1"), json!([1, 2]), json!(null)]
    {
        assert!(from_value::<HexBytes>(wrong.clone()).is_err(), "{wrong}");
    }
    // Formats without a type for bytes write lists.
    let list = [Token::Seq { len: Some(2) }, Token::U8(1), Token::U8(2), Token::SeqEnd];
    serde_test::assert_de_tokens(&HexBytes(vec![1, 2]).compact(), &list);
    // A length that is a lie allocates nothing.
    let lie = [Token::Seq { len: Some(usize::MAX) }, Token::SeqEnd];
    serde_test::assert_de_tokens(&HexBytes(Vec::new()).compact(), &lie);
    assert_de_tokens_error::<serde_test::Compact<CoreKey>>(
        &[Token::Bytes(&[1; 31])],
        "expected 32 bytes, found 31",
    );
}

#[test]
fn recorded_manifests_keep_their_key() {
    let vectors = common::manifest();
    let mut seen = 0;
    for list in ["manifests", "decode"] {
        each(&vectors, list, |case| {
            let Some(encoding) = case["encoding"].as_str().or_else(|| case["encoded"].as_str())
            else {
                return;
            };
            let Ok(manifest) = Manifest::from_slice(&common::unhex(encoding)) else { return };
            let form = to_value(&manifest).unwrap();
            let again: Manifest =
                from_value(form.clone()).unwrap_or_else(|error| panic!("{form} {error}"));
            assert_eq!((&again, again.key()), (&manifest, manifest.key()));
            let bytes: &'static [u8] = manifest.to_vec().leak();
            assert_tokens(&manifest.compact(), &[Token::Bytes(bytes)]);
            seen += 1;
        });
    }
    assert!(seen > 8, "{seen}");
    each(&vectors, "patched_signatures", |case| {
        let manifest = Manifest::from_slice(&bytes(case, "manifest")).unwrap();
        assert_eq!(
            from_value::<Manifest>(to_value(&manifest).unwrap()).unwrap().key().to_string(),
            text(case, "key")
        );
    });
}

#[test]
fn a_manifest_reads_like_one() {
    let key = "05".repeat(32);
    let form = json!({
        "version": 2,
        "allow_patch": true,
        "quorum": 1,
        "signers": [{ "namespace": "01".repeat(32), "public_key": key }],
        "prologue": { "hash": "02".repeat(32), "length": 3 },
        "linked": ["03".repeat(32)],
        "user_data": "0405",
    });
    let manifest: Manifest = from_value(form.clone()).unwrap();
    assert_eq!(manifest.signers()[0].public_key, PublicKey::from_bytes([5; 32]));
    assert_eq!((manifest.version(), manifest.user_data()), (2, Some(&[4, 5][..])));
    assert_eq!(to_value(&manifest).unwrap(), form);
    let wrong: [fn(&mut Value); 8] = [
        |form| form["version"] = json!(4),
        |form| form["version"] = json!(0),
        |form| form["quorum"] = json!(-1),
        |form| form["quorum"] = json!(1_u64 << 53),
        |form| form["prologue"]["length"] = json!(1_u64 << 53),
        |form| form["signers"][0]["public_key"] = json!("05"),
        |form| form["other"] = json!(1),
        |form| drop(form.as_object_mut().unwrap().remove("signers")),
    ];
    for (number, spoil) in wrong.iter().enumerate() {
        let mut form = form.clone();
        spoil(&mut form);
        assert!(from_value::<Manifest>(form).is_err(), "{number}");
    }
}

#[test]
fn a_partial_signature_travels_as_json() {
    let node = SignatureNode { index: 9, size: 5, hash: Hash::from_bytes([1; 32]) };
    let part = PartialSignature {
        signer: 2,
        signature: Signature::from_bytes([3; 64]),
        length: 6,
        nodes: vec![node],
    };
    let mut form = to_value(&part).unwrap();
    assert_eq!(from_value::<PartialSignature>(form.clone()).unwrap(), part);
    assert_eq!(form["nodes"][0]["index"], json!(9));
    form["length"] = json!(1_u64 << 53);
    assert!(from_value::<PartialSignature>(form).is_err());
}
