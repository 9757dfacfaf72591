//! Numbers, truth values and characters: big endian, no alignment.

use std::io;
use std::marker::PhantomData;

use super::needs_no_heap;
use crate::{Decode, Encode, EncodeSized, Input, ReadError};

macro_rules! numbers {
    ($($type:ty: $size:literal),*) => {$(
        impl EncodeSized for $type {
            const ENCODED_SIZE: u32 = $size;
        }

        impl<C> Encode<C> for $type {
            #[inline]
            fn encode(&self, _context: &C, output: &mut impl io::Write) -> io::Result<u32> {
                output.write_all(&self.to_be_bytes())?;
                Ok($size)
            }
        }

        impl<C> Decode<C> for $type {
            const FIXED_SIZE: Option<u32> = Some($size);

            #[inline]
            fn decode(input: &mut Input<'_>, _context: &mut C) -> Result<Self, ReadError> {
                input.array().map(Self::from_be_bytes)
            }
        }

        needs_no_heap!([] $type);
    )*};
}

numbers!(u16: 2, u32: 4, u64: 8, u128: 16, i8: 1, i16: 2, i32: 4, i64: 8, i128: 16, f32: 4, f64: 8);

impl EncodeSized for u8 {
    const ENCODED_SIZE: u32 = 1;
}

impl<C> Encode<C> for u8 {
    #[inline]
    fn encode(&self, _context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        output.write_all(&[*self])?;
        Ok(1)
    }

    #[inline]
    fn encode_all(values: &[Self], _context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        let len = super::len_u32(values.len())?;
        output.write_all(values)?;
        Ok(len)
    }
}

impl<C> Decode<C> for u8 {
    const FIXED_SIZE: Option<u32> = Some(1);

    #[inline]
    fn decode(input: &mut Input<'_>, _context: &mut C) -> Result<Self, ReadError> {
        input.array().map(|[byte]| byte)
    }

    #[inline]
    fn decode_all(
        input: &mut Input<'_>,
        count: usize,
        _context: &mut C,
    ) -> Result<Vec<Self>, ReadError> {
        input.bytes(count as u64).map(std::borrow::Cow::into_owned)
    }

    #[inline]
    fn decode_array<const N: usize>(
        input: &mut Input<'_>,
        _context: &mut C,
    ) -> Result<[Self; N], ReadError> {
        input.array()
    }
}

needs_no_heap!([] u8);

/// A type that is stored as a number of which not every value is one of its own.
macro_rules! stored_as {
    ($type:ty, $number:ty, $what:literal, $from:expr) => {
        impl EncodeSized for $type {
            const ENCODED_SIZE: u32 = <$number>::ENCODED_SIZE;
        }

        impl<C> Encode<C> for $type {
            #[inline]
            fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
                <$number>::from(*self).encode(context, output)
            }
        }

        impl<C> Decode<C> for $type {
            const FIXED_SIZE: Option<u32> = Some(<$number>::ENCODED_SIZE);

            #[inline]
            fn decode(input: &mut Input<'_>, context: &mut C) -> Result<Self, ReadError> {
                let from: fn($number) -> Option<Self> = $from;
                from(<$number>::decode(input, context)?).ok_or(ReadError::Invalid { what: $what })
            }
        }

        needs_no_heap!([] $type);
    };
}

stored_as!(bool, u8, "a bool that is neither 0 nor 1", |byte| match byte {
    0 => Some(false),
    1 => Some(true),
    _ => None,
});
stored_as!(char, u32, "a char that is no Unicode scalar value", Self::from_u32);

/// A type without content.
macro_rules! nothing {
    ([$($generics:tt)*] $type:ty, $value:expr) => {
        impl<$($generics)*> EncodeSized for $type {
            const ENCODED_SIZE: u32 = 0;
        }

        impl<Context, $($generics)*> Encode<Context> for $type {
            fn encode(&self, _context: &Context, _output: &mut impl io::Write) -> io::Result<u32> {
                Ok(0)
            }
        }

        impl<Context, $($generics)*> Decode<Context> for $type {
            const FIXED_SIZE: Option<u32> = Some(0);

            fn decode(_input: &mut Input<'_>, _context: &mut Context) -> Result<Self, ReadError> {
                Ok($value)
            }
        }

        needs_no_heap!([$($generics)*] $type);
    };
}

nothing!([](), ());
nothing!([T: ?Sized] PhantomData<T>, PhantomData);
