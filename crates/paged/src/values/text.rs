//! Texts: UTF-8 on the heap, offset and length in bytes in the entry.

use std::io;

use crate::heap::Entry;
use crate::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapBytes, Input, ReadError,
};

pub(super) const NOT_UTF8: ReadError = ReadError::Invalid { what: "a text that is not UTF-8" };

impl<C> Encode<C> for str {
    /// Writes the bytes of the text, without their number.
    #[inline]
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        u8::encode_all(self.as_bytes(), context, output)
    }
}

/// Puts a text on `heap` and its entry into `output`.
///
/// # Errors
/// As [`Heap::insert`]; what the output meets.
pub fn encode_string_on_heap(
    heap: &mut Heap,
    output: &mut impl io::Write,
    text: &str,
) -> io::Result<u32> {
    let len = super::len_u32(text.len())?;
    heap.insert(&(), text)?.sized(len).encode(&(), output)
}

impl EncodeSized for str {
    const ENCODED_SIZE: u32 = Entry::ENCODED_SIZE;
}

impl<C> EncodeOnHeap<C> for str {
    #[inline]
    fn encode_on_heap(
        &self,
        _context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        encode_string_on_heap(heap, output, self)
    }
}

impl EncodeSized for String {
    const ENCODED_SIZE: u32 = Entry::ENCODED_SIZE;
}

impl<C> EncodeOnHeap<C> for String {
    #[inline]
    fn encode_on_heap(
        &self,
        _context: &C,
        heap: &mut Heap,
        output: &mut impl io::Write,
    ) -> io::Result<u32> {
        encode_string_on_heap(heap, output, self)
    }
}

impl<C> DecodeFromHeap<C> for String {
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut C,
        heap: &H,
    ) -> Result<Self, ReadError> {
        let entry = Entry::decode(input, context)?;
        let bytes = heap.bytes(u64::from(entry.offset.unwrap()), u64::from(entry.len))?;
        Self::from_utf8(bytes.into_owned()).map_err(|_| NOT_UTF8)
    }
}
