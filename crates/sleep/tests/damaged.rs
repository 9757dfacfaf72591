//! Every damaged directory that the JavaScript packages were tried with, and what becomes of it here.
//!
//! The table in `src/damaged.md` is part of the crate's documentation; this test makes each row again.

mod common;
#[path = "common/damage.rs"]
mod damage;

use common::{Stores, golden, goldens};
use damage::node;
use hypercore_crypto::{KeyPair, PublicKey};
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

/// Damages the stores as the name of the case says; whether there is such a thing here.
fn damage(stores: &Stores, case: &str) -> bool {
    let mut files = stores.all().into_iter().map(|(file, bytes)| (file.as_str(), bytes)).collect();
    let is_known =
        damage::damage(&mut files, case, &KeyPair::from_seed(&[0x55; 32]).secret_bytes());
    for file in FileName::ALL {
        match files.get(file.as_str()) {
            Some(bytes) => stores.set(file, bytes),
            None => stores.remove(file),
        }
    }
    is_known
}

fn edit(stores: &Stores, file: FileName, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = stores.bytes(file).unwrap();
    change(&mut bytes);
    stores.set(file, &bytes);
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

#[test]
fn every_damaged_directory_has_the_outcome_that_the_table_says() {
    let cases = damage::cases();
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

const WITH_HEADERS: [FileName; 3] = [FileName::Tree, FileName::Signatures, FileName::Bitfield];

/// A feed is made with three headers. Where two of them are gone and nothing else is stored, it is not said
/// to be empty, and not begun anew.
#[test]
fn what_is_left_of_a_lost_feed_is_no_empty_one() {
    for lost in 0..8_usize {
        let lost: Vec<FileName> =
            (0..3).filter(|at| lost >> at & 1 == 1).map(|at| WITH_HEADERS[at]).collect();
        for is_short in [false, true] {
            let stores = Stores::default();
            drop(stores.create(&pair()));
            for file in &lost {
                if is_short { stores.set(*file, &[5; 31]) } else { stores.remove(*file) }
            }
            let before = stores.all();
            let create = || Feed::options().access(Access::Create).key_pair(pair());
            let report = RepairOptions::new().sign().repair(stores.copy()).unwrap();
            if lost.len() < 2 {
                assert_eq!(stores.read().length(), 0);
                assert!(report.is_ok(), "{report:?}");
                stores.write().append(&["first"]).unwrap();
                assert!(stores.read().recovery().is_clean());
                continue;
            }
            let missing = RecoveryError::FilesMissing { files: lost.clone() };
            for options in [Feed::options(), Feed::options().lenient(), create()] {
                let opened = options.open(stores.clone());
                assert!(matches!(opened, Err(Error::Recovery(error)) if error == missing));
            }
            let report = RepairOptions::new().repair(stores.clone()).unwrap();
            assert_eq!((report.mended, report.unresolved), (vec![], Some(missing)));
            assert!(stores.all() == before);

            let report = RepairOptions::new().accept_loss().repair(stores.clone()).unwrap();
            assert!(report.is_ok(), "{report:?}");
            assert_eq!(report.mended[0], Mended::Dropped { length: 0 });
            assert!(stores.read().recovery().is_clean());
        }
    }
}

/// Every way in which a feed can lose all of its bits and all of its signatures: blocks and nodes are there
/// still, and no append may cut them.
#[test]
fn a_feed_that_lost_its_bits_and_signatures_is_no_empty_one() {
    for page in [None, Some(0), Some(3584)] {
        for slots in [0, 1, 2, 10] {
            // A page of zeros and a blank slot are what an empty feed has before its first change.
            if slots == 1 && page == Some(3584) {
                continue;
            }
            for file_to_lose in [None, Some(FileName::Tree), Some(FileName::Data)] {
                let stores = base();
                edit(&stores, FileName::Signatures, |bytes| {
                    bytes.truncate(32);
                    bytes.resize(32 + 64 * slots, 0);
                });
                match page {
                    None => stores.remove(FileName::Bitfield),
                    Some(len) => edit(&stores, FileName::Bitfield, |bytes| {
                        bytes.truncate(32);
                        bytes.resize(32 + len, 0);
                    }),
                }
                file_to_lose.into_iter().for_each(|file| stores.remove(file));
                let before = stores.all();
                for access in [Access::Read, Access::Write, Access::Create] {
                    let opened = Feed::options().access(access).open(stores.clone());
                    assert!(
                        matches!(opened, Err(Error::Recovery(RecoveryError::NothingProven { .. }))),
                        "{page:?}, {slots}, {file_to_lose:?}: {opened:?}"
                    );
                }
                assert!(stores.all() == before);
                let signed = RepairOptions::new().sign().repair(stores.copy()).unwrap();
                assert_eq!(signed.is_ok(), file_to_lose.is_none(), "{signed:?}");
                let report = RepairOptions::new().accept_loss().repair(stores.clone()).unwrap();
                assert!(report.is_ok(), "{report:?}");
                assert_eq!(stores.write().append(&["first"]).unwrap().length, 1);
                assert_eq!(stores.read().get(0).unwrap(), b"first");
            }
        }
    }
}

/// What hypercore 9 leaves of `truncate(0)`: only the data bits are still what they were.
#[test]
fn what_was_truncated_to_nothing_opens_and_is_not_cut() {
    let stores = base();
    damage(&stores, "bitfield tree bits zero");
    edit(&stores, FileName::Signatures, |bytes| bytes.truncate(32));
    let before = stores.all();
    let mut feed = stores.write();
    assert_eq!((feed.length(), feed.present_count()), (0, 0));
    assert!(matches!(feed.append(&["first"]), Err(Error::NeedsRepair { .. })));
    drop(feed);
    assert!(stores.all() == before);
    RepairOptions::new().accept_loss().repair(stores.clone()).unwrap();
    assert_eq!(stores.write().append(&["first"]).unwrap().length, 1);
}

#[test]
fn the_signatures_of_a_feed_that_lost_tree_and_bits_are_not_cut() {
    for page_len in [0, 3584] {
        let stores = base();
        stores.remove(FileName::Tree);
        edit(&stores, FileName::Bitfield, |bytes| bytes[32..].fill(0));
        edit(&stores, FileName::Bitfield, |bytes| bytes.truncate(32 + page_len));
        let opened = Feed::options().access(Access::Write).open(stores.clone());
        assert!(matches!(opened, Err(Error::Recovery(RecoveryError::NothingProven { .. }))));
        // Signatures and blocks are enough to make everything again.
        let report = RepairOptions::new().search_sizes().repair(stores.clone()).unwrap();
        assert!(report.is_ok(), "{report:?}");
        assert_eq!(stores.read().get(9).unwrap(), b"b9");
    }
}

/// An older signature leads to a damaged pair of leaves again and again; the pair is looked at once.
#[test]
fn an_audit_reads_no_block_for_each_signature() {
    use random_access_storage::testing::{Call, Journal};

    let journal = Journal::new();
    let storage = common::recorded(&journal);
    let options = Feed::options().access(Access::Create).key_pair(pair());
    let mut feed = options.open(storage.clone()).unwrap();
    // Too long to be in one window together.
    feed.append(&[vec![1; 200_000], vec![2; 200_000]]).unwrap();
    (0..100).for_each(|_| _ = feed.append(&["short"]).unwrap());
    drop(feed);
    let tree = sleep::Storage::open(&storage, FileName::Tree, Access::Write).unwrap().unwrap();
    random_access_storage::RandomAccess::write_at(&tree, node(0) as u64, &[7; 32]).unwrap();
    let data = sleep::Storage::open(&storage, FileName::Data, Access::Write).unwrap().unwrap();
    random_access_storage::RandomAccess::write_at(&data, 0, &[7]).unwrap();
    drop(journal.take());
    let report = Feed::options().open(storage).unwrap().audit(&mut |_| ()).unwrap();
    assert_eq!(report.signatures_valid, 101);
    assert_eq!(
        report.findings,
        [
            Finding::ChildrenWrong { index: flat_tree::Index::new(1) },
            Finding::BlockUnproven { index: 0 },
            Finding::BlockUnproven { index: 1 }
        ]
    );
    let is_of_data = |call: &Call| matches!(call, Call::Read { .. });
    let reads = journal.take();
    let reads = reads.iter().filter(|entry| entry.store == "data" && is_of_data(&entry.call));
    assert!(reads.count() < 10);
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
