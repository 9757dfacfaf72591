//! A reorganisation fed with honest and with spoiled answers: when it ends and is applied, the reader has the new
//! fork and none of the old blocks that it does not share; until then it has the old one.
#![no_main]

use hypercore_fuzz::{Disk, Script, readers, request, sources, spoil};
use hypercore_log::Access;
use hypercore_merkle::{Request, UpgradeRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let old = &sources()[0];
    let new = &sources()[1 + script.below(4)];
    let disk = Disk::with(&readers()[1 + script.below(2)]);
    let reader = disk.open(Access::ReadWrite).expect("it was written by a log");
    let other = request(&mut script, 0);
    let other = [old, new][script.below(2)].answer(&other).unwrap_or_default();

    let upgrade = Some(UpgradeRequest { start: 0, length: new.log.length() });
    let first = Request { upgrade, ..request(&mut script, 0) };
    let Some(mut proof) = new.answer(&first) else { return };
    for _ in 0..script.byte() % 3 {
        spoil(&mut proof, &other, &new.nodes, &mut script);
    }
    let Ok(mut reorganisation) = reader.start_reorganisation(&proof) else { return };
    for _ in 0..24 {
        let Some(want) = reorganisation.want().cloned() else { break };
        let blocks = want.blocks.end - want.blocks.start;
        let block = want.blocks.start + u64::from(script.byte()) % blocks;
        let mut proof = new.answer(&want.request(block)).expect("it has all blocks");
        let spoiled = script.byte() % 4;
        for _ in 0..spoiled {
            spoil(&mut proof, &other, &new.nodes, &mut script);
        }
        let ancestors = reorganisation.ancestors();
        match reader.feed_reorganisation(&mut reorganisation, &proof) {
            Ok(()) => assert!(reorganisation.ancestors() >= ancestors),
            Err(error) => assert!(spoiled > 0, "honest answers are taken: {error:?}"),
        }
    }
    old.agrees_with(&reader);
    if reorganisation.want().is_some() {
        return;
    }
    let ancestors = reorganisation.ancestors() as usize;
    assert_eq!(old.blocks[..ancestors], new.blocks[..ancestors]);
    reader.apply_reorganisation(reorganisation).expect("nothing changed in between");
    assert_eq!(reader.head(), new.log.head());
    new.agrees_with(&reader);
    drop(reader);
    let reader = disk.open(Access::ReadWrite).expect("it was written by a log");
    assert_eq!(reader.head(), new.log.head());
    new.agrees_with(&reader);
});
