//! Twins of the calls that sync, for programs on tokio.
//!
//! They do the same in memory and in the page cache, at once; the sync runs on a blocking thread of the
//! runtime. A future that is dropped leaves the pager whole: before the change it had begun with, or with
//! the change in flight, which the next call brings to its end.
//!
//! *Invariant.* What a future changes, it changes between two points of waiting, with nothing in flight
//! before and its own commit in flight after.

use std::path::PathBuf;

use crate::any_engine::AnyEngine;
use crate::builder::Builder;
use crate::commit::is_full;
use crate::engine::{Content, Engine as _, Result};
use crate::error::MappedPageError;
use crate::options::Durability;
use crate::page::PageId;
use crate::pager::{Pager, page_ids, page_numbers, protected_ids, protected_numbers};
use crate::pages::Pages;
use crate::protected::{ProtectedPageId, ProtectedPageWriter};
use crate::shared::SharedPager;
use crate::transaction::Transaction;

/// Twins for tokio. Dropped before it is ready, such a future has made its change or not; the pager
/// can be used on in both cases, and what it holds says which.
///
/// # Panics
/// All of them outside a tokio runtime.
impl<const PAGE_SIZE: usize> Pager<PAGE_SIZE> {
    /// The twin of [`create`](Self::create).
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    pub async fn create_async(path: impl Into<PathBuf>) -> Result<Self> {
        Builder::new().create_async(path).await
    }

    /// The twin of [`open`](Self::open).
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub async fn open_async(path: impl Into<PathBuf>) -> Result<Self> {
        Builder::new().open_async(path).await
    }

    /// The twin of [`alloc`](Self::alloc).
    ///
    /// # Errors
    /// Those of [`alloc`](Self::alloc).
    pub async fn alloc_async(&mut self) -> Result<PageId<PAGE_SIZE>> {
        let page = self
            .operate_async(self.durability, |engine, pages| engine.alloc(pages, Content::Zeroed))
            .await?;
        Ok(PageId(page))
    }

    /// The twin of [`free`](Self::free).
    ///
    /// # Errors
    /// Those of [`free`](Self::free).
    pub async fn free_async(&mut self, id: PageId<PAGE_SIZE>) -> Result<()> {
        self.operate_async(self.durability, |engine, pages| engine.free(pages, id.0)).await
    }

    /// The twin of [`alloc_bulk`](Self::alloc_bulk).
    ///
    /// # Errors
    /// Those of [`alloc_bulk`](Self::alloc_bulk).
    pub async fn alloc_bulk_async(&mut self, count: usize) -> Result<Vec<PageId<PAGE_SIZE>>> {
        let ids = self
            .operate_async(self.durability, |engine, pages| {
                let mut ids = Vec::new();
                engine.alloc_bulk(pages, count, Content::Zeroed, &mut ids)?;
                Ok(ids)
            })
            .await?;
        Ok(page_ids(ids))
    }

    /// The twin of [`free_bulk`](Self::free_bulk).
    ///
    /// # Errors
    /// Those of [`free_bulk`](Self::free_bulk).
    pub async fn free_bulk_async(&mut self, ids: Vec<PageId<PAGE_SIZE>>) -> Result<()> {
        let ids = page_numbers(&ids);
        self.operate_async(self.durability, |engine, pages| engine.free_bulk(pages, &ids)).await
    }

    /// The twin of [`alloc_protected`](Self::alloc_protected).
    ///
    /// # Errors
    /// Those of [`alloc_protected`](Self::alloc_protected).
    pub async fn alloc_protected_async(&mut self) -> Result<ProtectedPageId<PAGE_SIZE>> {
        let id = self
            .operate_async(self.durability, |engine, pages| engine.alloc_protected(pages))
            .await?;
        Ok(ProtectedPageId(id))
    }

    /// The twin of [`free_protected`](Self::free_protected).
    ///
    /// # Errors
    /// Those of [`free_protected`](Self::free_protected).
    pub async fn free_protected_async(&mut self, id: ProtectedPageId<PAGE_SIZE>) -> Result<()> {
        self.operate_async(self.durability, |engine, pages| engine.free_protected(pages, id.0))
            .await
    }

    /// The twin of [`alloc_protected_bulk`](Self::alloc_protected_bulk).
    ///
    /// # Errors
    /// Those of [`alloc_protected_bulk`](Self::alloc_protected_bulk).
    pub async fn alloc_protected_bulk_async(
        &mut self,
        count: usize,
    ) -> Result<Vec<ProtectedPageId<PAGE_SIZE>>> {
        let ids = self
            .operate_async(self.durability, |engine, pages| {
                let mut ids = Vec::new();
                engine.alloc_protected_bulk(pages, count, &mut ids)?;
                Ok(ids)
            })
            .await?;
        Ok(protected_ids(ids))
    }

