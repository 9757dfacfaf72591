//! Where a feed of Dat or Hypercore 6 to 9 lies on disk: how it is recognized, and how its files are opened.
//!
//! Knows the names of files and how many bytes stand in front of them, not what they mean: that is `sleep`'s.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hypercore::{KeyPair, PublicKey, RandomAccess, StoreError};
use random_access_disk::{Access as DiskAccess, Create, Lock, LockKind, RandomAccessDisk};
use sleep::{Access, FileName, Storage};

use crate::failure::{Failure, Outcome};

/// The first bytes of `tree`, `signatures` and `bitfield`.
const MAGIC: [u8; 3] = [0x05, 0x02, 0x57];

/// Bytes of the file `key`.
const KEY_LEN: u64 = 32;

/// What programs that keep several feeds in one folder call them.
const FEEDS_OF_A_FOLDER: [&str; 2] = ["metadata", "content"];

/// The six files of a feed.
#[derive(Clone, Debug)]
pub(crate) struct SleepDir {
    folder: PathBuf,
    /// What stands in front of each file's name: nothing, or `metadata.` as the oldest Dat folders have it.
    prefix: String,
    /// Without it the feed is read beside its writer.
    takes_lock: bool,
}

impl SleepDir {
    /// The feed at `dir`: in that directory, or in files that are called `dir` with a dot and a name after it.
    ///
    /// A directory of Hypercore 10 is none, whatever else lies in it.
    pub(crate) fn find(dir: &Path) -> Option<Self> {
        if exists(&dir.join("oplog")) {
            return None;
        }
        let inside = Self { folder: dir.to_path_buf(), prefix: String::new(), takes_lock: true };
        let named = || {
            let prefix = format!("{}.", dir.file_name()?.to_str()?);
            Some(Self { folder: dir.parent()?.to_path_buf(), prefix, takes_lock: true })
        };
        Some(inside).filter(Self::is_feed).or_else(|| named().filter(Self::is_feed))
    }

    /// The same files, to be read while somebody else may write to them.
    pub(crate) fn without_lock(mut self) -> Self {
        self.takes_lock = false;
        self
    }

    /// Where a file of the feed is, if it is there.
    pub(crate) fn path(&self, name: FileName) -> PathBuf {
        self.folder.join(format!("{}{name}", self.prefix))
    }

    /// Bytes that a file takes on disk; 0 if it is missing.
    pub(crate) fn stored_len(&self, name: FileName) -> u64 {
        use std::os::unix::fs::MetadataExt as _;

        /// The unit in which the system counts.
        const BLOCK_LEN: u64 = 512;
        std::fs::metadata(self.path(name))
            .map_or(0, |found| found.blocks().saturating_mul(BLOCK_LEN))
    }

    /// The key pair of the feed `key` at `dir`, if its secret half is stored.
    pub(crate) fn key_pair(&self, dir: &Path, key: PublicKey) -> Outcome<Option<KeyPair>> {
        let failed = |error: sleep::Error| Failure::feed(dir, &error);
        let file = FileName::SecretKey;
        let opened = self.open(file, Access::Read);
        let Some(store) =
            opened.map_err(|source| failed(sleep::Error::Storage { file, source }))?
        else {
            return Ok(None);
        };
        sleep::keys::read_key_pair(&*store, &key).map_err(failed)
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, name: FileName) -> bool {
        exists(&self.path(name))
    }

    /// One damaged or missing file does not hide what the others are.
    fn is_feed(&self) -> bool {
        let has = |name| self.has(name);
        let begins_as_one = |name| begins_with_magic(&self.path(name));
        [FileName::Bitfield, FileName::Tree, FileName::Signatures].into_iter().any(begins_as_one)
            || (has(FileName::Signatures) && (has(FileName::Tree) || has(FileName::Bitfield)))
            || (self.has_key() && (has(FileName::SecretKey) || has(FileName::Data)))
    }

    /// Whether there is a file that could hold a key and nothing else.
    fn has_key(&self) -> bool {
        let found = std::fs::metadata(self.path(FileName::Key));
        found.is_ok_and(|key| key.is_file() && key.len() == KEY_LEN)
    }
}

impl Storage for SleepDir {
    fn open(
        &self,
        name: FileName,
        access: Access,
    ) -> Result<Option<Arc<dyn RandomAccess>>, StoreError> {
        let (disk_access, lock) = match access {
            Access::Read => (DiskAccess::ReadOnly, Lock::Shared),
            Access::Write | Access::Create => (DiskAccess::ReadWrite, Lock::Exclusive),
        };
        let is_lock = name == FileName::Bitfield && self.takes_lock;
        let opened = RandomAccessDisk::builder(self.path(name))
            .access(disk_access)
            .create(if access == Access::Create { Create::Now } else { Create::Never })
            .lock(if is_lock { lock } else { Lock::None })
            .lock_kind(LockKind::Flock)
            .secret(name == FileName::SecretKey)
            .open();
        match opened {
            Ok(store) => Ok(Some(Arc::new(store))),
            Err(StoreError::NotFound) => Ok(None),
            // Who may not read the secret may read the feed.
            Err(StoreError::Io { source, .. })
                if name == FileName::SecretKey
                    && access == Access::Read
                    && source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The feeds that a folder without a log of its own holds, as Dat and Hyperdrive keep them: to be told to whoever names the folder.
pub(crate) fn feeds_in(folder: &Path) -> Vec<PathBuf> {
    let places = [folder.to_path_buf(), folder.join(".dat")];
    let named = places.iter().flat_map(|place| FEEDS_OF_A_FOLDER.map(|name| place.join(name)));
    named.filter(|path| SleepDir::find(path).is_some()).collect()
}

fn exists(path: &Path) -> bool {
    std::fs::metadata(path).is_ok()
}

#[expect(clippy::disallowed_methods, reason = "a tool looks into the files it is given")]
fn begins_with_magic(path: &Path) -> bool {
    // Opening a pipe could wait for ever.
    if !path.is_file() {
        return false;
    }
    let mut begin = [0; MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == MAGIC
}
