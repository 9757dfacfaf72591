//! Files made to be expensive: what opening them takes is bounded by their size, whatever they say.

use compact_encoding::Encoder;
use hypercore_fuzz::{
    DECODE_CONSTANT, Disk, FACTOR, Files, OPEN_CONSTANT, bounded, framed, oplog_file, peak_of,
    recorded,
};
use hypercore_log::{Access, OpenError};

/// One test at a time: what another one allocates would be counted.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// The first recorded directory with these entries in the place of its own.
fn with_entries(entries: impl Iterator<Item = Vec<u8>>) -> Files {
    let mut files = recorded()[1].clone();
    let mut input = framed(&files[0][..8192]);
    // Its header has the bit of slot 0 or 1: entries are given both ways, and those that do not fit end it.
    let bit = input_bit(&files[0]);
    for entry in entries {
        let len = u32::try_from(entry.len()).unwrap();
        input.extend((len << 2 | bit).to_le_bytes());
        input.extend(entry);
    }
    files[0] = oplog_file(&input);
    files
}

/// The bit that entries must carry.
fn input_bit(oplog: &[u8]) -> u32 {
    let bit = |slot: usize| u32::from(oplog[slot * 4096 + 4] & 1);
    bit(0) ^ bit(1)
}

fn encoded(write: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut out = Encoder::new();
    write(&mut out);
    out.into_vec()
}

/// An entry that says the log has 2^52 blocks, and brings one node for them.
fn long() -> Vec<u8> {
    encoded(|out| {
        out.uint8(6);
        out.array(&[()], |out, ()| out.raw(&[0; 34]));
        out.uint(0);
        out.uint(13);
        out.uint(1 << 52);
        out.optional_buffer(None);
    })
}

fn blocks(drop: bool, start: u64, length: u64) -> Vec<u8> {
    encoded(|out| {
        out.uint8(8);
        out.uint8(u8::from(drop));
        out.uint(start);
        out.uint(length);
    })
}

/// Opens for reading; the error, if there is one, and the bytes allocated for each byte of the files.
fn open(files: &Files) -> (Option<OpenError>, usize) {
    let len: usize = files.iter().map(Vec::len).sum();
    let disk = Disk::with(files);
    let (opened, peak) = peak_of(|| disk.open(Access::ReadOnly));
    println!("{peak} bytes for {len}, {} times as many", peak / len);
    assert!(peak <= OPEN_CONSTANT + FACTOR * len, "{peak} bytes for {len}");
    (opened.err(), peak.saturating_sub(OPEN_CONSTANT) / len)
}

#[test]
fn bits_scattered_by_entries() {
    let _alone = ALONE.lock();
    let bits = (0..100_000_u64).map(|number| blocks(false, (number << 20) + 7, 1));
    let (error, factor) = open(&with_entries(std::iter::once(long()).chain(bits)));
    // All of it was believed, until the roots of so long a log were looked for.
    assert!(error.unwrap().to_string().contains("root of the tree"));
    assert!(factor < 32, "{factor}");
}

#[test]
fn holes_scattered_by_entries() {
    let _alone = ALONE.lock();
    let all = (0..20_u64).map(|number| blocks(false, number << 31, 1 << 31));
    let holes = (0..100_000_u64).map(|number| blocks(true, (number << 15) + 7, 1));
    let (error, factor) = open(&with_entries(std::iter::once(long()).chain(all).chain(holes)));
    assert!(error.unwrap().to_string().contains("root of the tree"));
    assert!(factor < 32, "{factor}");
}

#[test]
fn entries_that_say_nothing() {
    let _alone = ALONE.lock();
    let (error, factor) = open(&with_entries(std::iter::repeat_n(vec![0], 200_000)));
    assert!(error.is_none() && factor < FACTOR, "{error:?}");
}

#[test]
fn pages_with_one_bit_each_and_with_many_runs() {
    let _alone = ALONE.lock();
    for step in [4096, 40, 1] {
        let mut files = recorded()[1].clone();
        files[3] = vec![0; 4 << 20];
        files[3].iter_mut().step_by(step).for_each(|byte| *byte = 1);
        let (error, factor) = open(&files);
        assert!(error.is_none() && factor < 4, "{error:?}");
    }
}

#[test]
fn lengths_that_nothing_follows() {
    let _alone = ALONE.lock();
    use compact_encoding::Decode;
    for head in [[0xfe, 0xff, 0xff, 0x0f, 0], [0xff, 0xff, 0xff, 0xff, 0xff]] {
        for flags in 0..=255 {
            let bytes = [&[flags], &head[..], &[0xff; 40]].concat();
            bounded(DECODE_CONSTANT, bytes.len(), || {
                let _ = hypercore_merkle::Data::from_slice(&bytes);
                let _ = hypercore_merkle::Request::from_slice(&bytes);
                let _ = hypercore_crypto::Manifest::from_slice(&bytes);
                let _ = hypercore_crypto::MultiSignature::from_slice(&bytes[1..]);
                hypercore_log::fuzzing::header(&bytes);
                hypercore_log::fuzzing::entry(&bytes);
            });
        }
    }
}
