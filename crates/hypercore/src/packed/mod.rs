//! Packed logs: a log that goes on no more, frozen into one file that is read directly.
//!
//! The file is a container of the crate `paged` whose parts are named here and described in `docs/format/packed-log.md`. What a
//! log has in five stores is in it as well, each in the form that suits a file that is only read; [`stores`] shows it to
//! the engine as five stores again, so that everything that reads a log reads this. It never holds a secret key.

mod stores;
mod write;

pub(crate) use stores::{is_packed, open};

use std::path::PathBuf;

use hypercore_log::BackupProgress;
use paged::Paged;

use crate::backup::BackupReport;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::handle::Hypercore;

/// Bytes of a page of the file.
const PAGE_LEN: u32 = 4096;

/// What the one entry of [`LOG`] says, in `version`, when the parts are those of this module.
const VERSION: u32 = 1;

/// The section with one [`PackedLog`].
const LOG: &str = "log";
/// The heap with the bytes of the oplog: two header slots and nothing after them.
const OPLOG: &str = "oplog";
/// The heap with the bytes of the header file; empty where the header fits a slot.
const HEADER: &str = "header";
/// The heap with the bytes of the bitfield.
const BITFIELD: &str = "bitfield";
/// The section of [`PackedNode`]s, by rising index.
const NODES: &str = "nodes";
/// The section of [`PackedRun`]s, by rising offset.
const RUNS: &str = "runs";
/// The heap with the bytes of the stored blocks, in order.
const BLOCKS: &str = "blocks";

/// What the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Paged)]
struct PackedLog {
    version: u32,
    key: [u8; 32],
    fork: u64,
    length: u64,
    /// Length of the tree file in bytes.
    tree_len: u64,
    /// Length of the data file in bytes.
    data_len: u64,
}

/// A stored node of the Merkle tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Paged)]
struct PackedNode {
    /// Its number in the tree.
    index: u64,
    /// Bytes of the blocks below it.
    size: u64,
    hash: [u8; 32],
}

/// Stored bytes of the log that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Paged)]
struct PackedRun {
    /// The first one's place in the log.
    offset: u64,
    /// The first one's place in [`BLOCKS`].
    start: u64,
    len: u64,
}

/// Packing.
impl Hypercore {
    /// Freezes the log into one `file`, which must not exist yet, while it goes on.
    ///
    /// The file holds the log as it is when this ends: manifest, head and signature, the stored blocks, the tree, the bitfield and
    /// the user data, but no secret key. Blocks of an encrypted log are in it as they are stored. It is opened as a directory is, for
    /// reading ([`Access::ReadOnly`](crate::Access::ReadOnly)); [`backup`](Self::backup) makes a directory of it again.
    ///
    /// For the time it takes, the folder of the file has room for the log once more.
    ///
    /// # Durability
    /// On return the file survives a power cut. Before, nothing is found at its name; nor after an error, unless that was the
    /// sync of its folder.
    ///
    /// # Errors
    /// `Caller` when there is something at `file` ([`Error::is_already_exists`]); otherwise those of [`backup`](Self::backup).
    pub async fn pack(&self, file: impl Into<PathBuf>) -> Result<BackupReport> {
        self.pack_with(file, |_| {}).await
    }

    /// Freezes the log as [`pack`](Self::pack) does, and tells `progress` how far the copying is, from a blocking thread.
    ///
    /// # Durability
    /// As for [`pack`](Self::pack).
    ///
    /// # Errors
    /// Those of [`pack`](Self::pack).
    pub async fn pack_with(
        &self,
        file: impl Into<PathBuf>,
        mut progress: impl FnMut(BackupProgress) + Send + 'static,
    ) -> Result<BackupReport> {
        let file = file.into();
        let pack = self.session_ref().blocking_write(move |view, _| {
            Ok(write::write(view.log(), &file, &mut progress)?.into())
        });
        pack.await
    }
}

#[cfg(test)]
mod tests {
    use hypercore_crypto::KeyPair;
    use hypercore_log::{Create, Log, OpenOptions};
    use paged::container::Container;
    use paged::{DecodeFromHeap, Encode, EncodeSized, FileSource, Schema};

    use super::{BLOCKS, LOG, NODES, PackedLog, PackedNode, PackedRun, RUNS, write};
    use crate::storage::MemoryStorage;

    const PAGE: &str = include_str!("../../../../docs/format/packed-log.md");

    fn line(name: &str, index: u32, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{name} {index} {hex}")
    }

    /// A section's entries as the page shows them.
    fn lines<T>(file: &Container<FileSource>, name: &str) -> Vec<String>
    where
        T: EncodeSized + Schema + DecodeFromHeap + Encode,
    {
        let entries = file.section::<T>(name).unwrap();
        let encoded = (0..entries.len()).map(|index| {
            let mut bytes = Vec::new();
            entries.get(index).unwrap().unwrap().encode(&(), &mut bytes).unwrap();
            line(name, index, &bytes)
        });
        encoded.collect()
    }

    #[test]
    fn the_worked_example_is_what_is_written() {
        let (_, example) = PAGE.split_once("```entries\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();

        let options =
            OpenOptions::new().create(Create::New).key_pair(KeyPair::from_seed(&[0x20; 32]));
        let log = Log::open(MemoryStorage::new().stores(), options).unwrap();
        log.append(&["one", "two", "three"]).unwrap();
        log.clear(1..2).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frozen.log");
        write::write(&log, &path, &mut |_| {}).unwrap();

        let file = Container::open(&path).unwrap();
        let blocks = file.heap(BLOCKS).unwrap();
        let mut written = lines::<PackedLog>(&file, LOG);
        written.extend(lines::<PackedNode>(&file, NODES));
        written.push(line(BLOCKS, 0, &blocks.bytes(0, blocks.len()).unwrap()));
        written.extend(lines::<PackedRun>(&file, RUNS));
        assert_eq!(example.trim(), written.join("\n"));
    }
}
