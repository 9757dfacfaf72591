//! Backups of logs that change between any two steps of the copying, against what the log holds in the end.

use hypercore_crypto::KeyPair;
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
use proptest::prelude::*;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess as _;

use super::Purpose;
use super::copying::Copying;
use crate::{Create, Head, Log, LogError, OpenOptions, Stores};

#[derive(Clone, Debug, Default)]
struct Disk([RandomAccessMemory; 5]);

impl Disk {
    fn stores(&self) -> Stores {
        let [oplog, header, tree, bitfield, data] = self.0.clone().map(Box::new);
        Stores { oplog, header, tree, bitfield, data }
    }

    /// The bytes of all blocks.
    fn bytes(&self) -> Vec<u8> {
        let data = &self.0[4];
        data.read_vec_at(0, data.len().unwrap() as usize).unwrap()
    }

    fn open(&self) -> Log {
        Log::open(self.stores(), OpenOptions::new()).unwrap()
    }
}

fn pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

fn create(disk: &Disk) -> Log {
    Log::open(disk.stores(), OpenOptions::new().create(Create::New).key_pair(pair())).unwrap()
}

/// What can be told of a log, but for its mark.
#[derive(Debug, PartialEq)]
struct Seen {
    head: Head,
    blocks: Vec<Option<Vec<u8>>>,
    user_data: Vec<(String, Vec<u8>)>,
    signature: Option<Vec<u8>>,
}

fn seen(log: &Log) -> Seen {
    let blocks = (0..log.length()).map(|block| log.get(block).unwrap()).collect();
    let user_data = log.user_data_entries();
    Seen { head: log.head(), blocks, user_data, signature: log.signature() }
}

