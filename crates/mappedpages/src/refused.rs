//! What does not compile, tested as examples that must fail. (With which error is tested by nightly
//! compilers only, and by others under `RUSTC_BOOTSTRAP=1`.)
//!
//! A reference to a page cannot outlive a call that may move or free pages:
//!
//! ```compile_fail,E0502
//! # fn refused(mut pager: mappedpages::Pager<4096>, id: mappedpages::PageId<4096>) -> Option<()> {
//! let page = id.get(&pager).ok()?;
//! pager.alloc().ok()?;
//! page.as_bytes();
//! # Some(()) }
//! ```
//!
//! ```compile_fail,E0502
//! # fn refused(mut pager: mappedpages::Pager<4096>, id: mappedpages::PageId<4096>) -> Option<()> {
//! let page = id.get(&pager).ok()?;
//! pager.free(id).ok()?;
//! page.as_bytes();
//! # Some(()) }
//! ```
//!
//! ```compile_fail,E0499
//! # fn refused(mut pager: mappedpages::Pager<4096>, id: mappedpages::PageId<4096>) -> Option<()> {
//! let page = id.get_mut(&mut pager).ok()?;
//! pager.flush().ok()?;
//! page.as_bytes_mut().fill(1);
//! # Some(()) }
//! ```
//!
//! ```compile_fail,E0502
//! # fn refused(mut pager: mappedpages::Pager<4096>, id: mappedpages::ProtectedPageId<4096>) -> Option<()> {
//! let page = id.get(&pager).ok()?;
//! id.get_mut(&mut pager).ok()?.commit().ok()?;
//! page.as_bytes();
//! # Some(()) }
//! ```
//!
//! ```compile_fail,E0502
//! # fn refused(mut pager: mappedpages::Pager<4096>, id: mappedpages::PageId<4096>) -> Option<()> {
//! for id in pager.iter_allocated_pages() {
//!     pager.free(id).ok()?;
//! }
//! # Some(()) }
//! ```
//!
//! nor the pager itself:
//!
//! ```compile_fail,E0505
//! # fn refused(pager: mappedpages::Pager<4096>, id: mappedpages::PageId<4096>) -> Option<()> {
//! let page = id.get(&pager).ok()?;
//! pager.close().ok()?;
//! page.as_bytes();
//! # Some(()) }
//! ```
//!
//! ```compile_fail,E0515
//! # use mappedpages::{MappedPage, PageId, Pager};
//! fn page_of(id: PageId<4096>) -> &'static MappedPage {
//!     let pager = Pager::<4096>::open("pages").unwrap();
//!     id.get(&pager).unwrap()
//! }
//! ```
//!
//! nor leave the closure that it was given to:
//!
//! ```compile_fail
//! # fn refused(pager: &mappedpages::SharedPager<4096>, id: mappedpages::PageId<4096>) -> Option<()> {
//! let page = pager.read(|pager| id.get(pager).ok()).ok()??;
//! page.as_bytes();
//! # Some(()) }
//! ```
//!
//! Two pages are not written at once, nor one while another is read (a [`Transaction`](crate::Transaction)
//! changes any number of them):
//!
//! ```compile_fail,E0499
//! # type Id = mappedpages::PageId<4096>;
//! # fn refused(mut pager: mappedpages::Pager<4096>, a: Id, b: Id) -> Option<()> {
//! let one = a.get_mut(&mut pager).ok()?;
//! let other = b.get_mut(&mut pager).ok()?;
//! one.as_bytes_mut().swap_with_slice(other.as_bytes_mut());
//! # Some(()) }
//! ```
//!
//! While a transaction or a writer is open, the pager is theirs:
//!
//! ```compile_fail,E0499
//! # fn refused(mut pager: mappedpages::Pager<4096>) -> Option<()> {
//! let mut transaction = pager.transaction().ok()?;
//! pager.alloc().ok()?;
//! transaction.alloc().ok()?;
//! # Some(()) }
//! ```
//!
//! ```compile_fail,E0382
//! # fn refused(mut pager: mappedpages::Pager<4096>) -> Option<()> {
//! let mut transaction = pager.transaction().ok()?;
//! transaction.commit().ok()?;
//! transaction.alloc().ok()?;
//! # Some(()) }
//! ```
//!
//! An id belongs to one page size, and to one kind of page:
//!
//! ```compile_fail,E0308
//! # fn refused(pager: mappedpages::Pager<4096>, id: mappedpages::PageId<1024>) -> Option<()> {
//! id.get(&pager).ok()?;
//! # Some(()) }
//! ```
//!
//! ```compile_fail,E0308
//! # fn refused(mut pager: mappedpages::Pager<4096>, id: mappedpages::ProtectedPageId<4096>) -> Option<()> {
//! pager.free(id).ok()?;
//! # Some(()) }
//! ```
//!
//! ```compile_fail,E0308
//! # use mappedpages::{PageHandle, SubPageAllocator, SubPageId};
//! # fn refused(sub: SubPageAllocator<4096, 512>, id: SubPageId<4096, 256>) -> Option<()> {
//! id.get(&sub).ok()?;
//! # Some(()) }
//! ```
//!
//! A page size is a power of two and at least 1024:
//!
//! ```compile_fail,E0080
//! mappedpages::Pager::<3000>::create("pages").unwrap();
//! ```
//!
//! ```compile_fail,E0080
//! mappedpages::Pager::<512>::open("pages").unwrap();
//! ```
//!
//! ```compile_fail,E0080
//! let builder = mappedpages::Builder::<0>::new();
//! ```
//!
//! and at most 64 sub-pages, of a power of two, fill a page:
//!
//! ```compile_fail,E0080
//! # fn refused(pager: mappedpages::Pager<4096>) {
//! mappedpages::SubPageAllocator::<4096, 32>::new(pager);
//! # }
//! # fn main() { refused(mappedpages::Pager::open("pages").unwrap()); }
//! ```
//!
//! ```compile_fail,E0080
//! # fn refused(pager: mappedpages::Pager<4096>) {
//! mappedpages::SubPageAllocator::<4096, 4096>::new(pager);
//! # }
//! # fn main() { refused(mappedpages::Pager::open("pages").unwrap()); }
//! ```
//!
//! ```compile_fail,E0080
//! # fn refused(pager: mappedpages::Pager<4096>) {
//! mappedpages::SubPageAllocator::<4096, 300>::new(pager);
//! # }
//! # fn main() { refused(mappedpages::Pager::open("pages").unwrap()); }
//! ```
