//! Feeds of SLEEP in memory, edits of them, and what must hold of whatever opens.
//!
//! Signatures stand in the way of a fuzzer as checksums do elsewhere. So a script may have the author sign
//! what the edits made of the tree: then nothing is promised about what is read, but that reading it ends
//! well.

use std::sync::{Arc, OnceLock};

use flat_tree::full_roots;
use hypercore_crypto::KeyPair;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;
use sleep::{
    Access, Feed, FileName, Mended, NODE_LEN, Node, RepairOptions, SIGNATURE_LEN, SignatureFile,
    TreeFile, hashes,
};

use crate::script::Script;
use crate::{LENGTH, block, signers};

/// Bytes that opening and auditing a feed may allocate whatever is stored: nodes, windows, buffers, and the places of
/// 2^19 pages that may all be holes, which an audit has twice.
pub const SLEEP_CONSTANT: usize = 12 * 1024 * 1024;

/// The stores of a feed, in the order of [`FileName::ALL`].
#[derive(Clone, Debug)]
pub struct SleepDisk(Arc<[Option<RandomAccessMemory>; 6]>);

/// What is in them.
pub type SleepFiles = [Option<Vec<u8>>; 6];

impl SleepDisk {
    /// Stores with these bytes. Those that are missing can be made.
    #[must_use]
    pub fn with(files: &SleepFiles) -> Self {
        Self(Arc::new(files.each_ref().map(|bytes| {
            let store = RandomAccessMemory::new();
            store.write_at(0, bytes.as_deref()?).expect("memory does not fail");
            Some(store)
        })))
    }

    /// What is stored now.
    #[must_use]
    pub fn files(&self) -> SleepFiles {
        self.0.each_ref().map(|store| {
            let store = store.as_ref()?;
            let len = usize::try_from(store.len().ok()?).expect("the files are small");
            store.read_vec_at(0, len).ok()
        })
    }

    /// Finds a store. A missing one is made once, for this call: what is written to it is lost.
    fn find(&self, name: FileName, access: Access) -> Option<Arc<dyn RandomAccess>> {
        let place = FileName::ALL.into_iter().position(|one| one == name)?;
        match &self.0[place] {
            Some(store) => Some(Arc::new(store.clone())),
            None => (access == Access::Create).then(|| Arc::new(RandomAccessMemory::new()) as _),
        }
    }

    /// Opens the feed that is stored here, with its key.
    ///
    /// # Errors
    /// What the feed says about it.
    pub fn open(&self, access: Access, is_lenient: bool) -> sleep::Result<Feed> {
        let options = Feed::options().access(access).key(signers()[0].public());
        let options = if is_lenient { options.lenient() } else { options };
        let disk = self.clone();
        options.open(move |name, access| Ok(disk.find(name, access)))
    }

    fn repair(&self, options: RepairOptions) -> sleep::Result<sleep::RepairReport> {
        let disk = self.clone();
        options.repair(move |name, access| Ok(disk.find(name, access)))
    }
}

/// A feed of 13 blocks, appended one by one, in batches, or with holes; and one without a block.
pub fn recorded_feeds() -> &'static [SleepFiles; 4] {
    static FEEDS: OnceLock<[SleepFiles; 4]> = OnceLock::new();
    FEEDS.get_or_init(|| {
        [&[1; 13][..], &[5, 8], &[4, 1, 7, 1], &[]].map(|batches| {
            let stores = [(); 6].map(|()| RandomAccessMemory::new());
            let found = stores.clone();
            let pair: KeyPair = signers()[0].clone();
            let options = Feed::options().access(Access::Create).key_pair(pair);
            let mut feed = options
                .open(move |name, _| {
                    let place = FileName::ALL.into_iter().position(|one| one == name);
                    let store = place.map(|place| found[place].clone());
                    Ok(store.map(|store| Arc::new(store) as Arc<dyn RandomAccess>))
                })
                .expect("nothing is stored yet");
            let mut first = 0;
            for count in batches {
                let blocks: Vec<Vec<u8>> = (first..first + count).map(block).collect();
                feed.append(&blocks).expect("memory holds thirteen blocks");
                first += count;
            }
            if batches.len() == 4 {
                feed.clear(2..5).expect("the blocks are there");
            }
            drop(feed);
            SleepDisk(Arc::new(stores.map(Some))).files()
        })
    })
}

/// An edited feed.
#[derive(Clone, Debug)]
pub struct EditedFeed {
    /// What is stored.
    pub files: SleepFiles,
    /// Whether the author signed edits, so that blocks may be any.
    pub is_signed: bool,
}

/// Edits a recorded feed, and has its author sign what came out, if the script says so.
pub fn edited_feed(script: &mut Script<'_>) -> EditedFeed {
    let mut files = recorded_feeds()[script.below(4)].clone();
    let signs = script.byte() % 4 == 3;
    for _ in 0..script.byte() % 6 {
        edit(&mut files, script);
    }
    let is_signed = signs && sign(&mut files, script).is_some();
    EditedFeed { files, is_signed }
}

/// Bytes of the parts that a file consists of.
const fn part_len(name: FileName) -> usize {
    match name {
        FileName::Tree => NODE_LEN,
        FileName::Signatures => SIGNATURE_LEN,
        _ => 1,
    }
}

