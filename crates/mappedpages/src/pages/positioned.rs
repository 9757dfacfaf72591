//! Pages without a map: read when first looked at, kept, and written when asked to.
//!
//! Invariants: a page that is kept has what the medium has, unless it is marked as stored to; a reference
//! to a kept page borrows the whole, so nothing is dropped under it. The table grows with what is used, not
//! with the medium. Safe code only.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::kept::Kept;
use super::{OUT, SyncHandle, position};
use crate::error::MappedPageError;
use crate::medium::{Medium, no_room};

/// Bytes of kept pages from which on [`Positioned::flush_dirty`] forgets them all.
const KEPT_LEN_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
struct Slot {
    content: OnceLock<Box<[u8]>>,
    /// Stored to since the medium got it; then it is in `Positioned::dirty`.
    is_dirty: bool,
}

/// The safe twin of the map.
#[derive(Debug)]
pub(super) struct Positioned<const P: usize> {
    medium: Arc<dyn Medium>,
    count: u64,
    slots: Kept<Slot>,
    dirty: Vec<u64>,
    /// Pages that are kept.
    kept: AtomicUsize,
}

impl<const P: usize> Positioned<P> {
    pub(super) fn new(medium: Arc<dyn Medium>, count: u64) -> Self {
        Self { medium, count, slots: Kept::default(), dirty: Vec::new(), kept: 0.into() }
    }

    /// The place of a page in the table.
    fn slot(&self, page: u64) -> Result<&Slot, MappedPageError> {
        if page >= self.count {
            return Err(OUT);
        }
        self.slots.place(page).ok_or(OUT)
    }

    fn slot_mut(&mut self, page: u64) -> Option<&mut Slot> {
        self.slots.place_mut(page)
    }

    pub(super) fn page(&self, page: u64) -> Result<&[u8], MappedPageError> {
        let slot = self.slot(page)?;
        if let Some(content) = slot.content.get() {
            return Ok(content);
        }
        let mut content = vec![0; P].into_boxed_slice();
        self.medium.read_at(position::<P>(page)?, &mut content)?;
        // Another thread may have been faster; both have read the same.
        Ok(slot.content.get_or_init(|| {
            self.kept.fetch_add(1, Ordering::Relaxed);
            content
        }))
    }

    pub(super) fn page_mut(&mut self, page: u64) -> Result<&mut [u8], MappedPageError> {
        self.page(page)?;
        let slot = self.slot_mut(page).ok_or(OUT)?;
        if !slot.is_dirty {
            slot.is_dirty = true;
            self.dirty.push(page);
        }
        // Found a second time, since the mark is kept elsewhere in `self`.
        let content = self.slot_mut(page).and_then(|slot| slot.content.get_mut());
        content.map(|content| &mut **content).ok_or(OUT)
    }

    pub(super) fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), MappedPageError> {
        self.medium.read_at(offset, into)?;
        // Pages that are kept may be newer.
        for (page, inside, range) in parts_of::<P>(offset, into.len()) {
            let content = self.slot(page)?.content.get().and_then(|content| content.get(inside));
            if let (Some(content), Some(into)) = (content, into.get_mut(range)) {
                into.copy_from_slice(content);
            }
        }
        Ok(())
    }

    pub(super) fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), MappedPageError> {
        self.medium.write_at(offset, bytes)?;
        for (page, inside, range) in parts_of::<P>(offset, bytes.len()) {
            let is_whole = inside.len() == P;
            let Some(slot) = self.slot_mut(page) else { continue };
            let into = slot.content.get_mut().and_then(|content| content.get_mut(inside));
            if let (Some(into), Some(bytes)) = (into, bytes.get(range)) {
                into.copy_from_slice(bytes);
            }
            // Nothing is left of what was stored to it, which the medium need not get any more.
            slot.is_dirty &= !is_whole;
        }
        Ok(())
    }

    pub(super) fn grow(&mut self, end: u64, len: u64, count: u64) -> Result<(), MappedPageError> {
        self.medium.cut(end)?;
        self.medium.grow(len).map_err(no_room)?;
        self.count = count;
        Ok(())
    }

    pub(super) fn cut(&mut self, len: u64, count: u64) -> Result<(), MappedPageError> {
        self.forget_from(count);
        self.count = count;
        Ok(self.medium.cut(len)?)
    }

    pub(super) fn flush_dirty(&mut self) -> Result<(), MappedPageError> {
        // Taken from the end, so that the medium is written in order, and a page that fails stays marked.
        self.dirty.sort_unstable_by(|one, other| other.cmp(one));
        while let Some(&page) = self.dirty.last() {
            let slot = self.slot(page)?;
            if let (true, Some(content)) = (slot.is_dirty, slot.content.get()) {
                self.medium.write_at(position::<P>(page)?, content)?;
            }
            if let Some(slot) = self.slot_mut(page) {
                slot.is_dirty = false;
            }
            self.dirty.pop();
        }
        if self.kept.load(Ordering::Relaxed).saturating_mul(P) > KEPT_LEN_MAX {
            self.slots = Kept::default();
            *self.kept.get_mut() = 0;
        }
        Ok(())
    }

    pub(super) fn sync_handle(&self) -> SyncHandle {
        SyncHandle::new(Arc::clone(&self.medium))
    }

    /// Drops what is kept of the pages from `page` on, also what was stored to them.
    fn forget_from(&mut self, page: u64) {
        self.dirty.retain(|&dirty| dirty < page);
        let mut forgotten = 0_usize;
        self.slots.each_from(page, &mut |slot| {
            forgotten = forgotten.saturating_add(usize::from(slot.content.take().is_some()));
            slot.is_dirty = false;
        });
        let kept = self.kept.get_mut();
        *kept = kept.saturating_sub(forgotten);
    }
}

/// Cuts `len` bytes at `offset` at the borders of pages: the page, the places in it, and those in the
/// `len` bytes.
fn parts_of<const P: usize>(
    offset: u64,
    len: usize,
) -> impl Iterator<Item = (u64, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut done = 0_usize;
    std::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        let at = offset.checked_add(done as u64)?;
        let page = at.checked_div(P as u64)?;
        let start = usize::try_from(at.checked_rem(P as u64)?).ok()?;
        let part = P.saturating_sub(start).min(len.saturating_sub(done));
        let range = done..done.checked_add(part)?;
        done = range.end;
        Some((page, start..start.checked_add(part)?, range))
    })
}
