//! What a type looks like when it is stored, as text: the container keeps it beside each section,
//! so that opening as another type is an error and a program that knows no types can show entries.
//!
//! ```text
//! type    = "u8" ... "u128" | "i8" ... "i128" | "f32" | "f64" | "bool" | "char"
//!         | "string" | "list<" type ">" | "map<" type "," type ">" | "set<" type ">"
//!         | "wide<" type ">"                         of a string or list: 8-byte offset and length
//!         | "inline<" type ">"                       of a string or list: on a heap, length first
//!         | "option<" type ">" | "[" type ";" count "]"
//!         | "(" [ type { "," type } ] ")"            tuple, tuple struct, or nothing
//!         | "{" field { "," field } "}"              struct; field = name ":" type
//!         | "enum{" variant { "," variant } "}"      variant = name [ "(" ... ")" | "{" ... "}" ]
//!         | "section<" type ">" | "section" | "heap" | "offset" | "entry" | "wide_entry"
//!         | "up<" count ">"                          the struct or enum that many around this, 1 for the next
//!         | "opaque<" name ";" size ">"              stored by hand-written code
//! ```
//!
//! Names of fields and variants belong to it, for two fields of one type that change places are
//! another type; the name of the type itself does not. A section inside a section is told without
//! its type, so that a type may contain a section of its own kind.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use crate::heap::{Entry, Offset, WideEntry};
use crate::{HeapSection, Inline, Section, Wide};

/// A type that can say how it is stored.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how it is stored",
    note = "`#[derive(Paged)]` implements `Schema`; by hand, `describe` is one call of \
            `Description::opaque` with a name of your choice",
    note = "a derived type with such a field can go without: `#[paged(no_schema)]`"
)]
pub trait Schema {
    /// Appends the description of the type.
    fn describe(description: &mut Description);
}

/// The description of a type while it is being put together.
#[derive(Debug, Default)]
pub struct Description {
    text: String,
    inside_section: bool,
    /// Structs and enums around what is described.
    around: Vec<&'static str>,
}

