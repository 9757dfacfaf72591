//! What a store must do, as a list of cases.
//!
//! Each case gets a store of its own and panics with its name when the store is wrong. Positions
//! stay below 2^41, which any sparse store can do.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "numbers and lengths are those of the cases below, all small"
)]

use std::io::IoSlice;

use crate::{Error, RandomAccess, Result, SyncScope};

/// Threads in the case about concurrent calls.
const THREADS: u64 = 4;

/// Checks that the stores `make` gives, each new and empty, do what the crate documentation says.
///
/// Takes well under a second on a sensible store, and may be run on one that is wrapped, such as
/// in [`OneByte`](super::OneByte). Stores that take large reads in several steps are also given
/// to [`conformance_large`].
///
/// # Panics
/// When a store is wrong; the message names the case.
pub fn conformance<S: RandomAccess>(mut make: impl FnMut() -> S) {
    let cases: [Case; 16] = [
        ("a new store is empty", empty),
        ("what is written is read", written),
        ("a read past the end", past_the_end),
        ("offsets that do not fit", too_far),
        ("reads and writes of no bytes", no_bytes),
        ("an allocating read", allocating_read),
        ("gaps", gaps),
        ("discard inside", discard_inside),
        ("discard at the end", discard_at_the_end),
        ("truncate", truncate),
        ("growing again", growing_again),
        ("vectored writes", vectored),
        ("stored ranges", stored_ranges),
        ("threads", threads),
        ("random calls", random_calls),
        ("far apart", far_apart),
    ];
    for (case, check) in cases {
        let store = make();
        check(&Checked { case, store: &store });
    }
}

/// Checks reads and writes of 2 MiB + 1 and 20 MiB, at which stores have gone wrong before.
///
/// # Panics
/// When a store is wrong.
pub fn conformance_large<S: RandomAccess>(mut make: impl FnMut() -> S) {
    for len in [2 * 1024 * 1024 + 1, 20 * 1024 * 1024] {
        let store = make();
        let store = Checked { case: "large", store: &store };
        let data = pattern(len, 7);
        store.write(3, &data);
        let mut read = vec![0; len];
        store.ok(store.store.read_at(3, &mut read));
        assert!(read == data, "{len} bytes read differ from those written");
        let read = store.ok(store.store.read_vec_at(3, len));
        assert!(read == data, "{len} bytes read into a vector differ from those written");
    }
}

/// The name of a case and its check.
type Case = (&'static str, fn(&Checked<'_>));

/// A store that is being checked.
struct Checked<'a> {
    case: &'static str,
    store: &'a dyn RandomAccess,
}

impl Checked<'_> {
    fn ok<T>(&self, result: Result<T>) -> T {
        match result {
            Ok(value) => value,
            Err(error) => panic!("{}: {error} ({error:?})", self.case),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) {
        self.ok(self.store.write_at(offset, data));
    }

    /// The whole store, through both ways of reading.
    fn content(&self) -> Vec<u8> {
        let len = self.ok(self.store.len());
        let mut buffer = vec![0xaa; len as usize];
        self.ok(self.store.read_at(0, &mut buffer));
        let vector = self.ok(self.store.read_vec_at(0, len as usize));
        assert_eq!(vector, buffer, "{}: read_vec_at and read_at differ", self.case);
        buffer
    }

    fn holds(&self, expected: &[u8]) {
        assert_eq!(self.ok(self.store.len()), expected.len() as u64, "{}: length", self.case);
        assert_eq!(self.ok(self.store.is_empty()), expected.is_empty(), "{}", self.case);
        let content = self.content();
        let wrong = content.iter().zip(expected).position(|(is, should)| is != should);
        assert_eq!(wrong, None, "{}: first wrong byte", self.case);
    }

    #[track_caller]
    fn out_of_bounds<T>(&self, result: Result<T>, offset: u64, len: u64, end: u64) {
        match result {
            Err(Error::OutOfBounds { offset: o, len: l, end: e }) => {
                assert_eq!((o, l, e), (offset, len, end), "{}: offset, len, end", self.case);
            }
            Err(error) => panic!("{}: {error:?} instead of OutOfBounds", self.case),
            Ok(_) => panic!("{}: no error instead of OutOfBounds", self.case),
        }
    }

    #[track_caller]
    fn too_large<T>(&self, result: Result<T>) {
        match result {
            Err(Error::TooLarge { .. }) => {}
            Err(error) => panic!("{}: {error:?} instead of TooLarge", self.case),
            Ok(_) => panic!("{}: no error instead of TooLarge", self.case),
        }
    }
}

