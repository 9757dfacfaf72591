//! Clearing: blocks go, their hashes stay.

mod common;

use common::{Stores, golden};
use hypercore_crypto::KeyPair;
use sleep::{Error, FileName, PageSize};

/// A feed of 100 blocks written as `v9-cleared` was.
fn whole() -> Stores {
    let golden = golden("v9-cleared");
    let stores = Stores::default();
    let mut feed = stores.create(&golden.pair().unwrap());
    let blocks: Vec<_> = (0..100).map(|block| golden.block(block)).collect();
    for batch in blocks.chunks(10) {
        feed.append(batch).unwrap();
    }
    stores
}

#[test]
fn clearing_gives_the_bytes_that_the_packages_give() {
    let golden = golden("v9-cleared");
    let stores = whole();
    let mut feed = stores.write();
    for range in golden.ranges("cleared") {
        feed.clear(range).unwrap();
    }
    assert_eq!(feed.present().collect::<Vec<_>>(), golden.ranges("blocks_present"));
    for name in FileName::ALL.into_iter().filter(|name| *name != FileName::Data) {
        assert!(stores.bytes(name) == golden.stores.bytes(name), "{name}");
    }
    // The packages leave the bytes in the middle where they were; here they are given back.
    let (ours, theirs) =
        (stores.bytes(FileName::Data).unwrap(), golden.stores.bytes(FileName::Data).unwrap());
    assert_eq!(ours.len(), theirs.len());
    for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let (block, _) = feed.seek(at as u64).unwrap();
        assert_eq!(*ours, if feed.has(block) { *theirs } else { 0 });
    }
}

#[test]
fn cleared_blocks_are_absent_and_come_back_with_their_proof() {
    let source = whole().read();
    let stores = whole();
    let mut feed = stores.write();
    feed.clear(3..7).unwrap();
    feed.clear(5..90).unwrap();
    feed.clear(90..90).unwrap();
    for block in 3..90 {
        assert!(matches!(feed.get(block), Err(Error::NotStored { .. })));
    }
    feed.put(40, &source.get(40).unwrap(), &source.proof(40).unwrap()).unwrap();
    for feed in [feed, stores.read()] {
        assert_eq!(feed.present().collect::<Vec<_>>(), vec![0..3, 40..41, 90..100]);
        for block in feed.present().flatten() {
            assert_eq!(feed.get(block).unwrap(), source.get(block).unwrap());
        }
    }
}

#[test]
fn a_feed_whose_blocks_are_all_cleared_goes_on() {
    let stores = whole();
    let mut feed = stores.write();
    feed.clear(0..100).unwrap();
    assert_eq!(stores.bytes(FileName::Data).unwrap().len(), 0);
    drop(feed);
    let mut feed = stores.write();
    feed.append(&["after"]).unwrap();
    assert_eq!(feed.get(100).unwrap(), b"after");
    assert_eq!(stores.read().present().collect::<Vec<_>>(), vec![100..101]);
}

#[test]
fn what_cannot_be_cleared_changes_nothing() {
    let stores = whole();
    let before = stores.all();
    assert!(matches!(stores.write().clear(0..101), Err(Error::OutOfBounds { .. })));
    assert!(matches!(stores.read().clear(0..1), Err(Error::ReadOnly)));
    assert!(stores.all() == before);
}

/// Where blocks lie that are lost can be unknown; that they are to be forgotten is not.
#[test]
fn blocks_of_a_lost_file_can_be_cleared() {
    let stores = whole();
    stores.remove(FileName::Data);
    stores.write().clear(0..100).unwrap();
    let mut feed = stores.write();
    feed.append(&["after"]).unwrap();
    assert_eq!(feed.get(100).unwrap(), b"after");
}

#[test]
fn clearing_crosses_pages() {
    let pair = KeyPair::from_seed(&[3; 32]);
    let stores = Stores::default();
    let mut feed = stores.create(&pair);
    let blocks: Vec<_> = (0..20_000_u64).map(|block| block.to_be_bytes()).collect();
    feed.append(&blocks).unwrap();
    feed.clear(8000..17_000).unwrap();
    for feed in [&feed, &stores.read()] {
        assert_eq!(feed.present().collect::<Vec<_>>(), vec![0..8000, 17_000..20_000]);
        assert_eq!(feed.get(17_000).unwrap(), 17_000_u64.to_be_bytes());
    }
    let bits = stores.bytes(FileName::Bitfield).unwrap();
    assert_eq!(bits.len(), 32 + 3 * PageSize::Bytes3584.bytes());
}
