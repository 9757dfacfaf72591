//! The page on the format tells the truth: its example is what is written, and is read.

mod common;

use std::error::Error;

use common::Stores;
use flat_tree::Index;
use hypercore_crypto::KeyPair;
use sleep::{Access, Feed, FileName, SignatureForm};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/sleep.md"));

/// Bytes of the bitfield of the example: a header and one page.
const BITFIELD_LEN: usize = 32 + 3584;

/// The files of the example: zeros, and the lines of their blocks.
fn example() -> Stores {
    let stores = Stores::default();
    for name in FileName::ALL {
        let (_, rest) = PAGE.split_once(&format!("```hex {name}\n")).expect("the example");
        let (block, _) = rest.split_once("```").expect("its end");
        let mut file = Vec::new();
        for line in block.lines() {
            let (bytes, _remark) = line.split_once("  ").expect("a remark");
            let (offset, digits) = bytes.split_once(' ').expect("bytes");
            let offset = usize::from_str_radix(offset.trim_start_matches("0x"), 16).expect("hex");
            assert!(offset >= file.len(), "lines in order");
            file.resize(offset, 0);
            for pair in digits.as_bytes().chunks(2) {
                let pair = std::str::from_utf8(pair).expect("ASCII");
                file.push(u8::from_str_radix(pair, 16).expect("hex"));
            }
        }
        if name == FileName::Bitfield {
            file.resize(BITFIELD_LEN, 0);
        }
        stores.set(name, &file);
    }
    stores
}

#[test]
fn the_example_is_what_is_written() -> Result<(), Box<dyn Error>> {
    let written = Stores::default();
    let pair = KeyPair::from_seed(&[7; 32]);
    let options = Feed::options().access(Access::Create).key_pair(pair);
    let mut feed = options.open(written.clone())?;
    feed.append(&["ape"])?;
    feed.append(&["", "eel"])?;
    let (written, said) = (written.all(), example().all());
    for name in FileName::ALL {
        let (written, said) = (&written[&name], &said[&name]);
        let differs = written.iter().zip(said).position(|(written, said)| written != said);
        assert_eq!((differs, written.len()), (None, said.len()), "{name}");
    }
    Ok(())
}

#[test]
fn the_example_is_read() -> Result<(), Box<dyn Error>> {
    let feed = Feed::options().access(Access::Read).open(example())?;
    assert_eq!((feed.length(), feed.byte_length()), (3, 6));
    let blocks: Vec<Vec<u8>> = feed.blocks(0..3)?.collect::<Result<_, _>>()?;
    assert_eq!(blocks, [b"ape".as_slice(), b"", b"eel"]);
    let roots: Vec<Index> = feed.roots().iter().map(|root| root.index).collect();
    assert_eq!(roots, [1, 4].map(Index::new));
    assert_eq!(feed.seek(3)?, (2, 0));
    for slot in [0, 2] {
        assert_eq!(feed.verify_signature(slot)?, Some(SignatureForm::WithLength));
    }
    assert_eq!(feed.signature(1)?.map(|(slot, _)| slot), Some(2));
    // Every line says what it is, down to the last byte of the hashes.
    let tree_hash = feed.tree_hash().ok_or("roots")?.to_string();
    assert!(PAGE.contains(&tree_hash), "{tree_hash}");
    assert!(PAGE.contains(&feed.discovery_key().to_string()));
    Ok(())
}
