//! The files of `paged` 0.1.1 in `tests/vectors`: we write the same bytes and read the same values.
//!
//! The published writer leaves out the padding of the last page; ours completes it with zeros, so
//! a file of ours starts with the published one. `quirks` is what the published writer gets wrong:
//! ours writes what was meant.

mod support;

use std::fmt::Debug;
use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use paged::{
    DecodeFromHeap, EncodeOnHeap, EncodeSized, Encoder, Heap, HeapSection, Paged, Reader, Section,
};
use serde_json::Value;
use support::Positioned;

/// A vector: what was written, and the file.
struct Golden {
    json: Value,
    file: Vec<u8>,
}

impl Golden {
    fn load(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
        let json = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let json = serde_json::from_str(&json).unwrap();
        let file = fs::read(folder.join(format!("{name}.bin"))).unwrap();
        Self { json, file }
    }

    fn number(&self, name: &str) -> u32 {
        self.json[name].as_u64().unwrap().try_into().unwrap()
    }

    fn page_len(&self) -> u32 {
        self.number("page_len")
    }

    fn header(&self) -> Vec<u8> {
        let digits = self.json["header_hex"].as_str().unwrap().as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
    }

    fn sections(&self) -> &[Value] {
        self.json["sections"].as_array().unwrap()
    }

    fn heap(&self, index: usize) -> Option<HeapSection> {
        let heap = &self.json["heaps"].as_array()?.get(index)?;
        let number = |name: &str| heap[name].as_u64().unwrap().try_into().unwrap();
        Some(HeapSection { page_offset: number("page_offset"), page_count: number("page_count") })
    }
}

/// Writes the vector anew, a section at a time, and reads the published file.
struct Check {
    golden: Golden,
    encoder: Encoder<Cursor<Vec<u8>>>,
    heap: Heap,
    next_section: usize,
    next_heap: usize,
}

impl Check {
    fn begin(name: &str) -> Self {
        let golden = Golden::load(name);
        // What stood in the file before must not show through.
        let mut output = Cursor::new(vec![0xaa; golden.file.len() + 1000]);
        output.write_all(&golden.header()).unwrap();
        let encoder = Encoder::new(output, golden.page_len());
        Self { golden, encoder, heap: Heap::new(), next_section: 0, next_heap: 0 }
    }

    fn section<T>(&mut self, parse: impl Fn(&Value) -> T)
    where
        T: EncodeOnHeap + DecodeFromHeap + PartialEq + Debug,
    {
        let section = &self.golden.sections()[self.next_section];
        let number = |name: &str| u32::try_from(section[name].as_u64().unwrap()).unwrap();
        assert_eq!(T::ENCODED_SIZE, number("entry_size"));
        let entries: Vec<T> = section["entries"].as_array().unwrap().iter().map(parse).collect();
        let expected = Section::<T>::new(number("page_offset"), number("entry_count"));
        assert_eq!(self.encoder.section_from_iter(&mut self.heap, &entries).unwrap(), expected);
        assert_eq!(self.read(expected), entries);
        self.next_section += 1;
    }

    /// Reads a section of the published file.
    fn read<T: EncodeSized + DecodeFromHeap + PartialEq + Debug>(
        &self,
        section: Section<T>,
    ) -> Vec<T> {
        read_section(&self.golden, section, self.next_heap)
    }

    fn add_heap(&mut self) {
        let heap = std::mem::take(&mut self.heap);
        let byte_len = &self.golden.json["heaps"][self.next_heap]["byte_length"];
        assert_eq!(heap.len(), byte_len.as_u64().unwrap());
        let written = self.encoder.add_heap(heap).unwrap();
        assert_eq!(Some(written), self.golden.heap(self.next_heap));
        self.next_heap += 1;
    }

    /// The file that was written, of whole pages, without the older content behind it.
    fn written(self) -> (Golden, Vec<u8>) {
        assert_eq!(self.next_section, self.golden.sections().len(), "a section was not checked");
        assert!(self.heap.is_empty());
        let output = self.encoder.end().unwrap();
        let len = usize::try_from(output.position()).unwrap();
        let mut file = output.into_inner();
        assert!(file[len..].iter().all(|byte| *byte == 0xaa), "written past the end");
        file.truncate(len);
        let pages = len - self.golden.header().len();
        assert_eq!(pages % self.golden.page_len() as usize, 0);
        (self.golden, file)
    }

    fn end(self) {
        let (golden, file) = self.written();
        let padding = file.strip_prefix(golden.file.as_slice()).expect("the published bytes");
        assert!(padding.len() < golden.page_len() as usize);
        assert!(padding.iter().all(|byte| *byte == 0));
    }
}

