//! The disk: a store like any other, whose images are exactly what a crash may leave.

use std::cmp::Ordering;
use std::collections::HashSet;

use random_access_memory::RandomAccessMemory;
use random_access_storage::{RandomAccess, SyncScope};
use sim::Random;
use sim::disk::{Disk, Fill, Image, Plan, SyncFault};

const ZEROS_ONLY: fn(&str) -> &'static [Fill] = |_| &[];

/// Everything that a crash after all operations may leave.
fn images(disk: &Disk, plan: &Plan) -> Vec<Image> {
    let (recording, mut images) = (disk.recording(), Vec::new());
    let all = recording.len()..=recording.len();
    recording.crashes(all, plan, &mut |crash| images.push(crash.image));
    images
}

fn contents(disk: &Disk, plan: &Plan) -> HashSet<Option<Vec<u8>>> {
    images(disk, plan).iter().map(|image| image.bytes("file")).collect()
}

/// The dullest possible disk: one file's bytes now, when it was synced, and each change since as a function.
#[derive(Default)]
struct Dull {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

enum Change {
    Byte(usize, u8),
    Grow(usize),
    Cut(usize),
}

impl Dull {
    fn after(&self, kept: impl Fn(usize) -> bool) -> Vec<u8> {
        let (mut bytes, mut len) = (vec![0; 4096], self.durable.len());
        bytes[..len].copy_from_slice(&self.durable);
        for (_, change) in self.pending.iter().enumerate().filter(|(at, _)| kept(*at)) {
            match change {
                Change::Byte(place, byte) => bytes[*place] = *byte,
                Change::Grow(to) => len = len.max(*to),
                Change::Cut(to) => {
                    bytes[*to..].fill(0);
                    len = len.min(*to);
                }
            }
        }
        bytes.truncate(len);
        bytes
    }
}

/// One byte a write, each in a sector of its own: pieces and changes are the same then.
#[test]
fn images_are_those_of_the_dullest_disk() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (disk, mut dull) = (Disk::new(), Dull::default());
        let file = disk.file("file");
        file.write_at(0, b"1").unwrap();
        file.sync(SyncScope::All).unwrap();
        dull.durable = vec![b'1'];
        for _ in 0..random.below(8) {
            let len = file.len().unwrap() as usize;
            match random.below(8) {
                0..5 => {
                    // A byte that is there already is no change.
                    let (place, byte) = (random.place(8) * 512, random.next() as u8 | 1);
                    let same = place < len && file.read_vec_at(place as u64, 1).unwrap() == [byte];
                    if place >= len {
                        dull.pending.push(Change::Grow(place + 1));
                    }
                    if !same {
                        dull.pending.push(Change::Byte(place, byte));
                    }
                    file.write_at(place as u64, &[byte]).unwrap();
                }
                5 | 6 => {
                    let to = random.place(4000) + 1;
                    match to.cmp(&len) {
                        Ordering::Equal => {}
                        Ordering::Greater => dull.pending.push(Change::Grow(to)),
                        Ordering::Less => dull.pending.push(Change::Cut(to)),
                    }
                    file.truncate(to as u64).unwrap();
                }
                _ => {
                    file.sync(SyncScope::Data).unwrap();
                    dull.durable = dull.after(|_| true);
                    dull.pending.clear();
                }
            }
        }
        let all = dull.after(|_| true);
        assert_eq!(file.read_vec_at(0, all.len()).unwrap(), all, "seed {seed}: reads");
        let plan = Plan { all_subsets_max: 16, garbage: ZEROS_ONLY, ..Plan::whole(seed) };
        let wanted: HashSet<Option<Vec<u8>>> = (0..1_usize << dull.pending.len())
            .map(|bits| Some(dull.after(|at| bits >> at & 1 == 1)))
            .collect();
        assert_eq!(contents(&disk, &plan), wanted, "seed {seed}: images");
    }
}

#[test]
fn it_is_a_store_like_any_other() {
    let (disk, memory) = (Disk::new(), RandomAccessMemory::new());
    let file = disk.file("file");
    let mut random = Random::new(4);
    for turn in 0..3000 {
        let (offset, len) = (random.below(20_000), random.place(2000));
        let stores: [&dyn RandomAccess; 2] = [&file, &memory];
        let bytes = random.bytes(len);
        let kind = random.below(5);
        let done = stores.map(|store| match kind {
            0 | 1 => store.write_at(offset, &bytes).is_ok(),
            2 => store.discard(offset, len as u64).is_ok(),
            3 => store.truncate(offset).is_ok(),
            _ => store.sync(SyncScope::All).is_ok(),
        });
        assert_eq!(done[0], done[1], "turn {turn}");
        let read = stores.map(|store| store.read_vec_at(0, store.len().unwrap() as usize).unwrap());
        assert_eq!(read[0], read[1], "turn {turn}");
        let past_end = stores.map(|store| store.read_vec_at(offset, len).ok());
        assert_eq!(past_end[0], past_end[1], "turn {turn}");
    }
}

