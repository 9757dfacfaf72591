//! Peers that say anything, in any order, to a writer and to readers: every run comes to an end, requests that wait
//! are few, what is said can be read, and what the log has in the end was signed.
#![no_main]

use hypercore_fuzz::{Conversation, Disk, Script, check, readers, sources};
use hypercore_log::{Access, Log};
use libfuzzer_sys::fuzz_target;

fn talk(log: &Log, script: &mut Script<'_>) {
    Conversation::new(log, script).go_on(script);
    check(log);
}

fuzz_target!(|input: &[u8]| {
    let script = &mut Script::new(input);
    match script.below(4) {
        0 => {
            let disk = Disk::default();
            let log = disk.create();
            log.append(&sources()[0].blocks).expect("memory holds thirteen blocks");
            talk(&log, script);
        }
        kind => {
            let disk = Disk::with(&readers()[kind - 1]);
            let log = disk.open(Access::ReadWrite).expect("it was written by a log");
            talk(&log, script);
        }
    }
});
