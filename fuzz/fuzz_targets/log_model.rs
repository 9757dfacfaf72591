//! Random operations on a log and on a list of blocks, with a reader that follows by proofs: after each operation all
//! three agree, and at the end the audit finds nothing.
#![no_main]

use hypercore_fuzz::{Model, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let mut model = Model::default();
    for _ in 0..64 {
        if script.is_empty() {
            break;
        }
        model.step(&mut script);
    }
    model.end();
});
