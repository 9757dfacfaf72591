//! Types as containers describe them, and values of them as text. The grammar is in `paged::schema`.

use paged::{HeapBytes, Input, ReadError};

/// Elements of a list that are shown.
const SHOWN: u64 = 16;

/// Bytes of a list on a heap that are read where elements do not say how long they are.
const WINDOW_LEN: u64 = 64 * 1024;

/// Types within types that are followed: the description comes from a file like all else.
const DEPTH_MAX: u32 = 32;

pub(crate) enum Type {
    /// A number, and how its bytes become text.
    Plain(u64, fn(&[u8]) -> String),
    Text,
    List(Box<Self>),
    /// A list or text in place, its length in front of it. Of no fixed size, so only on heaps.
    Inline(Box<Self>),
    /// Offset and length of eight bytes.
    Wide(Box<Self>),
    Option(Box<Self>),
    Array(Box<Self>, u64),
    /// Names, where fields have them.
    Fields(Vec<(String, Self)>),
    Enum(Vec<(String, Self)>),
}

impl Type {
    /// `None` when the text is not of the grammar, or has names in it that a terminal might obey.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let parsed = parse(&mut rest, DEPTH_MAX).filter(|parsed| parsed.is_fixed())?;
        let is_shown = rest.is_empty() && !text.contains(char::is_control);
        is_shown.then_some(parsed)
    }

    /// Bytes in an entry; at least so many, where values differ.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Inline(_) => 4,
            Self::Plain(size, _) => *size,
            Self::Text | Self::List(_) => 8,
            Self::Wide(_) => 16,
            Self::Option(some) => some.size().saturating_add(1),
            Self::Array(element, count) => element.size().saturating_mul(*count),
            Self::Fields(fields) => {
                fields.iter().fold(0, |size, (_, field)| size.saturating_add(field.size()))
            }
            Self::Enum(variants) => {
                let largest = variants.iter().map(|(_, fields)| fields.size()).max();
                largest.unwrap_or(0).saturating_add(1)
            }
        }
    }

    /// Whether all values have the same size.
    fn is_fixed(&self) -> bool {
        match self {
            Self::Plain(..) | Self::Text | Self::List(_) | Self::Wide(_) => true,
            Self::Inline(_) => false,
            Self::Option(some) => some.is_fixed(),
            Self::Array(element, _) => element.is_fixed(),
            Self::Fields(fields) | Self::Enum(fields) => {
                fields.iter().all(|(_, field)| field.is_fixed())
            }
        }
    }

    /// Whether values refer to a heap. Then none stands on one: what is shown of a list does not grow with
    /// each list around it.
    fn refers(&self) -> bool {
        match self {
            Self::Plain(..) | Self::Inline(_) => false,
            Self::Text | Self::List(_) | Self::Wide(_) => true,
            Self::Option(some) | Self::Array(some, _) => some.refers(),
            Self::Fields(fields) | Self::Enum(fields) => {
                fields.iter().any(|(_, field)| field.refers())
            }
        }
    }

    /// A value from the front of `input`.
    pub(crate) fn show(
        &self,
        input: &mut Input<'_>,
        heap: &impl HeapBytes,
    ) -> Result<String, ReadError> {
        Ok(match self {
            Self::Plain(size, text) => text(&input.bytes(*size)?),
            Self::Text | Self::List(_) => {
                let offset = u32::from_be_bytes(input.array()?);
                let len = u32::from_be_bytes(input.array()?);
                self.show_on_heap(offset.into(), len.into(), heap)?
            }
            Self::Inline(list) => {
                let len = u32::from_be_bytes(input.array()?);
                list.show_inline(len, input, heap)?
            }
            Self::Wide(list) => {
                let offset = u64::from_be_bytes(input.array()?);
                let len = u64::from_be_bytes(input.array()?);
                list.show_on_heap(offset, len, heap)?
            }
            Self::Option(some) => match input.array()? {
                [0] => {
                    input.bytes(some.size())?;
                    "none".to_owned()
                }
                _ => some.show(input, heap)?,
            },
            Self::Array(element, count) => {
                let shown = (0..*count).map(|_| element.show(input, heap));
                format!("[{}]", shown.collect::<Result<Vec<_>, _>>()?.join(", "))
            }
            Self::Fields(fields) => {
                let shown = fields.iter().map(|(name, field)| {
                    let value = field.show(input, heap)?;
                    Ok(if name.is_empty() { value } else { format!("{name}: {value}") })
                });
                format!("({})", shown.collect::<Result<Vec<_>, ReadError>>()?.join(", "))
            }
            Self::Enum(variants) => {
                let [tag] = input.array()?;
                let unknown = ReadError::Invalid { what: "a variant that the type does not have" };
                let (name, fields) = variants.get(usize::from(tag)).ok_or(unknown)?;
                let value = fields.show(input, heap)?;
                input.bytes(self.size() - 1 - fields.size())?;
                if fields.size() == 0 { name.clone() } else { format!("{name}{value}") }
            }
        })
    }

    fn show_on_heap(
        &self,
        offset: u64,
        len: u64,
        heap: &impl HeapBytes,
    ) -> Result<String, ReadError> {
        let Self::List(element) = self else {
            return Ok(format!("{:?}", String::from_utf8_lossy(&heap.bytes(offset, len)?)));
        };
        let shown = len.min(SHOWN);
        let bytes_len = match element.is_fixed() {
            true => shown.saturating_mul(element.size()),
            false => heap.len().saturating_sub(offset).min(WINDOW_LEN),
        };
        let bytes = heap.bytes(offset, bytes_len)?;
        let mut input = Input::new(&bytes);
        let values = (0..shown).map(|_| element.show(&mut input, heap));
        let mut values = values.collect::<Result<Vec<_>, _>>()?;
        values.extend((shown < len).then(|| format!("and {} more", len - shown)));
        Ok(format!("[{}]", values.join(", ")))
    }

    fn show_inline(
        &self,
        len: u32,
        input: &mut Input<'_>,
        heap: &impl HeapBytes,
    ) -> Result<String, ReadError> {
        let Self::List(element) = self else {
            return Ok(format!("{:?}", String::from_utf8_lossy(&input.bytes(len.into())?)));
        };
        // Those that are not shown stand in front of what comes next.
        let mut values = Vec::new();
        for place in 0..u64::from(len) {
            let value = element.show(input, heap)?;
            if place < SHOWN {
                values.push(value);
            }
        }
        let left = u64::from(len).saturating_sub(SHOWN);
        values.extend((left > 0).then(|| format!("and {left} more")));
        Ok(format!("[{}]", values.join(", ")))
    }
}