fn assert_is_copy(log: &Log, target: &Disk) {
    let copy = target.open();
    assert!(copy.needs_confirmation());
    assert!(!copy.recovery().lost_something(), "{:?}", copy.recovery());
    assert_eq!(seen(&copy), seen(log));
    assert_eq!(copy.contiguous_length(), log.contiguous_length());
    assert_eq!(
        (copy.key(), copy.signer(), copy.manifest()),
        (log.key(), log.signer(), log.manifest())
    );
    // What the log gave up is not left in the copy.
    let mut data = target.bytes();
    for block in (0..copy.length()).filter(|block| copy.has(*block)) {
        let range = copy.block_range(block).unwrap();
        data[range.start as usize..range.end as usize].fill(0);
    }
    assert!(data.iter().all(|byte| *byte == 0), "{}", String::from_utf8_lossy(&data));
    let report = copy.audit(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{report:#?}");
    let some = log.length() as usize / 40 + 1;
    for length in (0..=log.length()).step_by(some) {
        match log.tree_hash_at(length) {
            Ok(hash) => assert_eq!(copy.tree_hash_at(length).unwrap(), hash),
            Err(LogError::NodeMissing { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Step,
    Append(usize),
    Truncate(u64),
    Clear(u64, u64),
    UserData(u8),
    Checkpoint,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => Just(Change::Step),
        3 => (1_usize..9).prop_map(Change::Append),
        // Of so many nodes that they go past the oplog.
        1 => (270_usize..300).prop_map(Change::Append),
        2 => (0_u64..60).prop_map(Change::Truncate),
        3 => (0_u64..60, 1_u64..9).prop_map(|(start, len)| Change::Clear(start, start + len)),
        1 => (0_u8..9).prop_map(Change::UserData),
        1 => Just(Change::Checkpoint),
    ]
}

fn blocks(from: u64, count: usize, fork: u64) -> Vec<Vec<u8>> {
    (from..).take(count).map(|index| format!("{index} of fork {fork}").into_bytes()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_backup_of_a_log_that_is_written_meanwhile_is_its_newest_state(
        start in 0_usize..50,
        changes in proptest::collection::vec(change(), 0..60),
    ) {
        let (disk, target) = (Disk::default(), Disk::default());
        let log = create(&disk);
        log.append(&blocks(0, start, 0)).unwrap();
        let stores = target.stores();
        let mut copying = Copying::new(&log, &stores);
        for change in changes {
            match change {
                Change::Step => _ = copying.advance().unwrap(),
                Change::Append(count) => {
                    log.append(&blocks(log.length(), count, log.fork())).map(drop).unwrap();
                }
                Change::Truncate(length) => {
                    log.truncate(length.min(log.length()), None).map(drop).unwrap();
                }
                Change::Clear(start, end) => log.clear(start..end).map(drop).unwrap(),
                Change::UserData(value) => log.set_user_data("key", Some(&[value])).unwrap(),
                Change::Checkpoint => log.checkpoint().unwrap(),
            }
        }
        let report = log.finish_copy(Purpose::Backup, copying, &stores).unwrap();
        prop_assert_eq!(report.head, log.head());
        prop_assert_eq!((report.blocks, report.blocks_damaged), (log.stored_count(0..log.length()), 0));
        assert_is_copy(&log, &target);
    }

    #[test]
    fn a_backup_of_a_sparse_log_that_is_filled_meanwhile_is_its_newest_state(
        lengths in proptest::collection::vec((1_usize..40, proptest::option::of(0_u64..40)), 1..4),
        steps in proptest::collection::vec((0_u64..120, 0_u8..4), 0..60),
    ) {
        let (source, disk, target) = (Disk::default(), Disk::default(), Disk::default());
        let source = create(&source);
        let reader = OpenOptions::new().create(Create::New).key(source.key());
        let log = Log::open(disk.stores(), reader).unwrap();
        let stores = target.stores();
        let mut copying = Copying::new(&log, &stores);
        let mut lengths = lengths.into_iter();
        for (at, kind) in steps {
            match kind {
                0 if log.length() == source.length() => {
                    let Some((count, cut)) = lengths.next() else { continue };
                    if let Some(cut) = cut {
                        source.truncate(cut.min(source.length()), None).unwrap();
                    }
                    source.append(&blocks(source.length(), count, source.fork())).unwrap();
                }
                0 | 1 => follow(&log, &source),
                2 => fetch(&log, &source, at),
                _ => _ = copying.advance().unwrap(),
            }
        }
        let report = log.finish_copy(Purpose::Backup, copying, &stores).unwrap();
        prop_assert_eq!(report.blocks, log.stored_count(0..log.length()));
        assert_is_copy(&log, &target);
        // It goes on where it is: all that its nodes are good for.
        let copy = target.open();
        follow(&copy, &source);
        for block in 0..copy.length() {
            fetch(&copy, &source, block);
        }
        prop_assert_eq!(seen(&copy).blocks, seen(&source).blocks);
    }
}

#[test]
fn a_copy_for_readers_is_all_of_the_log_but_its_secret_key() {
    let (disk, target) = (Disk::default(), Disk::default());
    let log = create(&disk);
    log.append(&blocks(0, 300, 0)).unwrap();
    log.set_user_data("key", Some(b"value")).unwrap();
    log.clear(3..9).unwrap();
    log.copy_for_readers(target.stores(), &mut |_| {}).unwrap();
    let secret = [7; 32];
    for store in &target.0 {
        let bytes = store.read_vec_at(0, store.len().unwrap() as usize).unwrap();
        assert!(bytes.windows(secret.len()).all(|window| window != secret));
    }
    let copy = target.open();
    assert_eq!(seen(&copy), seen(&log));
    assert!(matches!(copy.append(&[b"one more"]), Err(LogError::NotWritable)));
    drop(copy);
    // Who has the key pair is still asked whether this is the newest copy.
    let writer = Log::open(target.stores(), OpenOptions::new().key_pair(pair())).unwrap();
    assert!(matches!(writer.append(&[b"one more"]), Err(LogError::MaybeNotNewest)));
}

fn follow(log: &Log, source: &Log) {
    if log.fork() == source.fork() {
        let length = source.length().saturating_sub(log.length());
        if length > 0 {
            let upgrade = Some(UpgradeRequest { start: log.length(), length });
            let request =
                Request { fork: log.fork(), upgrade, manifest: true, ..Request::default() };
            log.apply_proof(&source.create_proof(&request).unwrap().unwrap()).unwrap();
        }
        return;
    }
    if source.length() == 0 {
        return;
    }
    let fork = source.fork();
    let upgrade = Some(UpgradeRequest { start: 0, length: source.length() });
    let request = Request { fork, upgrade, manifest: true, ..Request::default() };
    let proof = source.create_proof(&request).unwrap().unwrap();
    let mut reorganisation = log.start_reorganisation(&proof).unwrap();
    while let Some(want) = reorganisation.want() {
        let proof = source.create_proof(&want.request(want.blocks.start)).unwrap().unwrap();
        log.feed_reorganisation(&mut reorganisation, &proof).unwrap();
    }
    log.apply_reorganisation(reorganisation).unwrap();
}

fn fetch(log: &Log, source: &Log, block: u64) {
    if log.fork() != source.fork() || block >= log.length() || log.has(block) {
        return;
    }
    let nodes = log.missing_nodes(block).unwrap();
    let request = Request {
        fork: log.fork(),
        block: Some(BlockRequest { index: block, nodes }),
        ..Request::default()
    };
    if let Some(proof) = source.create_proof(&request).unwrap() {
        log.apply_proof(&proof).unwrap();
    }
}
