//! The oplog against every recorded file, against damage of all kinds, and against itself.

use std::sync::atomic::{AtomicU64, Ordering};

use compact_encoding::{Decode as _, Decoder, Encode};
use proptest::prelude::*;
use random_access_memory::RandomAccessMemory;
use random_access_storage::{Result as StoreResult, SyncScope};
use serde_json::Value;

use super::*;
use crate::entry::{BitfieldUpdate, TreeUpgrade};
use crate::fixture::{Fixture, hex};
use crate::frame::parse_frame;
use crate::header::{HeaderTree, SlotContent};
use crate::user_data::UserData;

fn store(bytes: &[u8]) -> RandomAccessMemory {
    let store = RandomAccessMemory::new();
    store.write_at(0, bytes).unwrap();
    store
}

fn read_files(oplog: &[u8], header: &[u8]) -> Result<OplogState, OpenError> {
    read(&store(oplog), &store(header))
}

fn load(oplog: &[u8]) -> Loaded {
    load_with(oplog, &[])
}

fn load_with(oplog: &[u8], header: &[u8]) -> Loaded {
    match read_files(oplog, header) {
        Ok(OplogState::Present(loaded)) => loaded,
        other => panic!("{other:?}"),
    }
}

fn sample_header(length: u64) -> Header {
    let pair = hypercore_crypto::KeyPair::from_seed(&[3; 32]);
    Header {
        key: hypercore_crypto::CoreKey::from_bytes(*pair.public().as_bytes()),
        manifest: Some(hypercore_crypto::Manifest::single(pair.public())),
        key_pair: Some(pair.into()),
        user_data: UserData::default(),
        tree: HeaderTree { length, ..HeaderTree::default() },
        reorg_hints: Vec::new(),
        contiguous_length: 0,
        counts: None,
    }
}

fn sample_entry(start: u64) -> Entry {
    let bitfield = Some(BitfieldUpdate { drop: false, start, length: 1 });
    Entry { bitfield, ..Entry::default() }
}

/// A file as the engine would keep it: headers and entries as they are written.
#[derive(Clone)]
struct File {
    oplog: Vec<u8>,
    header: Vec<u8>,
    position: OplogPosition,
}

impl File {
    fn new() -> Self {
        Self { oplog: Vec::new(), header: Vec::new(), position: OplogPosition::fresh() }
    }

    /// Writes a header; cuts the entries off only if asked to.
    fn write_header(&mut self, header: &Header, cut: bool) {
        let write = self.position.prepare_header(header).unwrap();
        if let Some((offset, bytes)) = &write.external {
            put(&mut self.header, *offset, bytes);
        }
        put(&mut self.oplog, write.offset, &write.bytes);
        if cut || self.oplog.len() < ENTRIES_START as usize {
            self.oplog.resize(ENTRIES_START as usize, 0);
        }
        self.position.header_written(&write);
    }

    fn write_entries(&mut self, entries: &[Entry]) {
        let bytes = encode_entries(entries, self.position.bit()).unwrap();
        put(&mut self.oplog, self.position.entries_end, &bytes);
        self.position.entries_end += bytes.len() as u64;
    }

    fn load(&self) -> Loaded {
        load_with(&self.oplog, &self.header)
    }
}

fn put(file: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let offset = offset as usize;
    file.resize(file.len().max(offset + bytes.len()), 0);
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn starts(loaded: &Loaded) -> Vec<u64> {
    loaded.entries.iter().map(|entry| entry.entry.bitfield.unwrap().start).collect()
}

// The recorded files.

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field} in {value}"))
}

fn flag(value: &Value, field: &str) -> bool {
    value[field].as_bool().unwrap_or_else(|| panic!("{field} in {value}"))
}

/// Hex, or null for none.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    value.as_str().map(hex)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no array: {value}"))
}

