//! The worked example of `docs/format/mappedpages.md`, read and written by the code it documents.

use std::collections::BTreeSet;

use super::disk::Disk;
use super::session::Session;
use crate::engine::Engine as _;
use crate::medium::Medium as _;

const PAGE: &str = include_str!("../../../../../docs/format/mappedpages.md");

/// The bytes of the example.
fn example() -> Vec<u8> {
    let mut file = vec![0; 16 * 1024];
    for (page, byte) in [(3, 7), (4, 0x2a), (9, 7)] {
        file[page * 1024..][..1024].fill(byte);
    }
    let (_, rest) = PAGE.split_once("```hex example\n").expect("the example");
    let (block, _) = rest.split_once("```").expect("its end");
    let mut seen = BTreeSet::new();
    for line in block.lines() {
        let mut parts = line.split("  ");
        let offset = usize::from_str_radix(parts.next().unwrap(), 16).unwrap();
        assert!(seen.insert(offset), "{line}");
        for (at, byte) in (offset..).zip(parts.next().unwrap().split(' ')) {
            file[at] = u8::from_str_radix(byte, 16).unwrap();
        }
    }
    file
}

#[test]
fn the_example_is_written() {
    let mut session = Session::<1024>::create();
    let page = session.alloc();
    let id = session.alloc_protected();
    session.fill_protected(id, 0x2a);
    session.fill_page(page, 7);
    session.commit();
    let len = session.disk.len().unwrap();
    let file = session.disk.bytes(0, len as usize);
    for (sector, (written, expected)) in file.chunks(512).zip(example().chunks(512)).enumerate() {
        assert_eq!(written, expected, "sector {sector}");
    }
    assert_eq!(file.len(), example().len());
}

#[test]
fn the_example_is_read() {
    let disk = Disk::default();
    disk.grow(16 * 1024).unwrap();
    disk.write_at(0, &example()).unwrap();
    let session = Session::<1024>::open(disk).unwrap();
    assert_eq!(session.engine.generation(), 2);
    assert!(session.recovery.unclean && session.recovery.rolled_back.is_none());
    let holdings = session.holdings().unwrap();
    assert_eq!(holdings.regular.into_iter().collect::<Vec<_>>(), [(3, vec![7; 1024])]);
    assert_eq!(holdings.protected.into_iter().collect::<Vec<_>>(), [(0, vec![0x2a; 1024])]);
    session.check();
}
