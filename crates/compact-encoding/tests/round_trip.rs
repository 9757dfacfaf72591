//! What is written reads back, in the layout that plain arithmetic gives.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use compact_encoding::{
    ANY_DEPTH_MAX, ARRAY_LEN_MAX, Any, Decode, DecodeError, DecodeErrorKind, Decoder, Encode,
    EncodeError, Encoder, INT_MAX, INT_MIN, UINT_MAX, buffer_len, int_len, uint_len,
};
use proptest::prelude::*;

/// Writes with `write`, reads with `read`, and expects all bytes to be used.
fn check<T: PartialEq + std::fmt::Debug>(
    value: T,
    write: impl FnOnce(&mut Encoder, &T),
    read: impl FnOnce(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Vec<u8> {
    let mut out = Encoder::new();
    write(&mut out, &value);
    let bytes = out.into_vec();
    let mut input = Decoder::new(&bytes);
    assert_eq!(read(&mut input), Ok(value));
    assert_eq!(input.finish(), Ok(()));
    bytes
}

/// The low `len` bytes, lowest first.
fn little(value: u64, len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(value / 256_u64.pow(at as u32) % 256).unwrap()).collect()
}

/// The text of formats.md section 2 for `uint`.
fn uint_model(value: u64) -> Vec<u8> {
    let (tag, len) = match value {
        0..=0xfc => (None, 1),
        0xfd..=0xffff => (Some(0xfd), 2),
        0x1_0000..=0xffff_ffff => (Some(0xfe), 4),
        _ => (Some(0xff), 8),
    };
    tag.into_iter().chain(little(value, len)).collect()
}

/// 0, 1, 2, 3, 4 for 0, -1, 1, -2, 2.
fn zigzag_model(value: i64) -> u64 {
    let twice = 2 * i128::from(value);
    u64::try_from(if value < 0 { -twice - 1 } else { twice }).unwrap()
}

/// Integers of every width.
fn uint() -> impl Strategy<Value = u64> {
    (any::<u64>(), 11_u32..64).prop_map(|(value, shift)| value >> shift)
}

fn int() -> impl Strategy<Value = i64> {
    (any::<i64>(), 11_u32..64).prop_map(|(value, shift)| value >> shift)
}

/// Owned twin of [`Any`].
#[derive(Debug, Clone)]
enum Tree {
    Leaf(u8, u64, i64, Vec<u8>, String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = (0_u8..8, uint(), int(), any::<Vec<u8>>(), ".{0,6}")
        .prop_map(|(kind, uint, int, bytes, text)| Tree::Leaf(kind, uint, int, bytes, text));
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array),
            prop::collection::vec((".{0,3}", inner), 0..5).prop_map(Tree::Object),
        ]
    })
}

fn borrow(tree: &Tree) -> Any<'_> {
    match tree {
        Tree::Leaf(0, ..) => Any::None,
        Tree::Leaf(1, uint, ..) => Any::Bool(uint % 2 == 1),
        Tree::Leaf(2, .., text) => Any::String(text),
        Tree::Leaf(3, _, _, bytes, _) => Any::Buffer(bytes),
        Tree::Leaf(4, uint, ..) => Any::Uint(*uint),
        Tree::Leaf(5, _, int, ..) => Any::Int(*int),
        Tree::Leaf(6, uint, ..) => Any::Float64(*uint as f64 / 3.0),
        Tree::Leaf(_, _, int, ..) => Any::Date(*int),
        Tree::Array(elements) => Any::Array(elements.iter().map(borrow).collect()),
        Tree::Object(entries) => {
            Any::Object(entries.iter().map(|(key, value)| (&**key, borrow(value))).collect())
        }
    }
}

