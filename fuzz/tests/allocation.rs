//! Files made to be expensive: what opening them takes is bounded by their size, whatever they say.

use compact_encoding::Encoder;
use std::sync::Arc;

use hypercore_fuzz::{
    DECODE_CONSTANT, Disk, FACTOR, Files, OPEN_CONSTANT, SLEEP_CONSTANT, SleepFiles, bounded,
    framed, oplog_file, peak_of, recorded, recorded_feeds, signers,
};
use hypercore_log::{Access, OpenError};
use random_access_storage::{Error, RandomAccess, Result, SyncScope};

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

/// Bytes, and a hole behind them that costs nothing on a disk.
#[derive(Debug)]
struct Sparse {
    bytes: Vec<u8>,
    len: u64,
}

impl RandomAccess for Sparse {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len() as u64;
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(Error::OutOfBounds { offset, len, end: self.len });
        }
        buffer.fill(0);
        let stored = self.bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        buffer.iter_mut().zip(stored).for_each(|(byte, stored)| *byte = *stored);
        Ok(())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> Result<()> {
        panic!("opened for reading")
    }
    fn discard(&self, _: u64, _: u64) -> Result<()> {
        panic!("opened for reading")
    }
    fn truncate(&self, _: u64) -> Result<()> {
        panic!("opened for reading")
    }
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }
    fn sync(&self, _: SyncScope) -> Result<()> {
        Ok(())
    }
    fn stored_len(&self) -> Result<u64> {
        Ok(self.bytes.len() as u64)
    }
    fn next_stored(&self, offset: u64) -> Result<Option<std::ops::Range<u64>>> {
        let end = self.bytes.len() as u64;
        Ok((offset < end).then_some(offset..end))
    }
}

/// A feed over files with holes behind them, opened, audited and read.
fn audit_sparse(files: &SleepFiles, lens: [u64; 6]) -> sleep::Result<sleep::AuditReport> {
    let stores = std::array::from_fn::<_, 6, _>(|place| {
        let bytes = files[place].clone().unwrap_or_default();
        let len = lens[place].max(bytes.len() as u64);
        Arc::new(Sparse { bytes, len })
    });
    let len: usize = files.iter().flatten().map(Vec::len).sum();
    bounded(SLEEP_CONSTANT, len, || {
        let feed = sleep::Feed::options().open(move |name, _: sleep::Access| {
            let place = sleep::FileName::ALL.into_iter().position(|one| one == name);
            Ok(place.map(|place| stores[place].clone() as Arc<dyn RandomAccess>))
        })?;
        for index in 0..feed.length().min(20) {
            let _ = feed.get(index);
        }
        feed.audit(&mut |_| ())
    })
}

#[test]
fn feeds_with_huge_holes() {
    let _alone = ALONE.lock();
    // Longer than any memory; the last three as long as those of the longest feed are.
    let huge = 1 << 50;
    let blocks = sleep::FEED_LENGTH_MAX;
    let lens_max = [32 + 40 * (2 * blocks - 1), 32 + 64 * blocks, 32 + (3584 << 19)];
    let [tree, signatures, bitfield] = lens_max;
    let lens = [huge, huge, huge, tree, signatures, bitfield];
    for (files, length) in recorded_feeds().iter().zip([13, 13, 13]) {
        let report = audit_sparse(files, lens).unwrap();
        assert_eq!((report.length, report.is_ok()), (length, true), "{report:?}");
    }
    for (place, len_max) in (3..).zip(lens_max) {
        let mut too_long = [0; 6];
        too_long[place] = len_max + 1;
        let refused = audit_sparse(&recorded_feeds()[0], too_long);
        let Err(sleep::Error::TooLong { file, len }) = refused else { panic!("{refused:?}") };
        assert_eq!((file, len), (sleep::FileName::ALL[place], len_max + 1));
    }
}

/// The author says that a block has 2^49 bytes, which are a hole in `data`.
#[test]
fn a_signed_block_that_is_a_hole() {
    let _alone = ALONE.lock();
    let mut files = recorded_feeds()[0].clone();
    let leaf = sleep::Node {
        index: flat_tree::Index::new(0),
        hash: hypercore_crypto::Hash::from_bytes([7; 32]),
        size: 1 << 49,
    };
    let message = sleep::hashes::signable(&sleep::hashes::tree(&[leaf]), 1);
    let signature = signers()[0].sign(&message);
    files[3] = Some([&sleep::Header::tree().encode()[..], &leaf.encode()].concat());
    files[4] = Some([&sleep::Header::signatures().encode()[..], signature.as_bytes()].concat());
    let bits = [&[0x80][..], &[0; 1023], &[0x80]].concat();
    let header = sleep::Header::bitfield(sleep::PageSize::Bytes3584).encode();
    files[5] = Some([&header[..], &bits].concat());
    let report = audit_sparse(&files, [0, 0, 1 << 50, 0, 0, 0]).unwrap();
    assert_eq!((report.length, report.blocks_valid), (1, 0));
}
