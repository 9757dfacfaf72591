//! One type for the engines of both formats, and which of them a file needs.

use crate::engine::{Barrier, Content, Engine, Kind, Progress, Result};
use crate::error::MappedPageError;
use crate::format1::FormatOne;
use crate::format2::FormatTwo;
use crate::medium::Medium;
use crate::options::Format;
use crate::pages::Pages;
use crate::recovery::Recovery;

/// Bytes at the start of a file that tell its format: one sector.
const START_LEN: usize = 512;

/// The engine of one of the formats.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a pager has one of them, and a box would be one more step to every page"
)]
pub(crate) enum AnyEngine<const P: usize> {
    One(FormatOne<P>),
    Two(FormatTwo<P>),
}

impl<const P: usize> AnyEngine<P> {
    /// Makes the first pages of a file in `format`.
    pub(crate) fn create(format: Format, pages: &mut Pages<P>) -> Result<Self> {
        Ok(match format {
            Format::One => Self::One(FormatOne::create(pages)?),
            Format::Two => Self::Two(FormatTwo::create(pages)?),
        })
    }

    /// Opens a file that is in `format`.
    pub(crate) fn open(format: Format, pages: &mut Pages<P>) -> Result<(Self, Recovery)> {
        Ok(match format {
            Format::One => {
                let (engine, recovery) = FormatOne::open(pages)?;
                (Self::One(engine), recovery)
            }
            Format::Two => {
                let (engine, recovery) = FormatTwo::open(pages)?;
                (Self::Two(engine), recovery)
            }
        })
    }

    /// The format of the file.
    pub(crate) const fn format(&self) -> Format {
        match self {
            Self::One(_) => Format::One,
            Self::Two(_) => Format::Two,
        }
    }
}

/// Says in which format the file on `medium` is, if its pages are `P` bytes long.
///
/// # Errors
/// `CorruptSuperblock` when it is in none, `InvalidPageSize`, `Io`.
pub(crate) fn format_of<const P: usize>(medium: &dyn Medium) -> Result<Format> {
    let mut start = [0; START_LEN];
    let len = usize::try_from(medium.len()?).unwrap_or(START_LEN).min(START_LEN);
    let start = start.get_mut(..len).unwrap_or_default();
    medium.read_at(0, start)?;
    if FormatOne::<P>::recognises(start) {
        FormatOne::<P>::judge(start)?;
        Ok(Format::One)
    } else if FormatTwo::<P>::recognises(start) {
        FormatTwo::<P>::judge(start)?;
        Ok(Format::Two)
    } else {
        Err(MappedPageError::CorruptSuperblock)
    }
}

/// Calls the same method of whichever engine it is.
macro_rules! either {
    ($any:ident.$method:ident($($argument:ident),*)) => {
        match $any {
            Self::One(engine) => engine.$method($($argument),*),
            Self::Two(engine) => engine.$method($($argument),*),
        }
    };
}

impl<const P: usize> Engine<P> for AnyEngine<P> {
    fn page_count(&self) -> u64 {
        either!(self.page_count())
    }

    fn free_page_count(&self) -> u64 {
        either!(self.free_page_count())
    }

    fn generation(&self) -> u64 {
        either!(self.generation())
    }

    #[inline]
    fn kind(&self, pages: &Pages<P>, page: u64) -> Result<Kind> {
        either!(self.kind(pages, page))
    }

    fn next_regular(&self, pages: &Pages<P>, from: u64) -> Result<Option<u64>> {
        either!(self.next_regular(pages, from))
    }

    fn next_protected(&self, pages: &Pages<P>, from_slot: u64) -> Result<Option<u64>> {
        either!(self.next_protected(pages, from_slot))
    }

    #[inline]
    fn page<'a>(&'a self, pages: &'a Pages<P>, page: u64) -> Result<&'a [u8]> {
        either!(self.page(pages, page))
    }

    #[inline]
    fn page_mut<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]> {
        either!(self.page_mut(pages, page))
    }

    #[inline]
    fn protected<'a>(&'a self, pages: &'a Pages<P>, id: u64) -> Result<&'a [u8]> {
        either!(self.protected(pages, id))
    }

    fn alloc(&mut self, pages: &mut Pages<P>, content: Content) -> Result<u64> {
        either!(self.alloc(pages, content))
    }

    fn alloc_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        content: Content,
        out: &mut Vec<u64>,
    ) -> Result<()> {
        either!(self.alloc_bulk(pages, count, content, out))
    }

    fn free(&mut self, pages: &mut Pages<P>, page: u64) -> Result<()> {
        either!(self.free(pages, page))
    }

    fn free_bulk(&mut self, pages: &mut Pages<P>, ids: &[u64]) -> Result<()> {
        either!(self.free_bulk(pages, ids))
    }

    fn alloc_protected(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        either!(self.alloc_protected(pages))
    }

    fn alloc_protected_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        out: &mut Vec<u64>,
    ) -> Result<()> {
        either!(self.alloc_protected_bulk(pages, count, out))
    }

    fn free_protected(&mut self, pages: &mut Pages<P>, id: u64) -> Result<()> {
        either!(self.free_protected(pages, id))
    }

    fn free_protected_bulk(&mut self, pages: &mut Pages<P>, ids: &[u64]) -> Result<()> {
        either!(self.free_protected_bulk(pages, ids))
    }

    fn stage_protected<'a>(&'a mut self, pages: &'a mut Pages<P>, id: u64) -> Result<&'a mut [u8]> {
        either!(self.stage_protected(pages, id))
    }

    fn stage_page<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]> {
        either!(self.stage_page(pages, page))
    }

    fn rollback(&mut self, pages: &mut Pages<P>) {
        either!(self.rollback(pages));
    }

    fn accept(&mut self) {
        either!(self.accept());
    }

    fn write_commit(&mut self, pages: &mut Pages<P>, barrier: Barrier) -> Result<bool> {
        either!(self.write_commit(pages, barrier))
    }

    fn after_sync(&mut self, pages: &mut Pages<P>) -> Result<Progress> {
        either!(self.after_sync(pages))
    }

    fn close(&mut self, pages: &mut Pages<P>) -> Result<()> {
        either!(self.close(pages))
    }
}
