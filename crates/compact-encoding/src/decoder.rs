//! Reading, one method a codec.
//!
//! Invariant: a decoder only ever holds bytes that exist. Every length is compared with them
//! before anything is sliced, so no arithmetic here can leave the input.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use crate::array::{BitArray, Uint32Array};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::{ARRAY_LEN_MAX, UINT_MAX};

type Result<T> = core::result::Result<T, DecodeError>;

/// Reads values from the front of borrowed bytes.
///
/// The methods are named after the codecs and take one value each. After an error the decoder
/// stands somewhere inside the value that was refused; give it up.
///
/// # Source
/// formats.md section 2.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    input: &'a [u8],
    /// Where `input` starts in the outermost input.
    position: usize,
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of `input`.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    /// The bytes already read, counted from the start of the outermost input, also in a frame.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// The bytes still to be read.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.input.len()
    }

    /// Whether all bytes are read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// The bytes still to be read, which stay to be read.
    #[must_use]
    pub const fn peek(&self) -> &'a [u8] {
        self.input
    }

    /// Takes all remaining bytes (the codec `raw`).
    pub const fn rest(&mut self) -> &'a [u8] {
        let rest = self.input;
        self.position = self.position.saturating_add(rest.len());
        self.input = &[];
        rest
    }

    /// Asserts that nothing is left.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Trailing`] when bytes are left.
    pub const fn finish(self) -> Result<()> {
        if self.input.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::Trailing)) }
    }

    /// An error of this kind where the decoder stands.
    #[must_use]
    pub const fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::new(self.position, kind)
    }

    /// Takes `len` bytes without a length before them.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.input.split_at_checked(len) else {
            return Err(self.error(DecodeErrorKind::UnexpectedEnd));
        };
        self.input = rest;
        self.position = self.position.saturating_add(len);
        Ok(taken)
    }

    /// Takes `N` bytes without a length before them (`fixed32`, `fixed64`).
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn fixed<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let Some((taken, rest)) = self.input.split_first_chunk::<N>() else {
            return Err(self.error(DecodeErrorKind::UnexpectedEnd));
        };
        self.input = rest;
        self.position = self.position.saturating_add(N);
        Ok(taken)
    }

    /// Reads an unsigned integer of one, three, five or nine bytes.
    ///
    /// A form longer than needed is accepted.
    ///
    /// # Errors
    /// [`DecodeErrorKind::IntegerTooLarge`] above [`UINT_MAX`];
    /// [`DecodeErrorKind::UnexpectedEnd`].
    pub fn uint(&mut self) -> Result<u64> {
        let start = self.position;
        let value = match self.uint8()? {
            0xfd => u64::from(self.uint16()?),
            0xfe => u64::from(self.uint32()?),
            0xff => u64::from_le_bytes(*self.fixed()?),
            small => u64::from(small),
        };
        representable(start, value)
    }

    /// Reads a `uint` that counts bytes or elements of this input, so that at most
    /// [`remaining`](Self::remaining) makes sense.
    ///
    /// # Errors
    /// As [`uint`](Self::uint), and [`DecodeErrorKind::UnexpectedEnd`] when more is claimed than
    /// is left.
    pub fn len_prefix(&mut self) -> Result<usize> {
        let start = self.position;
        let value = self.uint()?;
        match usize::try_from(value) {
            Ok(len) if len <= self.input.len() => Ok(len),
            _ => Err(DecodeError::new(start, DecodeErrorKind::UnexpectedEnd)),
        }
    }

    /// Reads a byte.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when no byte is left.
    pub fn uint8(&mut self) -> Result<u8> {
        let [byte] = *self.fixed::<1>()?;
        Ok(byte)
    }

    /// Reads two bytes, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn uint16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(*self.fixed()?))
    }

    /// Reads three bytes, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn uint24(&mut self) -> Result<u32> {
        let [a, b, c] = *self.fixed()?;
        Ok(u32::from_le_bytes([a, b, c, 0]))
    }

    /// Reads four bytes, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn uint32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(*self.fixed()?))
    }

    /// Reads five bytes, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn uint40(&mut self) -> Result<u64> {
        let [a, b, c, d, e] = *self.fixed()?;
        Ok(u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]))
    }

    /// Reads six bytes, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn uint48(&mut self) -> Result<u64> {
        let [a, b, c, d, e, f] = *self.fixed()?;
        Ok(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    /// Reads seven bytes, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::IntegerTooLarge`] above [`UINT_MAX`];
    /// [`DecodeErrorKind::UnexpectedEnd`].
    pub fn uint56(&mut self) -> Result<u64> {
        let start = self.position;
        let [a, b, c, d, e, f, g] = *self.fixed()?;
        representable(start, u64::from_le_bytes([a, b, c, d, e, f, g, 0]))
    }

    /// Reads eight bytes, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::IntegerTooLarge`] above [`UINT_MAX`];
    /// [`DecodeErrorKind::UnexpectedEnd`].
    pub fn uint64(&mut self) -> Result<u64> {
        let start = self.position;
        representable(start, u64::from_le_bytes(*self.fixed()?))
    }

    /// Reads four bytes, big endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn uint32_be(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(*self.fixed()?))
    }

    /// Reads eight bytes, big endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::IntegerTooLarge`] above [`UINT_MAX`];
    /// [`DecodeErrorKind::UnexpectedEnd`].
    pub fn uint64_be(&mut self) -> Result<u64> {
        let start = self.position;
        representable(start, u64::from_be_bytes(*self.fixed()?))
    }

    /// Reads a signed integer: zigzag, then `uint`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::IntegerTooLarge`] outside [`INT_MIN`](crate::INT_MIN) to
    /// [`INT_MAX`](crate::INT_MAX); [`DecodeErrorKind::UnexpectedEnd`].
    pub fn int(&mut self) -> Result<i64> {
        self.uint().map(unzigzag)
    }

    /// Reads a signed byte: zigzag, then `uint8`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when no byte is left.
    pub fn int8(&mut self) -> Result<i8> {
        let value = self.uint8()?;
        Ok((value >> 1).cast_signed() ^ (value & 1).wrapping_neg().cast_signed())
    }

    /// Reads a signed integer of two bytes: zigzag, then `uint16`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn int16(&mut self) -> Result<i16> {
        let value = self.uint16()?;
        Ok((value >> 1).cast_signed() ^ (value & 1).wrapping_neg().cast_signed())
    }

    /// Reads a signed integer of three bytes: zigzag, then `uint24`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn int24(&mut self) -> Result<i32> {
        let value = self.uint24()?;
        Ok((value >> 1).cast_signed() ^ (value & 1).wrapping_neg().cast_signed())
    }

    /// Reads a signed integer of four bytes: zigzag, then `uint32`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn int32(&mut self) -> Result<i32> {
        let value = self.uint32()?;
        Ok((value >> 1).cast_signed() ^ (value & 1).wrapping_neg().cast_signed())
    }

    /// Reads a signed integer of five bytes: zigzag, then `uint40`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn int40(&mut self) -> Result<i64> {
        self.uint40().map(unzigzag)
    }

    /// Reads a signed integer of six bytes: zigzag, then `uint48`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn int48(&mut self) -> Result<i64> {
        self.uint48().map(unzigzag)
    }

    /// Reads a signed integer of seven bytes: zigzag, then `uint56`.
    ///
    /// # Errors
    /// As [`uint56`](Self::uint56).
    pub fn int56(&mut self) -> Result<i64> {
        self.uint56().map(unzigzag)
    }

    /// Reads a signed integer of eight bytes: zigzag, then `uint64`.
    ///
    /// # Errors
    /// As [`uint64`](Self::uint64).
    pub fn int64(&mut self) -> Result<i64> {
        self.uint64().map(unzigzag)
    }

    /// Reads an ordered integer of older formats, whose bytes sort as the numbers do.
    ///
    /// The form for numbers of more than 32 bits, an exponent with a rounded fraction, is refused:
    /// it does not give back what was written.
    ///
    /// # Errors
    /// [`DecodeErrorKind::IntegerTooLarge`] for that form; [`DecodeErrorKind::UnexpectedEnd`].
    pub fn lexint(&mut self) -> Result<u64> {
        let start = self.position;
        let above = match self.uint8()? {
            0xfb => u64::from(self.uint8()?),
            0xfc => u64::from(u16::from_be_bytes(*self.fixed()?)),
            0xfd => {
                let [a, b, c] = *self.fixed()?;
                u64::from(u32::from_be_bytes([0, a, b, c]))
            }
            0xfe => u64::from(self.uint32_be()?),
            0xff => return Err(DecodeError::new(start, DecodeErrorKind::IntegerTooLarge)),
            small => return Ok(u64::from(small)),
        };
        // At most 32 bits, so the sum has at most 33.
        Ok(above.saturating_add(0xfb))
    }

    /// Reads a number of four bytes, IEEE 754, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn float32(&mut self) -> Result<f32> {
        Ok(f32::from_le_bytes(*self.fixed()?))
    }

    /// Reads a number of eight bytes, IEEE 754, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn float64(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(*self.fixed()?))
    }

    /// Reads a byte, of which only 1 is true.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when no byte is left.
    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.uint8()? == 1)
    }

    /// Reads a length and that many bytes.
    ///
    /// # Errors
    /// As [`uint`](Self::uint), and [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn buffer(&mut self) -> Result<&'a [u8]> {
        let len = self.len_prefix()?;
        self.bytes(len)
    }

    /// Reads a buffer in which length 0 stands for "none".
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub fn optional_buffer(&mut self) -> Result<Option<&'a [u8]>> {
        let bytes = self.buffer()?;
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    /// Reads a length and that many bytes of UTF-8.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer), and [`DecodeErrorKind::InvalidUtf8`] (JavaScript puts
    /// replacement characters instead, and so loses what was there).
    pub fn string(&mut self) -> Result<&'a str> {
        let start = self.position;
        let bytes = self.buffer()?;
        core::str::from_utf8(bytes)
            .map_err(|_| DecodeError::new(start, DecodeErrorKind::InvalidUtf8))
    }

    /// Reads a length and that many bytes of ASCII.
    ///
    /// # Errors
    /// As [`string`](Self::string); [`DecodeErrorKind::InvalidUtf8`] for bytes above 0x7f.
    pub fn ascii(&mut self) -> Result<&'a str> {
        let start = self.position;
        let text = self.string()?;
        if text.is_ascii() {
            Ok(text)
        } else {
            Err(DecodeError::new(start, DecodeErrorKind::InvalidUtf8))
        }
    }

    /// Reads the element count of an array whose elements take `element_len_min` bytes or more.
    ///
    /// The count is at most [`ARRAY_LEN_MAX`] and at most what the remaining bytes can hold, so
    /// reserving for it costs no more than a constant times the input. A minimum of 0 counts as 1:
    /// no element of these formats is empty.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TooManyElements`] above [`ARRAY_LEN_MAX`];
    /// [`DecodeErrorKind::UnexpectedEnd`] when the bytes left cannot hold as many; as
    /// [`uint`](Self::uint).
    pub fn array_len(&mut self, element_len_min: usize) -> Result<usize> {
        let start = self.position;
        let value = self.uint()?;
        let count = match usize::try_from(value) {
            Ok(count) if count <= ARRAY_LEN_MAX => count,
            _ => return Err(DecodeError::new(start, DecodeErrorKind::TooManyElements)),
        };
        match count.checked_mul(element_len_min.max(1)) {
            Some(len) if len <= self.input.len() => Ok(count),
            _ => Err(DecodeError::new(start, DecodeErrorKind::UnexpectedEnd)),
        }
    }

    /// Reads an array: its count, bounded as by [`array_len`](Self::array_len), and each element
    /// with `element`.
    ///
    /// # Errors
    /// As [`array_len`](Self::array_len), and those of `element`.
    pub fn array<T>(
        &mut self,
        element_len_min: usize,
        mut element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count = self.array_len(element_len_min)?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// Reads a length and gives a decoder for exactly that many bytes, which this one skips.
    ///
    /// Offsets of errors inside the frame still count from the start of the outermost input.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub fn frame(&mut self) -> Result<Self> {
        let len = self.len_prefix()?;
        let position = self.position;
        Ok(Self { input: self.bytes(len)?, position })
    }

    /// Reads a bit count and the bits, least significant first.
    ///
    /// # Errors
    /// As [`uint`](Self::uint), and [`DecodeErrorKind::UnexpectedEnd`] when the bytes left hold
    /// fewer bits.
    pub fn bitarray(&mut self) -> Result<BitArray<'a>> {
        let start = self.position;
        let count = self.uint()?;
        let Ok(len) = usize::try_from(count.div_ceil(8)) else {
            return Err(DecodeError::new(start, DecodeErrorKind::UnexpectedEnd));
        };
        Ok(BitArray::new(self.bytes(len)?, count))
    }

    /// Reads an element count and four bytes, little endian, for each.
    ///
    /// # Errors
    /// As [`uint`](Self::uint), and [`DecodeErrorKind::UnexpectedEnd`] when fewer bytes are left.
    pub fn uint32array(&mut self) -> Result<Uint32Array<'a>> {
        let start = self.position;
        let count = self.uint()?;
        let Some(len) = count.checked_mul(4).and_then(|len| usize::try_from(len).ok()) else {
            return Err(DecodeError::new(start, DecodeErrorKind::UnexpectedEnd));
        };
        Ok(Uint32Array::new(self.bytes(len)?.as_chunks().0))
    }

    /// Reads a date: milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// As [`int`](Self::int).
    pub fn date(&mut self) -> Result<i64> {
        self.int()
    }

    /// Reads an IPv4 address of four bytes.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn ipv4(&mut self) -> Result<Ipv4Addr> {
        Ok(Ipv4Addr::from(*self.fixed::<4>()?))
    }

    /// Reads an IPv6 address of 16 bytes.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn ipv6(&mut self) -> Result<Ipv6Addr> {
        Ok(Ipv6Addr::from(*self.fixed::<16>()?))
    }

    /// Reads a port: two bytes, little endian.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer are left.
    pub fn port(&mut self) -> Result<u16> {
        self.uint16()
    }

    /// Reads an IPv4 address and a port.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer than six bytes are left.
    pub fn ipv4_address(&mut self) -> Result<SocketAddrV4> {
        Ok(SocketAddrV4::new(self.ipv4()?, self.port()?))
    }

    /// Reads an IPv6 address and a port; flow label and scope are 0.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnexpectedEnd`] when fewer than 18 bytes are left.
    pub fn ipv6_address(&mut self) -> Result<SocketAddrV6> {
        Ok(SocketAddrV6::new(self.ipv6()?, self.port()?, 0, 0))
    }
}

/// Refuses an integer that JavaScript cannot represent.
fn representable(start: usize, value: u64) -> Result<u64> {
    if value > UINT_MAX {
        return Err(DecodeError::new(start, DecodeErrorKind::IntegerTooLarge));
    }
    Ok(value)
}

/// 0, 1, 2, 3, ... to 0, -1, 1, -2, ...
const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ (value & 1).wrapping_neg().cast_signed()
}
