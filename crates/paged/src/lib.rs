//! Read-only files of pages: large lists of entries of one size, with fast random reading.
//!
//! A file is written once, front to back, and then only read. Entry *i* of a section is found by
//! arithmetic; what varies in length lies on a heap and the entry says where. There are two forms
//! of the same layout:
//!
//! - The **container** says itself what is in it: sections and heaps by name, what type their
//!   entries have, a checksum for each page. A file that is found is complete.
//! - The **plain form** is pages and nothing else, as `paged` 0.1 writes and reads it. Where the
//!   first page is, and the handles of sections and heaps, are kept in a header of one's own.
//!
//! ```
//! # #[cfg(feature = "derive")] {
//! use paged::container::{Container, Writer};
//! use paged::Paged;
//!
//! #[derive(Paged, Debug, PartialEq)]
//! #[paged(heap)] // has a field that needs a heap
//! struct Word {
//!     text: String,
//!     seen: u32,
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("words.paged");
//! let mut file = Writer::create(&path, 4096)?;
//! let mut texts = file.new_heap("texts")?;
//! let mut words = file.begin_section::<Word>("words", &mut texts)?;
//! for (text, seen) in [("apple", 3), ("pear", 1), ("plum", 7)] {
//!     words.push(&(), &Word { text: text.to_owned(), seen })?;
//! }
//! words.end()?;
//! file.add_heap(texts)?;
//! file.publish()?; // only now there is something at `path`, and it is durable
//!
//! let file = Container::open(&path)?;
//! let words = file.section::<Word>("words")?;
//! assert_eq!(words.get(2)?, Some(Word { text: "plum".to_owned(), seen: 7 }));
//! let found = words.binary_search_by(|word| word.text.as_str().cmp("pear"))?;
//! assert_eq!(found, Ok(1));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The plain form, behind a header of eight bytes that is filled in when the handle is known:
//!
//! ```
//! use std::io::{Cursor, Seek, SeekFrom};
//!
//! use paged::{Encode, Encoder, Heap, Reader};
//!
//! let mut output = Cursor::new(Vec::new());
//! output.seek(SeekFrom::Start(8))?;
//! let mut encoder = Encoder::new(output, 256);
//! let numbers = encoder.section_from_iter(&mut Heap::new(), &[10_u32, 20, 30])?;
//! let mut output = encoder.end()?;
//! output.rewind()?;
//! numbers.encode(&(), &mut output)?;
//!
//! let reader = Reader::new(output.into_inner(), 256, 8)?;
//! let numbers = reader.entries(numbers, None)?;
//! assert_eq!(numbers.get(1)?, Some(20));
//! assert_eq!(numbers.get(3)?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is stored how
//!
//! Numbers are big endian; `bool` and `char` are checked when they are read. `Option` is a tag and
//! as many bytes as its type takes. Arrays, tuples and structs are their parts one after the other,
//! enums a tag and the longest variant. `String`, `Vec`, `BTreeMap` and `BTreeSet` lie on the heap
//! of their section. [`Inline`] is a list or text *inside* a heap, [`Wide`] one on a heap of more
//! than 4 GiB, [`Section`] and [`HeapSection`] are handles and may stand in entries. Types of one's
//! own are [`Paged`](macro@Paged); whatever they need to be told comes as a context `C` to every value.
//!
//! # Limits
//!
//! A file has at most 2^32 pages, a section 2^32 - 1 entries, an entry the length of a page. A heap
//! may be as large as the file; values that `String` and `Vec` refer to start before byte 2^32 of
//! it. What would pass a limit is refused, and nothing is changed. Values that are in each other through
//! [`Inline`] lists or boxes are written and read to a depth of 128.
//!
//! Bytes that are read are not trusted: lengths are checked before anything is allocated by them, and
//! damage is an error, in a container already where a page is loaded.
//!
//! # After a crash
//!
//! A container that [`publish`](container::Writer::publish) has returned for survives power loss;
//! before, nothing is found at its name. The syncing of the plain form is up to the caller, whose
//! output it goes to.
//!
//! # Coming from paged 0.1
//!
//! Files are the same byte for byte where they were right. Ours pads unequal variants of enums,
//! writes both members of a pair, reads lists as they are, and ends with a whole page of zeros as
//! padding. What differs: [`Decode`] reads from an [`Input`] instead of a stream,
//! [`Encoder::begin_section`] and [`Encoder::end`] can fail, and a [`Reader`] has its cache inside.
//!
//! # Features
//!
//! - `derive` (default): `#[derive(Paged)]`.

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
pub use reader::{CACHE_LIMIT_DEFAULT, Entries, HeapReader, Page, Pages, ReadOptions, Reader};
pub use schema::Schema;
pub use section::Section;
pub use source::{FileSource, Source};
pub use traits::{Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized};
pub use values::text::encode_string_on_heap;
pub use values::{Inline, Wide};
pub use view::{View, ViewIter};
pub use write_error::WriteError;
