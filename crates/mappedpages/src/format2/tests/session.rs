//! An engine with its pages, as the pager drives it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::disk::Disk;
use crate::engine::{Barrier, Content, Engine as _, Kind, Progress, Result};
use crate::format2::FormatTwo;
use crate::format2::kinds::StoredKind;
use crate::pages::Pages;
use crate::recovery::Recovery;

/// What a file holds: regular pages and protected ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    pub(super) regular: BTreeMap<u64, Vec<u8>>,
    pub(super) protected: BTreeMap<u64, Vec<u8>>,
}

pub(super) struct Session<const P: usize> {
    pub(super) disk: Arc<Disk>,
    pub(super) pages: Pages<P>,
    pub(super) engine: FormatTwo<P>,
    pub(super) recovery: Recovery,
}

impl<const P: usize> Session<P> {
    pub(super) fn create() -> Self {
        let disk = Arc::new(Disk::default());
        let mut pages = Pages::positioned(disk.clone()).unwrap();
        let engine = FormatTwo::create(&mut pages).unwrap();
        let mut session = Self { disk, pages, engine, recovery: Recovery::default() };
        session.sync();
        session
    }

    pub(super) fn open(disk: Disk) -> Result<Self> {
        let disk = Arc::new(disk);
        let mut pages = Pages::positioned(disk.clone())?;
        let (engine, recovery) = FormatTwo::open(&mut pages)?;
        Ok(Self { disk, pages, engine, recovery })
    }

    /// Opens what a kill of the process would leave.
    pub(super) fn reopen(&self) -> Result<Self> {
        Self::open(self.disk.kill())
    }

    pub(super) fn sync(&mut self) {
        self.pages.flush_dirty().unwrap();
        self.pages.sync_handle().sync().unwrap();
    }

    pub(super) fn alloc(&mut self) -> u64 {
        self.engine.alloc(&mut self.pages, Content::Zeroed).unwrap()
    }

    pub(super) fn alloc_bulk(&mut self, count: usize) -> Vec<u64> {
        let mut out = Vec::new();
        self.engine.alloc_bulk(&mut self.pages, count, Content::Zeroed, &mut out).unwrap();
        out
    }

    pub(super) fn free(&mut self, page: u64) {
        self.engine.free(&mut self.pages, page).unwrap();
    }

    pub(super) fn alloc_protected(&mut self) -> u64 {
        self.engine.alloc_protected(&mut self.pages).unwrap()
    }

    pub(super) fn fill_protected(&mut self, id: u64, fill: u8) {
        self.engine.stage_protected(&mut self.pages, id).unwrap().fill(fill);
    }

    /// A page for direct stores.
    pub(super) fn page_mut(&mut self, page: u64) -> &mut [u8] {
        self.engine.settle(&mut self.pages, page).unwrap();
        self.engine.page_mut(&mut self.pages, page).unwrap()
    }

    pub(super) fn fill_page(&mut self, page: u64, fill: u8) {
        self.engine.stage_page(&mut self.pages, page).unwrap().fill(fill);
    }

    /// Commits durably what is staged.
    pub(super) fn commit(&mut self) {
        self.commit_with(Barrier::OneFlush);
    }

    pub(super) fn commit_with(&mut self, barrier: Barrier) {
        self.engine.accept();
        if self.engine.write_commit(&mut self.pages, barrier).unwrap() {
            self.finish();
        }
    }

    pub(super) fn finish(&mut self) {
        loop {
            self.sync();
            if self.engine.after_sync(&mut self.pages).unwrap() == Progress::Durable {
                break;
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.engine.close(&mut self.pages).unwrap();
    }

    pub(super) fn holdings(&self) -> Result<Holdings> {
        let mut holdings = Holdings::default();
        let mut from = 0;
        while let Some(page) = self.engine.next_regular(&self.pages, from)? {
            let content = self.engine.page(&self.pages, page)?.to_vec();
            holdings.regular.insert(page, content);
            from = page + 1;
        }
        let mut from = 0;
        while let Some(id) = self.engine.next_protected(&self.pages, from)? {
            holdings.protected.insert(id, self.engine.protected(&self.pages, id)?.to_vec());
            from = crate::protected::parts_of(id).0 + 1;
        }
        Ok(holdings)
    }

    /// Checks that every page has one owner and every count is right.
    pub(super) fn check(&self) {
        let state = &self.engine.state;
        let mut owned = BTreeSet::from([0, 1, 2]);
        let mut own = |first: u64| {
            assert!(owned.insert(first) && owned.insert(first + 1), "pair {first} has two owners");
        };
        state
            .allocation()
            .walk(&self.pages, None, &mut |seen| {
                own(seen.reference.first);
                Ok(())
            })
            .unwrap();
        state
            .directory()
            .walk(&self.pages, None, &mut |seen| {
                own(seen.reference.first);
                if let Some(leaf) = seen.leaf {
                    leaf.entries().iter().filter(|e| e.is_in_use()).for_each(|e| own(e.first));
                }
                Ok(())
            })
            .unwrap();
        let mut used = 0;
        for page in 0..state.page_count() {
            let kind = state.kind(&self.pages, page).unwrap();
            used += u64::from(kind != StoredKind::Free);
            assert_eq!(kind == StoredKind::Held, owned.contains(&page), "page {page} is {kind:?}");
            let is_regular = self.engine.kind(&self.pages, page).unwrap() == Kind::Regular;
            assert_eq!(is_regular, matches!(kind, StoredKind::Regular | StoredKind::Blank));
        }
        assert_eq!(state.free_page_count(), state.page_count() - used);
    }
}
