//! Pages divided into smaller ones.
//!
//! *Invariants.* `roomy` holds exactly the places whose parent has a free sub-page, and `vacant` those
//! without a parent, so nothing is searched. A sub-page's count goes up each time it is given back, and goes
//! on when its place gets another parent, so no id is given out twice. The pager is asked first: where it
//! refuses, nothing has changed here. Knows nothing of files.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use crate::allocator::{BulkPageAllocator, PageAllocator, PageHandle};
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::map;
use crate::page::{MappedPage, PageId};
use crate::pager::Pager;

/// Names a sub-page of `SUB_SIZE` bytes in a page of `PARENT_SIZE` bytes, as long as its
/// [`SubPageAllocator`] lives.
///
/// An id that outlived its sub-page is told from that of the sub-page that came after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubPageId<const PARENT_SIZE: usize, const SUB_SIZE: usize> {
    place: u32,
    sub: u8,
    /// How often the sub-page here had been given back.
    count: u64,
}

/// Divides pages of a [`Pager`] into sub-pages of `SUB_SIZE` bytes and gives those out.
///
/// `SUB_SIZE` is a power of two below `PARENT_SIZE`, at most 64 of which fill a page; anything else does
/// not compile. Pages are taken from the pager when they are needed, and given back when their last
/// sub-page is.
///
/// Which sub-pages are in use is known in memory only. To use them again after a restart keep what
/// [`locate`](Self::locate) says of them, and hand it to [`adopt`](Self::adopt).
///
/// ```
/// use mappedpages::{PageAllocator, PageHandle, Pager, SubPageAllocator};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("pages");
/// let mut records = SubPageAllocator::<4096, 512>::new(Pager::create(&path)?);
/// let id = records.alloc()?;
/// id.get_mut(&mut records)?.as_bytes_mut()[..5].copy_from_slice(b"first");
/// let (page, index) = records.locate(id)?;
/// records.into_pager().close()?;
///
/// let mut records = SubPageAllocator::<4096, 512>::new(Pager::open(&path)?);
/// let ids = records.adopt(page, 1 << index)?;
/// assert_eq!(&ids[0].get(&records)?.as_bytes()[..5], b"first");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SubPageAllocator<const PARENT_SIZE: usize, const SUB_SIZE: usize> {
    pager: Pager<PARENT_SIZE>,
    places: Vec<Place<PARENT_SIZE>>,
    /// Places whose parent has a free sub-page. The lowest is filled first, so that others become empty.
    roomy: BTreeSet<u32>,
    /// Places without a parent.
    vacant: Vec<u32>,
    parents: HashSet<PageId<PARENT_SIZE>>,
}

#[derive(Debug)]
struct Place<const PARENT_SIZE: usize> {
    parent: Option<PageId<PARENT_SIZE>>,
    /// A bit for each sub-page in use.
    used: u64,
    /// A bit for each sub-page that may hold something else than zeros although it is free.
    stale: u64,
    /// How often each sub-page was given back.
    counts: Box<[u64]>,
}

impl<const PARENT_SIZE: usize, const SUB_SIZE: usize> SubPageAllocator<PARENT_SIZE, SUB_SIZE> {
    /// Sub-pages of a page.
    const PER_PAGE: usize = {
        assert!(SUB_SIZE.is_power_of_two(), "the sub-page size must be a power of two");
        assert!(SUB_SIZE < PARENT_SIZE, "the sub-page size must be below the page size");
        assert!(PARENT_SIZE.is_multiple_of(SUB_SIZE), "the sub-pages must fill the page");
        assert!(PARENT_SIZE / SUB_SIZE <= 64, "at most 64 sub-pages fill a page");
        PARENT_SIZE / SUB_SIZE
    };

    /// A bit for each sub-page of a page.
    const ALL: u64 = u64::MAX >> (64 - Self::PER_PAGE);

    /// Divides pages of `pager`, none so far.
    #[must_use]
    pub fn new(pager: Pager<PARENT_SIZE>) -> Self {
        const { assert!(Self::PER_PAGE > 1) }
        Self {
            pager,
            places: Vec::new(),
            roomy: BTreeSet::new(),
            vacant: Vec::new(),
            parents: HashSet::new(),
        }
    }

