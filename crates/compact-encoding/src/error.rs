//! What can be wrong with bytes, and with the few values that have no bytes.

use thiserror::Error;

/// Why bytes could not be decoded, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} at byte {offset}")]
#[non_exhaustive]
pub struct DecodeError {
    /// The byte at which the refused value starts, counted from the start of the outermost input.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    /// An error at `offset`; for decoders of records that refuse a value of theirs.
    #[must_use]
    pub const fn new(offset: usize, kind: DecodeErrorKind) -> Self {
        Self { offset, kind }
    }
}

/// What is wrong with bytes that could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends inside the value, or a length or count in it claims more than is left.
    #[error("input ends inside a value")]
    UnexpectedEnd,
    /// An integer is outside what JavaScript can represent.
    #[error("integer too large")]
    IntegerTooLarge,
    /// A string is not UTF-8 (or not ASCII where only that is allowed).
    #[error("string is not valid text")]
    InvalidUtf8,
    /// An array claims more than [`ARRAY_LEN_MAX`](crate::ARRAY_LEN_MAX) elements.
    #[error("array has too many elements")]
    TooManyElements,
    /// Values nest deeper than [`ANY_DEPTH_MAX`](crate::ANY_DEPTH_MAX).
    #[error("values are nested too deeply")]
    TooDeep,
    /// Bytes are left over where the value should have ended.
    #[error("bytes left over after the value")]
    Trailing,
    /// The bytes break a rule of the record they belong to, named here.
    #[error("invalid {0}")]
    Invalid(&'static str),
}

/// Why a value has no encoding; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// An integer does not fit the width of the codec, or no decoder would accept it.
    #[error("integer out of range for its codec")]
    OutOfRange,
    /// An array has more than [`ARRAY_LEN_MAX`](crate::ARRAY_LEN_MAX) elements.
    #[error("array has too many elements")]
    TooManyElements,
    /// Values nest deeper than [`ANY_DEPTH_MAX`](crate::ANY_DEPTH_MAX).
    #[error("values are nested too deeply")]
    TooDeep,
}
