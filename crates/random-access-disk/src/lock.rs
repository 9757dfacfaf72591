//! Whole-file locks that are tried, not waited for.
//!
//! Invariant: the lock belongs to the open file description, so it excludes a second handle of
//! this process and ends with the last descriptor. Knows nothing of paths.

use std::fs::File;

use random_access_storage::{Error, Operation, Result};

use crate::Lock;

#[cfg(target_os = "linux")]
#[expect(clippy::cast_possible_truncation, reason = "the constants are 0, 1 and 2")]
pub(crate) fn take(file: &File, lock: Lock) -> Result<()> {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    let kind = match lock {
        Lock::None => return Ok(()),
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
    };
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
pub(crate) fn take(file: &File, lock: Lock) -> Result<()> {
    use std::fs::TryLockError;

    let taken = match lock {
        Lock::None => return Ok(()),
        Lock::Shared => file.try_lock_shared(),
        Lock::Exclusive => file.try_lock(),
    };
    taken.map_err(|error| match error {
        TryLockError::WouldBlock => Error::Locked,
        TryLockError::Error(source) => Error::io(Operation::Lock, 0, 0, source),
    })
}
