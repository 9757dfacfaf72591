//! Space of a file: reserving it before it is used, and making it zeros again.
//!
//! Why: a store into a mapped page for which the file system finds no space ends the process
//! (SIGBUS). A reserved page has its space, so the error comes where the file grows, as an error.
//! Knows nothing of pages or locks.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

/// Bytes of zeros written at once where space can not be reserved otherwise.
const FILLING_LEN: usize = 1024 * 1024;
/// What `st_blocks` counts in, whatever the file system's own blocks are.
const STAT_BLOCK_LEN: u64 = 512;

/// Lengthens `file` from `len_old` to `len_new` bytes and reserves what is new.
pub(super) fn grow(file: &File, len_old: u64, len_new: u64) -> io::Result<()> {
    let more = len_new.saturating_sub(len_old);
    let grown = match allocate(file, len_old, more) {
        Err(error) if is_unsupported(&error) => fill(file, len_old, len_new),
        done => done,
    };
    if grown.is_err() {
        // What came of a growth that failed is given back. Where that fails too, the file is longer
        // than anything says it is, which is harmless.
        let _ = file.set_len(len_old);
    }
    grown
}

/// Reserves space for all of `file`, which others may have made with holes.
///
/// Where the file system can not reserve, the holes stay: it can not be told what they are.
pub(super) fn reserve(file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.blocks().saturating_mul(STAT_BLOCK_LEN) >= metadata.len() {
        return Ok(());
    }
    match allocate(file, 0, metadata.len()) {
        Err(error) if is_unsupported(&error) => Ok(()),
        done => done,
    }
}

/// Makes a range zeros without writing it; `Unsupported` where the file system has no such call.
pub(super) fn zero(file: &File, offset: u64, len: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::FallocateFlags;

        let zeroed = fallocate(file, FallocateFlags::ZERO_RANGE, offset, len);
        match zeroed {
            Err(error) if is_unsupported(&error) => {}
            done => return done,
        }
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(file, hole, offset, len)?;
        allocate(file, offset, len)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, offset, len);
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(super) fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Reserves a range, lengthening the file where it passes the end.
fn allocate(file: &File, offset: u64, len: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        fallocate(file, rustix::fs::FallocateFlags::empty(), offset, len)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, offset, len);
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(target_os = "linux")]
fn fallocate(
    file: &File,
    flags: rustix::fs::FallocateFlags,
    offset: u64,
    len: u64,
) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    let done = rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, flags, offset, len));
    Ok(done?)
}

/// Reserves by writing: a block that was written has its space.
fn fill(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; FILLING_LEN];
    let mut at = from;
    while at < to {
        let remaining = usize::try_from(to.saturating_sub(at)).unwrap_or(FILLING_LEN);
        let Some(bytes) = zeros.get(..remaining.min(FILLING_LEN)) else { break };
        file.write_all_at(bytes, at)?;
        at = at.saturating_add(bytes.len() as u64);
    }
    Ok(())
}
