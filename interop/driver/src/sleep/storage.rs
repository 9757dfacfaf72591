//! A feed in a directory, locked as the package locks it.

use std::path::PathBuf;
use std::sync::Arc;

use random_access_disk::{Create, Lock, LockKind, RandomAccessDisk};
use random_access_storage::{Error, RandomAccess, Result};
use sleep::{Access, FileName, Storage};

/// The files of a feed in `dir`.
pub(crate) fn directory(dir: PathBuf) -> impl Storage {
    move |name: FileName, access: Access| -> Result<Option<Arc<dyn RandomAccess>>> {
        let create = if access == Access::Create { Create::Now } else { Create::Never };
        let mut file = RandomAccessDisk::builder(dir.join(name.as_str()))
            .create(create)
            .secret(name == FileName::SecretKey);
        if access == Access::Read {
            file = file.access(random_access_disk::Access::ReadOnly);
        }
        if name == FileName::Bitfield {
            let lock = if access == Access::Read { Lock::Shared } else { Lock::Exclusive };
            file = file.lock(lock).lock_kind(LockKind::Flock);
        }
        match file.open() {
            Ok(file) => Ok(Some(Arc::new(file))),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
