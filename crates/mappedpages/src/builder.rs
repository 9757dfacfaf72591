//! Making and opening pagers with other choices than the usual ones.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::any_engine::{AnyEngine, format_of};
use crate::engine::{Engine as _, Result};
use crate::medium::{FileMedium, Medium, MemoryMedium, Space};
use crate::options::{Backing, Durability, Format};
use crate::pager::Pager;
use crate::pages::Pages;
use crate::recovery::Recovery;

/// Choices for a [`Pager`], made before it is created or opened.
///
/// ```
/// use mappedpages::{Backing, Durability, Format, Pager};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("pages");
/// let pager = Pager::<4096>::builder()
///     .format(Format::One)
///     .backing(Backing::Positioned)
///     .durability(Durability::Eventual)
///     .create(&path)?;
/// assert_eq!(pager.format(), Format::One);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder<const PAGE_SIZE: usize> {
    format: Format,
    backing: Backing,
    durability: Durability,
    space: Space,
}

impl<const PAGE_SIZE: usize> Default for Builder<PAGE_SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PAGE_SIZE: usize> Builder<PAGE_SIZE> {
    /// The usual choices: format 2, mapped, durable on return.
    pub fn new() -> Self {
        const {
            assert!(PAGE_SIZE.is_power_of_two(), "the page size must be a power of two");
            assert!(PAGE_SIZE >= 1024, "the page size must be at least 1024");
        }
        Self {
            format: Format::default(),
            backing: Backing::default(),
            durability: Durability::default(),
            space: Space::Reserved,
        }
    }

    /// The format of a file that is made. Files that exist keep theirs.
    pub const fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// How the bytes of a file are reached.
    pub const fn backing(mut self, backing: Backing) -> Self {
        self.backing = backing;
        self
    }

    /// The durability of calls that are not told another.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Reserves no space for the file, so that a test can make one larger than the disk. A full disk
    /// then ends a process that stores into a mapped page.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub const fn sparse(mut self) -> Self {
        self.space = Space::Sparse;
        self
    }

    /// Makes a file: see [`Pager::create`].
    ///
    /// # Durability
    /// The file and its name survive a power cut on return; interrupted, nothing has the name.
    ///
    /// # Errors
    /// Those of [`Pager::create`].
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Pager<PAGE_SIZE>> {
        let image = Arc::new(MemoryMedium::new());
        let engine = self.first_pages(Arc::clone(&image) as Arc<dyn Medium>)?.1;
        let image = image.to_vec();
        let file = FileMedium::create(path.as_ref(), self.space, |file| {
            file.grow(image.len() as u64)?;
            Ok(file.write_at(0, &image)?)
        })?;
        Ok(self.created(self.pages(file)?, engine))
    }

    /// Opens a file: see [`Pager::open`].
    ///
    /// # Errors
    /// Those of [`Pager::open`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Pager<PAGE_SIZE>> {
        let file = FileMedium::open(path.as_ref(), self.space)?;
        let format = format_of::<PAGE_SIZE>(&file)?;
        self.opened(format, self.pages(file)?)
    }

    /// As [`create`](Self::create), on an empty medium; the backing chosen does not count.
    ///
    /// # Durability
    /// Durable on return; interrupted, part of it may be there.
    ///
    /// # Errors
    /// `Io` of kind `AlreadyExists` when it is not empty, `Full`, else `Io`.
    pub fn create_on(&self, medium: Arc<dyn Medium>) -> Result<Pager<PAGE_SIZE>> {
        if medium.len()? != 0 {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        let (pages, engine) = self.first_pages(medium)?;
        pages.sync_handle().sync()?;
        Ok(self.created(pages, engine))
    }

    /// As [`open`](Self::open), on a medium that holds a page file and that nobody else uses; the
    /// backing chosen does not count.
    ///
    /// # Errors
    /// Those of [`Pager::open`], without `Locked`.
    pub fn open_on(&self, medium: Arc<dyn Medium>) -> Result<Pager<PAGE_SIZE>> {
        let format = format_of::<PAGE_SIZE>(&*medium)?;
        self.opened(format, Pages::positioned(medium)?)
    }

    /// Writes the first pages of a file, without a sync.
    fn first_pages(
        &self,
        medium: Arc<dyn Medium>,
    ) -> Result<(Pages<PAGE_SIZE>, AnyEngine<PAGE_SIZE>)> {
        let mut pages = Pages::positioned(medium)?;
        let engine = AnyEngine::create(self.format, &mut pages)?;
        pages.flush_dirty()?;
        Ok((pages, engine))
    }

    pub(crate) const fn space(&self) -> Space {
        self.space
    }

    pub(crate) fn pages(&self, file: FileMedium) -> Result<Pages<PAGE_SIZE>> {
        match self.backing {
            Backing::Mapped => Pages::mapped(file),
            Backing::Positioned => Pages::positioned(Arc::new(file)),
        }
    }

    fn created(&self, pages: Pages<PAGE_SIZE>, engine: AnyEngine<PAGE_SIZE>) -> Pager<PAGE_SIZE> {
        let recovery = Recovery { generation: engine.generation(), ..Recovery::default() };
        Pager::new(pages, engine, self.durability, recovery)
    }

    pub(crate) fn opened(
        &self,
        format: Format,
        mut pages: Pages<PAGE_SIZE>,
    ) -> Result<Pager<PAGE_SIZE>> {
        let (engine, recovery) = AnyEngine::open(format, &mut pages)?;
        Ok(Pager::new(pages, engine, self.durability, recovery))
    }
}
