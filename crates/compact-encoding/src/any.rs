//! Values that carry their type: the codec `any`.
//!
//! The one codec that nests. Depth is limited here, in both directions, so neither an outsider's
//! bytes nor a caller's value can exhaust the stack.

use alloc::vec::Vec;

use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::{ARRAY_LEN_MAX, INT_MAX, INT_MIN, UINT_MAX};

/// The levels of arrays and objects that an [`Any`] may have; deeper ones are refused with
/// [`DecodeErrorKind::TooDeep`] and [`EncodeError::TooDeep`].
pub const ANY_DEPTH_MAX: usize = 64;

/// A value with its type, borrowing strings and buffers from the input.
///
/// JavaScript writes whole numbers from 0 as [`Uint`](Self::Uint), below 0 as [`Int`](Self::Int)
/// and all others as [`Float64`](Self::Float64).
///
/// # Source
/// formats.md section 2, "any".
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Any<'a> {
    /// Type 0: `null` or `undefined`.
    None,
    /// Type 1.
    Bool(bool),
    /// Type 2.
    String(&'a str),
    /// Type 3.
    Buffer(&'a [u8]),
    /// Type 4, up to [`UINT_MAX`].
    Uint(u64),
    /// Type 5, from [`INT_MIN`] to [`INT_MAX`].
    Int(i64),
    /// Type 6.
    Float64(f64),
    /// Type 7.
    Array(Vec<Self>),
    /// Type 8: keys and values in the order of the input, in which a key may come twice.
    Object(Vec<(&'a str, Self)>),
    /// Type 9: milliseconds since 1970-01-01T00:00:00Z.
    Date(i64),
}

impl<'a> Decoder<'a> {
    /// Reads a value that carries its type.
    ///
    /// Takes memory of at most a constant times the input: every element has at least one byte.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Invalid`] for an unknown type; [`DecodeErrorKind::TooDeep`] beyond
    /// [`ANY_DEPTH_MAX`]; otherwise as the codec of the type.
    pub fn any(&mut self) -> Result<Any<'a>, DecodeError> {
        decode(self, 0)
    }
}

fn decode<'a>(input: &mut Decoder<'a>, depth: usize) -> Result<Any<'a>, DecodeError> {
    let start = input.position();
    Ok(match input.uint()? {
        0 => Any::None,
        1 => Any::Bool(input.bool()?),
        2 => Any::String(input.string()?),
        3 => Any::Buffer(input.buffer()?),
        4 => Any::Uint(input.uint()?),
        5 => Any::Int(input.int()?),
        6 => Any::Float64(input.float64()?),
        7 => {
            let below = deeper(start, depth)?;
            let count = input.array_len(1)?;
            // Not reserved: nested arrays may each claim all that is left.
            let mut elements = Vec::new();
            for _ in 0..count {
                elements.push(decode(input, below)?);
            }
            Any::Array(elements)
        }
        8 => {
            let below = deeper(start, depth)?;
            let count = input.array_len(2)?;
            let mut entries = Vec::new();
            for _ in 0..count {
                entries.push((input.string()?, decode(input, below)?));
            }
            Any::Object(entries)
        }
        9 => Any::Date(input.date()?),
        _ => return Err(DecodeError::new(start, DecodeErrorKind::Invalid("type of value"))),
    })
}

fn deeper(start: usize, depth: usize) -> Result<usize, DecodeError> {
    if depth >= ANY_DEPTH_MAX {
        return Err(DecodeError::new(start, DecodeErrorKind::TooDeep));
    }
    Ok(depth.saturating_add(1))
}

impl Encoder {
    /// Writes a value and its type.
    ///
    /// # Errors
    /// [`EncodeError`] for a value that no decoder would accept: too deep, too many elements, an
    /// integer JavaScript cannot represent. Nothing is written then.
    pub fn any(&mut self, value: &Any<'_>) -> Result<(), EncodeError> {
        check(value, 0)?;
        encode(self, value);
        Ok(())
    }
}

/// Whether a decoder would accept `value`, looked at to the permitted depth only.
fn check(value: &Any<'_>, depth: usize) -> Result<(), EncodeError> {
    let len = match value {
        Any::Uint(value) if *value > UINT_MAX => return Err(EncodeError::OutOfRange),
        Any::Int(value) | Any::Date(value) if *value < INT_MIN || *value > INT_MAX => {
            return Err(EncodeError::OutOfRange);
        }
        Any::Array(elements) => elements.len(),
        Any::Object(entries) => entries.len(),
        _ => return Ok(()),
    };
    if len > ARRAY_LEN_MAX {
        return Err(EncodeError::TooManyElements);
    }
    if depth >= ANY_DEPTH_MAX {
        return Err(EncodeError::TooDeep);
    }
    let below = depth.saturating_add(1);
    match value {
        Any::Array(elements) => elements.iter().try_for_each(|element| check(element, below)),
        Any::Object(entries) => entries.iter().try_for_each(|(_, element)| check(element, below)),
        _ => Ok(()),
    }
}

fn encode(out: &mut Encoder, value: &Any<'_>) {
    match value {
        Any::None => out.uint(0),
        Any::Bool(value) => {
            out.uint(1);
            out.bool(*value);
        }
        Any::String(value) => {
            out.uint(2);
            out.string(value);
        }
        Any::Buffer(value) => {
            out.uint(3);
            out.buffer(value);
        }
        Any::Uint(value) => {
            out.uint(4);
            out.uint(*value);
        }
        Any::Int(value) => {
            out.uint(5);
            out.int(*value);
        }
        Any::Float64(value) => {
            out.uint(6);
            out.float64(*value);
        }
        Any::Array(elements) => {
            out.uint(7);
            out.array_len(elements.len());
            for element in elements {
                encode(out, element);
            }
        }
        Any::Object(entries) => {
            out.uint(8);
            out.array_len(entries.len());
            for (key, element) in entries {
                out.string(key);
                encode(out, element);
            }
        }
        Any::Date(value) => {
            out.uint(9);
            out.date(*value);
        }
    }
}