proptest! {
    #[test]
    fn unsigned(value in uint()) {
        let bytes = check(value, |o, v| o.uint(*v), |i| i.uint());
        prop_assert_eq!(&bytes, &uint_model(value));
        prop_assert_eq!(bytes.len(), uint_len(value));
        prop_assert_eq!(check(value, |o, v| o.uint64(*v), |i| i.uint64()), little(value, 8));
        let mut big = little(value, 8);
        big.reverse();
        prop_assert_eq!(check(value, |o, v| o.uint64_be(*v), |i| i.uint64_be()), big);
        check(value as u8, |o, v| o.uint8(*v), |i| i.uint8());
        check(value as u16, |o, v| o.uint16(*v), |i| i.uint16());
        check(value as u16, |o, v| o.port(*v), |i| i.port());
        check(value as u32, |o, v| o.uint32(*v), |i| i.uint32());
        check(value as u32, |o, v| o.uint32_be(*v), |i| i.uint32_be());
    }

    /// The widths that no Rust integer has: exact up to their limit, an error above it.
    #[test]
    fn narrow(value in uint(), signed in int()) {
        type Write<T> = fn(&mut Encoder, T) -> Result<(), EncodeError>;
        type Read<T> = fn(&mut Decoder<'_>) -> Result<T, DecodeError>;
        let unsigned: [(usize, Write<u64>, Read<u64>); 4] = [
            (3, |o, v| o.uint24(v.min(u32::MAX.into()) as u32), |i| i.uint24().map(u64::from)),
            (5, Encoder::uint40, |i| i.uint40()),
            (6, Encoder::uint48, |i| i.uint48()),
            (7, Encoder::uint56, |i| i.uint56()),
        ];
        for (len, write, read) in unsigned {
            let mut out = Encoder::new();
            let written = write(&mut out, value);
            if value >> (8 * len) == 0 {
                prop_assert_eq!(written, Ok(()));
                prop_assert_eq!(out.as_slice(), little(value, len));
                prop_assert_eq!(read(&mut Decoder::new(out.as_slice())), Ok(value));
            } else {
                prop_assert_eq!(written, Err(EncodeError::OutOfRange));
                prop_assert!(out.is_empty());
            }
        }
        let clamp = |v: i64| v.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let widths: [(usize, Write<i64>, Read<i64>); 4] = [
            (3, |o, v| o.int24(v.clamp(i32::MIN.into(), i32::MAX.into()) as i32), |i| i.int24().map(i64::from)),
            (5, Encoder::int40, |i| i.int40()),
            (6, Encoder::int48, |i| i.int48()),
            (7, Encoder::int56, |i| i.int56()),
        ];
        for (len, write, read) in widths {
            let value = if len == 3 { i64::from(clamp(signed)) } else { signed };
            let mut out = Encoder::new();
            let written = write(&mut out, value);
            if zigzag_model(value) >> (8 * len) == 0 {
                prop_assert_eq!(written, Ok(()));
                prop_assert_eq!(out.as_slice(), little(zigzag_model(value), len));
                prop_assert_eq!(read(&mut Decoder::new(out.as_slice())), Ok(value));
            } else {
                prop_assert_eq!(written, Err(EncodeError::OutOfRange));
                prop_assert!(out.is_empty());
            }
        }
    }

    #[test]
    fn signed(value in int()) {
        let bytes = check(value, |o, v| o.int(*v), |i| i.int());
        prop_assert_eq!(&bytes, &uint_model(zigzag_model(value)));
        prop_assert_eq!(bytes.len(), int_len(value));
        let bytes = check(value, |o, v| o.int64(*v), |i| i.int64());
        prop_assert_eq!(bytes, little(zigzag_model(value), 8));
        check(value as i8, |o, v| o.int8(*v), |i| i.int8());
        check(value as i16, |o, v| o.int16(*v), |i| i.int16());
        check(value as i32, |o, v| o.int32(*v), |i| i.int32());
        check(value, |o, v| o.date(*v), |i| i.date());
    }

    #[test]
    fn ordered(a in any::<u32>(), b in any::<u32>(), shift in 0_u32..32) {
        let write = |v| check(u64::from(v), |o, v| o.lexint(*v as u32), |i| i.lexint());
        let (a, b) = (a >> shift, b >> shift);
        prop_assert_eq!(write(a).cmp(&write(b)), a.cmp(&b));
    }

    #[test]
    fn floats(single in any::<f32>(), double in any::<f64>()) {
        check(single.to_bits(), |o, v| o.float32(f32::from_bits(*v)), |i| Ok(i.float32()?.to_bits()));
        check(double.to_bits(), |o, v| o.float64(f64::from_bits(*v)), |i| Ok(i.float64()?.to_bits()));
    }

    #[test]
    fn byte_strings(bytes in prop::collection::vec(any::<u8>(), 0..600), text in ".{0,80}") {
        let written = check(bytes.clone(), |o, v| o.buffer(v), |i| Ok(i.buffer()?.to_vec()));
        prop_assert_eq!(written.len(), buffer_len(bytes.len()));
        check(bytes.clone(), |o, v| o.raw(v), |i| Ok(i.rest().to_vec()));
        check(bytes.clone(), |o, v| o.fixed(v), |i| Ok(i.bytes(bytes.len())?.to_vec()));
        let optional = (!bytes.is_empty()).then_some(bytes);
        check(optional, |o, v| o.optional_buffer(v.as_deref()), |i| Ok(i.optional_buffer()?.map(<[u8]>::to_vec)));
        check(text.clone(), |o, v| o.string(v), |i| Ok(i.string()?.to_owned()));
        if text.is_ascii() {
            check(text, |o, v| o.string(v), |i| Ok(i.ascii()?.to_owned()));
        }
    }

    #[test]
    fn arrays(bits in any::<Vec<bool>>(), words in any::<Vec<u32>>(), texts in prop::collection::vec(".{0,4}", 0..20)) {
        check(bits.clone(), |o, v| o.bitarray(v), |i| Ok(i.bitarray()?.into_iter().collect()));
        check(words.clone(), |o, v| o.uint32array(v), |i| Ok(i.uint32array()?.into_iter().collect()));
        check(words.clone(), |o, v| o.array(v, |o, w| o.uint32(*w)), |i| i.array(4, |i| i.uint32()));
        check(texts, |o, v| o.array(v, |o, t| o.string(t)), |i| i.array(1, |i| Ok(i.string()?.to_owned())));
        let mut out = Encoder::new();
        out.bitarray(&bits);
        let array = Decoder::new(out.as_slice()).bitarray().unwrap();
        prop_assert_eq!(array.len(), bits.len() as u64);
        for (at, bit) in bits.iter().enumerate() {
            prop_assert_eq!(array.get(at as u64), Some(*bit));
        }
        prop_assert_eq!(array.get(array.len()), None);
        let mut out = Encoder::new();
        out.uint32array(&words);
        let array = Decoder::new(out.as_slice()).uint32array().unwrap();
        prop_assert_eq!(array.len(), words.len());
        prop_assert_eq!(array.get(words.len()), None);
        prop_assert_eq!(array.iter().len(), words.len());
    }

    #[test]
    fn frames(before in any::<u8>(), content in any::<Vec<u8>>(), after in any::<u8>()) {
        let mut out = Encoder::from_vec(vec![before]);
        out.frame_with(|out| out.buffer(&content));
        out.uint8(after);
        let mut model = vec![before];
        model.extend(uint_model(buffer_len(content.len()) as u64));
        model.extend(uint_model(content.len() as u64));
        model.extend(&content);
        model.push(after);
        prop_assert_eq!(out.as_slice(), &model[..]);
        let mut input = Decoder::new(&model);
        prop_assert_eq!(input.uint8(), Ok(before));
        let mut frame = input.frame().unwrap();
        prop_assert_eq!(frame.buffer(), Ok(&content[..]));
        prop_assert_eq!(frame.position(), model.len() - 1);
        prop_assert!(frame.is_empty());
        prop_assert_eq!(input.uint8(), Ok(after));
    }

    #[test]
    fn addresses(four in any::<u32>(), six in any::<u128>(), port in any::<u16>()) {
        let (four, six) = (Ipv4Addr::from(four), Ipv6Addr::from(six));
        check(four, |o, v| o.ipv4(*v), |i| i.ipv4());
        check(six, |o, v| o.ipv6(*v), |i| i.ipv6());
        check(SocketAddrV4::new(four, port), |o, v| o.ipv4_address(*v), |i| i.ipv4_address());
        check(SocketAddrV6::new(six, port, 0, 0), |o, v| o.ipv6_address(*v), |i| i.ipv6_address());
    }

    #[test]
    fn typed_values(tree in tree()) {
        let value = borrow(&tree);
        let mut out = Encoder::new();
        prop_assert_eq!(out.any(&value), Ok(()));
        let bytes = out.into_vec();
        let mut input = Decoder::new(&bytes);
        prop_assert_eq!(input.any().unwrap(), value);
        prop_assert!(input.is_empty());
    }
}

#[test]
fn edges_of_integers() {
    for value in [0, 0xfc, 0xfd, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, UINT_MAX] {
        assert_eq!(check(value, |o, v| o.uint(*v), |i| i.uint()), uint_model(value));
    }
    for value in [INT_MIN, -1, 0, INT_MAX] {
        check(value, |o, v| o.int(*v), |i| i.int());
    }
    for (value, refused) in
        [(INT_MIN, false), (INT_MAX, false), (INT_MIN - 1, true), (INT_MAX + 1, true)]
    {
        let mut out = Encoder::new();
        out.int(value);
        assert_eq!(Decoder::new(out.as_slice()).int().is_err(), refused, "{value}");
        assert_eq!(Encoder::new().any(&Any::Int(value)).is_err(), refused, "{value}");
        assert_eq!(Encoder::new().any(&Any::Date(value)).is_err(), refused, "{value}");
    }
    assert_eq!(Encoder::new().any(&Any::Uint(UINT_MAX + 1)), Err(EncodeError::OutOfRange));
}

/// `levels` arrays around nothing.
fn nested(levels: usize) -> Any<'static> {
    (0..levels).fold(Any::None, |inner, _| Any::Array(vec![inner]))
}

