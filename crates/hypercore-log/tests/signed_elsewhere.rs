//! Writes that are signed by somebody else: prepared, with another key pair, with a ready signature, by several signers.

mod support;

use bytes::Bytes;
use compact_encoding::{Decode as _, Decoder};
use hypercore_crypto::{
    KeyPair, Manifest, ManifestSigner, MultiSignature, PartialSignature, SignError, VerifyError,
};
use hypercore_log::{
    AppendOptions, Create, FileName, Log, LogError, OpenOptions, TruncateOptions, Unsigned,
};
use random_access_storage::RandomAccess as _;
use serde_json::Value;
use support::fixture::hex;
use support::{Disk, assert_sound, blocks, create, key_pair, reopen};

fn pair(number: u8) -> KeyPair {
    KeyPair::from_seed(&[number; 32])
}

fn manifest(signers: u8, quorum: u64) -> Manifest {
    let signers = (0..signers).map(|number| ManifestSigner::new(pair(number).public()));
    Manifest::builder().quorum(quorum).signers(signers).allow_patch().build().unwrap()
}

/// A log without a key pair of its own.
fn create_common(disk: &Disk, manifest: Manifest) -> Log {
    Log::open(disk.stores(), OpenOptions::new().create(Create::New).manifest(manifest)).unwrap()
}

fn bytes(blocks: &[&str]) -> Vec<Bytes> {
    blocks.iter().map(|block| Bytes::copy_from_slice(block.as_bytes())).collect()
}

#[test]
fn a_prepared_append_takes_the_signature_that_was_made_for_it() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&["zero"]).unwrap();
    let prepared = log.prepare_append(bytes(&["one", "two"]), &AppendOptions::new()).unwrap();
    assert_eq!(log.length(), 1);
    assert_eq!((prepared.unsigned().head().length, prepared.unsigned().head().fork), (3, 0));
    let to_sign = prepared.unsigned().to_sign(&key_pair().public()).unwrap();
    let part = to_sign.signed(key_pair().sign(to_sign.message())).unwrap();
    let signature = prepared.unsigned().assemble(&[part]).unwrap();

    let before = (disk.snapshot(), log.head());
    for wrong in [&[][..], &[0; 64], &signature[1..]] {
        let refused = log.append_prepared(&prepared, wrong);
        assert!(matches!(refused, Err(LogError::Signature(_))), "{refused:?}");
    }
    // Not one byte was stored.
    for name in support::FILES {
        assert_eq!(disk.bytes(name), before.0.bytes(name));
    }
    assert_eq!(log.head(), before.1);

    let appended = log.append_prepared(&prepared, &signature).unwrap();
    assert_eq!((appended.length, appended.byte_length), (3, 10));
    assert_eq!(&log.head(), prepared.unsigned().head());
    let again = log.append_prepared(&prepared, &signature);
    assert!(matches!(again, Err(LogError::HeadMoved { fork: 0, length: 3 })), "{again:?}");
    drop(log);
    let log = reopen(&disk);
    assert_eq!(log.get(2).unwrap().unwrap(), b"two");
    assert_sound(&log);
}

#[test]
fn a_prepared_append_is_refused_once_the_head_moved() {
    let log = create(&Disk::new());
    let prepared = log.prepare_append(bytes(&["mine"]), &AppendOptions::new()).unwrap();
    let to_sign = prepared.unsigned().to_sign(&key_pair().public()).unwrap();
    let part = to_sign.signed(key_pair().sign(to_sign.message())).unwrap();
    let signature = prepared.unsigned().assemble(&[part]).unwrap();
    log.append(&["other"]).unwrap();
    let moved = log.append_prepared(&prepared, &signature);
    assert!(matches!(moved, Err(LogError::HeadMoved { fork: 0, length: 1 })), "{moved:?}");
    log.truncate(0, None).unwrap();
    // As long as it was, and another fork.
    let moved = log.append_prepared(&prepared, &signature);
    assert!(matches!(moved, Err(LogError::HeadMoved { fork: 1, length: 0 })), "{moved:?}");
}

