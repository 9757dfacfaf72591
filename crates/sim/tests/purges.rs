//! Power cuts while a log is purged: it is all there, or it is no log any more.

use hypercore_crypto::KeyPair;
use hypercore_log::{Create, Log, LogError, OpenError, OpenOptions};
use sim::Random;
use sim::disk::{Disk, Image};
use sim::log::crash::quick;
use sim::log::stores_on;

fn open(image: &Image, create: Create) -> Result<Log, OpenError> {
    let options = OpenOptions::new().create(create).key_pair(KeyPair::from_seed(&[7; 32]));
    Log::open(stores_on(&Disk::of(image.clone())), options)
}

#[test]
fn a_purge_that_a_power_cut_ends_leaves_the_log_or_none() {
    let disk = Disk::new();
    let random = &mut Random::new(5);
    let options = OpenOptions::new().create(Create::New).key_pair(KeyPair::from_seed(&[7; 32]));
    let log = Log::open(stores_on(&disk), options).unwrap();
    let batch: Vec<Vec<u8>> = (0..300).map(|len| random.bytes(len % 7)).collect();
    log.append(&batch).unwrap();
    log.truncate(290, None).unwrap();
    log.append(&[random.bytes(900)]).unwrap();
    log.flush().unwrap();
    let head = log.head();
    let begun = disk.position();
    assert!(log.purge().unwrap().bytes_freed > 1000);
    assert!(matches!(log.append(&["x"]), Err(LogError::Poisoned)));
    assert_eq!(log.purge().unwrap().bytes_freed, 0);
    drop(log);

    let recording = disk.recording();
    let (mut whole, mut none) = (0, 0);
    recording.crashes(begun..=recording.len(), &quick(1), &mut |crash| {
        match open(&crash.image, Create::Never) {
            Ok(log) => {
                whole += 1;
                assert!(crash.position < recording.len(), "a purge that ended leaves nothing");
                assert_eq!(log.head(), head, "{}", crash.describe());
                assert!(log.audit(&mut |_| {}).unwrap().is_ok(), "{}", crash.describe());
            }
            Err(error) => {
                none += 1;
                assert!(matches!(error, OpenError::NotFound), "{error}: {}", crash.describe());
                let anew = open(&crash.image, Create::Overwrite).expect("a new log in its place");
                assert_eq!(anew.length(), 0);
            }
        }
        if crash.position == recording.len() {
            assert_eq!(open(&crash.image, Create::IfMissing).expect("nothing is left").length(), 0);
        }
    });
    assert!(whole > 0 && none > 3, "{whole} {none}");
}
