//! Page files in memory; edits of them whose checksums are put right; and what must hold of whatever opens.
//!
//! Checksums guard everything that says where pages are, so bytes that a fuzzer changed would hardly ever be believed.

mod seal;

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mappedpages::{Format, MappedPageError, Medium, PageId, Pager, ProtectedPageId};

use crate::script::Script;

/// Bytes of a page of every file here.
pub const PAGE_LEN: usize = 1024;

/// Bytes that opening a page file may allocate whatever is stored.
pub const PAGES_CONSTANT: usize = 256 * 1024;

/// A page file in memory, which outlives the pager that has it open.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Vec<u8>>>);

/// The longest file that may be asked for: much longer than any here.
const LEN_MAX: u64 = 1 << 24;

impl Memory {
    /// A file with these bytes.
    #[must_use]
    pub fn with(bytes: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(bytes.to_vec())))
    }

    /// What is in the file now.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.locked(|bytes| bytes.clone())
    }

    /// Opens it.
    ///
    /// # Errors
    /// What the pager says about it.
    pub fn open(&self) -> Result<Pager<PAGE_LEN>, MappedPageError> {
        Pager::builder().open_on(Arc::new(self.clone()))
    }

    fn create(&self, format: Format) -> Pager<PAGE_LEN> {
        let pager = Pager::builder().format(format).create_on(Arc::new(self.clone()));
        pager.expect("memory holds four pages")
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Medium for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.locked(|bytes| bytes.len() as u64))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.locked(|bytes| {
            let end = start.checked_add(into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            into.copy_from_slice(bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, offset: u64, written: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).expect("inside the length");
        self.locked(|bytes| bytes[start..start + written.len()].copy_from_slice(written));
        Ok(())
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        if len > LEN_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let len = usize::try_from(len).expect("a short file");
        self.locked(|bytes| bytes.resize(bytes.len().max(len), 0));
        Ok(())
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        self.locked(|bytes| bytes.truncate(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Does a little of everything with a new file.
fn write_all(pager: &mut Pager<PAGE_LEN>) -> Result<(), MappedPageError> {
    let pages = pager.alloc_bulk(9)?;
    let protected = pager.alloc_protected_bulk(3)?;
    pages[2].get_mut(pager)?.as_bytes_mut().fill(2);
    for (id, byte) in protected.iter().zip(1..) {
        let mut writer = id.get_mut(pager)?;
        writer.page_mut().as_bytes_mut().fill(byte);
        writer.commit()?;
    }
    pager.free(pages[4])?;
    pager.free_protected(protected[1])?;
    pager.flush()
}

/// As [`write_all`], and pages that a transaction wrote.
fn write_pages(pager: &mut Pager<PAGE_LEN>) -> Result<(), MappedPageError> {
    write_all(pager)?;
    let page = pager.iter_allocated_pages().next().expect("a page");
    for byte in 1..4 {
        let mut transaction = pager.transaction()?;
        let new = transaction.alloc()?;
        transaction.page_mut(new)?.as_bytes_mut().fill(byte);
        transaction.page_mut(page)?.as_bytes_mut().fill(byte);
        transaction.commit()?;
    }
    Ok(())
}

/// More protected pages than one page of the directory describes, and more pages than the metadata pages do.
fn write_many(pager: &mut Pager<PAGE_LEN>) -> Result<(), MappedPageError> {
    pager.alloc_protected_bulk(50)?;
    pager.alloc_bulk(2100).map(drop)
}

/// How a recorded file is made.
type Recipe = (Format, fn(&mut Pager<PAGE_LEN>) -> Result<(), MappedPageError>, bool);

/// Files to start from.
pub fn recorded_pages() -> &'static [Vec<u8>; 8] {
    static RECORDED: OnceLock<[Vec<u8>; 8]> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let recipes: [Recipe; 8] = [
            (Format::Two, |_| Ok(()), true),
            (Format::Two, write_all, true),
            (Format::Two, write_all, false),
            (Format::Two, write_pages, false),
            (Format::Two, write_many, true),
            (Format::One, |_| Ok(()), true),
            (Format::One, write_all, true),
            (Format::One, |pager| pager.alloc_protected_bulk(40).map(drop), true),
        ];
        recipes.map(|(format, write, is_closed)| {
            let memory = Memory::default();
            let mut pager = memory.create(format);
            write(&mut pager).expect("memory does not fail");
            // What a kill would leave.
            let killed = memory.bytes();
            pager.close().expect("memory syncs");
            if is_closed { memory.bytes() } else { killed }
        })
    })
}

/// Numbers that page files are full of, or should not be.
const NUMBERS: [u64; 12] = [0, 1, 2, 3, 4, 5, 7, 8, 16, 1 << 32, u64::MAX, u64::MAX - 1];

/// Edits a recorded file, and puts its checksums right unless the script says otherwise.
pub fn edited_pages(script: &mut Script<'_>) -> Vec<u8> {
    let mut file = recorded_pages()[script.below(8)].clone();
    let leaves_checksums = script.byte() % 8 == 7;
    for _ in 0..=script.byte() % 6 {
        edit(&mut file, script);
    }
    if !leaves_checksums {
        seal::all(&mut file);
    }
    file
}

fn edit(file: &mut Vec<u8>, script: &mut Script<'_>) {
    let pages = file.len().div_ceil(PAGE_LEN);
    // Most of what is interesting is in the first pages.
    let page = match script.byte() {
        near @ 0..=159 => usize::from(near % 16),
        _ => script.below(pages),
    };
    let at = (page * PAGE_LEN + script.below(PAGE_LEN)).min(file.len());
    let other = page.wrapping_add(script.below(8)) % pages.max(1) * PAGE_LEN;
    match script.byte() % 8 {
        0 | 1 => put(file, at / 8 * 8, &NUMBERS[script.below(NUMBERS.len())].to_le_bytes()),
        2 => put(file, at / 8 * 8, &script.number().to_le_bytes()),
        3 => put(file, at, &[script.byte()]),
        4 => {
            let len = usize::from(script.byte() % 32);
            put(file, at, script.take(len));
        }
        5 => {
            let copy: Vec<u8> = file.iter().skip(page * PAGE_LEN).take(PAGE_LEN).copied().collect();
            put(file, other, &copy);
        }
        6 => file.truncate(at),
        _ => put(file, page * PAGE_LEN + 512 * script.below(2), &[0; 512]),
    }
}

/// As much of `bytes` as there is room for.
fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    for (slot, byte) in file.iter_mut().skip(at).zip(bytes) {
        *slot = *byte;
    }
}

/// All that a pager shows: pages and protected pages, with their bytes.
type Shown = [Vec<(u64, Vec<u8>)>; 2];

/// Reads everything; `None` when something cannot be read.
fn shown(pager: &Pager<PAGE_LEN>) -> Option<Shown> {
    let regular: Vec<PageId<PAGE_LEN>> = pager.iter_allocated_pages().collect();
    let protected: Vec<ProtectedPageId<PAGE_LEN>> =
        pager.iter_allocated_protected_pages().collect();
    let regular = regular.iter().map(|id| Some((id.0, id.get(pager).ok()?.as_bytes().to_vec())));
    let protected =
        protected.iter().map(|id| Some((id.0, id.get(pager).ok()?.as_bytes().to_vec())));
    Some([regular.collect::<Option<_>>()?, protected.collect::<Option<_>>()?])
}

/// Uses a pager that opened: no call may panic; and where `check()` finds nothing wrong, what is taken is nobody's, and all
/// that was there is there after the next open.
///
/// # Panics
/// When something of that does not hold.
pub fn use_pages(memory: &Memory, mut pager: Pager<PAGE_LEN>) {
    let is_clean = pager.check().is_ok_and(|report| report.is_clean());
    let before = shown(&pager);
    assert!(before.is_some() || !is_clean, "check() finds nothing, and a page cannot be read");
    let changed = change(&mut pager);
    if !is_clean {
        _ = shown(&pager);
        _ = pager.close();
        _ = memory.open().map(|pager| shown(&pager));
        return;
    }
    let [regular, protected] = before.expect("all was read");
    let (pages, id) = match changed {
        Ok(changed) => changed,
        // A file of format 1 may be full.
        Err(MappedPageError::Full | MappedPageError::DirectoryFull) => return,
        Err(error) => panic!("check() finds nothing, and a change gives {error:?}"),
    };
    for page in &pages {
        assert!(regular.iter().all(|(known, _)| *known != page.0), "page {} taken twice", page.0);
    }
    assert!(protected.iter().all(|(known, _)| *known != id.0), "{id:?} taken twice");
    pager.free_bulk(pages).expect("its own pages");
    pager.free_protected(id).expect("its own page");
    pager.close().expect("memory syncs");
    let mut pager = memory.open().expect("it was closed well");
    assert_eq!(shown(&pager), Some([regular, protected]));
    assert!(pager.check().expect("memory can be read").is_clean());
}

/// What [`change`] took.
type Taken = (Vec<PageId<PAGE_LEN>>, ProtectedPageId<PAGE_LEN>);

fn change(pager: &mut Pager<PAGE_LEN>) -> Result<Taken, MappedPageError> {
    let pages = pager.alloc_bulk(3)?;
    for page in &pages {
        page.get_mut(pager)?.as_bytes_mut().fill(0xee);
    }
    let id = pager.alloc_protected()?;
    let mut writer = id.get_mut(pager)?;
    writer.page_mut().as_bytes_mut().fill(0xdd);
    writer.commit()?;
    pager.flush()?;
    Ok((pages, id))
}
