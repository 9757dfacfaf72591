//! Power cuts while a backup is written and while it is confirmed, and while a log without a key pair of its own is signed
//! from elsewhere for the first time.

use hypercore_crypto::{KeyPair, Manifest, ManifestSigner};
use hypercore_log::{Access, AppendOptions, Create, Log, LogError, OpenOptions};
use sim::Random;
use sim::disk::{Disk, Image};
use sim::log::crash::quick;
use sim::log::stores_on;

fn pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

fn blocks(log: &Log) -> Vec<Option<Vec<u8>>> {
    (0..log.length()).map(|block| log.get(block).expect("readable")).collect()
}

/// A log with gaps, of more nodes than go through the oplog.
fn source(disk: &Disk) -> Log {
    let random = &mut Random::new(5);
    let options = OpenOptions::new().create(Create::New).key_pair(pair());
    let log = Log::open(stores_on(disk), options).unwrap();
    let batch: Vec<Vec<u8>> = (0..300).map(|len| random.bytes(len % 7)).collect();
    log.append(&batch).unwrap();
    log.clear(20..90).unwrap();
    log.truncate(290, None).unwrap();
    log.append(&[random.bytes(900)]).unwrap();
    log.set_user_data("key", Some(b"value")).unwrap();
    log
}

fn open(image: &Image, access: Access) -> Result<Log, hypercore_log::OpenError> {
    Log::open(stores_on(&Disk::of(image.clone())), OpenOptions::new().access(access))
}

#[test]
fn a_backup_that_a_power_cut_ends_is_none_or_whole() {
    let log = source(&Disk::new());
    let target = Disk::new();
    log.backup(stores_on(&target)).unwrap();
    let recording = target.recording();
    let (mut none, mut whole) = (0, 0);
    recording.crashes(0..=recording.len(), &quick(1), &mut |crash| {
        let Ok(copy) = open(&crash.image, Access::ReadOnly) else {
            none += 1;
            assert!(crash.position < recording.len(), "a backup that ended is there");
            return;
        };
        whole += 1;
        assert!(copy.needs_confirmation(), "{}", crash.describe());
        assert_eq!(
            (copy.head(), blocks(&copy)),
            (log.head(), blocks(&log)),
            "{}",
            crash.describe()
        );
        assert!(copy.audit(&mut |_| {}).unwrap().is_ok(), "{}", crash.describe());
        if crash.position == recording.len() {
            assert!(!copy.recovery().lost_something(), "{:?}", copy.recovery());
        }
        drop(copy);
        let copy = open(&crash.image, Access::ReadWrite).unwrap();
        assert!(matches!(copy.append(&["x"]), Err(LogError::MaybeNotNewest)));
    });
    assert!(none > 20 && whole > 3, "{none} {whole}");
}

#[test]
fn a_confirmation_happened_or_not_and_comes_before_every_signature() {
    for immediate in [true, false] {
        let target = Disk::new();
        source(&Disk::new()).backup(stores_on(&target)).unwrap();
        let begun = target.position();
        let durability = match immediate {
            true => hypercore_log::Durability::Immediate,
            false => hypercore_log::Durability::Eventual,
        };
        let log = Log::open(stores_on(&target), OpenOptions::new().durability(durability)).unwrap();
        let length = log.length();
        log.confirm_newest().unwrap();
        let confirmed = target.position();
        for _ in 0..3 {
            log.append(&["after"]).unwrap();
            log.checkpoint().unwrap();
        }
        drop(log);
        let recording = target.recording();
        let mut seen = [0; 2];
        recording.crashes(begun..=recording.len(), &quick(1), &mut |crash| {
            let log = open(&crash.image, Access::ReadWrite).expect("it opens");
            let marked = log.needs_confirmation();
            seen[usize::from(marked)] += 1;
            assert!(!marked || crash.position < confirmed, "{}", crash.describe());
            assert!(!marked || log.length() == length, "{}", crash.describe());
            assert_eq!(log.append(&["x"]).is_ok(), !marked, "{}", crash.describe());
        });
        assert!(seen.iter().all(|seen| *seen > 3), "{seen:?}");
    }
}

#[test]
fn a_log_without_a_key_pair_keeps_what_others_signed() {
    let manifest =
        Manifest::builder().signer(ManifestSigner::new(pair().public())).build().unwrap();
    let disk = Disk::new();
    let options = OpenOptions::new().create(Create::New).manifest(manifest);
    let log = Log::open(stores_on(&disk), options).unwrap();
    let made = disk.position();
    let by = AppendOptions::new().key_pair(pair());
    let mut returned = vec![(made, 0)];
    for number in 0..6_u64 {
        log.append_with_options(&[number.to_le_bytes()], &by).unwrap();
        returned.push((disk.position(), log.length()));
        if number % 2 == 1 {
            log.checkpoint().unwrap();
        }
    }
    drop(log);
    let recording = disk.recording();
    recording.crashes(made..=recording.len(), &quick(1), &mut |crash| {
        let log = open(&crash.image, Access::ReadWrite).expect("it opens");
        let report = log.recovery().clone();
        assert!(!report.newer_header_lost && !report.entry_bit_flipped, "{report:?}");
        let sure = returned
            .iter()
            .filter(|(position, _)| *position <= crash.position)
            .map(|(_, length)| *length);
        assert!(log.length() >= sure.max().unwrap_or(0), "{}", crash.describe());
        for (index, block) in (0_u64..).zip(blocks(&log)) {
            assert_eq!(block.unwrap(), index.to_le_bytes(), "{}", crash.describe());
        }
        log.append_with_options(&[log.length().to_le_bytes()], &by).unwrap();
    });
}
