//! A medium that remembers every write, the states that a power cut can make of it, and a pager reduced
//! to what the engine needs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use crate::engine::{Barrier, Engine, Progress, Result};
use crate::format1::FormatOne;
use crate::format1::page_zero::SECTOR_LEN;
use crate::medium::{Medium, MemoryMedium};
use crate::pages::Pages;
use crate::recovery::Recovery;

/// What happened to a medium.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Write { offset: usize, bytes: Vec<u8> },
    Grow(usize),
    Sync,
}

/// A medium in memory that keeps a journal of itself.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    bytes: MemoryMedium,
    pub(super) events: Mutex<Vec<Event>>,
}

impl Recorder {
    pub(super) fn over(image: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { bytes: MemoryMedium::from(image), events: Mutex::default() })
    }

    pub(super) fn image(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    fn record(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }
}

impl Medium for Recorder {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.bytes.read_at(offset, into)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.record(Event::Write { offset: offset as usize, bytes: bytes.to_vec() });
        self.bytes.write_at(offset, bytes)
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        self.record(Event::Grow(len as usize));
        self.bytes.grow(len)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.bytes.cut(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.record(Event::Sync);
        Ok(())
    }
}

/// A repeatable source of numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What a file holds, as far as a power cut must leave it alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Regular pages with the digests of their contents.
    pub(super) regular: BTreeMap<u64, u32>,
    /// Protected pages likewise.
    pub(super) protected: BTreeMap<u64, u32>,
}

/// An engine and its pages.
#[derive(Debug)]
pub(super) struct Session<const P: usize> {
    pub(super) engine: FormatOne<P>,
    pub(super) pages: Pages<P>,
    pub(super) recovery: Recovery,
}

impl<const P: usize> Session<P> {
    pub(super) fn create(medium: Arc<dyn Medium>) -> Self {
        let mut pages = Pages::positioned(medium).unwrap();
        let engine = FormatOne::create(&mut pages).unwrap();
        pages.sync_handle().sync().unwrap();
        Self { engine, pages, recovery: Recovery::default() }
    }

    pub(super) fn open(medium: Arc<dyn Medium>) -> Result<Self> {
        let mut pages = Pages::positioned(medium)?;
        let (engine, recovery) = FormatOne::open(&mut pages)?;
        Ok(Self { engine, pages, recovery })
    }

    pub(super) fn open_image(image: Vec<u8>) -> Result<Self> {
        Self::open(Arc::new(MemoryMedium::from(image)))
    }

    /// Runs one operation and makes it durable; returns how many syncs that took.
    pub(super) fn commit<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let value = match change(self) {
            Ok(value) => value,
            Err(error) => {
                self.engine.rollback(&mut self.pages);
                return Err(error);
            }
        };
        self.engine.accept();
        self.flush(Barrier::OneFlush)?;
        Ok(value)
    }

    pub(super) fn flush(&mut self, barrier: Barrier) -> Result<usize> {
        let mut syncs = 0;
        if self.engine.write_commit(&mut self.pages, barrier)? {
            loop {
                self.pages.flush_dirty()?;
                self.pages.sync_handle().sync()?;
                syncs += 1;
                if self.engine.after_sync(&mut self.pages)? == Progress::Durable {
                    break;
                }
            }
        }
        Ok(syncs)
    }

    pub(super) fn alloc_protected(&mut self) -> u64 {
        self.commit(|session| session.engine.alloc_protected(&mut session.pages)).unwrap()
    }

    pub(super) fn write_protected(&mut self, id: u64, fill: u8) -> Result<()> {
        self.commit(|session| {
            session.engine.stage_protected(&mut session.pages, id)?.fill(fill);
            Ok(())
        })
    }

    /// Reads everything.
    pub(super) fn state(&self) -> Result<State> {
        let mut state = State::default();
        let mut from = 0;
        while let Some(page) = self.engine.next_regular(&self.pages, from)? {
            let content = self.engine.page(&self.pages, page)?;
            state.regular.insert(page, crc32fast::hash(content));
            from = page + 1;
        }
        let mut from = 0;
        while let Some(id) = self.engine.next_protected(&self.pages, from)? {
            let content = self.engine.protected(&self.pages, id)?;
            state.protected.insert(id, crc32fast::hash(content));
            from = crate::protected::parts_of(id).0 + 1;
        }
        assert_eq!(self.used_pages(), self.engine.page_count() - self.engine.free_page_count());
        Ok(state)
    }

    /// Counts the pages that somebody owns: regular, protected twice, directory and reserved ones.
    fn used_pages(&self) -> u64 {
        let kinds =
            (0..self.engine.page_count()).map(|page| self.engine.kind(&self.pages, page).unwrap());
        kinds.filter(|kind| *kind != crate::engine::Kind::Free).count() as u64
    }
}

/// What can be on the medium after a power cut while `events` had happened since the last sync, on top
/// of `durable`: any of the touched sectors old or new. All combinations when they are few, else some.
pub(super) fn torn_images(
    durable: &[u8],
    events: &[Event],
    random: &mut Random,
    images_max: usize,
) -> Vec<Vec<u8>> {
    let mut newest = durable.to_vec();
    let mut touched = BTreeSet::new();
    for event in events {
        match event {
            Event::Write { offset, bytes } => {
                newest[*offset..offset + bytes.len()].copy_from_slice(bytes);
                touched.extend(offset / SECTOR_LEN..=(offset + bytes.len() - 1) / SECTOR_LEN);
            }
            Event::Grow(len) => newest.resize(newest.len().max(*len), 0),
            Event::Sync => unreachable!("the window ends at a sync"),
        }
    }
    let image_of = |chosen: &dyn Fn(usize) -> bool| {
        let mut image = durable.to_vec();
        image.resize(newest.len(), 0);
        for (number, sector) in touched.iter().enumerate() {
            if chosen(number) {
                let range = sector * SECTOR_LEN..(sector + 1) * SECTOR_LEN;
                image[range.clone()].copy_from_slice(&newest[range]);
            }
        }
        image
    };
    if touched.len() < 8 && 1 << touched.len() <= images_max {
        return (0..1_usize << touched.len())
            .map(|mask| image_of(&|number| mask >> number & 1 == 1))
            .collect();
    }
    let mut images = vec![durable.to_vec(), image_of(&|_| true)];
    while images.len() < images_max {
        let salt = random.next();
        // Some images lack few sectors, some have few, some half of them.
        let share = [1, 8, 15][random.below(3) as usize];
        images.push(image_of(&|number| Random(salt ^ number as u64).next() % 16 < share));
    }
    images
}
