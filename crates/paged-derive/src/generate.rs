//! The implementations.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::visit::Visit;
use syn::{
    Data, DeriveInput, Error, Generics, Ident, Path, Result, Type, TypeParam, WherePredicate,
    parse_quote,
};

use crate::attributes::{Bounds, TypeAttributes, name_of};
use crate::fields::{FieldList, Form, plain_name};

/// Variants that one byte can tell apart.
const VARIANT_COUNT_MAX: usize = 256;

/// All that `#[derive(Paged)]` stands for.
pub(crate) fn paged(input: &DeriveInput) -> Result<TokenStream> {
    let attributes = TypeAttributes::of(&input.attrs)?;
    let paged = attributes.krate.clone().unwrap_or_else(|| parse_quote!(::paged));
    let shape = Shape::of(input, &paged)?;
    Implementation::new(input, &attributes, &paged, &shape).all()
}

/// A struct or an enum.
enum Shape<'a> {
    Struct(FieldList<'a>),
    Enum(Vec<Variant<'a>>),
}

struct Variant<'a> {
    ident: &'a Ident,
    /// The name that an attribute gives it.
    name: Option<String>,
    tag: u8,
    fields: FieldList<'a>,
}

impl<'a> Shape<'a> {
    fn of(input: &'a DeriveInput, paged: &'a Path) -> Result<Self> {
        let data = match &input.data {
            Data::Struct(data) => {
                return Ok(Self::Struct(FieldList { fields: &data.fields, paged }));
            }
            Data::Enum(data) => data,
            Data::Union(data) => {
                let text = "a union does not say which of its fields is stored";
                return Err(Error::new(data.union_token.span, text));
            }
        };
        if data.variants.is_empty() {
            let text = "an enum without variants has no values that could be stored";
            return Err(Error::new_spanned(&input.ident, text));
        }
        if data.variants.len() > VARIANT_COUNT_MAX {
            let text = "one byte tells variants apart: an enum has at most 256 of them";
            return Err(Error::new_spanned(&input.ident, text));
        }
        let variants = data.variants.iter().zip(0..=u8::MAX).map(|(variant, tag)| {
            let fields = FieldList { fields: &variant.fields, paged };
            Ok(Variant { ident: &variant.ident, name: name_of(&variant.attrs)?, tag, fields })
        });
        variants.collect::<Result<_>>().map(Self::Enum)
    }

    fn field_types(&self) -> Vec<&'a Type> {
        match self {
            Self::Struct(fields) => fields.types().collect(),
            Self::Enum(variants) => {
                variants.iter().flat_map(|variant| variant.fields.types()).collect()
            }
        }
    }
}

/// Everything the implementations have in common.
struct Implementation<'a> {
    input: &'a DeriveInput,
    attributes: &'a TypeAttributes,
    paged: &'a Path,
    shape: &'a Shape<'a>,
    /// The name of the context.
    context: Ident,
    /// The context where it is a parameter of the implementations.
    context_parameter: Option<TypeParam>,
    /// What the context can do where it is a parameter of the type.
    context_bound: Option<WherePredicate>,
}

