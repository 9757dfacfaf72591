//! Arrays: their elements one after the other, as many as the type says.

use std::io;

use crate::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapBytes, Input, ReadError,
};

/// The size of `count` values of `size` bytes. Computed while compiling, where a product that does
/// not fit a `u32` is an error.
const fn repeated(size: u32, count: usize) -> u32 {
    let len = (count as u64).checked_mul(size as u64);
    match len {
        Some(len) if len <= u32::MAX as u64 => {
            #[expect(clippy::cast_possible_truncation, reason = "it fits, as the line above says")]
            let len = len as u32;
            len
        }
        _ => panic!("an entry takes less than 4 GiB"),
    }
}

impl<T: EncodeSized, const N: usize> EncodeSized for [T; N] {
    const ENCODED_SIZE: u32 = repeated(T::ENCODED_SIZE, N);
}

impl<C, T: Encode<C>, const N: usize> Encode<C> for [T; N] {
    #[inline]
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        T::encode_all(self, context, output)
    }
}

impl<C, T: EncodeOnHeap<C>, const N: usize> EncodeOnHeap<C> for [T; N] {
    #[inline]
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        T::encode_all_on_heap(self, context, heap, output)
    }
}

impl<C, T: Decode<C>, const N: usize> Decode<C> for [T; N] {
    const FIXED_SIZE: Option<u32> = match T::FIXED_SIZE {
        Some(size) => Some(repeated(size, N)),
        None if N == 0 => Some(0),
        None => None,
    };

    #[inline]
    fn decode(input: &mut Input<'_>, context: &mut C) -> Result<Self, ReadError> {
        T::decode_array(input, context)
    }
}

impl<C, T: DecodeFromHeap<C>, const N: usize> DecodeFromHeap<C> for [T; N] {
    #[inline]
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        T::decode_array_from_heap(input, context, heap)
    }
}
