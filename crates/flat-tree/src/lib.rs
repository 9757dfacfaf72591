//! In-order numbering of an infinite binary tree, as arithmetic on `u64`.
//!
//! Leaves are even, parents odd; block `i` is leaf `2 * i`:
//!
//! ```text
//! depth 3:                 7
//! depth 2:        3                 11
//! depth 1:    1       5         9         13
//! depth 0:  0   2   4   6     8   10    12   14
//! block:    0   1   2   3     4   5     6    7
//! ```
//!
//! A log of any length keeps its node numbers as it grows, which is why Hypercore numbers its
//! Merkle tree this way. This crate knows numbers only: no hashes, no sizes, no storage.
//!
//! ```
//! use flat_tree::{Index, full_roots, patch};
//!
//! let leaf = Index::leaf(2).ok_or("no such leaf")?;
//! assert_eq!(leaf.get(), 4);
//! assert_eq!(leaf.parent().map(Index::get), Some(5));
//!
//! // The complete trees that cover 19 blocks, and what 20 blocks need beyond 19.
//! assert_eq!(full_roots(19).map(Index::get).collect::<Vec<_>>(), [15, 33, 36]);
//! assert_eq!(patch(19, 20).map(Index::get).collect::<Vec<_>>(), [38, 37, 35]);
//! # Ok::<(), &'static str>(())
//! ```
//!
//! No allocation, no I/O, and no panic or overflow for any `u64`: an index that has no answer (the
//! right sibling of the highest node) is `None`, and the few results that saturate say so.
//!
//! # Features
//! None. The crate is `no_std`.
//!
//! # Source
//! formats.md section 1. The package `flat-tree` 1.13.0 numbers nodes the same way; it takes
//! doubled lengths where this crate takes block counts, and so does [`Cursor::full_root`].
#![no_std]
#![forbid(unsafe_code)]

mod cursor;
mod index;
mod patch;
mod roots;

pub use cursor::Cursor;
pub use index::{Depth, Index};
pub use patch::{Patch, patch};
pub use roots::{FullRoots, LENGTH_MAX, full_roots};