/// Bytes that differ from their neighbours and are never 0.
fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|place| ((place * 31 + seed * 17) % 251) as u8 + 1).collect()
}

fn empty(store: &Checked<'_>) {
    store.holds(&[]);
    assert_eq!(store.ok(store.store.next_stored(0)), None);
    assert_eq!(store.ok(store.store.stored_len()), 0);
    store.ok(store.store.sync(SyncScope::Data));
    store.ok(store.store.sync(SyncScope::All));
    store.ok(store.store.truncate(0));
    store.ok(store.store.discard(0, 1));
    store.holds(&[]);
}

fn written(store: &Checked<'_>) {
    store.write(0, b"hello world");
    store.holds(b"hello world");
    store.write(6, b"there");
    store.holds(b"hello there");
    store.write(9, b"ats, all");
    store.holds(b"hello theats, all");
    store.ok(store.store.sync(SyncScope::Data));
    store.ok(store.store.sync(SyncScope::All));
    store.holds(b"hello theats, all");
    let mut middle = [0; 3];
    store.ok(store.store.read_at(4, &mut middle));
    assert_eq!(&middle, b"o t", "{}", store.case);
}

fn past_the_end(store: &Checked<'_>) {
    let mut buffer = [0; 4];
    store.out_of_bounds(store.store.read_at(0, &mut buffer[..1]), 0, 1, 0);
    store.write(0, &[1; 10]);
    store.ok(store.store.read_at(6, &mut buffer));
    store.out_of_bounds(store.store.read_at(7, &mut buffer), 7, 4, 10);
    store.out_of_bounds(store.store.read_at(10, &mut buffer), 10, 4, 10);
    store.out_of_bounds(store.store.read_at(1000, &mut buffer), 1000, 4, 10);
    store.out_of_bounds(store.store.read_vec_at(7, 4), 7, 4, 10);
    store.out_of_bounds(store.store.read_vec_at(10, 1), 10, 1, 10);
    store.holds(&[1; 10]);
}

fn too_far(store: &Checked<'_>) {
    store.write(0, b"12345");
    let mut two = [0; 2];
    for offset in [u64::MAX, u64::MAX - 1, u64::MAX - 2, u64::MAX / 2, u64::MAX / 2 - 1] {
        store.out_of_bounds(store.store.read_at(offset, &mut two), offset, 2, 5);
        store.out_of_bounds(store.store.read_vec_at(offset, 2), offset, 2, 5);
    }
    for offset in [u64::MAX, u64::MAX - 1] {
        store.too_large(store.store.write_at(offset, b"ab"));
        let parts = [IoSlice::new(b"a"), IoSlice::new(b"b")];
        store.too_large(store.store.write_vectored_at(offset, &parts));
    }
    store.too_large(store.store.truncate(u64::MAX));
    store.ok(store.store.discard(u64::MAX, u64::MAX));
    store.ok(store.store.discard(u64::MAX, 1));
    assert_eq!(store.ok(store.store.next_stored(u64::MAX)), None, "{}", store.case);
    store.holds(b"12345");
    store.ok(store.store.discard(2, u64::MAX));
    store.holds(b"12");
}

fn no_bytes(store: &Checked<'_>) {
    for offset in [0, 100, u64::MAX] {
        store.write(offset, &[]);
        store.ok(store.store.write_vectored_at(offset, &[]));
        store.ok(store.store.write_vectored_at(offset, &[IoSlice::new(&[])]));
        store.holds(&[]);
    }
    store.ok(store.store.read_at(0, &mut []));
    store.out_of_bounds(store.store.read_at(1, &mut []), 1, 0, 0);
    store.write(0, b"abc");
    store.write(1, &[]);
    for offset in 0..=3 {
        store.ok(store.store.read_at(offset, &mut []));
        assert_eq!(store.ok(store.store.read_vec_at(offset, 0)), [], "{}", store.case);
    }
    store.out_of_bounds(store.store.read_at(4, &mut []), 4, 0, 3);
    store.out_of_bounds(store.store.read_vec_at(4, 0), 4, 0, 3);
    store.out_of_bounds(store.store.read_at(u64::MAX, &mut []), u64::MAX, 0, 3);
    store.ok(store.store.discard(1, 0));
    store.ok(store.store.discard(3, 0));
    store.holds(b"abc");
}

