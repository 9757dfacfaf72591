//! `#[derive(Paged)]`: how a struct or enum of one's own is stored in a paged file.
//!
//! A struct is its fields one after the other; an enum is the position of its variant in one byte,
//! then that variant's fields, then zeros up to the size of the longest one. The macro implements
//! the traits of the crate `paged`: `EncodeSized`, `EncodeOnHeap` and `DecodeFromHeap` for entries
//! of sections, `Encode` and `Decode` for values on heaps, and `Schema`.
//!
//! ```
//! use paged::{EncodeSized, Paged};
//!
//! #[derive(Paged)]
//! #[paged(heap)] // has a field that needs a heap
//! struct Word {
//!     text: String,
//!     shape: Shape,
//! }
//!
//! #[derive(Paged)]
//! enum Shape {
//!     Dot,
//!     Line(u32),
//!     Box { width: u32, height: u32 },
//! }
//!
//! assert_eq!(Shape::ENCODED_SIZE, 1 + 8);
//! assert_eq!(Word::ENCODED_SIZE, 8 + 9);
//! assert_eq!(
//!     paged::schema::type_text::<Word>(),
//!     "{text:string,shape:enum{Dot,Line(u32),Box{width:u32,height:u32}}}",
//! );
//! ```
//!
//! What can stand in `#[paged(...)]` is said at [`Paged`](macro@Paged).
#![forbid(unsafe_code)]

mod attributes;
mod fields;
mod generate;

use proc_macro::TokenStream;

/// Stores a struct as its fields one after the other, an enum as the position of its variant in
/// one byte and then the fields of that variant.
///
/// # Attributes of a type, in `#[paged(...)]`
///
/// | attribute | meaning |
/// |---|---|
/// | `heap` | has fields that need a heap: no `Encode` and `Decode` |
/// | `unsized` | values differ in size: only `Encode`, `Decode` and `Schema`; an enum is not padded |
/// | `encode_only` | nothing is decoded, for types that borrow |
/// | `no_schema` | has fields without a `Schema`: fit for the plain form only |
/// | `context(C: Bound)` | values need a context: `C` may be a parameter of the type |
/// | `bounds(T: Bound, ...)` | what parameters of the type must be able to do, in all but `Schema` |
/// | `encode_sized_bounds(...)`, `encode_bounds(...)`, `decode_bounds(...)`, `schema_bounds(...)` | the same for some of the traits |
/// | `crate = path` | where the crate `paged` is, instead of `::paged` |
///
/// Without bounds of its own a trait is implemented where the fields implement it.
///
/// # Attributes of a field or variant
///
/// `#[paged(name = "old")]`: the name it has in the `Schema`, to keep over a rename.
#[proc_macro_derive(Paged, attributes(paged))]
pub fn paged(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    generate::paged(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