    /// The twin of [`free_protected_bulk`](Self::free_protected_bulk).
    ///
    /// # Errors
    /// Those of [`free_protected_bulk`](Self::free_protected_bulk).
    pub async fn free_protected_bulk_async(
        &mut self,
        ids: Vec<ProtectedPageId<PAGE_SIZE>>,
    ) -> Result<()> {
        let ids = protected_numbers(&ids);
        self.operate_async(self.durability, |engine, pages| engine.free_protected_bulk(pages, &ids))
            .await
    }

    /// The twin of [`flush`](Self::flush).
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub async fn flush_async(&mut self) -> Result<()> {
        self.ready()?;
        self.land_async().await?;
        self.begin_flush()?;
        self.land_async().await
    }

    /// The twin of [`close`](Self::close). Dropped before it is ready, it drops the pager, which may wait
    /// for the medium.
    ///
    /// # Errors
    /// Those of [`close`](Self::close).
    pub async fn close_async(mut self) -> Result<()> {
        self.flush_async().await?;
        self.end_flushed()
    }

    /// The twin of `operate`.
    pub(crate) async fn operate_async<T>(
        &mut self,
        durability: Durability,
        change: impl Fn(&mut AnyEngine<PAGE_SIZE>, &mut Pages<PAGE_SIZE>) -> Result<T>,
    ) -> Result<T> {
        self.land_async().await?;
        let value = loop {
            match self.start(durability, &change) {
                Err(error) if is_full(&error) && self.begin_for_room()? => {
                    self.land_async().await?;
                }
                started => break started?,
            }
        };
        self.land_async().await?;
        Ok(value)
    }

    /// The twin of `land`.
    pub(crate) async fn land_async(&mut self) -> Result<()> {
        while let Some(sync) = self.in_flight() {
            // When the runtime ends before the thread began, `advance` syncs.
            let _ = tokio::task::spawn_blocking(move || sync.run()).await;
            self.advance()?;
        }
        Ok(())
    }
}

impl<const PAGE_SIZE: usize> Builder<PAGE_SIZE> {
    /// The twin of [`create`](Self::create).
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    pub async fn create_async(&self, path: impl Into<PathBuf>) -> Result<Pager<PAGE_SIZE>> {
        let (builder, path) = (self.clone(), path.into());
        on_a_blocking_thread(move || builder.create(path)).await
    }

    /// The twin of [`open`](Self::open).
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub async fn open_async(&self, path: impl Into<PathBuf>) -> Result<Pager<PAGE_SIZE>> {
        let (builder, path) = (self.clone(), path.into());
        on_a_blocking_thread(move || builder.open(path)).await
    }
}

impl<const PAGE_SIZE: usize> ProtectedPageWriter<'_, PAGE_SIZE> {
    /// The twin of [`commit`](Self::commit).
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit).
    pub async fn commit_async(self) -> Result<()> {
        let (pager, id, content) = self.into_parts();
        let durability = pager.durability;
        pager
            .operate_async(durability, |engine, pages| {
                engine.stage_protected(pages, id.0)?.copy_from_slice(&content);
                Ok(())
            })
            .await
    }
}

impl<const PAGE_SIZE: usize> Transaction<'_, PAGE_SIZE> {
    /// The twin of [`commit`](Self::commit). Dropped while an earlier commit is in flight, it takes
    /// everything back.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit).
    pub async fn commit_async(mut self) -> Result<()> {
        self.pager().land_async().await?;
        self.accept()?;
        let pager = self.pager();
        if let Some(barrier) = pager.durability.barrier() {
            pager.begin(barrier)?;
            pager.land_async().await?;
        }
        Ok(())
    }
}

impl<const PAGE_SIZE: usize> SharedPager<PAGE_SIZE> {
    /// The twin of [`write`](Self::write). The closure runs on a blocking thread; dropped before it is
    /// ready, the write goes on to its end.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub async fn write_async<T, E>(
        &self,
        change: impl FnOnce(&mut Transaction<'_, PAGE_SIZE>) -> std::result::Result<T, E>
        + Send
        + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<MappedPageError> + Send + 'static,
    {
        let shared = self.clone();
        on_a_blocking_thread(move || shared.write(change)).await
    }

    /// The twin of [`flush`](Self::flush).
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub async fn flush_async(&self) -> Result<()> {
        let shared = self.clone();
        on_a_blocking_thread(move || shared.flush()).await
    }

    /// The twin of [`close`](Self::close).
    ///
    /// # Errors
    /// Those of [`close`](Self::close).
    pub async fn close_async(self) -> Result<()> {
        on_a_blocking_thread(move || self.close()).await
    }
}

/// Runs `work` where it may wait; goes on with its panic.
async fn on_a_blocking_thread<T, E>(
    work: impl FnOnce() -> std::result::Result<T, E> + Send + 'static,
) -> std::result::Result<T, E>
where
    T: Send + 'static,
    E: From<MappedPageError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends.
            Err(_) => Err(MappedPageError::Unavailable.into()),
        },
    }
}
