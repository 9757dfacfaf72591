//! Shows a feed of Dat or Hypercore 6 to 9: `cargo run -p sleep --example read_feed -- DIR`.
//!
//! Reads only, and shares the folder with other readers. Without a folder it makes a small feed in a temporary
//! one and shows that.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hypercore_crypto::KeyPair;
use random_access_disk::{Create, Lock, LockKind, RandomAccessDisk};
use random_access_storage::{Error as StoreError, RandomAccess};
use sleep::{Access, Feed, FileName, Storage};

/// Blocks that are shown.
const SHOWN_MAX: usize = 10;
/// Bytes of a block that are shown.
const SHOWN_LEN_MAX: usize = 60;

/// The six files in a folder. The lock of the feed is one on `bitfield`, where the programs of Dat look for it.
struct Folder(PathBuf);

impl Storage for Folder {
    fn open(
        &self,
        name: FileName,
        access: Access,
    ) -> Result<Option<Arc<dyn RandomAccess>>, StoreError> {
        let reads = access == Access::Read;
        let lock = match name {
            FileName::Bitfield if reads => Lock::Shared,
            FileName::Bitfield => Lock::Exclusive,
            _ => Lock::None,
        };
        let disk_access = if reads {
            random_access_disk::Access::ReadOnly
        } else {
            random_access_disk::Access::ReadWrite
        };
        let opened = RandomAccessDisk::builder(self.0.join(name.as_str()))
            .access(disk_access)
            .create(if access == Access::Create { Create::Now } else { Create::Never })
            .lock(lock)
            .lock_kind(LockKind::Flock)
            .secret(name == FileName::SecretKey)
            .open();
        match opened {
            Ok(store) => Ok(Some(Arc::new(store))),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(folder) = std::env::args_os().nth(1) {
        return show(Path::new(&folder));
    }
    let folder = tempfile::tempdir()?;
    let key_pair = KeyPair::from_seed(&[7; 32]); // a seed should be random
    let options = Feed::options().access(Access::Create).key_pair(key_pair);
    let mut feed = options.open(Folder(folder.path().to_path_buf()))?;
    feed.append(&["hello", "world"])?;
    feed.append(&["a second batch, with a signature of its own"])?;
    drop(feed);
    show(folder.path())
}

fn show(folder: &Path) -> Result<(), Box<dyn Error>> {
    let feed = Feed::options().access(Access::Read).open(Folder(folder.to_path_buf()))?;
    println!("key    {}", feed.key());
    println!(
        "length {} blocks, {} bytes; {} blocks are stored",
        feed.length(),
        feed.byte_length(),
        feed.present_count()
    );
    for finding in feed.recovery().findings() {
        println!("note   {finding}");
    }
    for block in feed.present().flatten().take(SHOWN_MAX) {
        let bytes = feed.get(block)?;
        let shown = bytes.get(..SHOWN_LEN_MAX).unwrap_or(&bytes);
        println!("{block:>6} {:>6} bytes  {}", bytes.len(), shown.escape_ascii());
    }
    Ok(())
}
