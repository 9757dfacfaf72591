//! Integers.

use std::io;

use crate::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapBytes, Input, ReadError,
};

macro_rules! integers {
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

        impl<C> EncodeOnHeap<C> for $type {
            #[inline]
            fn encode_on_heap(
                &self,
                context: &C,
                _heap: &mut Heap,
                output: &mut impl io::Write,
            ) -> io::Result<u32> {
                self.encode(context, output)
            }
        }

        impl<C> Decode<C> for $type {
            const FIXED_SIZE: Option<u32> = Some($size);

            #[inline]
            fn decode(input: &mut Input<'_>, _context: &mut C) -> Result<Self, ReadError> {
                input.array().map(Self::from_be_bytes)
            }
        }

        impl<C> DecodeFromHeap<C> for $type {
            #[inline]
            fn decode_from_heap<H: HeapBytes + ?Sized>(
                input: &mut Input<'_>,
                context: &mut C,
                _heap: &H,
            ) -> Result<Self, ReadError> {
                Self::decode(input, context)
            }
        }
    )*};
}

integers!(u8: 1, u16: 2, u32: 4, u64: 8, u128: 16, i8: 1, i16: 2, i32: 4, i64: 8, i128: 16);
