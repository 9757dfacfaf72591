//! Every codec by its name, between bytes and the JSON form in which the vectors and the format
//! page write values. Shared by the tests that read those.

use std::fmt::Write as _;
use std::net::SocketAddrV4;

use compact_encoding::{Any, DecodeError, DecodeErrorKind, Decoder, Encoder};
use serde_json::{Map, Value, json};

/// Writes `value` with `codec`.
pub(crate) fn encode(codec: &str, value: &Value, out: &mut Encoder) {
    let uint = || value.as_u64().unwrap();
    let int = || value.as_i64().unwrap();
    let text = || value.as_str().unwrap();
    match codec {
        "none" => assert!(value.is_null()),
        "uint" => out.uint(uint()),
        "uint8" => out.uint8(uint().try_into().unwrap()),
        "uint16" | "port" => out.uint16(uint().try_into().unwrap()),
        "uint24" => out.uint24(uint().try_into().unwrap()).unwrap(),
        "uint32" => out.uint32(uint().try_into().unwrap()),
        "uint40" => out.uint40(uint()).unwrap(),
        "uint48" => out.uint48(uint()).unwrap(),
        "uint56" => out.uint56(uint()).unwrap(),
        "uint64" => out.uint64(uint()),
        "uint32be" => out.uint32_be(uint().try_into().unwrap()),
        "uint64be" => out.uint64_be(uint()),
        "int" => out.int(int()),
        "int8" => out.int8(int().try_into().unwrap()),
        "int16" => out.int16(int().try_into().unwrap()),
        "int24" => out.int24(int().try_into().unwrap()).unwrap(),
        "int32" => out.int32(int().try_into().unwrap()),
        "int40" => out.int40(int()).unwrap(),
        "int48" => out.int48(int()).unwrap(),
        "int56" => out.int56(int()).unwrap(),
        "int64" => out.int64(int()),
        "lexint" => out.lexint(uint().try_into().unwrap()),
        "float32" => out.float32(number(value) as f32),
        "float64" => out.float64(number(value)),
        "bool" => out.bool(value.as_bool().unwrap()),
        "raw" => out.raw(&bytes(value)),
        "fixed32" | "fixed64" => out.fixed(&bytes(value)),
        "buffer" => out.buffer(&bytes(value)),
        "optional_buffer" => {
            out.optional_buffer((!value.is_null()).then(|| bytes(value)).as_deref());
        }
        "hex" => out.buffer(&unhex(text())),
        "base64" => out.buffer(&unbase64(text())),
        "string" | "ascii" => out.string(text()),
        "json" => out.string(&value.to_string()),
        "date" => out.date(value["date_ms"].as_i64().unwrap()),
        "bitarray" => {
            let bits: Vec<bool> = list(value).iter().map(|bit| bit.as_bool().unwrap()).collect();
            out.bitarray(&bits);
        }
        "uint32array" => {
            let words = list(&value["uint32"]);
            let words: Vec<u32> = words.iter().map(|w| w.as_u64().unwrap() as u32).collect();
            out.uint32array(&words);
        }
        "ipv4" => out.ipv4(text().parse().unwrap()),
        "ipv6" => out.ipv6(text().parse().unwrap()),
        "ipv4_address" => {
            assert_eq!(value["family"], 4);
            let port = value["port"].as_u64().unwrap().try_into().unwrap();
            let host = value["host"].as_str().unwrap().parse().unwrap();
            out.ipv4_address(SocketAddrV4::new(host, port));
        }
        "any" => {
            let mut arena = Vec::new();
            buffers(value, &mut arena);
            out.any(&to_any(value, &mut arena.iter())).unwrap();
        }
        "string_record" => {
            let entries: Vec<_> = value.as_object().unwrap().iter().collect();
            out.array(&entries, |out, (key, value)| {
                out.string(key);
                out.string(value.as_str().unwrap());
            });
        }
        _ => match codec.split_once('_') {
            Some(("array", of)) => out.array(list(value), |out, element| encode(of, element, out)),
            Some(("frame", of)) => out.frame_with(|out| encode(of, value, out)),
            _ => panic!("unknown codec {codec}"),
        },
    }
}