fn read_section<T: EncodeSized + DecodeFromHeap + PartialEq + Debug>(
    golden: &Golden,
    section: Section<T>,
    heap: usize,
) -> Vec<T> {
    let (page_len, start) = (golden.page_len(), golden.number("first_page_offset").into());
    let slice = Reader::new(golden.file.as_slice(), page_len, start).unwrap();
    let file = Reader::new(Positioned(golden.file.clone()), page_len, start).unwrap();
    let in_slice = slice.entries(section, golden.heap(heap)).unwrap();
    let in_file = file.entries(section, golden.heap(heap)).unwrap();
    for index in 0..in_slice.len() {
        assert_eq!(in_slice.get(index).unwrap(), in_file.get(index).unwrap());
    }
    in_slice.iter().map(Result::unwrap).collect()
}

/// A number, which the larger types have as text.
fn number<T: std::str::FromStr<Err: Debug>>(value: &Value) -> T {
    match value {
        Value::String(text) => text.parse().unwrap(),
        value => value.to_string().parse().unwrap(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn list<T>(value: &Value, parse: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(parse).collect()
}

fn option<T>(value: &Value, parse: impl Fn(&Value) -> T) -> Option<T> {
    (!value.is_null()).then(|| parse(value))
}

#[derive(Paged, Debug, PartialEq)]
struct Mixed(u8, i16, u32, i64, u128);

#[test]
fn nums() {
    let mut check = Check::begin("nums");
    check.section(|row| {
        Mixed(number(&row[0]), number(&row[1]), number(&row[2]), number(&row[3]), number(&row[4]))
    });
    check.end();
}

#[test]
fn prims() {
    let mut check = Check::begin("prims");
    check.section::<u8>(number);
    check.section::<i8>(number);
    check.section::<u16>(number);
    check.section::<i16>(number);
    check.section::<u32>(number);
    check.section::<i32>(number);
    check.section::<u64>(number);
    check.section::<i64>(number);
    check.section::<u128>(number);
    check.section::<i128>(number);
    check.end();
}

#[derive(Paged, Debug, PartialEq)]
struct Seven(u8, u16, u32);

fn seven(value: &Value) -> Seven {
    Seven(number(&value[0]), number(&value[1]), number(&value[2]))
}

#[test]
fn pad7() {
    let mut check = Check::begin("pad7");
    check.section(seven);
    check.end();
}

#[derive(Paged, Debug, PartialEq)]
struct Exact {
    number: u32,
    signed: i32,
}

#[test]
fn exact8() {
    let mut check = Check::begin("exact8");
    check.section(|row| Exact { number: number(&row[0]), signed: number(&row[1]) });
    check.end();
}

#[test]
fn one_per_page() {
    let mut check = Check::begin("one-per-page");
    check.section::<u128>(number);
    check.end();
}

#[test]
fn strings() {
    let mut check = Check::begin("strings");
    check.section(text);
    check.add_heap();
    check.end();
}

#[derive(Paged, Debug, PartialEq)]
#[paged(heap)]
struct Record {
    id: u32,
    name: String,
    list: Vec<u16>,
    note: Option<String>,
}

#[test]
fn records() {
    let mut check = Check::begin("records");
    check.section(|row| Record {
        id: number(&row["id"]),
        name: text(&row["name"]),
        list: list(&row["list"], number),
        note: option(&row["note"], text),
    });
    check.add_heap();
    check.end();
}

#[derive(Paged, Debug, PartialEq)]
struct Optional {
    id: u16,
    inner: Seven,
    opt: Option<Seven>,
}

#[test]
fn options() {
    let mut check = Check::begin("options");
    check.section(|row| Optional {
        id: number(&row["id"]),
        inner: seven(&row["inner"]),
        opt: option(&row["opt"], seven),
    });
    check.section(|value| option(value, number::<u32>));
    check.end();
}

#[derive(Paged, Debug, PartialEq)]
enum Colour {
    Red,
    Green,
    Blue,
}

#[derive(Paged, Debug, PartialEq)]
enum Equal {
    A(u32),
    B { v: i32 },
}

#[test]
fn enums() {
    let mut check = Check::begin("enums");
    check.section(|value| match value.as_str().unwrap() {
        "Red" => Colour::Red,
        "Green" => Colour::Green,
        "Blue" => Colour::Blue,
        other => panic!("{other}"),
    });
    check.section(|value| match value.get("A") {
        Some(value) => Equal::A(number(value)),
        None => Equal::B { v: number(&value["B"]) },
    });
    check.end();
}

#[derive(Paged, Debug, PartialEq)]
struct Keyed {
    key: u32,
    value: u64,
}

fn keyed(row: &Value) -> Keyed {
    Keyed { key: number(&row[0]), value: number(&row[1]) }
}

#[derive(Paged, Debug, PartialEq)]
struct Nested {
    id: u32,
    section: Section<Keyed>,
}

#[test]
fn nested_sections() {
    let mut check = Check::begin("nested-sections");
    for _ in 0..4 {
        check.section(keyed);
    }
    let handle = |value: &Value| Section::new(number(&value[0]), number(&value[1]));
    check.section(|row| Nested { id: number(&row["id"]), section: handle(&row["section"]) });
    let outer = &check.golden.sections()[4];
    let outer = Section::<Nested>::new(number(&outer["page_offset"]), 4);
    for (index, entry) in check.read(outer).into_iter().enumerate() {
        let inner = list(&check.golden.sections()[index]["entries"], keyed);
        assert_eq!(check.read(entry.section), inner);
    }
    check.end();
}

#[test]
fn two_heaps() {
    let mut check = Check::begin("two-heaps");
    check.section(text);
    check.add_heap();
    check.section(text);
    check.add_heap();
    check.section::<u32>(number);
    check.add_heap();
    check.end();
}

#[test]
fn sorted() {
    let mut check = Check::begin("sorted");
    check.section(keyed);
    let section = Section::new(
        0,
        u32::try_from(list(&check.golden.sections()[0]["entries"], keyed).len()).unwrap(),
    );
    let entries: Vec<Keyed> = check.read(section);
    assert!(entries.is_sorted_by_key(|entry| entry.key));
    for lookup in check.golden.json["lookups"].as_array().unwrap() {
        let found = entries.binary_search_by_key(&number(&lookup["key"]), |entry| entry.key).ok();
        assert_eq!(found, option(&lookup["index"], number));
    }
    check.end();
}

#[derive(Paged, Debug, PartialEq)]
enum Uneven {
    Dot,
    Line(u32),
    Box { w: u32, h: u32 },
}

/// Reads what `Debug` prints of it.
fn uneven(value: &Value) -> Uneven {
    let text = value.as_str().unwrap();
    let digits = text.split(|letter: char| !letter.is_ascii_digit());
    let numbers: Vec<u32> = digits.filter_map(|digits| digits.parse().ok()).collect();
    match numbers[..] {
        [] => Uneven::Dot,
        [x] => Uneven::Line(x),
        [w, h] => Uneven::Box { w, h },
        _ => panic!("{text}"),
    }
}

#[test]
fn quirks() {
    let golden = Golden::load("quirks");
    // What the published writer made of it, as any reader reads it.
    let [shapes, pairs] = golden.sections() else { panic!("two sections") };
    let handle =
        |section: &Value| (number(&section["page_offset"]), number(&section["entry_count"]));
    let (page_offset, entry_count) = handle(shapes);
    let read = read_section(&golden, Section::<Uneven>::new(page_offset, entry_count), 0);
    assert_eq!(read, list(&golden.json["published_reader"][0], uneven));
    // Unpadded variants have moved the second section off its page, where its handle is not; each
    // pair is its first member twice.
    assert_eq!(golden.file[52..], [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 3]);
    let pair = |value: &Value| (number(&value[0]), number(&value[1]));
    assert_eq!(list(&golden.json["published_reader"][1], pair), [(1, 1), (3, 3)]);

    // What was meant, as we write it: the handles are the same, the bytes are not.
    let (shapes, pairs) = (list(&shapes["entries"], uneven), list(&pairs["entries"], pair));
    let mut encoder = Encoder::new(Vec::new(), golden.page_len());
    let mut heap = Heap::new();
    let shapes_at = encoder.section_from_iter(&mut heap, &shapes).unwrap();
    let pairs_at = encoder.section_from_iter(&mut heap, &pairs).unwrap();
    let file = encoder.end().unwrap();
    assert_eq!(
        file[..27],
        [2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0]
    );
    assert_eq!(file[64..80], [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
    let ours = Golden { json: golden.json.clone(), file };
    assert_eq!(read_section(&ours, shapes_at, 0), shapes);
    assert_eq!(read_section(&ours, pairs_at, 0), pairs);
}

#[test]
fn every_vector_is_read_by_a_test() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let source = include_str!("golden.rs");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let named = ["Check::begin", "Golden::load"].map(|call| format!("{call}(\"{name}\")"));
        assert!(named.iter().any(|call| source.contains(call)), "{name}");
    }
}
