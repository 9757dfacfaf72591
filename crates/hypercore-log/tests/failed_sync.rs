//! A sync fails, and the bytes it was for stay readable but are never written: later syncs succeed without them. What a
//! log that is reopened then calls durable must be on the medium all the same.

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hypercore_crypto::KeyPair;
use hypercore_log::{Access, Create, Log, LogError, OpenOptions, Stores};
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
use random_access_storage::{Error, Operation, RandomAccess, Result, SyncScope};
use support::{assert_sound, block, blocks};

const SECTOR: usize = 512;
const FILES: usize = 5;

#[derive(Debug, Default)]
struct File {
    shown: Vec<u8>,
    medium: Vec<u8>,
    dirty: BTreeSet<usize>,
    len_is_dirty: bool,
}

#[derive(Debug, Default)]
struct Machine {
    files: [File; FILES],
    /// The sync that fails, counted down.
    fails_in: Option<usize>,
}

/// What the stores of a log and the test look at.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Machine>>);

#[derive(Debug)]
struct Store(Disk, usize);

impl Store {
    fn with<T>(&self, work: impl FnOnce(&mut File) -> T) -> T {
        work(&mut self.0.0.lock().unwrap().files[self.1])
    }
}

impl RandomAccess for Store {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.with(|file| {
            let (at, end) = (offset as usize, file.shown.len() as u64);
            let bytes = file.shown.get(at..at + buffer.len());
            let len = buffer.len() as u64;
            buffer.copy_from_slice(bytes.ok_or(Error::OutOfBounds { offset, len, end })?);
            Ok(())
        })
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.with(|file| {
            let (at, end) = (offset as usize, offset as usize + data.len());
            if end > file.shown.len() {
                file.shown.resize(end, 0);
                file.len_is_dirty = true;
            }
            file.shown[at..end].copy_from_slice(data);
            file.dirty.extend(at / SECTOR..end.div_ceil(SECTOR));
            Ok(())
        })
    }
    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        let stored = self.len()?;
        if offset + len >= stored {
            return if offset < stored { self.truncate(offset) } else { Ok(()) };
        }
        self.write_at(offset, &vec![0; len as usize])
    }
    fn truncate(&self, len: u64) -> Result<()> {
        self.with(|file| {
            file.shown.resize(len as usize, 0);
            file.len_is_dirty = true;
            Ok(())
        })
    }
    fn len(&self) -> Result<u64> {
        Ok(self.with(|file| file.shown.len() as u64))
    }
    fn sync(&self, _: SyncScope) -> Result<()> {
        let mut machine = self.0.0.lock().unwrap();
        let fails = machine.fails_in == Some(0);
        machine.fails_in = machine.fails_in.and_then(|left| left.checked_sub(1));
        let file = &mut machine.files[self.1];
        let dirty = std::mem::take(&mut file.dirty);
        let len_is_dirty = std::mem::take(&mut file.len_is_dirty);
        if fails {
            return Err(Error::io(Operation::Sync, 0, 0, std::io::Error::other("lost")));
        }
        if len_is_dirty {
            file.medium.resize(file.shown.len(), 0);
        }
        for sector in dirty {
            let end = ((sector + 1) * SECTOR).min(file.shown.len()).min(file.medium.len());
            if let Some(range) = (sector * SECTOR < end).then_some(sector * SECTOR..end) {
                file.medium[range.clone()].copy_from_slice(&file.shown[range]);
            }
        }
        Ok(())
    }
}

impl Disk {
    fn stores(&self) -> Stores {
        let store = |file| Box::new(Store(self.clone(), file));
        Stores {
            oplog: store(0),
            header: store(1),
            tree: store(2),
            bitfield: store(3),
            data: store(4),
        }
    }

    /// What is left when the power fails now.
    fn after_power_cut(&self) -> Self {
        let machine = self.0.lock().unwrap();
        let files = std::array::from_fn(|file| {
            let medium = machine.files[file].medium.clone();
            File { shown: medium.clone(), medium, ..File::default() }
        });
        Self(Arc::new(Mutex::new(Machine { files, fails_in: None })))
    }
}

fn many(from: u64, count: u64, len: usize) -> Vec<Vec<u8>> {
    (from..from + count).map(|index| block(index, len)).collect()
}

fn writer() -> OpenOptions {
    OpenOptions::new().key_pair(KeyPair::from_seed(&[7; 32])).create(Create::IfMissing)
}

