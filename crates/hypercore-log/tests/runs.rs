//! Neighbouring blocks that are read together are the blocks read one by one; whatever is not as it should be ends the run.

mod support;

use hypercore_log::{Branch, BranchOptions, Create, FileName, Log, OpenOptions, Overlay};
use proptest::prelude::*;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess as _;
use support::{Disk, key_pair};

/// What single reads give of the range, up to the first that gives nothing.
fn one_by_one(log: &Log, blocks: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    blocks.map_while(|index| log.get(index).ok().flatten()).collect()
}

fn overlay() -> Overlay {
    Overlay { tree: Box::new(RandomAccessMemory::new()), data: Box::new(RandomAccessMemory::new()) }
}

fn open(disk: &Disk) -> Log {
    Log::open(disk.stores(), OpenOptions::new().create(Create::IfMissing).key_pair(key_pair()))
        .unwrap()
}

#[test]
fn whole_groups_are_read_together() {
    let disk = Disk::new();
    let log = open(&disk);
    let blocks: Vec<_> = (0..1000_u32).map(|index| index.to_le_bytes().repeat(3)).collect();
    log.append(&blocks).unwrap();
    log.checkpoint().unwrap();
    for log in [log, open(&disk)] {
        // The last, incomplete group is read one by one.
        let run = log.get_run(0..1000, u64::MAX);
        assert_eq!(run, blocks[..992]);
        assert_eq!(log.get_run(40..100, u64::MAX), blocks[40..100]);
        // 12 bytes each.
        assert_eq!(log.get_run(33..100, 120), blocks[33..43]);
        assert_eq!(log.get_run(33..100, 131), blocks[33..43]);
        assert!(log.get_run(33..100, 11).is_empty());
        assert!(log.get_run(2000..3000, u64::MAX).is_empty() && log.get_run(7..7, 100).is_empty());
    }
}

#[test]
fn a_run_ends_before_a_damaged_block() {
    let disk = Disk::new();
    let log = open(&disk);
    let blocks: Vec<_> = (0..200_u32).map(|index| index.to_le_bytes()).collect();
    log.append(&blocks).unwrap();
    log.close().unwrap();
    disk.file(FileName::Data).write_at(4 * 70, b"x").unwrap();
    let log = open(&disk);
    assert_eq!(log.get_run(60..100, u64::MAX), blocks[60..70]);
    assert!(log.get_run(70..100, u64::MAX).is_empty());
    assert_eq!(log.get_run(71..100, u64::MAX), blocks[71..100]);
    assert!(log.get(70).is_err());
}

/// Also where the log is rewritten below a branch, and the branch below its snapshot.
#[test]
fn neighbours_of_a_branch_are_read_together_on_either_side_of_where_it_begins() {
    let log = open(&Disk::new());
    let blocks: Vec<_> = (0..1000_u32).map(|index| index.to_le_bytes().repeat(3)).collect();
    log.append(&blocks[..700]).unwrap();
    log.checkpoint().unwrap();
    let options = BranchOptions::new().create(Create::New).checkout(500);
    let branch = Branch::open(&log, Disk::new().stores(), overlay(), options).unwrap();
    branch.append(&blocks[500..]).unwrap();
    branch.checkpoint().unwrap();
    let snapshot = branch.snapshot(overlay());
    let check = |range: std::ops::Range<u64>, expected: usize| {
        let run = branch.get_run(&log, range.clone(), u64::MAX);
        assert_eq!(run, snapshot.get_run(&branch, &log, range.clone(), u64::MAX));
        assert!(run.len() >= expected, "{} of {range:?}", run.len());
        assert_eq!(run, blocks[range.start as usize..][..run.len()]);
        range.start + run.len() as u64
    };
    assert_eq!(check(0..1000, 400), 500);
    assert!(check(600..1000, 300) <= 1000);
    assert_eq!(branch.get_run(&log, 600..1000, 120), blocks[600..610]);
    assert!(branch.get_run(&log, 1000..1100, u64::MAX).is_empty());

    branch.truncate(&log, 600).unwrap();
    branch.append(&[[7; 3]; 400]).unwrap();
    branch.checkpoint().unwrap();
    log.truncate(300, None).unwrap();
    log.append(&[[8; 3]; 900]).unwrap();
    log.checkpoint().unwrap();
    let rewritten = branch.get_run(&log, 700..900, u64::MAX);
    assert!(rewritten.len() > 100 && rewritten.iter().all(|block| *block == [7; 3]));
    let run = branch.get_run(&log, 0..1000, u64::MAX);
    assert!(run.len() >= 200);
    assert_eq!(run, blocks[..run.len()]);
    for start in [0, 100, 290, 299, 300, 400, 500, 550, 599, 600, 700] {
        let run = snapshot.get_run(&branch, &log, start..1000, u64::MAX);
        assert_eq!(run, blocks[start as usize..][..run.len()]);
        let block = snapshot.get(&branch, &log, start).unwrap().unwrap();
        assert_eq!(block, blocks[start as usize]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Never anything else than single reads, whatever is cleared, truncated, or damaged in tree and data.
    #[test]
    fn a_run_is_what_single_reads_give(
        lens in proptest::collection::vec(prop_oneof![Just(0_usize), 1_usize..30], 1..300),
        cleared in proptest::collection::vec((0_u64..300, 1_u64..5), 0..4),
        kept in 0_u64..400,
        damaged in proptest::collection::vec((any::<bool>(), 0_u64..20_000), 0..3),
        asked in proptest::collection::vec((0_u64..320, 0_u64..130, 0_u64..2000), 1..20),
    ) {
        let disk = Disk::new();
        let log = open(&disk);
        let blocks: Vec<_> = lens.iter().enumerate().map(|(index, len)| vec![index as u8; *len]).collect();
        log.append(&blocks).unwrap();
        if kept < log.length() {
            log.truncate(kept, None).unwrap();
            log.append(&[[1, 2, 3]; 40]).unwrap();
        }
        for (start, len) in cleared {
            log.clear(start..start + len).unwrap();
        }
        log.close().unwrap();
        let log = open(&disk);
        for (tree, at) in damaged {
            let file = disk.file(if tree { FileName::Tree } else { FileName::Data });
            if at < file.len().unwrap() {
                let byte = file.read_vec_at(at, 1).unwrap()[0];
                file.write_at(at, &[byte ^ 4]).unwrap();
            }
        }
        let snapshot = log.snapshot(overlay());
        for (start, count, len_max) in asked {
            let range = start..start + count;
            let single = one_by_one(&log, range.clone());
            for run in [log.get_run(range.clone(), len_max), snapshot.get_run(&log, range, len_max)] {
                let len: usize = run.iter().map(Vec::len).sum();
                prop_assert!(len as u64 <= len_max);
                prop_assert!(single.starts_with(&run), "{:?} {:?}", single, run);
            }
        }
    }
}
