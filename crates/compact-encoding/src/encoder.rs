//! Writing, one method a codec.
//!
//! Invariant: what a method writes is what the method of that name on a
//! [`Decoder`](crate::Decoder) reads back, as long as integers stay within
//! [`UINT_MAX`](crate::UINT_MAX). Integers are written in their shortest form.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use crate::error::EncodeError;
use crate::traits::Encode;

type Result = core::result::Result<(), EncodeError>;

/// Appends values to a vector of bytes.
///
/// Writing never fails for lack of room. Integers above [`UINT_MAX`](crate::UINT_MAX), which no
/// decoder accepts, are written in full all the same; records keep their numbers below it.
///
/// # Source
/// formats.md section 2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An encoder that has written nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An encoder that takes `capacity` bytes before it allocates again.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// An encoder that appends to `bytes`.
    #[must_use]
    pub const fn from_vec(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// All bytes.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes so far.
    #[must_use]
    pub const fn as_slice(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// The number of bytes so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes what `value` writes.
    pub fn value(&mut self, value: &(impl Encode + ?Sized)) {
        value.encode(self);
    }

    /// Writes bytes without a length before them (`fixed32`, `fixed64`).
    pub fn fixed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes bytes that the reader takes as all that remains.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.fixed(bytes);
    }

    /// Writes an unsigned integer in its shortest form.
    #[expect(clippy::cast_possible_truncation, reason = "each arm bounds its value")]
    pub fn uint(&mut self, value: u64) {
        match value {
            0..=0xfc => self.uint8(value as u8),
            0xfd..=0xffff => {
                self.uint8(0xfd);
                self.uint16(value as u16);
            }
            0x1_0000..=0xffff_ffff => {
                self.uint8(0xfe);
                self.uint32(value as u32);
            }
            _ => {
                self.uint8(0xff);
                self.uint64(value);
            }
        }
    }

    /// Writes a byte.
    pub fn uint8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Writes two bytes, little endian.
    pub fn uint16(&mut self, value: u16) {
        self.fixed(&value.to_le_bytes());
    }

    /// Writes three bytes, little endian.
    ///
    /// # Errors
    /// [`EncodeError::OutOfRange`] from 2^24 on; nothing is written then.
    pub fn uint24(&mut self, value: u32) -> Result {
        self.narrow(u64::from(value), 3)
    }

    /// Writes four bytes, little endian.
    pub fn uint32(&mut self, value: u32) {
        self.fixed(&value.to_le_bytes());
    }

    /// Writes five bytes, little endian.
    ///
    /// # Errors
    /// [`EncodeError::OutOfRange`] from 2^40 on; nothing is written then.
    pub fn uint40(&mut self, value: u64) -> Result {
        self.narrow(value, 5)
    }

    /// Writes six bytes, little endian.
    ///
    /// # Errors
    /// [`EncodeError::OutOfRange`] from 2^48 on; nothing is written then.
    pub fn uint48(&mut self, value: u64) -> Result {
        self.narrow(value, 6)
    }

    /// Writes seven bytes, little endian.
    ///
    /// # Errors
    /// [`EncodeError::OutOfRange`] from 2^56 on; nothing is written then.
    pub fn uint56(&mut self, value: u64) -> Result {
        self.narrow(value, 7)
    }

    /// Writes eight bytes, little endian.
    pub fn uint64(&mut self, value: u64) {
        self.fixed(&value.to_le_bytes());
    }

    /// Writes four bytes, big endian.
    pub fn uint32_be(&mut self, value: u32) {
        self.fixed(&value.to_be_bytes());
    }

    /// Writes eight bytes, big endian.
    pub fn uint64_be(&mut self, value: u64) {
        self.fixed(&value.to_be_bytes());
    }

    /// Writes a signed integer: zigzag, then `uint`.
    pub fn int(&mut self, value: i64) {
        self.uint(zigzag(value));
    }

    /// Writes a signed byte: zigzag, then `uint8`.
    pub fn int8(&mut self, value: i8) {
        self.uint8(((value << 1) ^ (value >> 7)).cast_unsigned());
    }

    /// Writes a signed integer of two bytes: zigzag, then `uint16`.
    pub fn int16(&mut self, value: i16) {
        self.uint16(((value << 1) ^ (value >> 15)).cast_unsigned());
    }

    /// Writes a signed integer of three bytes: zigzag, then `uint24`.
    ///
    /// # Errors
    /// [`EncodeError::OutOfRange`] outside -2^23 to 2^23 - 1; nothing is written then.
    pub fn int24(&mut self, value: i32) -> Result {
        self.narrow(zigzag(i64::from(value)), 3)
    }

    /// Writes a signed integer of four bytes: zigzag, then `uint32`.
    pub fn int32(&mut self, value: i32) {
        self.uint32(((value << 1) ^ (value >> 31)).cast_unsigned());
    }

    /// Writes a signed integer of five bytes: zigzag, then `uint40`.
    ///
    /// # Errors
    /// [`EncodeError::OutOfRange`] outside -2^39 to 2^39 - 1; nothing is written then.
    pub fn int40(&mut self, value: i64) -> Result {
        self.narrow(zigzag(value), 5)
    }

    /// Writes a signed integer of six bytes: zigzag, then `uint48`.
    ///
    /// # Errors
    /// [`EncodeError::OutOfRange`] outside -2^47 to 2^47 - 1; nothing is written then.
    pub fn int48(&mut self, value: i64) -> Result {
        self.narrow(zigzag(value), 6)
    }

    /// Writes a signed integer of seven bytes: zigzag, then `uint56`.
    ///
    /// # Errors
    /// [`EncodeError::OutOfRange`] outside -2^55 to 2^55 - 1; nothing is written then.
    pub fn int56(&mut self, value: i64) -> Result {
        self.narrow(zigzag(value), 7)
    }

    /// Writes a signed integer of eight bytes: zigzag, then `uint64`.
    pub fn int64(&mut self, value: i64) {
        self.uint64(zigzag(value));
    }

    /// Writes an ordered integer of older formats, whose bytes sort as the numbers do.
    pub fn lexint(&mut self, value: u32) {
        let Some(above) = value.checked_sub(0xfb) else {
            let [_, _, _, low] = value.to_be_bytes();
            return self.uint8(low);
        };
        let [a, b, c, d] = above.to_be_bytes();
        // The width is that of the number, not of what is written.
        match value {
            0..=0xff => self.fixed(&[0xfb, d]),
            0x100..=0xffff => self.fixed(&[0xfc, c, d]),
            0x1_0000..=0xff_ffff => self.fixed(&[0xfd, b, c, d]),
            _ => self.fixed(&[0xfe, a, b, c, d]),
        }
    }

    /// Writes a number of four bytes, IEEE 754, little endian.
    pub fn float32(&mut self, value: f32) {
        self.fixed(&value.to_le_bytes());
    }

    /// Writes a number of eight bytes, IEEE 754, little endian.
    pub fn float64(&mut self, value: f64) {
        self.fixed(&value.to_le_bytes());
    }

    /// Writes a byte, 1 for true.
    pub fn bool(&mut self, value: bool) {
        self.uint8(u8::from(value));
    }

    /// Writes a length and the bytes.
    pub fn buffer(&mut self, bytes: &[u8]) {
        self.uint(bytes.len() as u64);
        self.fixed(bytes);
    }

    /// Writes a buffer in which length 0 stands for "none"; so an empty one reads back as none.
    pub fn optional_buffer(&mut self, bytes: Option<&[u8]>) {
        self.buffer(bytes.unwrap_or_default());
    }

    /// Writes a byte length and the text as UTF-8.
    pub fn string(&mut self, text: &str) {
        self.buffer(text.as_bytes());
    }

    /// Writes the element count of an array; the elements are written after it.
    ///
    /// Decoders refuse a count above [`ARRAY_LEN_MAX`](crate::ARRAY_LEN_MAX).
    pub fn array_len(&mut self, count: usize) {
        self.uint(count as u64);
    }

    /// Writes an array: its count, and each element with `element`.
    pub fn array<T>(&mut self, elements: &[T], mut element: impl FnMut(&mut Self, &T)) {
        self.array_len(elements.len());
        for value in elements {
            element(self, value);
        }
    }

    /// Writes the length of what `value` writes, and then that.
    pub fn frame(&mut self, value: &(impl Encode + ?Sized)) {
        self.frame_with(|out| value.encode(out));
    }

    /// Writes the length of what `content` writes, and then that.
    ///
    /// The length is measured, so a wrong [`Encode::encoded_len`] cannot damage what follows.
    pub fn frame_with(&mut self, content: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        content(self);
        let end = self.bytes.len();
        self.uint(end.saturating_sub(start) as u64);
        let prefix_len = self.bytes.len().saturating_sub(end);
        if let Some(frame) = self.bytes.get_mut(start..) {
            frame.rotate_right(prefix_len);
        }
    }

    /// Writes a bit count and the bits, least significant first.
    pub fn bitarray(&mut self, bits: &[bool]) {
        self.array_len(bits.len());
        for group in bits.chunks(8) {
            self.uint8(group.iter().rev().fold(0, |byte, bit| (byte << 1) | u8::from(*bit)));
        }
    }

    /// Writes an element count and four bytes, little endian, for each.
    pub fn uint32array(&mut self, values: &[u32]) {
        self.array_len(values.len());
        for value in values {
            self.uint32(*value);
        }
    }

    /// Writes a date: milliseconds since 1970-01-01T00:00:00Z.
    pub fn date(&mut self, unix_ms: i64) {
        self.int(unix_ms);
    }

    /// Writes an IPv4 address: four bytes.
    pub fn ipv4(&mut self, address: Ipv4Addr) {
        self.fixed(&address.octets());
    }

    /// Writes an IPv6 address: 16 bytes.
    pub fn ipv6(&mut self, address: Ipv6Addr) {
        self.fixed(&address.octets());
    }

    /// Writes a port: two bytes, little endian.
    pub fn port(&mut self, port: u16) {
        self.uint16(port);
    }

    /// Writes an IPv4 address and a port.
    pub fn ipv4_address(&mut self, address: SocketAddrV4) {
        self.ipv4(*address.ip());
        self.port(address.port());
    }

    /// Writes an IPv6 address and a port; flow label and scope have no place in it.
    pub fn ipv6_address(&mut self, address: SocketAddrV6) {
        self.ipv6(*address.ip());
        self.port(address.port());
    }

    /// Writes the low `len` bytes of `value`, if the others are 0.
    fn narrow(&mut self, value: u64, len: usize) -> Result {
        match value.to_le_bytes().split_at_checked(len) {
            Some((low, high)) if high.iter().all(|byte| *byte == 0) => {
                self.fixed(low);
                Ok(())
            }
            _ => Err(EncodeError::OutOfRange),
        }
    }
}

/// The number of bytes of a `uint`: 1, 3, 5 or 9.
#[must_use]
pub const fn uint_len(value: u64) -> usize {
    match value {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// The number of bytes of a `buffer`, `string` or frame around `len` bytes, its length included.
#[must_use]
pub const fn buffer_len(len: usize) -> usize {
    uint_len(len as u64).saturating_add(len)
}

/// The number of bytes of an `int`: 1, 3, 5 or 9.
#[must_use]
pub const fn int_len(value: i64) -> usize {
    uint_len(zigzag(value))
}

/// 0, -1, 1, -2, ... to 0, 1, 2, 3, ...
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}
