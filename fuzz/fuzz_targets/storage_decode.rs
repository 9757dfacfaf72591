//! Any bytes as what a store holds: headers, entries, frames, an oplog, tree nodes, pages of the bitfield.
#![no_main]

use hypercore_fuzz::{DECODE_CONSTANT, Disk, Script, bounded, oplog_file};
use hypercore_log::fuzzing;
use libfuzzer_sys::fuzz_target;

/// Bits to set or clear: places near the borders of pages and far out.
fn operations(mut script: Script<'_>) -> Vec<(u64, u64, bool)> {
    let mut operations = Vec::new();
    while !script.is_empty() && operations.len() < 50 {
        let how = script.byte();
        let base = if how & 2 == 0 { script.number() % 200_000 } else { script.number() >> 9 };
        let len = if how & 4 == 0 { script.number() % 70_000 } else { 1 };
        operations.push((base, len, how & 1 == 0));
    }
    operations
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let constant = DECODE_CONSTANT;
    match kind % 6 {
        0 => bounded(constant, bytes.len(), || fuzzing::header(bytes)),
        1 => bounded(constant, bytes.len(), || fuzzing::entry(bytes)),
        2 => (0..bytes.len().min(64)).for_each(|offset| fuzzing::frame(bytes, offset)),
        3 => {
            let oplog = oplog_file(bytes);
            let disk = Disk::with(&[oplog.clone(), bytes.into(), vec![], vec![], vec![]]);
            let stores = disk.stores();
            bounded(20 * constant, oplog.len() + bytes.len(), || {
                fuzzing::oplog(&oplog, &*stores.oplog, &*stores.header);
            });
        }
        4 => {
            let mut script = Script::new(bytes);
            while let Some(node) = script.take(40).first_chunk() {
                fuzzing::node(script.number(), node);
            }
        }
        _ => {
            let mut script = Script::new(bytes);
            let len = script.below(6_000).min(script.below(6_000));
            let part = script.take(64);
            // A short pattern, repeated, so that a few bytes make pages with many runs.
            let file: Vec<u8> =
                part.iter().copied().cycle().take(len * part.len().min(1)).collect();
            let disk = Disk::with(&[vec![], vec![], vec![], file.clone(), vec![]]);
            fuzzing::bitfield(&file, &*disk.stores().bitfield, operations(script).into_iter());
        }
    }
});
