//! Making a range of a file zero, and finding the ranges that are not.
//!
//! Invariant: a range given to [`punch`] or [`fill_zeros`] lies inside the file, so the length
//! never changes. Knows no locks and no paths.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Zeros written by one call where holes cannot be punched.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Makes `range` a hole; writes zeros where the file system cannot.
pub(crate) fn punch(file: &File, range: Range<u64>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;

        let len = range.end.saturating_sub(range.start);
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        loop {
            return match fallocate(file, flags, range.start, len) {
                Err(Errno::INTR) => continue,
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill_zeros(file, range),
                done => done.map_err(io::Error::from),
            };
        }
    }
    #[cfg(not(target_os = "linux"))]
    fill_zeros(file, range)
}

/// Writes zeros over what is stored in `range`; holes in it stay holes.
pub(crate) fn fill_zeros(file: &File, range: Range<u64>) -> io::Result<()> {
    let mut position = range.start;
    while let Some(stored) = next_stored(file, position, range.end)? {
        position = stored.start;
        while position < stored.end {
            let left = usize::try_from(stored.end.saturating_sub(position)).unwrap_or(usize::MAX);
            let zeros = ZEROS.get(..left).unwrap_or(&ZEROS);
            file.write_all_at(zeros, position)?;
            position = position.saturating_add(zeros.len() as u64);
        }
    }
    Ok(())
}

/// The first range at or after `offset` and before `end` that may hold bytes other than zero.
pub(crate) fn next_stored(file: &File, offset: u64, end: u64) -> io::Result<Option<Range<u64>>> {
    if offset >= end {
        return Ok(None);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{SeekFrom, seek};
        use rustix::io::Errno;

        // The cursor that this moves is used by nobody.
        let start = match seek(file, SeekFrom::Data(offset)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(None),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some(offset..end)),
            Err(errno) => return Err(errno.into()),
        };
        let stop = match seek(file, SeekFrom::Hole(start)) {
            Ok(stop) => stop.min(end),
            // Cut short by another between the two calls.
            Err(Errno::NXIO) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        Ok((start < stop).then_some(start..stop))
    }
    #[cfg(not(target_os = "linux"))]
    Ok(Some(offset..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_written_over_what_is_stored_only() {
        let file = tempfile::tempfile().unwrap();
        let block = 64 * 1024;
        file.write_all_at(&vec![7; 3 * block], 0).unwrap();
        file.write_all_at(&[7; 100], 1 << 40).unwrap();
        let stored = std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap());
        fill_zeros(&file, 10..(1 << 40) + 50).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap()), stored);
        let mut bytes = vec![1; 3 * block];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes[..10], [7; 10]);
        assert!(bytes[10..].iter().all(|byte| *byte == 0));
        let mut tail = [1; 100];
        file.read_exact_at(&mut tail, 1 << 40).unwrap();
        assert_eq!(tail[..50], [0; 50]);
        assert_eq!(tail[50..], [7; 50]);
    }
}
