//! What a record type implements to be written and read.

use alloc::vec::Vec;

use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::DecodeError;

/// A value with an encoding.
///
/// ```
/// use compact_encoding::{Decode, DecodeError, Decoder, Encode, Encoder, uint_len};
///
/// struct Span { start: u64, length: u64 }
///
/// impl Encode for Span {
///     fn encoded_len(&self) -> usize {
///         uint_len(self.start) + uint_len(self.length)
///     }
///     fn encode(&self, out: &mut Encoder) {
///         out.uint(self.start);
///         out.uint(self.length);
///     }
/// }
///
/// impl<'a> Decode<'a> for Span {
///     fn decode(input: &mut Decoder<'a>) -> Result<Self, DecodeError> {
///         Ok(Self { start: input.uint()?, length: input.uint()? })
///     }
/// }
///
/// assert_eq!(Span { start: 1, length: 300 }.to_vec(), [1, 0xfd, 0x2c, 1]);
/// ```
pub trait Encode {
    /// The number of bytes that [`encode`](Self::encode) appends, exactly.
    fn encoded_len(&self) -> usize;

    /// Appends the encoding to `out`.
    fn encode(&self, out: &mut Encoder);

    /// The encoding alone.
    fn to_vec(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(self.encoded_len());
        self.encode(&mut out);
        out.into_vec()
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encoded_len(&self) -> usize {
        (**self).encoded_len()
    }

    fn encode(&self, out: &mut Encoder) {
        (**self).encode(out);
    }
}

/// A value that can be read from an encoding, borrowing from it where it likes.
pub trait Decode<'a>: Sized {
    /// Reads the value that starts where `input` stands and leaves `input` after it.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not such a value; `input` then stands anywhere.
    fn decode(input: &mut Decoder<'a>) -> Result<Self, DecodeError>;

    /// Reads the value that `bytes` consist of.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), and [`Trailing`](crate::DecodeErrorKind::Trailing) when bytes
    /// are left over.
    fn from_slice(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(bytes);
        let value = Self::decode(&mut input)?;
        input.finish()?;
        Ok(value)
    }
}
