//! The Merkle tree of a Hypercore: nodes, roots, proofs and what they prove.
//!
//! A [`Tree`] is the head of a log: fork, length and the roots of the tree over its blocks. The
//! other nodes stay wherever the caller keeps them and are found through a [`NodeLookup`]. On that
//! stand appending, truncating, byte offsets and seeks, making proofs and verifying them.
//!
//! This crate refuses to store anything, to sign, or to know a file or a peer: it takes nodes and
//! gives nodes. It does no I/O; a failed lookup is handed through. No input, however hostile, makes
//! it panic, overflow or loop, and a proof costs no more work and memory than its own size times the
//! depth of a tree.
//!
//! ```
//! use std::collections::HashMap;
//! use flat_tree::Index;
//! use hypercore_crypto::{KeyPair, Manifest};
//! use hypercore_merkle::{Authority, BlockRequest, Leaf, Node, Request, Tree, UpgradeRequest};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The writer appends three blocks and signs the tree.
//! let blocks: [&[u8]; 3] = [b"one", b"two", b"three"];
//! let mut tree = Tree::empty(0);
//! let nodes: HashMap<Index, Node> =
//!     tree.append(&Leaf::hash_all(&blocks))?.into_iter().map(|node| (node.index, node)).collect();
//! let pair = KeyPair::from_seed(&[7; 32]);
//! let manifest = Manifest::single(pair.public());
//! let key = manifest.key();
//! let signature = manifest.sign(&key, &pair, &tree.hash(), tree.length(), tree.fork())?;
//!
//! // A reader that knows the key asks for block 1 and everything needed to trust it.
//! let request = Request {
//!     block: Some(BlockRequest { index: 1, nodes: 0 }),
//!     upgrade: Some(UpgradeRequest { start: 0, length: 3 }),
//!     manifest: true,
//!     ..Request::default()
//! };
//! let mut proof = tree.prove(&nodes, &request, Some(&signature), Some(&manifest))?;
//! if let Some(block) = &mut proof.block {
//!     block.value = b"two".as_slice().into();
//! }
//!
//! let stored = HashMap::<Index, Node>::new();
//! let authority = Authority { key: &key, manifest: None };
//! let verified = Tree::empty(0).verify(&stored, &proof, &authority)?;
//! assert_eq!(verified.tree, tree);
//! assert_eq!(verified.block, Some(1));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! - `serde`: `Serialize` and `Deserialize` for nodes, proofs and their parts, as checked
//!   as messages are. Off by default.
#![forbid(unsafe_code)]

mod append;
mod batch;
mod conflict;
mod error;
mod limits;
mod lookup;
mod node;
mod offset;
mod partial;
mod path;
mod proof;
mod prove;
mod reorg;
mod request;
mod seek;
#[cfg(feature = "serde")]
mod serialize;
mod sizes;
mod tree;
mod truncate;
mod verify;

pub use append::Leaf;
pub use conflict::{SignedHead, is_conflict};
pub use error::{AppendError, ProveError, RootsError, TreeError, VerifyError};
pub use limits::{LENGTH_MAX, SIZE_MAX};
pub use lookup::{NodeLookup, Overlay};
pub use node::Node;
pub use path::{Placed, ProvenPath};
pub use proof::{BlockProof, Data, HashProof, Proof, SeekProof, UpgradeProof};
pub use reorg::{Reorg, Want};
pub use request::{BlockRequest, HashRequest, Request, SeekRequest, UpgradeRequest};
pub use seek::Seek;
pub use tree::Tree;
pub use truncate::{RemovedParents, removed_parents};
pub use verify::{Authority, Part, Verified};
