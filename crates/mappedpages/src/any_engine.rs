//! One type for the engines of both formats, and which of them a file needs.

use crate::engine::{Barrier, Content, Engine, Kind, Progress, Result};
use crate::error::MappedPageError;
use crate::format1::FormatOne;
use crate::format2::FormatTwo;
use crate::medium::Medium;
use crate::options::Format;
use crate::pages::Pages;
use crate::plain::Plain;
use crate::recovery::Recovery;

/// Bytes at the start of a file that tell its format: one sector.
const START_LEN: usize = 512;

/// The engine of a file, and what it has answered before.
#[derive(Debug)]
pub(crate) struct AnyEngine<const P: usize> {
    pub(crate) form: Form<P>,
    plain: Plain,
    /// Something may be staged, and be taken back.
    is_staging: bool,
}

/// The engine of one of the formats.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a pager has one of them, and a box would be one more step to every page"
)]
pub(crate) enum Form<const P: usize> {
    One(FormatOne<P>),
    Two(FormatTwo<P>),
}

impl<const P: usize> AnyEngine<P> {
    /// Makes the first pages of a file in `format`.
    pub(crate) fn create(format: Format, pages: &mut Pages<P>) -> Result<Self> {
        Ok(Self::new(match format {
            Format::One => Form::One(FormatOne::create(pages)?),
            Format::Two => Form::Two(FormatTwo::create(pages)?),
        }))
    }

    /// Opens a file that is in `format`.
    pub(crate) fn open(format: Format, pages: &mut Pages<P>) -> Result<(Self, Recovery)> {
        let (form, recovery) = match format {
            Format::One => {
                let (engine, recovery) = FormatOne::open(pages)?;
                (Form::One(engine), recovery)
            }
            Format::Two => {
                let (engine, recovery) = FormatTwo::open(pages)?;
                (Form::Two(engine), recovery)
            }
        };
        Ok((Self::new(form), recovery))
    }

    fn new(form: Form<P>) -> Self {
        let mut engine = Self { form, plain: Plain::default(), is_staging: false };
        engine.plain.make_room(engine.page_count());
        engine
    }

    /// The format of the file.
    pub(crate) const fn format(&self) -> Format {
        match self.form {
            Form::One(_) => Format::One,
            Form::Two(_) => Format::Two,
        }
    }

    /// Makes the next commit one even if nothing was changed, while free pages are kept from being given
    /// out because they hold the journal of one that is durable: they are free after a few commits.
    pub(crate) fn release_journals(&mut self) {
        if let Form::Two(engine) = &mut self.form
            && engine.has_journals()
        {
            engine.commit_anyway();
        }
    }

    /// Forgets which pages are plain, for good: nothing may be asked of the engine any more.
    pub(crate) fn forget_plain(&mut self) {
        self.plain = Plain::default();
    }

    /// The content of a page that is known to be regular and in its place, and is mapped. `None` says
    /// nothing.
    #[inline]
    pub(crate) fn plain_page<'a>(&'a self, pages: &'a Pages<P>, page: u64) -> Option<&'a [u8]> {
        if self.plain.has(page) { pages.mapped_page(page) } else { None }
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
    (mut $any:ident.$method:ident($($argument:ident),*)) => {
        match &mut $any.form {
            Form::One(engine) => engine.$method($($argument),*),
            Form::Two(engine) => engine.$method($($argument),*),
        }
    };
    ($any:ident.$method:ident($($argument:ident),*)) => {
        match &$any.form {
            Form::One(engine) => engine.$method($($argument),*),
            Form::Two(engine) => engine.$method($($argument),*),
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

    fn page<'a>(&'a self, pages: &'a Pages<P>, page: u64) -> Result<&'a [u8]> {
        let content = either!(self.page(pages, page))?;
        if !self.is_staging && std::ptr::eq(content, pages.page(page)?) {
            self.plain.insert(page);
        }
        Ok(content)
    }

    #[inline]
    fn settle(&mut self, pages: &mut Pages<P>, page: u64) -> Result<()> {
        either!(mut self.settle(pages, page))
    }

    #[inline]
    fn page_mut<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]> {
        either!(mut self.page_mut(pages, page))
    }

    #[inline]
    fn protected<'a>(&'a self, pages: &'a Pages<P>, id: u64) -> Result<&'a [u8]> {
        either!(self.protected(pages, id))
    }

    fn alloc(&mut self, pages: &mut Pages<P>, content: Content) -> Result<u64> {
        self.is_staging = true;
        either!(mut self.alloc(pages, content))
    }

    fn alloc_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        content: Content,
        out: &mut Vec<u64>,
    ) -> Result<()> {
        self.is_staging = true;
        either!(mut self.alloc_bulk(pages, count, content, out))
    }

    fn free(&mut self, pages: &mut Pages<P>, page: u64) -> Result<()> {
        self.is_staging = true;
        self.plain.remove(page);
        either!(mut self.free(pages, page))
    }

    fn free_bulk(&mut self, pages: &mut Pages<P>, ids: &[u64]) -> Result<()> {
        self.is_staging = true;
        ids.iter().for_each(|page| self.plain.remove(*page));
        either!(mut self.free_bulk(pages, ids))
    }

    fn alloc_protected(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        either!(mut self.alloc_protected(pages))
    }

    fn alloc_protected_bulk(
        &mut self,
        pages: &mut Pages<P>,
        count: usize,
        out: &mut Vec<u64>,
    ) -> Result<()> {
        either!(mut self.alloc_protected_bulk(pages, count, out))
    }

    fn free_protected(&mut self, pages: &mut Pages<P>, id: u64) -> Result<()> {
        either!(mut self.free_protected(pages, id))
    }

    fn free_protected_bulk(&mut self, pages: &mut Pages<P>, ids: &[u64]) -> Result<()> {
        either!(mut self.free_protected_bulk(pages, ids))
    }

    fn stage_protected<'a>(&'a mut self, pages: &'a mut Pages<P>, id: u64) -> Result<&'a mut [u8]> {
        either!(mut self.stage_protected(pages, id))
    }

    fn stage_page<'a>(&'a mut self, pages: &'a mut Pages<P>, page: u64) -> Result<&'a mut [u8]> {
        self.is_staging = true;
        self.plain.remove(page);
        either!(mut self.stage_page(pages, page))
    }

    fn rollback(&mut self, pages: &mut Pages<P>) {
        self.is_staging = false;
        either!(mut self.rollback(pages));
    }

    fn accept(&mut self) {
        self.is_staging = false;
        self.plain.make_room(self.page_count());
        either!(mut self.accept());
    }

    fn write_commit(&mut self, pages: &mut Pages<P>, barrier: Barrier) -> Result<bool> {
        either!(mut self.write_commit(pages, barrier))
    }

    fn after_sync(&mut self, pages: &mut Pages<P>) -> Result<Progress> {
        either!(mut self.after_sync(pages))
    }

    fn close(&mut self, pages: &mut Pages<P>) -> Result<()> {
        either!(mut self.close(pages))
    }
}
