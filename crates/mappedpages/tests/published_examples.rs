//! Programs as they are written for the published crate, in its words and signatures: they compile
//! against this one, and do what they did.

use mappedpages::{
    AllocatedPageIter, AllocatedProtectedPageIter, BulkPageAllocator, MappedPage, MappedPageError,
    PageAllocator, PageHandle, PageId, Pager, ProtectedPageId, ProtectedPageWriter,
    SubPageAllocator, SubPageId,
};
use tempfile::TempDir;

type AnyError = Box<dyn std::error::Error>;

#[test]
fn creating_opening_allocating_accessing() -> Result<(), AnyError> {
    let folder = TempDir::new()?;
    let path = folder.path().join("data.bin");
    let id: PageId<4096> = {
        let mut pager = Pager::<4096>::create(&path)?;
        let id = pager.alloc()?;
        {
            let page: &mut MappedPage = id.get_mut(&mut pager)?;
            page.as_bytes_mut().fill(0xab);
        }
        id
    };
    assert!(matches!(Pager::<8192>::open(&path), Err(MappedPageError::InvalidPageSize)));
    let mut pager = Pager::<4096>::open(path.to_str().ok_or("not a text")?)?;
    {
        let page: &MappedPage = id.get(&pager)?;
        assert_eq!(page.as_bytes()[..4], [0xab; 4]);
        assert_eq!((page.len(), page.is_empty()), (4096, false));
    }
    pager.free(id)?;
    assert_eq!((pager.page_size(), pager.page_count(), pager.free_page_count()), (4096, 4, 1));
    Ok(())
}

#[test]
fn protected_pages() -> Result<(), AnyError> {
    let folder = TempDir::new()?;
    let mut pager = Pager::<4096>::create(folder.path().join("data.bin"))?;
    let id: ProtectedPageId<4096> = pager.alloc_protected()?;
    {
        let mut writer: ProtectedPageWriter<'_, 4096> = id.get_mut(&mut pager)?;
        writer.page_mut().as_bytes_mut().fill(0xff);
        writer.commit()?;
    }
    assert_eq!(id.get(&pager)?.as_bytes()[0], 0xff);
    pager.free_protected(id)?;
    Ok(())
}

fn fill_pages<H, const N: usize>(pager: &mut Pager<N>, n: usize) -> Vec<H>
where
    H: PageHandle<Pager<N>>,
    Pager<N>: PageAllocator<H, Error = MappedPageError>,
{
    (0..n).map(|_| PageAllocator::<H>::alloc(pager).unwrap()).collect()
}

fn load_bulk<A, H>(allocator: &mut A, n: usize) -> Vec<H>
where
    H: PageHandle<A>,
    A: BulkPageAllocator<H>,
    A::Error: std::fmt::Debug,
{
    allocator.alloc_bulk(n).unwrap()
}

#[test]
fn generic_code() -> Result<(), AnyError> {
    let folder = TempDir::new()?;
    let mut pager = Pager::<1024>::create(folder.path().join("data.bin"))?;
    let regular: Vec<PageId<1024>> = fill_pages(&mut pager, 3);
    let protected: Vec<ProtectedPageId<1024>> = fill_pages(&mut pager, 2);
    let bulk: Vec<PageId<1024>> = load_bulk(&mut pager, 4);
    assert_eq!(pager.iter_allocated_pages().count(), regular.len() + bulk.len());
    assert_eq!(pager.iter_allocated_protected_pages().count(), protected.len());
    Ok(())
}

/// A handle type of somebody else: the traits can be implemented outside.
#[derive(Clone, Copy)]
struct Whole;

impl PageHandle<Vec<u8>> for Whole {
    type Error = String;
    type Mut<'a> = &'a mut Vec<u8>;

    fn get<'a>(&self, _: &'a Vec<u8>) -> Result<&'a MappedPage, String> {
        Err("no page".to_owned())
    }

    fn get_mut<'a>(&self, allocator: &'a mut Vec<u8>) -> Result<&'a mut Vec<u8>, String> {
        Ok(allocator)
    }
}

