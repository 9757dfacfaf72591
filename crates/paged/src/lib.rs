//! Read-only files of pages: large lists of entries of one size, with fast random reading.
//!
//! ```
//! use paged::Layout;
//!
//! // Entries of 12 bytes on pages of 256: 21 on each, so entry 100 is the 17th of page 4.
//! let layout = Layout::new(256, 0)?;
//! let section = layout.section(0, 995, 12)?;
//! assert_eq!(section.page_of_entry(100), (4, 16));
//! assert_eq!(section.entry_offset(100), Some(4 * 256 + 16 * 12));
//! # Ok::<(), paged::LayoutError>(())
//! ```

mod cache;
pub mod container;
#[doc(hidden)]
pub mod derive;
mod encoder;
pub mod heap;
mod input;
mod iterate;
mod layout;
mod map;
mod read_error;
mod reader;
pub mod schema;
mod search;
pub mod section;
mod source;
mod traits;
mod values;
mod view;
mod write_error;

pub use encoder::Encoder;
pub use heap::{Heap, HeapSection};
pub use input::{HeapBytes, Input};
pub use iterate::Iter;
pub use layout::{Layout, LayoutError, PAGE_COUNT_MAX, SectionLayout};
pub use map::Map;
#[cfg(feature = "derive")]
pub use paged_derive::Paged;
pub use read_error::ReadError;
pub use reader::{
    CACHE_LIMIT_DEFAULT, Entries, HeapReader, Page, Pages, ReadOptions, Reader,
};
pub use schema::Schema;
pub use section::Section;
pub use source::{FileSource, Source};
pub use traits::{Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized};
pub use values::text::encode_string_on_heap;
pub use values::{Inline, Wide};
pub use view::{View, ViewIter};
pub use write_error::WriteError;
