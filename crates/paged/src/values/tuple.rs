//! Tuples: their members one after the other.

use std::io;

use super::sum;
use crate::traits::add;
use crate::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapBytes, Input, ReadError,
};

/// The sum of two sizes that may be unknown.
const fn both(left: Option<u32>, right: Option<u32>) -> Option<u32> {
    match (left, right) {
        (Some(left), Some(right)) => left.checked_add(right),
        _ => None,
    }
}

macro_rules! tuple {
    ($($type:ident $place:tt),+) => {
        impl<$($type: EncodeSized),+> EncodeSized for ($($type,)+) {
            const ENCODED_SIZE: u32 = sum(&[$($type::ENCODED_SIZE),+]);
        }

        impl<Context, $($type: Encode<Context>),+> Encode<Context> for ($($type,)+) {
            #[inline]
            fn encode(&self, context: &Context, output: &mut impl io::Write) -> io::Result<u32> {
                let mut len = 0;
                $(len = add(len, self.$place.encode(context, output)?)?;)+
                Ok(len)
            }
        }

        impl<Context, $($type: EncodeOnHeap<Context>),+> EncodeOnHeap<Context> for ($($type,)+) {
            #[inline]
            fn encode_on_heap(
                &self,
                context: &Context,
                heap: &mut Heap,
                output: &mut impl io::Write,
            ) -> io::Result<u32> {
                let mut len = 0;
                $(len = add(len, self.$place.encode_on_heap(context, heap, output)?)?;)+
                Ok(len)
            }
        }

        impl<Context, $($type: Decode<Context>),+> Decode<Context> for ($($type,)+) {
            const FIXED_SIZE: Option<u32> = {
                let size = Some(0);
                $(let size = both(size, $type::FIXED_SIZE);)+
                size
            };

            #[inline]
            fn decode(input: &mut Input<'_>, context: &mut Context) -> Result<Self, ReadError> {
                Ok(($($type::decode(input, context)?,)+))
            }
        }

        impl<Context, $($type: DecodeFromHeap<Context>),+> DecodeFromHeap<Context>
            for ($($type,)+)
        {
            #[inline]
            fn decode_from_heap<Bytes: HeapBytes + ?Sized>(
                input: &mut Input<'_>,
                context: &mut Context,
                heap: &Bytes,
            ) -> Result<Self, ReadError> {
                Ok(($($type::decode_from_heap(input, context, heap)?,)+))
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
