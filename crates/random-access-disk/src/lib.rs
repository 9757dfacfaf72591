//! Sparse storage in a file.
//!
//! [`RandomAccessDisk`] is a [`RandomAccess`] on one file of a Unix file system: reads and writes
//! carry their position (`pread`, `pwrite`, `pwritev`) and loop until all is done, gaps cost
//! nothing, and [`discard`] gives blocks back by punching a hole. It keeps no cursor, no buffer
//! and no copy of the length, starts no thread, and never syncs by itself. It knows nothing of
//! what is stored.
//!
//! ```
//! use random_access_disk::{Create, Lock, RandomAccessDisk};
//! use random_access_storage::{Error, RandomAccess, SyncScope};
//!
//! # let directory = tempfile::tempdir().expect("a temporary directory");
//! # let path = directory.path().join("a/new/folder/data");
//! let store = RandomAccessDisk::builder(&path).lock(Lock::Exclusive).open()?;
//! store.write_at(9877, b"far in")?;
//! store.sync(SyncScope::Data)?;
//! assert_eq!(store.len()?, 9883);
//! assert!(matches!(
//!     RandomAccessDisk::builder(&path).lock(Lock::Shared).open(),
//!     Err(Error::Locked)
//! ));
//! # Ok::<(), Error>(())
//! ```
//!
//! # After a crash
//!
//! What [`sync`] covered survives power loss, and with it the file's name: the first `sync` of a
//! handle that may write also syncs the folder of the file, the folder above that, and each folder
//! that names one the handle made. Without `sync` what was written survives the end of the process
//! only.
//!
//! # Locks
//!
//! A lock is an open file description lock (`F_OFD_SETLK`) on the whole file, the kind that
//! JavaScript Hypercore 10 takes through `fs-native-extensions`; or, with [`LockKind::Flock`], the kind that
//! Hypercore 8 and 9 take. Either excludes other processes and
//! other handles of this process alike, is never waited for, and ends when the handle is dropped
//! or the process ends. It is advisory: whoever asks for no lock, or for one of the other kind, is not stopped.
//!
//! # Platforms
//!
//! Linux is what is tested. On other Unix systems locks are `flock` ones and holes are written as
//! zeros. On network file systems locks and holes are as good as the server makes them.
//!
//! # Features
//!
//! None.
//!
//! [`RandomAccess`]: random_access_storage::RandomAccess
//! [`discard`]: random_access_storage::RandomAccess::discard
//! [`sync`]: random_access_storage::RandomAccess::sync
#![cfg(unix)]
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "this is the crate that opens files")]

mod builder;
mod disk;
mod folder;
mod hole;
mod lock;
mod naming;
mod open;

pub use builder::{Access, Builder, Create, Lock, LockKind};
pub use disk::RandomAccessDisk;
pub use folder::{folders_in, remove_empty_folder, remove_files, remove_folder};
pub use naming::{is_vacant, name_file, remove_draft};
