//! From format 1 to format 2: the same pages and ids in a new file that takes the old one's place.
//!
//! Invariants: the old file is only read, and stays locked until the new one has its name; what can not
//! be read whole is not taken over. Knows no stored bytes of either format.

use std::path::Path;
use std::sync::Arc;

use crate::any_engine::format_of;
use crate::builder::Builder;
use crate::engine::{Barrier, Engine as _, Progress, Result};
use crate::error::MappedPageError;
use crate::format1::FormatOne;
use crate::format2::FormatTwo;
use crate::medium::FileMedium;
use crate::options::Format;
use crate::pager::Pager;
use crate::pages::Pages;
use crate::recovery::Recovery;

/// Bytes of protected pages that are held in memory at once.
const CONTENTS_LEN_MAX: usize = 16 << 20;

impl<const PAGE_SIZE: usize> Pager<PAGE_SIZE> {
    /// Brings the file at `path` to [`Format::Two`], in which ids of regular and of protected pages stay
    /// what they were, and opens it. A file that is there already is only opened.
    ///
    /// [`recovery`](Self::recovery) says what had to be put right in the old file.
    ///
    /// # Durability
    /// A power cut or a kill leaves the old file or the new one; the new one once this has returned. Beside the old
    /// file there may be an unfinished one then, which nobody needs: its name is that of the file, with a dot
    /// in front and `.new-` and numbers behind.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); `CorruptPage` when a protected page does not hold what was written
    /// to it; `Full` when there is no room for both files. The old file is as it was then.
    pub fn upgrade(path: impl AsRef<Path>) -> Result<Self> {
        Builder::new().upgrade(path)
    }
}

impl<const PAGE_SIZE: usize> Builder<PAGE_SIZE> {
    /// Brings a file to [`Format::Two`], and opens it: see [`Pager::upgrade`].
    ///
    /// # Durability
    /// That of [`Pager::upgrade`].
    ///
    /// # Errors
    /// Those of [`Pager::upgrade`].
    pub fn upgrade(&self, path: impl AsRef<Path>) -> Result<Pager<PAGE_SIZE>> {
        // The file itself is to be replaced, not a link that leads to it.
        let path = path.as_ref().canonicalize()?;
        let file = FileMedium::open(&path, self.space())?;
        let mut found = None;
        let file = match format_of::<PAGE_SIZE>(&file)? {
            Format::One => {
                let file = Arc::new(file);
                let old = Pages::<PAGE_SIZE>::positioned(Arc::<FileMedium>::clone(&file))?;
                file.replace(&path, |new| {
                    let (engine, recovery) = FormatOne::load(&old)?;
                    found = Some(recovery);
                    let mut pages = Pages::positioned(Arc::<FileMedium>::clone(new))?;
                    copy(&engine, &old, &mut pages)
                })?
            }
            Format::Two => file,
        };
        let mut pager = self.opened(Format::Two, self.pages(file)?)?;
        if let Some(found) = found {
            pager.recovery = Recovery { generation: pager.recovery.generation, ..found };
        }
        Ok(pager)
    }
}

/// Writes a file in format 2 with what `old` holds. The syncs are left to the caller: nobody sees the
/// file before.
fn copy<const P: usize>(
    old: &FormatOne<P>,
    old_pages: &Pages<P>,
    pages: &mut Pages<P>,
) -> Result<()> {
    let mut new = FormatTwo::create(pages)?;
    let mut regular = Vec::new();
    let mut from = 0;
    while let Some(page) = old.next_regular(old_pages, from)? {
        regular.push(page);
        from = page.saturating_add(1);
    }
    new.take_over(pages, &regular, &old.slots())?;
    new.accept();
    commit(&mut new, pages)?;

    let mut content = vec![0; P];
    for page in regular {
        read_page(old_pages, page, &mut content)?;
        pages.write(page, &content)?;
    }
    let mut staged = 0_usize;
    let mut from = 0;
    while let Some(id) = old.next_protected(old_pages, from)? {
        let (page, checksum) = old.place_of_content(id)?;
        read_page(old_pages, page, &mut content)?;
        if crc32fast::hash(&content) != checksum {
            return Err(MappedPageError::CorruptPage { page });
        }
        new.stage_protected(pages, id)?.copy_from_slice(&content);
        new.accept();
        staged = staged.saturating_add(P);
        if staged >= CONTENTS_LEN_MAX {
            staged = 0;
            commit(&mut new, pages)?;
        }
        from = crate::protected::parts_of(id).0.saturating_add(1);
    }
    commit(&mut new, pages)?;
    new.close(pages)
}

/// Reads a page past the memory of `pages`, so that a large file is not held in it.
fn read_page<const P: usize>(pages: &Pages<P>, page: u64, into: &mut [u8]) -> Result<()> {
    let offset = page.checked_mul(P as u64).ok_or(MappedPageError::OutOfBounds)?;
    pages.read_bytes(offset, into)
}

/// Commits in a file that has no name yet: no sync is needed in between.
fn commit<const P: usize>(new: &mut FormatTwo<P>, pages: &mut Pages<P>) -> Result<()> {
    if new.write_commit(pages, Barrier::TwoBarriers)? {
        while new.after_sync(pages)? == Progress::SyncAgain {}
    }
    pages.flush_dirty()
}
