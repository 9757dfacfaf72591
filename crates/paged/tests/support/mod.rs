//! What several tests of reading need: a source that is not in memory, and one container with all there is.
#![allow(dead_code, reason = "each test uses a part")]

use std::io;

use paged::container::{NO_HEAP, Writer};
use paged::{Paged, Source};

/// Bytes behind positioned reads.
#[derive(Debug, Clone)]
pub(crate) struct Positioned(pub(crate) Vec<u8>);

impl Source for Positioned {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, into)
    }
}

/// An entry with parts on a heap.
#[derive(Paged, Debug, Clone, PartialEq)]
#[paged(heap)]
pub(crate) struct Person {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) scores: Vec<u16>,
    pub(crate) nick: Option<u8>,
}

/// The person at a place.
pub(crate) fn person(index: u32) -> Person {
    let count = index as usize % 7;
    Person {
        id: index * 3,
        name: "abcdefghij".repeat(count),
        scores: (0..count as u16).map(|score| score * 1000 + index as u16).collect(),
        nick: (!index.is_multiple_of(3)).then_some(index as u8),
    }
}

/// A container with `count` numbers, as many persons, an empty section and an empty heap.
pub(crate) fn container(page_len: u32, count: u32) -> Vec<u8> {
    let mut writer = Writer::new(io::Cursor::new(Vec::new()), page_len).unwrap();
    let mut numbers = writer.begin_section::<u64>("numbers", NO_HEAP).unwrap();
    for index in 0..count {
        numbers.push(&(), &(u64::from(index) * 7)).unwrap();
    }
    numbers.end().unwrap();
    let mut texts = writer.new_heap("texts").unwrap();
    let mut persons = writer.begin_section::<Person>("persons", &mut texts).unwrap();
    for index in 0..count {
        persons.push(&(), &person(index)).unwrap();
    }
    persons.end().unwrap();
    writer.add_heap(texts).unwrap();
    writer.begin_section::<u8>("nothing", NO_HEAP).unwrap().end().unwrap();
    let empty = writer.new_heap("empty").unwrap();
    writer.add_heap(empty).unwrap();
    writer.finish().unwrap().into_inner()
}
