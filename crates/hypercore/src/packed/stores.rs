//! A packed log as the five stores that the engine reads.
//!
//! Tree and data are sparse here as in a directory: what is not in the file reads as zeros, which the engine takes for
//! absent. Every page is verified as it is read; one that is damaged is an error of kind `InvalidData`.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use hypercore_log::Stores;
use paged::container::{Container, ItemKind, MAGIC, OpenError};
use paged::{Entries, FileSource, ReadError, Section, Source as _};
use random_access_storage::{Error as StoreError, Operation, RandomAccess, Result, SyncScope};

use super::write::{NODE_BYTES, NODE_LEN};
use super::{
    BITFIELD, BLOCKS, HEADER, LOG, NODES, OPLOG, PackedLog, PackedNode, PackedRun, RUNS, VERSION,
};
use crate::error::Error;

type Packed = Container<FileSource>;

/// Whether there is a file that begins as a packed log does where a directory could be.
pub(crate) fn is_packed(path: &Path) -> bool {
    let begins = || -> io::Result<bool> {
        let mut start = [0; MAGIC.len()];
        FileSource::open(path)?.read_at(0, &mut start)?;
        Ok(start == MAGIC)
    };
    path.is_file() && begins().unwrap_or(false)
}

/// Opens the packed log at `path` for reading.
pub(crate) fn open(path: &Path) -> std::result::Result<Stores, Error> {
    let opened = FileSource::open(path).map_err(OpenError::from).and_then(open_in);
    opened.map_err(|error| Error::unpacking(path, error))
}

fn open_in(source: FileSource) -> std::result::Result<Stores, OpenError> {
    let file = Packed::new(source)?;
    let log = file.section::<PackedLog>(LOG)?.get(0)?.filter(|log| log.version == VERSION);
    let Some(log) = log else {
        return Err(OpenError::NoSection { name: LOG.into() });
    };
    let nodes = handle::<PackedNode>(&file, NODES)?;
    let runs = handle::<PackedRun>(&file, RUNS)?;
    for name in [OPLOG, HEADER, BITFIELD, BLOCKS] {
        file.heap(name)?;
    }
    let file = Arc::new(file);
    let whole = |name| -> Box<dyn RandomAccess> {
        Box::new(Store {
            file: Arc::clone(&file),
            len: heap_len(&file, name),
            part: Part::Whole(name),
        })
    };
    let part = |len, part| -> Box<dyn RandomAccess> {
        Box::new(Store { file: Arc::clone(&file), len, part })
    };
    Ok(Stores {
        oplog: whole(OPLOG),
        header: whole(HEADER),
        bitfield: whole(BITFIELD),
        tree: part(log.tree_len, Part::Tree(nodes)),
        data: part(log.data_len, Part::Data(runs)),
    })
}

/// The handle of a section, once its entries are known to be of type `T`.
fn handle<T: paged::EncodeSized + paged::Schema>(
    file: &Packed,
    name: &str,
) -> std::result::Result<Section<T>, OpenError> {
    file.section::<T>(name)?;
    let item = file.items().iter().find(|item| item.name == name).map(|item| &item.kind);
    match item {
        Some(ItemKind::Section(section)) => {
            Ok(Section::new(section.page_offset, section.entry_count))
        }
        _ => Err(OpenError::NoSection { name: name.into() }),
    }
}

fn heap_len(file: &Packed, name: &str) -> u64 {
    file.heap(name).map_or(0, |heap| heap.len())
}

