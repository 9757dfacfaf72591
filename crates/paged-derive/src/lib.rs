//! `#[derive(Paged)]`: how a struct or enum is stored in a section of a paged file.
use proc_macro::TokenStream;
use quote::quote;

/// Stores a struct as its fields one after the other, an enum as the position of its variant in
/// one byte, then the fields.
#[proc_macro_derive(Paged, attributes(paged))]
pub fn paged(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    let _ = input;
    quote!(compile_error!("being built");).into()
}
