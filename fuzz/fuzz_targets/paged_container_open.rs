//! Bytes as a container, and a container after edits whose checksums are put right: what opens is read the same in memory
//! and by positioned reads, within a bound of memory.
#![no_main]

use hypercore_fuzz::{PAGED_CONSTANT, Script, bounded, edited_container, use_container};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    bounded(PAGED_CONSTANT, input.len(), || use_container(input));
    let file = edited_container(&mut Script::new(input));
    bounded(PAGED_CONSTANT, file.len(), || use_container(&file));
});
