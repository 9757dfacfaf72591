//! Frames: a length of three bytes, little-endian, then the body.
//!
//! # Source
//! wire.md section 2.1.

use std::ops::RangeInclusive;

use bytes::BytesMut;

use crate::StreamError;

/// Bytes of the length in front of a body.
pub(crate) const LENGTH_LEN: usize = 3;
/// Bytes of the longest body there can be.
pub(crate) const BODY_LEN_MAX: usize = 0xff_ffff;

/// Takes a whole frame, its length included, off the front of `input`; `None` when not all of it
/// has arrived. The length is judged as soon as it is there, and reserves nothing.
pub(crate) fn take(
    input: &mut BytesMut,
    allowed: &RangeInclusive<usize>,
) -> Result<Option<BytesMut>, StreamError> {
    let Some([a, b, c]) = input.first_chunk::<LENGTH_LEN>() else { return Ok(None) };
    let len = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
    if len > *allowed.end() {
        return Err(StreamError::FrameTooLong { len, max: *allowed.end() });
    }
    if len < *allowed.start() {
        return Err(StreamError::FrameTooShort { len, min: *allowed.start() });
    }
    let frame_len = len.saturating_add(LENGTH_LEN);
    Ok((input.len() >= frame_len).then(|| input.split_to(frame_len)))
}

/// The length in front of a body of `len` bytes, of which there are at most [`BODY_LEN_MAX`].
pub(crate) fn length(len: usize) -> [u8; LENGTH_LEN] {
    debug_assert!(len <= BODY_LEN_MAX, "checked by who makes the body");
    let [a, b, c, ..] = len.to_le_bytes();
    [a, b, c]
}
