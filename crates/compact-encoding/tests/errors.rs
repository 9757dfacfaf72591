//! A refusal says what is wrong and at which byte, counted from the start of the outermost input.

use compact_encoding::DecodeErrorKind::{
    IntegerTooLarge, Invalid, InvalidUtf8, TooManyElements, Trailing, UnexpectedEnd,
};
use compact_encoding::{DecodeError, DecodeErrorKind, Decoder};

fn check<T: std::fmt::Debug + PartialEq>(
    bytes: &[u8],
    read: impl for<'a> FnOnce(&mut Decoder<'a>) -> Result<T, DecodeError>,
    offset: usize,
    kind: DecodeErrorKind,
) {
    assert_eq!(read(&mut Decoder::new(bytes)), Err(DecodeError::new(offset, kind)), "{bytes:02x?}");
}

const TWO_TO_53: [u8; 8] = [0, 0, 0, 0, 0, 0, 0x20, 0];

#[test]
fn kinds_and_offsets() {
    check(&[], |i| i.uint(), 0, UnexpectedEnd);
    check(&[0xfd, 1], |i| i.uint(), 1, UnexpectedEnd);
    check(&[&[0xff], &TWO_TO_53[..]].concat(), |i| i.uint(), 0, IntegerTooLarge);
    check(&[&[0xff], &TWO_TO_53[..]].concat(), |i| i.int(), 0, IntegerTooLarge);
    check(&TWO_TO_53, |i| i.uint64(), 0, IntegerTooLarge);
    check(&TWO_TO_53[..7], |i| i.uint56(), 0, IntegerTooLarge);
    check(&[0, 0x20, 0, 0, 0, 0, 0, 0], |i| i.uint64_be(), 0, IntegerTooLarge);
    check(&[0xff, 0, 0, 0, 0, 0, 0, 0], |i| i.lexint(), 0, IntegerTooLarge);
    check(&[5, 1, 2], |i| i.buffer().map(<[u8]>::to_vec), 0, UnexpectedEnd);
    check(&[1, 0xff], |i| i.string().map(str::to_owned), 0, InvalidUtf8);
    check(&[2, 0xc3, 0xa9], |i| i.ascii().map(str::to_owned), 0, InvalidUtf8);
    check(&[0xfe, 1, 0, 0x10, 0], |i| i.array_len(1), 0, TooManyElements);
    check(&[2, 0, 0, 0], |i| i.array_len(2), 0, UnexpectedEnd);
    check(&[9, 0], |i| i.bitarray().map(|bits| bits.len()), 1, UnexpectedEnd);
    check(&[1, 0, 0, 0], |i| i.uint32array().map(|words| words.len()), 1, UnexpectedEnd);
    check(&[7, 2, 0, 10], |i| i.any().map(|_| ()), 3, Invalid("type of value"));
    check(&[0; 31], |i| i.fixed::<32>().copied(), 0, UnexpectedEnd);
    check(&[0], |i| i.clone().finish(), 0, Trailing);
}

/// What a count claims is compared with what is there at once, before any element is read.
#[test]
fn counts_are_judged_where_they_stand() {
    let mut most = vec![0xfe, 0, 0, 0x10, 0];
    most.resize(5 + 0x10_0000, 0);
    assert_eq!(Decoder::new(&most).array_len(1), Ok(0x10_0000));
    check(&most[..most.len() - 1], |i| i.array_len(1), 0, UnexpectedEnd);
    // A minimum of 0 counts as 1.
    check(&most[..most.len() - 1], |i| i.array_len(0), 0, UnexpectedEnd);
    check(&[2, 0, 0, 0], |i| i.array_len(usize::MAX), 0, UnexpectedEnd);
    // An element of a list takes a byte, one of an object two.
    check(&[7, 3, 0, 0], |i| i.any().map(|_| ()), 1, UnexpectedEnd);
    check(&[8, 2, 0, 0, 0], |i| i.any().map(|_| ()), 1, UnexpectedEnd);
    most[3] = 0x11;
    check(&[&[7], &most[..]].concat(), |i| i.any().map(|_| ()), 1, TooManyElements);
    check(&[&[8], &most[..]].concat(), |i| i.any().map(|_| ()), 1, TooManyElements);
}

#[test]
fn frames_count_from_the_outermost_start() {
    // A byte, a frame of four with a frame of two in it, in which a buffer claims five.
    let bytes = [0, 4, 9, 2, 5, 1, 0xaa];
    let mut input = Decoder::new(&bytes);
    assert_eq!(input.uint8(), Ok(0));
    let mut outer = input.frame().unwrap();
    assert_eq!((outer.position(), outer.remaining()), (2, 4));
    assert_eq!(outer.uint8(), Ok(9));
    let mut inner = outer.frame().unwrap();
    assert_eq!(inner.buffer(), Err(DecodeError::new(4, UnexpectedEnd)));
    assert_eq!(outer.finish(), Ok(()));
    // The bytes after the frame were never within its reach.
    assert_eq!((input.position(), input.peek()), (6, &[0xaa][..]));
    assert_eq!(input.finish(), Err(DecodeError::new(6, Trailing)));
}

#[test]
fn sentences() {
    let sentence = |kind| DecodeError::new(7, kind).to_string();
    assert_eq!(sentence(UnexpectedEnd), "input ends inside a value at byte 7");
    assert_eq!(sentence(Invalid("flags")), "invalid flags at byte 7");
}
