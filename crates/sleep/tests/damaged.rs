//! Every damaged directory that the JavaScript packages were tried with, and what becomes of it here.
//!
//! The table in `src/damaged.md` is part of the crate's documentation; this test makes each row again.

mod common;

use common::{Stores, golden, goldens};
use hypercore_crypto::{KeyPair, PublicKey};
use serde_json::Value;
use sleep::{
    Access, Error, Feed, FeedOptions, FileName, Finding, Mended, RecoveryError, RepairOptions,
};

const TABLE: &str = include_str!("../src/damaged.md");

fn pair() -> KeyPair {
    KeyPair::from_seed(&[0x77; 32])
}

fn other_key() -> PublicKey {
    KeyPair::from_seed(&[0x55; 32]).public()
}

/// Ten blocks, appended one by one.
fn base() -> Stores {
    let stores = Stores::default();
    let mut feed = stores.create(&pair());
    for index in 0..10 {
        feed.append(&[format!("b{index}")]).unwrap();
    }
    stores
}

/// How a case is opened.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Plain,
    WithKey,
    WithKeyPair,
    WithOtherKey,
}

impl How {
    fn of(case: &str) -> Self {
        match case {
            "key missing, right key given" => Self::WithKey,
            "key missing, right key and secret key given"
            | "secret_key missing, secret key given" => Self::WithKeyPair,
            "another key given" => Self::WithOtherKey,
            _ => Self::Plain,
        }
    }

    fn options(self, access: Access) -> FeedOptions {
        let options = Feed::options().access(access);
        match self {
            Self::Plain => options,
            Self::WithKey => options.key(pair().public()),
            Self::WithKeyPair => options.key_pair(pair()),
            Self::WithOtherKey => options.key(other_key()),
        }
    }
}

fn file(name: &str) -> FileName {
    FileName::ALL.into_iter().find(|file| file.as_str() == name).unwrap()
}

fn edit(stores: &Stores, file: FileName, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = stores.bytes(file).unwrap();
    change(&mut bytes);
    stores.set(file, &bytes);
}

/// Where the node and the slot begin, and the arrays of the first page.
const fn node(index: usize) -> usize {
    32 + 40 * index
}
const fn slot(index: usize) -> usize {
    32 + 64 * index
}
const DATA_BITS: usize = 32;
const TREE_BITS: usize = DATA_BITS + 1024;
const INDEX: usize = TREE_BITS + 2048;

