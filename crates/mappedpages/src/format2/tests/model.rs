//! Random operations, kills and power cuts against the dullest model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::disk::Random;
use super::session::{Holdings, Session};
use crate::engine::{Barrier, Content, Engine as _, Progress};
use crate::error::MappedPageError;
use crate::format2::FormatTwo;
use crate::pages::Pages;

/// What may be there after a power cut.
#[derive(Debug, Clone, Default)]
struct Expected {
    holdings: Holdings,
    /// Regular pages with direct stores, or whatever was there before, that no sync has covered.
    loose: BTreeSet<u64>,
}

impl Expected {
    fn admits(&self, found: &Holdings) -> bool {
        let keys = |pages: &BTreeMap<u64, Vec<u8>>| pages.keys().copied().collect::<Vec<_>>();
        self.holdings.protected == found.protected
            && keys(&self.holdings.regular) == keys(&found.regular)
            && found.regular.iter().all(|(page, content)| {
                self.loose.contains(page) || self.holdings.regular[page] == *content
            })
    }
}

impl Expected {
    fn differences(&self, found: &Holdings) -> Vec<String> {
        let mut differences = Vec::new();
        let kinds = [
            ("page", &self.holdings.regular, &found.regular),
            ("protected", &self.holdings.protected, &found.protected),
        ];
        for (what, expected, found) in kinds {
            let ids: BTreeSet<u64> = expected.keys().chain(found.keys()).copied().collect();
            for id in ids {
                let (wanted, is) = (expected.get(&id), found.get(&id));
                if wanted != is && !(what == "page" && self.loose.contains(&id)) {
                    let end = |bytes: Option<&Vec<u8>>| bytes.map(|b| (b[0], b[b.len() - 1]));
                    differences.push(format!("{what} {id}: {:?} not {:?}", end(is), end(wanted)));
                }
            }
        }
        differences
    }
}

struct Run<const P: usize> {
    session: Session<P>,
    random: Random,
    /// What the last durable commit left.
    durable: Expected,
    /// What is accepted.
    accepted: Expected,
    crashes: u64,
}

fn pick<T: Copy>(random: &mut Random, from: impl Iterator<Item = T>) -> Option<T> {
    let all: Vec<T> = from.collect();
    (!all.is_empty()).then(|| all[random.below(all.len() as u64) as usize])
}

impl<const P: usize> Run<P> {
    fn new(seed: u64) -> Self {
        Self {
            session: Session::create(),
            random: Random(seed),
            durable: Expected::default(),
            accepted: Expected::default(),
            crashes: 0,
        }
    }

    /// A transaction of some operations; most are accepted.
    fn transact(&mut self) {
        let mut after = self.accepted.clone();
        let mut freed = BTreeSet::new();
        for _ in 0..=self.random.below(6) {
            self.operate(&mut after, &mut freed);
        }
        let (engine, pages) = (&mut self.session.engine, &mut self.session.pages);
        if self.random.one_in(4) {
            engine.rollback(pages);
        } else {
            engine.accept();
            self.accepted = after;
        }
        self.compare();
    }

