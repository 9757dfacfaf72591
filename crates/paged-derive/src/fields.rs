//! The code for the fields of a struct or of a variant.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Fields, Ident, Index, Path, Result, Type};

use crate::attributes::name_of;

/// Where values of the fields are written to, or read from.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// In a section, what varies on a heap.
    OnHeap,
    /// On a heap.
    Alone,
}

/// The fields of a struct or of a variant.
pub(crate) struct FieldList<'a> {
    pub(crate) fields: &'a Fields,
    pub(crate) paged: &'a Path,
}

impl<'a> FieldList<'a> {
    pub(crate) fn types(&self) -> impl Iterator<Item = &'a Type> {
        self.fields.iter().map(|field| &field.ty)
    }

    /// `{ name: __field_0, .. }`, so that no name of a field hides one of ours.
    pub(crate) fn pattern(&self) -> TokenStream {
        let bindings = self.fields.iter().enumerate().map(|(index, field)| {
            let member = member(field.ident.as_ref(), index, field.span());
            let binding = binding(index);
            quote!(#member: #binding)
        });
        quote!({ #(#bindings),* })
    }

    /// An expression: bytes of the fields.
    pub(crate) fn size(&self) -> TokenStream {
        let paged = self.paged;
        let sizes = self
            .types()
            .map(|field| quote_spanned!(at(field)=> <#field as #paged::EncodeSized>::ENCODED_SIZE));
        quote!(#paged::derive::sum(&[#(#sizes),*]))
    }

    /// An expression: bytes of the fields if those are always the same.
    pub(crate) fn fixed_size(&self, context: &Ident) -> TokenStream {
        let paged = self.paged;
        let sizes = self.types().map(
            |field| quote_spanned!(at(field)=> <#field as #paged::Decode<#context>>::FIXED_SIZE),
        );
        quote!(#paged::derive::fixed_sum(&[#(#sizes),*]))
    }

    /// Statements that write the fields and add to `len`; they are bound as in [`Self::pattern`].
    pub(crate) fn encode(&self, form: Form, context: &Ident) -> TokenStream {
        let paged = self.paged;
        let statements = self.types().enumerate().map(|(index, field)| {
            let value = binding(index);
            let written = match form {
                Form::OnHeap => quote_spanned!(at(field)=>
                    <#field as #paged::EncodeOnHeap<#context>>::encode_on_heap(
                        #value, context, heap, output,
                    )?
                ),
                Form::Alone => quote_spanned!(at(field)=>
                    <#field as #paged::Encode<#context>>::encode(#value, context, output)?
                ),
            };
            quote!(let len = #paged::derive::add(len, #written)?;)
        });
        quote!(#(#statements)*)
    }

    /// `{ name: value, .. }` with values that are read from `input`.
    pub(crate) fn decode(&self, form: Form, context: &Ident) -> TokenStream {
        let paged = self.paged;
        let values = self.fields.iter().enumerate().map(|(index, field)| {
            let member = member(field.ident.as_ref(), index, field.span());
            let field = &field.ty;
            match form {
                Form::OnHeap => quote_spanned!(at(field)=>
                    #member: <#field as #paged::DecodeFromHeap<#context>>::decode_from_heap(
                        input, context, heap,
                    )?
                ),
                Form::Alone => quote_spanned!(at(field)=>
                    #member: <#field as #paged::Decode<#context>>::decode(input, context)?
                ),
            }
        });
        quote!({ #(#values),* })
    }

    /// An expression: what the fields look like in a description of the type.
    pub(crate) fn describe(&self) -> Result<TokenStream> {
        let paged = self.paged;
        let mut described = Vec::new();
        for field in self.fields {
            let name = match (name_of(&field.attrs)?, &field.ident) {
                (Some(name), _) => quote!(::core::option::Option::Some(#name)),
                (None, Some(ident)) => {
                    let name = plain_name(ident);
                    quote!(::core::option::Option::Some(#name))
                }
                (None, None) => quote!(::core::option::Option::None),
            };
            let field = &field.ty;
            described.push(quote_spanned!(at(field)=>
                (#name, <#field as #paged::Schema>::describe as fn(&mut #paged::schema::Description))
            ));
        }
        Ok(quote!(&[#(#described),*]))
    }
}

/// The name of a field or variant in a description.
pub(crate) fn plain_name(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or(name.clone(), ToOwned::to_owned)
}

/// Where errors about a field are shown. Names mean what they mean elsewhere in the generated code,
/// also where the field was written by another macro.
fn at(field: &Type) -> Span {
    Span::call_site().located_at(field.span())
}

fn binding(index: usize) -> Ident {
    format_ident!("__field_{index}")
}

fn member(name: Option<&Ident>, index: usize, span: Span) -> TokenStream {
    match (name, u32::try_from(index)) {
        (Some(name), _) => name.to_token_stream(),
        (None, Ok(index)) => Index { index, span }.to_token_stream(),
        (None, Err(_)) => quote_spanned!(span=> compile_error!("too many fields")),
    }
}