#[test]
fn a_new_file_may_be_gone_until_it_is_synced() {
    let disk = Disk::new();
    let file = disk.file("file");
    file.write_at(0, b"x").unwrap();
    assert!(contents(&disk, &Plan::whole(1)).contains(&None));
    file.sync(SyncScope::Data).unwrap();
    assert_eq!(contents(&disk, &Plan::whole(1)), HashSet::from([Some(b"x".to_vec())]));
}

#[test]
fn a_write_is_torn_between_sectors_and_not_inside_of_one() {
    let disk = Disk::new();
    let file = disk.file("file");
    file.write_at(0, &[1; 1024]).unwrap();
    file.sync(SyncScope::Data).unwrap();
    file.write_at(0, &[2; 1024]).unwrap();
    let halves: HashSet<(u8, u8)> = images(&disk, &Plan::whole(1))
        .iter()
        .map(|image| {
            let bytes = image.bytes("file").unwrap();
            assert!(bytes[..512].iter().all(|byte| *byte == bytes[0]));
            (bytes[0], bytes[512])
        })
        .collect();
    assert_eq!(halves, HashSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
}

#[test]
fn lost_extents_show_zeros_garbage_and_what_was_there_before() {
    let disk = Disk::new();
    let file = disk.file("file");
    file.write_at(0, &[7; 1024]).unwrap();
    file.sync(SyncScope::Data).unwrap();
    file.truncate(512).unwrap();
    file.sync(SyncScope::Data).unwrap();
    file.write_at(512, &[9; 512]).unwrap();
    let mut kinds = HashSet::new();
    for seed in 0..64 {
        let recording = disk.recording();
        let all = recording.len()..=recording.len();
        recording.crashes(all, &Plan::whole(seed), &mut |crash| {
            let bytes = crash.image.bytes("file").unwrap();
            assert!(bytes[..512].iter().all(|byte| *byte == 7), "the first sector is durable");
            if let Some(extent) = bytes.get(512..1024)
                && extent[0] != 9
            {
                let right = match crash.fill {
                    Fill::Zeros => extent.iter().all(|byte| *byte == 0),
                    Fill::Returned | Fill::Stale => extent.iter().all(|byte| *byte == 7),
                    _ => extent.iter().any(|byte| *byte != extent[0]),
                };
                assert!(right, "{:?}", crash.fill);
                kinds.insert(format!("{:?}", crash.fill));
            }
        });
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
}

#[test]
fn what_a_failed_sync_lost_stays_lost() {
    for fault in [SyncFault::Reverts, SyncFault::Lingers] {
        let disk = Disk::new();
        let file = disk.file("file");
        file.write_at(0, b"old").unwrap();
        file.sync(SyncScope::Data).unwrap();
        disk.fail_sync(1, fault);
        file.write_at(0, b"new").unwrap();
        file.sync(SyncScope::Data).unwrap_err();
        let shown = file.read_vec_at(0, 3).unwrap();
        assert_eq!(shown, if fault == SyncFault::Reverts { b"old" } else { b"new" });
        file.sync(SyncScope::Data).unwrap();
        assert_eq!(contents(&disk, &Plan::whole(1)), HashSet::from([Some(b"old".to_vec())]));
        // The same bytes written again do reach the medium.
        file.write_at(0, b"new").unwrap();
        file.sync(SyncScope::Data).unwrap();
        assert_eq!(contents(&disk, &Plan::whole(1)), HashSet::from([Some(b"new".to_vec())]));
    }
}

#[test]
fn the_same_seed_gives_the_same_images() {
    let disk = Disk::new();
    let file = disk.file("file");
    let mut random = Random::new(5);
    for _ in 0..9 {
        file.write_at(random.below(9000), &random.bytes(700)).unwrap();
    }
    let digests = |seed| -> Vec<u128> {
        images(&disk, &Plan::whole(seed)).iter().map(Image::digest).collect()
    };
    assert_eq!(digests(1), digests(1));
    assert_ne!(digests(1), digests(2));
    let distinct: HashSet<u128> = digests(1).into_iter().collect();
    assert!(distinct.len() > 500, "{}", distinct.len());
}

#[test]
fn a_kill_keeps_everything_and_what_was_not_synced_is_still_not_synced() {
    let disk = Disk::new();
    let file = disk.file("file");
    file.write_at(0, b"x").unwrap();
    let next = disk.recording().at(1);
    assert_eq!(next.file("file").read_vec_at(0, 1).unwrap(), b"x");
    let start = next.recording();
    let mut gone = false;
    start.crashes(0..=0, &Plan::whole(1), &mut |crash| gone |= crash.image.bytes("file").is_none());
    assert!(gone);
}