/// Damages the stores as the name of the case says; whether there is such a thing here.
fn damage(stores: &Stores, case: &str) -> bool {
    use FileName::{Bitfield, Data, Key, SecretKey, Signatures, Tree};
    let set = |file, at: usize, bytes: &[u8]| {
        edit(stores, file, |old| old[at..at + bytes.len()].copy_from_slice(bytes));
    };
    let flip = |file, at: usize| edit(stores, file, |bytes| bytes[at] ^= 0xa9);
    let or = |at: usize, mask| edit(stores, Bitfield, |bytes| bytes[at] |= mask);
    let cut = |file, len: usize| edit(stores, file, |bytes| bytes.truncate(len));
    let zero = |file, range: std::ops::Range<usize>| {
        edit(stores, file, |bytes| bytes[range].fill(0));
    };
    let whole = case
        .split_once(' ')
        .filter(|(name, _)| FileName::ALL.iter().any(|file| file.as_str() == *name));
    match (whole, case) {
        (_, "intact" | "another key given") => {}
        (_, "another key given, force true" | "overwrite true") => return false,
        (_, "directory empty" | "directory empty, createIfMissing false") => {
            FileName::ALL.into_iter().for_each(|file| stores.remove(file));
        }
        (_, "key and secret_key missing") => {
            stores.remove(Key);
            stores.remove(SecretKey);
        }
        (Some((name, what)), _) if what == "missing" || what.starts_with("missing,") => {
            stores.remove(file(name));
        }
        (Some((name, "empty")), _) => cut(file(name), 0),
        (_, "key 31 bytes") => cut(Key, 31),
        (_, "key 33 bytes") => edit(stores, Key, |bytes| bytes.push(7)),
        (_, "secret_key 63 bytes") => cut(SecretKey, 63),
        (_, "key file holds another key") => set(Key, 0, other_key().as_bytes()),
        (_, "secret_key of another pair") => {
            set(SecretKey, 0, &*KeyPair::from_seed(&[0x55; 32]).secret_bytes());
        }
        (_, "tree lacks last leaf (block 9)") => cut(Tree, node(18)),
        (_, "tree ends inside last leaf") => cut(Tree, node(18) + 20),
        (_, "tree lacks leaves 8 and 9") => cut(Tree, node(16)),
        (_, "tree root 7 zeroed") => zero(Tree, node(7)..node(8)),
        (_, "tree root 17 zeroed") => zero(Tree, node(17)..node(18)),
        (_, "tree root 7 hash flipped") => flip(Tree, node(7)),
        (_, "tree leaf 4 hash flipped") => flip(Tree, node(8)),
        (_, "tree leaf 4 size changed") => set(Tree, node(8) + 39, &[3]),
        (_, "tree leaf 18 zeroed") => zero(Tree, node(18)..node(19)),
        (_, "tree header magic wrong") => flip(Tree, 0),
        (_, "tree header version 1") => set(Tree, 4, &[1]),
        (_, "tree header entry size 41") => set(Tree, 5, &[0, 41]),
        (_, "tree header algorithm name BLAKE2x") => set(Tree, 8, b"BLAKE2x"),
        (_, "tree header padding not zero") => set(Tree, 31, &[1]),
        (_, "signatures header magic wrong") => flip(Signatures, 0),
        (_, "last signature zeroed") => zero(Signatures, slot(9)..slot(10)),
        (_, "last signature cut") => cut(Signatures, slot(9)),
        (_, "last signature cut in half") => cut(Signatures, slot(9) + 32),
        (_, "last signature flipped") => flip(Signatures, slot(9)),
        (_, "bitfield header magic wrong") => flip(Bitfield, 0),
        (_, "bitfield header type 1") => set(Bitfield, 3, &[1]),
        (_, "bitfield header page size 3328 over 3584 pages") => set(Bitfield, 5, &[0x0d, 0]),
        (_, "bitfield header page size 0") => set(Bitfield, 5, &[0, 0]),
        (_, "bitfield header page size 3072") => set(Bitfield, 5, &[0x0c, 0]),
        (_, "bitfield header page size 100") => set(Bitfield, 5, &[0, 100]),
        (_, "bitfield header only 20 bytes") => cut(Bitfield, 20),
        (_, "bitfield cut to 32") => cut(Bitfield, 32),
        (_, "bitfield page cut to 500 bytes") => cut(Bitfield, 32 + 500),
        (_, "bitfield page cut to 2000 bytes") => cut(Bitfield, 32 + 2000),
        (_, "bitfield all bits zero") => zero(Bitfield, DATA_BITS..INDEX + 512),
        (_, "bitfield tree bits zero") => zero(Bitfield, TREE_BITS..INDEX),
        (_, "bitfield data bits zero") => zero(Bitfield, DATA_BITS..TREE_BITS),
        (_, "bitfield index bits zero") => zero(Bitfield, INDEX..INDEX + 512),
        (_, "bitfield data bit 10 set") => or(DATA_BITS + 1, 0x20),
        (_, "bitfield tree bit 20 set") => or(TREE_BITS + 2, 0x08),
        (_, "bitfield tree bits 20 and 22 set") => or(TREE_BITS + 2, 0x0a),
        (_, "data lacks last byte") => cut(Data, 19),
        (_, "data byte flipped (block 4)") => flip(Data, 9),
        (_, "data has extra bytes") => edit(stores, Data, |bytes| bytes.extend(b"extra")),
        _ => panic!("unknown case: {case}"),
    }
    true
}

/// The name of a variant, with that of an inner error.
fn name(value: &dyn std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    text[..end].to_owned()
}

fn error_name(error: &Error) -> String {
    match error {
        Error::Recovery(inner) => name(inner),
        Error::Header(inner) => format!("Header: {}", inner.field),
        _ => name(error),
    }
}

fn noted(findings: &[Finding]) -> String {
    let names: Vec<String> = findings
        .iter()
        .map(|finding| {
            let index = finding.index().map_or(String::new(), |index| format!(" {index}"));
            name(finding) + &index
        })
        .collect();
    match names.len() {
        0 => "-".to_owned(),
        1..=4 => names.join(", "),
        more => format!("{}, {} more", names[..2].join(", "), more - 2),
    }
}