fn check_header(header: &Header, recorded: &Value, name: &str) {
    assert_eq!(Some(header.key.as_bytes().to_vec()), bytes(&recorded["key"]), "{name}");
    let manifest = header.manifest.as_ref().map(Encode::to_vec);
    assert_eq!(manifest, bytes(&recorded["manifest"]), "{name}");
    let pair = header.key_pair.as_ref();
    let public = pair.map(|pair| pair.public.as_bytes().to_vec());
    assert_eq!(public, bytes(&recorded["key_pair"]["public_key"]), "{name}");
    let secret = pair.and_then(|pair| pair.secret.as_ref());
    let secret = secret.map(|pair| pair.secret_bytes().to_vec());
    assert_eq!(secret, bytes(&recorded["key_pair"]["secret_key"]), "{name}");
    let user_data: Vec<_> =
        header.user_data.iter().map(|(key, value)| (key.to_owned(), value.to_vec())).collect();
    let expected: Vec<_> = list(&recorded["user_data"])
        .iter()
        .map(|pair| {
            let key = pair["key"].as_str().unwrap().to_owned();
            (key, bytes(&pair["value"]).unwrap_or_default())
        })
        .collect();
    assert_eq!(user_data, expected, "{name}");
    let tree = &recorded["tree"];
    assert_eq!(header.tree.fork, number(tree, "fork"), "{name}");
    assert_eq!(header.tree.length, number(tree, "length"), "{name}");
    let root_hash = header.tree.root_hash.map(|hash| hash.as_bytes().to_vec());
    assert_eq!(root_hash, bytes(&tree["root_hash"]), "{name}");
    assert_eq!(header.tree.signature, bytes(&tree["signature"]), "{name}");
    let hints = &recorded["hints"];
    assert_eq!(header.contiguous_length, number(hints, "contiguous_length"), "{name}");
    let reorgs: Vec<_> =
        header.reorg_hints.iter().map(|hint| [hint.from, hint.to, hint.ancestors]).collect();
    let expected: Vec<_> = list(&hints["reorgs"])
        .iter()
        .map(|hint| [number(hint, "from"), number(hint, "to"), number(hint, "ancestors")])
        .collect();
    assert_eq!(reorgs, expected, "{name}");
}

/// Checks both slots alone; returns how many are valid.
fn check_slots(fixture: &Fixture) -> usize {
    let name = &fixture.name;
    let oplog = fixture.file("oplog");
    let mut valid = 0;
    for (slot, recorded) in list(&fixture.recorded["oplog"]["slots"]).iter().enumerate() {
        let frame = parse_frame(oplog, slot * SLOT_LEN as usize);
        assert_eq!(frame.is_some(), flag(recorded, "valid"), "{name}");
        let Some(frame) = frame else { continue };
        valid += 1;
        assert_eq!(u64::from(frame.bit), number(recorded, "bit"), "{name}");
        assert_eq!(frame.content.len() as u64, number(recorded, "content_bytes"), "{name}");
        let content = &oplog[frame.content];
        let recorded = &recorded["header"];
        match SlotContent::from_bytes(content).unwrap() {
            SlotContent::Inline(header) => {
                check_header(&header, recorded, name);
                // Version 0 is never written again.
                if content[0] == 1 {
                    let bytes = encode_header_slot(&header, (slot, frame.bit), None).unwrap();
                    let start = slot * SLOT_LEN as usize;
                    assert_eq!(bytes.slot[..], oplog[start..start + bytes.slot.len()], "{name}");
                    assert_eq!(bytes.slot.len(), content.len() + FRAME_HEADER_LEN, "{name}");
                }
            }
            SlotContent::External(place) => {
                let expected = &recorded["external"];
                assert_eq!(place.start, number(expected, "start"), "{name}");
                assert_eq!(place.len, number(expected, "length"), "{name}");
                assert_eq!(place.to_slot_content(), content, "{name}");
            }
        }
    }
    valid
}

fn check_entry(entry: &Entry, recorded: &Value, name: &str) {
    let user_data = entry.user_data.clone();
    let expected = recorded["user_data"]["key"]
        .as_str()
        .map(|key| (key.to_owned(), bytes(&recorded["user_data"]["value"])));
    assert_eq!(user_data, expected, "{name}");
    let nodes = entry.tree_nodes.as_ref().map(|nodes| {
        let node = |node: &hypercore_merkle::Node| {
            (node.index.get(), node.size, node.hash.as_bytes().to_vec())
        };
        nodes.iter().map(node).collect::<Vec<_>>()
    });
    let expected = recorded["tree_nodes"].as_array().map(|nodes| {
        let node = |node: &Value| {
            (number(node, "index"), number(node, "size"), bytes(&node["hash"]).unwrap())
        };
        nodes.iter().map(node).collect::<Vec<_>>()
    });
    assert_eq!(nodes, expected, "{name}");
    let expected = Some(&recorded["tree_upgrade"]).filter(|new| !new.is_null());
    let expected = expected.map(|new| TreeUpgrade {
        fork: number(new, "fork"),
        ancestors: number(new, "ancestors"),
        length: number(new, "length"),
        signature: bytes(&new["signature"]),
    });
    assert_eq!(entry.tree_upgrade, expected, "{name}");
    let expected = Some(&recorded["bitfield"]).filter(|blocks| !blocks.is_null());
    let expected = expected.map(|blocks| BitfieldUpdate {
        drop: flag(blocks, "drop"),
        start: number(blocks, "start"),
        length: number(blocks, "length"),
    });
    assert_eq!(entry.bitfield, expected, "{name}");
}

