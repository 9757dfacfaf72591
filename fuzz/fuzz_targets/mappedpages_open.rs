//! A recorded page file of either format after edits whose checksums are put right: whatever opens can be used without a
//! panic, within a bound of memory; and where `check()` finds nothing wrong, nothing is.
#![no_main]

use hypercore_fuzz::{Memory, PAGES_CONSTANT, Script, bounded, edited_pages, use_pages};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let file = edited_pages(&mut Script::new(input));
    let memory = Memory::with(&file);
    if let Ok(pager) = bounded(PAGES_CONSTANT, file.len(), || memory.open()) {
        use_pages(&memory, pager);
    }
});
