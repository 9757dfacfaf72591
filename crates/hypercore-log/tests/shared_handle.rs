//! One log shared by threads that append, truncate, clear and checkpoint, and by others that read, seek, prove
//! and audit: no reader ever sees anything but the log at one moment, and at the end it is the model.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hypercore_log::{Durability, Log, LogError, OpenOptions};
use hypercore_merkle::{BlockRequest, Request};
use support::{Disk, assert_sound, blocks, create, reopen};

const WRITERS: u64 = 2;
const OPERATIONS: u64 = 150;

/// Every block is as long, so that a seek can be checked without knowing the length of the log.
const BLOCK_LEN: u64 = 24;

/// Tells its index, and who wrote it when.
fn content(index: u64, writer: u64, operation: u64) -> Vec<u8> {
    let text = format!("{index}:{writer}:{operation}:");
    format!("{text:.<width$}", width = BLOCK_LEN as usize).into_bytes()
}

#[track_caller]
fn assert_is_block(index: u64, block: &[u8]) {
    let text = std::str::from_utf8(block).unwrap();
    assert_eq!(text.split(':').next().unwrap(), index.to_string(), "block {index}");
    assert_eq!(block.len() as u64, BLOCK_LEN);
}

/// A generator of test decisions; not random, only varied.
struct Mixed(u64);

impl Mixed {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// The blocks as they should be; `None` for a cleared one.
type Model = Mutex<Vec<Option<Vec<u8>>>>;

/// One change at a time, so that the model knows their order; nothing else waits for this lock.
fn change(log: &Log, model: &Model, mixed: &mut Mixed, writer: u64, operation: u64) {
    let mut model = model.lock().unwrap();
    let length = model.len() as u64;
    match mixed.below(8) {
        0 if length > 0 => {
            let to = mixed.below(length);
            log.truncate(to, None).unwrap();
            model.truncate(to as usize);
        }
        1 | 2 if length > 0 => {
            let start = mixed.below(length);
            let end = (start + mixed.below(12)).min(length);
            log.clear(start..end).unwrap();
            model[start as usize..end as usize].fill(None);
        }
        _ => {
            // Some batches are long enough to have their nodes written past the oplog.
            let count = if mixed.below(10) == 0 { 300 } else { 1 + mixed.below(20) };
            let batch: Vec<_> =
                (length..length + count).map(|index| content(index, writer, operation)).collect();
            let appended = log.append(&batch).unwrap();
            assert_eq!(appended.length, length + count);
            model.extend(batch.into_iter().map(Some));
        }
    }
    assert_eq!(log.length(), model.len() as u64);
}

/// A truncation may come between two calls: then what was there is out of bounds, or of another fork.
fn is_gone(error: &LogError) -> bool {
    matches!(error, LogError::OutOfBounds { .. } | LogError::Request(_))
}

fn read(log: &Log, mixed: &mut Mixed) {
    let index = mixed.below(log.length());
    match log.get(index) {
        Ok(Some(block)) => assert_is_block(index, &block),
        Ok(None) => {}
        Err(error) => assert!(is_gone(&error), "{error}"),
    }
    let byte = index * BLOCK_LEN + mixed.below(BLOCK_LEN);
    match log.seek(byte, 0).unwrap() {
        Some((block, offset)) if block == index => assert_eq!(offset, byte % BLOCK_LEN),
        // The log ends at or before it by now.
        Some((end, offset)) => assert!(end <= index && offset == 0, "{byte}: {end} {offset}"),
        None => {}
    }
    let head = log.head();
    assert_eq!(head.byte_length, head.length * BLOCK_LEN);
}

fn prove(log: &Log, mixed: &mut Mixed) {
    let head = log.head();
    let index = mixed.below(head.length);
    let block = Some(BlockRequest { index, nodes: 0 });
    match log.create_proof(&Request { fork: head.fork, block, ..Request::default() }) {
        Ok(Some(proof)) => assert_is_block(index, &proof.block.unwrap().value),
        Ok(None) => {}
        Err(error) => assert!(is_gone(&error), "{error}"),
    }
}

fn share(durability: Durability) {
    let disk = Disk::new();
    drop(create(&disk));
    let log = Log::open(disk.stores(), OpenOptions::new().durability(durability)).unwrap();
    let model = Model::default();
    let writing = AtomicU64::new(WRITERS);
    let checked = [const { AtomicU64::new(0) }; 4];
    let done = AtomicBool::new(false);
    let (log_now, model_now) = (&log, &model);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (writing, done) = (&writing, &done);
            scope.spawn(move || {
                let mut mixed = Mixed(0x5eed + writer);
                for operation in 0..OPERATIONS {
                    change(log_now, model_now, &mut mixed, writer, operation);
                }
                if writing.fetch_sub(1, Ordering::SeqCst) == 1 {
                    done.store(true, Ordering::SeqCst);
                }
            });
        }
        type Look = fn(&Log, &mut Mixed);
        let looks: [Look; 4] = [
            read,
            prove,
            |log, _| {
                let report = log.audit(&mut |_| {}).unwrap();
                assert!(report.is_ok(), "{report:?}");
            },
            |log, mixed| match mixed.below(2) {
                0 => log.checkpoint().unwrap(),
                _ => log.flush().unwrap(),
            },
        ];
        for (look, checked) in looks.into_iter().zip(&checked) {
            let done = &done;
            scope.spawn(move || {
                let mut mixed = Mixed(0xc0ffee);
                // At least once, also when all has been written by then.
                loop {
                    look(log_now, &mut mixed);
                    checked.fetch_add(1, Ordering::Relaxed);
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                }
            });
        }
    });
    assert!(checked.iter().all(|count| count.load(Ordering::Relaxed) > 0));
    let model = model.into_inner().unwrap();
    assert_eq!(blocks(&log), model);
    assert_sound(&log);
    let head = log.head();
    // Without closing: what the stores hold is what counts.
    drop(log);
    let log = reopen(&disk);
    assert_eq!(log.head(), head);
    assert_eq!(blocks(&log), model);
    assert_sound(&log);
}

#[test]
fn everything_at_once_immediate() {
    share(Durability::Immediate);
}

#[test]
fn everything_at_once_eventual() {
    share(Durability::Eventual);
}