/// Checks every valid frame, whatever its bit, and that its entry is written as the same bytes.
fn check_frames(fixture: &Fixture) {
    let name = &fixture.name;
    let oplog = fixture.file("oplog");
    let mut at = ENTRIES_START as usize;
    for recorded in list(&fixture.recorded["oplog"]["frames"]) {
        let frame = parse_frame(oplog, at).unwrap();
        assert_eq!(at as u64, number(recorded, "at"), "{name}");
        let end = frame.content.end;
        assert_eq!((end - at) as u64, number(recorded, "bytes"), "{name}");
        assert_eq!(u64::from(frame.bit), number(recorded, "bit"), "{name}");
        assert_eq!(frame.partial, flag(recorded, "partial"), "{name}");
        let entry = Entry::decode(&mut Decoder::new(&oplog[frame.content])).unwrap();
        check_entry(&entry, &recorded["entry"], name);
        // An entry that is not the last of its batch is written before another one.
        let mut again = encode_entries(&[entry.clone(), entry.clone()], frame.bit).unwrap();
        again.truncate(end - at);
        if !frame.partial {
            again = encode_entries(std::slice::from_ref(&entry), frame.bit).unwrap();
        }
        assert_eq!(again, oplog[at..end], "{name}");
        at = end;
    }
    assert!(parse_frame(oplog, at).is_none(), "{name}: more frames than recorded");
}

/// What stands behind the live entries, for the recordings where it is not nothing.
fn expected_tail(name: &str) -> Tail {
    match name {
        "slot1-corrupt" | "slot0-newest-corrupt" | "stale-entries" => Tail::OtherHeader,
        // One bit of an entry is wrong.
        "torn-crc" | "torn-middle" => Tail::Flipped,
        "torn-in-length"
        | "torn-last-entry"
        | "trailing-garbage"
        | "atomic-batch-torn"
        | "atomic-batch-torn-middle" => Tail::Invalid,
        _ => Tail::End,
    }
}

#[test]
fn every_recorded_oplog_is_read_as_recorded() {
    for fixture in Fixture::all() {
        let name = &fixture.name;
        let valid = check_slots(&fixture);
        check_frames(&fixture);
        let expected = &fixture.recorded["expected"];
        let state = read_files(fixture.file("oplog"), fixture.file("header"));
        let loaded = match (state, expected["error"].as_str()) {
            (Ok(OplogState::Present(loaded)), _) => loaded,
            (Ok(OplogState::Missing), Some("STORAGE_EMPTY")) => continue,
            (Err(OpenError::Corrupt(corruption)), Some("OPLOG_CORRUPT")) => {
                assert_eq!(corruption.file, FileName::Oplog, "{name}");
                continue;
            }
            (other, error) => panic!("{name}: {other:?}, recorded {error:?}"),
        };
        assert_eq!(loaded.slots.iter().filter(|slot| **slot == SlotState::Valid).count(), valid);
        assert_eq!(loaded.tail, expected_tail(name), "{name}");
        let lost = matches!(name.as_str(), "slot1-corrupt" | "slot0-newest-corrupt");
        assert_eq!(loaded.newer_header_lost, lost, "{name}");
        assert_eq!(loaded.damaged_slot.is_some(), name.contains("corrupt"), "{name}");
        // truncation-before-header is refused by JavaScript only after its oplog was read.
        if let Some(count) = expected["replayed_entries"].as_u64() {
            assert_eq!(loaded.entries.len() as u64, count, "{name}");
            assert_eq!(Some(loaded.header.key.to_string().as_str()), expected["key"].as_str());
        }
        let end = loaded.entries.last().map_or(ENTRIES_START, |entry| entry.end);
        assert_eq!(loaded.position.entries_end, end, "{name}");
        if let Some(after) = fixture.recorded["files_after_open"]["oplog"]["bytes"].as_u64() {
            assert_eq!(loaded.position.entries_end, after, "{name}");
        }
    }
}

#[test]
fn the_recorded_big_headers_are_written_as_recorded() {
    let fixture = Fixture::load("big-header");
    let loaded = load_with(fixture.file("oplog"), fixture.file("header"));
    let header_file = fixture.file("header");
    assert_eq!(loaded.position.external, Some(ExternalHeader { start: 0, len: 5758 }));
    // The other slot holds the header before; after it came the live one.
    let before = ExternalHeader { start: 8192, len: 7549 };
    let bytes = encode_header_slot(&loaded.header, (0, false), Some(before)).unwrap();
    let (place, content) = bytes.external.unwrap();
    assert_eq!(Some(place), loaded.position.external);
    assert_eq!(content[..], header_file[..5758]);
    assert_eq!(bytes.slot[..], fixture.file("oplog")[..bytes.slot.len()]);
    // And the one before was written behind the one before that.
    let before_content = &header_file[8192..8192 + 7549];
    let SlotContent::Inline(header) = SlotContent::from_bytes(before_content).unwrap() else {
        panic!("a header");
    };
    let first = ExternalHeader { start: 0, len: 5000 };
    let bytes = encode_header_slot(&header, (1, false), Some(first)).unwrap();
    let (place, content) = bytes.external.unwrap();
    assert_eq!(place, before);
    assert_eq!(content[..], *before_content);
}

