//! Many threads on one log: what is acknowledged is there once, in order, and readers see no half change.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};

use hypercore_log::{Durability, Log, OpenOptions};
use support::{Disk, assert_sound, create, reopen};

#[test]
fn every_acknowledged_append_is_there_in_order() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let disk = Disk::new();
        drop(create(&disk));
        let options = OpenOptions::new().durability(durability);
        let log = Log::open(disk.stores(), options).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8_u32 {
                let log = &log;
                scope.spawn(move || {
                    let mut last = 0;
                    for count in 0..100_u32 {
                        let block = format!("{thread} {count}");
                        let length = log.append(&[&block]).unwrap().length;
                        assert!(length > last, "lengths rise for one caller");
                        assert_eq!(log.get(length - 1).unwrap().unwrap(), block.as_bytes());
                        last = length;
                    }
                });
            }
        });
        drop(log);
        let log = reopen(&disk);
        assert_eq!(log.length(), 800);
        let mut next = [0; 8];
        for index in 0..800 {
            let text = String::from_utf8(log.get(index).unwrap().unwrap()).unwrap();
            let (thread, count) = text.split_once(' ').unwrap();
            let next = &mut next[thread.parse::<usize>().unwrap()];
            assert_eq!(
                *next,
                count.parse::<u32>().unwrap(),
                "each caller's blocks keep their order"
            );
            *next += 1;
        }
        assert_sound(&log);
    }
}

#[test]
fn readers_never_see_wrong_bytes_while_the_log_is_rewritten() {
    let disk = Disk::new();
    let log = create(&disk);
    let done = AtomicBool::new(false);
    let content = |generation: u64, index: u64| format!("{index}:{generation}").into_bytes();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for generation in 0..60 {
                let start = log.length();
                let blocks: Vec<Vec<u8>> =
                    (start..start + 300).map(|index| content(generation, index)).collect();
                log.append(&blocks).unwrap();
                log.clear(start..start + 20).unwrap();
                if generation % 2 == 1 {
                    log.truncate(log.length() / 3, None).unwrap();
                }
            }
            done.store(true, Ordering::Release);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut index = 0;
                while !done.load(Ordering::Acquire) {
                    let length = log.length().max(1);
                    index = (index + 97) % length;
                    // A truncation may come between the two calls; wrong bytes may not.
                    if let Ok(Some(bytes)) = log.get(index) {
                        let text = String::from_utf8(bytes).unwrap();
                        assert_eq!(text.split_once(':').unwrap().0, index.to_string());
                    } else if let Err(error) = log.get(index) {
                        assert!(error.to_string().contains("out of bounds"), "{error}");
                    }
                }
            });
        }
    });
    assert_sound(&log);
}
