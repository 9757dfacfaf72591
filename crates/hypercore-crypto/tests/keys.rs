//! Key pairs and signature verification: what libsodium accepts is accepted, what it refuses is
//! refused, and secrets stay out of sight.

mod common;

use common::{array, bytes, each, hex, text, yes};
use hypercore_crypto::{
    CORESTORE_DEFAULT_NAMESPACE, KeyPair, KeyPairMismatch, Manifest, ManifestSigner, PrimaryKey,
    PublicKey, corestore_namespace, verify,
};

#[test]
fn pairs_from_seeds_and_their_consistency() {
    each(&common::crypto(), "key_pairs", |case| {
        let public = PublicKey::from_bytes(array(case, "public_key"));
        let secret = array(case, "secret_key");
        let pair = KeyPair::from_parts(&public, &secret);
        assert_eq!(pair.is_ok(), yes(case, "valid"), "{case}");
        if let Ok(pair) = pair {
            assert_eq!(*pair.secret_bytes(), secret);
            let derived = KeyPair::from_seed(&array(case, "seed"));
            assert_eq!(derived.public(), public);
            assert_eq!(*derived.secret_bytes(), secret);
        }
    });
}

/// Such a key would sign with a public key that is not its own, which leaks it.
#[test]
fn a_secret_key_of_two_halves_is_refused() {
    let mut secret = *KeyPair::from_seed(&[1; 32]).secret_bytes();
    secret[32..].copy_from_slice(KeyPair::from_seed(&[2; 32]).public().as_bytes());
    assert_eq!(KeyPair::from_secret_bytes(&secret).err(), Some(KeyPairMismatch));
}

#[test]
fn signatures_verify_exactly_as_in_libsodium() {
    let mut valid = 0;
    each(&common::crypto(), "signatures", |case| {
        let found = PublicKey::try_from(bytes(case, "public_key").as_slice())
            .is_ok_and(|key| verify(&key, &bytes(case, "message"), &bytes(case, "signature")));
        assert_eq!(found, yes(case, "valid"), "{}", text(case, "note"));
        valid += usize::from(found);
    });
    assert!(valid > 5);
}

#[test]
fn every_bit_of_a_signature_counts() {
    let pair = KeyPair::from_seed(&[3; 32]);
    let signature = pair.sign(b"message");
    assert!(verify(&pair.public(), b"message", signature.as_bytes()));
    for bit in 0..512 {
        let mut bent = *signature.as_bytes();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(!verify(&pair.public(), b"message", &bent), "bit {bit}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let seed = [0xa5; 32];
    let pair = KeyPair::from_seed(&seed);
    let primary = PrimaryKey::from_bytes(&seed);
    let block = hypercore_crypto::BlockKey::from_bytes(&seed);
    let shown = format!("{pair:?} {pair:#?} {primary:?} {block:?}").to_lowercase();
    assert!(shown.contains(&pair.public().to_string()));
    for secret in [hex(seed), "165".to_owned(), "a5a5".to_owned()] {
        assert!(!shown.contains(&secret), "{shown}");
    }
}

#[test]
fn corestore_key_pairs() {
    each(&common::crypto(), "corestore", |store| {
        let primary = PrimaryKey::from_bytes(&array(store, "primary_key"));
        each(store, "key_pairs", |case| {
            let path = case["namespace_path"].as_array().expect("a path");
            let namespace = path.iter().fold(CORESTORE_DEFAULT_NAMESPACE, |parent, name| {
                corestore_namespace(&parent, name.as_str().expect("text").as_bytes())
            });
            assert_eq!(namespace.to_string(), text(case, "namespace"));
            let pair = primary.key_pair(&namespace, text(case, "name").as_bytes());
            assert_eq!(*pair.secret_bytes(), array(case, "secret_key"));
            assert_eq!(pair.public().to_string(), text(case, "public_key"));
            assert_eq!(pair.public().to_string(), text(case, "key_compat"));

            let signer = ManifestSigner::new(pair.public());
            let version_0 = Manifest::builder().version(0).signer(signer).build().expect("valid");
            assert_eq!(version_0.key().to_string(), text(case, "key_manifest_v0"));
            let version_1 = Manifest::single(pair.public());
            assert_eq!(version_1.key().to_string(), text(case, "key_manifest_v1"));
        });
    });
}
