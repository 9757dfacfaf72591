//! Protected pages: written as a whole or not at all.

use crate::engine::{Engine as _, Result};
use crate::map;
use crate::options::Durability;
use crate::page::MappedPage;
use crate::pager::Pager;

/// Names a protected page of a file whose pages are `PAGE_SIZE` bytes long.
///
/// The low 40 bits are the slot in the directory, the high 24 count how often that slot was freed
/// before, so that an id that outlived its page is told from that of the page that came after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtectedPageId<const PAGE_SIZE: usize>(pub u64);

impl<const PAGE_SIZE: usize> ProtectedPageId<PAGE_SIZE> {
    /// The content, as it was last committed. Its checksum is verified on each call.
    ///
    /// # Errors
    /// `Stale` when the page was freed, `OutOfBounds` when there was none, `CorruptPage`.
    #[inline]
    pub fn get<'a>(&self, pager: &'a Pager<PAGE_SIZE>) -> Result<&'a MappedPage> {
        pager.protected(*self)
    }

    /// Begins to write the page: what the writer shows is its current content.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub fn get_mut<'a>(
        &self,
        pager: &'a mut Pager<PAGE_SIZE>,
    ) -> Result<ProtectedPageWriter<'a, PAGE_SIZE>> {
        pager.protected_mut(*self)
    }
}

/// A protected page that is being written. Nothing is changed before [`commit`](Self::commit), nor if it
/// is dropped.
#[derive(Debug)]
#[must_use = "a writer that is dropped changes nothing"]
pub struct ProtectedPageWriter<'a, const PAGE_SIZE: usize> {
    pager: &'a mut Pager<PAGE_SIZE>,
    id: ProtectedPageId<PAGE_SIZE>,
    content: Box<[u8]>,
}

impl<'a, const PAGE_SIZE: usize> ProtectedPageWriter<'a, PAGE_SIZE> {
    pub(crate) const fn new(
        pager: &'a mut Pager<PAGE_SIZE>,
        id: ProtectedPageId<PAGE_SIZE>,
        content: Box<[u8]>,
    ) -> Self {
        Self { pager, id, content }
    }

    /// The content that a commit will give the page.
    pub fn page_mut(&mut self) -> &mut MappedPage {
        map::view_mut(&mut self.content)
    }

    /// Gives the page its new content.
    ///
    /// # Durability
    /// As the pager's [`Durability`] says.
    ///
    /// # Errors
    /// `Io`, after which the pager is `Unavailable` and the page has the old content or the new one when
    /// the file is opened again.
    pub fn commit(self) -> Result<()> {
        let durability = self.pager.durability;
        self.commit_with(durability)
    }

    /// Gives the page its new content, with a durability of its own.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit).
    pub fn commit_with(self, durability: Durability) -> Result<()> {
        let Self { pager, id, content } = self;
        pager.operate(durability, |engine, pages| {
            engine.stage_protected(pages, id.0)?.copy_from_slice(&content);
            Ok(())
        })
    }

    /// Gives the parts to who commits in another way.
    #[cfg(feature = "async")]
    pub(crate) fn into_parts(
        self,
    ) -> (&'a mut Pager<PAGE_SIZE>, ProtectedPageId<PAGE_SIZE>, Box<[u8]>) {
        (self.pager, self.id, self.content)
    }
}

/// Bits of a [`ProtectedPageId`] that are the slot; those above count the reuses.
pub(crate) const SLOT_BITS: u32 = 40;
/// The largest reuse count: a slot that reached it is not used again.
pub(crate) const REUSE_MAX: u32 = (1 << (64 - SLOT_BITS)) - 1;

/// Takes an id apart: slot, reuse count.
pub(crate) const fn parts_of(id: u64) -> (u64, u32) {
    let reuse = (id >> SLOT_BITS) as u32;
    (id & ((1 << SLOT_BITS) - 1), reuse)
}

/// Makes an id of a slot below 2^40 and a reuse count of at most [`REUSE_MAX`].
pub(crate) const fn id_of(slot: u64, reuse: u32) -> u64 {
    (reuse as u64) << SLOT_BITS | slot
}
