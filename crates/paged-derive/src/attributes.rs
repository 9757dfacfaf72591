//! What stands in `#[paged(...)]`.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, TypeParam, WherePredicate};

/// Predicates for one of the traits: `None` where there were none, so that they can be found from
/// the fields.
pub(crate) type Bounds = Option<Vec<WherePredicate>>;

/// The attributes of a type.
#[derive(Default)]
pub(crate) struct TypeAttributes {
    /// Needs a heap: no `Encode` and `Decode`.
    pub(crate) heap: bool,
    /// Has no size: only `Encode` and `Decode`.
    pub(crate) is_unsized: bool,
    pub(crate) encode_only: bool,
    pub(crate) no_schema: bool,
    pub(crate) context: Option<TypeParam>,
    pub(crate) encode_sized_bounds: Bounds,
    pub(crate) encode_bounds: Bounds,
    pub(crate) decode_bounds: Bounds,
    pub(crate) schema_bounds: Bounds,
    /// Where the crate `paged` is.
    pub(crate) krate: Option<Path>,
}

const TYPE_ATTRIBUTES: &str = "heap, unsized, encode_only, no_schema, context(..), bounds(..), \
                               encode_sized_bounds(..), encode_bounds(..), decode_bounds(..), \
                               schema_bounds(..) and crate = path";

impl TypeAttributes {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for attribute in attributes.iter().filter(|attribute| is_ours(attribute)) {
            attribute.parse_args_with(|input: ParseStream<'_>| {
                while !input.is_empty() {
                    let name = input.call(Ident::parse_any)?;
                    let text = name.to_string();
                    if seen.contains(&text) {
                        return Err(Error::new(name.span(), format!("`{text}` is said twice")));
                    }
                    found.take(&name, input)?;
                    if found.heap && found.is_unsized {
                        let text = "a type that is `heap` stands in sections only, one that is \
                                    `unsized` on heaps only: it cannot be both";
                        return Err(Error::new(name.span(), text));
                    }
                    seen.push(text);
                    if !input.is_empty() {
                        input.parse::<Token![,]>()?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    fn take(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        match name.to_string().as_str() {
            "heap" => self.heap = true,
            "unsized" => self.is_unsized = true,
            "encode_only" => self.encode_only = true,
            "no_schema" => self.no_schema = true,
            "context" => self.context = Some(in_parentheses(name, input)?),
            "bounds" => {
                let bounds = predicates(name, input)?;
                let of = [
                    &mut self.encode_sized_bounds,
                    &mut self.encode_bounds,
                    &mut self.decode_bounds,
                ];
                for which in of {
                    which.get_or_insert_default().extend(bounds.iter().cloned());
                }
            }
            "encode_sized_bounds" => add(&mut self.encode_sized_bounds, name, input)?,
            "encode_bounds" => add(&mut self.encode_bounds, name, input)?,
            "decode_bounds" => add(&mut self.decode_bounds, name, input)?,
            "schema_bounds" => add(&mut self.schema_bounds, name, input)?,
            "crate" => {
                input.parse::<Token![=]>()?;
                self.krate = Some(input.call(Path::parse_mod_style)?);
            }
            other => {
                let text = format!("no attribute `{other}`: there are {TYPE_ATTRIBUTES}");
                return Err(Error::new(name.span(), text));
            }
        }
        Ok(())
    }
}

/// The name that `#[paged(name = "...")]` of a field or variant gives it.
pub(crate) fn name_of(attributes: &[Attribute]) -> Result<Option<String>> {
    let mut found = None;
    for attribute in attributes.iter().filter(|attribute| is_ours(attribute)) {
        attribute.parse_args_with(|input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            if name != "name" {
                let text = format!("no attribute `{name}` here: there is name = \"...\"");
                return Err(Error::new(name.span(), text));
            }
            input.parse::<Token![=]>()?;
            let text: LitStr = input.parse()?;
            // What stands in a description of a type between names.
            let is_part = |letter: char| !letter.is_alphanumeric() && letter != '_';
            if text.value().is_empty() || text.value().contains(is_part) {
                return Err(Error::new(text.span(), "a name has letters, digits and `_`"));
            }
            if found.replace(text.value()).is_some() {
                return Err(Error::new(name.span(), "`name` is said twice"));
            }
            Ok(())
        })?;
    }
    Ok(found)
}

fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().is_ident("paged")
}

fn add(bounds: &mut Bounds, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    bounds.get_or_insert_default().extend(predicates(name, input)?);
    Ok(())
}

fn predicates(
    name: &Ident,
    input: ParseStream<'_>,
) -> Result<Punctuated<WherePredicate, Token![,]>> {
    struct Predicates(Punctuated<WherePredicate, Token![,]>);

    impl Parse for Predicates {
        fn parse(input: ParseStream<'_>) -> Result<Self> {
            Punctuated::parse_terminated(input).map(Self)
        }
    }

    in_parentheses(name, input).map(|Predicates(list)| list)
}

fn in_parentheses<T: Parse>(name: &Ident, input: ParseStream<'_>) -> Result<T> {
    if !input.peek(syn::token::Paren) {
        let text = format!("`{name}` needs something in parentheses: `{name}(T: Bound)`");
        return Err(Error::new(name.span(), text));
    }
    let content;
    syn::parenthesized!(content in input);
    let value = content.parse()?;
    if content.is_empty() { Ok(value) } else { Err(content.error("nothing more can stand here")) }
}
