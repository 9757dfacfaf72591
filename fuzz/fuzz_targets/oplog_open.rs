//! Any oplog beside the other files of a log: opening gives a log or an error, reading it changes
//! nothing and does not panic, and what opens for writing takes a block and opens again.
#![no_main]

use hypercore_fuzz::{Disk, OPEN_CONSTANT, bounded, check, oplog_file, with_oplog};
use hypercore_log::Access;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let files = with_oplog(oplog_file(input));
    let len = files.iter().map(Vec::len).sum();
    let disk = Disk::with(&files);
    if let Ok(log) = bounded(OPEN_CONSTANT, len, || disk.open(Access::ReadOnly)) {
        check(&log);
        assert!(log.append(&[b"refused"]).is_err());
        drop(log);
        assert_eq!(disk.files(), files);
    }
    if let Ok(log) = bounded(OPEN_CONSTANT, len, || disk.open(Access::ReadWrite)) {
        let Ok(appended) = log.append(&[b"one more"]) else { return };
        assert_eq!(appended.length, log.length());
        let head = log.head();
        drop(log);
        let log = disk.open(Access::ReadWrite).expect("it was open before");
        assert_eq!(log.head(), head);
        assert_eq!(log.get(head.length - 1).unwrap().as_deref(), Some(&b"one more"[..]));
    }
});