/// Appends, bulk appends, checkpoints, clears, truncations and user data.
fn write(disk: &Disk) -> Outcome {
    for _ in 0..2 {
        let log = Log::open(disk.stores(), writer())?;
        log.append(&many(log.length(), 3, 700))?;
        log.append(&many(log.length(), 300, 3))?;
        log.append(&many(log.length(), 2, 200))?;
        log.checkpoint()?;
        log.append(&many(log.length(), 1, 2000))?;
        log.clear(4..9)?;
        log.set_user_data("key", Some(&[7; 5000]))?;
        log.checkpoint()?;
        log.append(&many(log.length(), 4, 20))?;
        log.truncate(log.length() - 3, None)?;
        log.append(&many(log.length(), 400, 3))?;
    }
    Ok(())
}

/// A reader that learns manifest, head and some blocks.
fn read(disk: &Disk, from: &Log) -> Outcome {
    let options = OpenOptions::new().create(Create::IfMissing).key(from.key());
    let log = Log::open(disk.stores(), options)?;
    if log.length() == 0 {
        let upgrade = Some(UpgradeRequest { start: 0, length: from.length() });
        let request = Request { upgrade, manifest: true, ..Request::default() };
        log.apply_proof(&from.create_proof(&request)?.unwrap())?;
    }
    for index in [9, 2, 3, 11, 0] {
        let block = Some(BlockRequest { index, nodes: log.missing_nodes(index)? });
        let request = Request { block, ..Request::default() };
        log.apply_proof(&from.create_proof(&request)?.unwrap())?;
        if index == 3 {
            log.checkpoint()?;
        }
        log.clear(9..10)?;
    }
    log.close()?;
    Ok(())
}

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

/// Everything that must not change.
#[derive(PartialEq)]
struct Shown {
    fork: u64,
    blocks: Vec<Option<Vec<u8>>>,
    user_data: Vec<(String, Vec<u8>)>,
    has_manifest: bool,
}

fn shown(log: &Log) -> Shown {
    Shown {
        fork: log.fork(),
        blocks: blocks(log),
        user_data: log.user_data_entries(),
        has_manifest: log.manifest().is_some(),
    }
}

/// Fails each sync of `work` in turn, reopens, and cuts the power: at once, and after one change more.
fn every_sync_fails_once(work: &dyn Fn(&Disk) -> Outcome, options: &OpenOptions) -> usize {
    for fails_at in 0.. {
        let disk = Disk::default();
        disk.0.lock().unwrap().fails_in = Some(fails_at);
        if work(&disk).is_ok() {
            return fails_at;
        }
        let case = format!("sync {fails_at}");
        let log = match Log::open(disk.stores(), options.clone()) {
            Ok(log) => log,
            Err(error) => panic!("{case}: {error}"),
        };
        let before = shown(&log);
        assert_eq!(log.durable_length(), log.length(), "{case}");
        let read_only = || options.clone().create(Create::Never).access(Access::ReadOnly);
        let check = |wanted: &_, when: &str| {
            let cut = Log::open(disk.after_power_cut().stores(), read_only())
                .unwrap_or_else(|error| panic!("{case}, {when}: {error}"));
            assert!(shown(&cut) == *wanted, "{case}, {when}: {:?}", cut.recovery());
            assert_sound(&cut);
        };
        check(&before, "reopened");
        log.set_user_data("more", Some(b"change")).unwrap();
        if log.is_writable() {
            log.append(&[b"one more"]).unwrap();
        }
        let after = shown(&log);
        check(&after, "changed");
        log.checkpoint().unwrap();
        check(&after, "checkpointed");
        match log.close() {
            Ok(()) | Err(LogError::ReadOnly) => {}
            Err(error) => panic!("{case}: {error}"),
        }
        check(&after, "closed");
    }
    unreachable!("some run has fewer syncs")
}

#[test]
fn what_a_failed_sync_lost_is_written_again() {
    let syncs = every_sync_fails_once(&write, &writer());
    assert!(syncs > 50, "{syncs}");
}

#[test]
fn what_a_failed_sync_of_a_reader_lost_is_written_again() {
    let from = Log::open(Disk::default().stores(), writer()).unwrap();
    from.append(&many(0, 12, 300)).unwrap();
    let options = OpenOptions::new().create(Create::IfMissing).key(from.key());
    let syncs = every_sync_fails_once(&|disk| read(disk, &from), &options);
    assert!(syncs > 20, "{syncs}");
}