#[test]
fn a_prepared_truncation_takes_the_signature_that_was_made_for_it() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&["one", "two", "three"]).unwrap();
    let prepared = log.prepare_truncate(1, Some(7)).unwrap();
    let to_sign = prepared.unsigned().to_sign(&key_pair().public()).unwrap();
    let part = to_sign.signed(key_pair().sign(to_sign.message())).unwrap();
    let signature = prepared.unsigned().assemble(&[part]).unwrap();
    let refused = log.truncate_prepared(&prepared, &signature[1..]);
    assert!(matches!(refused, Err(LogError::Signature(_))), "{refused:?}");
    assert_eq!(log.length(), 3);
    assert_eq!(&log.truncate_prepared(&prepared, &signature).unwrap(), prepared.unsigned().head());
    let again = log.truncate_prepared(&prepared, &signature);
    assert!(matches!(again, Err(LogError::HeadMoved { fork: 7, length: 1 })), "{again:?}");
    drop(log);
    let log = reopen(&disk);
    assert_eq!((log.fork(), blocks(&log)), (7, vec![Some(b"one".to_vec())]));
    assert_sound(&log);
}

#[test]
fn two_of_three_signers_write_a_log_that_has_no_key_pair() {
    let disk = Disk::new();
    let log = create_common(&disk, manifest(3, 2));
    assert!(!log.is_writable());
    assert!(matches!(log.append(&["alone"]), Err(LogError::NotWritable)));
    for round in 0..4 {
        let batch = bytes(&["hello", "world"]);
        let prepared = log.prepare_append(batch, &AppendOptions::new()).unwrap();
        let mut parts: Vec<PartialSignature> = Vec::new();
        for signer in [pair(2), pair(0)] {
            let to_sign = prepared.unsigned().to_sign(&signer.public()).unwrap();
            parts.push(to_sign.signed(signer.sign(to_sign.message())).unwrap());
            if parts.len() == 1 {
                let short = prepared.unsigned().assemble(&parts);
                assert!(matches!(short, Err(LogError::Assemble(_))), "{short:?}");
            }
        }
        let signature = prepared.unsigned().assemble(&parts).unwrap();
        log.append_prepared(&prepared, &signature).unwrap();
        assert_eq!(log.length(), 2 * (round + 1));
    }
    let stranger = log.prepare_append(bytes(&["x"]), &AppendOptions::new()).unwrap();
    let stranger = stranger.unsigned().to_sign(&pair(9).public());
    assert!(matches!(stranger, Err(LogError::KeyPair(SignError::NotASigner))), "{stranger:?}");
    drop(log);
    let log = reopen(&disk);
    assert_eq!(log.length(), 8);
    assert_sound(&log);
}

#[test]
fn another_key_pair_signs_if_it_is_one_of_the_signers() {
    let disk = Disk::new();
    let log = create_common(&disk, manifest(3, 1));
    let by = |number| AppendOptions::new().key_pair(pair(number));
    log.append_with_options(&["by one"], &by(1)).unwrap();
    log.append_made(&by(2), |head| vec![head.length.to_le_bytes().to_vec()]).unwrap();
    let refused = log.append_with_options(&["by nobody"], &by(3));
    assert!(matches!(refused, Err(LogError::KeyPair(SignError::NotASigner))), "{refused:?}");
    log.truncate_with(1, None, &TruncateOptions::new().key_pair(pair(0))).unwrap();
    let refused = log.truncate_with(0, None, &TruncateOptions::new().key_pair(pair(3)));
    assert!(matches!(refused, Err(LogError::KeyPair(SignError::NotASigner))), "{refused:?}");
    log.truncate_with(0, None, &TruncateOptions::new().key_pair(pair(2))).unwrap();
    drop(log);
    let log = reopen(&disk);
    assert_eq!((log.fork(), log.length()), (2, 0));

    let quorum = create_common(&Disk::new(), manifest(3, 2));
    let alone = quorum.append_with_options(&["by one"], &by(1));
    assert!(matches!(alone, Err(LogError::KeyPair(SignError::QuorumNotOne { quorum: 2 }))));
}

