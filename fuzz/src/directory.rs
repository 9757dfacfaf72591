//! The files of a log, in memory; edits of them whose checksums are put right; and what must hold of
//! whatever opens.
//!
//! A checksum guards every frame of an oplog, so bytes that a fuzzer changed would hardly ever get past it.
//! Therefore an oplog is taken apart into frames, which are edited and sealed again.

use std::sync::OnceLock;

use hypercore_log::{Access, Create, Log, OpenError, OpenOptions, Stores};
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;

use crate::script::Script;
use crate::{LENGTH, block, signers};

const SLOT_LEN: usize = 4096;

/// Files in the order of [`Stores`]: oplog, header, tree, bitfield, data.
pub type Files = [Vec<u8>; 5];

/// Stores that outlive the log which uses them.
#[derive(Clone, Debug, Default)]
pub struct Disk([RandomAccessMemory; 5]);

impl Disk {
    /// A disk with these files.
    #[must_use]
    pub fn with(files: &Files) -> Self {
        let disk = Self([(); 5].map(|()| RandomAccessMemory::new()));
        for (store, bytes) in disk.0.iter().zip(files) {
            store.write_at(0, bytes).expect("memory does not fail");
        }
        disk
    }

    /// The stores of a log.
    #[must_use]
    pub fn stores(&self) -> Stores {
        let [oplog, header, tree, bitfield, data] = self.0.clone().map(Box::new);
        Stores { oplog, header, tree, bitfield, data }
    }

    /// What is in the files now.
    #[must_use]
    pub fn files(&self) -> Files {
        self.0.clone().map(|store| {
            let len = store.len().expect("memory does not fail");
            let len = usize::try_from(len).expect("the files are small");
            store.read_vec_at(0, len).expect("the whole file is there")
        })
    }

    /// Opens the log that is stored here.
    ///
    /// # Errors
    /// What the log says about it.
    pub fn open(&self, access: Access) -> Result<Log, OpenError> {
        Log::open(self.stores(), OpenOptions::new().access(access))
    }

    /// A new log, empty but for its header, that the first of [`signers`] writes.
    #[must_use]
    pub fn create(&self) -> Log {
        let options = OpenOptions::new().create(Create::IfMissing).key_pair(signers()[0].clone());
        Log::open(self.stores(), options).expect("nothing is stored yet")
    }
}

/// The blocks of the recorded logs.
fn blocks() -> Vec<Vec<u8>> {
    (0..LENGTH).map(block).collect()
}

/// A log that was written to after its last checkpoint.
fn write_tail(disk: &Disk) {
    let (log, blocks) = (disk.create(), blocks());
    log.append(&blocks).expect("memory holds thirteen blocks");
    log.checkpoint().expect("memory syncs");
    log.append(&blocks[5..7]).expect("memory holds two more blocks");
    log.clear(3..5).expect("the blocks are there");
    log.set_user_data("key", Some(b"value")).expect("one value is few");
    log.truncate(9, None).expect("nine blocks are there");
    log.append(&blocks[1..2]).expect("memory holds one more block");
}

/// A log that was closed, and so has no entries; its header is in the header file.
fn write_closed(disk: &Disk) {
    let log = disk.create();
    log.append(&blocks()).expect("memory holds thirteen blocks");
    log.set_user_data("key", Some(&[7; 4100])).expect("one value is few");
    log.clear(0..2).expect("the blocks are there");
    log.close().expect("memory syncs");
}

/// A log whose batch is so large that its nodes went straight to the tree.
fn write_batch(disk: &Disk) {
    let log = disk.create();
    log.append(&blocks()).expect("memory holds thirteen blocks");
    log.checkpoint().expect("memory syncs");
    let batch: Vec<[u8; 2]> = (0..300_u16).map(u16::to_le_bytes).collect();
    log.append(&batch).expect("memory holds three hundred blocks");
}