/// What an open, reads, an audit, an append and repairs make of the stores.
fn outcome(stores: &Stores, how: How) -> [String; 6] {
    let before = stores.all();
    let opened = how.options(Access::Read).open(stores.clone());
    let (length, notes, reads, audit) = match &opened {
        Err(error) => (error_name(error), "-".into(), "-".into(), "-".into()),
        Ok(feed) => {
            let reads = [0, 4, 9].map(|block| match feed.get(block) {
                Ok(bytes) => {
                    assert_eq!(bytes, format!("b{block}").into_bytes(), "nothing else is read");
                    "ok".to_owned()
                }
                Err(error) => error_name(&error),
            });
            let reads = if reads.iter().all(|read| read == "ok") {
                "ok".to_owned()
            } else {
                reads.join(", ")
            };
            let report = feed.audit(&mut |_| ()).unwrap();
            let found: Vec<Finding> = report
                .findings
                .iter()
                .filter(|one| !feed.recovery().findings().contains(one))
                .cloned()
                .collect();
            (feed.length().to_string(), noted(feed.recovery().findings()), reads, noted(&found))
        }
    };
    drop(opened);
    assert!(stores.all() == before, "reading changes nothing");
    let append = match how.options(Access::Write).open(stores.clone()) {
        Err(_) => "-".to_owned(),
        Ok(mut feed) => {
            assert!(stores.all() == before, "opening changes nothing");
            match feed.append(&["b10"]) {
                Ok(_) => {
                    drop(feed);
                    let feed = how.options(Access::Read).open(stores.clone()).unwrap();
                    assert_eq!(feed.get(feed.length() - 1).unwrap(), b"b10");
                    format!("ok, {}", feed.length())
                }
                Err(error) => {
                    drop(feed);
                    assert!(stores.all() == before, "a refused append changes nothing");
                    error_name(&error)
                }
            }
        }
    };
    let stores = Stores::default();
    before.iter().for_each(|(file, bytes)| stores.set(*file, bytes));
    [length, notes, reads, audit, append, repaired(&stores)]
}

/// The least that a repair must be allowed for the feed to be sound, and what it then does.
fn repaired(stores: &Stores) -> String {
    type Allow = fn(RepairOptions) -> RepairOptions;
    let allowed: [(&str, Allow); 7] = [
        ("", |options| options),
        ("key", |options| options.key(pair().public())),
        ("replace_headers", RepairOptions::replace_headers),
        ("sign", RepairOptions::sign),
        ("search_sizes", RepairOptions::search_sizes),
        ("find_blocks", RepairOptions::find_blocks),
        ("accept_loss", RepairOptions::accept_loss),
    ];
    let mut last = String::new();
    for (word, allow) in allowed {
        let copy = stores.copy();
        match allow(RepairOptions::new()).repair(copy.clone()) {
            Err(error) => last = error_name(&error),
            Ok(report) if !report.is_ok() => {
                last = report.unresolved.as_ref().map_or(noted(&report.left), |error| name(error));
            }
            Ok(report) => {
                let feed = copy.read();
                assert!(feed.recovery().is_clean(), "{:?}", feed.recovery());
                assert!(feed.audit(&mut |_| ()).unwrap().is_ok());
                assert_eq!(feed.length(), report.length);
                let again = RepairOptions::new().repair(copy.clone()).unwrap();
                assert!(
                    again.mended.is_empty() && again.is_ok(),
                    "a repair is done once: {again:?}"
                );
                let blocks = feed.present_count();
                let done: Vec<String> = report
                    .mended
                    .iter()
                    .map(|one| match one {
                        Mended::Node(index) => format!("Node {}", index.get()),
                        Mended::Header(file) => format!("Header of {file}"),
                        Mended::Signature { slot } => format!("Signature {slot}"),
                        other => name(other),
                    })
                    .collect();
                let done = match done.len() {
                    0 => "nothing to do".to_owned(),
                    1..=6 => done.join(", "),
                    more => format!("{}, {} more", done[..2].join(", "), more - 2),
                };
                let kept = if blocks == 10 {
                    String::new()
                } else {
                    format!("; {blocks} of {} blocks", feed.length())
                };
                let word = if word.is_empty() { String::new() } else { format!("`{word}`: ") };
                return format!("{word}{done}{kept}");
            }
        }
    }
    format!("left: {last}")
}

fn cases() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/open-behaviour.json");
    let known: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let releases = known["releases"].as_object().unwrap();
    let mut cases: Vec<String> = Vec::new();
    for release in releases.values() {
        for case in release.as_object().unwrap().keys() {
            if !cases.contains(case) {
                cases.push(case.clone());
            }
        }
    }
    cases
}

#[test]
fn every_damaged_directory_has_the_outcome_that_the_table_says() {
    let cases = cases();
    assert_eq!(cases.len(), 67);
    let base = base();
    let mut rows = Vec::new();
    for case in &cases {
        let stores = base.copy();
        let row = if damage(&stores, case) {
            outcome(&stores, How::of(case)).join(" | ")
        } else {
            "there is no such option | - | - | - | - | -".to_owned()
        };
        rows.push(format!("| {case} | {row} |"));
    }
    let expected: Vec<&str> = TABLE
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| case "))
        .collect();
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!(row, expected, "{}", rows.join("\n"));
    }
    assert_eq!(rows.len(), expected.len(), "{}", rows.join("\n"));
}

#[test]
fn the_base_has_the_bytes_of_the_golden_directory() {
    let (base, golden) = (base(), golden("v9-len10"));
    for file in [FileName::Data, FileName::Tree, FileName::Bitfield] {
        assert_eq!(base.bytes(file), golden.stores.bytes(file), "{file}");
    }
}

