//! Bytes as a plain paged file, with handles of any kind: what is read is the same in memory and by positioned reads, and
//! what does not fit is an error, within a bound of memory.
#![no_main]

use hypercore_fuzz::{PAGED_CONSTANT, Script, bounded, use_plain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (script, file) = input.split_at(input.len().min(24));
    bounded(PAGED_CONSTANT, file.len(), || use_plain(file, &mut Script::new(script)));
});
