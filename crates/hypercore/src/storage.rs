//! Where a log lives: a directory, memory, or stores of one's own.
//!
//! Turns a [`Storage`] into the five open stores of the engine, and names where its snapshots and batches
//! are kept. The order matters: the lock on the oplog is taken before anything else is looked at, so a
//! second writer changes nothing. Knows file names and locks; knows nothing of what is in the files
//! beyond "is there an oplog".

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hypercore_log::{Create, Stores};
use random_access_disk::{Access as DiskAccess, Create as DiskCreate, Lock, RandomAccessDisk};
use random_access_memory::RandomAccessMemory;
use random_access_storage::{Error as StoreError, RandomAccess, Result as StoreResult};

use crate::backup::UNFINISHED;
use crate::error::{Error, Result};
use crate::options::Access;
use crate::packed::{self, is_packed};
use crate::side_stores::{Side, SideDirectory, SideStores};

/// The files of a directory, in the order in which they are opened. The oplog is first: it carries
/// the lock.
const FILES: [&str; 5] = ["oplog", "header", "tree", "bitfield", "data"];

/// Where a log is kept.
///
/// Made by [`Storage::directory`], [`Storage::memory`], from a [`MemoryStorage`] that several logs
/// share one after the other, or from [`Stores`] of one's own. Anything path-like converts.
///
/// ```
/// use hypercore::Storage;
/// let on_disk: Storage = "/tmp/measurements".into();
/// let named: Storage = String::from("/tmp/measurements").into();
/// let in_memory = Storage::memory();
/// # let _ = (on_disk, named, in_memory);
/// ```
pub struct Storage {
    place: Place,
    side: Option<Arc<dyn SideStores>>,
}

enum Place {
    Directory(PathBuf),
    Memory(MemoryStorage),
    Stores(Box<Stores>),
    /// Stores that were handed out: they can not be opened twice.
    Gone,
}

impl Storage {
    const fn at(place: Place) -> Self {
        Self { place, side: None }
    }

    /// A directory in the format of Hypercore 10, made when it is missing and the options allow it; or a file that
    /// [`Hypercore::pack`](crate::Hypercore::pack) wrote, for reading.
    #[must_use]
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::Directory(path.into()))
    }

    /// Fresh memory that is gone with the log. To reopen it, keep a [`MemoryStorage`].
    #[must_use]
    pub fn memory() -> Self {
        Self::at(Place::Memory(MemoryStorage::new()))
    }

    /// Where snapshots and named batches keep what is theirs. A directory has them below itself and memory has
    /// its own; without this, a log on [`Stores`] of one's own has its snapshots in memory and no named
    /// batches.
    #[must_use]
    pub fn side_stores(mut self, side: impl SideStores + 'static) -> Self {
        self.side = Some(Arc::new(side));
        self
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Directory(path) => f.debug_tuple("Directory").field(path).finish(),
            Place::Memory(_) => f.write_str("Memory"),
            Place::Stores(_) | Place::Gone => f.write_str("Stores"),
        }
    }
}

macro_rules! from_paths {
    ($($path:ty),*) => {$(
        impl From<$path> for Storage {
            fn from(path: $path) -> Self {
                Self::directory(path)
            }
        }
    )*};
}

from_paths!(PathBuf, &PathBuf, &Path, &str, String, &String, &OsStr, OsString);

impl From<MemoryStorage> for Storage {
    fn from(memory: MemoryStorage) -> Self {
        Self::at(Place::Memory(memory))
    }
}

impl From<Stores> for Storage {
    /// Stores of one's own. Whoever makes them answers for locking: two logs that write to the
    /// same stores at once destroy each other.
    fn from(stores: Stores) -> Self {
        Self::at(Place::Stores(Box::new(stores)))
    }
}

/// A log's five stores and its named batches in memory; clones share the bytes, so a log can be closed and
/// reopened.
///
/// There is no lock: two handles opened for writing on clones of one `MemoryStorage` destroy each
/// other's log, as two writers on one's own [`Stores`] would.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    oplog: RandomAccessMemory,
    header: RandomAccessMemory,
    tree: RandomAccessMemory,
    bitfield: RandomAccessMemory,
    data: RandomAccessMemory,
    batches: Arc<Mutex<BTreeMap<String, Self>>>,
}

impl MemoryStorage {
    /// Empty stores.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn stores(&self) -> Stores {
        Stores {
            oplog: Box::new(self.oplog.clone()),
            header: Box::new(self.header.clone()),
            tree: Box::new(self.tree.clone()),
            bitfield: Box::new(self.bitfield.clone()),
            data: Box::new(self.data.clone()),
        }
    }

    /// Every change is one call, so a panic elsewhere spoils nothing.
    fn held_batches(&self) -> MutexGuard<'_, BTreeMap<String, Self>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SideStores for MemoryStorage {
    fn batches(&self) -> StoreResult<Vec<String>> {
        Ok(self.held_batches().keys().cloned().collect())
    }

    fn open_batch(&self, name: &str) -> StoreResult<Stores> {
        self.held_batches().get(name).map(Self::stores).ok_or(StoreError::NotFound)
    }

    fn create_batch(&self, name: &str) -> StoreResult<Stores> {
        Ok(self.held_batches().entry(name.to_owned()).or_default().stores())
    }

    fn delete_batch(&self, name: &str) -> StoreResult<()> {
        self.held_batches().remove(name);
        Ok(())
    }
}

