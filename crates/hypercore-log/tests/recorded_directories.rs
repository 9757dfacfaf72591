//! Every directory that JavaScript Hypercore 10 left behind opens with what it read from it, or with the
//! better result that formats.md names where JavaScript has a defect.

mod support;

use hypercore_log::{Access, FileName, Log, LogError, OpenError, OpenOptions};
use random_access_storage::RandomAccess as _;
use random_access_storage::testing::{Faults, FaultyDisk};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::fixture::{Fixture, hex};
use support::{Disk, FILES, stores_on};

/// JavaScript can not open these (or loses nodes); all the information is there.
const BETTER_HERE: [&str; 2] = ["truncation-before-header", "unflushed-reorg"];

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number, not {value}"))
}

fn ranges(value: &Value) -> Vec<std::ops::Range<u64>> {
    let pairs = value.as_array().expect("ranges");
    pairs.iter().map(|pair| number(&pair[0])..number(&pair[1])).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(fixture: &Fixture, log: &Log) {
    let name = &fixture.name;
    let expected = &fixture.recorded["expected"];
    let head = log.head();
    assert_eq!(log.key().to_string(), expected["key"], "{name}: key");
    assert_eq!(head.length, number(&expected["length"]), "{name}: length");
    assert_eq!(head.byte_length, number(&expected["byte_length"]), "{name}: byte length");
    assert_eq!(head.fork, number(&expected["fork"]), "{name}: fork");
    assert_eq!(head.tree_hash.to_string(), expected["tree_hash"], "{name}: tree hash");
    assert_eq!(log.is_compat(), expected["compat"], "{name}: compat");
    assert_eq!(log.is_writable(), expected["writable"], "{name}: writable");
    assert_eq!(
        log.signature().map(|bytes| hex_of(&bytes)),
        expected["signature"].as_str().map(str::to_owned),
        "{name}: signature"
    );

    // Bits at or above the length are leftovers, and so is what they add to the contiguous length.
    let mut has = ranges(&expected["has"]);
    has.iter_mut().for_each(|range| range.end = range.end.min(head.length));
    has.retain(|range| !range.is_empty());
    assert_eq!(log.stored_ranges(0..u64::MAX, usize::MAX), has, "{name}: stored blocks");
    let contiguous = has.first().filter(|range| range.start == 0).map_or(0, |range| range.end);
    assert_eq!(log.contiguous_length(), contiguous, "{name}: contiguous length");

    for block in expected["blocks"].as_array().into_iter().flatten() {
        let index = number(&block["index"]);
        let bytes = log.get(index).unwrap().unwrap_or_else(|| panic!("{name}: block {index}"));
        assert_eq!(bytes.len() as u64, number(&block["bytes"]), "{name}: block {index}");
        assert_eq!(sha256(&bytes), block["sha256"], "{name}: block {index}");
    }
    for index in expected["unreadable_blocks"].as_array().into_iter().flatten() {
        let error = log.get(number(index)).unwrap_err();
        assert!(matches!(error, LogError::CorruptBlock { .. }), "{name}: {error}");
    }
    let user_data = expected["user_data"].as_array().expect("user data");
    let recorded: Vec<(String, Vec<u8>)> = user_data
        .iter()
        .map(|pair| (text(&pair["key"]), hex(pair["value"].as_str().unwrap_or_default())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    assert_eq!(log.user_data_entries(), recorded, "{name}: user data");
    assert_eq!(
        log.recovery().entries_replayed as u64,
        number(&expected["replayed_entries"]),
        "{name}: replayed entries"
    );
    assert_eq!(log.recovery().entries_cut, 0, "{name}: nothing is cut that JavaScript keeps");
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn better(fixture: &Fixture, log: &Log) {
    match fixture.name.as_str() {
        "truncation-before-header" => {
            assert_eq!(log.fork(), 1);
            assert!(log.audit(&mut |_| {}).unwrap().is_ok());
        }
        _ => {
            check(fixture, log);
            assert!(log.audit(&mut |_| {}).unwrap().is_ok(), "{}", fixture.name);
        }
    }
}

#[test]
fn open_with_what_javascript_read() {
    let mut opened = 0;
    for fixture in Fixture::all() {
        let disk = Disk::with_files(&fixture.files);
        let before = FILES.map(|name| disk.bytes(name));
        let result = Log::open(disk.stores(), OpenOptions::new().access(Access::ReadOnly));
        let after = FILES.map(|name| disk.bytes(name));
        assert!(before == after, "{}: reading changed a file", fixture.name);
        let opens = fixture.recorded["expected"]["opens"] == true;
        match result {
            Ok(log) if BETTER_HERE.contains(&fixture.name.as_str()) => better(&fixture, &log),
            Ok(mut log) if opens => {
                if fixture.recorded["expected"]["writable"] == true {
                    let copy = disk.snapshot();
                    log = Log::open(copy.stores(), OpenOptions::new()).unwrap();
                }
                check(&fixture, &log);
                opened += 1;
            }
            Ok(log) => panic!("{} opened: {:?}", fixture.name, log.head()),
            Err(error) => assert!(!opens, "{}: {error}", fixture.name),
        }
    }
    assert!(opened >= 34, "only {opened} opened");
}

#[test]
fn opening_for_writing_cuts_the_oplog_as_javascript_does() {
    for fixture in Fixture::all() {
        if fixture.recorded["expected"]["opens"] != true {
            continue;
        }
        let disk = Disk::with_files(&fixture.files);
        // What JavaScript leaves to the next header write is left here too, in its rhythm.
        drop(Log::open(disk.stores(), OpenOptions::new().imitate_version_10()).unwrap());
        let after = &fixture.recorded["files_after_open"];
        let recorded = if after.is_object() { after } else { &fixture.recorded["files"] };
        for name in FILES {
            let wanted = &recorded[name.as_str()];
            let bytes = disk.bytes(name);
            let message = format!("{}: {name}", fixture.name);
            if wanted.is_null() {
                assert!(bytes.is_empty(), "{message}");
            } else if let Some(sha) = wanted["sha256"].as_str() {
                assert_eq!(sha256(&bytes), sha, "{message}");
            } else {
                assert_eq!(bytes.len() as u64, number(&wanted["bytes"]), "{message}");
            }
        }
    }
}

#[test]
fn what_can_not_be_opened_says_why() {
    let open = |name: &str| {
        let fixture = Fixture::load(name);
        Log::open(Disk::with_files(&fixture.files).stores(), OpenOptions::new()).unwrap_err()
    };
    assert!(matches!(open("both-slots-corrupt"), OpenError::Corrupt(_)));
    assert!(matches!(open("oplog-shorter-than-headers"), OpenError::NotFound));
    let error = open("missing-tree-file");
    assert!(error.to_string().contains("tree is damaged at byte"), "{error}");
}

#[test]
fn a_lost_newer_header_is_reported() {
    for name in ["slot1-corrupt", "slot0-newest-corrupt"] {
        let fixture = Fixture::load(name);
        let log = Log::open(Disk::with_files(&fixture.files).stores(), OpenOptions::new()).unwrap();
        assert!(log.recovery().damaged_slot.is_some(), "{name}");
        assert!(log.recovery().newer_header_lost, "{name}: {:?}", log.recovery());
    }
}

/// JavaScript never syncs. What it left is shown to others as durable once it is open for writing, so it must be.
#[test]
fn what_javascript_left_is_durable_once_it_is_open_for_writing() {
    let mut clean = 0;
    for fixture in Fixture::all() {
        if fixture.recorded["expected"]["opens"] != true {
            continue;
        }
        let faults = Faults::none();
        let files = FILES.map(|_| FaultyDisk::new(&faults));
        for (name, file) in FILES.iter().zip(&files) {
            let bytes = fixture.files.get(name.as_str()).cloned().unwrap_or_default();
            file.write_at(0, &bytes).unwrap();
            clean += u64::from(*name == FileName::Oplog && bytes.len() == 8192);
        }
        let log = Log::open(stores_on(&files), OpenOptions::new()).unwrap();
        let (head, durable) = (log.head(), log.durable_length());
        let left = files.each_ref().map(FaultyDisk::after_power_cut);
        let found = Log::open(stores_on(&left), OpenOptions::new());
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
        assert_eq!((found.head(), durable), (head.clone(), head.length), "{}", fixture.name);
    }
    assert!(clean >= 9, "only {clean} were left with an empty oplog");
}
