//! Whole-file locks that are tried, not waited for.
//!
//! Invariant: the lock belongs to the open file description, so it excludes a second handle of
//! this process and ends with the last descriptor. Knows nothing of paths.

use std::fs::{File, TryLockError};

use random_access_storage::{Error, Operation, Result};

use crate::{Lock, LockKind};

/// Takes `lock` on an open file.
pub(crate) fn take(file: &File, lock: Lock, kind: LockKind) -> Result<()> {
    if lock == Lock::None {
        return Ok(());
    }
    match kind {
        LockKind::Record => record(file, lock),
        LockKind::Flock => flock(file, lock),
    }
}

#[cfg(target_os = "linux")]
#[expect(clippy::cast_possible_truncation, reason = "the constants are 0, 1 and 2")]
fn record(file: &File, lock: Lock) -> Result<()> {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    let kind = if lock == Lock::Exclusive { libc::F_WRLCK } else { libc::F_RDLCK };
    // Start and length 0 mean the whole file, however long it becomes: what JavaScript asks for.
    let range = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    loop {
        return match fcntl(file, FcntlArg::F_OFD_SETLK(&range)) {
            Ok(_) => Ok(()),
            Err(Errno::EINTR) => continue,
            Err(Errno::EAGAIN | Errno::EACCES) => Err(Error::Locked),
            Err(errno) => Err(Error::io(Operation::Lock, 0, 0, errno.into())),
        };
    }
}

#[cfg(not(target_os = "linux"))]
fn record(file: &File, lock: Lock) -> Result<()> {
    flock(file, lock)
}

/// What the standard library calls on Unix systems is `flock`; the tests see that it is.
fn flock(file: &File, lock: Lock) -> Result<()> {
    let taken = if lock == Lock::Exclusive { file.try_lock() } else { file.try_lock_shared() };
    taken.map_err(|error| match error {
        TryLockError::WouldBlock => Error::Locked,
        TryLockError::Error(source) => Error::io(Operation::Lock, 0, 0, source),
    })
}