impl PageAllocator<Whole> for Vec<u8> {
    type Error = String;

    fn alloc(&mut self) -> Result<Whole, String> {
        self.push(0);
        Ok(Whole)
    }

    fn free(&mut self, _: Whole) -> Result<(), String> {
        self.pop().map(|_| ()).ok_or_else(|| "empty".to_owned())
    }
}

#[test]
fn the_traits_can_be_implemented() {
    let mut bytes = Vec::new();
    let id = bytes.alloc().unwrap();
    id.get_mut(&mut bytes).unwrap().push(1);
    bytes.free(id).unwrap();
    assert_eq!(bytes, [0]);
    assert!(id.get(&bytes).is_err());
}

#[test]
fn sub_pages() -> Result<(), AnyError> {
    let folder = TempDir::new()?;
    let pager = Pager::<4096>::create(folder.path().join("data.bin"))?;
    let mut sub = SubPageAllocator::<4096, 512>::new(pager);
    let id: SubPageId<4096, 512> = sub.alloc()?;
    id.get_mut(&mut sub)?.as_bytes_mut().fill(0xab);
    assert_eq!(id.get(&sub)?.len(), 512);
    assert_eq!(sub.pager().page_count(), 4);
    sub.free(id)?;
    let pager: Pager<4096> = sub.into_pager();
    assert_eq!(pager.free_page_count(), 1);
    Ok(())
}

#[test]
fn bulk_operations_and_iterators() -> Result<(), AnyError> {
    let folder = TempDir::new()?;
    let mut pager = Pager::<4096>::create(folder.path().join("data.bin"))?;
    let ids = pager.alloc_bulk(10)?;
    assert_eq!(ids.len(), 10);
    pager.free_bulk(ids)?;
    let regular = pager.alloc_bulk(3)?;
    let protected = pager.alloc_protected_bulk(2)?;
    let pages: AllocatedPageIter<'_, 4096> = pager.iter_allocated_pages();
    for (id, expected) in pages.zip(&regular) {
        assert_eq!(id, *expected);
        assert_eq!(id.get(&pager)?.as_bytes()[0], 0, "regular page {}", id.0);
    }
    let pages: AllocatedProtectedPageIter<'_, 4096> = pager.iter_allocated_protected_pages();
    for (id, expected) in pages.zip(&protected) {
        assert_eq!(id, *expected);
        assert_eq!(id.get(&pager)?.as_bytes()[0], 0, "protected page {}", id.0);
    }
    pager.free_protected_bulk(protected)?;
    Ok(())
}

#[test]
fn errors() {
    let failure = Pager::<4096>::open("no such file").map(|_| ()).unwrap_err();
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(failure);
    assert!(boxed.source().is_some());
    let kinds = [
        MappedPageError::Io(std::io::Error::other("any")),
        MappedPageError::InvalidPageSize,
        MappedPageError::CorruptSuperblock,
        MappedPageError::CorruptMetadata,
        MappedPageError::OutOfBounds,
        MappedPageError::ReservedPage,
        MappedPageError::DoubleFree,
        MappedPageError::Unavailable,
        MappedPageError::CorruptProtectedDirectory,
        MappedPageError::CorruptDirectoryIndex,
        MappedPageError::DirectoryFull,
    ];
    let texts: std::collections::BTreeSet<_> = kinds.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), kinds.len());
}

#[cfg(feature = "async")]
#[tokio::test]
async fn async_io() -> Result<(), AnyError> {
    let folder = TempDir::new()?;
    let mut pager = Pager::<4096>::create(folder.path().join("data.bin"))?;
    let id = pager.alloc_async().await?;
    {
        let page = id.get_mut(&mut pager)?;
        page.as_bytes_mut().fill(0xab);
    }
    pager.free_async(id).await?;
    let ids = pager.alloc_bulk_async(10).await?;
    pager.free_bulk_async(ids).await?;
    let ids = pager.alloc_protected_bulk_async(5).await?;
    pager.free_protected_bulk_async(ids).await?;
    let id = pager.alloc_protected_async().await?;
    pager.free_protected_async(id).await?;
    Ok(())
}
