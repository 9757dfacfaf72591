//! Writing a packed log.
//!
//! The engine copies the log into scratch stores, in whatever order it comes to things, beside writers; from
//! these, which nobody changes any more, the file is written front to back. Its name it gets last.

use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hypercore_log::{Access, BackupProgress, BackupReport, Log, OpenOptions, Stores};
use paged::WriteError;
use paged::container::{NO_HEAP, PendingFile, Writer};
use random_access_disk::RandomAccessDisk;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;

use super::{
    BITFIELD, BLOCKS, HEADER, LOG, NODES, OPLOG, PAGE_LEN, PackedLog, PackedNode, PackedRun, RUNS,
    VERSION,
};
use crate::error::{Error, Result};
use crate::storage::share;

/// Bytes of a store that are in memory at once: a whole number of nodes.
const PIECE_LEN: u64 = 1024 * NODE_LEN;

/// Bytes of a node in the tree file.
pub(super) const NODE_BYTES: usize = 40;

/// The same, for offsets.
pub(super) const NODE_LEN: u64 = NODE_BYTES as u64;

/// Runs of blocks that the engine is asked for at once.
const RUNS_AT_ONCE: usize = 1024;

/// Copies the log into `file`, which does not exist yet.
pub(super) fn write(
    log: &Log,
    file: &Path,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<BackupReport> {
    let in_file = |error| Error::packing(file, error);
    let mut writer = Writer::create(file, PAGE_LEN).map_err(in_file)?;
    let (target, stores) = share(scratch(file)?);
    let (copied, stores) = share(stores);
    let mut report = log.copy_for_readers(target, progress)?;
    let copy = Log::open(copied, OpenOptions::new().access(Access::ReadOnly))?;

    for (name, store) in
        [(OPLOG, &stores.oplog), (HEADER, &stores.header), (BITFIELD, &stores.bitfield)]
    {
        let mut heap = writer.begin_heap(name).map_err(in_file)?;
        let len = store.len().map_err(in_scratch(name))?;
        copy_bytes(&**store, name, 0..len, |bytes| heap.write_all(bytes).map_err(WriteError::Io))
            .map_err(|error| error.at(file))?;
        heap.end().map_err(in_file)?;
    }
    write_nodes(&mut writer, &*stores.tree).map_err(|error| error.at(file))?;
    write_blocks(&mut writer, &copy, &*stores.data).map_err(|error| error.at(file))?;

    let mut section = writer.begin_section::<PackedLog>(LOG, NO_HEAP).map_err(in_file)?;
    let packed = PackedLog {
        version: VERSION,
        key: *copy.key().as_bytes(),
        fork: copy.fork(),
        length: copy.length(),
        tree_len: stores.tree.len().map_err(in_scratch("tree"))?,
        data_len: stores.data.len().map_err(in_scratch("data"))?,
    };
    section.push(&(), &packed).map_err(in_file)?;
    section.end().map_err(in_file)?;
    writer.publish().map_err(in_file)?;
    report.bytes =
        std::fs::metadata(file).map_err(|error| Error::packing(file, WriteError::Io(error)))?.len();
    Ok(report)
}

/// Stores that are gone when they are dropped; the large ones beside the file.
fn scratch(file: &Path) -> Result<Stores> {
    let folder = match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let memory = || Box::new(RandomAccessMemory::default());
    let disk = |name| -> Result<Box<dyn RandomAccess>> {
        Ok(Box::new(RandomAccessDisk::anonymous(&folder).map_err(in_scratch(name))?))
    };
    Ok(Stores {
        oplog: memory(),
        header: memory(),
        bitfield: memory(),
        tree: disk("tree")?,
        data: disk("data")?,
    })
}

/// The nodes that are stored, in order. Where the tree has holes, nothing is read.
fn write_nodes(writer: &mut Writer<PendingFile>, tree: &dyn RandomAccess) -> Written {
    let mut section = writer.begin_section::<PackedNode>(NODES, NO_HEAP)?;
    let end = tree.len().map_err(in_scratch("tree"))?;
    let mut next = 0;
    while let Some(stored) = tree.next_stored(next).map_err(in_scratch("tree"))? {
        let start = next.max(stored.start.saturating_sub(stored.start % NODE_LEN));
        next = stored.end.min(end).next_multiple_of(NODE_LEN);
        let mut index = start / NODE_LEN;
        copy_bytes(tree, "tree", start..next.min(end), |bytes| {
            let (nodes, _) = bytes.as_chunks::<NODE_BYTES>();
            for node in nodes {
                if node.iter().any(|byte| *byte != 0) {
                    section.push(&(), &PackedNode::from_bytes(index, node))?;
                }
                index = index.saturating_add(1);
            }
            Ok(())
        })?;
    }
    section.end()?;
    Ok(())
}

/// The bytes of the stored blocks, then where they belong.
fn write_blocks(writer: &mut Writer<PendingFile>, log: &Log, data: &dyn RandomAccess) -> Written {
    let mut runs: Vec<PackedRun> = Vec::new();
    let mut heap = writer.begin_heap(BLOCKS)?;
    let mut next = 0;
    loop {
        let blocks = log.stored_ranges(next..log.length(), RUNS_AT_ONCE);
        let Some(last) = blocks.last() else { break };
        next = last.end;
        for run in blocks {
            let offset = log.block_range(run.start)?.start;
            let end = log.block_range(run.end.saturating_sub(1))?.end;
            let start = heap.len();
            let len = end.saturating_sub(offset);
            match runs.last_mut() {
                Some(before) if before.offset.saturating_add(before.len) == offset => {
                    before.len = before.len.saturating_add(len);
                }
                _ => runs.push(PackedRun { offset, start, len }),
            }
            copy_bytes(data, "data", offset..end, |bytes| {
                heap.write_all(bytes).map_err(WriteError::Io)
            })?;
        }
    }
    heap.end()?;
    let mut section = writer.begin_section::<PackedRun>(RUNS, NO_HEAP)?;
    for run in runs.iter().filter(|run| run.len > 0) {
        section.push(&(), run)?;
    }
    section.end()?;
    Ok(())
}

/// Hands over a range of a store piece by piece.
fn copy_bytes(
    store: &dyn RandomAccess,
    name: &'static str,
    range: Range<u64>,
    mut take: impl FnMut(&[u8]) -> std::result::Result<(), WriteError>,
) -> Written {
    let mut piece = Vec::new();
    let mut offset = range.start;
    while offset < range.end {
        let len = PIECE_LEN.min(range.end.saturating_sub(offset));
        piece.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
        store.read_at(offset, &mut piece).map_err(in_scratch(name))?;
        take(&piece)?;
        offset = offset.saturating_add(len);
    }
    Ok(())
}

fn in_scratch(name: &'static str) -> impl Fn(random_access_storage::Error) -> Error {
    move |source| Error::storage(name, source)
}

type Written = std::result::Result<(), Failed>;

/// What failed: the file, or what it is made of.
#[derive(Debug)]
enum Failed {
    File(WriteError),
    Source(Error),
}

impl Failed {
    fn at(self, file: &Path) -> Error {
        match self {
            Self::File(error) => Error::packing(file, error),
            Self::Source(error) => error,
        }
    }
}

impl From<WriteError> for Failed {
    fn from(error: WriteError) -> Self {
        Self::File(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Source(error)
    }
}

impl From<hypercore_log::LogError> for Failed {
    fn from(error: hypercore_log::LogError) -> Self {
        Self::Source(error.into())
    }
}
