//! Transactions on a medium that is nearly full: what journals and freed pages keep is given back before one is
//! refused for good.

use std::io;
use std::sync::Arc;

use mappedpages::{Durability, MappedPageError, Medium, MemoryMedium, PageId, Pager, SharedPager};

const P: usize = 1024;

/// A medium of so many pages and no more.
#[derive(Debug)]
struct Small {
    medium: MemoryMedium,
    page_count: u64,
}

impl Medium for Small {
    fn len(&self) -> io::Result<u64> {
        self.medium.len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.medium.read_at(offset, into)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.medium.write_at(offset, bytes)
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        if len > self.page_count * P as u64 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.medium.grow(len)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.medium.cut(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.medium.sync()
    }
}

fn pager(page_count: u64) -> Pager<P> {
    let medium = Small { medium: MemoryMedium::new(), page_count };
    Pager::builder().create_on(Arc::new(medium)).unwrap()
}

fn rewrite(pager: &mut Pager<P>, page: PageId<P>, byte: u8) -> Result<(), MappedPageError> {
    let mut transaction = pager.transaction()?;
    transaction.page_mut(page)?.as_bytes_mut().fill(byte);
    transaction.commit()
}

/// Every journal takes two pages: there is room for the one, two or three that are kept at a time.
#[test]
fn a_transaction_after_one_that_was_refused_has_the_room_of_journals() {
    for page_count in 6..11 {
        let mut pager = pager(page_count);
        let page = pager.alloc().unwrap();
        for byte in 0..20 {
            let refused = match rewrite(&mut pager, page, byte) {
                Err(MappedPageError::Full) => rewrite(&mut pager, page, byte),
                done => done,
            };
            refused.unwrap_or_else(|error| panic!("{page_count} pages, {byte}: {error}"));
            assert_eq!(page.get(&pager).unwrap().as_bytes(), [byte; P]);
        }
        assert!(pager.check().unwrap().is_clean());
    }
}

#[test]
fn a_transaction_after_one_that_was_refused_has_the_room_of_freed_pages() {
    let mut pager = pager(16);
    let pages = pager.alloc_bulk(13).unwrap();
    pager.set_durability(Durability::Eventual);
    pager.free_bulk(pages).unwrap();
    assert!(matches!(pager.transaction().unwrap().alloc_bulk(13), Err(MappedPageError::Full)));
    let mut transaction = pager.transaction().unwrap();
    assert_eq!(transaction.alloc_bulk(13).unwrap().len(), 13);
    assert!(matches!(transaction.alloc(), Err(MappedPageError::Full)));
    transaction.commit().unwrap();
    // Nothing is left that could make room.
    for _ in 0..2 {
        assert!(matches!(pager.transaction().unwrap().alloc(), Err(MappedPageError::Full)));
    }
}

#[test]
fn a_shared_pager_has_it_too() {
    let mut pager = pager(7);
    let page = pager.alloc().unwrap();
    let shared = SharedPager::new(pager);
    for byte in 0..20 {
        let write = || {
            shared.write::<(), MappedPageError>(|transaction| {
                transaction.page_mut(page)?.as_bytes_mut().fill(byte);
                Ok(())
            })
        };
        match write() {
            Err(MappedPageError::Full) => write().unwrap(),
            done => done.unwrap(),
        }
        let shown = shared.read(|pager| page.get(pager).unwrap().as_bytes().to_vec());
        assert_eq!(shown.unwrap(), [byte; P]);
    }
}
