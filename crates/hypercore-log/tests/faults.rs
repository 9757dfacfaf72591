//! A disk that is full gets back what of a batch did arrive. That every call may fail, in every way, is shown by
//! `cargo xtask faults`; that the space comes back shows only here.

mod support;

use hypercore_log::{Create, Log, OpenOptions, Stores};
use random_access_storage::RandomAccess;
use random_access_storage::testing::{Fault, Faults, FaultyDisk};
use support::key_pair;

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
