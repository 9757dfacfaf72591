//! Any bytes give a value or an error: no panic, and memory within a constant times the input,
//! counted by the allocator.
#![expect(unsafe_code, reason = "a counting allocator can only be written as an unsafe impl")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use compact_encoding::{Any, DecodeError, Decoder};
use proptest::prelude::*;

thread_local! {
    /// Bytes ever asked for by this thread; never given back, so it bounds the peak as well.
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed to the system allocator unchanged; the counter is a thread-local
// cell without a destructor, so counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get().saturating_add(layout.size()));
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` with this layout, as all pointers from here do.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get().saturating_add(size));
        // SAFETY: `pointer` came from `System` with this layout; `size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of memory a decoder may ask for, for each byte of input. The dearest is a list of empty
/// typed values: 24 bytes in memory for one byte of input, in a vector that grows by doubling.
const MEMORY_PER_BYTE: usize = 128;

type Codec = (&'static str, fn(&mut Decoder<'_>) -> Result<(), DecodeError>);

/// Reads with a codec and throws the value away, but not before it is complete.
macro_rules! codec {
    ($name:literal, $read:expr) => {
        ($name, |input| {
            let read: fn(&mut Decoder<'_>) -> Result<_, DecodeError> = $read;
            black_box(read(input)?);
            Ok(())
        })
    };
}

/// Codecs that borrow what they read.
const BORROWING: &[Codec] = &[
    codec!("uint", |i| i.uint()),
    codec!("uint8", |i| i.uint8()),
    codec!("uint16", |i| i.uint16()),
    codec!("uint24", |i| i.uint24()),
    codec!("uint32", |i| i.uint32()),
    codec!("uint40", |i| i.uint40()),
    codec!("uint48", |i| i.uint48()),
    codec!("uint56", |i| i.uint56()),
    codec!("uint64", |i| i.uint64()),
    codec!("uint32_be", |i| i.uint32_be()),
    codec!("uint64_be", |i| i.uint64_be()),
    codec!("int", |i| i.int()),
    codec!("int8", |i| i.int8()),
    codec!("int16", |i| i.int16()),
    codec!("int24", |i| i.int24()),
    codec!("int32", |i| i.int32()),
    codec!("int40", |i| i.int40()),
    codec!("int48", |i| i.int48()),
    codec!("int56", |i| i.int56()),
    codec!("int64", |i| i.int64()),
    codec!("lexint", |i| i.lexint()),
    codec!("float32", |i| i.float32()),
    codec!("float64", |i| i.float64()),
    codec!("bool", |i| i.bool()),
    codec!("fixed", |i| i.fixed::<32>().map(|bytes| bytes[0])),
    codec!("buffer", |i| i.buffer().map(<[u8]>::len)),
    codec!("optional_buffer", |i| i.optional_buffer().map(|b| b.map(<[u8]>::len))),
    codec!("string", |i| i.string().map(str::len)),
    codec!("ascii", |i| i.ascii().map(str::len)),
    codec!("rest", |i| Ok(i.rest().len())),
    codec!("array_len", |i| i.array_len(0)),
    codec!("frame", |i| i.frame()?.frame()?.uint()),
    codec!("bitarray", |i| i.bitarray().map(|bits| bits.iter().count())),
    codec!("uint32array", |i| i.uint32array().map(|words| words.iter().count())),
    codec!("date", |i| i.date()),
    codec!("ipv4_address", |i| i.ipv4_address()),
    codec!("ipv6_address", |i| i.ipv6_address()),
];

/// Codecs that collect elements.
const COLLECTING: &[Codec] = &[
    codec!("any", |i| i.any().map(|value| value == Any::None)),
    codec!("array of uint", |i| i.array(1, |i| i.uint()).map(|all| all.len())),
    codec!("array of buffers", |i| i.array(1, |i| i.buffer()).map(|all| all.len())),
    codec!("array of fixed32", |i| i.array(32, |i| i.fixed::<32>()).map(|all| all.len())),
];

/// Runs `read` over `bytes` again and again until they are used up; gives the memory it took.
fn memory(bytes: &[u8], read: fn(&mut Decoder<'_>) -> Result<(), DecodeError>) -> usize {
    let before = ALLOCATED.get();
    let mut input = Decoder::new(bytes);
    while !input.is_empty() {
        let start = input.position();
        match read(&mut input) {
            Ok(()) => assert!(input.position() > start && input.position() <= bytes.len()),
            Err(error) => {
                assert!(error.offset >= start && error.offset <= bytes.len(), "{error}");
                break;
            }
        }
        assert_eq!(input.position() + input.remaining(), bytes.len());
    }
    ALLOCATED.get() - before
}

fn check(bytes: &[u8]) {
    for (name, read) in BORROWING {
        assert_eq!(memory(bytes, *read), 0, "{name} of {bytes:02x?}");
    }
    check_collecting(bytes);
}

fn check_collecting(bytes: &[u8]) {
    for (name, read) in COLLECTING {
        let memory = memory(bytes, *read);
        assert!(memory <= MEMORY_PER_BYTE * bytes.len(), "{name}: {memory} for {bytes:02x?}");
    }
}

/// Bytes that mean something: types of values, small counts, long forms with large claims.
fn structured() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![0_u8, 1, 2, 3, 4, 7, 7, 8, 9, 10, 0xfb]).prop_map(|b| vec![b]),
        1 => any::<u16>().prop_map(|n| [&[0xfd], &n.to_le_bytes()[..]].concat()),
        1 => (0_u32..0x20_0000).prop_map(|n| [&[0xfe], &n.to_le_bytes()[..]].concat()),
        1 => any::<u64>().prop_map(|n| [&[0xff], &n.to_le_bytes()[..]].concat()),
        1 => any::<[u8; 4]>().prop_map(Vec::from),
    ];
    prop::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }

    #[test]
    fn bytes_with_structure(bytes in structured()) {
        check(&bytes);
    }
}

#[test]
fn worst_cases() {
    let count = |count: u32| [&[0xfe], &count.to_le_bytes()[..]].concat();
    // As many elements as an array may claim: present as one byte each, and absent.
    check_collecting(&[&[7], &count(0x10_0000)[..], &vec![0; 0x10_0000]].concat());
    check_collecting(&[&count(0x10_0000)[..], &vec![0; 0x10_0000]].concat());
    check_collecting(&[&[7], &count(0x10_0000)[..]].concat());
    // Every level claims all that is left.
    let mut nested = Vec::new();
    for _ in 0..60 {
        nested.extend([&[7], &count(10_000)[..]].concat());
    }
    nested.resize(20_000, 0);
    check_collecting(&nested);
    // Far deeper than the stack would hold, were depth not limited.
    check_collecting(&[7, 1].repeat(100_000));
    check_collecting(&[8, 1, 0].repeat(100_000));
    // The smallest containers, each with an allocation of its own.
    check_collecting(&[&[7], &count(100_000)[..], &[7, 1, 0].repeat(100_000)].concat());
    check_collecting(&[&[7], &count(100_000)[..], &[8, 1, 0, 0].repeat(100_000)].concat());
    // The greatest lengths.
    for tag in [1, 2, 3, 7, 8] {
        check(&[tag, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0]);
        check(&[tag, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
}
