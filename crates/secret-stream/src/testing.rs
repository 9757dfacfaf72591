//! What the unit tests share: hex, and the recorded vectors.

use serde_json::Value;

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    let digits = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}

pub(crate) fn unhex_array<const LEN: usize>(text: &str) -> [u8; LEN] {
    unhex(text).try_into().unwrap()
}

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// The list called `name` in a file of vectors.
pub(crate) fn vectors(file: &str, name: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    file[name].as_array().unwrap().clone()
}