    /// The pager whose pages are divided.
    #[must_use]
    pub const fn pager(&self) -> &Pager<PARENT_SIZE> {
        &self.pager
    }

    /// Gives the pager back. Pages with sub-pages in use stay in use; what was given out here leads
    /// nowhere from now on.
    #[must_use]
    pub fn into_pager(self) -> Pager<PARENT_SIZE> {
        self.pager
    }

    /// Where a sub-page is: its page, and its index in that.
    ///
    /// # Errors
    /// `Stale` when it was given back, `OutOfBounds`.
    pub fn locate(
        &self,
        id: SubPageId<PARENT_SIZE, SUB_SIZE>,
    ) -> Result<(PageId<PARENT_SIZE>, usize)> {
        match self.find(id)? {
            Some(parent) => Ok((parent, usize::from(id.sub))),
            None => Err(MappedPageError::Stale),
        }
    }

    /// Takes over a page that was divided before a restart, with the sub-pages in use for which `used` has
    /// a bit, and gives their ids in ascending order.
    ///
    /// # Errors
    /// `OutOfBounds` when `used` has no bit, or one for no sub-page; `DoubleFree` when the page is divided
    /// here already; those of [`PageId::get`].
    pub fn adopt(
        &mut self,
        page: PageId<PARENT_SIZE>,
        used: u64,
    ) -> Result<Vec<SubPageId<PARENT_SIZE, SUB_SIZE>>> {
        page.get(&self.pager)?;
        if used == 0 || used & !Self::ALL != 0 {
            return Err(MappedPageError::OutOfBounds);
        }
        if self.parents.contains(&page) {
            return Err(MappedPageError::DoubleFree);
        }
        self.has_places_for(1)?;
        let at = self.settle_in(page);
        if let Some(place) = self.places.get_mut(at as usize) {
            place.stale = Self::ALL;
        }
        let mut ids = Vec::new();
        self.take(at, used, &mut ids);
        Ok(ids)
    }

    /// The parent of a sub-page; `None` when it was given back.
    fn find(&self, id: SubPageId<PARENT_SIZE, SUB_SIZE>) -> Result<Option<PageId<PARENT_SIZE>>> {
        let place = self.places.get(id.place as usize).ok_or(MappedPageError::OutOfBounds)?;
        let count = place.counts.get(usize::from(id.sub)).ok_or(MappedPageError::OutOfBounds)?;
        if *count < id.count {
            return Err(MappedPageError::OutOfBounds);
        }
        let in_use = *count == id.count && place.used & bit(id.sub) != 0;
        Ok(place.parent.filter(|_| in_use))
    }

    /// Where the bytes of a sub-page are in its page.
    fn bytes_of(sub: u8) -> Range<usize> {
        let start = usize::from(sub).saturating_mul(SUB_SIZE);
        start..start.saturating_add(SUB_SIZE)
    }

    /// Whether so many more pages can be divided.
    fn has_places_for(&self, count: usize) -> Result<()> {
        let new = count.saturating_sub(self.vacant.len());
        match u32::try_from(self.places.len().saturating_add(new)) {
            Ok(_) => Ok(()),
            Err(_) => Err(MappedPageError::Full),
        }
    }

    /// Gives a page a place, with all its sub-pages free and zeros.
    fn settle_in(&mut self, parent: PageId<PARENT_SIZE>) -> u32 {
        let at = self.vacant.pop().unwrap_or_else(|| {
            let counts = vec![0; Self::PER_PAGE].into();
            self.places.push(Place { parent: None, used: 0, stale: 0, counts });
            #[expect(clippy::cast_possible_truncation, reason = "`has_places_for` was asked")]
            let at = self.places.len().saturating_sub(1) as u32;
            at
        });
        if let Some(place) = self.places.get_mut(at as usize) {
            place.parent = Some(parent);
            place.stale = 0;
        }
        self.parents.insert(parent);
        self.roomy.insert(at);
        at
    }

    /// Chooses up to `count` free sub-pages of a place.
    fn choose(&self, at: u32, count: usize) -> u64 {
        let used = self.places.get(at as usize).map_or(Self::ALL, |place| place.used);
        let mut free = !used & Self::ALL;
        let mut chosen = 0;
        for _ in 0..count.min(Self::PER_PAGE) {
            let lowest = free & free.wrapping_neg();
            chosen |= lowest;
            free ^= lowest;
        }
        chosen
    }

