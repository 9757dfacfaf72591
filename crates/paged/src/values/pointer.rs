//! References and boxes: stored as what they point to.

use std::io;

use super::nesting::nested;
use crate::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapBytes, Input, ReadError,
};

/// Lends the implementations of what `$type` points to, and lets `$within` encode it.
macro_rules! pointer {
    ($([$($lifetime:lifetime)?] $type:ty: $within:ident),*) => {$(
        impl<$($lifetime,)? T: EncodeSized + ?Sized> EncodeSized for $type {
            const ENCODED_SIZE: u32 = T::ENCODED_SIZE;
        }

        impl<$($lifetime,)? C, T: Encode<C> + ?Sized> Encode<C> for $type {
            #[inline]
            fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
                $within(|| (**self).encode(context, output))
            }
        }

        impl<$($lifetime,)? C, T: EncodeOnHeap<C> + ?Sized> EncodeOnHeap<C> for $type {
            #[inline]
            fn encode_on_heap(
                &self,
                context: &C,
                heap: &mut Heap,
                output: &mut impl io::Write,
            ) -> io::Result<u32> {
                (**self).encode_on_heap(context, heap, output)
            }
        }
    )*};
}

/// A reference is in nothing: values that have references in them are written only.
fn plainly<T>(encode: impl FnOnce() -> T) -> T {
    encode()
}

pointer!(['a] &'a T: plainly, [] Box<T>: nested);

impl<C, T: Decode<C>> Decode<C> for Box<T> {
    const FIXED_SIZE: Option<u32> = T::FIXED_SIZE;

    #[inline]
    fn decode(input: &mut Input<'_>, context: &mut C) -> Result<Self, ReadError> {
        input.nested(|input| T::decode(input, context)).map(Self::new)
    }
}

impl<C, T: DecodeFromHeap<C>> DecodeFromHeap<C> for Box<T> {
    #[inline]
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        T::decode_from_heap(input, context, heap).map(Self::new)
    }
}

impl<C> DecodeFromHeap<C> for Box<str> {
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        String::decode_from_heap(input, context, heap).map(Self::from)
    }
}

impl<C, T: Decode<C>> DecodeFromHeap<C> for Box<[T]> {
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        Vec::decode_from_heap(input, context, heap).map(Self::from)
    }
}
