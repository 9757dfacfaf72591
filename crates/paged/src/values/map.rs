//! Sorted maps and sets: stored as the list of their pairs, or elements, in ascending order.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::len_u32;
use super::list::decode_list;
use crate::heap::Entry;
use crate::traits::add;
use crate::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapBytes, Input, ReadError,
    WriteError,
};

/// What the bytes of a map or set say that this crate did not write.
const UNSORTED: ReadError = ReadError::Invalid { what: "a map or set that is not in order" };

/// A sequence on its way to the heap.
struct Elements<I>(I);

impl<C, T: Encode<C>, I: Iterator<Item = T> + Clone> Encode<C> for Elements<I> {
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        let mut len = 0;
        for element in self.0.clone() {
            match element.encode(context, output)? {
                0 => return Err(WriteError::EmptyElement.into()),
                more => len = add(len, more)?,
            }
        }
        Ok(len)
    }
}

impl<K, V> EncodeSized for BTreeMap<K, V> {
    const ENCODED_SIZE: u32 = Entry::ENCODED_SIZE;
}

impl<C, K: Encode<C>, V: Encode<C>> EncodeOnHeap<C> for BTreeMap<K, V> {
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        let count = len_u32(self.len())?;
        heap.insert(context, &Elements(self.iter()))?.sized(count).encode(context, output)
    }
}

impl<C, K: Decode<C> + Ord, V: Decode<C>> DecodeFromHeap<C> for BTreeMap<K, V> {
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        let entry = Entry::decode(input, context)?;
        let offset = u64::from(entry.offset.unwrap());
        let pairs: Vec<(K, V)> = decode_list(heap, offset, u64::from(entry.len), context)?;
        if pairs.is_sorted_by(|(left, _), (right, _)| left < right) {
            Ok(pairs.into_iter().collect())
        } else {
            Err(UNSORTED)
        }
    }
}

impl<T> EncodeSized for BTreeSet<T> {
    const ENCODED_SIZE: u32 = Entry::ENCODED_SIZE;
}

impl<C, T: Encode<C>> EncodeOnHeap<C> for BTreeSet<T> {
    fn encode_on_heap(
        &self,
        context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        let count = len_u32(self.len())?;
        heap.insert(context, &Elements(self.iter()))?.sized(count).encode(context, output)
    }
}

impl<C, T: Decode<C> + Ord> DecodeFromHeap<C> for BTreeSet<T> {
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        let entry = Entry::decode(input, context)?;
        let offset = u64::from(entry.offset.unwrap());
        let elements: Vec<T> = decode_list(heap, offset, u64::from(entry.len), context)?;
        if elements.is_sorted_by(|left, right| left < right) {
            Ok(elements.into_iter().collect())
        } else {
            Err(UNSORTED)
        }
    }
}