fn parse(rest: &mut &str, depth: u32) -> Option<Type> {
    let depth = depth.checked_sub(1)?;
    if take(rest, "{") {
        return fields(rest, "}", depth).map(Type::Fields);
    }
    if take(rest, "(") {
        return fields(rest, ")", depth).map(Type::Fields);
    }
    if take(rest, "[") {
        let element = parse(rest, depth)?;
        let count = take(rest, ";").then(|| word(rest))?.parse().ok()?;
        let is_finite = element.size() > 0 && take(rest, "]");
        return is_finite.then_some(Type::Array(Box::new(element), count));
    }
    let name = word(rest);
    if name == "enum" && take(rest, "{") {
        return variants(rest, depth).map(Type::Enum);
    }
    if name == "section" && take(rest, "<") {
        parse(rest, depth)?;
        return take(rest, ">").then_some(plain(8, pair));
    }
    if take(rest, "<") {
        let first = parse(rest, depth)?;
        let second = if take(rest, ",") { Some(parse(rest, depth)?) } else { None };
        let of_both = match (name, second) {
            ("list" | "set", None) if !first.refers() => Type::List(Box::new(first)),
            ("map", Some(second)) if !first.refers() && !second.refers() => {
                let pair = vec![(String::new(), first), (String::new(), second)];
                Type::List(Box::new(Type::Fields(pair)))
            }
            ("wide", None) => Type::Wide(Box::new(first)),
            ("option", None) if first.is_fixed() => Type::Option(Box::new(first)),
            ("inline", None) => match &first {
                Type::Text => Type::Inline(Box::new(first)),
                Type::List(element) if element.size() > 0 => Type::Inline(Box::new(first)),
                _ => return None,
            },
            // Types of somebody's own.
            _ => return None,
        };
        return take(rest, ">").then_some(of_both);
    }
    Some(match name {
        "u8" | "bool" => plain(1, unsigned),
        "u16" => plain(2, unsigned),
        "u32" | "offset" => plain(4, unsigned),
        "u64" => plain(8, unsigned),
        "u128" => plain(16, unsigned),
        "i8" => plain(1, signed),
        "i16" => plain(2, signed),
        "i32" => plain(4, signed),
        "i64" => plain(8, signed),
        "i128" => plain(16, signed),
        "f32" => plain(4, |bytes| f32::from_bits(big_endian(bytes) as u32).to_string()),
        "f64" => plain(8, |bytes| f64::from_bits(big_endian(bytes) as u64).to_string()),
        "char" => plain(4, |bytes| format!("{:?}", char::from_u32(big_endian(bytes) as u32))),
        "string" => Type::Text,
        "section" | "heap" | "entry" => plain(8, pair),
        "wide_entry" => plain(16, pair),
        _ => return None,
    })
}

fn fields(rest: &mut &str, end: &str, depth: u32) -> Option<Vec<(String, Type)>> {
    let mut fields = Vec::new();
    while !take(rest, end) {
        if !fields.is_empty() && !take(rest, ",") {
            return None;
        }
        let mut after = *rest;
        let name = word(&mut after);
        let name = if take(&mut after, ":") {
            *rest = after;
            name
        } else {
            ""
        };
        fields.push((name.to_owned(), parse(rest, depth)?));
    }
    Some(fields)
}

fn variants(rest: &mut &str, depth: u32) -> Option<Vec<(String, Type)>> {
    let mut variants = Vec::new();
    while !take(rest, "}") {
        if !variants.is_empty() && !take(rest, ",") {
            return None;
        }
        let name = word(rest).to_owned();
        let fields = if take(rest, "(") {
            fields(rest, ")", depth)?
        } else if take(rest, "{") {
            fields(rest, "}", depth)?
        } else {
            Vec::new()
        };
        let fields = Type::Fields(fields);
        if !fields.is_fixed() {
            return None;
        }
        variants.push((name, fields));
    }
    Some(variants)
}

fn take(rest: &mut &str, token: &str) -> bool {
    rest.strip_prefix(token).map(|after| *rest = after).is_some()
}

fn word<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find(|c: char| "<>{}()[],:;".contains(c)).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    word
}

fn plain(size: u64, text: fn(&[u8]) -> String) -> Type {
    Type::Plain(size, text)
}

fn big_endian(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn unsigned(bytes: &[u8]) -> String {
    big_endian(bytes).to_string()
}

fn signed(bytes: &[u8]) -> String {
    let shift = 128 - 8 * bytes.len();
    ((big_endian(bytes) << shift).cast_signed() >> shift).to_string()
}

fn pair(bytes: &[u8]) -> String {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    format!("({}, {})", big_endian(first), big_endian(second))
}