    fn operate(&mut self, after: &mut Expected, freed: &mut BTreeSet<u64>) {
        let Self { session, random, .. } = self;
        let (engine, pages) = (&mut session.engine, &mut session.pages);
        let regular = pick(random, after.holdings.regular.keys().copied());
        let id = pick(random, after.holdings.protected.keys().copied());
        match random.below(11) {
            0 | 1 => {
                let page = engine.alloc(pages, Content::Zeroed).unwrap();
                assert!(after.holdings.regular.insert(page, vec![0; P]).is_none());
                after.loose.remove(&page);
            }
            2 => {
                let most = if random.one_in(8) { 900 } else { 20 };
                let count = random.below(most) as usize;
                let content = if random.one_in(2) { Content::Zeroed } else { Content::Uninit };
                let mut out = Vec::new();
                engine.alloc_bulk(pages, count, content, &mut out).unwrap();
                for page in out {
                    let bytes = engine.page(pages, page).unwrap().to_vec();
                    after.loose.remove(&page);
                    if content == Content::Uninit {
                        after.loose.insert(page);
                    } else {
                        assert!(bytes.iter().all(|&byte| byte == 0), "page {page} is no zeros");
                    }
                    assert!(after.holdings.regular.insert(page, bytes).is_none());
                }
            }
            3 => {
                if let Some(page) = regular {
                    engine.free(pages, page).unwrap();
                    after.holdings.regular.remove(&page);
                    after.loose.remove(&page);
                    freed.insert(page);
                    let again = engine.free(pages, page);
                    assert!(matches!(again, Err(MappedPageError::DoubleFree)));
                }
            }
            4 => {
                let count = after.holdings.regular.len();
                let start = random.below(count as u64 + 1) as usize;
                let ids: Vec<u64> =
                    after.holdings.regular.keys().copied().skip(start).take(400).collect();
                let twice: Vec<u64> = ids.iter().chain(ids.first()).copied().collect();
                if !ids.is_empty() {
                    assert!(engine.free_bulk(pages, &twice).is_err());
                }
                engine.free_bulk(pages, &ids).unwrap();
                for page in ids {
                    after.holdings.regular.remove(&page);
                    after.loose.remove(&page);
                }
            }
            5 => {
                let most = if random.one_in(6) { 60 } else { 4 };
                let count = random.below(most) as usize;
                let mut out = Vec::new();
                engine.alloc_protected_bulk(pages, count, &mut out).unwrap();
                for id in out {
                    assert!(after.holdings.protected.insert(id, vec![0; P]).is_none());
                }
            }
            6 => {
                if let Some(id) = id {
                    engine.free_protected(pages, id).unwrap();
                    after.holdings.protected.remove(&id);
                    let gone = engine.protected(pages, id);
                    assert!(matches!(gone, Err(MappedPageError::Stale)));
                }
            }
            7 | 8 => {
                if let Some(id) = id {
                    let buffer = engine.stage_protected(pages, id).unwrap();
                    assert_eq!(buffer, after.holdings.protected[&id]);
                    let at = random.below(P as u64) as usize;
                    buffer[at..].fill(random.below(256) as u8);
                    after.holdings.protected.insert(id, buffer.to_vec());
                }
            }
            _ => {
                if let Some(page) = regular {
                    let buffer = engine.stage_page(pages, page).unwrap();
                    assert_eq!(buffer, after.holdings.regular[&page]);
                    let at = random.below(P as u64) as usize;
                    buffer[at..].fill(random.below(256) as u8);
                    after.holdings.regular.insert(page, buffer.to_vec());
                    after.loose.remove(&page);
                }
            }
        }
    }

    fn store_directly(&mut self) {
        let Self { session, random, .. } = self;
        let Some(page) = pick(random, self.accepted.holdings.regular.keys().copied()) else {
            return;
        };
        let generation = session.engine.generation();
        let bytes = session.page_mut(page);
        bytes[random.below(P as u64) as usize..].fill(random.below(256) as u8);
        let bytes = bytes.to_vec();
        if session.engine.generation() != generation {
            // It was settled with a commit.
            self.accepted.loose.clear();
            self.durable = self.accepted.clone();
        }
        self.accepted.holdings.regular.insert(page, bytes.clone());
        self.accepted.loose.insert(page);
        // The durable state has the page, too, or has not.
        if self.durable.holdings.regular.contains_key(&page) {
            self.durable.loose.insert(page);
        }
        if random.one_in(3) {
            // Any part of it may be on its way.
            session.pages.flush_dirty().unwrap();
        }
    }

    /// A durable commit, or a power cut on the way.
    fn commit(&mut self) {
        let barrier = if self.random.one_in(4) { Barrier::TwoBarriers } else { Barrier::OneFlush };
        let (engine, pages) = (&mut self.session.engine, &mut self.session.pages);
        if !engine.write_commit(pages, barrier).unwrap() {
            return;
        }
        let written = self.accepted.clone();
        loop {
            self.session.pages.flush_dirty().unwrap();
            if self.random.one_in(3) {
                self.transact();
            }
            if self.random.one_in(5) {
                return self.crash(Some(&written));
            }
            self.session.pages.sync_handle().sync().unwrap();
            if self.random.one_in(10) {
                return self.crash(Some(&written));
            }
            let progress = self.session.engine.after_sync(&mut self.session.pages).unwrap();
            if progress == Progress::Durable {
                break;
            }
        }
        // The sync covered what was stored directly to pages that are still there.
        self.durable = written;
        let Expected { holdings, loose } = &mut self.durable;
        loose.clear();
        for page in holdings.regular.keys() {
            let staged = self.accepted.holdings.regular.get(page);
            if staged.is_some() {
                self.accepted.loose.remove(page);
            }
        }
        let kept = &self.accepted.holdings.regular;
        let fresh: Vec<u64> =
            kept.keys().copied().filter(|page| !holdings.regular.contains_key(page)).collect();
        self.accepted.loose.retain(|page| fresh.contains(page));
    }

