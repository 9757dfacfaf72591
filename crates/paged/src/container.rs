//! The container: a paged file that says itself what is in it, and notices damage.
//!
//! The plain layout lies inside unchanged; around it stand a header, checksums of all pages, a
//! table of sections and heaps by name, and a footer. `docs/format/paged.md` has the bytes.

mod format;

pub use format::{FormatError, HeapItem, Item, ItemKind, SectionItem};