impl Storage {
    /// Whether opening would make files where none are. Decides nothing: only the lock does.
    pub(crate) fn would_create(&self) -> Result<bool> {
        match &self.place {
            Place::Directory(path) if !is_packed(path) => Ok(!exists(&path.join("oplog"))?),
            _ => Ok(false),
        }
    }

    /// The directory, if it is one, wherever the process goes meanwhile.
    pub(crate) fn directory_path(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Directory(path) => {
                Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            }
            _ => None,
        }
    }

    /// Whether a second opener is told that the log is open.
    pub(crate) fn has_lock(&self) -> bool {
        matches!(self.place, Place::Directory(_))
    }

    /// The stores beside those of the log, for a handle with `access`.
    pub(crate) fn side(&self, access: Access) -> Side {
        if let Some(own) = &self.side {
            return Side::new(Arc::clone(own));
        }
        match &self.place {
            Place::Directory(path) if is_packed(path) => Side::none(),
            Place::Directory(path) => Side::new(Arc::new(SideDirectory::new(path, access))),
            Place::Memory(memory) => Side::new(Arc::new(memory.clone())),
            Place::Stores(_) | Place::Gone => Side::none(),
        }
    }

    /// Opens the stores, locking a directory. May be called again, unless they are one's own.
    pub(crate) fn open(&mut self, access: Access, create: Create) -> Result<Stores> {
        match &mut self.place {
            Place::Directory(path) if is_packed(path) => match access {
                Access::ReadWrite => Err(Error::packed_for_writing(path)),
                _ => packed::open(path),
            },
            Place::Directory(path) => open_directory(path, access, create),
            Place::Memory(memory) => Ok(memory.stores()),
            own => match std::mem::replace(own, Place::Gone) {
                Place::Stores(stores) => Ok(*stores),
                _ => Err(Error::not_found()),
            },
        }
    }
}

/// Two names for the same stores.
pub(crate) fn share(stores: Stores) -> (Stores, Stores) {
    let twins = |store: Box<dyn RandomAccess>| -> (Box<dyn RandomAccess>, Box<dyn RandomAccess>) {
        let store: Arc<dyn RandomAccess> = store.into();
        (Box::new(Arc::clone(&store)), Box::new(store))
    };
    let (oplog, same_oplog) = twins(stores.oplog);
    let (header, same_header) = twins(stores.header);
    let (tree, same_tree) = twins(stores.tree);
    let (bitfield, same_bitfield) = twins(stores.bitfield);
    let (data, same_data) = twins(stores.data);
    let same = Stores {
        oplog: same_oplog,
        header: same_header,
        tree: same_tree,
        bitfield: same_bitfield,
        data: same_data,
    };
    (Stores { oplog, header, tree, bitfield, data }, same)
}

fn open_directory(path: &Path, access: Access, create: Create) -> Result<Stores> {
    if !exists(&path.join("oplog"))? {
        if access != Access::ReadWrite || create != Create::Overwrite {
            match refuse_strangers(path) {
                // Another opener is making a log here: the lock will tell.
                Err(_) if exists(&path.join("oplog"))? => return open_files(path, access),
                result => result?,
            }
        }
        if access != Access::ReadWrite || create == Create::Never {
            return Err(Error::not_found());
        }
    }
    open_files(path, access)
}

fn open_files(path: &Path, access: Access) -> Result<Stores> {
    let [oplog, header, tree, bitfield, data] = FILES;
    let open = |name| open_file(path, name, access).map_err(|error| Error::storage(name, error));
    Ok(Stores {
        oplog: open(oplog)?,
        header: open(header)?,
        tree: open(tree)?,
        bitfield: open(bitfield)?,
        data: open(data)?,
    })
}

/// Opens one file of a log or of a batch in `folder`.
pub(crate) fn open_file(
    folder: &Path,
    name: &'static str,
    access: Access,
) -> StoreResult<Box<dyn RandomAccess>> {
    let oplog = name == "oplog";
    let builder = RandomAccessDisk::builder(folder.join(name))
        .access(match access {
            Access::ReadWrite => DiskAccess::ReadWrite,
            _ => DiskAccess::ReadOnly,
        })
        .create(match (access, oplog) {
            (Access::ReadWrite, true) => DiskCreate::Now,
            (_, true) => DiskCreate::Never,
            (_, false) => DiskCreate::OnFirstWrite,
        })
        .lock(match access {
            Access::ReadWrite if oplog => Lock::Exclusive,
            Access::ReadOnly if oplog => Lock::Shared,
            _ => Lock::None,
        })
        .secret(oplog || name == "header");
    Ok(Box::new(builder.open()?))
}

/// A directory without an oplog that holds another of our files is either of an older format or
/// has lost its oplog; writing a new log into it would destroy what is left.
fn refuse_strangers(path: &Path) -> Result<()> {
    if exists(&path.join(UNFINISHED))? {
        return Err(Error::unfinished(path));
    }
    for name in FILES.into_iter().filter(|name| *name != "oplog") {
        if exists(&path.join(name))? {
            return Err(Error::strangers(path.join(name)));
        }
    }
    Ok(())
}

fn exists(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            // A file stands in the way: the directory itself, or one above it.
            let in_the_way = path.ancestors().find(|above| above.is_file());
            Err(Error::not_a_directory(in_the_way.unwrap_or(path), error))
        }
        Err(error) => Err(Error::directory("could not be looked at", path, error)),
    }
}
