//! The store: one pager and a length behind one lock.
//!
//! Invariants: no page starts at or after the length, and the bytes of the last page past the
//! length are zero, so growing shows zeros.

use std::fmt;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use memory_pager::Pager;
use random_access_storage::{Error, RandomAccess, Result, SyncScope};

const PAGE_SIZE: u64 = 1024;

/// Longest store: 2^62 bytes.
const LEN_MAX: u64 = Pager::NUMBER_MAX * PAGE_SIZE;

/// Pages looked at for one answer of `next_stored`, so that it takes bounded time.
const RANGE_PAGES_MAX: u64 = 1024;

/// A store in memory; clones share the content, which ends with the last of them.
///
/// A write of one call is seen whole or not at all.
#[derive(Clone, Default)]
pub struct RandomAccessMemory {
    shared: Arc<RwLock<Content>>,
}

#[derive(Default)]
struct Content {
    /// Of the default page size, which is `PAGE_SIZE`.
    pages: Pager,
    len: u64,
}

impl RandomAccessMemory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing panics between two changes that belong together, so a poisoned lock is as good as
    /// any.
    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// Zeroes `range`, which ends at or before the length, and drops the pages it covers.
    fn clear(&mut self, range: Range<u64>) {
        let mut position = range.start;
        while position < range.end {
            let Some(number) = self.next_page(position) else { return };
            let page = page_range(number);
            let start = page.start.max(range.start);
            let end = page.end.min(range.end);
            if start >= end {
                return;
            }
            if start == page.start && end == page.end {
                self.remove(number);
            } else {
                self.zero(number, start..end);
            }
            position = end;
        }
    }

    /// Zeroes `range`, which lies in the present page `number`.
    fn zero(&mut self, number: u64, range: Range<u64>) {
        let first = page_range(number).start;
        let place = |position: u64| usize::try_from(position.saturating_sub(first)).ok();
        if let (Ok(number), Some(start), Some(end)) =
            (usize::try_from(number), place(range.start), place(range.end))
            && let Some(bytes) =
                self.pages.get_mut(number).and_then(|page| page.get_mut(start..end))
        {
            bytes.fill(0);
        }
    }

    fn remove(&mut self, number: u64) {
        if let Ok(number) = usize::try_from(number) {
            self.pages.remove(number);
        }
    }

    /// The first present page that holds or follows `position`.
    fn next_page(&self, position: u64) -> Option<u64> {
        let number = usize::try_from(position.checked_div(PAGE_SIZE)?).ok()?;
        Some(self.pages.next_present(number)? as u64)
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.truncate(usize::try_from(len.div_ceil(PAGE_SIZE)).unwrap_or(usize::MAX));
            // What is left of the last page, if it is there.
            let page_end = len.next_multiple_of(PAGE_SIZE);
            self.clear(len..page_end);
        }
        self.len = len;
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let len = data.len() as u64;
        self.pages.write_bytes(offset, data).map_err(|_| Error::TooLarge {
            offset,
            len,
            max: LEN_MAX,
        })?;
        self.len = self.len.max(offset.saturating_add(len));
        Ok(())
    }
}

impl RandomAccess for RandomAccessMemory {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let content = self.read();
        let len = buffer.len() as u64;
        if offset.checked_add(len).is_none_or(|last| last > content.len) {
            return Err(Error::OutOfBounds { offset, len, end: content.len });
        }
        content.pages.read_bytes(offset, buffer);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        check_fits(offset, data.len() as u64)?;
        self.write().write(offset, data)
    }

    fn write_vectored_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> Result<()> {
        let len =
            buffers.iter().fold(0, |sum: u64, buffer| sum.saturating_add(buffer.len() as u64));
        if len == 0 {
            return Ok(());
        }
        check_fits(offset, len)?;
        let mut content = self.write();
        let mut position = offset;
        for buffer in buffers.iter().filter(|buffer| !buffer.is_empty()) {
            content.write(position, buffer)?;
            position = position.saturating_add(buffer.len() as u64);
        }
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        let mut content = self.write();
        if len == 0 || offset >= content.len {
            return Ok(());
        }
        let end = offset.saturating_add(len);
        if end >= content.len {
            content.set_len(offset);
        } else {
            content.clear(offset..end);
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> Result<()> {
        check_fits(0, len)?;
        self.write().set_len(len);
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.read().len)
    }

    fn sync(&self, _: SyncScope) -> Result<()> {
        Ok(())
    }

    fn stored_len(&self) -> Result<u64> {
        Ok((self.read().pages.pages_present() as u64).saturating_mul(PAGE_SIZE))
    }

    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        let content = self.read();
        if offset >= content.len {
            return Ok(None);
        }
        let Some(first) = content.next_page(offset) else {
            return Ok(None);
        };
        let start = page_range(first).start.max(offset);
        let mut last = first;
        while last.saturating_sub(first) < RANGE_PAGES_MAX
            && content.next_page(page_range(last).end) == Some(last.saturating_add(1))
        {
            last = last.saturating_add(1);
        }
        let end = page_range(last).end.min(content.len);
        Ok((start < end).then_some(start..end))
    }
}

impl fmt::Debug for RandomAccessMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.read();
        f.debug_struct("RandomAccessMemory")
            .field("len", &content.len)
            .field("pages_present", &content.pages.pages_present())
            .finish()
    }
}

/// The bytes of page `number`.
fn page_range(number: u64) -> Range<u64> {
    let start = number.saturating_mul(PAGE_SIZE);
    start..start.saturating_add(PAGE_SIZE)
}

fn check_fits(offset: u64, len: u64) -> Result<()> {
    match offset.checked_add(len) {
        Some(last) if last <= LEN_MAX => Ok(()),
        _ => Err(Error::TooLarge { offset, len, max: LEN_MAX }),
    }
}
