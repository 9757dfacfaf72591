//! Random calls against the dullest model: two maps. In both formats, over both backings, with
//! reopenings, drops without a close, and every durability.

mod support;

use std::collections::BTreeMap;

use mappedpages::{
    Backing, Durability, Format, MappedPageError, PageId, Pager, ProtectedPageId, Transaction,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Case, P, assert_fails};

/// One call, or one in a transaction. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Change {
    Alloc,
    AllocBulk(usize),
    Free(usize),
    FreeBulk(Vec<usize>),
    AllocProtected,
    AllocProtectedBulk(usize),
    FreeProtected(usize),
    FreeProtectedBulk(Vec<usize>),
    WriteProtected(usize, u8),
    /// In a transaction only: a regular page as a whole.
    WritePage(usize, u8),
}

#[derive(Clone, Debug)]
enum Step {
    Change(Change),
    /// A direct store of one byte.
    Store(usize, usize, u8),
    /// Dropped half way when false.
    Transaction(Vec<Change>, bool),
    /// A protected write that is not committed.
    Abandon(usize),
    FreeStale(usize),
    SetDurability(Durability),
    Flush,
    Reopen {
        closes: bool,
    },
}

fn change() -> impl Strategy<Value = Change> {
    let which = 0..1000_usize;
    prop_oneof![
        4 => Just(Change::Alloc),
        2 => (0..30_usize).prop_map(Change::AllocBulk),
        3 => which.clone().prop_map(Change::Free),
        1 => vec(which.clone(), 0..12).prop_map(Change::FreeBulk),
        3 => Just(Change::AllocProtected),
        1 => (0..9_usize).prop_map(Change::AllocProtectedBulk),
        2 => which.clone().prop_map(Change::FreeProtected),
        1 => vec(which.clone(), 0..5).prop_map(Change::FreeProtectedBulk),
        4 => (which.clone(), any::<u8>()).prop_map(|(at, byte)| Change::WriteProtected(at, byte)),
        2 => (which, any::<u8>()).prop_map(|(at, byte)| Change::WritePage(at, byte)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let durability = prop_oneof![
        Just(Durability::Immediate),
        Just(Durability::Barriers),
        Just(Durability::Eventual)
    ];
    prop_oneof![
        12 => change().prop_map(Step::Change),
        4 => (0..1000_usize, 0..P, any::<u8>()).prop_map(|(at, place, byte)| Step::Store(at, place, byte)),
        3 => (vec(change(), 0..10), any::<bool>()).prop_map(|(changes, commits)| Step::Transaction(changes, commits)),
        1 => (0..1000_usize).prop_map(Step::Abandon),
        1 => (0..1000_usize).prop_map(Step::FreeStale),
        1 => durability.prop_map(Step::SetDurability),
        1 => Just(Step::Flush),
        1 => any::<bool>().prop_map(|closes| Step::Reopen { closes }),
    ]
}

#[derive(Clone, Debug, Default)]
struct Model {
    pages: BTreeMap<u64, Vec<u8>>,
    protected: BTreeMap<u64, Vec<u8>>,
    gone: Vec<u64>,
}

fn nth<V>(map: &BTreeMap<u64, V>, at: usize) -> Option<u64> {
    map.keys().nth(at.checked_rem(map.len())?).copied()
}

/// Several that are there, once each.
fn several<V>(map: &BTreeMap<u64, V>, at: &[usize]) -> Vec<u64> {
    let mut ids: Vec<u64> = at.iter().filter_map(|at| nth(map, *at)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.reverse();
    ids
}

impl Model {
    fn takes(&mut self, ids: &[PageId<P>]) {
        for id in ids {
            assert!(id.0 > 2);
            assert!(self.pages.insert(id.0, vec![0; P]).is_none(), "given out twice");
        }
    }

    fn takes_protected(&mut self, ids: &[ProtectedPageId<P>]) {
        for id in ids {
            assert!(!self.gone.contains(&id.0), "an id comes again");
            assert!(self.protected.insert(id.0, vec![0; P]).is_none(), "given out twice");
        }
    }

    fn forgets(&mut self, protected: u64) {
        self.protected.remove(&protected);
        self.gone.push(protected);
    }

    fn matches(&self, pager: &Pager<P>) {
        let regular: Vec<u64> = pager.iter_allocated_pages().map(|id| id.0).collect();
        assert_eq!(regular, self.pages.keys().copied().collect::<Vec<_>>());
        let mut protected: Vec<u64> =
            pager.iter_allocated_protected_pages().map(|id| id.0).collect();
        protected.sort_unstable();
        assert_eq!(protected, self.protected.keys().copied().collect::<Vec<_>>());
        for (id, content) in &self.pages {
            assert_eq!(PageId(*id).get(pager).unwrap().as_bytes(), content, "page {id}");
        }
        for (id, content) in &self.protected {
            let id = ProtectedPageId(*id);
            assert_eq!(id.get(pager).unwrap().as_bytes(), content, "{id:?}");
        }
        for id in &self.gone {
            assert!(ProtectedPageId(*id).get(pager).is_err());
        }
        for page in (0..pager.page_count()).filter(|page| !self.pages.contains_key(page)) {
            assert!(PageId(page).get(pager).is_err(), "page {page} is nobody's");
        }
        let used = self.pages.len() as u64 + 3;
        assert!(pager.free_page_count() + used <= pager.page_count());
    }

    /// Makes a change, as a call of its own.
    fn change(&mut self, pager: &mut Pager<P>, change: &Change) {
        match change {
            Change::Alloc => self.takes(&[pager.alloc().unwrap()]),
            Change::AllocBulk(count) => self.takes(&pager.alloc_bulk(*count).unwrap()),
            Change::Free(at) => {
                if let Some(id) = nth(&self.pages, *at) {
                    pager.free(PageId(id)).unwrap();
                    self.pages.remove(&id);
                }
            }
            Change::FreeBulk(at) => {
                let ids = several(&self.pages, at);
                pager.free_bulk(ids.iter().copied().map(PageId).collect()).unwrap();
                self.pages.retain(|id, _| !ids.contains(id));
            }
            Change::AllocProtected => self.takes_protected(&[pager.alloc_protected().unwrap()]),
            Change::AllocProtectedBulk(count) => {
                self.takes_protected(&pager.alloc_protected_bulk(*count).unwrap());
            }
            Change::FreeProtected(at) => {
                if let Some(id) = nth(&self.protected, *at) {
                    pager.free_protected(ProtectedPageId(id)).unwrap();
                    self.forgets(id);
                }
            }
            Change::FreeProtectedBulk(at) => {
                let ids = several(&self.protected, at);
                let freed = ids.iter().copied().map(ProtectedPageId).collect();
                pager.free_protected_bulk(freed).unwrap();
                ids.into_iter().for_each(|id| self.forgets(id));
            }
            Change::WriteProtected(at, byte) => {
                if let Some(id) = nth(&self.protected, *at) {
                    let mut writer = ProtectedPageId(id).get_mut(pager).unwrap();
                    let content = self.protected.get_mut(&id).unwrap();
                    assert_eq!(writer.page_mut().as_bytes(), content);
                    content[usize::from(*byte)..].fill(*byte);
                    writer.page_mut().as_bytes_mut().copy_from_slice(content);
                    writer.commit().unwrap();
                }
            }
            Change::WritePage(..) => {}
        }
    }

    /// Makes a change in a transaction.
    fn stage(
        &mut self,
        transaction: &mut Transaction<'_, P>,
        change: &Change,
    ) -> Result<(), MappedPageError> {
        match change {
            Change::Alloc => {
                let id = transaction.alloc()?;
                assert_eq!(transaction.page(id)?.as_bytes(), [0; P]);
                self.takes(&[id]);
            }
            Change::AllocBulk(count) => self.takes(&transaction.alloc_bulk(*count)?),
            Change::Free(at) => {
                if let Some(id) = nth(&self.pages, *at) {
                    transaction.free(PageId(id))?;
                    self.pages.remove(&id);
                }
            }
            Change::FreeBulk(at) => {
                let ids = several(&self.pages, at);
                transaction.free_bulk(&ids.iter().copied().map(PageId).collect::<Vec<_>>())?;
                self.pages.retain(|id, _| !ids.contains(id));
            }
            Change::AllocProtected => self.takes_protected(&[transaction.alloc_protected()?]),
            Change::AllocProtectedBulk(count) => {
                self.takes_protected(&transaction.alloc_protected_bulk(*count)?);
            }
            Change::FreeProtected(at) => {
                if let Some(id) = nth(&self.protected, *at) {
                    transaction.free_protected(ProtectedPageId(id))?;
                    self.forgets(id);
                }
            }
            Change::FreeProtectedBulk(at) => {
                let ids = several(&self.protected, at);
                let freed: Vec<_> = ids.iter().copied().map(ProtectedPageId).collect();
                transaction.free_protected_bulk(&freed)?;
                ids.into_iter().for_each(|id| self.forgets(id));
            }
            Change::WriteProtected(at, byte) => {
                if let Some(id) = nth(&self.protected, *at) {
                    let page = transaction.protected_mut(ProtectedPageId(id))?;
                    let content = self.protected.get_mut(&id).unwrap();
                    assert_eq!(page.as_bytes(), content);
                    content[usize::from(*byte)..].fill(*byte);
                    page.as_bytes_mut().copy_from_slice(content);
                }
            }
            Change::WritePage(at, byte) => {
                if let Some(id) = nth(&self.pages, *at) {
                    let page = transaction.page_mut(PageId(id))?;
                    let content = self.pages.get_mut(&id).unwrap();
                    assert_eq!(page.as_bytes(), content);
                    content[usize::from(*byte)..].fill(*byte);
                    page.as_bytes_mut().copy_from_slice(content);
                    assert_eq!(transaction.page(PageId(id))?.as_bytes(), content);
                }
            }
        }
        Ok(())
    }
}

fn run(case: &Case, steps: &[Step]) {
    let mut pager = case.create();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Change(change) => model.change(&mut pager, change),
            Step::Store(at, place, byte) => {
                if let Some(id) = nth(&model.pages, *at) {
                    PageId(id).get_mut(&mut pager).unwrap().as_bytes_mut()[*place] = *byte;
                    model.pages.get_mut(&id).unwrap()[*place] = *byte;
                }
            }
            Step::Transaction(changes, commits) => {
                let mut changed = model.clone();
                let mut transaction = pager.transaction().unwrap();
                for change in changes {
                    match changed.stage(&mut transaction, change) {
                        Ok(()) => {}
                        // What was refused has changed nothing; the rest goes on.
                        Err(MappedPageError::Unsupported { .. }) if case.format == Format::One => {}
                        Err(error) => panic!("{change:?}: {error:?}"),
                    }
                }
                if *commits {
                    transaction.commit().unwrap();
                    model = changed;
                } else {
                    drop(transaction);
                }
            }
            Step::Abandon(at) => {
                if let Some(id) = nth(&model.protected, *at) {
                    let mut writer = ProtectedPageId(id).get_mut(&mut pager).unwrap();
                    writer.page_mut().as_bytes_mut().fill(0xee);
                }
            }
            Step::FreeStale(at) => {
                if let Some(id) = at.checked_rem(model.gone.len()).map(|at| model.gone[at]) {
                    let id = ProtectedPageId(id);
                    assert_fails!(pager.free_protected(id), MappedPageError::DoubleFree);
                    assert_fails!(id.get(&pager), MappedPageError::Stale);
                }
            }
            Step::SetDurability(durability) => pager.set_durability(*durability),
            Step::Flush => pager.flush().unwrap(),
            Step::Reopen { closes } => {
                if *closes {
                    pager.close().unwrap();
                } else {
                    drop(pager);
                }
                pager = case.open();
                assert!(!pager.recovery().unclean, "{:?}", pager.recovery());
            }
        }
        model.matches(&pager);
    }
    model.matches(&case.reopen(pager));
}

/// Steps for one format over one backing; the seed of a failure is printed and kept.
fn explore(format: Format, backing: Backing) {
    let config = ProptestConfig { cases: 48, ..ProptestConfig::default() };
    proptest!(config, |(steps in vec(step(), 1..60))| run(&Case::new(format, backing), &steps));
}

#[test]
fn format_one_mapped() {
    explore(Format::One, Backing::Mapped);
}

#[test]
fn format_one_positioned() {
    explore(Format::One, Backing::Positioned);
}

#[test]
fn format_two_mapped() {
    explore(Format::Two, Backing::Mapped);
}

#[test]
fn format_two_positioned() {
    explore(Format::Two, Backing::Positioned);
}
