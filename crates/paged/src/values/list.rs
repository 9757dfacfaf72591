//! Lists: elements back to back on the heap, offset and number of elements in the entry.

use std::io;

use super::{encode_elements, len_u32, len_usize};
use crate::heap::Entry;
use crate::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapBytes, Input, ReadError,
};

impl<C, T: Encode<C>> Encode<C> for [T] {
    /// Writes the elements, without their number.
    #[inline]
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        encode_elements(self, context, output)
    }
}

impl<T> EncodeSized for [T] {
    const ENCODED_SIZE: u32 = Entry::ENCODED_SIZE;
}

impl<C, T: Encode<C>> EncodeOnHeap<C> for [T] {
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        let count = len_u32(self.len())?;
        heap.insert(context, self)?.sized(count).encode(context, output)
    }
}

impl<T> EncodeSized for Vec<T> {
    const ENCODED_SIZE: u32 = Entry::ENCODED_SIZE;
}

impl<C, T: Encode<C>> EncodeOnHeap<C> for Vec<T> {
    #[inline]
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        self.as_slice().encode_on_heap(context, heap, output)
    }
}

impl<C, T: Decode<C>> DecodeFromHeap<C> for Vec<T> {
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        let entry = Entry::decode(input, context)?;
        decode_list(heap, u64::from(entry.offset.unwrap()), u64::from(entry.len), context)
    }
}

/// Decodes `count` elements from byte `offset` of `heap` on: in one piece when it is known how
/// many bytes they take, else a window at a time.
pub(super) fn decode_list<C, T: Decode<C>, H: HeapBytes + ?Sized>(
    heap: &H,
    offset: u64,
    count: u64,
    context: &mut C,
) -> Result<Vec<T>, ReadError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let elements = len_usize(count)?;
    match T::FIXED_SIZE {
        Some(size) => {
            let outside = ReadError::OutsideHeap { offset, len: u64::MAX, heap_len: heap.len() };
            let len = count.checked_mul(u64::from(size)).ok_or(outside)?;
            let bytes = heap.bytes(offset, len)?;
            T::decode_all(&mut Input::new(&bytes), elements, context)
        }
        None => T::decode_all(&mut Input::from_heap(heap, offset)?, elements, context),
    }
}
