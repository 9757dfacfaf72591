//! Proofs that are checked and not stored: those that fit, those that stand on their own, those that do not hold.

mod support;

use hypercore_log::{Create, Log, LogError, OpenOptions};
use hypercore_merkle::{BlockRequest, Proof, Request, UpgradeRequest, VerifyError};
use support::{Disk, block, create};

fn writer(seed: usize, length: u64) -> Log {
    let log = create(&Disk::new());
    let blocks: Vec<_> = (0..length).map(|index| block(index, index as usize * seed)).collect();
    log.append(&blocks).unwrap();
    log
}

fn reader(writer: &Log) -> Log {
    let options = OpenOptions::new().create(Create::New).key(writer.key());
    Log::open(Disk::new().stores(), options).unwrap()
}

/// The proof of `to - from` blocks and perhaps of a block.
fn proof(writer: &Log, index: Option<u64>, from: u64, to: u64) -> Proof {
    let request = Request {
        fork: writer.fork(),
        block: index.map(|index| BlockRequest { index, nodes: 0 }),
        upgrade: (to > from).then(|| UpgradeRequest { start: from, length: to - from }),
        manifest: true,
        ..Request::default()
    };
    writer.create_proof(&request).unwrap().unwrap()
}

#[test]
fn what_fits_is_told_and_not_stored() {
    let writer = writer(3, 9);
    let reader = reader(&writer);
    let before = reader.head();
    let checked = reader.check_proof(&proof(&writer, Some(4), 0, 9)).unwrap();
    let head = writer.head();
    assert_eq!((checked.fork, checked.length, checked.block), (0, 9, Some(4)));
    assert_eq!((checked.tree_hash, checked.byte_length), (head.tree_hash, head.byte_length));
    assert!(!checked.contradicts);
    assert_eq!((reader.head(), reader.has(4), reader.manifest()), (before, false, None));

    // Once it is stored, a proof of the rest fits; before, it does not.
    let tail = proof(&writer, Some(7), 5, 9);
    assert!(matches!(reader.check_proof(&tail), Err(LogError::Proof(_))));
    reader.apply_proof(&proof(&writer, None, 0, 9)).unwrap();
    let more = writer.append(&["one", "more"]).unwrap().length;
    let checked = reader.check_proof(&proof(&writer, Some(10), 9, more)).unwrap();
    assert_eq!((checked.length, checked.block), (11, Some(10)));
    assert_eq!(reader.length(), 9);
}

#[test]
fn a_block_is_checked_against_what_is_stored() {
    let writer = writer(3, 9);
    let reader = reader(&writer);
    reader.apply_proof(&proof(&writer, None, 0, 9)).unwrap();
    let nodes = reader.missing_nodes(2).unwrap();
    let block = Some(BlockRequest { index: 2, nodes });
    let mut proof = writer.create_proof(&Request { block, ..Request::default() }).unwrap().unwrap();
    let checked = reader.check_proof(&proof).unwrap();
    assert_eq!((checked.length, checked.block), (9, Some(2)));
    proof.block.as_mut().unwrap().value = "another".into();
    assert!(matches!(reader.check_proof(&proof), Err(LogError::Proof(_))));
}

#[test]
fn an_upgrade_from_nothing_stands_on_its_own() {
    let writer = writer(3, 9);
    let old = proof(&writer, Some(3), 0, 5);
    let reader = reader(&writer);
    reader.apply_proof(&proof(&writer, None, 0, 9)).unwrap();
    writer.truncate(4, Some(6)).unwrap();
    // Shorter than what is here, though signed with what follows it; and of another fork.
    let checked = reader.check_proof(&old).unwrap();
    assert_eq!((checked.fork, checked.length, checked.contradicts), (0, 9, false));
    let checked = reader.check_proof(&proof(&writer, Some(1), 0, 4)).unwrap();
    assert_eq!((checked.fork, checked.length, checked.block), (6, 4, Some(1)));
    assert!(!checked.contradicts);
    // Alone, a block of another fork is nobody's fault.
    let Err(LogError::Proof(error)) = reader.check_proof(&proof(&writer, Some(1), 0, 0)) else {
        panic!("nothing vouches for it");
    };
    assert!(error.is_other_fork());
}

#[test]
fn another_signed_history_is_found_out() {
    let (one, other) = (writer(3, 9), writer(4, 9));
    assert_eq!(one.key(), other.key());
    let reader = reader(&one);
    reader.apply_proof(&proof(&one, None, 0, 9)).unwrap();
    let checked = reader.check_proof(&proof(&other, Some(1), 0, 9)).unwrap();
    assert_eq!(checked.tree_hash, other.head().tree_hash);
    assert!(checked.contradicts);
    assert!(!reader.is_frozen());
}

#[test]
fn what_was_not_signed_does_not_hold() {
    let writer = writer(3, 9);
    let reader = reader(&writer);
    let mut proof = proof(&writer, Some(4), 0, 9);
    proof.upgrade.as_mut().unwrap().signature.as_mut().unwrap()[20] ^= 1;
    let Err(LogError::Proof(error)) = reader.check_proof(&proof) else { panic!("it is forged") };
    assert!(matches!(*error, VerifyError::Signature(_)));
}