#[test]
fn a_ready_signature_is_verified_before_anything_is_stored() {
    let (disk, other) = (Disk::new(), Disk::new());
    let log = create(&disk);
    let twin = create(&other);
    twin.append(&["one", "two"]).unwrap();
    let ready = AppendOptions::new().signature(twin.signature().unwrap());
    let before = disk.snapshot();
    let refused = log.append_with_options(&["one", "TWO"], &ready);
    let bad = VerifyError::BadSignature { signer: 0 };
    assert!(matches!(&refused, Err(LogError::Signature(error)) if *error == bad), "{refused:?}");
    for name in support::FILES {
        assert_eq!(disk.bytes(name), before.bytes(name));
    }
    log.append_with_options(&["one", "two"], &ready).unwrap();
    assert_eq!((log.head(), log.signature()), (twin.head(), twin.signature()));

    twin.truncate(1, None).unwrap();
    let ready = TruncateOptions::new().signature(twin.signature().unwrap());
    assert!(matches!(log.truncate_with(1, Some(2), &ready), Err(LogError::Signature(_))));
    assert_eq!(log.truncate_with(1, None, &ready).unwrap(), twin.head());
}

#[test]
fn a_limit_and_an_expected_head_are_kept() {
    let log = create(&Disk::new());
    let empty = log.head();
    let two = AppendOptions::new().length_max(2);
    log.append_with_options(&["one", "two"], &two).unwrap();
    let refused = log.append_with_options(&["three"], &two);
    assert!(matches!(refused, Err(LogError::LengthLimit { length: 3, max: 2 })), "{refused:?}");
    let nothing: [&str; 0] = [];
    assert_eq!(log.append_with_options(&nothing, &two).unwrap().length, 2);

    let stale = AppendOptions::new().expected(&empty);
    let refused = log.append_with_options(&["three"], &stale);
    assert!(matches!(refused, Err(LogError::HeadMoved { fork: 0, length: 2 })), "{refused:?}");
    let refused = log.append_made(&stale, |_| panic!("made for another head"));
    assert!(matches!(refused, Err(LogError::HeadMoved { .. })), "{refused:?}");
    assert!(log.prepare_append(Vec::new(), &stale).is_err());
    log.append_with_options(&["three"], &AppendOptions::new().expected(&log.head())).unwrap();
    assert_eq!(log.length(), 3);
}

#[test]
fn padding_has_room_only_where_it_is_announced() {
    let log = create(&Disk::new());
    let block = vec![0; hypercore_log::BLOCK_LEN_MAX + 64];
    let refused = log.append_with_options(std::slice::from_ref(&block), &AppendOptions::new());
    assert!(matches!(refused, Err(LogError::BlockTooLarge { .. })), "{refused:?}");
    log.append_with_options(&[block], &AppendOptions::new().padded()).unwrap();
    let longer = vec![0; hypercore_log::BLOCK_LEN_MAX + 65];
    let refused = log.append_with_options(&[longer], &AppendOptions::new().padded());
    assert!(matches!(refused, Err(LogError::BlockTooLarge { .. })), "{refused:?}");
}

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/patched_signatures.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().expect("a string")
}

/// The recorded signatures of signers who had signed further, through a log: what verifies there is appended, what does not leaves
/// nothing behind, and a log of all blocks has the nodes to assemble each of them again, byte for byte.
#[test]
fn recorded_patched_signatures() {
    let vectors = vectors();
    let all = vectors["patched_blocks"].as_array().unwrap();
    let all: Vec<Vec<u8>> = all.iter().map(|block| hex(block.as_str().unwrap())).collect();
    assert_eq!(all.len(), 24);
    let whole = create(&Disk::new());
    whole.append(&all).unwrap();
    let (mut valid, mut assembled) = (0, 0);
    for case in vectors["patched_signatures"].as_array().unwrap() {
        let note = text(case, "note");
        let manifest = Manifest::from_slice(&hex(text(case, "manifest"))).unwrap();
        let signature = hex(text(case, "signature"));
        let length = case["length"].as_u64().unwrap();
        let disk = Disk::new();
        let log = create_common(&disk, manifest.clone());
        let ready = AppendOptions::new().signature(signature.clone());
        let appended = log.append_with_options(&all[..length as usize], &ready);
        if !case["valid"].as_bool().unwrap() {
            assert!(matches!(appended, Err(LogError::Signature(_))), "{note}: {appended:?}");
            assert_eq!(log.length(), 0);
            continue;
        }
        assert_eq!(appended.unwrap().length, length, "{note}");
        drop(log);
        assert_sound(&reopen(&disk));
        valid += 1;
        if note.contains("another order") {
            continue;
        }
        let mut input = Decoder::new(&signature);
        let multi = match manifest.version() {
            0 => MultiSignature::decode_v0(&mut input),
            _ => MultiSignature::decode(&mut input),
        };
        let parts: Vec<PartialSignature> = multi
            .unwrap()
            .proofs
            .iter()
            .map(|proof| PartialSignature {
                signer: proof.signer,
                signature: proof.signature,
                length: length + proof.patch,
                nodes: whole.patch_nodes(length, length + proof.patch).unwrap(),
            })
            .collect();
        let log = create_common(&Disk::new(), manifest);
        let batch = all[..length as usize].iter().cloned().map(Bytes::from).collect();
        let prepared = log.prepare_append(batch, &AppendOptions::new()).unwrap();
        assert_eq!(prepared.unsigned().assemble(&parts).unwrap(), signature, "{note}");
        assembled += 1;
    }
    assert!(valid >= 9 && assembled >= 5, "{valid} {assembled}");
}

