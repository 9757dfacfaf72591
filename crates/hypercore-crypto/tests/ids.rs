//! Ids: written as JavaScript writes them, read as it reads them, and refused with the place; and other values as text.

mod common;

use common::{array, each, hex, text};
use hypercore_crypto::id::{self, IdError};
use hypercore_crypto::{CoreKey, Hash, HexError, PublicKey, Signature};
use proptest::prelude::*;

#[test]
fn recorded_ids_both_ways() {
    each(&common::crypto(), "ids", |case| {
        let key = array(case, "key");
        assert_eq!(id::encode(&key), text(case, "id"));
        assert_eq!(id::decode(text(case, "id")), Ok(key));
        assert_eq!(text(case, "normalized_hex"), id::encode(&key));
        let key = CoreKey::from_bytes(key);
        assert_eq!(key.to_id(), text(case, "id"));
        assert_eq!(key.to_id().parse(), Ok(key));
        assert_eq!(key.to_string().parse(), Ok(key));
    });
}

#[test]
fn recorded_texts_are_read_or_refused() {
    each(&common::crypto(), "id_decode", |case| {
        let found = id::decode(text(case, "input")).ok().map(hex);
        assert_eq!(found.as_deref(), case["key"].as_str(), "{}", text(case, "note"));
    });
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    fn check(text: &str, expected: IdError) {
        assert_eq!(id::decode(text), Err(expected), "{text}");
    }
    let id = id::encode(&[9; 32]);
    check("", IdError::Length { found: 0 });
    check("pear://", IdError::Length { found: 0 });
    check(&id[1..], IdError::Length { found: 51 });
    check(&format!("{id}/path"), IdError::Length { found: 57 });
    let bent = format!("{}l{}", &id[..9], &id[10..]);
    check(&bent, IdError::Letter { position: 9, found: 'l' });
    check(&format!("pear://{bent}/x"), IdError::Letter { position: 16, found: 'l' });
    check(&id.to_uppercase(), IdError::Letter { position: 0, found: 'B' });
    let digits = hex([9; 32]);
    check(&format!("{}g", &digits[1..]), IdError::Digit { position: 63, found: 'g' });
    // Two bytes that are one character: the length fits, the letter does not.
    check(&format!("\u{e9}{}", &id[2..]), IdError::Letter { position: 0, found: '\u{e9}' });
}

#[test]
fn public_values_are_read_from_what_they_are_shown_as() {
    let key = PublicKey::from_bytes(std::array::from_fn(|at| at as u8 * 8));
    assert_eq!(key.to_string().parse(), Ok(key));
    assert_eq!(key.to_string().to_uppercase().parse(), Ok(key));
    let signature = Signature::from_bytes([0xfe; 64]);
    assert_eq!(signature.to_string().parse(), Ok(signature));

    fn check(text: &str, expected: HexError) {
        assert_eq!(text.parse::<Hash>(), Err(expected), "{text}");
    }
    let digits = hex([9; 32]);
    check("", HexError::Length { expected: 64, found: 0 });
    check(&digits[1..], HexError::Length { expected: 64, found: 63 });
    check(&format!("{digits}\n"), HexError::Length { expected: 64, found: 65 });
    check(&format!("{}+", &digits[1..]), HexError::Digit { position: 63, found: '+' });
    // Fewer characters than bytes.
    check(&format!("{}\u{e9}", &digits[2..]), HexError::Digit { position: 62, found: '\u{e9}' });
}

proptest! {
    #[test]
    fn every_key_comes_back(key: [u8; 32]) {
        prop_assert_eq!(id::decode(&id::encode(&key)), Ok(key));
        prop_assert_eq!(id::decode(&hex(key)), Ok(key));
        prop_assert_eq!(id::decode(&hex(key).to_uppercase()), Ok(key));
    }

    #[test]
    fn no_text_panics(text in "(pear://)?[ybndrfg8ejkmcpqxot1uwisza345h769\u{e9}/A-F]{0,70}") {
        let _ = id::decode(&text);
    }
}