// Slots.

#[test]
fn slots_and_bits_come_in_a_cycle_of_four() {
    let mut file = File::new();
    let mut seen = Vec::new();
    for length in 0..9 {
        let write = file.position.prepare_header(&sample_header(length)).unwrap();
        seen.push((write.slot, write.bit));
        file.write_header(&sample_header(length), true);
        file.write_entries(&[sample_entry(length)]);
        let loaded = file.load();
        assert_eq!(loaded.header.tree.length, length);
        assert_eq!(starts(&loaded), [length]);
        // The bit of the slot that is still empty is derived.
        assert_eq!(loaded.position, file.position);
    }
    let cycle = [(0, false), (1, true), (0, true), (1, false)];
    let expected: Vec<_> = cycle.iter().copied().cycle().take(9).collect();
    assert_eq!(seen, expected);
}

#[test]
fn entries_of_the_header_before_are_invalid_even_if_they_were_not_cut_off() {
    for headers in 1..6 {
        let mut file = File::new();
        for length in 0..headers {
            file.write_header(&sample_header(length), true);
            file.write_entries(&[sample_entry(1), sample_entry(2)]);
        }
        file.write_header(&sample_header(headers), false);
        let loaded = file.load();
        assert_eq!(loaded.header.tree.length, headers);
        assert!(loaded.entries.is_empty());
        assert_eq!(loaded.tail, Tail::OtherHeader);
        // Both slots are good: nothing was lost.
        assert!(!loaded.newer_header_lost);
    }
}

/// Why a writer makes every cut durable before the next header: bits come back after two headers.
#[test]
fn entries_that_survive_two_headers_count_again() {
    let mut file = File::new();
    file.write_header(&sample_header(1), true);
    file.write_entries(&[sample_entry(7)]);
    file.write_header(&sample_header(2), false);
    file.write_header(&sample_header(3), false);
    assert_eq!(starts(&file.load()), [7]);
    // The same after a lost header: the next one has the bits that the lost one had.
    let mut file = File::new();
    file.write_header(&sample_header(1), true);
    file.write_header(&sample_header(2), true);
    file.write_entries(&[sample_entry(8)]);
    file.oplog[SLOT_LEN as usize + 20] ^= 1;
    file.position = file.load().position;
    assert!(file.load().entries.is_empty());
    file.write_header(&sample_header(2), false);
    assert_eq!(starts(&file.load()), [8]);
}

#[test]
fn with_one_slot_damaged_the_other_one_counts() {
    for headers in 2..7_u64 {
        let mut file = File::new();
        for length in 1..=headers {
            file.write_header(&sample_header(length), true);
            file.write_entries(&[sample_entry(length)]);
        }
        let newest = file.position.slot_offset() as usize;
        let older = newest ^ SLOT_LEN as usize;
        for at in [0, 4, 5, 8, 30, 150] {
            let mut damaged = file.clone();
            damaged.oplog[older + at] ^= 4;
            let loaded = damaged.load();
            assert_eq!(loaded.header.tree.length, headers, "byte {at}");
            assert_eq!(starts(&loaded), [headers]);
            assert_eq!(loaded.damaged_slot, Some(u8::from(older != 0)));
            assert!(!loaded.newer_header_lost);
            // The next header goes over the damaged slot.
            assert_eq!(
                usize::from(next_slot(loaded.position.bits).0 == 1),
                usize::from(older != 0)
            );

            let mut damaged = file.clone();
            damaged.oplog[newest + at] ^= 4;
            let loaded = damaged.load();
            assert_eq!(loaded.header.tree.length, headers - 1, "byte {at}");
            assert!(loaded.entries.is_empty());
            assert_eq!(loaded.damaged_slot, Some(u8::from(newest != 0)));
            assert!(loaded.newer_header_lost);
            assert_eq!(loaded.position.slot_offset() as usize, older);
        }
    }
}