#[test]
fn signers_with_logs_of_their_own_sign_what_they_agree_on() {
    let manifest = manifest(3, 2);
    let all: Vec<Vec<u8>> =
        (0_u8..30).map(|number| vec![number; usize::from(number) % 5]).collect();
    let lengths = [30, 7, 12];
    let own: Vec<Log> = (0..3)
        .map(|number| {
            let options = OpenOptions::new().create(Create::New).key_pair(pair(number));
            let log = Log::open(Disk::new().stores(), options).unwrap();
            log.append(&all[..lengths[usize::from(number)]]).unwrap();
            log
        })
        .collect();
    let common = create_common(&Disk::new(), manifest.clone());
    for (signers, length) in [([0, 1], 5), ([1, 2], 7), ([2, 0], 12)] {
        let parts: Vec<PartialSignature> = signers
            .iter()
            .map(|signer| {
                let (log, pair) = (&own[usize::from(*signer)], pair(*signer));
                log.partial_signature_for(&manifest, &pair, log.length(), length).unwrap()
            })
            .collect();
        let from = common.length() as usize;
        let batch: Vec<Bytes> =
            all[from..length as usize].iter().cloned().map(Bytes::from).collect();
        let prepared = common.prepare_append(batch, &AppendOptions::new()).unwrap();
        let signature = prepared.unsigned().assemble(&parts).unwrap();
        common.append_prepared(&prepared, &signature).unwrap();
    }
    assert_eq!(common.length(), 12);
    // What the common log has can be signed from there as well.
    let part = common.partial_signature(&pair(1), 12, 9).unwrap();
    let own = own[0].partial_signature_for(&manifest, &pair(1), 12, 9).unwrap();
    assert_eq!(part, own);
    let to_sign = common.to_sign_at(&pair(1).public(), 12).unwrap();
    assert_eq!((to_sign.tree_hash, to_sign.length), (common.head().tree_hash, 12));
    assert!(to_sign.signed(part.signature).is_ok());
    assert!(matches!(common.patch_nodes(5, 13), Err(LogError::OutOfBounds { .. })));
    assert!(matches!(common.patch_nodes(6, 5), Err(LogError::OutOfBounds { .. })));
}

#[test]
fn a_log_that_was_signed_from_elsewhere_is_careful_when_its_newest_header_is_lost() {
    let disk = Disk::new();
    let log = create_common(&disk, manifest(2, 1));
    let by = AppendOptions::new().key_pair(pair(1));
    log.append_with_options(&["one"], &by).unwrap();
    log.checkpoint().unwrap();
    log.append_with_options(&["two"], &by).unwrap();
    log.checkpoint().unwrap();
    drop(log);
    for slot in [0, 4096] {
        let copy = disk.snapshot();
        let oplog = copy.file(FileName::Oplog);
        let mut bytes = copy.bytes(FileName::Oplog);
        bytes[slot + 100] ^= 1;
        oplog.write_at(0, &bytes).unwrap();
        let log = reopen(&copy);
        if log.recovery().newer_header_lost {
            let refused = log.append_with_options(&["other"], &by);
            assert!(matches!(refused, Err(LogError::HeaderLost)), "{refused:?}");
            let length = log.length();
            log.truncate_with(length, None, &TruncateOptions::new().key_pair(pair(0))).unwrap();
            log.append_with_options(&["after"], &by).unwrap();
            assert_sound(&reopen(&copy));
            return;
        }
    }
    panic!("one of the two slots holds the newest header");
}

