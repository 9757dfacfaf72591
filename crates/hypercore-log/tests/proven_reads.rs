//! Reads after the first: what was proven before is relied on, and what changed since is not.

mod support;

use hypercore_log::{Create, FileName, Get, Log, LogError, OpenOptions};
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
use random_access_storage::RandomAccess as _;
use support::{Disk, block, create, reopen};

/// Bytes of a tree node, and of the nodes of 32 blocks, which are read together.
const NODE: usize = 40;
const GROUP: usize = 64 * NODE;

/// A group this much further takes the place of another in memory.
const GROUPS_KEPT: u64 = 256;

/// Groups 1 and 3 have an empty block each, at different places, and their others are of one size.
fn content(index: u64) -> Vec<u8> {
    match index {
        41 | 103 => Vec::new(),
        _ => block(index, 6),
    }
}

/// Reads so that groups 1 and 3 are no longer in memory.
fn displace(log: &Log) {
    for group in [1, 3] {
        log.get((group + GROUPS_KEPT) * 32).unwrap().unwrap();
    }
}

/// Every block of groups 1 and 3 is right or an error that tells of damage. Gives the number of errors.
fn read_damaged(case: &str, log: &Log) -> usize {
    let mut errors = 0;
    for index in (32..64).chain(96..128) {
        match log.get(index) {
            Ok(found) => assert_eq!(found, Some(content(index)), "{case}: block {index}"),
            Err(LogError::Corrupt(_) | LogError::CorruptBlock { .. }) => errors += 1,
            Err(error) => panic!("{case}: block {index}: {error:?}"),
        }
        // Blocks 41 and 103 are empty, all others have 6 bytes.
        let before = index - u64::from(index > 41) - u64::from(index > 103);
        match log.seek(before * 6 + 2, 0) {
            Ok(found) => {
                let block = if matches!(index, 41 | 103) { index + 1 } else { index };
                assert_eq!(found, Some((block, 2)), "{case}: seek {index}");
            }
            Err(LogError::Corrupt(_)) => {}
            Err(error) => panic!("{case}: seek {index}: {error:?}"),
        }
    }
    errors
}

fn swap(bytes: &mut [u8], first: usize, second: usize, len: usize) {
    assert!(first + len <= second);
    let (head, tail) = bytes.split_at_mut(second);
    head[first..first + len].swap_with_slice(&mut tail[..len]);
}

#[test]
fn nodes_that_change_places_after_they_were_proven_are_noticed() {
    let disk = Disk::new();
    let log = create(&disk);
    let blocks: Vec<_> = (0..(GROUPS_KEPT + 4) * 32).map(content).collect();
    log.append(&blocks).unwrap();
    log.checkpoint().unwrap();
    let tree = disk.bytes(FileName::Tree);
    assert_eq!(read_damaged("before", &log), 0);

    let leaf = |block: usize| 2 * block * NODE;
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    let mut case = |name: String, first, second, len| {
        let mut damaged = tree.clone();
        swap(&mut damaged, first, second, len);
        cases.push((name, damaged));
    };
    // Two siblings, one of an empty block: neither the sum of sizes nor the block tells.
    case("siblings".into(), leaf(40), leaf(41), NODE);
    case("cousins".into(), leaf(41), leaf(44), NODE);
    case("leaves of two groups".into(), leaf(32 + 7), leaf(96 + 7), NODE);
    case("subtrees".into(), leaf(32 + 8), leaf(96 + 4), 3 * NODE);
    case("halves".into(), leaf(32), leaf(96), 31 * NODE);
    case("groups".into(), GROUP, 3 * GROUP, GROUP);
    case("groups without the node beside".into(), GROUP, 3 * GROUP, 63 * NODE);
    for first in 0..5 {
        let at = |group: usize, sector: usize| group * GROUP + sector * 512;
        case(format!("sectors {first} of two groups"), at(1, first), at(3, first), 512);
        for second in first + 1..5 {
            case(format!("sectors {first} and {second}"), at(1, first), at(1, second), 512);
        }
    }
    for (name, damaged) in cases {
        displace(&log);
        disk.file(FileName::Tree).write_at(0, &damaged).unwrap();
        assert!(read_damaged(&name, &log) > 0, "{name}: nothing noticed");
        assert!(read_damaged(&format!("{name}, again"), &log) > 0, "{name}: nothing noticed again");
        displace(&log);
        disk.file(FileName::Tree).write_at(0, &tree).unwrap();
        assert_eq!(read_damaged("afterwards", &log), 0, "{name}: damage stays in memory");
    }
}