fn edit(files: &mut SleepFiles, script: &mut Script<'_>) {
    // `bitfield`, `tree` and `signatures` more often than the others.
    let place = [5, 3, 4, 5, 3, 2, 5, 0, 1][usize::from(script.byte() % 9)];
    let name = FileName::ALL[place];
    let Some(file) = &mut files[place] else { return };
    let part = part_len(name);
    let at = match script.byte() {
        near @ 0..=199 => 32 + usize::from(near % 32) * part,
        200..=219 => script.below(40),
        _ => script.below(file.len()),
    };
    let at = at.min(file.len());
    match script.byte() % 8 {
        0 => file.truncate(at),
        1 => file.iter_mut().skip(at).take(part).for_each(|byte| *byte = 0),
        2 => file.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= script.byte() | 1),
        3 => {
            let other = script.below(file.len());
            let copy: Vec<u8> = file.iter().skip(other).take(part.max(16)).copied().collect();
            put(file, at, &copy);
        }
        // The size of a node, or any other number.
        4 => put(file, at + part.saturating_sub(8), &script.number().to_be_bytes()),
        5 => file.extend(script.take(64)),
        6 => file.resize(file.len() + script.below(4096), 0),
        _ => {
            let all = [Vec::new(), vec![0; file.len()], vec![0xff; file.len()]];
            match script.byte() % 8 {
                0 => files[place] = None,
                which @ 1..=3 => {
                    let fill = &all[usize::from(which) - 1];
                    let end = file.len().min(at + 1024 * usize::from(script.byte() % 4));
                    for (byte, fill) in file[at.min(end)..end].iter_mut().zip(fill) {
                        *byte = *fill;
                    }
                }
                _ => file.truncate(script.below(33)),
            }
        }
    }
}

/// As much of `bytes` as there is room for.
fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    for (slot, byte) in file.iter_mut().skip(at).zip(bytes) {
        *slot = *byte;
    }
}

/// Signs the roots that stand in `tree` for a length that the script says.
fn sign(files: &mut SleepFiles, script: &mut Script<'_>) -> Option<()> {
    let length = script.below(20) as u64 + 1;
    let disk = SleepDisk::with(files);
    let tree = TreeFile::new(disk.find(FileName::Tree, Access::Read)?);
    let signatures = SignatureFile::new(disk.find(FileName::Signatures, Access::Read)?);
    let roots: Option<Vec<Node>> =
        full_roots(length).map(|index| tree.node(index).ok().flatten()).collect();
    let message = hashes::signable(&hashes::tree(&roots?), length);
    signatures.write(length - 1, &signers()[0].sign(&message)).ok()?;
    *files = disk.files();
    Some(())
}

/// Reads all there is; nothing but what was signed is given out.
///
/// # Panics
/// When something else is.
pub fn check_feed(feed: &Feed, is_signed: bool) {
    let present: Vec<u64> = feed.present().flatten().take(64).collect();
    for index in &present {
        if let Ok(bytes) = feed.get(*index)
            && !is_signed
        {
            assert!(*index < LENGTH, "block {index} was never appended");
            assert_eq!(bytes, block(*index), "block {index}");
        }
    }
    let end = feed.length().min(64);
    let read = feed.blocks(0..end).map(|blocks| blocks.filter(Result::is_ok).count());
    assert!(read.is_ok_and(|read| read <= present.len()));
    let _ = feed.seek(feed.byte_length() / 2);
    let _ = (feed.proof(0), feed.signature(0), feed.tree_hash());
    let _ = feed.audit(&mut |_| ());
}

/// Appends a block; where that is allowed, the block is there after the next open.
///
/// # Panics
/// When it is not.
pub fn extend_feed(disk: &SleepDisk, is_signed: bool) {
    let Ok(mut feed) = disk.open(Access::Write, false) else { return };
    let before = disk.files();
    let Ok(appended) = feed.append(&[b"one more"]) else { return };
    drop(feed);
    // A file that had to be made is not kept by these stores.
    if before.iter().any(Option::is_none) {
        return;
    }
    let feed = disk.open(Access::Write, false).expect("it was open before");
    assert_eq!(feed.length(), appended.length);
    assert_eq!(feed.recovery().refusal(), None);
    assert_eq!(feed.get(appended.first).unwrap(), b"one more");
    if !is_signed {
        let present: Vec<u64> =
            feed.present().filter(|range| range.start < LENGTH).flatten().collect();
        for index in present.into_iter().filter(|index| *index < appended.first) {
            if let Ok(bytes) = feed.get(index) {
                assert_eq!(bytes, block(index), "block {index}");
            }
        }
    }
}

/// Repairs a feed: it ends, and what is said to be sound is.
///
/// # Panics
/// When it is not.
pub fn repair_feed(edited: &EditedFeed, script: &mut Script<'_>) {
    let disk = SleepDisk::with(&edited.files);
    if edited.files.iter().any(Option::is_none) {
        return;
    }
    let choice = script.byte();
    let options = RepairOptions::new().key(signers()[0].public());
    let options = if choice & 1 == 0 { options } else { options.replace_headers() };
    let options = if choice & 2 == 0 { options } else { options.find_blocks() };
    let options = if choice & 4 == 0 { options } else { options.accept_loss() };
    let Ok(report) = disk.repair(options.clone()) else { return };
    if !report.is_ok() {
        return;
    }
    let feed = disk.open(Access::Read, false).expect("a repair that left nothing");
    assert_eq!(feed.length(), report.length);
    assert!(feed.audit(&mut |_| ()).unwrap().is_ok());
    check_feed(&feed, edited.is_signed);
    drop(feed);
    let again = disk.repair(options).expect("it was repaired before");
    assert!(again.is_ok());
    let rewrites = again.mended.iter().filter(|one| !matches!(one, Mended::Bits { .. }));
    assert_eq!(rewrites.count(), 0, "{:?}", again.mended);
}
