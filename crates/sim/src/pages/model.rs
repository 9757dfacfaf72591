//! The dullest possible page file: what is in it, by id, and what each page holds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::disk::SECTOR_LEN;
use crate::hash::Hasher128;

/// A page's bytes, and what stands for each of its sectors. Copies share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    bytes: Arc<[u8]>,
    sectors: Arc<[u128]>,
}

impl Content {
    /// What `bytes`, a whole page, are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), sectors: bytes.chunks(SECTOR_LEN).map(hash).collect() }
    }

    /// A page of zeros.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self::of(&vec![0; len])
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same with `data` at `offset`.
    #[must_use]
    pub fn with(&self, offset: usize, data: &[u8]) -> Self {
        let mut bytes = self.bytes.to_vec();
        bytes[offset..offset + data.len()].copy_from_slice(data);
        Self::of(&bytes)
    }

    /// What stands for each sector.
    #[must_use]
    pub fn sectors(&self) -> &Arc<[u128]> {
        &self.sectors
    }
}

/// What stands for the bytes of a sector.
fn hash(bytes: &[u8]) -> u128 {
    let mut hasher = Hasher128::default();
    hasher.write(bytes);
    hasher.finish()
}

/// A regular page: what a commit made of it, and what stores outside of commits made of that.
#[derive(Clone, Debug)]
pub(crate) struct Regular {
    /// Tells owners of one page apart.
    pub(crate) owner: u64,
    /// When the last commit that wrote it did so, on the model's own clock.
    pub(crate) since: u64,
    /// What that commit wrote: zeros where it only took the page.
    pub(crate) base: Content,
    /// What it holds now.
    pub(crate) now: Content,
}

/// A store into a regular page outside of commits, as far as it went into one sector.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) page: u64,
    pub(crate) owner: u64,
    pub(crate) sector: usize,
    /// What the sector holds afterwards.
    pub(crate) hash: u128,
    /// When, on the model's own clock.
    pub(crate) time: u64,
}

/// What a page file must show.
#[derive(Clone, Debug)]
pub struct Model {
    page_len: usize,
    pub(crate) regular: BTreeMap<u64, Regular>,
    pub(crate) protected: BTreeMap<u64, Content>,
    /// Protected pages that were freed, the last few: their ids must be refused.
    pub(crate) gone: Vec<u64>,
}

/// Ids of freed pages that are remembered.
const GONE_MAX: usize = 8;

impl Model {
    /// An empty one.
    #[must_use]
    pub const fn new(page_len: usize) -> Self {
        Self { page_len, regular: BTreeMap::new(), protected: BTreeMap::new(), gone: Vec::new() }
    }

    /// Bytes of a page.
    #[must_use]
    pub const fn page_len(&self) -> usize {
        self.page_len
    }

    /// The `nth` regular page, round and round; `None` while there is none.
    #[must_use]
    pub fn nth_regular(&self, nth: usize) -> Option<u64> {
        let places = self.regular.len();
        (places > 0).then(|| *self.regular.keys().nth(nth % places).expect("a place"))
    }

    /// The `nth` protected page, round and round; `None` while there is none.
    #[must_use]
    pub fn nth_protected(&self, nth: usize) -> Option<u64> {
        let places = self.protected.len();
        (places > 0).then(|| *self.protected.keys().nth(nth % places).expect("a place"))
    }

    /// Another page of zeros is in use.
    ///
    /// # Panics
    /// When it was before.
    pub fn take(&mut self, page: u64) {
        self.alloc(page, 0).expect("a page that was free");
    }

    pub(crate) fn alloc(&mut self, page: u64, time: u64) -> Result<(), String> {
        let zeros = Content::zeros(self.page_len);
        let regular = Regular { owner: time, since: time, base: zeros.clone(), now: zeros };
        match self.regular.insert(page, regular) {
            None => Ok(()),
            Some(_) => Err(format!("page {page} was handed out twice")),
        }
    }

    pub(crate) fn free(&mut self, page: u64) {
        self.regular.remove(&page);
    }

    pub(crate) fn alloc_protected(&mut self, id: u64) -> Result<(), String> {
        if self.gone.contains(&id) {
            return Err(format!(
                "protected page {id:#x} was freed, and its id is handed out again"
            ));
        }
        match self.protected.insert(id, Content::zeros(self.page_len)) {
            None => Ok(()),
            Some(_) => Err(format!("protected page {id:#x} was handed out twice")),
        }
    }

    pub(crate) fn free_protected(&mut self, id: u64) {
        self.protected.remove(&id);
        self.gone.push(id);
        if self.gone.len() > GONE_MAX {
            self.gone.remove(0);
        }
    }

    /// A commit changes the bytes of a regular page.
    pub(crate) fn write(&mut self, page: u64, offset: usize, data: &[u8], time: u64) {
        let regular = self.regular.get_mut(&page).expect("a page of the model");
        regular.now = regular.now.with(offset, data);
        regular.base = regular.now.clone();
        regular.since = time;
    }

    pub(crate) fn write_protected(&mut self, id: u64, offset: usize, data: &[u8]) {
        let content = self.protected.get_mut(&id).expect("a page of the model");
        *content = content.with(offset, data);
    }

    /// Bytes are stored in a regular page outside of any commit. Gives what that makes of its sectors.
    pub(crate) fn store(&mut self, page: u64, offset: usize, data: &[u8], time: u64) -> Vec<Store> {
        let regular = self.regular.get_mut(&page).expect("a page of the model");
        regular.now = regular.now.with(offset, data);
        let (owner, hashes) = (regular.owner, Arc::clone(regular.now.sectors()));
        sectors(offset, data.len())
            .map(|sector| Store { page, owner, sector, hash: hashes[sector], time })
            .collect()
    }
}

fn sectors(offset: usize, len: usize) -> Range<usize> {
    offset / SECTOR_LEN..(offset + len).div_ceil(SECTOR_LEN)
}
