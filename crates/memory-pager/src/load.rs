//! Making a pager from bytes that are stored elsewhere.
//!
//! Pages of zeros stay absent and loaded pages are clean. Opens nothing: readers are arguments.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;

use crate::Pager;

impl Pager {
    /// Reads pages from `reader` to its end, after skipping `offset` bytes.
    ///
    /// # Errors
    /// `InvalidInput` when `page_size` is 0, `UnexpectedEof` when there are fewer than `offset`
    /// bytes, `InvalidData` when what follows them is not a whole number of pages or more than
    /// [`NUMBER_MAX`](Self::NUMBER_MAX), and what the reader reports.
    pub fn from_reader<R: Read>(mut reader: R, page_size: usize, offset: u64) -> io::Result<Self> {
        let mut pager = empty(page_size)?;
        let skipped = io::copy(&mut Read::take(&mut reader, offset), &mut io::sink())?;
        if skipped < offset {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        pager.load(reader)?;
        Ok(pager)
    }

    /// Reads pages from `reader`, from byte `offset` of it to its end.
    ///
    /// # Errors
    /// As [`from_reader`](Self::from_reader), and what seeking reports.
    pub fn from_seekable<R: Read + Seek>(
        mut reader: R,
        page_size: usize,
        offset: u64,
    ) -> io::Result<Self> {
        let mut pager = empty(page_size)?;
        if reader.seek(SeekFrom::End(0))? < offset {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        reader.seek(SeekFrom::Start(offset))?;
        pager.load(reader)?;
        Ok(pager)
    }

    /// Reads pages from `file`, from byte `offset` of it (0 when none) to its end.
    ///
    /// The signature is that of memory-pager 0.9.
    ///
    /// # Errors
    /// As [`from_seekable`](Self::from_seekable).
    pub fn from_file(file: &mut File, page_size: usize, offset: Option<usize>) -> io::Result<Self> {
        Self::from_seekable(file, page_size, offset.unwrap_or(0) as u64)
    }

    fn load(&mut self, mut reader: impl Read) -> io::Result<()> {
        let mut bytes = vec![0; self.page_size()];
        for number in 0.. {
            match fill(&mut reader, &mut bytes)? {
                0 => break,
                filled if filled < bytes.len() => {
                    return Err(invalid("not a whole number of pages"));
                }
                _ => self.put(number, &bytes).map_err(|_| invalid("more pages than can be"))?,
            }
        }
        self.clean_all();
        Ok(())
    }
}

fn empty(page_size: usize) -> io::Result<Pager> {
    let page_size = NonZeroUsize::new(page_size)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a page size of 0"))?;
    Ok(Pager::with_page_size(page_size))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads until `bytes` is full or the reader ends; gives the number of bytes read.
fn fill(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled: usize = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
