//! The recorded vectors in `tests/fixtures`, and what they are made of.
#![allow(dead_code, reason = "each test file uses its own part")]

use serde_json::Value;

pub(crate) fn vectors(name: &str) -> Value {
    let text = match name {
        "encryption" => include_str!("../fixtures/encryption.json"),
        "manifest" => include_str!("../fixtures/manifest.json"),
        other => panic!("there are no vectors called {other}"),
    };
    serde_json::from_str(text).expect("a fixture is JSON")
}

/// The elements of the list `name`, of which there must be some.
pub(crate) fn each<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let list = value[name].as_array().unwrap_or_else(|| panic!("{name} is a list"));
    assert!(!list.is_empty(), "{name} is empty");
    list.iter()
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

/// The byte strings in the list `name`.
pub(crate) fn list(value: &Value, name: &str) -> Vec<Vec<u8>> {
    each(value, name).map(|element| unhex(element.as_str().expect("hex"))).collect()
}

pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("hex");
    digits.as_bytes().chunks(2).map(byte).collect()
}
