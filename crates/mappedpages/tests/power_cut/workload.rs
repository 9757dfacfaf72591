//! What is done to the file, and which states that passes through.

use std::collections::BTreeMap;
use std::path::Path;

use mappedpages::{Durability, Format, PageId, Pager, ProtectedPageId};

use crate::recorder::{self, Fault, Recording};

/// What an open may show: the pages that are in use, and what they hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Of each regular page the contents that each of its sectors may have; one, unless it was stored to
    /// outside of transactions.
    pub(crate) regular: BTreeMap<u64, Vec<Vec<u8>>>,
    pub(crate) protected: BTreeMap<u64, Vec<u8>>,
    /// Pages that the pager keeps for itself.
    pub(crate) internal: u64,
}

/// A run of the workload: the pager, and the states so far.
#[derive(Debug)]
struct Run<const P: usize> {
    pager: Pager<P>,
    states: Vec<State>,
    /// The newest state that a power cut must leave.
    durable: usize,
    regular: Vec<PageId<P>>,
    protected: Vec<ProtectedPageId<P>>,
}

type Result<T> = std::result::Result<T, mappedpages::MappedPageError>;

/// What was recorded, the states that the file went through, and how the last call ended.
#[derive(Debug)]
pub(crate) struct Outcome<T> {
    pub(crate) recording: Recording,
    pub(crate) states: Vec<State>,
    pub(crate) result: Result<()>,
    /// What a pager whose call failed said to a flush.
    pub(crate) afterwards: Option<Result<()>>,
    pub(crate) then: T,
}

/// Does 24 operations or more to a new file at `path`, while the recorder looks on. The power goes before
/// the pager is closed.
pub(crate) fn run<const P: usize>(
    path: &Path,
    format: Format,
    fault: Option<Fault>,
) -> Outcome<Pager<P>> {
    run_then(path, format, fault, |pager| pager)
}

/// As [`run`], and does `then` to the pager before the power goes.
pub(crate) fn run_then<const P: usize, T>(
    path: &Path,
    format: Format,
    fault: Option<Fault>,
    then: impl FnOnce(Pager<P>) -> T,
) -> Outcome<T> {
    let pager = Pager::<P>::builder().format(format).create(path).unwrap();
    let mut run = Run {
        states: vec![State { internal: internal(&pager), ..State::default() }],
        pager,
        durable: 0,
        regular: Vec::new(),
        protected: Vec::new(),
    };
    recorder::start(path, fault);
    let result = match format {
        Format::One => run.all_of_format_1(),
        _ => run.all_of_format_2(),
    };
    let afterwards = result.is_err().then(|| run.pager.flush());
    let then = then(run.pager);
    Outcome { recording: recorder::stop(), states: run.states, result, afterwards, then }
}

/// Pages that are neither free nor anybody's.
pub(crate) fn internal<const P: usize>(pager: &Pager<P>) -> u64 {
    let regular = pager.iter_allocated_pages().count() as u64;
    pager.page_count() - pager.free_page_count() - regular
}

/// Content that tells which operation wrote it.
fn content<const P: usize>(mark: u8) -> Vec<u8> {
    (0..P).map(|at| (at / 7) as u8 ^ mark).collect()
}

impl<const P: usize> Run<P> {
    /// One operation, which a power cut leaves done or not done at all.
    fn step(
        &mut self,
        durability: Durability,
        operation: impl FnOnce(&mut Self, &mut State) -> Result<()>,
    ) -> Result<()> {
        let mut next = self.states.last().unwrap().clone();
        let number = self.states.len();
        recorder::may_show(number);
        operation(self, &mut next)?;
        next.internal = internal(&self.pager);
        self.states.push(next);
        if durability != Durability::Eventual {
            self.durable = number;
            recorder::must_show(number);
        }
        Ok(())
    }

    fn alloc(&mut self, count: usize) -> Result<()> {
        self.step(Durability::Immediate, |run, state| {
            let pages = match count {
                1 => vec![run.pager.alloc()?],
                _ => run.pager.alloc_bulk(count)?,
            };
            state.regular.extend(pages.iter().map(|page| (page.0, vec![vec![0; P]])));
            run.regular.extend(pages);
            Ok(())
        })
    }

    /// Frees the pages from the `from`-th on.
    fn free(&mut self, from: usize, count: usize) -> Result<()> {
        self.step(Durability::Immediate, |run, state| {
            let pages: Vec<_> = run.regular.drain(from..from + count).collect();
            pages.iter().for_each(|page| drop(state.regular.remove(&page.0)));
            match pages[..] {
                [page] => run.pager.free(page),
                _ => run.pager.free_bulk(pages),
            }
        })
    }

    fn alloc_protected(&mut self, count: usize) -> Result<()> {
        self.step(Durability::Immediate, |run, state| {
            let pages = match count {
                1 => vec![run.pager.alloc_protected()?],
                _ => run.pager.alloc_protected_bulk(count)?,
            };
            state.protected.extend(pages.iter().map(|page| (page.0, vec![0; P])));
            run.protected.extend(pages);
            Ok(())
        })
    }

