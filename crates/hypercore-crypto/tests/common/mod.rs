//! What the tests share: the recorded vectors, hexadecimal, and a slow tree.
#![allow(dead_code, reason = "every test binary uses another part of this module")]

pub(crate) mod tree;

use hypercore_crypto::Hash;
use serde_json::Value;

pub(crate) fn crypto() -> Value {
    parse(include_str!("../fixtures/crypto.json"))
}

pub(crate) fn manifest() -> Value {
    parse(include_str!("../fixtures/manifest.json"))
}

pub(crate) fn encryption() -> Value {
    parse(include_str!("../fixtures/encryption.json"))
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("a fixture is JSON")
}

/// Runs `check` for every element of the list `name`, of which there must be some.
pub(crate) fn each(vectors: &Value, name: &str, mut check: impl FnMut(&Value)) {
    let list = vectors[name].as_array().unwrap_or_else(|| panic!("{name} is a list"));
    assert!(!list.is_empty(), "{name} is empty");
    list.iter().for_each(&mut check);
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is text in {value}"))
}

pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} is a number in {value}"))
}

pub(crate) fn yes(value: &Value, name: &str) -> bool {
    value[name].as_bool().unwrap_or_else(|| panic!("{name} is true or false in {value}"))
}

/// The bytes of a field that holds hexadecimal.
pub(crate) fn bytes(value: &Value, name: &str) -> Vec<u8> {
    unhex(text(value, name))
}

pub(crate) fn array<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    bytes(value, name).try_into().unwrap_or_else(|_| panic!("{name} has {N} bytes in {value}"))
}

pub(crate) fn hash(value: &Value, name: &str) -> Hash {
    Hash::from_bytes(array(value, name))
}

pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "odd number of digits in {digits}");
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
