//! What we write in the plain form is read by `paged` 0.1.1, where its reader is right: not in lists,
//! of which it returns the first element as often as there are elements.
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
            pub struct Numbers(pub u8, pub i16, pub u32, pub i64, pub u128);

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
    let mut input = encoder.end().unwrap();
    let len = input.position() as usize;
    input.get_mut().truncate(len);
    input.set_position(FIRST_PAGE);
    paged::Reader::new(input, page_len, FIRST_PAGE as u32)
}

/// The handle that a header of one's own would hold.
fn handle<T>(section: ours::Section<impl Sized>) -> paged::Section<T> {
    let mut bytes = section.page_offset().to_be_bytes().to_vec();
    bytes.extend(section.entry_count().to_be_bytes());
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

#[test]
fn numbers_on_pages_of_any_length() {
    for page_len in [31, 32, 61, 62, 64, 93, 1000, 4096] {
        for count in [0, 1, 2, 33, 200] {
            let written: Vec<_> = (0..count)
                .map(|i: i64| {
                    written::Numbers(i as u8, -i as i16, i as u32 * 7, i << 40, i as u128 * 3 << 70)
                })
                .collect();
            let expected: Vec<_> =
                written.iter().map(|n| read::Numbers(n.0, n.1, n.2, n.3, n.4)).collect();
            let mut section = None;
            let reader = write(page_len, |encoder| {
                section =
                    Some(encoder.section_from_iter(&mut ours::Heap::new(), &written).unwrap());
            });
            check(&reader, handle(section.unwrap()), NO_HEAP, &expected);
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
