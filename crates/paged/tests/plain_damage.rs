//! A plain file has no checksums: damage gives other values or errors, never more, and a handle that leads out of the
//! file is refused before anything is read.

mod support;

use std::io::Cursor;

use paged::{Encoder, Heap, HeapSection, ReadError, Reader, Section};
use proptest::prelude::*;
use support::{Person, Positioned, person};

const PAGE_LEN: u32 = 64;

fn file() -> (Vec<u8>, Section<Person>, HeapSection) {
    let mut encoder = Encoder::new(Cursor::new(Vec::new()), PAGE_LEN);
    let mut heap = Heap::new();
    let persons: Vec<Person> = (0..30).map(person).collect();
    let section = encoder.section_from_iter(&mut heap, &persons).unwrap();
    let heap = encoder.add_heap(heap).unwrap();
    (encoder.end().unwrap().into_inner(), section, heap)
}

#[test]
fn handles_that_lead_out_of_the_file_are_refused() {
    let (file, section, heap) = file();
    let reader = Reader::new(file.as_slice(), PAGE_LEN, 0).unwrap();
    let outside = |section, heap| {
        let refused = reader.entries::<Person>(section, Some(heap));
        assert!(matches!(refused, Err(ReadError::OutsideFile { .. } | ReadError::Layout(_))));
    };
    for first in [1000, u32::MAX] {
        outside(Section::new(first, 1), heap);
        outside(section, HeapSection { page_offset: first, page_count: 1 });
    }
    for count in [1000, u32::MAX] {
        outside(Section::new(0, count), heap);
        outside(section, HeapSection { page_offset: 0, page_count: count });
    }
    // Pages of another length: entries do not fit, or lie elsewhere.
    let reader = Reader::new(file.as_slice(), 10, 0).unwrap();
    assert!(matches!(reader.entries(section, Some(heap)), Err(ReadError::Layout(_))));
    assert!(matches!(Reader::new(file.as_slice(), 0, 0), Err(ReadError::Layout(_))));
    assert!(matches!(Reader::new(file.as_slice(), 1, u64::MAX), Err(ReadError::Layout(_))));
}

#[test]
fn a_cut_file_is_told_from_one_without_padding() {
    let (file, section, heap) = file();
    let start = heap.page_offset as usize * PAGE_LEN as usize;
    let last = start + (heap.page_count as usize - 1) * PAGE_LEN as usize;
    for len in 0..=file.len() {
        let reader = Reader::new(&file[..len], PAGE_LEN, 0).unwrap();
        let entries = reader.entries(section, Some(heap));
        assert_eq!(entries.is_ok(), len > last, "cut to {len}");
    }
}

proptest! {
    #[test]
    fn edits_never_do_more_than_change_values(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        first_page in 0_u32..20,
        count in 0_u32..60,
        heap_page in 0_u32..20,
        heap_pages in 0_u32..20,
    ) {
        let (mut file, ..) = file();
        for (place, byte) in edits {
            let place = place.index(file.len());
            file[place] = byte;
        }
        let heap = HeapSection { page_offset: heap_page, page_count: heap_pages };
        let section = Section::<Person>::new(first_page, count);
        let in_memory = Reader::new(file.as_slice(), PAGE_LEN, 0).unwrap();
        let positioned = Reader::new(Positioned(file.clone()), PAGE_LEN, 0).unwrap();
        let pair =
            (in_memory.entries(section, Some(heap)), positioned.entries(section, Some(heap)));
        prop_assert_eq!(pair.0.is_ok(), pair.1.is_ok());
        let (Ok(in_memory), Ok(positioned)) = pair else { return Ok(()) };
        for index in 0..count {
            let (one, other) = (in_memory.get(index), positioned.get(index));
            prop_assert_eq!(one.map_err(|error| error.to_string()).ok(), other.ok());
        }
        prop_assert_eq!(in_memory.iter().count(), count as usize);
        let searched = in_memory.binary_search_by_key(&7, |person| person.id);
        drop(searched);
    }
}
