//! The format page tells the truth: its examples encode and decode as written, what it says is
//! refused is refused, and its limits are those of the code.

mod codecs;

use codecs::{decode, encode, unhex};
use compact_encoding::{
    ANY_DEPTH_MAX, ARRAY_LEN_MAX, Decoder, Encoder, INT_MAX, INT_MIN, UINT_MAX,
};

/// The page.
const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/compact-encoding.md"));

/// A line of an example: bytes, the name of a codec, and a remark about the value.
struct Line {
    bytes: Vec<u8>,
    codec: String,
    value: String,
}

/// The fenced blocks with this tag.
fn blocks(tag: &str) -> Vec<Vec<Line>> {
    let fence = format!("```{tag}\n");
    let blocks = PAGE.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.lines().map(line).collect()).collect()
}

fn line(text: &str) -> Line {
    let is_byte = |word: &&str| word.len() == 2 && word.bytes().all(|c| c.is_ascii_hexdigit());
    let words: Vec<&str> = text.split_whitespace().collect();
    let count = words.iter().take_while(|word| is_byte(word)).count();
    Line {
        bytes: unhex(&words[..count].concat()),
        codec: words[count].to_owned(),
        value: words[count + 1..].join(" "),
    }
}

#[test]
fn examples_encode_and_decode_as_written() {
    let blocks = blocks("hex example");
    assert!(blocks.len() >= 2);
    for block in blocks {
        // Each block is one stretch of bytes, read from its start to its end.
        let all: Vec<u8> = block.iter().flat_map(|line| line.bytes.clone()).collect();
        let mut input = Decoder::new(&all);
        for line in block {
            let value = serde_json::from_str(&line.value).unwrap();
            assert_eq!(decode(&line.codec, &mut input).unwrap(), value, "{}", line.codec);
            let mut out = Encoder::new();
            encode(&line.codec, &value, &mut out);
            assert_eq!(out.as_slice(), line.bytes, "{} {}", line.codec, line.value);
        }
        assert_eq!(input.finish(), Ok(()));
    }
}

#[test]
fn longer_forms_are_accepted() {
    for line in blocks("hex accepted").into_iter().flatten() {
        let value: serde_json::Value = serde_json::from_str(&line.value).unwrap();
        assert_eq!(decode(&line.codec, &mut Decoder::new(&line.bytes)).unwrap(), value);
    }
}

#[test]
fn refused_bytes_are_refused_for_the_stated_reason() {
    let lines: Vec<Line> = blocks("hex refused").into_iter().flatten().collect();
    assert!(lines.len() >= 5);
    for line in lines {
        let error = decode(&line.codec, &mut Decoder::new(&line.bytes)).unwrap_err();
        let kind = format!("{:?}", error.kind);
        assert_eq!(kind, line.value, "{} {:02x?}", line.codec, line.bytes);
    }
}

#[test]
fn limits_are_those_of_the_code() {
    for (name, value) in [
        ("UINT_MAX", UINT_MAX.to_string()),
        ("INT_MIN", INT_MIN.to_string()),
        ("INT_MAX", INT_MAX.to_string()),
        ("ARRAY_LEN_MAX", ARRAY_LEN_MAX.to_string()),
        ("ANY_DEPTH_MAX", ANY_DEPTH_MAX.to_string()),
    ] {
        assert!(PAGE.contains(&format!("| `{name}` | {value} |")), "{name} = {value}");
    }
}