#[test]
fn one_signature_leaves_a_lost_entry_behind_only_where_all_blocks_stay() {
    let disk = Disk::new();
    let log = create(&disk);
    for block in ["one", "two", "three"] {
        log.append(&[block]).unwrap();
    }
    drop(log);
    // One bit of the last entry, which may be with others.
    let oplog = disk.file(FileName::Oplog);
    let mut bytes = disk.bytes(FileName::Oplog);
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    oplog.write_at(0, &bytes).unwrap();
    let log = reopen(&disk);
    assert!(log.recovery().entry_bit_flipped, "{:?}", log.recovery());
    assert!(matches!(log.append(&["other"]), Err(LogError::HeaderLost)));
    assert_eq!(log.length(), 2);
    let two_needed = log.prepare_truncate(1, None);
    assert!(matches!(two_needed, Err(LogError::HeaderLost)), "{two_needed:?}");
    let prepared = log.prepare_truncate(2, None).unwrap();
    let to_sign = prepared.unsigned().to_sign(&key_pair().public()).unwrap();
    let part = to_sign.signed(key_pair().sign(to_sign.message())).unwrap();
    let signature = prepared.unsigned().assemble(&[part]).unwrap();
    log.truncate_prepared(&prepared, &signature).unwrap();
    log.append(&["after"]).unwrap();
    drop(log);
    let log = reopen(&disk);
    assert_eq!((log.fork(), log.length()), (1, 3));
    assert_sound(&log);
}

fn signed(prepared: &Unsigned) -> Vec<u8> {
    let to_sign = prepared.to_sign(&key_pair().public()).unwrap();
    let part = to_sign.signed(key_pair().sign(to_sign.message())).unwrap();
    prepared.assemble(&[part]).unwrap()
}

#[test]
fn what_is_prepared_for_one_history_is_refused_by_another_of_the_same_length() {
    let disk = Disk::new();
    let log = create(&disk);
    let before = disk.snapshot();
    log.append(&["lost by the power"]).unwrap();
    let append = log.prepare_append(bytes(&["mine"]), &AppendOptions::new()).unwrap();
    let truncate = log.prepare_truncate(1, None).unwrap();
    drop(log);
    let log = reopen(&before);
    log.append(&["other"]).unwrap();
    let refused = log.append_prepared(&append, &signed(append.unsigned()));
    assert!(matches!(refused, Err(LogError::HeadMoved { fork: 0, length: 1 })), "{refused:?}");
    let refused = log.truncate_prepared(&truncate, &signed(truncate.unsigned()));
    assert!(matches!(refused, Err(LogError::HeadMoved { fork: 0, length: 1 })), "{refused:?}");
    assert_eq!(blocks(&log), [Some(b"other".to_vec())]);
    assert_sound(&log);

    let another = create_common(&Disk::new(), manifest(1, 1));
    let empty = another.prepare_append(bytes(&["mine"]), &AppendOptions::new()).unwrap();
    let refused = create(&Disk::new()).append_prepared(&empty, &[]);
    assert!(matches!(refused, Err(LogError::OtherLog)), "{refused:?}");
}

#[test]
fn a_log_is_careful_that_was_signed_by_a_key_pair_it_does_not_store() {
    let disk = Disk::new();
    let signer = ManifestSigner::new(key_pair().public());
    drop(create_common(&disk, Manifest::builder().signer(signer).build().unwrap()));
    let with_key =
        |disk: &Disk| Log::open(disk.stores(), OpenOptions::new().key_pair(key_pair())).unwrap();
    let log = with_key(&disk);
    log.append(&["one"]).unwrap();
    log.checkpoint().unwrap();
    log.append(&["two"]).unwrap();
    log.checkpoint().unwrap();
    drop(log);
    let mut lost = 0;
    for slot in [0, 4096] {
        let copy = disk.snapshot();
        let byte = copy.bytes(FileName::Oplog)[slot + 100];
        copy.file(FileName::Oplog).write_at(slot as u64 + 100, &[byte ^ 1]).unwrap();
        // Somebody looks at it who has no key.
        drop(reopen(&copy));
        let log = with_key(&copy);
        if log.length() < 2 {
            lost += 1;
            let refused = log.append(&["in the place of two"]);
            assert!(matches!(refused, Err(LogError::HeaderLost)), "{refused:?}");
        }
    }
    assert_eq!(lost, 1, "one of the two slots holds the newest header");
}
