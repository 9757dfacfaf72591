//! The seam between the pager and the two formats.
//!
//! An [`Engine`] is the bookkeeping of one format: which pages are in use, where protected pages lie,
//! and how both become durable. It does not sync, lock, or know of handles, and it holds no page
//! bytes but those that are staged. The pager drives it:
//!
//! ```text
//! stage calls ... -> accept -> write_commit -> (pages.flush_dirty, sync) -> after_sync -> Durable
//!        \-> rollback                               ^-------------------------/ SyncAgain
//! ```
//!
//! Between `write_commit` and the `after_sync` that says `Durable` staging, `rollback` and `accept` may
//! go on in memory, also while a sync runs on another thread.
//!
//! *Invariants.* What a staging call refuses changed nothing. An error of `write_commit` or
//! `after_sync` ends the pager: nothing is called after it. `write_commit` is not called again before
//! `Durable`. Space is only taken while staging, so a commit is never out of room. An engine never
//! syncs, except in `open` and to settle a page for direct stores.

use crate::error::MappedPageError;
use crate::pages::Pages;

/// The result of everything here.
pub(crate) type Result<T> = std::result::Result<T, MappedPageError>;

/// What a page is to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody's: it can be given out, now or after the next durable commit.
    Free,
    /// Given out by `alloc`.
    Regular,
    /// The engine's own: reserved pages, trees, directory, copies of protected pages.
    Internal,
}

/// What a page that is given out holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Zeros.
    Zeroed,
    /// Whatever it held before.
    Uninit,
}

/// What keeps a commit record from counting before the pages it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// Digests, checked by the next open.
    OneFlush,
    /// A sync before the record is written.
    TwoBarriers,
}

/// How far a commit is after a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Progress {
    /// More was written, which another sync must reach.
    SyncAgain,
    /// All of it is on stable storage.
    Durable,
}

/// The bookkeeping of one format.
pub(crate) trait Engine<const P: usize> {
    /// Pages of the file, with those of the engine.
    fn page_count(&self) -> u64;
    /// Pages that nobody has.
    fn free_page_count(&self) -> u64;
    /// Counts the commits since the file was made.
    fn generation(&self) -> u64;

    /// What `page` is: `OutOfBounds` from `page_count` on.
    fn kind(&self, pages: &Pages<P>, page: u64) -> Result<Kind>;
    /// The first regular page at or after `from`. A walk over all costs no more than the file's maps.
    fn next_regular(&self, pages: &Pages<P>, from: u64) -> Result<Option<u64>>;
    /// The id of the first protected page whose slot is at or after `from_slot`.
    fn next_protected(&self, pages: &Pages<P>, from_slot: u64) -> Result<Option<u64>>;

    /// The content of a regular page, staged changes included. About a nanosecond when the map of its
    /// region is loaded. `Stale` when it is free, `ReservedPage`, `OutOfBounds`.
    fn page<'a>(&'a self, pages: &'a Pages<P>, page: u64) -> Result<&'a [u8]>;
    /// Makes a page ready for direct stores: what a later replay or an accepted commit would put over them
    /// is put in its place first. Never called while a commit is in flight. An error ends the pager.
    fn settle(&mut self, _pages: &mut Pages<P>, _page: u64) -> Result<()> {
        Ok(())
    }
    /// The same page for direct stores, outside any commit, once it is settled.
    fn page_mut<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]>;
    /// The content of a protected page, staged changes included; what comes from the file is verified on
    /// each call. `Stale`, `OutOfBounds`, `CorruptPage`.
    fn protected<'a>(&'a self, pages: &'a Pages<P>, id: u64) -> Result<&'a [u8]>;

    // Staging: visible to the calls above at once; `rollback` undoes all since the last `accept`.

    /// Takes the lowest page that can be given out; grows the file when there is none. `Full`.
    fn alloc(&mut self, pages: &mut Pages<P>, content: Content) -> Result<u64>;
    /// Appends `count` pages to `out`, in ascending order, or nothing at all.
    fn alloc_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        content: Content,
        out: &mut Vec<u64>,
    ) -> Result<()>;
    /// Gives a page back: `DoubleFree`, `ReservedPage`, `OutOfBounds`.
    fn free(&mut self, pages: &mut Pages<P>, page: u64) -> Result<()>;
    /// Gives all of them back, or, when one cannot be or comes twice, none.
    fn free_bulk(&mut self, pages: &mut Pages<P>, ids: &[u64]) -> Result<()>;
    /// Takes the lowest free slot of the directory; the page reads as zeros. `Full`, `DirectoryFull`.
    fn alloc_protected(&mut self, pages: &mut Pages<P>) -> Result<u64>;
    /// Appends `count` ids to `out`, or nothing at all.
    fn alloc_protected_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        out: &mut Vec<u64>,
    ) -> Result<()>;
    /// Gives a protected page back: `DoubleFree` also for a stale id, `OutOfBounds`.
    fn free_protected(&mut self, pages: &mut Pages<P>, id: u64) -> Result<()>;
    /// Gives all of them back, or, when one cannot be or comes twice, none.
    fn free_protected_bulk(&mut self, pages: &mut Pages<P>, ids: &[u64]) -> Result<()>;
    /// A private buffer with the content of a protected page; what it holds when the transaction is
    /// accepted is the new content.
    fn stage_protected<'a>(&'a mut self, pages: &'a mut Pages<P>, id: u64) -> Result<&'a mut [u8]>;
    /// The same for a regular page. `Unsupported` where the format has no journal.
    fn stage_page<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]>;

    /// Undoes what was staged since the last `accept`. A growth of the file stays.
    fn rollback(&mut self, pages: &mut Pages<P>);
    /// What is staged is committed in memory.
    fn accept(&mut self);

    // The commit, in parts, so that the syncs can run elsewhere.

    /// Writes what is accepted, and nothing accepted later, to places that the durable state does not
    /// use, then the record; with `TwoBarriers` (or where the format needs a sync in between) the record
    /// is left to `after_sync`. False: there was nothing to do, and `after_sync` must not be called.
    fn write_commit(&mut self, pages: &mut Pages<P>, barrier: Barrier) -> Result<bool>;
    /// The sync returned: what was written before it began is durable.
    fn after_sync(&mut self, pages: &mut Pages<P>) -> Result<Progress>;
    /// Stores, without a sync, that the file was closed in order. Nothing is pending.
    fn close(&mut self, pages: &mut Pages<P>) -> Result<()>;
}
