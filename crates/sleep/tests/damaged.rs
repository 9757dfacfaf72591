//! Damaged directories.

mod common;

#[test]
fn nothing_is_wrong_with_the_golden_directories() {
    for golden in common::goldens() {
        let feed = golden.stores.read();
        let report = feed.audit(&mut |_| ()).unwrap();
        println!("{} {report:?}", golden.name);
        assert!(report.is_ok());
    }
}
