//! Sizes at the edges: empty blocks, the largest block, batches of a million.

mod support;

use hypercore_log::{BLOCK_LEN_MAX, Durability, Log, LogError, OpenOptions};
use support::{Disk, assert_sound, create, reopen};

#[test]
fn blocks_of_every_size_come_back() {
    let disk = Disk::new();
    let log = create(&disk);
    let sizes = [0, 1, 4095, 4096, 2 * 1024 * 1024 + 1, 0, BLOCK_LEN_MAX];
    for (fill, len) in (1..).zip(sizes) {
        log.append(&[vec![fill; len]]).unwrap();
    }
    log.append(&[&b""[..], b"", b"x", b""]).unwrap();
    drop(log);
    let log = reopen(&disk);
    for (index, (fill, len)) in (0..).zip((1..).zip(sizes)) {
        assert_eq!(log.get(index).unwrap().unwrap(), vec![fill; len]);
    }
    assert_eq!(log.get(9).unwrap().unwrap(), b"x");
    assert_sound(&log);
}

#[test]
fn a_larger_block_is_refused_and_nothing_changes() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&[b"before"]).unwrap();
    let too_large = vec![0; BLOCK_LEN_MAX + 1];
    let error = log.append(&[&b"small"[..], &too_large]).unwrap_err();
    assert!(matches!(error, LogError::BlockTooLarge { len, .. } if len == too_large.len() as u64));
    assert_eq!(log.length(), 1);
    log.append(&[b"after"]).unwrap();
    assert_eq!(reopen(&disk).length(), 2);
}

#[test]
fn a_batch_of_a_million_blocks_is_one_append() {
    const COUNT: u64 = 1_000_000;
    let disk = Disk::new();
    drop(create(&disk));
    let options = OpenOptions::new().durability(Durability::Eventual);
    let log = Log::open(disk.stores(), options).unwrap();
    let blocks: Vec<[u8; 8]> = (0..COUNT).map(u64::to_le_bytes).collect();
    let appended = log.append(&blocks).unwrap();
    assert_eq!((appended.length, appended.byte_length), (COUNT, 8 * COUNT));
    drop(log);
    let log = reopen(&disk);
    assert_eq!((log.length(), log.contiguous_length()), (COUNT, COUNT));
    for index in [0, 1, 499_999, 524_288, COUNT - 1] {
        assert_eq!(log.get(index).unwrap().unwrap(), index.to_le_bytes());
    }
    assert_eq!(log.seek(8 * 777_777 + 3, 0).unwrap(), Some((777_777, 3)));
}

#[test]
fn an_empty_append_changes_nothing() {
    let disk = Disk::new();
    let log = create(&disk);
    let before = disk.bytes(hypercore_log::FileName::Oplog);
    assert_eq!(log.append::<&[u8]>(&[]).unwrap().length, 0);
    assert_eq!(disk.bytes(hypercore_log::FileName::Oplog), before);
}