#[test]
fn depth_and_length_are_limited_in_both_directions() {
    let mut out = Encoder::new();
    assert_eq!(out.any(&nested(ANY_DEPTH_MAX)), Ok(()));
    assert_eq!(Decoder::new(out.as_slice()).any(), Ok(nested(ANY_DEPTH_MAX)));
    let mut deeper = vec![7, 1];
    deeper.extend(out.as_slice());
    let error = DecodeError::new(2 * ANY_DEPTH_MAX, DecodeErrorKind::TooDeep);
    assert_eq!(Decoder::new(&deeper).any(), Err(error));

    let mut out = Encoder::new();
    assert_eq!(out.any(&nested(ANY_DEPTH_MAX + 1)), Err(EncodeError::TooDeep));
    let long = Any::Array(vec![Any::None; ARRAY_LEN_MAX + 1]);
    assert_eq!(out.any(&long), Err(EncodeError::TooManyElements));
    assert!(out.is_empty());
}

struct Pair(u64, Vec<u8>);

impl Encode for Pair {
    fn encoded_len(&self) -> usize {
        uint_len(self.0) + buffer_len(self.1.len())
    }
    fn encode(&self, out: &mut Encoder) {
        out.uint(self.0);
        out.buffer(&self.1);
    }
}

impl<'a> Decode<'a> for Pair {
    fn decode(input: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        Ok(Self(input.uint()?, input.buffer()?.to_vec()))
    }
}

#[test]
fn records() -> Result<(), DecodeError> {
    let pair = Pair(300, vec![1, 2]);
    let bytes = pair.to_vec();
    assert_eq!(bytes.len(), Encode::encoded_len(&&pair));
    assert_eq!(bytes, [0xfd, 0x2c, 1, 2, 1, 2]);
    let mut out = Encoder::new();
    out.frame(&pair);
    out.value(&pair);
    assert_eq!(out.as_slice(), [&[6], &bytes[..], &bytes].concat());
    let Pair(number, content) = Pair::from_slice(&bytes)?;
    assert_eq!((number, &content[..]), (300, &[1, 2][..]));
    let trailing = Pair::from_slice(&[&bytes[..], &[0]].concat()).err();
    assert_eq!(trailing, Some(DecodeError::new(6, DecodeErrorKind::Trailing)));
    Ok(())
}