#[test]
fn blocks_are_found_again_by_their_bytes() {
    let stores = base();
    damage(&stores, "bitfield data bits zero");
    assert_eq!(stores.read().present_count(), 0);
    let report = RepairOptions::new().find_blocks().repair(stores.clone()).unwrap();
    assert_eq!(report.mended, [Mended::Bits { length: 10, blocks: 10 }]);
    assert_eq!(stores.read().present_count(), 10);
    assert_eq!(stores.bytes(FileName::Bitfield), base().bytes(FileName::Bitfield));
}

#[test]
fn a_wrong_signature_is_passed_over_when_asked() {
    let stores = base();
    damage(&stores, "last signature flipped");
    let options = Feed::options().access(Access::Write).lenient();
    let mut feed = options.open(stores).unwrap();
    assert_eq!((feed.length(), feed.get(9).unwrap()), (10, b"b9".to_vec()));
    assert_eq!(feed.recovery().findings(), [Finding::SignatureWrong { slot: 9 }]);
    assert!(matches!(feed.append(&["b10"]), Err(Error::NeedsRepair { .. })));
}

/// What hypercore 9 leaves when it is killed in a batch and goes on with other blocks: the old slot and
/// the old parent of 16 blocks vouch for each other, over blocks that are others now.
#[test]
fn a_ghost_of_a_lost_batch_is_no_longer_feed() {
    let ghost = base();
    let mut feed = ghost.write();
    feed.append(&["x10", "x11", "x12", "x13", "x14", "x15"]).unwrap();
    drop(feed);
    let stores = base();
    let mut feed = stores.write();
    feed.append(&["b10"]).unwrap();
    drop(feed);
    let (tree, signatures) =
        (ghost.bytes(FileName::Tree).unwrap(), ghost.bytes(FileName::Signatures).unwrap());
    edit(&stores, FileName::Tree, |bytes| {
        bytes[node(15)..node(16)].copy_from_slice(&tree[node(15)..node(16)]);
    });
    edit(&stores, FileName::Signatures, |bytes| bytes.extend(&signatures[bytes.len()..]));
    let mut feed = stores.write();
    assert_eq!(feed.length(), 11);
    assert_eq!(feed.recovery().findings(), [Finding::SignatureStale { slot: 15 }]);
    assert!(feed.audit(&mut |_| ()).unwrap().is_ok());
    feed.append(&["b11"]).unwrap();
    drop(feed);
    let feed = stores.read();
    assert!(feed.recovery().is_clean());
    assert_eq!(feed.get(11).unwrap(), b"b11");
}

#[test]
fn what_can_not_be_proven_is_dropped_only_when_that_is_accepted() {
    let stores = base();
    // Block 9 is gone for good: its leaf, the root above it, and its bytes.
    damage(&stores, "tree leaf 18 zeroed");
    damage(&stores, "tree root 17 zeroed");
    damage(&stores, "data lacks last byte");
    let report = RepairOptions::new().repair(stores.clone()).unwrap();
    assert_eq!(report.mended, []);
    assert_eq!(report.left[0], Finding::NodeMissing { index: flat_tree::Index::new(17) });
    let mut feed = stores.write();
    assert_eq!(feed.length(), 9);
    assert!(matches!(feed.append(&["other"]), Err(Error::NeedsRepair { .. })));
    drop(feed);
    let report = RepairOptions::new().accept_loss().repair(stores.clone()).unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.mended[0], Mended::Dropped { length: 9 });
    let mut feed = stores.write();
    assert!(feed.recovery().is_clean());
    assert_eq!(feed.append(&["other"]).unwrap().length, 10);
}

#[test]
fn a_feed_of_which_nothing_was_signed_is_given_up_only_when_that_is_accepted() {
    let stores = Stores::default();
    drop(stores.create(&pair()));
    stores.set(FileName::Data, b"x");
    let lost = RecoveryError::NothingProven { nodes: 0, bytes: 1 };
    let opened = Feed::options().open(stores.clone());
    assert!(matches!(opened, Err(Error::Recovery(error)) if error == lost));
    let report = RepairOptions::new().repair(stores.clone()).unwrap();
    assert_eq!(report.unresolved, Some(lost));
    let report = RepairOptions::new().accept_loss().repair(stores.clone()).unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.mended[0], Mended::Dropped { length: 0 });
    assert_eq!(stores.write().append(&["first"]).unwrap().length, 1);
    assert_eq!(stores.read().get(0).unwrap(), b"first");
}

#[test]
fn nothing_is_wrong_with_the_golden_directories() {
    for golden in goldens() {
        let feed = golden.stores.read();
        assert_eq!(feed.recovery().refusal(), None);
        let report = feed.audit(&mut |_| ()).unwrap();
        assert!(report.is_ok(), "{}: {report:?}", golden.name);
        assert_eq!(report.blocks_valid, feed.present_count());
    }
}
