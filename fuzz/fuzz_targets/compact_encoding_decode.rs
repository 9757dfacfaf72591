//! Every codec on any bytes: no panic, and what was read and written again reads the same.
#![no_main]

use compact_encoding::{DecodeError, Decoder, Encoder, UINT_MAX};
use libfuzzer_sys::fuzz_target;

type Read<T> = fn(&mut Decoder<'_>) -> Result<T, DecodeError>;

/// Reads a value; if there is one, writing it gives bytes that read back as the same.
fn check<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    read: Read<T>,
    write: impl Fn(&mut Encoder, &T),
) {
    let mut input = Decoder::new(bytes);
    let result = read(&mut input);
    assert_eq!(input.position() + input.remaining(), bytes.len());
    match result {
        Err(error) => assert!(error.offset <= bytes.len()),
        Ok(value) => {
            let mut out = Encoder::new();
            write(&mut out, &value);
            assert!(out.len() <= input.position(), "not the shortest form");
            assert_eq!(read(&mut Decoder::new(out.as_slice())), Ok(value));
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes, |i| i.uint(), |o, v| o.uint(*v));
    check(bytes, |i| i.uint24(), |o, v| o.uint24(*v).unwrap());
    check(bytes, |i| i.uint40(), |o, v| o.uint40(*v).unwrap());
    check(bytes, |i| i.uint48(), |o, v| o.uint48(*v).unwrap());
    check(bytes, |i| i.uint56(), |o, v| o.uint56(*v).unwrap());
    check(bytes, |i| i.uint64_be(), |o, v| o.uint64_be(*v));
    check(bytes, |i| i.int(), |o, v| o.int(*v));
    check(bytes, |i| i.int8(), |o, v| o.int8(*v));
    check(bytes, |i| i.int32(), |o, v| o.int32(*v));
    check(bytes, |i| i.int64(), |o, v| o.int64(*v));
    check(bytes, |i| i.bool(), |o, v| o.bool(*v));
    check(bytes, |i| Ok(i.float64()?.to_bits()), |o, v| o.float64(f64::from_bits(*v)));
    check(bytes, |i| i.buffer().map(<[u8]>::to_vec), |o, v| o.buffer(v));
    check(bytes, |i| i.string().map(str::to_owned), |o, v| o.string(v));
    check(bytes, |i| i.array(1, |i| i.uint()), |o, v| o.array(v, |o, n| o.uint(*n)));
    check(bytes, |i| Ok(i.bitarray()?.iter().collect::<Vec<_>>()), |o, v| o.bitarray(v));
    check(bytes, |i| Ok(i.uint32array()?.iter().collect::<Vec<_>>()), |o, v| o.uint32array(v));
    check(bytes, |i| i.frame().map(|f| f.peek().to_vec()), |o, v| o.frame_with(|o| o.raw(v)));
    check(bytes, |i| i.ipv6_address(), |o, v| o.ipv6_address(*v));
    if let Ok(number) = Decoder::new(bytes).lexint() {
        assert!(number <= UINT_MAX);
    }
    // Not compared as values, since a NaN differs from itself.
    if let Ok(value) = Decoder::new(bytes).any() {
        let (mut first, mut second) = (Encoder::new(), Encoder::new());
        first.any(&value).unwrap();
        second.any(&Decoder::new(first.as_slice()).any().unwrap()).unwrap();
        assert_eq!(first, second);
    }
});