/// A reader with holes, the last blocks of which only entries know.
fn write_reader(disk: &Disk) {
    use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
    let source = Disk::default().create();
    let options = OpenOptions::new().create(Create::IfMissing).key(source.key());
    let log = Log::open(disk.stores(), options).expect("nothing is stored yet");
    for (count, index) in [(9, 2), (4, 11), (0, 5), (0, 12)] {
        let blocks = blocks();
        let length = log.length();
        let first = usize::try_from(length).expect("few blocks");
        source.append(&blocks[first..first + count]).expect("memory holds thirteen blocks");
        let upgrade =
            (count > 0).then(|| UpgradeRequest { start: length, length: source.length() - length });
        let nodes = log.missing_nodes(index).expect("memory does not fail");
        let nodes = if upgrade.is_some() { 0 } else { nodes };
        let block = Some(BlockRequest { index, nodes });
        let manifest = log.manifest().is_none();
        let request = Request { block, upgrade, manifest, ..Request::default() };
        let proof = source.create_proof(&request).expect("it is the source's").expect("it has all");
        log.apply_proof(&proof).expect("the proof is honest");
        if index == 11 {
            log.checkpoint().expect("memory syncs");
        }
    }
}

/// Directories to start from.
pub fn recorded() -> &'static [Files; 4] {
    static RECORDED: OnceLock<[Files; 4]> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let writers: [fn(&Disk); 4] = [write_tail, write_closed, write_batch, write_reader];
        writers.map(|write| {
            let disk = Disk::default();
            write(&disk);
            disk.files()
        })
    })
}

/// A frame without its checksum: the two lowest bits of its info, and its content.
#[derive(Clone, Debug, Default)]
struct Frame {
    bits: u8,
    content: Vec<u8>,
}

impl Frame {
    /// Takes the frame at the start of `file` apart, whatever its checksum is; gives its length too.
    fn parse(file: &[u8]) -> Option<(Self, usize)> {
        let info = u32::from_le_bytes(*file.get(4..)?.first_chunk()?);
        let len = usize::try_from(info >> 2).ok()?;
        let content = file.get(8..)?.get(..len)?.to_vec();
        Some((Self { bits: info.to_le_bytes()[0] & 3, content }, 8 + len))
    }

    fn seal(&self, out: &mut Vec<u8>) {
        let len = u32::try_from(self.content.len()).expect("contents are small");
        let info = (len << 2 | u32::from(self.bits & 3)).to_le_bytes();
        let mut crc = crc32fast::Hasher::new();
        crc.update(&info);
        crc.update(&self.content);
        out.extend(crc.finalize().to_le_bytes());
        out.extend(info);
        out.extend(&self.content);
    }
}

/// The frames of an oplog: both slots, empty where there is none, then the entries.
fn frames_of(file: &[u8]) -> Vec<Frame> {
    let slot = |number: usize| {
        let frame = file.get(number * SLOT_LEN..).and_then(Frame::parse);
        frame.map(|(frame, _)| frame).unwrap_or_default()
    };
    let mut frames = vec![slot(0), slot(1)];
    let mut rest = file.get(2 * SLOT_LEN..).unwrap_or_default();
    while let Some((frame, len)) = Frame::parse(rest) {
        frames.push(frame);
        rest = &rest[len..];
    }
    frames
}

/// The contents of the frames of an oplog.
pub fn contents(oplog: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    frames_of(oplog).into_iter().map(|frame| frame.content)
}

/// The file of these frames. A slot without content stays empty.
fn seal_all(frames: &[Frame]) -> Vec<u8> {
    let mut file = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        file.resize(file.len().max(number.min(2) * SLOT_LEN), 0);
        if number >= 2 || !frame.content.is_empty() {
            frame.seal(&mut file);
        }
    }
    file
}