/// Reads every block twice, in both directions.
fn assert_blocks(case: &str, log: &Log, wanted: &[Vec<u8>]) {
    assert_eq!(log.length(), wanted.len() as u64, "{case}");
    let mut offset = 0;
    for (index, wanted) in (0..).zip(wanted) {
        assert_eq!(log.get(index).unwrap().as_ref(), Some(wanted), "{case}: block {index}");
        let range = offset..offset + wanted.len() as u64;
        assert_eq!(log.block_range(index).unwrap(), range, "{case}: block {index}");
        if !range.is_empty() {
            let last = range.end - 1 - range.start;
            let found = log.seek(range.end - 1, 0).unwrap();
            assert_eq!(found, Some((index, last)), "{case}: seek {index}");
        }
        offset = range.end;
    }
    for (index, wanted) in wanted.iter().enumerate().rev() {
        assert_eq!(log.get(index as u64).unwrap().as_ref(), Some(wanted), "{case}: block {index}");
    }
}

#[test]
fn other_blocks_in_the_place_of_truncated_ones_are_read() {
    for (checkpoint, length) in [(true, 0), (true, 32), (true, 50), (false, 0), (false, 77)] {
        let disk = Disk::new();
        let log = create(&disk);
        let mut wanted: Vec<_> =
            (0..130).map(|index| block(index, 3 + index as usize % 4)).collect();
        log.append(&wanted).unwrap();
        assert_blocks("first", &log, &wanted);
        for round in 1..4 {
            let case = format!("checkpoint {checkpoint}, length {length}, round {round}");
            log.truncate(length, None).unwrap();
            wanted.truncate(length as usize);
            assert_blocks(&case, &log, &wanted);
            let step = 40 + 9 * round;
            while wanted.len() < 130 {
                let from = wanted.len() as u64;
                let more: Vec<_> = (from..(from + step).min(130))
                    .map(|index| block(index + 1000 * round, 1 + (index + round) as usize % 5))
                    .collect();
                log.append(&more).unwrap();
                wanted.extend(more);
                assert_blocks(&case, &log, &wanted);
                if checkpoint {
                    log.checkpoint().unwrap();
                    assert_blocks(&case, &log, &wanted);
                }
            }
        }
        log.close().unwrap();
        assert_blocks("reopened", &reopen(&disk), &wanted);
    }
}

#[test]
fn appending_one_by_one_under_a_reader() {
    let disk = Disk::new();
    let log = create(&disk);
    let mut wanted = Vec::new();
    for index in 0..100 {
        wanted.push(block(index, 1 + index as usize % 7));
        log.append(&wanted[index as usize..]).unwrap();
        if index % 13 == 12 {
            log.checkpoint().unwrap();
        }
        assert_blocks("growing", &log, &wanted);
    }
}

#[test]
fn a_copy_with_gaps_reads_what_it_has() {
    let source = Disk::new();
    let from = create(&source);
    let wanted: Vec<_> = (0..200).map(|index| block(index, 1 + index as usize % 9)).collect();
    from.append(&wanted).unwrap();
    for checkpoint_every in [1, 7, 1000] {
        let disk = Disk::new();
        let options = OpenOptions::new().create(Create::New).key(from.key());
        let log = Log::open(disk.stores(), options).unwrap();
        let upgrade = Some(UpgradeRequest { start: 0, length: 200 });
        let request = Request { upgrade, manifest: true, ..Request::default() };
        log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
        let order: Vec<u64> = (0..200).map(|at| at * 67 % 200).collect();
        for (count, index) in (1..).zip(&order) {
            let nodes = log.missing_nodes(*index).unwrap();
            let block = Some(BlockRequest { index: *index, nodes });
            let request = Request { block, ..Request::default() };
            log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
            if count % checkpoint_every == 0 {
                log.checkpoint().unwrap();
            }
            for index in 0..200 {
                let stored = order[..count].contains(&index);
                let wanted = stored.then(|| wanted[index as usize].clone());
                assert_eq!(log.get(index).unwrap(), wanted, "block {index} of {count}");
            }
        }
        assert_blocks("all", &log, &wanted);
    }
}

#[test]
fn a_longer_block_is_not_read() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&(0..70).map(|index| block(index, 10)).collect::<Vec<_>>()).unwrap();
    log.clear(1..2).unwrap();
    for _ in 0..2 {
        assert_eq!(log.get_up_to(0, 10).unwrap(), Get::Block(block(0, 10)));
        assert_eq!(log.get_up_to(0, 9).unwrap(), Get::Longer);
        assert_eq!(log.get_up_to(69, 9).unwrap(), Get::Longer);
        assert_eq!(log.get_up_to(1, 0).unwrap(), Get::Absent);
        assert!(matches!(log.get_up_to(70, 9), Err(LogError::OutOfBounds { .. })));
    }
}
