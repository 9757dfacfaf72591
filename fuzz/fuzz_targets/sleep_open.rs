//! A feed of SLEEP after edits, some of them signed by its author: what opens gives only what was signed, reading changes
//! nothing, a feed that takes a block has it after the next open, and what a repair calls sound is.
#![no_main]

use hypercore_fuzz::{
    SLEEP_CONSTANT, Script, SleepDisk, bounded, check_feed, edited_feed, extend_feed, repair_feed,
};
use libfuzzer_sys::fuzz_target;
use sleep::Access;

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let edited = edited_feed(&mut script);
    let len = edited.files.iter().flatten().map(Vec::len).sum();
    let disk = SleepDisk::with(&edited.files);
    let is_lenient = script.byte() % 2 == 1;
    if let Ok(feed) = bounded(SLEEP_CONSTANT, len, || disk.open(Access::Read, is_lenient)) {
        check_feed(&feed, edited.is_signed);
    }
    assert_eq!(disk.files(), edited.files);
    repair_feed(&edited, &mut script);
    extend_feed(&disk, edited.is_signed);
});
