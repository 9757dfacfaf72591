//! A recorded directory after edits whose checksums are put right: what opens gives only what was signed, reading
//! changes nothing, and a log that takes a block has it after the next open.
#![no_main]

use hypercore_fuzz::{Disk, OPEN_CONSTANT, Script, bounded, check, edited};
use hypercore_log::Access;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let files = edited(&mut Script::new(input));
    let len = files.iter().map(Vec::len).sum();
    let disk = Disk::with(&files);
    if let Ok(log) = bounded(OPEN_CONSTANT, len, || disk.open(Access::ReadOnly)) {
        check(&log);
        assert!(log.append(&[b"refused"]).is_err());
        drop(log);
        assert_eq!(disk.files(), files);
    }
    let Ok(log) = bounded(OPEN_CONSTANT, len, || disk.open(Access::ReadWrite)) else { return };
    check(&log);
    if log.append(&[b"one more"]).is_err() {
        return;
    }
    let head = log.head();
    check(&log);
    drop(log);
    let log = disk.open(Access::ReadWrite).expect("it was open before");
    assert_eq!(log.head(), head);
    assert_eq!(log.get(head.length - 1).unwrap().as_deref(), Some(&b"one more"[..]));
    check(&log);
    let before = log.audit(&mut |_| ()).unwrap();
    log.close().expect("memory syncs");
    let log = disk.open(Access::ReadOnly).expect("it was closed well");
    assert_eq!(log.audit(&mut |_| ()).unwrap(), before);
});
