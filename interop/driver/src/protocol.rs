//! What both programs speak: commands and answers of one JSON object a line.

use serde_json::{Value, json};

use crate::content;

/// Why a command was not carried out.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// The line that answers a command.
pub(crate) fn answer(result: Result<Value, Failure>) -> Value {
    match result {
        Ok(mut answer) => {
            if let Some(fields) = answer.as_object_mut() {
                fields.insert("ok".to_owned(), true.into());
            }
            answer
        }
        Err(error) => json!({ "ok": false, "error": chain(&*error) }),
    }
}

/// An error with its sources, as one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text.push_str(": ");
        text.push_str(&next.to_string());
        source = next.source();
    }
    text
}

/// The generated blocks of `"blocks":[[seed,len],...]`.
pub(crate) fn blocks(command: &Value) -> Result<Vec<Vec<u8>>, Failure> {
    let specs = command["blocks"].as_array().ok_or("`blocks` is not an array")?;
    let block = |spec: &Value| {
        let seed = spec.get(0).and_then(Value::as_u64).and_then(|seed| u32::try_from(seed).ok());
        let len = spec.get(1).and_then(Value::as_u64).and_then(|len| usize::try_from(len).ok());
        Some(content::block(seed?, len?))
    };
    specs
        .iter()
        .map(|spec| block(spec).ok_or_else(|| "a block is not [seed, len]".into()))
        .collect()
}

/// 32 bytes written in hex.
pub(crate) fn bytes(hex: &str) -> Result<[u8; 32], Failure> {
    unhex(hex)?.try_into().map_err(|_| "not 32 bytes".into())
}

/// Bytes written in hex.
pub(crate) fn unhex(hex: &str) -> Result<Vec<u8>, Failure> {
    let digits =
        |pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(digits).collect();
    Ok(bytes.ok_or("not hex")?)
}

/// A field that is a string.
pub(crate) fn text<'a>(command: &'a Value, name: &str) -> Result<&'a str, Failure> {
    command[name].as_str().ok_or_else(|| format!("`{name}` is not a string").into())
}

/// A field that is a number.
pub(crate) fn number(command: &Value, name: &str) -> Result<u64, Failure> {
    command[name].as_u64().ok_or_else(|| format!("`{name}` is not a number").into())
}
