//! [`Wide`]: lists and texts on heaps that are larger than 4 GiB.

use std::io;
use std::ops::{Deref, DerefMut};

use super::list::decode_list;
use super::text::NOT_UTF8;
use crate::heap::WideEntry;
use crate::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapBytes, Input, ReadError,
};

/// A list or text that may start anywhere on a heap of any size: offset and length take eight
/// bytes each in the entry, where those of `Vec` and `String` take four. A value by itself is
/// shorter than 4 GiB all the same.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wide<T>(pub T);

impl<T> Deref for Wide<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Wide<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> EncodeSized for Wide<T> {
    const ENCODED_SIZE: u32 = WideEntry::ENCODED_SIZE;
}

fn encode_wide<C>(
    value: &(impl Encode<C> + ?Sized),
    len: usize,
    context: &C,
    heap: &mut Heap,
    output: &mut impl io::Write,
) -> io::Result<u32> {
    let offset = heap.insert_wide(context, value)?;
    WideEntry { offset, len: len as u64 }.encode(context, output)
}

impl<C, T: Encode<C>> EncodeOnHeap<C> for Wide<Vec<T>> {
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        encode_wide(self.0.as_slice(), self.0.len(), context, heap, output)
    }
}

impl<C, T: Encode<C>> EncodeOnHeap<C> for Wide<&[T]> {
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        encode_wide(self.0, self.0.len(), context, heap, output)
    }
}

impl<C> EncodeOnHeap<C> for Wide<String> {
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        encode_wide(self.0.as_str(), self.0.len(), context, heap, output)
    }
}

impl<C> EncodeOnHeap<C> for Wide<&str> {
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        encode_wide(self.0, self.0.len(), context, heap, output)
    }
}

impl<C, T: Decode<C>> DecodeFromHeap<C> for Wide<Vec<T>> {
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        let entry = WideEntry::decode(input, context)?;
        decode_list(heap, entry.offset, entry.len, context).map(Self)
    }
}

impl<C> DecodeFromHeap<C> for Wide<String> {
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        let entry = WideEntry::decode(input, context)?;
        let bytes = heap.bytes(entry.offset, entry.len)?;
        String::from_utf8(bytes.into_owned()).map(Self).map_err(|_| NOT_UTF8)
    }
}