#[test]
fn without_a_header_a_short_file_is_nothing_and_a_long_one_corrupt() {
    for len in [0, 1, 7, 8, 4096, 8191] {
        for byte in [0, 1] {
            assert!(matches!(read_files(&vec![byte; len], &[]), Ok(OplogState::Missing)));
        }
    }
    for len in [8192, 8193, 100_000] {
        for byte in [0, 1] {
            match read_files(&vec![byte; len], &[]) {
                Err(OpenError::Corrupt(found)) => assert_eq!(found.file, FileName::Oplog),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_header_in_a_file_that_is_too_short_counts() {
    let mut file = File::new();
    file.write_header(&sample_header(4), true);
    file.oplog.truncate(300);
    let loaded = file.load();
    assert_eq!(loaded.header.tree.length, 4);
    assert_eq!((loaded.file_len, loaded.position.entries_end), (300, ENTRIES_START));
    assert_eq!(loaded.slots, [SlotState::Valid, SlotState::Empty]);
    assert_eq!(loaded.damaged_slot, None);
}

#[test]
fn a_live_header_of_a_newer_version_is_refused_and_not_skipped() {
    let mut file = File::new();
    file.write_header(&sample_header(1), true);
    file.write_header(&sample_header(2), true);
    let rewrite = |file: &File, slot: usize| {
        let mut oplog = file.oplog.clone();
        let frame = parse_frame(&oplog, slot * 4096).unwrap();
        let mut content = oplog[frame.content].to_vec();
        content[0] = 2;
        let mut out = Vec::new();
        write_frame(&mut out, &content, frame.bit, false).unwrap();
        put(&mut oplog, slot as u64 * SLOT_LEN, &out);
        oplog
    };
    let newer = rewrite(&file, 1);
    match read_files(&newer, &[]) {
        Err(OpenError::Unsupported { file, .. }) => assert_eq!(file, FileName::Oplog),
        other => panic!("{other:?}"),
    }
    let mut alone = newer;
    alone[..4096].fill(0);
    assert!(matches!(read_files(&alone, &[]), Err(OpenError::Unsupported { .. })));
    alone.truncate(5000);
    assert!(matches!(read_files(&alone, &[]), Err(OpenError::Unsupported { .. })));
    // One that is not live does no harm.
    let loaded = load(&rewrite(&file, 0));
    assert_eq!(loaded.header.tree.length, 2);
    assert_eq!(loaded.slots, [SlotState::Newer, SlotState::Valid]);
}

#[test]
fn a_slot_whose_content_does_not_decode_is_damaged() {
    let mut file = File::new();
    file.write_header(&sample_header(1), true);
    file.write_header(&sample_header(2), true);
    let mut out = Vec::new();
    write_frame(&mut out, &[1, 0, 3], true, false).unwrap();
    put(&mut file.oplog, SLOT_LEN, &out);
    let loaded = file.load();
    assert_eq!(loaded.header.tree.length, 1);
    assert_eq!(loaded.slots, [SlotState::Valid, SlotState::Damaged]);
}

/// Every header repeats the key pair, so a bad one is in both slots: the error says what and where.
#[test]
fn what_is_wrong_in_a_valid_frame_is_named() {
    let mut file = File::new();
    file.write_header(&sample_header(1), true);
    file.write_header(&sample_header(2), true);
    let secret = hypercore_crypto::KeyPair::from_seed(&[3; 32]).secret_bytes();
    let mut at = 0;
    for slot in [0, 4096] {
        let frame = parse_frame(&file.oplog, slot).unwrap();
        let mut content = file.oplog[frame.content].to_vec();
        at = content.windows(64).position(|window| window == secret.as_slice()).unwrap();
        content[at] ^= 1;
        let mut out = Vec::new();
        write_frame(&mut out, &content, frame.bit, false).unwrap();
        put(&mut file.oplog, slot as u64, &out);
    }
    match read_files(&file.oplog, &[]) {
        Err(OpenError::Corrupt(found)) => {
            assert_eq!(found.file, FileName::Oplog);
            // The length byte of the secret key in slot 0.
            assert_eq!(found.offset, FRAME_HEADER_LEN as u64 + at as u64 - 1);
            assert!(found.what.contains("secret key"));
        }
        other => panic!("{other:?}"),
    }
}

// External headers.

fn big_header(value_len: usize) -> Header {
    let mut header = sample_header(value_len as u64);
    header.user_data.set("large", Some(vec![6; value_len]));
    header
}

#[test]
fn a_header_that_just_fits_stays_in_its_slot() {
    let slot_len = |value_len: usize| {
        let bytes = encode_header_slot(&big_header(value_len), (0, true), None).unwrap();
        (bytes.slot.len(), bytes.external.is_some())
    };
    let around = slot_len(3000).0 - 3000;
    let fits = SLOT_LEN as usize - around;
    assert_eq!(slot_len(fits), (SLOT_LEN as usize, false));
    assert!(slot_len(fits + 1).1);
}

#[test]
fn external_headers_alternate_and_stay_external() {
    let mut file = File::new();
    file.write_header(&sample_header(0), true);
    let mut places = Vec::new();
    for value_len in [5000, 7000, 100, 100, 20_000, 9000, 9000, 30_000] {
        let before = file.load();
        file.write_header(&big_header(value_len), true);
        file.write_entries(&[sample_entry(value_len as u64)]);
        let loaded = file.load();
        assert_eq!(loaded.header.to_vec(), big_header(value_len).to_vec());
        assert_eq!(starts(&loaded), [value_len as u64]);
        assert_eq!(loaded.position, file.position);
        let place = loaded.position.external.unwrap();
        // A torn write of this one leaves the one before.
        if let Some(old) = before.position.external {
            assert!(place.start >= old.start + old.len || place.start + place.len <= old.start);
        }
        let mut torn = file.clone();
        let slot = file.position.slot_offset() as usize;
        torn.oplog[slot + 9] ^= 1;
        assert_eq!(torn.load().header.to_vec(), before.header.to_vec());
        places.push(place.start);
    }
    assert_eq!(places, [0, 8192, 0, 4096, 8192, 28672, 0, 12288]);
}

#[test]
fn a_damaged_header_file_makes_its_slot_invalid() {
    let mut file = File::new();
    file.write_header(&sample_header(1), true);
    file.write_header(&big_header(5000), true);
    let check = |file: &File| {
        let loaded = file.load();
        assert_eq!(loaded.header.tree.length, 1);
        assert_eq!(loaded.slots, [SlotState::Valid, SlotState::Damaged]);
        assert_eq!(loaded.position.external, None);
    };
    check(&File { header: Vec::new(), ..file.clone() });
    check(&File { header: file.header[..file.header.len() - 1].to_vec(), ..file.clone() });
    let mut changed = file.clone();
    changed.header[40..].fill(0xff);
    check(&changed);
    // No checksum covers its version: it is taken for damage.
    let mut changed = file.clone();
    changed.header[0] = 7;
    check(&changed);
    // A pointer to a pointer, to nothing, or past everything.
    for content in [
        ExternalHeader { start: 0, len: 4 },
        ExternalHeader { start: 0, len: 0 },
        ExternalHeader { start: (1 << 53) - 1, len: (1 << 53) - 1 },
        ExternalHeader { start: 0, len: 1 << 40 },
    ] {
        let mut hostile = file.clone();
        let mut out = Vec::new();
        write_frame(&mut out, &content.to_slot_content(), true, false).unwrap();
        put(&mut hostile.oplog, SLOT_LEN, &out);
        put(&mut hostile.header, 0, &[1, 1, 0, 4]);
        check(&hostile);
    }
}

#[test]
fn a_header_above_the_limit_is_not_written() {
    let header = big_header(HEADER_LEN_MAX);
    let refused = OplogPosition::fresh().prepare_header(&header).unwrap_err();
    assert!(matches!(LogError::from(refused), LogError::UserDataTooLarge { .. }));
    assert!(matches!(OpenError::from(refused), OpenError::Unsupported { .. }));
}

#[test]
fn plans_do_not_print_what_they_write() {
    let write = OplogPosition::fresh().prepare_header(&sample_header(0)).unwrap();
    let bytes = encode_header_slot(&sample_header(0), (0, true), None).unwrap();
    let text = format!("{write:?} {bytes:?}");
    assert!(!text.contains("3, 3, 3"), "{text}");
}

// Entries.

#[test]
fn of_a_torn_batch_nothing_is_kept() {
    let mut file = File::new();
    file.write_header(&sample_header(0), true);
    file.write_entries(&[sample_entry(1)]);
    let whole = file.position.entries_end;
    file.write_entries(&[sample_entry(2), sample_entry(3), sample_entry(4)]);
    let all = file.load();
    assert_eq!(starts(&all), [1, 2, 3, 4]);
    let partial: Vec<_> = all.entries.iter().map(|entry| entry.partial).collect();
    assert_eq!(partial, [false, true, true, false]);
    for len in whole..file.oplog.len() as u64 {
        let mut torn = file.clone();
        torn.oplog.truncate(len as usize);
        let loaded = torn.load();
        assert_eq!(starts(&loaded), [1], "{len}");
        assert_eq!(loaded.position.entries_end, whole);
    }
}

#[test]
fn the_first_damaged_entry_ends_the_log() {
    let mut file = File::new();
    file.write_header(&sample_header(0), true);
    for start in 0..5 {
        file.write_entries(&[sample_entry(start)]);
    }
    let loaded = file.load();
    for (at, entry) in loaded.entries.iter().enumerate() {
        for byte in entry.start..entry.end {
            let mut damaged = file.clone();
            damaged.oplog[byte as usize] ^= 0x80;
            let found = damaged.load();
            let kept: Vec<u64> = (0..at as u64).collect();
            assert_eq!(starts(&found), kept, "byte {byte}");
            assert_eq!(found.position.entries_end, entry.start);
        }
    }
}

#[test]
fn an_entry_that_does_not_decode_ends_the_log() {
    let mut file = File::new();
    file.write_header(&sample_header(0), true);
    file.write_entries(&[sample_entry(1)]);
    let end = file.position.entries_end;
    let mut out = Vec::new();
    // Blocks up to 2^53 + 5.
    let mut content = vec![8, 0, 0xff];
    content.extend(((1_u64 << 53) - 1).to_le_bytes());
    content.push(6);
    write_frame(&mut out, &content, file.position.bit(), false).unwrap();
    put(&mut file.oplog, end, &out);
    let loaded = file.load();
    assert_eq!(starts(&loaded), [1]);
    assert_eq!(loaded.tail, Tail::Undecodable);
    assert_eq!(loaded.position.entries_end, end);
}

/// Frames of every size around the window that the file is read in.
#[test]
fn entries_larger_than_the_window_are_read() {
    let mut file = File::new();
    file.write_header(&sample_header(0), true);
    let lens = [10, 65_500, 65_520, 65_536, 66_000, 131_072, 400_000, 3];
    let entries: Vec<Entry> = lens
        .iter()
        .map(|len| Entry {
            user_data: Some((format!("{len}"), Some(vec![*len as u8 | 1; *len]))),
            ..Entry::default()
        })
        .collect();
    for entry in &entries {
        file.write_entries(std::slice::from_ref(entry));
    }
    let loaded = file.load();
    let found: Vec<&Entry> = loaded.entries.iter().map(|entry| &entry.entry).collect();
    assert_eq!(found, entries.iter().collect::<Vec<_>>());
    assert_eq!(loaded.tail, Tail::End);
    // One bit in the largest.
    let large = &loaded.entries[6];
    let mut damaged = file.clone();
    damaged.oplog[large.end as usize - 1] ^= 1;
    assert_eq!(damaged.load().position.entries_end, large.start);
}

/// A file that is as long as it likes, and counts what is read of it.
#[derive(Debug)]
struct Endless {
    start: Vec<u8>,
    len: u64,
    read: AtomicU64,
    largest: AtomicU64,
}

impl RandomAccess for Endless {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> StoreResult<()> {
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.largest.fetch_max(buffer.len() as u64, Ordering::Relaxed);
        buffer.fill(0);
        let start = self.start.get(offset as usize..).unwrap_or_default();
        let len = start.len().min(buffer.len());
        buffer[..len].copy_from_slice(&start[..len]);
        Ok(())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> StoreResult<()> {
        unreachable!("reading writes nothing")
    }
    fn discard(&self, _: u64, _: u64) -> StoreResult<()> {
        unreachable!("reading writes nothing")
    }
    fn truncate(&self, _: u64) -> StoreResult<()> {
        unreachable!("reading writes nothing")
    }
    fn len(&self) -> StoreResult<u64> {
        Ok(self.len)
    }
    fn sync(&self, _: SyncScope) -> StoreResult<()> {
        unreachable!("reading writes nothing")
    }
}

#[test]
fn a_length_field_makes_no_room_by_its_own_say_so() {
    let mut file = File::new();
    file.write_header(&sample_header(0), true);
    // A frame of 64 MiB of nothing, in a file that is long enough for it.
    file.oplog.extend([1, 2, 3, 4]);
    file.oplog.extend((64_u32 << 20 << 2).to_le_bytes());
    let oplog = Endless {
        start: file.oplog,
        len: u64::MAX,
        read: AtomicU64::new(0),
        largest: AtomicU64::new(0),
    };
    let Ok(OplogState::Present(loaded)) = read(&oplog, &store(&[])) else { panic!("a core") };
    assert_eq!(loaded.tail, Tail::Invalid);
    assert!(oplog.largest.into_inner() <= entries::SEARCHED_LEN_MAX);
    assert!(oplog.read.into_inner() <= (65 << 20) + entries::SEARCHED_LEN_MAX);
}

#[test]
fn a_valid_entry_above_the_limit_ends_the_log_unread() {
    let mut file = File::new();
    file.write_header(&sample_header(0), true);
    let content = vec![0; ENTRY_CONTENT_LEN_MAX + 1];
    let mut oplog = file.oplog.clone();
    write_frame(&mut oplog, &content, file.position.bit(), false).unwrap();
    let oplog = Endless {
        len: oplog.len() as u64,
        start: oplog,
        read: AtomicU64::new(0),
        largest: AtomicU64::new(0),
    };
    let Ok(OplogState::Present(loaded)) = read(&oplog, &store(&[])) else { panic!("a core") };
    assert_eq!((loaded.tail, loaded.entries.len()), (Tail::Undecodable, 0));
    assert!(oplog.largest.into_inner() <= reader::WINDOW_LEN as u64);
    // Nor is one written.
    let value = Some(vec![0; ENTRY_CONTENT_LEN_MAX]);
    let entry = Entry { user_data: Some(("k".into(), value)), ..Entry::default() };
    let refused = encode_entries(&[entry], true);
    assert!(matches!(refused, Err(EncodeError::TooLong { .. })));
}

#[test]
fn nothing_is_written_for_no_entries_and_bad_numbers() {
    assert_eq!(encode_entries(&[], true), Ok(Vec::new()));
    let bitfield = Some(BitfieldUpdate { drop: false, start: 1 << 53, length: 1 });
    let entry = Entry { bitfield, ..Entry::default() };
    assert!(matches!(encode_entries(&[entry], true), Err(EncodeError::Number(_))));
}

#[test]
fn a_failed_read_is_not_taken_for_damage() {
    #[derive(Debug)]
    struct Broken;
    impl RandomAccess for Broken {
        fn read_at(&self, offset: u64, _: &mut [u8]) -> StoreResult<()> {
            Err(random_access_storage::Error::OutOfBounds { offset, len: 1, end: 0 })
        }
        fn write_at(&self, _: u64, _: &[u8]) -> StoreResult<()> {
            Ok(())
        }
        fn discard(&self, _: u64, _: u64) -> StoreResult<()> {
            Ok(())
        }
        fn truncate(&self, _: u64) -> StoreResult<()> {
            Ok(())
        }
        fn len(&self) -> StoreResult<u64> {
            Ok(10_000)
        }
        fn sync(&self, _: SyncScope) -> StoreResult<()> {
            Ok(())
        }
    }
    let failed = |state: Result<OplogState, OpenError>| match state {
        Err(OpenError::Storage(error)) => error.file,
        other => panic!("{other:?}"),
    };
    assert_eq!(failed(read(&Broken, &store(&[]))), FileName::Oplog);
    let mut file = File::new();
    file.write_header(&big_header(5000), true);
    assert_eq!(failed(read(&store(&file.oplog), &Broken)), FileName::Header);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever was cut off or flipped: the entries kept are the first ones, as they were written.
    #[test]
    fn what_is_kept_is_a_prefix(
        batches in proptest::collection::vec(1_u64..4, 1..8),
        cut: proptest::sample::Index,
        flip in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut file = File::new();
        file.write_header(&sample_header(0), true);
        let mut ends = vec![(0, ENTRIES_START)];
        let mut next = 0;
        for count in batches {
            let batch: Vec<Entry> = (next..next + count).map(sample_entry).collect();
            next += count;
            file.write_entries(&batch);
            ends.push((next, file.position.entries_end));
        }
        let start = ENTRIES_START as usize;
        let keep = start + cut.index(file.oplog.len() - start + 1);
        let mut first_bad = keep;
        file.oplog.truncate(keep);
        if let Some(flip) = flip.filter(|_| keep > start) {
            let bit = flip.index((keep - start) * 8);
            first_bad = start + bit / 8;
            file.oplog[first_bad] ^= 1 << (bit % 8);
        }
        let loaded = file.load();
        let (count, end) = *ends.iter().rfind(|(_, end)| *end <= first_bad as u64).unwrap();
        prop_assert_eq!(starts(&loaded), (0..count).collect::<Vec<_>>());
        prop_assert_eq!(loaded.position.entries_end, end);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        mut oplog in proptest::collection::vec(any::<u8>(), 0..9000),
        header in proptest::collection::vec(any::<u8>(), 0..100),
        content in proptest::collection::vec(any::<u8>(), 0..100),
        at in prop_oneof![Just(0_u64), Just(SLOT_LEN), Just(ENTRIES_START)],
    ) {
        let mut out = Vec::new();
        write_frame(&mut out, &content, false, false).unwrap();
        put(&mut oplog, at, &out);
        let _ = read_files(&oplog, &header);
    }
}

/// The last byte of an entry often has one bit only, so a lost sector in which it is alone looks like a flipped bit.
#[test]
fn a_lost_sector_is_no_flipped_bit() {
    const SECTOR_LEN: usize = 512;
    for in_last_sector in [1, 2, 100] {
        let mut frame = Vec::new();
        let mut content = vec![7; SECTOR_LEN - FRAME_HEADER_LEN];
        content.extend(vec![0; in_last_sector - 1]);
        content.push(1);
        write_frame(&mut frame, &content, true, false).unwrap();
        let flipped_in = |at: usize| {
            let mut bytes = frame.clone();
            bytes[at] ^= 1;
            let file = RandomAccessMemory::new();
            file.write_at(ENTRIES_START, &bytes).unwrap();
            FrameReader::new(&file).unwrap().flipped(ENTRIES_START).unwrap().map(|found| found.at)
        };
        assert_eq!(flipped_in(frame.len() - 1), None, "all that is there is zero");
        for at in [0, 4, 8, SECTOR_LEN - 1] {
            assert_eq!(flipped_in(at), Some(at));
        }
    }
}
