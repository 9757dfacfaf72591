//! [`Inline`]: a list or text that carries its length with it, for use on a heap.

use std::io;
use std::ops::{Deref, DerefMut};

use super::nesting::nested;
use super::text::NOT_UTF8;
use super::{encode_elements, len_u32, len_usize};
use crate::traits::add;
use crate::{Decode, Encode, Input, ReadError};

/// A list or text on a heap that says how long it is: four bytes for the number of elements, or
/// of bytes of a text, then the elements. Lists of lists are `Vec<Inline<Vec<T>>>`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inline<T>(pub T);

impl<T> Deref for Inline<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Inline<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<C, T: Encode<C>> Encode<C> for Inline<Vec<T>> {
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        let count = len_u32(self.0.len())?;
        let len = count.encode(context, output)?;
        add(len, nested(|| encode_elements(&self.0, context, output))?)
    }
}

impl<C, T: Decode<C>> Decode<C> for Inline<Vec<T>> {
    fn decode(input: &mut Input<'_>, context: &mut C) -> Result<Self, ReadError> {
        let count = u32::decode(input, context)?;
        let count = len_usize(u64::from(count))?;
        input.nested(|input| T::decode_all(input, count, context)).map(Self)
    }
}

/// Writes a text and its length.
fn encode_text<C>(text: &str, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
    let len = len_u32(text.len())?;
    add(len.encode(context, output)?, text.encode(context, output)?)
}

impl<C> Encode<C> for Inline<String> {
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        encode_text(&self.0, context, output)
    }
}

impl<C> Encode<C> for Inline<&str> {
    fn encode(&self, context: &C, output: &mut impl io::Write) -> io::Result<u32> {
        encode_text(self.0, context, output)
    }
}

impl<C> Decode<C> for Inline<String> {
    fn decode(input: &mut Input<'_>, context: &mut C) -> Result<Self, ReadError> {
        let len = u32::decode(input, context)?;
        let bytes = input.bytes(u64::from(len))?.into_owned();
        String::from_utf8(bytes).map(Self).map_err(|_| NOT_UTF8)
    }
}