    fn free_protected(&mut self, from: usize, count: usize) -> Result<()> {
        self.step(Durability::Immediate, |run, state| {
            let pages: Vec<_> = run.protected.drain(from..from + count).collect();
            pages.iter().for_each(|page| drop(state.protected.remove(&page.0)));
            match pages[..] {
                [page] => run.pager.free_protected(page),
                _ => run.pager.free_protected_bulk(pages),
            }
        })
    }

    /// Writes a protected page the way the published crate has it.
    fn write_protected(&mut self, which: usize, mark: u8) -> Result<()> {
        self.step(Durability::Immediate, |run, state| {
            let page = run.protected[which];
            state.protected.insert(page.0, content::<P>(mark));
            let mut writer = page.get_mut(&mut run.pager)?;
            writer.page_mut().as_bytes_mut().copy_from_slice(&content::<P>(mark));
            writer.commit()
        })
    }

    /// One transaction: allocates `new` pages and writes them, writes `old` ones, writes protected ones, and
    /// frees the last regular page when `frees` says so.
    fn transaction(
        &mut self,
        durability: Durability,
        mark: u8,
        new: usize,
        old: &[usize],
        protected: &[usize],
        frees: bool,
    ) -> Result<()> {
        self.step(durability, |run, state| {
            let old: Vec<_> = old.iter().map(|&which| run.regular[which]).collect();
            let protected: Vec<_> = protected.iter().map(|&which| run.protected[which]).collect();
            let freed = if frees { run.regular.pop() } else { None };
            let mut transaction = run.pager.transaction()?;
            if let Some(page) = freed {
                transaction.free(page)?;
                state.regular.remove(&page.0);
            }
            let mut written = old;
            for _ in 0..new {
                let page = transaction.alloc()?;
                written.push(page);
                run.regular.push(page);
            }
            for (number, &page) in written.iter().enumerate() {
                let content = content::<P>(mark ^ number as u8);
                transaction.page_mut(page)?.as_bytes_mut().copy_from_slice(&content);
                state.regular.insert(page.0, vec![content]);
            }
            for &page in &protected {
                let content = content::<P>(mark ^ 0x80);
                transaction.protected_mut(page)?.as_bytes_mut().copy_from_slice(&content);
                state.protected.insert(page.0, content);
            }
            transaction.commit_with(durability)
        })
    }

    /// Stores to a page outside of any transaction.
    fn store(&mut self, which: usize, mark: u8) -> Result<()> {
        let page = self.regular[which];
        let content = content::<P>(mark);
        // It may reach the disk before anything else does.
        for state in &mut self.states[self.durable..] {
            if let Some(contents) = state.regular.get_mut(&page.0) {
                contents.push(content.clone());
            }
        }
        page.get_mut(&mut self.pager)?.as_bytes_mut().copy_from_slice(&content);
        Ok(())
    }

    /// Makes everything durable, also what was stored outside of transactions.
    fn flush(&mut self) -> Result<()> {
        self.step(Durability::Immediate, |run, state| {
            for contents in state.regular.values_mut() {
                contents.drain(..contents.len() - 1);
            }
            run.pager.flush()
        })
    }

    /// What format 1 can carry: no transaction that writes regular pages.
    fn all_of_format_1(&mut self) -> Result<()> {
        self.alloc(1)?;
        self.alloc(1)?;
        self.alloc_protected(1)?;
        self.write_protected(0, 1)?;
        self.alloc(5)?;
        self.free(1, 1)?;
        self.alloc_protected(1)?;
        self.write_protected(1, 2)?;
        self.write_protected(0, 3)?;
        self.free(2, 2)?;
        self.alloc(1)?;
        self.store(0, 4)?;
        self.flush()?;
        self.free_protected(1, 1)?;
        self.alloc_protected(1)?;
        self.write_protected(0, 5)?;
        self.store(0, 6)?;
        self.alloc(20)?;
        self.free(3, 10)?;
        self.write_protected(1, 7)?;
        self.alloc_protected(3)?;
        self.write_protected(2, 8)?;
        self.free_protected(1, 2)?;
        self.write_protected(0, 9)?;
        self.alloc(1)?;
        self.free(0, 1)
    }

    fn all_of_format_2(&mut self) -> Result<()> {
        use Durability::{Barriers, Eventual, Immediate};

        self.alloc(1)?;
        self.alloc(1)?;
        self.alloc_protected(1)?;
        self.write_protected(0, 1)?;
        self.alloc(5)?;
        self.free(1, 1)?;
        self.alloc_protected(1)?;
        self.write_protected(1, 2)?;
        self.write_protected(0, 3)?;
        self.free(2, 2)?;
        self.alloc(1)?;
        self.transaction(Immediate, 4, 1, &[], &[0, 1], false)?;
        self.store(0, 5)?;
        self.flush()?;
        self.transaction(Immediate, 6, 0, &[0, 2], &[], false)?;
        self.store(0, 7)?;
        self.transaction(Immediate, 8, 1, &[1], &[0], true)?;
        self.free_protected(1, 1)?;
        self.alloc_protected(1)?;
        self.alloc(20)?;
        self.free(5, 10)?;
        self.transaction(Eventual, 9, 1, &[], &[1], false)?;
        self.transaction(Eventual, 10, 0, &[2], &[0], true)?;
        self.transaction(Barriers, 11, 1, &[2], &[1], false)?;
        self.alloc_protected(3)?;
        self.free_protected(1, 2)?;
        self.store(1, 12)
    }
}
