//! What we write, in the plain form and in the pages of a container, is read by `paged` 0.1.1, where its reader is
//! right: not in lists, of which it returns the first element as often as there are elements. What it writes is read by
//! ours, where its writer is right: not in pairs, and not in enums of unequal variants.
//!
//! The derive macro of that crate names it `::paged`, so it has that name here and ours another.
extern crate paged as ours;
extern crate published_paged as paged;

use std::cmp::Ordering;
use std::fmt::Debug;
use std::io::{Cursor, Write};

/// The same types twice, for one crate each.
macro_rules! types {
    ($module:ident, $library:ident, $(#[$attribute:meta])*) => {
        mod $module {
            #[derive($library::Paged, Debug, Clone, PartialEq)]
            $(#[$attribute])*
            pub struct Numbers {
                pub unsigned: (u8, u16),
                pub wider: (u32, u64),
                pub widest: u128,
                pub small: (i8, i16),
                pub signed: (i32, i64),
                pub last: i128,
            }

            #[derive($library::Paged, Debug, Clone, PartialEq)]
            $(#[$attribute])*
            #[paged(heap)]
            pub struct Note {
                pub number: u64,
                pub text: String,
                pub reply: Option<String>,
                pub answers: Option<i16>,
            }

            #[derive($library::Paged, Debug, Clone, PartialEq)]
            $(#[$attribute])*
            #[paged(heap)]
            pub struct Word {
                pub text: String,
                pub note: Option<String>,
                pub seen: Option<(u16, i8)>,
            }

            #[derive($library::Paged, Debug, Clone, PartialEq)]
            $(#[$attribute])*
            pub enum Shape {
                Dot,
                Line(u32),
                Box { w: u32, h: u32 },
            }

            #[derive($library::Paged, Debug, Clone)]
            $(#[$attribute])*
            pub struct Group {
                pub id: u32,
                pub shapes: $library::Section<Shape>,
            }
        }
    };
}

types!(written, ours, #[paged(crate = ours)]);
types!(read, paged,);

const FIRST_PAGE: u64 = 7;

/// Writes a file on pages of `page_len` bytes, behind a header and over older content.
fn write(
    page_len: u32,
    with: impl FnOnce(&mut ours::Encoder<Cursor<Vec<u8>>>),
) -> paged::Reader<Cursor<Vec<u8>>> {
    let mut output = Cursor::new(vec![0xee; 1 << 16]);
    output.write_all(&[0xdd; FIRST_PAGE as usize]).unwrap();
    let mut encoder = ours::Encoder::new(output, page_len);
    with(&mut encoder);
    let input = encoder.end().unwrap();
    let len = input.position() as usize;
    let mut bytes = input.into_inner();
    bytes.truncate(len);
    published(bytes, page_len, FIRST_PAGE)
}

/// The published reader of a file whose pages begin at `first_page`.
fn published(bytes: Vec<u8>, page_len: u32, first_page: u64) -> paged::Reader<Cursor<Vec<u8>>> {
    let mut input = Cursor::new(bytes);
    input.set_position(first_page);
    paged::Reader::new(input, page_len, first_page as u32)
}

/// The handle that a header of one's own would hold.
fn handle<T>(section: ours::Section<impl Sized>) -> paged::Section<T> {
    handle_of(section.page_offset(), section.entry_count())
}

fn handle_of<T>(page_offset: u32, entry_count: u32) -> paged::Section<T> {
    let bytes = [page_offset.to_be_bytes(), entry_count.to_be_bytes()].concat();
    paged::Decode::<()>::decode(&mut bytes.as_slice(), &mut ()).unwrap()
}

fn heap_handle(heap: ours::HeapSection) -> paged::HeapSection {
    paged::HeapSection { page_offset: heap.page_offset, page_count: heap.page_count }
}

const NO_HEAP: paged::HeapSection = paged::HeapSection { page_offset: 0, page_count: 0 };

/// All entries, in turn and one by one.
fn check<T>(
    reader: &paged::Reader<Cursor<Vec<u8>>>,
    section: paged::Section<T>,
    heap: paged::HeapSection,
    expected: &[T],
) where
    T: paged::EncodeSized + paged::DecodeFromHeap + Debug + Clone + PartialEq + 'static,
{
    let cache = paged::Cache::default();
    let read: Vec<T> =
        reader.iter(section, &cache, heap).map(|entry| (*entry.unwrap()).clone()).collect();
    assert_eq!(read, expected);
    for (index, expected) in (0..).zip(expected) {
        let entry = reader.get(section, &cache, &mut (), heap, index).unwrap().unwrap();
        assert_eq!(&*entry, expected);
    }
    let past = reader.get(section, &cache, &mut (), heap, expected.len() as u32).unwrap();
    assert!(past.is_none());
}

/// Numbers of every width, the least and the largest of each among them.
macro_rules! numbers {
    ($module:ident, $count:expr) => {
        (0..$count)
            .map(|i: i64| {
                let n = match i {
                    0 => 0,
                    1 => i128::MAX,
                    2 => i128::MIN,
                    3 => -1,
                    _ => i128::from(i) * 0x0123_4567_89ab_cdef_0123_4567_89ab,
                };
                // The upper bits: those of the extremes are extremes in each width.
                let top = |bits: u32| n >> (128 - bits);
                $module::Numbers {
                    unsigned: (top(8) as u8, top(16) as u16),
                    wider: (top(32) as u32, top(64) as u64),
                    widest: n as u128,
                    small: (top(8) as i8, top(16) as i16),
                    signed: (top(32) as i32, top(64) as i64),
                    last: n,
                }
            })
            .collect::<Vec<_>>()
    };
}

#[test]
fn numbers_on_pages_of_any_length() {
    for page_len in [62, 63, 123, 124, 128, 187, 1000, 4096] {
        for count in [0, 1, 2, 33, 200] {
            let written = numbers!(written, count);
            let mut section = None;
            let reader = write(page_len, |encoder| {
                section =
                    Some(encoder.section_from_iter(&mut ours::Heap::new(), &written).unwrap());
            });
            check(&reader, handle(section.unwrap()), NO_HEAP, &numbers!(read, count));
        }
    }
}

#[test]
fn texts_options_and_pairs_with_two_heaps() {
    let words = |seed: u32| -> (Vec<written::Word>, Vec<read::Word>) {
        (0..60_u32)
            .map(|i| {
                let text = "tree".repeat((i * seed % 5) as usize);
                let note = i.is_multiple_of(3).then(|| format!("note {i}"));
                let seen = (i % 4 > 0).then_some((i as u16, -(i as i8)));
                let word = written::Word { text: text.clone(), note: note.clone(), seen };
                (word, read::Word { text, note, seen })
            })
            .unzip()
    };
    let (first, second) = (words(1), words(7));
    let mut handles = Vec::new();
    let reader = write(100, |encoder| {
        for words in [&first.0, &second.0] {
            let mut heap = ours::Heap::new();
            let section = encoder.section_from_iter(&mut heap, words).unwrap();
            handles.push((section, encoder.add_heap(heap).unwrap()));
        }
    });
    for ((section, heap), (_, expected)) in handles.into_iter().zip([first, second]) {
        check(&reader, handle(section), heap_handle(heap), &expected);
    }
}

#[test]
fn enums_of_unequal_variants_inside_nested_sections() {
    let shapes = |count: u32| -> (Vec<written::Shape>, Vec<read::Shape>) {
        (0..count)
            .map(|i| match i % 3 {
                0 => (written::Shape::Dot, read::Shape::Dot),
                1 => (written::Shape::Line(i), read::Shape::Line(i)),
                _ => (written::Shape::Box { w: i, h: 1 }, read::Shape::Box { w: i, h: 1 }),
            })
            .unzip()
    };
    let mut outer = None;
    let reader = write(48, |encoder| {
        let mut heap = ours::Heap::new();
        let groups: Vec<_> = (0..9)
            .map(|id| {
                let shapes = encoder.section_from_iter(&mut heap, &shapes(id * 4).0).unwrap();
                written::Group { id, shapes }
            })
            .collect();
        outer = Some(encoder.section_from_iter(&mut heap, &groups).unwrap());
    });
    let cache = paged::Cache::default();
    let mut count = 0;
    for group in reader.iter::<read::Group>(handle(outer.unwrap()), &cache, NO_HEAP) {
        let group = group.unwrap();
        check(&reader, group.shapes, NO_HEAP, &shapes(group.id * 4).1);
        count += 1;
    }
    assert_eq!(count, 9);
}

#[test]
fn sorted_sections_are_searched() {
    let keys: Vec<u64> = (0..1000).map(|i| i * 3).collect();
    let mut section = None;
    let reader = write(100, |encoder| {
        section = Some(encoder.section_from_iter(&mut ours::Heap::new(), &keys).unwrap());
    });
    let section = handle::<u64>(section.unwrap());
    let cache = paged::Cache::default();
    for wanted in 0..3010_u64 {
        let order = |key: &u64, _: &()| -> Ordering { key.cmp(&wanted) };
        let found = reader.binary_search_by_key(section, &cache, &mut (), NO_HEAP, order).unwrap();
        assert_eq!(found.map(|key| *key), (wanted % 3 == 0 && wanted < 3000).then_some(wanted));
    }
}

/// Notes with and without their parts, some with long texts.
macro_rules! notes {
    ($module:ident) => {
        (0..70_u64)
            .map(|i| $module::Note {
                number: i * i,
                text: "page".repeat((i % 50) as usize),
                reply: (i % 3 == 1).then(|| format!("reply {i}")),
                answers: (i % 4 == 2).then_some(-(i as i16)),
            })
            .collect::<Vec<_>>()
    };
}

#[test]
fn the_pages_of_a_container_are_plain_ones() {
    for page_len in [64, 256, 4096, 16384] {
        let mut writer = ours::container::Writer::new(Vec::new(), page_len).unwrap();
        let numbers = numbers!(written, 90);
        let mut texts = writer.new_heap("texts").unwrap();
        let mut section = writer.begin_section::<written::Note>("notes", &mut texts).unwrap();
        for note in &notes!(written) {
            section.push(&(), note).unwrap();
        }
        section.end().unwrap();
        writer.add_heap(texts).unwrap();
        let mut section =
            writer.begin_section::<written::Numbers>("numbers", ours::container::NO_HEAP).unwrap();
        for number in &numbers {
            section.push(&(), number).unwrap();
        }
        section.end().unwrap();
        let bytes = writer.finish().unwrap();

        let container = ours::container::Container::new(bytes.as_slice()).unwrap();
        let (mut sections, mut heap) = (Vec::new(), NO_HEAP);
        for item in container.items() {
            match &item.kind {
                ours::container::ItemKind::Section(section) => {
                    sections.push((section.page_offset, section.entry_count));
                }
                ours::container::ItemKind::Heap(found) => {
                    let page_count = found.byte_len.div_ceil(u64::from(page_len)) as u32;
                    heap = paged::HeapSection { page_offset: found.page_offset, page_count };
                }
                other => panic!("{other:?}"),
            }
        }
        let first_page = container.reader().layout().first_page_offset();
        let reader = published(bytes.clone(), page_len, first_page);
        let [(notes_at, notes), (numbers_at, numbers)] = sections[..] else {
            panic!("two sections")
        };
        check(&reader, handle_of(notes_at, notes), heap, &notes!(read));
        check(&reader, handle_of(numbers_at, numbers), NO_HEAP, &numbers!(read, 90));
    }
}

#[test]
fn what_the_published_crate_writes_is_read() {
    for page_len in [100, 4096] {
        let mut output = Cursor::new(Vec::new());
        output.set_position(FIRST_PAGE);
        let mut encoder = paged::Encoder::new(output, page_len);
        let mut heap = paged::Heap::new();
        let section = encoder.section_from_iter(&mut heap, &notes!(read)).unwrap();
        let heap = encoder.add_heap(heap).unwrap();
        let bytes = encoder.end().into_inner();

        let reader = ours::Reader::new(bytes, page_len, FIRST_PAGE).unwrap();
        let section = ours::Section::new(section.page_offset(), section.entry_count());
        let heap = ours::HeapSection { page_offset: heap.page_offset, page_count: heap.page_count };
        let entries = reader.entries::<written::Note>(section, Some(heap)).unwrap();
        let notes: Vec<_> = entries.iter().map(Result::unwrap).collect();
        assert_eq!(notes, notes!(written));
    }
}