/// Replaces a few bytes somewhere in `bytes`.
fn splice(bytes: &mut Vec<u8>, script: &mut Script<'_>) {
    let start = script.below(bytes.len() + 1);
    let end = (start + usize::from(script.byte() % 16)).min(bytes.len());
    let len = usize::from(script.byte() % 16);
    let new = script.take(len);
    bytes.splice(start..end, new.iter().copied());
}

/// Edits one frame, or the order of the frames.
fn edit_frames(frames: &mut Vec<Frame>, script: &mut Script<'_>) {
    let place = script.below(frames.len());
    let other = script.below(frames.len() + 1);
    match script.byte() % 8 {
        0 | 1 => splice(&mut frames[place].content, script),
        2 => {
            let at = script.below(frames[place].content.len());
            if let Some(byte) = frames[place].content.get_mut(at) {
                *byte = script.byte();
            }
        }
        3 => frames[place].bits ^= script.byte() & 3,
        4 => frames.insert(other, frames[place].clone()),
        5 => frames.swap(place, other.min(place)),
        6 if frames.len() > 3 => drop(frames.remove(place)),
        _ => {
            let len = usize::from(script.byte());
            let content = script.take(len).to_vec();
            let bits = frames.last().map_or(0, |frame| frame.bits);
            frames.insert(other.max(2), Frame { bits, content });
        }
    }
}

/// Edits one file.
fn edit_file(file: &mut Vec<u8>, script: &mut Script<'_>) {
    let at = script.below(file.len());
    match script.byte() % 6 {
        0 => splice(file, script),
        1 => {
            let bit = script.byte() % 8;
            if let Some(byte) = file.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        2 => file.truncate(at),
        3 => {
            let end = (at + script.below(1024)).min(file.len());
            file[at..end].fill(0);
        }
        4 => {
            let end = (at + script.below(1024)).min(file.len());
            let to = script.below(file.len() - (end - at) + 1);
            file.copy_within(at..end, to);
        }
        _ => {
            let end = script.below(16 * 1024);
            let fill = script.byte();
            file.resize(file.len().max(end), fill);
        }
    }
}

/// One of the recorded directories after the edits of the script, with checksums put right.
#[must_use]
pub fn edited(script: &mut Script<'_>) -> Files {
    let mut files = recorded()[script.below(recorded().len())].clone();
    let mut frames = frames_of(&files[0]);
    for _ in 0..script.byte() % 8 {
        edit_frames(&mut frames, script);
    }
    files[0] = seal_all(&frames);
    for _ in 0..script.byte() % 8 {
        let which = script.below(files.len());
        edit_file(&mut files[which], script);
    }
    files
}

/// The oplog of the first recorded directory.
#[must_use]
pub fn recorded_oplog() -> &'static [u8] {
    &recorded()[0][0]
}

/// The first recorded directory with `oplog` in the place of its own.
#[must_use]
pub fn with_oplog(oplog: Vec<u8>) -> Files {
    let mut files = recorded()[0].clone();
    files[0] = oplog;
    files
}

/// The file that an input stands for: after an odd byte frames without checksums, after an even one itself.
#[must_use]
pub fn oplog_file(input: &[u8]) -> Vec<u8> {
    let Some((mode, mut rest)) = input.split_first() else { return Vec::new() };
    if mode % 2 == 0 {
        return rest.to_vec();
    }
    let mut frames = Vec::new();
    while let Some((info, after)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_le_bytes(*info) >> 2).unwrap_or(usize::MAX);
        let (content, after) = after.split_at(len.min(after.len()));
        rest = after;
        frames.push(Frame { bits: info[0] & 3, content: content.to_vec() });
    }
    seal_all(&frames)
}

/// The input that stands for `file`, with frames.
#[must_use]
pub fn framed(file: &[u8]) -> Vec<u8> {
    let mut input = vec![1];
    for Frame { bits, content } in frames_of(file) {
        let len = u32::try_from(content.len()).expect("contents are small");
        input.extend((len << 2 | u32::from(bits)).to_le_bytes());
        input.extend(content);
    }
    input
}
