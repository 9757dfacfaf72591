//! Any oplog beside the other files of a log: opening gives a log or an error, reading it changes
//! nothing and does not panic, and what opens for writing takes a block and opens again.
#![no_main]

use hypercore_fuzz::{open, oplog_file};
use hypercore_log::{Access, FileName, Log, OpenOptions};
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
use libfuzzer_sys::fuzz_target;

/// Asks the log everything; errors are answers.
fn read(log: &Log) {
    let head = log.head();
    assert!(log.contiguous_length() <= head.length);
    for index in (0..20).chain([head.length.wrapping_sub(1), head.length, u64::MAX]) {
        let _ = (log.has(index), log.get(index), log.block_range(index), log.tree_hash_at(index));
        let _ = log.seek(index.wrapping_mul(3) % 1000, 0);
        let request = Request {
            block: Some(BlockRequest { index, nodes: 0 }),
            upgrade: Some(UpgradeRequest { start: index / 2, length: head.length }),
            fork: head.fork,
            ..Request::default()
        };
        let _ = log.create_proof(&request);
    }
    let _ = (log.manifest(), log.signature(), log.user_data_entries(), log.storage_info());
}

fuzz_target!(|input: &[u8]| {
    let oplog = oplog_file(input);
    if let Ok((log, stores)) = open(&oplog, Access::ReadOnly) {
        read(&log);
        assert!(log.append(&[b"refused"]).is_err());
        drop(log);
        let stores = stores();
        let store = stores.file(FileName::Oplog);
        assert_eq!(store.read_vec_at(0, oplog.len()).unwrap(), oplog);
        assert_eq!(store.len().unwrap(), oplog.len() as u64);
    }
    if let Ok((log, stores)) = open(&oplog, Access::ReadWrite) {
        let Ok(appended) = log.append(&[b"one more"]) else { return };
        assert_eq!(appended.length, log.length());
        let head = log.head();
        drop(log);
        let log = Log::open(stores(), OpenOptions::new()).expect("it was open before");
        assert_eq!(log.head(), head);
        assert_eq!(log.get(head.length - 1).unwrap().as_deref(), Some(&b"one more"[..]));
    }
});
