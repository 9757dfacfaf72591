//! A sparse paged byte buffer.
//!
//! A [`Pager`] holds pages of one size, made when first written, in a radix tree whose nodes are
//! made only where pages are: page 2^40 alone costs some twenty KiB, and what is absent reads as
//! nothing without being made. It does no I/O of its own, writes nothing back and is not
//! persistent: what is kept after a crash is whatever its owner has stored elsewhere.
//!
//! ```
//! use memory_pager::Pager;
//!
//! let mut pager = Pager::new(1024);
//! pager.write_bytes(2000, b"hello")?; // byte 976 of page 1
//! assert_eq!(pager.byte(2000), Some(b'h'));
//! assert_eq!(pager.byte(0), None); // page 0 was never written
//! assert_eq!(pager.get(1).map(|page| page[976]), Some(b'h'));
//! assert_eq!(pager.dirty().count(), 1);
//! # Ok::<(), memory_pager::PageOutOfRange>(())
//! ```
//!
//! # Arithmetic
//!
//! Byte *i* of pages of *P* bytes is byte `i % P` of page `i / P`.
//!
//! # Coming from memory-pager 0.9
//!
//! All its names are here with their signatures. What differs: `from_file` starts reading at the
//! offset it is given and reports a file that ends early; [`Page::new`] takes the offset from the
//! page's length; [`Iter`] stays cheap to hold when pages are far apart, and [`Pager::pages`]
//! visits only what is present.
//!
//! # Features
//!
//! None.
#![forbid(unsafe_code)]

mod bytes;
mod iter;
mod load;
mod page;
mod pager;
mod tree;

pub use iter::{Dirty, Iter, Pages};
pub use page::Page;
pub use pager::{PageOutOfRange, Pager};