    /// Makes free sub-pages of a place zeros, where they may be something else.
    fn clear(&mut self, at: u32, bits: u64) -> Result<()> {
        let Some(place) = self.places.get_mut(at as usize) else { return Ok(()) };
        let stale = place.stale & bits;
        let Some(parent) = place.parent.filter(|_| stale != 0) else { return Ok(()) };
        let page = self.pager.page_mut(parent)?.as_bytes_mut();
        for sub in subs(stale) {
            if let Some(bytes) = page.get_mut(Self::bytes_of(sub)) {
                bytes.fill(0);
            }
        }
        place.stale &= !stale;
        Ok(())
    }

    /// Marks free sub-pages of a place as used, and names them.
    fn take(&mut self, at: u32, bits: u64, ids: &mut Vec<SubPageId<PARENT_SIZE, SUB_SIZE>>) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        place.used |= bits;
        place.stale &= !bits;
        if place.used == Self::ALL {
            self.roomy.remove(&at);
        }
        let counts = &place.counts;
        ids.extend(subs(bits).filter_map(|sub| {
            let count = *counts.get(usize::from(sub))?;
            Some(SubPageId { place: at, sub, count })
        }));
    }

    /// Marks used sub-pages of a place as free. The page of a place without any has gone back to the
    /// pager before.
    fn give_back(&mut self, at: u32, bits: u64) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        place.used &= !bits;
        place.stale |= bits;
        for sub in subs(bits) {
            if let Some(count) = place.counts.get_mut(usize::from(sub)) {
                *count = count.saturating_add(1);
            }
        }
        if place.used != 0 {
            self.roomy.insert(at);
        } else if let Some(parent) = place.parent.take() {
            self.parents.remove(&parent);
            self.roomy.remove(&at);
            self.vacant.push(at);
        }
    }

    /// The page that goes back when these sub-pages of a place do.
    fn emptied(&self, at: u32, bits: u64) -> Option<PageId<PARENT_SIZE>> {
        self.places.get(at as usize).filter(|place| place.used & !bits == 0)?.parent
    }

    /// What is asked to go back, by place, after a look at all of it.
    fn validated(&self, ids: &[SubPageId<PARENT_SIZE, SUB_SIZE>]) -> Result<BTreeMap<u32, u64>> {
        let mut by_place = BTreeMap::new();
        for id in ids {
            self.find(*id)?.ok_or(MappedPageError::DoubleFree)?;
            let bits = by_place.entry(id.place).or_insert(0);
            if *bits & bit(id.sub) != 0 {
                return Err(MappedPageError::DoubleFree);
            }
            *bits |= bit(id.sub);
        }
        Ok(by_place)
    }

    /// Free sub-pages of the pages that are divided already, up to `count`, and how many are missing.
    fn chosen(&self, count: usize) -> (Vec<(u32, u64)>, usize) {
        let mut missing = count;
        let mut chosen = Vec::new();
        for &at in &self.roomy {
            if missing == 0 {
                break;
            }
            let bits = self.choose(at, missing);
            missing = missing.saturating_sub(bits.count_ones() as usize);
            chosen.push((at, bits));
        }
        (chosen, missing)
    }

    /// Takes what was chosen, and `missing` more out of pages that were just taken for them.
    fn take_chosen(
        &mut self,
        mut chosen: Vec<(u32, u64)>,
        mut missing: usize,
        parents: Vec<PageId<PARENT_SIZE>>,
    ) -> Vec<SubPageId<PARENT_SIZE, SUB_SIZE>> {
        for parent in parents {
            let at = self.settle_in(parent);
            let bits = self.choose(at, missing);
            missing = missing.saturating_sub(bits.count_ones() as usize);
            chosen.push((at, bits));
        }
        let mut ids = Vec::new();
        for (at, bits) in chosen {
            self.take(at, bits, &mut ids);
        }
        ids
    }
}

const fn bit(sub: u8) -> u64 {
    1 << (sub & 63)
}

