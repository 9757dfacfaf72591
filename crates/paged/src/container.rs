//! The container: a paged file that says itself what is in it, and notices damage.
//!
//! The plain layout lies inside unchanged; around it stand a header, checksums of all pages, a
//! table of sections and heaps by name, and a footer. `docs/format/paged.md` has the bytes.

mod checksums;
pub(crate) mod format;
mod parts;
mod pending;
mod read;
mod table;
mod write;

pub use format::{FormatError, HeapItem, Item, ItemKind, MAGIC, SectionItem};
pub use parts::{HeapWriter, SectionWriter};
pub use pending::PendingFile;
pub use read::{Container, OpenError};
pub use table::HeapId;
pub use write::{NO_HEAP, NamedHeap, SectionHeap, Writer};
