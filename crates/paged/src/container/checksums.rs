//! What a container's pages pass on their way out: each gets its checksum.

use std::io::{self, Write};

use super::format::PageChecksum;
use crate::heap::Spool;

/// An output of whole pages that remembers their checksums.
#[derive(Debug)]
pub(super) struct Checksummed<W> {
    output: W,
    page_len: usize,
    /// Pages that are complete.
    page_count: u64,
    /// The checksum of the page being written, and its bytes so far.
    current: PageChecksum,
    filled: usize,
    /// Four bytes for each complete page.
    checksums: Spool,
}

impl<W: Write> Checksummed<W> {
    /// Counts pages from `first_page`.
    pub(super) fn new(output: W, page_len: u32, first_page: u64, checksums: Spool) -> Self {
        let current = PageChecksum::new(first_page);
        let page_len = page_len as usize;
        Self { output, page_len, page_count: first_page, current, filled: 0, checksums }
    }

    /// The output, the number of the page that would come next, and the checksums of the pages.
    pub(super) fn into_parts(self) -> (W, u64, Spool) {
        debug_assert_eq!(self.filled, 0, "whoever writes pages completes the last one");
        (self.output, self.page_count, self.checksums)
    }

    fn update(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let missing = self.page_len.saturating_sub(self.filled);
            let (part, rest) = bytes.split_at(missing.min(bytes.len()));
            self.current.update(part);
            self.filled = self.filled.saturating_add(part.len());
            bytes = rest;
            if self.filled == self.page_len {
                self.page_count = self.page_count.saturating_add(1);
                let next = PageChecksum::new(self.page_count);
                let checksum = std::mem::replace(&mut self.current, next).finish();
                self.checksums.append(|tail| tail.write_all(&checksum.to_be_bytes()))?;
                self.filled = 0;
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for Checksummed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.update(bytes.get(..written).unwrap_or(bytes))?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
