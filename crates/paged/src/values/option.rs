//! `Option`: a tag, then the value or as many zeros.

use std::io;

use super::pad;
use crate::traits::add;
use crate::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapBytes, Input, ReadError,
};

const NONE: u8 = 0;
const SOME: u8 = 1;

const OTHER_TAG: ReadError = ReadError::Invalid { what: "an option whose tag is neither 0 nor 1" };

impl<T: EncodeSized> EncodeSized for Option<T> {
    const ENCODED_SIZE: u32 = super::sum(&[1, T::ENCODED_SIZE]);
}

impl<C, T: EncodeSized + Encode<C>> Encode<C> for Option<T> {
    #[inline]
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        match self {
            None => add(NONE.encode(context, output)?, pad(output, T::ENCODED_SIZE)?),
            Some(value) => add(SOME.encode(context, output)?, value.encode(context, output)?),
        }
    }
}

impl<C, T: EncodeOnHeap<C>> EncodeOnHeap<C> for Option<T> {
    #[inline]
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        match self {
            None => add(NONE.encode(context, output)?, pad(output, T::ENCODED_SIZE)?),
            Some(value) => {
                add(SOME.encode(context, output)?, value.encode_on_heap(context, heap, output)?)
            }
        }
    }
}

impl<C, T: EncodeSized + Decode<C>> Decode<C> for Option<T> {
    const FIXED_SIZE: Option<u32> = Some(Self::ENCODED_SIZE);

    #[inline]
    fn decode(input: &mut Input<'_>, context: &mut C) -> Result<Self, ReadError> {
        match input.array()? {
            [NONE] => input.skip(T::ENCODED_SIZE).map(|()| None),
            [SOME] => T::decode(input, context).map(Some),
            _ => Err(OTHER_TAG),
        }
    }
}

impl<C, T: EncodeSized + DecodeFromHeap<C>> DecodeFromHeap<C> for Option<T> {
    #[inline]
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        match input.array()? {
            [NONE] => input.skip(T::ENCODED_SIZE).map(|()| None),
            [SOME] => T::decode_from_heap(input, context, heap).map(Some),
            _ => Err(OTHER_TAG),
        }
    }
}