/// A length by its own say-so would end the process here if memory were taken for it.
fn allocating_read(store: &Checked<'_>) {
    store.write(0, &[9; 100]);
    for len in [101, 1 << 40, usize::MAX / 2, usize::MAX] {
        store.out_of_bounds(store.store.read_vec_at(0, len), 0, len as u64, 100);
        store.out_of_bounds(store.store.read_vec_at(50, len), 50, len as u64, 100);
        store.out_of_bounds(store.store.read_vec_at(u64::MAX, len), u64::MAX, len as u64, 100);
    }
    assert_eq!(store.ok(store.store.read_vec_at(40, 60)), [9; 60], "{}", store.case);
}

fn gaps(store: &Checked<'_>) {
    store.write(0, &[1; 10]);
    store.write(9877, &[2; 1123]);
    let mut expected = vec![0; 11_000];
    expected[..10].fill(1);
    expected[9877..].fill(2);
    store.holds(&expected);
    store.write(5000, &[3]);
    expected[5000] = 3;
    store.holds(&expected);
}

fn far_apart(store: &Checked<'_>) {
    let far = 1 << 40;
    store.write(0, &[1; 10]);
    store.write(far, &[2; 10]);
    assert_eq!(store.ok(store.store.len()), far + 10, "{}", store.case);
    for (offset, expected) in [(0, [1; 10]), (10, [0; 10]), (far / 2, [0; 10]), (far, [2; 10])] {
        let bytes = store.ok(store.store.read_vec_at(offset, 10));
        assert_eq!(bytes, expected, "{}: at {offset}", store.case);
    }
    store.ok(store.store.discard(5, far));
    let bytes = store.ok(store.store.read_vec_at(far, 10));
    assert_eq!(bytes, [0, 0, 0, 0, 0, 2, 2, 2, 2, 2], "{}", store.case);
    let bytes = store.ok(store.store.read_vec_at(0, 10));
    assert_eq!(bytes, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0], "{}", store.case);
    store.ok(store.store.truncate(7));
    store.holds(&[1, 1, 1, 1, 1, 0, 0]);
}

fn discard_inside(store: &Checked<'_>) {
    let mut expected = pattern(20_000, 1);
    store.write(0, &expected);
    // Inside a block, over a border, whole blocks, unaligned over several, the first byte.
    for range in [10..40, 4000..4200, 8192..12_288, 12_289..19_999, 0..1] {
        store.ok(store.store.discard(range.start as u64, range.len() as u64));
        expected[range].fill(0);
        store.holds(&expected);
    }
    store.write(9000, &[5; 10]);
    expected[9000..9010].fill(5);
    store.holds(&expected);
}

fn discard_at_the_end(store: &Checked<'_>) {
    let mut expected = pattern(10_000, 2);
    store.write(0, &expected);
    store.ok(store.store.discard(10_000, 5));
    store.ok(store.store.discard(10_001, 5));
    store.ok(store.store.discard(50_000, 5));
    store.holds(&expected);
    for (offset, len) in [(9999, 1), (9000, 999), (8000, 10_000), (5, u64::MAX)] {
        store.ok(store.store.discard(offset, len));
        expected.truncate(offset as usize);
        store.holds(&expected);
    }
    store.ok(store.store.discard(0, 5));
    store.holds(&[]);
}

fn truncate(store: &Checked<'_>) {
    let mut expected = pattern(10_000, 3);
    store.write(0, &expected);
    for len in [10_000, 9999, 20_000, 8193, 8192, 30_000, 1, 0, 5000] {
        store.ok(store.store.truncate(len as u64));
        expected.resize(len, 0);
        store.holds(&expected);
    }
}

fn growing_again(store: &Checked<'_>) {
    let data = pattern(10_000, 4);
    for cut in [0, 1, 1000, 4096, 9999] {
        for way in 0..3 {
            store.write(0, &data);
            match way {
                0 => store.ok(store.store.truncate(cut)),
                1 => store.ok(store.store.discard(cut, 10_000 - cut)),
                _ => store.ok(store.store.discard(cut, u64::MAX)),
            }
            let mut expected = data[..cut as usize].to_vec();
            store.holds(&expected);
            if way == 0 {
                store.ok(store.store.truncate(10_000));
            } else {
                store.write(9999, &[0]);
            }
            expected.resize(10_000, 0);
            store.holds(&expected);
        }
    }
}

