//! The stores of a log with unflushed entries, and inputs that stand for an oplog of it.
//!
//! A checksum guards every frame of an oplog, so bytes that a fuzzer changed would hardly ever get
//! past it. An input that starts with an odd byte is therefore frames without checksums, which are
//! put in; any other is a file as it is.

use std::sync::OnceLock;

use hypercore_log::{Access, Create, Log, OpenError, OpenOptions, Stores};
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;

use crate::{LENGTH, block, signers};

const SLOT_LEN: usize = 4096;

/// Files by the order of [`Stores`]: oplog, header, tree, bitfield, data.
type Files = [Vec<u8>; 5];

/// A log that was written to after its last checkpoint.
fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let stores = [(); 5].map(|()| RandomAccessMemory::new());
        let options = OpenOptions::new().create(Create::IfMissing).key_pair(signers()[0].clone());
        let log = Log::open(boxed(&stores), options).expect("nothing is stored yet");
        let blocks: Vec<Vec<u8>> = (0..LENGTH).map(block).collect();
        log.append(&blocks).expect("memory holds thirteen blocks");
        log.checkpoint().expect("memory syncs");
        log.append(&blocks[5..7]).expect("memory holds two more blocks");
        log.clear(3..5).expect("the blocks are there");
        log.set_user_data("key", Some(b"value")).expect("one value is few");
        log.truncate(9, None).expect("nine blocks are there");
        log.append(&blocks[1..2]).expect("memory holds one more block");
        stores.map(|store| {
            let len = store.len().expect("memory does not fail");
            let len = usize::try_from(len).expect("the files are small");
            store.read_vec_at(0, len).expect("the whole file is there")
        })
    })
}

fn boxed(stores: &[RandomAccessMemory; 5]) -> Stores {
    let [oplog, header, tree, bitfield, data] = stores.clone().map(Box::new);
    Stores { oplog, header, tree, bitfield, data }
}

/// The oplog of the log that the other stores belong to.
#[must_use]
pub fn recorded_oplog() -> &'static [u8] {
    &files()[0]
}

/// Opens the log with `oplog` in the place of its own; gives the stores to open it again.
///
/// # Errors
/// What the log says about it.
pub fn open(oplog: &[u8], access: Access) -> Result<(Log, impl Fn() -> Stores), OpenError> {
    let stores = [(); 5].map(|()| RandomAccessMemory::new());
    let contents = std::iter::once(oplog).chain(files()[1..].iter().map(Vec::as_slice));
    for (store, bytes) in stores.iter().zip(contents) {
        store.write_at(0, bytes).expect("memory does not fail");
    }
    let log = Log::open(boxed(&stores), OpenOptions::new().access(access))?;
    Ok((log, move || boxed(&stores)))
}

/// The file that an input stands for.
#[must_use]
pub fn oplog_file(input: &[u8]) -> Vec<u8> {
    let Some((mode, mut rest)) = input.split_first() else { return Vec::new() };
    if mode % 2 == 0 {
        return rest.to_vec();
    }
    let mut file = Vec::new();
    for place in [Some(0), Some(SLOT_LEN)].into_iter().chain(std::iter::repeat(None)) {
        let Some((info, after)) = rest.split_first_chunk::<4>() else { break };
        let len = usize::try_from(u32::from_le_bytes(*info) >> 2).unwrap_or(usize::MAX);
        let (content, after) = after.split_at(len.min(after.len()));
        rest = after;
        if file.len() < 2 * SLOT_LEN {
            file.resize(place.unwrap_or(2 * SLOT_LEN), 0);
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(info);
        crc.update(content);
        file.extend(crc.finalize().to_le_bytes());
        file.extend(info);
        file.extend(content);
    }
    file
}

/// The input that stands for `file`, with frames.
#[must_use]
pub fn framed(file: &[u8]) -> Vec<u8> {
    let mut input = vec![1];
    let mut at = 0;
    for slot in 0.. {
        at = if slot < 2 { slot * SLOT_LEN } else { at.max(2 * SLOT_LEN) };
        let Some(info) = file.get(at..).and_then(|rest| rest.get(4..8)) else { break };
        let info: [u8; 4] = info.try_into().expect("four bytes were taken");
        let len = usize::try_from(u32::from_le_bytes(info) >> 2).unwrap_or(usize::MAX);
        let content = file.get(at + 8..).and_then(|rest| rest.get(..len));
        let Some(content) = content else { break };
        input.extend(info);
        input.extend(content);
        at += 8 + len;
    }
    input
}
