//! Every value and error of the vectors recorded from `compact-encoding` 3.5.2.
//!
//! `index_encoder` is another encoding, the keys of a version 11 store, which no crate here reads.

mod codecs;

use std::collections::BTreeSet;

use codecs::{decode, encode, unhex};
use compact_encoding::{Decoder, Encoder};
use serde::Deserialize;
use serde_json::Value;

const VECTORS: &str = include_str!("fixtures/compact_encoding.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    generated_by: String,
    about: String,
    values: Vec<Case>,
    errors: Vec<ErrorCase>,
    index_encoder: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    codec: String,
    value: Value,
    hex: Option<String>,
    prefix_hex: Option<String>,
    byte_length: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorCase {
    codec: String,
    hex: String,
    fails: bool,
    note: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

#[test]
fn vectors_are_the_recorded_ones() {
    let vectors = vectors();
    assert_eq!(vectors.generated_by, "compact-encoding@3.5.2, index-encoder@3.5.0");
    assert!(vectors.about.contains("value -> bytes, bytes -> value"));
    let counts = [vectors.values.len(), vectors.errors.len(), vectors.index_encoder.len()];
    assert_eq!(counts, [705, 18, 61]);
    let codecs: BTreeSet<_> = vectors.values.iter().map(|case| &case.codec).collect();
    assert_eq!(codecs.len(), 45);
}

#[test]
fn values_become_the_recorded_bytes_and_return() {
    for case in vectors().values {
        let Case { codec, value, .. } = case;
        let mut out = Encoder::new();
        encode(&codec, &value, &mut out);
        let bytes = out.into_vec();
        match (case.hex, case.prefix_hex, case.byte_length) {
            (Some(hex), None, None) => assert_eq!(bytes, unhex(&hex), "{codec} {value}"),
            (None, Some(prefix), Some(len)) => {
                assert!(bytes.starts_with(&unhex(&prefix)), "{codec} {value}");
                assert_eq!(bytes.len(), len, "{codec} {value}");
            }
            _ => panic!("{codec} {value}: neither bytes nor their prefix and length"),
        }
        let mut input = Decoder::new(&bytes);
        let decoded = decode(&codec, &mut input).unwrap();
        let expected = match value.get("repeat_byte") {
            Some(byte) => {
                let digits = format!("{:02x}", byte.as_u64().unwrap());
                let len = value["length"].as_u64().unwrap() as usize;
                serde_json::json!({ "hex": digits.repeat(len) })
            }
            None => value,
        };
        assert_eq!(decoded, expected, "{codec}");
        assert_eq!(input.finish(), Ok(()), "{codec}");
    }
}

#[test]
fn bytes_are_refused_where_javascript_refuses_them() {
    for case in vectors().errors {
        let bytes = unhex(&case.hex);
        let result = decode(&case.codec, &mut Decoder::new(&bytes));
        assert_eq!(result.is_err(), case.fails, "{}: {}", case.codec, case.note);
        if let Err(error) = result {
            assert!(error.offset <= bytes.len());
        }
    }
}
