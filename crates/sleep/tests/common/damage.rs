//! The damages that the JavaScript packages were tried with, done to the bytes of a feed of ten blocks.
//!
//! Knows files by name and nothing of the crate under test, so that programs above it can be tried with
//! the same.

use std::collections::BTreeMap;
use std::ops::Range;

/// The files of a feed by name.
pub(crate) type FeedFiles = BTreeMap<&'static str, Vec<u8>>;

const NAMES: [&str; 6] = ["key", "secret_key", "data", "tree", "signatures", "bitfield"];

/// Where the arrays of the first page begin.
const DATA_BITS: usize = 32;
const TREE_BITS: usize = DATA_BITS + 1024;
const INDEX: usize = TREE_BITS + 2048;

/// Where a node begins.
pub(crate) const fn node(index: usize) -> usize {
    32 + 40 * index
}

/// Where the slot of a signature begins.
const fn slot(index: usize) -> usize {
    32 + 64 * index
}

/// The names of all cases, in the order in which they were first tried.
pub(crate) fn cases() -> Vec<String> {
    let known = include_str!("../vectors/open-behaviour.json");
    let known: serde_json::Value = serde_json::from_str(known).unwrap();
    let mut cases: Vec<String> = Vec::new();
    for release in known["releases"].as_object().unwrap().values() {
        for case in release.as_object().unwrap().keys() {
            if !cases.contains(case) {
                cases.push(case.clone());
            }
        }
    }
    cases
}

/// Damages the files as the name of the case says; whether there is such a thing here. `other` is what
/// another feed has in `secret_key`: its seed and its key.
pub(crate) fn damage(files: &mut FeedFiles, case: &str, other: &[u8; 64]) -> bool {
    let mut set = |name: &str, at: usize, bytes: &[u8]| {
        files.get_mut(name).unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
    };
    let whole = case.split_once(' ').filter(|(name, _)| NAMES.contains(name));
    match (whole, case) {
        (_, "intact" | "another key given") => {}
        (_, "another key given, force true" | "overwrite true") => return false,
        (_, "directory empty" | "directory empty, createIfMissing false") => files.clear(),
        (_, "key and secret_key missing") => {
            files.remove("key");
            files.remove("secret_key");
        }
        (Some((name, what)), _) if what == "missing" || what.starts_with("missing,") => {
            files.remove(name);
        }
        (_, "key file holds another key") => set("key", 0, &other[32..]),
        (_, "secret_key of another pair") => set("secret_key", 0, other),
        (_, "tree leaf 4 size changed") => set("tree", node(8) + 39, &[3]),
        (_, "tree header version 1") => set("tree", 4, &[1]),
        (_, "tree header entry size 41") => set("tree", 5, &[0, 41]),
        (_, "tree header algorithm name BLAKE2x") => set("tree", 8, b"BLAKE2x"),
        (_, "tree header padding not zero") => set("tree", 31, &[1]),
        (_, "bitfield header type 1") => set("bitfield", 3, &[1]),
        (_, "bitfield header page size 3328 over 3584 pages") => set("bitfield", 5, &[0x0d, 0]),
        (_, "bitfield header page size 0") => set("bitfield", 5, &[0, 0]),
        (_, "bitfield header page size 3072") => set("bitfield", 5, &[0x0c, 0]),
        (_, "bitfield header page size 100") => set("bitfield", 5, &[0, 100]),
        (_, "bitfield data bit 10 set") => or(files, DATA_BITS + 1, 0x20),
        (_, "bitfield tree bit 20 set") => or(files, TREE_BITS + 2, 0x08),
        (_, "bitfield tree bits 20 and 22 set") => or(files, TREE_BITS + 2, 0x0a),
        (_, "key 33 bytes") => files.get_mut("key").unwrap().push(7),
        (_, "data has extra bytes") => files.get_mut("data").unwrap().extend(b"extra"),
        (Some((name, "empty")), _) => files.get_mut(name).unwrap().clear(),
        _ => {
            if let Some((name, len)) = cut(case) {
                files.get_mut(name).unwrap().truncate(len);
            } else if let Some((name, range)) = zeroed(case) {
                files.get_mut(name).unwrap()[range].fill(0);
            } else {
                let (name, at) = flipped(case).unwrap_or_else(|| panic!("unknown case: {case}"));
                files.get_mut(name).unwrap()[at] ^= 0xa9;
            }
        }
    }
    true
}

fn or(files: &mut FeedFiles, at: usize, mask: u8) {
    files.get_mut("bitfield").unwrap()[at] |= mask;
}

/// The file that is cut, and to how many bytes.
fn cut(case: &str) -> Option<(&'static str, usize)> {
    Some(match case {
        "key 31 bytes" => ("key", 31),
        "secret_key 63 bytes" => ("secret_key", 63),
        "data lacks last byte" => ("data", 19),
        "tree lacks last leaf (block 9)" => ("tree", node(18)),
        "tree ends inside last leaf" => ("tree", node(18) + 20),
        "tree lacks leaves 8 and 9" => ("tree", node(16)),
        "last signature cut" => ("signatures", slot(9)),
        "last signature cut in half" => ("signatures", slot(9) + 32),
        "bitfield header only 20 bytes" => ("bitfield", 20),
        "bitfield cut to 32" => ("bitfield", 32),
        "bitfield page cut to 500 bytes" => ("bitfield", 32 + 500),
        "bitfield page cut to 2000 bytes" => ("bitfield", 32 + 2000),
        _ => return None,
    })
}

/// The file of which a range of bytes becomes zero.
fn zeroed(case: &str) -> Option<(&'static str, Range<usize>)> {
    Some(match case {
        "tree root 7 zeroed" => ("tree", node(7)..node(8)),
        "tree root 17 zeroed" => ("tree", node(17)..node(18)),
        "tree leaf 18 zeroed" => ("tree", node(18)..node(19)),
        "last signature zeroed" => ("signatures", slot(9)..slot(10)),
        "bitfield all bits zero" => ("bitfield", DATA_BITS..INDEX + 512),
        "bitfield tree bits zero" => ("bitfield", TREE_BITS..INDEX),
        "bitfield data bits zero" => ("bitfield", DATA_BITS..TREE_BITS),
        "bitfield index bits zero" => ("bitfield", INDEX..INDEX + 512),
        _ => return None,
    })
}

/// The file of which a byte is another one.
fn flipped(case: &str) -> Option<(&'static str, usize)> {
    Some(match case {
        "data byte flipped (block 4)" => ("data", 9),
        "tree root 7 hash flipped" => ("tree", node(7)),
        "tree leaf 4 hash flipped" => ("tree", node(8)),
        "tree header magic wrong" => ("tree", 0),
        "signatures header magic wrong" => ("signatures", 0),
        "last signature flipped" => ("signatures", slot(9)),
        "bitfield header magic wrong" => ("bitfield", 0),
        _ => return None,
    })
}
