//! Honest proofs, spoiled in a few places, given to a reader one after the other: whatever it accepts, its blocks,
//! hashes and head are those of the source, and what it refuses changes nothing.
#![no_main]

use hypercore_fuzz::{Disk, Script, readers, request, sources, spoil};
use hypercore_log::Access;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let source = &sources()[0];
    let disk = Disk::with(&readers()[script.below(3)]);
    let reader = disk.open(Access::ReadWrite).expect("it was written by a log");
    for _ in 0..4 {
        let length = reader.length();
        let Some(mut proof) = source.answer(&request(&mut script, length)) else { continue };
        let from = &sources()[script.below(5)];
        let other = from.answer(&request(&mut script, length)).unwrap_or_default();
        for _ in 0..script.byte() % 5 {
            spoil(&mut proof, &other, &source.nodes, &mut script);
        }
        let before = (reader.head(), reader.stored_count(0..u64::MAX));
        match reader.apply_proof(&proof) {
            Ok(applied) => {
                assert_eq!(applied.length, reader.length());
                if let Some(index) = applied.block {
                    assert_eq!(
                        reader.get(index).unwrap().as_ref(),
                        source.blocks.get(index as usize)
                    );
                }
            }
            Err(_) => assert_eq!((reader.head(), reader.stored_count(0..u64::MAX)), before),
        }
        source.agrees_with(&reader);
    }
    let head = reader.head();
    drop(reader);
    let reader = disk.open(Access::ReadWrite).expect("it was written by a log");
    assert_eq!(reader.head(), head);
    source.agrees_with(&reader);
});