/// Reads a value with `codec`.
pub(crate) fn decode(codec: &str, input: &mut Decoder<'_>) -> Result<Value, DecodeError> {
    Ok(match codec {
        "none" => Value::Null,
        "uint" => input.uint()?.into(),
        "uint8" => input.uint8()?.into(),
        "uint16" => input.uint16()?.into(),
        "port" => input.port()?.into(),
        "uint24" => input.uint24()?.into(),
        "uint32" => input.uint32()?.into(),
        "uint40" => input.uint40()?.into(),
        "uint48" => input.uint48()?.into(),
        "uint56" => input.uint56()?.into(),
        "uint64" => input.uint64()?.into(),
        "uint32be" => input.uint32_be()?.into(),
        "uint64be" => input.uint64_be()?.into(),
        "int" => input.int()?.into(),
        "int8" => input.int8()?.into(),
        "int16" => input.int16()?.into(),
        "int24" => input.int24()?.into(),
        "int32" => input.int32()?.into(),
        "int40" => input.int40()?.into(),
        "int48" => input.int48()?.into(),
        "int56" => input.int56()?.into(),
        "int64" => input.int64()?.into(),
        "lexint" => input.lexint()?.into(),
        "float32" => from_number(input.float32()?.into()),
        "float64" => from_number(input.float64()?),
        "bool" => input.bool()?.into(),
        "raw" => from_bytes(input.rest()),
        "fixed32" => from_bytes(input.fixed::<32>()?),
        "fixed64" => from_bytes(input.fixed::<64>()?),
        "buffer" => from_bytes(input.buffer()?),
        "optional_buffer" => input.optional_buffer()?.map_or(Value::Null, from_bytes),
        "hex" => hex(input.buffer()?).into(),
        "base64" => base64(input.buffer()?).into(),
        "string" => input.string()?.into(),
        "ascii" => input.ascii()?.into(),
        "json" => {
            let error = input.error(DecodeErrorKind::Invalid("json"));
            serde_json::from_str(input.string()?).map_err(|_| error)?
        }
        "date" => json!({ "date_ms": input.date()? }),
        "bitarray" => input.bitarray()?.iter().collect(),
        "uint32array" => json!({ "uint32": input.uint32array()?.iter().collect::<Vec<_>>() }),
        "ipv4" => input.ipv4()?.to_string().into(),
        "ipv6" => input.ipv6()?.to_string().into(),
        "ipv4_address" => {
            let address = input.ipv4_address()?;
            json!({ "host": address.ip().to_string(), "family": 4, "port": address.port() })
        }
        "any" => from_any(&input.any()?),
        "string_record" => input
            .array(2, |input| Ok((input.string()?.to_owned(), input.string()?.into())))?
            .into_iter()
            .collect::<Map<String, Value>>()
            .into(),
        _ => match codec.split_once('_') {
            Some(("array", of)) => input.array(1, |input| decode(of, input))?.into(),
            Some(("frame", of)) => decode(of, &mut input.frame()?)?,
            _ => panic!("unknown codec {codec}"),
        },
    })
}

/// The bytes of hexadecimal digits.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    assert_eq!(digits.len() % 2, 0, "odd number of digits");
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}

/// Lower case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    if let Some(byte) = value.get("repeat_byte") {
        let len = value["length"].as_u64().unwrap() as usize;
        return vec![byte.as_u64().unwrap() as u8; len];
    }
    unhex(value["hex"].as_str().unwrap())
}

fn from_bytes(bytes: &[u8]) -> Value {
    json!({ "hex": hex(bytes) })
}

/// Numbers that are not whole stand as text, so that JSON readers cannot round them.
fn number(value: &Value) -> f64 {
    match value.get("number") {
        Some(text) => text.as_str().unwrap().parse().unwrap(),
        None => value.as_f64().unwrap(),
    }
}

fn from_number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return json!(value as i64);
    }
    let text = if value.abs() >= 1e21 || value.abs() < 1e-6 {
        format!("{value:e}").replace('e', if value.abs() >= 1.0 { "e+" } else { "e" })
    } else {
        value.to_string()
    };
    json!({ "number": text })
}

/// Collects the buffers in `value`, which an `Any` only borrows.
fn buffers(value: &Value, into: &mut Vec<Vec<u8>>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| buffers(element, into)),
        Value::Object(entries) if entries.contains_key("hex") => into.push(bytes(value)),
        Value::Object(entries) => entries.values().for_each(|element| buffers(element, into)),
        _ => {}
    }
}

fn to_any<'a>(value: &'a Value, arena: &mut std::slice::Iter<'a, Vec<u8>>) -> Any<'a> {
    match value {
        Value::Null => Any::None,
        Value::Bool(value) => Any::Bool(*value),
        Value::Number(value) => match value.as_u64() {
            Some(value) => Any::Uint(value),
            None => Any::Int(value.as_i64().unwrap()),
        },
        Value::String(value) => Any::String(value),
        Value::Array(elements) => {
            Any::Array(elements.iter().map(|element| to_any(element, arena)).collect())
        }
        Value::Object(entries) if entries.contains_key("hex") => Any::Buffer(arena.next().unwrap()),
        Value::Object(entries) if entries.contains_key("number") => Any::Float64(number(value)),
        Value::Object(entries) => match entries.get("date_ms") {
            Some(date) => Any::Date(date.as_i64().unwrap()),
            None => Any::Object(entries.iter().map(|(k, v)| (&**k, to_any(v, arena))).collect()),
        },
    }
}

fn from_any(value: &Any<'_>) -> Value {
    match value {
        Any::None => Value::Null,
        Any::Bool(value) => (*value).into(),
        Any::String(value) => (*value).into(),
        Any::Buffer(value) => from_bytes(value),
        Any::Uint(value) => (*value).into(),
        Any::Int(value) => (*value).into(),
        Any::Float64(value) => from_number(*value),
        Any::Array(elements) => elements.iter().map(from_any).collect(),
        Any::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), from_any(value)));
            entries.collect::<Map<_, _>>().into()
        }
        Any::Date(value) => json!({ "date_ms": value }),
        _ => panic!("unknown kind of value"),
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    assert_eq!(bytes.len() % 3, 0, "padding is not written here");
    let digit = |group: u32, at: u32| char::from(BASE64[(group >> (18 - 6 * at)) as usize % 64]);
    let groups = bytes.chunks(3).map(|b| u32::from_be_bytes([0, b[0], b[1], b[2]]));
    groups.flat_map(|group| (0..4).map(move |at| digit(group, at))).collect()
}

fn unbase64(text: &str) -> Vec<u8> {
    let digit = |c: &u8| BASE64.iter().position(|d| d == c).unwrap() as u32;
    let group = |four: &[u8]| four.iter().fold(0, |group, c| (group << 6) | digit(c));
    text.as_bytes().chunks(4).flat_map(|four| group(four).to_be_bytes()[1..].to_vec()).collect()
}
