//! A container that is not as it was written says so: every bit of it is covered.

mod support;

use paged::container::{Container, OpenError};
use paged::{ReadError, ReadOptions, Source};
use support::{Person, Positioned, container, person};

const PAGE_LEN: u32 = 64;
const COUNT: u32 = 24;

/// Reads all there is. `Ok` only when it is what was written.
fn read_all<S: Source>(source: S) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let container = Container::new(source).map_err(|error| text(&error))?;
    let numbers = container.section::<u64>("numbers").map_err(|error| text(&error))?;
    let persons = container.section::<Person>("persons").map_err(|error| text(&error))?;
    assert_eq!((numbers.len(), persons.len()), (COUNT, COUNT));
    for index in 0..COUNT {
        let number = numbers.get(index).map_err(|error| text(&error))?;
        assert_eq!(number, Some(u64::from(index) * 7));
        assert_eq!(persons.get(index).map_err(|error| text(&error))?, Some(person(index)));
    }
    let all: Result<Vec<_>, _> = persons.iter().rev().collect();
    assert_eq!(all.map_err(|error| text(&error))?.len(), COUNT as usize);
    container.verify().map_err(|error| text(&error))
}

#[test]
fn every_flipped_bit_is_found() {
    let whole = container(PAGE_LEN, COUNT);
    read_all(whole.as_slice()).unwrap();
    read_all(Positioned(whole.clone())).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(read_all(damaged.as_slice()).is_err(), "bit {bit}, in memory");
        assert!(read_all(Positioned(damaged)).is_err(), "bit {bit}, positioned");
    }
}

#[test]
fn every_cut_and_every_addition_is_found() {
    let whole = container(PAGE_LEN, COUNT);
    for len in 0..whole.len() {
        assert!(Container::new(&whole[..len]).is_err(), "cut to {len}");
    }
    for extra in [1, 48, 64, 1000] {
        let longer = [whole.as_slice(), &vec![0; extra]].concat();
        assert!(Container::new(longer.as_slice()).is_err(), "{extra} bytes more");
    }
    // Another file's end looks right by itself.
    let twice = [whole.as_slice(), &whole].concat();
    assert!(matches!(Container::new(twice.as_slice()), Err(OpenError::Length { .. })));
}

#[test]
fn two_pages_in_each_others_place_are_found() {
    let whole = container(PAGE_LEN, COUNT);
    let page = |number: usize| (number + 1) * PAGE_LEN as usize;
    let mut swapped = whole.clone();
    swapped[page(0)..page(1)].copy_from_slice(&whole[page(1)..page(2)]);
    swapped[page(1)..page(2)].copy_from_slice(&whole[page(0)..page(1)]);
    for source in [&swapped.as_slice() as &dyn Source, &Positioned(swapped.clone())] {
        let container = Container::new(source).unwrap();
        let numbers = container.section::<u64>("numbers").unwrap();
        assert!(matches!(numbers.get(0), Err(ReadError::Checksum { page: 0 })));
        assert!(matches!(numbers.get(8), Err(ReadError::Checksum { page: 1 })));
        assert_eq!(numbers.get(16).unwrap(), Some(16 * 7), "what is whole is read");
        let entries: Vec<bool> = numbers.iter().map(|entry| entry.is_ok()).collect();
        assert_eq!(entries.iter().filter(|is_read| !**is_read).count(), 16);
        assert!(entries[16..].iter().all(|is_read| *is_read));
        let backwards = numbers.iter().rev().filter(Result::is_ok).count();
        assert_eq!(backwards, COUNT as usize - 16);
        assert!(matches!(container.verify(), Err(ReadError::Checksum { page: 0 })));
    }
}

#[test]
fn pages_of_every_length_and_cache() {
    for page_len in [64, 128, 1024, 4096, 8192, 65_536, 1 << 20] {
        let whole = container(page_len, 3000);
        for cache_limit in [0, 1, 16 << 10, 8 << 20] {
            let options = ReadOptions::new().cache_limit(cache_limit);
            let source = Positioned(whole.clone());
            let container = Container::with_options(source, options).unwrap();
            let persons = container.section::<Person>("persons").unwrap();
            for index in (0..3000).step_by(97) {
                assert_eq!(persons.get(index).unwrap(), Some(person(index)));
            }
            let numbers = container.section::<u64>("numbers").unwrap();
            let all: Vec<u64> = numbers.iter().map(Result::unwrap).collect();
            assert!(all.iter().zip(0..3000).all(|(number, index)| *number == index * 7));
            container.verify().unwrap();
            assert!(container.reader().cached() <= cache_limit);
        }
    }
}

#[test]
fn the_wrong_name_and_the_wrong_type_are_said() {
    let whole = container(PAGE_LEN, COUNT);
    let container = Container::new(whole.as_slice()).unwrap();
    assert!(matches!(container.section::<u64>("number"), Err(OpenError::NoSection { .. })));
    assert!(matches!(container.section::<u64>("texts"), Err(OpenError::NoSection { .. })));
    assert!(matches!(container.heap("numbers"), Err(OpenError::NoHeap { .. })));
    let wrong = container.section::<i64>("numbers").unwrap_err();
    assert!(matches!(wrong, OpenError::WrongType { .. }));
    assert_eq!(wrong.to_string(), r#"section "numbers" holds u64, not i64"#);
    assert!(container.heap("empty").unwrap().is_empty());
    assert!(container.section::<u8>("nothing").unwrap().get(0).unwrap().is_none());
}