    /// The power goes; the file is opened, perhaps not at the first try.
    fn crash(&mut self, in_flight: Option<&Expected>) {
        self.crashes += 1;
        // At times the process ends first, and what it wrote is seen, and may still be lost.
        let mut is_settled = self.random.one_in(2);
        let mut disk = if is_settled {
            self.session.disk.power_cut(&mut self.random)
        } else {
            self.session.disk.kill()
        };
        while self.random.one_in(2) {
            // Another power cut, at any sync of the recovery.
            disk.set_syncs_left(self.random.below(4));
            let shared = Arc::new(disk);
            let mut pages = Pages::<P>::positioned(shared.clone()).unwrap();
            match FormatTwo::open(&mut pages) {
                Ok(_) | Err(MappedPageError::Io(_)) => {}
                Err(error) => panic!("an interrupted recovery: {error}"),
            }
            disk = shared.power_cut(&mut self.random);
            is_settled = true;
        }
        self.session = Session::open(disk).unwrap();
        let mut loose = self.durable.loose.clone();
        loose.extend(in_flight.iter().flat_map(|expected| &expected.loose));
        self.adopt(in_flight);
        if !is_settled {
            self.keep_loose(loose);
        }
    }

    fn kill(&mut self) {
        self.crashes += 1;
        self.session = self.session.reopen().unwrap();
        let loose = self.durable.loose.clone();
        self.adopt(None);
        self.keep_loose(loose);
    }

    /// What was stored directly is there after a kill, and may still be lost.
    fn keep_loose(&mut self, mut loose: BTreeSet<u64>) {
        loose.retain(|page| self.durable.holdings.regular.contains_key(page));
        self.durable.loose.clone_from(&loose);
        self.accepted.loose = loose;
    }

    fn adopt(&mut self, in_flight: Option<&Expected>) {
        let found = self.session.holdings().unwrap();
        let is_durable = self.durable.admits(&found);
        let is_in_flight = in_flight.is_some_and(|expected| expected.admits(&found));
        if !is_durable && !is_in_flight {
            println!("durable: {:?}", self.durable.differences(&found));
            println!("in flight: {:?}", in_flight.map(|expected| expected.differences(&found)));
            panic!("neither before nor after: {:?}", self.session.recovery);
        }
        self.durable = Expected { holdings: found, loose: BTreeSet::new() };
        self.accepted = self.durable.clone();
        self.session.check();
        // A second recovery finds the same, and has nothing to do.
        let again = self.session.reopen().unwrap();
        assert_eq!(again.holdings().unwrap(), self.durable.holdings);
        assert_eq!(again.recovery.rolled_back, None);
        assert_eq!(again.recovery.replayed_pages, 0);
    }

    fn compare(&self) {
        assert_eq!(self.session.holdings().unwrap(), self.accepted.holdings);
    }
}

fn run<const P: usize>(seed: u64, steps: u64) -> u64 {
    println!("seed {seed:#x}");
    let mut run = Run::<P>::new(seed);
    for _ in 0..steps {
        match run.random.below(12) {
            0..=3 => run.transact(),
            4..=5 => run.store_directly(),
            6..=9 => run.commit(),
            10 if run.random.one_in(3) => run.crash(None),
            10 if run.random.one_in(3) => run.kill(),
            11 if run.random.one_in(3) => {
                run.commit();
                run.session.close();
                run.kill();
            }
            _ => run.session.check(),
        }
    }
    run.crashes
}

#[test]
fn random_operations_and_power_cuts_leave_a_committed_state() {
    let crashes: u64 = (0..10).map(|seed| run::<1024>(0x5eed + seed, 120)).sum();
    assert!(crashes > 80, "only {crashes} crashes");
}