fn vectored(store: &Checked<'_>) {
    let parts: [&[u8]; 5] = [b"ab", b"", b"c", b"", b"defg"];
    let parts = parts.map(IoSlice::new);
    store.ok(store.store.write_vectored_at(2, &parts));
    store.holds(b"\0\0abcdefg");
    store.ok(store.store.write_vectored_at(0, &[IoSlice::new(b"xyz")]));
    store.holds(b"xyzbcdefg");
    // More buffers than one system call takes.
    let data = pattern(9000, 5);
    let parts: Vec<IoSlice<'_>> = data.chunks(3).map(IoSlice::new).collect();
    store.ok(store.store.write_vectored_at(1, &parts));
    let expected: Vec<u8> = [b"x".as_slice(), &data].concat();
    store.holds(&expected);
}

fn stored_ranges(store: &Checked<'_>) {
    let mut expected = vec![0; 300_000];
    for range in [0..10, 70_000..70_001, 131_072..200_000, 299_990..300_000] {
        let data = pattern(range.len(), 6);
        store.write(range.start as u64, &data);
        expected[range].copy_from_slice(&data);
    }
    store.ok(store.store.discard(140_000, 20_000));
    expected[140_000..160_000].fill(0);
    let end = expected.len() as u64;
    let mut found = vec![0; expected.len()];
    let mut offset = 0;
    while let Some(range) = store.ok(store.store.next_stored(offset)) {
        assert!(
            offset <= range.start && range.start < range.end && range.end <= end,
            "{}: {range:?} as the first from {offset} to {end}",
            store.case
        );
        let bytes =
            store.ok(store.store.read_vec_at(range.start, (range.end - range.start) as usize));
        found[range.start as usize..range.end as usize].copy_from_slice(&bytes);
        offset = range.end;
    }
    assert!(found == expected, "{}: bytes outside the ranges are not zero", store.case);
    store.holds(&expected);
    let inside = store.ok(store.store.next_stored(131_080));
    assert!(inside.is_some_and(|range| range.start == 131_080), "{}", store.case);
    for offset in [end, end + 1] {
        assert_eq!(store.ok(store.store.next_stored(offset)), None, "{}", store.case);
    }
}

fn threads(store: &Checked<'_>) {
    const LEN: u64 = 1000;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for turn in 0..10 {
                    // Ranges next to each other, none on a border of anything.
                    let offset = (turn * THREADS + thread) * LEN;
                    let data = pattern(LEN as usize, offset as usize);
                    store.write(offset, &data);
                    let read = store.ok(store.store.read_vec_at(offset, LEN as usize));
                    assert!(read == data, "{}: bytes at {offset}", store.case);
                }
            });
        }
    });
    let all = (0..THREADS * 10).flat_map(|part| pattern(LEN as usize, (part * LEN) as usize));
    store.holds(&all.collect::<Vec<u8>>());
}

/// Calls taken from a fixed seed, against a vector.
fn random_calls(store: &Checked<'_>) {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = move |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut model: Vec<u8> = Vec::new();
    for turn in 0..300 {
        let offset = random(12_000);
        let most = [4, 300, 6000][random(3) as usize];
        let len = random(most);
        match random(8) {
            0..=3 => {
                let data = pattern(len as usize, turn);
                store.write(offset, &data);
                let end = (offset + len) as usize;
                if len > 0 {
                    model.resize(model.len().max(end), 0);
                    model[offset as usize..end].copy_from_slice(&data);
                }
            }
            4 | 5 => {
                store.ok(store.store.discard(offset, len));
                let (start, end) = (offset as usize, (offset + len) as usize);
                if len == 0 || start >= model.len() {
                } else if end >= model.len() {
                    model.truncate(start);
                } else {
                    model[start..end].fill(0);
                }
            }
            6 => {
                store.ok(store.store.truncate(offset));
                model.resize(offset as usize, 0);
            }
            _ => {
                let read = store.store.read_vec_at(offset, len as usize);
                match model.get(offset as usize..(offset + len) as usize) {
                    Some(bytes) => assert_eq!(store.ok(read), bytes, "{}", store.case),
                    None => store.out_of_bounds(read, offset, len, model.len() as u64),
                }
            }
        }
        if turn % 10 == 0 {
            store.holds(&model);
        }
    }
    store.holds(&model);
}
