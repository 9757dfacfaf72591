//! Space of a file: reserving it before it is used.
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

fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Reserves a range, lengthening the file where it passes the end.
#[cfg(target_os = "linux")]
fn allocate(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let flags = rustix::fs::FallocateFlags::empty();
    let done = rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, flags, offset, len));
    Ok(done?)
}

#[cfg(not(target_os = "linux"))]
fn allocate(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> File {
        tempfile::tempfile().unwrap()
    }

    fn blocks_len(file: &File) -> u64 {
        file.metadata().unwrap().blocks() * STAT_BLOCK_LEN
    }

    #[test]
    fn growth_has_its_space() {
        let file = file();
        grow(&file, 0, 3_000_000).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3_000_000);
        assert!(blocks_len(&file) >= 3_000_000);
    }

    /// What a file system gets that can not reserve.
    #[test]
    fn written_zeros_have_their_space_too_and_keep_what_is_before_them() {
        let file = file();
        file.write_all_at(&[5; 1000], 0).unwrap();
        fill(&file, 1000, 2_500_001).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 2_500_001);
        file.sync_data().unwrap();
        assert!(blocks_len(&file) >= 2_500_001);
        let mut bytes = vec![9; 2_500_001];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes[..1000], [5; 1000]);
        assert!(bytes[1000..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn holes_get_their_space_and_stay_zeros() {
        let file = file();
        file.set_len(1_000_000).unwrap();
        file.write_all_at(&[5; 1000], 500_000).unwrap();
        reserve(&file).unwrap();
        assert!(blocks_len(&file) >= 1_000_000);
        assert_eq!(file.metadata().unwrap().len(), 1_000_000);
        let mut bytes = [9; 3000];
        file.read_exact_at(&mut bytes, 499_000).unwrap();
        assert_eq!(bytes[..1000], [0; 1000]);
        assert_eq!(bytes[1000..2000], [5; 1000]);
    }

    /// A file opened to be read only can be neither lengthened nor left longer.
    #[test]
    fn a_growth_that_fails_leaves_the_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [1; 100]).unwrap();
        let file = File::open(&path).unwrap();
        assert!(grow(&file, 100, 10_000).is_err());
        assert_eq!(file.metadata().unwrap().len(), 100);
    }
}