/// The numbers of the bits that are set, in ascending order.
fn subs(mut bits: u64) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        #[expect(clippy::cast_possible_truncation, reason = "below 64")]
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as u8);
        bits &= bits.wrapping_sub(1);
        lowest
    })
}

impl<const PARENT_SIZE: usize, const SUB_SIZE: usize>
    PageAllocator<SubPageId<PARENT_SIZE, SUB_SIZE>> for SubPageAllocator<PARENT_SIZE, SUB_SIZE>
{
    type Error = MappedPageError;

    /// Gives out a sub-page that holds zeros; takes a page from the pager when none has a free one.
    fn alloc(&mut self) -> Result<SubPageId<PARENT_SIZE, SUB_SIZE>> {
        self.alloc_bulk(1)?.pop().ok_or(MappedPageError::Full)
    }

    /// Takes a sub-page back, and gives its page back with the last one.
    fn free(&mut self, id: SubPageId<PARENT_SIZE, SUB_SIZE>) -> Result<()> {
        self.find(id)?.ok_or(MappedPageError::DoubleFree)?;
        if let Some(parent) = self.emptied(id.place, bit(id.sub)) {
            self.pager.free(parent)?;
        }
        self.give_back(id.place, bit(id.sub));
        Ok(())
    }
}

impl<const PARENT_SIZE: usize, const SUB_SIZE: usize>
    BulkPageAllocator<SubPageId<PARENT_SIZE, SUB_SIZE>>
    for SubPageAllocator<PARENT_SIZE, SUB_SIZE>
{
    /// Gives out sub-pages that hold zeros, with at most one commit of the pager.
    fn alloc_bulk(&mut self, count: usize) -> Result<Vec<SubPageId<PARENT_SIZE, SUB_SIZE>>> {
        // A future that was dropped may have left the page of a roomy place in flight.
        self.pager.land()?;
        let (chosen, missing) = self.chosen(count);
        let pages = missing.div_ceil(Self::PER_PAGE);
        self.has_places_for(pages)?;
        for &(at, bits) in &chosen {
            self.clear(at, bits)?;
        }
        let parents = if pages == 0 { Vec::new() } else { self.pager.alloc_bulk(pages)? };
        Ok(self.take_chosen(chosen, missing, parents))
    }

    /// Takes sub-pages back, with at most one commit of the pager.
    fn free_bulk(&mut self, ids: Vec<SubPageId<PARENT_SIZE, SUB_SIZE>>) -> Result<()> {
        let by_place = self.validated(&ids)?;
        let emptied: Vec<_> =
            by_place.iter().filter_map(|(&at, &bits)| self.emptied(at, bits)).collect();
        if !emptied.is_empty() {
            self.pager.free_bulk(emptied)?;
        }
        for (at, bits) in by_place {
            self.give_back(at, bits);
        }
        Ok(())
    }
}

impl<const PARENT_SIZE: usize, const SUB_SIZE: usize>
    PageHandle<SubPageAllocator<PARENT_SIZE, SUB_SIZE>> for SubPageId<PARENT_SIZE, SUB_SIZE>
{
    type Error = MappedPageError;
    type Mut<'a> = &'a mut MappedPage;

    fn get<'a>(
        &self,
        allocator: &'a SubPageAllocator<PARENT_SIZE, SUB_SIZE>,
    ) -> Result<&'a MappedPage> {
        let parent = allocator.find(*self)?.ok_or(MappedPageError::Stale)?;
        let page = allocator.pager.page(parent)?.as_bytes();
        let bytes = page.get(SubPageAllocator::<PARENT_SIZE, SUB_SIZE>::bytes_of(self.sub));
        bytes.map(map::view).ok_or(MappedPageError::OutOfBounds)
    }

    fn get_mut<'a>(
        &self,
        allocator: &'a mut SubPageAllocator<PARENT_SIZE, SUB_SIZE>,
    ) -> Result<&'a mut MappedPage> {
        let parent = allocator.find(*self)?.ok_or(MappedPageError::Stale)?;
        let page = allocator.pager.page_mut(parent)?.as_bytes_mut();
        let bytes = page.get_mut(SubPageAllocator::<PARENT_SIZE, SUB_SIZE>::bytes_of(self.sub));
        bytes.map(map::view_mut).ok_or(MappedPageError::OutOfBounds)
    }
}