/// Says where the stores are that the engine speaks of.
#[derive(Debug, thiserror::Error)]
#[error("the packed log that holds this store is damaged: copy or fetch the file again")]
struct Damaged(#[source] ReadError);

/// One of the five.
struct Store {
    file: Arc<Packed>,
    len: u64,
    part: Part,
}

/// Where its bytes are.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// In the heap of this name, as they are.
    Whole(&'static str),
    /// In nodes.
    Tree(Section<PackedNode>),
    /// In runs.
    Data(Section<PackedRun>),
}

impl Store {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> std::result::Result<(), ReadError> {
        match self.part {
            Part::Whole(name) => match self.file.heap(name) {
                Ok(heap) => heap.read_at(offset, buffer),
                Err(_) => {
                    Err(ReadError::OutsideHeap { offset, len: buffer.len() as u64, heap_len: 0 })
                }
            },
            Part::Tree(nodes) => self.read_nodes(nodes, offset, buffer),
            Part::Data(runs) => self.read_runs(runs, offset, buffer),
        }
    }

    fn read_nodes(
        &self,
        nodes: Section<PackedNode>,
        offset: u64,
        buffer: &mut [u8],
    ) -> std::result::Result<(), ReadError> {
        buffer.fill(0);
        let end = offset.saturating_add(buffer.len() as u64);
        let indexes = offset / NODE_LEN..end.div_ceil(NODE_LEN);
        let nodes = self.file.reader().entries(nodes, None)?;
        // One by one, through the cache: an iterator reads ahead, and few are wanted.
        for place in first_from(&nodes, indexes.start)?..nodes.len() {
            let Some(node) = nodes.get(place)?.filter(|node| node.index < indexes.end) else {
                break;
            };
            put(buffer, offset, node.index.saturating_mul(NODE_LEN), &node.to_bytes());
        }
        Ok(())
    }

    fn read_runs(
        &self,
        runs: Section<PackedRun>,
        offset: u64,
        buffer: &mut [u8],
    ) -> std::result::Result<(), ReadError> {
        buffer.fill(0);
        let end = offset.saturating_add(buffer.len() as u64);
        let runs = self.file.reader().entries(runs, None)?;
        let Ok(blocks) = self.file.heap(BLOCKS) else { return Ok(()) };
        let first = runs.partition_point(|run| run.offset.saturating_add(run.len) <= offset)?;
        for place in first..runs.len() {
            let Some(run) = runs.get(place)?.filter(|run| run.offset < end) else { break };
            let from = run.offset.max(offset);
            let to = run.offset.saturating_add(run.len).min(end);
            let place = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
            let start = run.start.saturating_add(from.saturating_sub(run.offset));
            if let Some(into) = buffer.get_mut(place(from)..place(to)) {
                blocks.read_at(start, into)?;
            }
        }
        Ok(())
    }
}

/// The place of the first node whose index is at least `index`.
///
/// Indexes rise, so at most `index` of them are below it; in a log that has all its blocks nearly as many are, and
/// the place is found near that one.
fn first_from(
    nodes: &Entries<'_, FileSource, PackedNode>,
    index: u64,
) -> std::result::Result<u32, ReadError> {
    let mut end = u32::try_from(index).unwrap_or(u32::MAX).min(nodes.len());
    let (mut start, mut step) = (end, 1_u32);
    while start > 0 {
        start = end.saturating_sub(step);
        if nodes.get(start)?.is_some_and(|node| node.index < index) {
            break;
        }
        end = start;
        step = step.saturating_mul(2);
    }
    while start < end {
        let middle = start.midpoint(end);
        if nodes.get(middle)?.is_some_and(|node| node.index < index) {
            start = middle.saturating_add(1);
        } else {
            end = middle;
        }
    }
    Ok(start)
}

/// Puts what of `bytes`, which stand at `at`, lies in the buffer, which stands at `offset`.
fn put(buffer: &mut [u8], offset: u64, at: u64, bytes: &[u8]) {
    let skipped = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
    let before = usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
    let bytes = bytes.get(skipped..).unwrap_or_default();
    for (into, byte) in buffer.iter_mut().skip(before).zip(bytes) {
        *into = *byte;
    }
}

impl RandomAccess for Store {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len() as u64;
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(StoreError::OutOfBounds { offset, len, end: self.len });
        }
        self.read(offset, buffer).map_err(|error| {
            let error = match error {
                ReadError::Io(error) => error,
                damaged => io::Error::new(io::ErrorKind::InvalidData, Damaged(damaged)),
            };
            StoreError::io(Operation::Read, offset, len, error)
        })
    }

    fn write_at(&self, _: u64, _: &[u8]) -> Result<()> {
        Err(StoreError::ReadOnly { operation: Operation::Write })
    }

    fn discard(&self, _: u64, _: u64) -> Result<()> {
        Err(StoreError::ReadOnly { operation: Operation::Discard })
    }

    fn truncate(&self, _: u64) -> Result<()> {
        Err(StoreError::ReadOnly { operation: Operation::Truncate })
    }

    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn sync(&self, _: SyncScope) -> Result<()> {
        Ok(())
    }

    fn stored_len(&self) -> Result<u64> {
        let entries = |count: u32, size: u64| u64::from(count).saturating_mul(size);
        Ok(match self.part {
            Part::Whole(_) => self.len,
            Part::Tree(nodes) => entries(nodes.entry_count(), NODE_LEN),
            Part::Data(_) => heap_len(&self.file, BLOCKS),
        })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("part", &self.part)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl PackedNode {
    /// From its form in the tree file.
    pub(super) fn from_bytes(index: u64, bytes: &[u8; NODE_BYTES]) -> Self {
        let (mut size, mut hash) = ([0; 8], [0; 32]);
        let (first, rest) = bytes.split_at(size.len());
        size.copy_from_slice(first);
        hash.copy_from_slice(rest);
        Self { index, size: u64::from_le_bytes(size), hash }
    }

    /// Its form in the tree file.
    fn to_bytes(self) -> [u8; NODE_BYTES] {
        let mut bytes = [0; NODE_BYTES];
        let (size, hash) = bytes.split_at_mut(8);
        size.copy_from_slice(&self.size.to_le_bytes());
        hash.copy_from_slice(&self.hash);
        bytes
    }
}
