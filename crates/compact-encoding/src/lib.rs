//! Bounded, zero-copy decoding and encoding of the compact encoding used by Hypercore.
//!
//! A [`Decoder`] walks over borrowed bytes and an [`Encoder`] fills a vector; their methods have
//! the same names, one for each codec. The crate knows fields, not records: what a header or a
//! message consists of is written down by the crates that own them, with [`Encode`] and
//! [`Decode`].
//!
//! ```
//! use compact_encoding::{DecodeError, Decoder, Encoder};
//!
//! let mut out = Encoder::new();
//! out.uint(300);
//! out.string("three hundred");
//! assert_eq!(out.as_slice()[..4], [0xfd, 0x2c, 0x01, 13]);
//!
//! let bytes = out.into_vec();
//! let mut input = Decoder::new(&bytes);
//! assert_eq!(input.uint()?, 300);
//! assert_eq!(input.string()?, "three hundred");
//! input.finish()?;
//! # Ok::<(), DecodeError>(())
//! ```
//!
//! # What a decoder promises
//! Any bytes give a value or a [`DecodeError`] that says what is wrong and where: no panic, no
//! overflow, time and memory at most a constant times the input. Lengths and counts are compared
//! with what is there before they are believed. Integers that JavaScript cannot represent (above
//! [`UINT_MAX`]) are refused. Bytes left over after a value are for the caller to judge, with
//! [`Decoder::finish`] or [`Decoder::rest`].
//!
//! No I/O. The byte layouts are in `docs/format/compact-encoding.md`.
//!
//! # Features
//! None. The crate is `no_std`, with `alloc`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod any;
mod array;
mod decoder;
mod encoder;
mod error;
mod traits;

pub use any::{ANY_DEPTH_MAX, Any};
pub use array::{BitArray, Bits, Uint32Array, Uint32s};
pub use decoder::Decoder;
pub use encoder::{Encoder, buffer_len, int_len, uint_len};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use traits::{Decode, Encode};

/// The greatest integer a decoder accepts, 2^53 - 1: JavaScript represents no more exactly.
///
/// A larger one on disk or wire is answered with [`DecodeErrorKind::IntegerTooLarge`].
///
/// # Source
/// formats.md, conventions and section 2.
pub const UINT_MAX: u64 = (1 << 53) - 1;

/// The least signed integer a decoder accepts, -2^52: below it zigzag passes [`UINT_MAX`].
///
/// One below is answered with [`DecodeErrorKind::IntegerTooLarge`].
///
/// # Source
/// formats.md section 2, "int".
pub const INT_MIN: i64 = -(1 << 52);

/// The greatest signed integer a decoder accepts, 2^52 - 1: above it zigzag passes [`UINT_MAX`].
///
/// One above is answered with [`DecodeErrorKind::IntegerTooLarge`].
///
/// # Source
/// formats.md section 2, "int".
pub const INT_MAX: i64 = (1 << 52) - 1;

/// The elements one array may claim to have; a decoder answers more with
/// [`DecodeErrorKind::TooManyElements`].
///
/// # Source
/// formats.md section 2, "array".
pub const ARRAY_LEN_MAX: usize = 0x10_0000;