impl<'a> Implementation<'a> {
    fn new(
        input: &'a DeriveInput,
        attributes: &'a TypeAttributes,
        paged: &'a Path,
        shape: &'a Shape<'a>,
    ) -> Self {
        let (context, context_parameter, context_bound) = match &attributes.context {
            None => {
                let context = format_ident!("__Context");
                (context.clone(), Some(parse_quote!(#context)), None)
            }
            Some(parameter) => {
                let context = parameter.ident.clone();
                if input.generics.type_params().any(|known| known.ident == context) {
                    let bounds = &parameter.bounds;
                    let bound = (!bounds.is_empty()).then(|| parse_quote!(#context: #bounds));
                    (context, None, bound)
                } else {
                    (context, Some(parameter.clone()), None)
                }
            }
        };
        Self { input, attributes, paged, shape, context, context_parameter, context_bound }
    }

    fn all(&self) -> Result<TokenStream> {
        let TypeAttributes { heap, is_unsized, encode_only, no_schema, .. } = self.attributes;
        let mut tokens = TokenStream::new();
        if !is_unsized {
            tokens.extend(self.encode_sized());
            tokens.extend(self.encode(Form::OnHeap));
            if !encode_only {
                tokens.extend(self.decode(Form::OnHeap));
            }
        }
        if !heap {
            tokens.extend(self.encode(Form::Alone));
            if !encode_only {
                tokens.extend(self.decode(Form::Alone));
            }
        }
        if !no_schema {
            tokens.extend(self.schema()?);
        }
        Ok(tokens)
    }

    /// `impl` up to its opening brace. Where no bounds were given, each field whose type depends
    /// on a parameter has to implement `of_fields`.
    fn head(
        &self,
        name: &TokenStream,
        with_context: bool,
        bounds: &Bounds,
        of_fields: &TokenStream,
    ) -> TokenStream {
        let mut generics = self.input.generics.clone();
        if let (true, Some(parameter)) = (with_context, &self.context_parameter) {
            generics.params.push(syn::GenericParam::Type(parameter.clone()));
        }
        let predicates = &mut generics.make_where_clause().predicates;
        match bounds {
            Some(bounds) => predicates.extend(bounds.iter().cloned()),
            None => {
                let depending = self
                    .shape
                    .field_types()
                    .into_iter()
                    .filter(|field| depends_on(field, &self.input.generics));
                predicates.extend(
                    depending.map(|field| -> WherePredicate { parse_quote!(#field: #of_fields) }),
                );
            }
        }
        predicates.extend(self.context_bound.clone());
        let (parameters, _, where_clause) = generics.split_for_impl();
        let (_, arguments, _) = self.input.generics.split_for_impl();
        let ident = &self.input.ident;
        quote! {
            #[automatically_derived]
            impl #parameters #name for #ident #arguments #where_clause
        }
    }

    fn encode_sized(&self) -> TokenStream {
        let paged = self.paged;
        let size = match self.shape {
            Shape::Struct(fields) => fields.size(),
            Shape::Enum(variants) => {
                let sizes = variants.iter().map(|variant| variant.fields.size());
                quote!(#paged::derive::sum(&[1, #paged::derive::max(&[#(#sizes),*])]))
            }
        };
        let name = quote!(#paged::EncodeSized);
        let head = self.head(&name, false, &self.attributes.encode_sized_bounds, &name);
        quote! {
            #head {
                const ENCODED_SIZE: u32 = #size;
            }
        }
    }

    fn encode(&self, form: Form) -> TokenStream {
        let (paged, context) = (self.paged, &self.context);
        let body = match self.shape {
            Shape::Struct(fields) => {
                let (pattern, write) = (fields.pattern(), fields.encode(form, context));
                quote! {
                    let Self #pattern = self;
                    let len = 0_u32;
                    #write
                    ::core::result::Result::Ok(len)
                }
            }
            Shape::Enum(variants) => {
                let cases = variants.iter().map(|Variant { ident, tag, fields, .. }| {
                    let (pattern, write) = (fields.pattern(), fields.encode(form, context));
                    let padding = self.padding(fields);
                    let pad = (!self.attributes.is_unsized).then(|| {
                        quote! {
                            let len = #paged::derive::add(
                                len,
                                #paged::derive::pad(output, #padding)?,
                            )?;
                        }
                    });
                    quote! {
                        Self::#ident #pattern => {
                            let len = <u8 as #paged::Encode<#context>>::encode(
                                &#tag, context, output,
                            )?;
                            #write
                            #pad
                            ::core::result::Result::Ok(len)
                        }
                    }
                });
                quote!(match self { #(#cases)* })
            }
        };
        let bounds = &self.attributes.encode_bounds;
        match form {
            Form::OnHeap => {
                let name = quote!(#paged::EncodeOnHeap<#context>);
                let head = self.head(&name, true, bounds, &name);
                quote! {
                    #head {
                        #[inline]
                        #[allow(unused_variables, reason = "a type may have no fields")]
                        fn encode_on_heap(
                            &self,
                            context: &#context,
                            heap: &mut #paged::Heap,
                            output: &mut impl ::std::io::Write,
                        ) -> ::std::io::Result<u32> {
                            #body
                        }
                    }
                }
            }
            Form::Alone => {
                let name = quote!(#paged::Encode<#context>);
                let of_fields = self.and_sized(&name);
                let head = self.head(&name, true, bounds, &of_fields);
                quote! {
                    #head {
                        #[inline]
                        #[allow(unused_variables, reason = "a type may have no fields")]
                        fn encode(
                            &self,
                            context: &#context,
                            output: &mut impl ::std::io::Write,
                        ) -> ::std::io::Result<u32> {
                            #body
                        }
                    }
                }
            }
        }
    }

    fn decode(&self, form: Form) -> TokenStream {
        let (paged, context) = (self.paged, &self.context);
        let body = match self.shape {
            Shape::Struct(fields) => {
                let values = fields.decode(form, context);
                quote!(::core::result::Result::Ok(Self #values))
            }
            Shape::Enum(variants) => {
                let cases = variants.iter().map(|Variant { ident, tag, fields, .. }| {
                    let values = fields.decode(form, context);
                    let padding = self.padding(fields);
                    let skip = (!self.attributes.is_unsized)
                        .then(|| quote!(#paged::Input::skip(input, #padding)?;));
                    quote! {
                        [#tag] => {
                            let value = Self::#ident #values;
                            #skip
                            ::core::result::Result::Ok(value)
                        }
                    }
                });
                let what = format!("a tag that no variant of `{}` has", self.input.ident);
                quote! {
                    #[allow(unreachable_patterns, reason = "all tags may be taken")]
                    match #paged::Input::array::<1>(input)? {
                        #(#cases)*
                        _ => ::core::result::Result::Err(
                            #paged::ReadError::Invalid { what: #what },
                        ),
                    }
                }
            }
        };
        let bounds = &self.attributes.decode_bounds;
        match form {
            Form::OnHeap => {
                let name = quote!(#paged::DecodeFromHeap<#context>);
                let of_fields = self.and_sized(&name);
                let head = self.head(&name, true, bounds, &of_fields);
                quote! {
                    #head {
                        #[inline]
                        #[allow(unused_variables, reason = "a type may have no fields")]
                        fn decode_from_heap<__Heap: #paged::HeapBytes + ?::core::marker::Sized>(
                            input: &mut #paged::Input<'_>,
                            context: &mut #context,
                            heap: &__Heap,
                        ) -> ::core::result::Result<Self, #paged::ReadError> {
                            #body
                        }
                    }
                }
            }
            Form::Alone => {
                let name = quote!(#paged::Decode<#context>);
                let of_fields = self.and_sized(&name);
                let head = self.head(&name, true, bounds, &of_fields);
                let fixed_size = match self.shape {
                    Shape::Struct(fields) => fields.fixed_size(context),
                    Shape::Enum(_) if self.attributes.is_unsized => {
                        quote!(::core::option::Option::None)
                    }
                    Shape::Enum(_) => quote!(
                        ::core::option::Option::Some(<Self as #paged::EncodeSized>::ENCODED_SIZE)
                    ),
                };
                quote! {
                    #head {
                        const FIXED_SIZE: ::core::option::Option<u32> = #fixed_size;

                        #[inline]
                        #[allow(unused_variables, reason = "a type may have no fields")]
                        fn decode(
                            input: &mut #paged::Input<'_>,
                            context: &mut #context,
                        ) -> ::core::result::Result<Self, #paged::ReadError> {
                            #body
                        }
                    }
                }
            }
        }
    }

    fn schema(&self) -> Result<TokenStream> {
        let paged = self.paged;
        let body = match self.shape {
            Shape::Struct(fields) => {
                let fields = fields.describe()?;
                quote!(description.fields(#fields);)
            }
            Shape::Enum(variants) => {
                let mut described = Vec::new();
                for Variant { ident, name, fields, .. } in variants {
                    let name = name.clone().unwrap_or_else(|| plain_name(ident));
                    let fields = fields.describe()?;
                    described.push(quote!((#name, #fields)));
                }
                quote!(description.variants(&[#(#described),*]);)
            }
        };
        let name = quote!(#paged::Schema);
        let head = self.head(&name, false, &self.attributes.schema_bounds, &name);
        Ok(quote! {
            #head {
                fn describe(description: &mut #paged::schema::Description) {
                    let name = ::core::any::type_name::<Self>();
                    #paged::schema::Description::once(description, name, |description| { #body });
                }
            }
        })
    }

    /// An expression: zeros after the fields of a variant.
    fn padding(&self, fields: &FieldList<'_>) -> TokenStream {
        let (paged, size) = (self.paged, fields.size());
        quote! {
            <Self as #paged::EncodeSized>::ENCODED_SIZE.saturating_sub(1).saturating_sub(#size)
        }
    }

    /// What fields must implement for a trait whose implementation needs the size of the type:
    /// an enum is padded to it.
    fn and_sized(&self, name: &TokenStream) -> TokenStream {
        let paged = self.paged;
        match self.shape {
            Shape::Enum(_) if !self.attributes.is_unsized => quote!(#name + #paged::EncodeSized),
            _ => name.clone(),
        }
    }
}

/// `true` when a parameter of the type occurs in that of the field.
fn depends_on(field: &Type, generics: &Generics) -> bool {
    struct Search<'a> {
        parameters: Vec<&'a Ident>,
        found: bool,
    }

    impl<'ast> Visit<'ast> for Search<'_> {
        fn visit_path(&mut self, path: &'ast Path) {
            let first = path.segments.first().map(|segment| &segment.ident);
            self.found |= first.is_some_and(|first| self.parameters.contains(&first));
            syn::visit::visit_path(self, path);
        }
    }

    let parameters = generics.type_params().map(|parameter| &parameter.ident).collect();
    let mut search = Search { parameters, found: false };
    search.visit_type(field);
    search.found
}
