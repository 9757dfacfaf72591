//! A disk that is full gets back what of a batch did arrive. That every call may fail, in every way, is shown by
//! `cargo xtask faults`; that the space comes back shows only here.

mod support;

use hypercore_log::{Create, Durability, Log, OpenOptions, Stores};
use hypercore_merkle::{Request, UpgradeRequest};
use random_access_storage::RandomAccess;
use random_access_storage::testing::{Fault, Faults, FaultyDisk};
use support::{Disk, create, key_pair, stores_on};

#[test]
fn a_full_disk_gets_back_what_of_a_batch_did_arrive() {
    // Enough blocks for nodes to be written at once: to data, to the tree, to the oplog.
    let batch = vec![[1; 50]; 300];
    for nth in 1..=3 {
        let faults = Faults::none();
        let data = FaultyDisk::new(&faults);
        let other = || Box::new(FaultyDisk::new(&faults));
        let stores = Stores {
            oplog: other(),
            header: other(),
            tree: other(),
            bitfield: other(),
            data: Box::new(data.clone()),
        };
        let options = OpenOptions::new().create(Create::New).key_pair(key_pair());
        let log = Log::open(stores, options).unwrap();
        log.append(&[b"kept"]).unwrap();
        faults.set(nth, Fault::ShortWrite { kept: 20 });
        log.append(&batch).unwrap_err();
        assert!(faults.fired());
        assert_eq!(data.len().unwrap(), 4, "write {nth}");
    }
}

#[test]
fn nothing_is_written_once_the_manifest_of_a_batch_could_not_be_kept() {
    let writer = create(&Disk::new());
    writer.append(&[b"a", b"b", b"c"]).unwrap();
    let proof = |length| {
        let upgrade = Some(UpgradeRequest { start: 0, length });
        let request = Request { upgrade, manifest: true, ..Request::default() };
        writer.create_proof(&request).unwrap().unwrap()
    };
    let proofs = [proof(2), proof(3)];
    for nth in 1.. {
        let faults = Faults::none();
        let disks = std::array::from_fn(|_| FaultyDisk::new(&faults));
        let options = OpenOptions::new()
            .create(Create::New)
            .key(writer.key())
            .durability(Durability::Eventual);
        let copy = Log::open(stores_on(&disks), options).unwrap();
        faults.set(nth, Fault::StorageFull);
        let verdicts = copy.apply_proofs(&proofs);
        if !faults.fired() {
            assert!(nth > 3 && verdicts.iter().all(Result::is_ok), "{nth} {verdicts:?}");
            return;
        }
        assert!(verdicts.iter().all(Result::is_err), "call {nth}: {verdicts:?}");
        assert_eq!(copy.length(), 0);
    }
}