/// A field of a struct or variant: its name, if it has one, and what describes its type.
pub type Field = (Option<&'static str>, fn(&mut Description));

impl Description {
    /// A type that is stored by code of its own: a name, which should change when that code
    /// does, and the bytes that a value takes.
    pub fn opaque(&mut self, name: &str, encoded_size: u32) {
        self.word(&format!("opaque<{name};{encoded_size}>"));
    }

    /// What may be in itself: `describe` tells it, unless this is inside of that. `name` is that of the
    /// type, as [`std::any::type_name`] has it.
    pub fn once(&mut self, name: &'static str, describe: impl FnOnce(&mut Self)) {
        match self.around.iter().rev().position(|around| *around == name) {
            Some(between) => self.word(&format!("up<{}>", between.saturating_add(1))),
            None => {
                self.around.push(name);
                describe(self);
                self.around.pop();
            }
        }
    }

    /// A struct or a tuple: its fields in order.
    pub fn fields(&mut self, fields: &[Field]) {
        let named = fields.iter().any(|(name, _)| name.is_some());
        let (open, close) = if named { ("{", "}") } else { ("(", ")") };
        self.word(open);
        for (index, (name, describe)) in fields.iter().enumerate() {
            if index > 0 {
                self.word(",");
            }
            if let Some(name) = name {
                self.word(name);
                self.word(":");
            }
            describe(self);
        }
        self.word(close);
    }

    /// An enum: the name and fields of its variants in order.
    pub fn variants(&mut self, variants: &[(&str, &[Field])]) {
        self.word("enum{");
        for (index, (name, fields)) in variants.iter().enumerate() {
            if index > 0 {
                self.word(",");
            }
            self.word(name);
            if !fields.is_empty() {
                self.fields(fields);
            }
        }
        self.word("}");
    }

    fn word(&mut self, word: &str) {
        self.text.push_str(word);
    }

    fn with(&mut self, name: &str, parameters: &[fn(&mut Self)]) {
        self.word(name);
        self.word("<");
        for (index, describe) in parameters.iter().enumerate() {
            if index > 0 {
                self.word(",");
            }
            describe(self);
        }
        self.word(">");
    }
}

/// The description of `T`.
#[must_use]
pub fn type_text<T: Schema>() -> String {
    let mut description = Description::default();
    T::describe(&mut description);
    description.text
}

/// The fingerprint of a description: FNV-1a of 64 bits over its bytes. It tells types apart that
/// were confused, not types that were made to collide.
#[must_use]
pub fn fingerprint(type_text: &str) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    type_text.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

macro_rules! words {
    ($($type:ty: $word:literal),* $(,)?) => {$(
        impl Schema for $type {
            fn describe(description: &mut Description) {
                description.word($word);
            }
        }
    )*};
}

words!(
    u8: "u8", u16: "u16", u32: "u32", u64: "u64", u128: "u128",
    i8: "i8", i16: "i16", i32: "i32", i64: "i64", i128: "i128",
    f32: "f32", f64: "f64", bool: "bool", char: "char", (): "()",
    str: "string", String: "string",
    HeapSection: "heap", Offset: "offset", Entry: "entry", WideEntry: "wide_entry",
);

macro_rules! with_parameters {
    ($([$($generics:tt)*] $type:ty: $name:literal $($parameter:ty),+;)*) => {$(
        impl<$($generics)*> Schema for $type {
            fn describe(description: &mut Description) {
                description.with($name, &[$(<$parameter>::describe),+]);
            }
        }
    )*};
}

with_parameters!(
    [T: Schema] [T]: "list" T;
    [T: Schema] Vec<T>: "list" T;
    [K: Schema, V: Schema] BTreeMap<K, V>: "map" K, V;
    [T: Schema] BTreeSet<T>: "set" T;
    [T: Schema] Option<T>: "option" T;
    [T: Schema] Wide<T>: "wide" T;
    [T: Schema] Inline<T>: "inline" T;
);

macro_rules! same_as {
    ($([$($generics:tt)*] $type:ty: $other:ty;)*) => {$(
        impl<$($generics)*> Schema for $type {
            fn describe(description: &mut Description) {
                <$other>::describe(description);
            }
        }
    )*};
}

same_as!(
    [T: Schema + ?Sized] &T: T;
    [T: Schema + ?Sized] Box<T>: T;
    [T: ?Sized] PhantomData<T>: ();
);

impl<T: Schema, const N: usize> Schema for [T; N] {
    fn describe(description: &mut Description) {
        description.word("[");
        T::describe(description);
        description.word(&format!(";{N}]"));
    }
}

impl<T: Schema> Schema for Section<T> {
    fn describe(description: &mut Description) {
        if description.inside_section {
            description.word("section");
        } else {
            description.inside_section = true;
            let around = std::mem::take(&mut description.around);
            description.with("section", &[T::describe]);
            description.around = around;
            description.inside_section = false;
        }
    }
}

macro_rules! tuple {
    ($($type:ident)+) => {
        impl<$($type: Schema),+> Schema for ($($type,)+) {
            fn describe(description: &mut Description) {
                description.fields(&[$((None, $type::describe)),+]);
            }
        }
    };
}

tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Schema>(expected: &str) {
        assert_eq!(type_text::<T>(), expected);
    }

    #[test]
    fn a_type_is_told_by_what_is_stored() {
        check::<u32>("u32");
        check::<(u8, Option<String>)>("(u8,option<string>)");
        check::<Box<str>>("string");
        check::<&[u16]>("list<u16>");
        check::<[(char, bool); 3]>("[(char,bool);3]");
        check::<BTreeMap<i128, Inline<Vec<f32>>>>("map<i128,inline<list<f32>>>");
        check::<Wide<String>>("wide<string>");
        check::<((), PhantomData<str>)>("((),())");
    }

    #[test]
    fn a_type_may_contain_a_section_of_its_own_kind() {
        struct Node;
        impl Schema for Node {
            fn describe(description: &mut Description) {
                let children: Field = (Some("children"), Section::<Self>::describe);
                description.fields(&[(Some("id"), u32::describe), children]);
            }
        }
        check::<Node>("{id:u32,children:section<{id:u32,children:section}>}");
    }

    #[test]
    fn the_fingerprint_is_fnv_1a() {
        // Published test vectors of the function.
        assert_eq!(fingerprint(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fingerprint("foobar"), 0x8594_4171_f739_67e8);
    }
}
